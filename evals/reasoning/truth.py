"""The findings of random policies, against the truth by counting every case of their small domains.

The truth uses neither the solver nor its encoding: a term means what ``terms.evaluate`` says, and a finding is what its
definition says over the list of all situations.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import product
from typing import Final

from guardrails.reasoning.examples import Chart
from guardrails.reasoning.prove import Reading, apart, make_job, prove
from guardrails.reasoning.rulebook import Rulebook, RuleTerm, make_rulebook
from guardrails.reasoning.terms import BOOL, INT, Sort, Term, Value, Variable, both, evaluate, number

_RANGE: Final = 3  # an int lies in 0..3
_WORDS: Final = ("red", "green", "blue")


def random_policy(dice: random.Random) -> tuple[Rulebook, Reading]:
    """Three to five variables, one to five rules, up to three premises, one to three claims."""
    variables = [_variable(dice, f"v{index}") for index in range(dice.randint(3, 5))]
    rules = [RuleTerm(f"r{index}", _statement(dice, variables, 2)) for index in range(dice.randint(1, 5))]
    premises = tuple(_statement(dice, variables, 1) for _ in range(dice.randint(0, 3)))
    claims = tuple(_statement(dice, variables, 1) for _ in range(dice.randint(1, 3)))
    return make_rulebook(variables, rules), Reading(premises, claims)


def _variable(dice: random.Random, name: str) -> Variable:
    kind = dice.choice(("bool", "bool", "int", "enum"))
    if kind == "bool":
        return Variable(name, BOOL, name)
    if kind == "enum":
        return Variable(name, Sort("enum", _WORDS, name), name)
    return Variable(name, INT, name, low=Fraction(0), high=Fraction(_RANGE))


def _statement(dice: random.Random, variables: Sequence[Variable], depth: int) -> Term:
    shape = dice.random()
    if depth and shape < 0.35:
        return ("=>", _statement(dice, variables, depth - 1), _statement(dice, variables, depth - 1))
    if depth and shape < 0.7:
        return (dice.choice(("and", "or")), *(_statement(dice, variables, depth - 1) for _ in range(2)))
    if shape < 0.8:
        return ("not", _statement(dice, variables, max(0, depth - 1)))
    return _atom(dice, variables)


def _atom(dice: random.Random, variables: Sequence[Variable]) -> Term:
    variable = dice.choice(variables)
    here: Term = ("var", variable.name)
    if variable.sort.kind == "bool":
        return here
    if variable.sort.kind == "enum":
        return (dice.choice(("=", "!=")), here, ("enum", variable.name, dice.choice(_WORDS)))
    relation = dice.choice(("=", "!=", "<", "<=", ">", ">="))
    others = [v for v in variables if v.sort.kind == "int" and v is not variable]
    if others and dice.random() < 0.3:
        op = dice.choice(("+", "-", "*"))
        return (relation, (op, here, ("var", dice.choice(others).name)), number(dice.randint(-2, 5)))
    return (relation, here, number(dice.randint(-1, _RANGE + 1)))


def situations(book: Rulebook) -> Iterator[dict[str, Value]]:
    """Every assignment of the variables."""
    domains: list[Sequence[Value]] = []
    for variable in book.variables.values():
        if variable.sort.kind == "bool":
            domains.append((False, True))
        elif variable.sort.kind == "enum":
            domains.append(variable.sort.values)
        else:
            domains.append([Fraction(value) for value in range(_RANGE + 1)])
    for values in product(*domains):
        yield dict(zip(book.variables, values, strict=True))


def true_finding(book: Rulebook, read: Reading) -> str:
    """What the definitions say, by counting."""
    allowed = [s for s in situations(book) if all(evaluate(term, s) for term in _known(book, read))]
    held = [all(evaluate(claim, situation) for claim in read.claims) for situation in allowed]
    if not allowed:
        return "IMPOSSIBLE"
    if all(held):
        return "VALID"
    return "SATISFIABLE" if any(held) else "INVALID"


def _known(book: Rulebook, read: Reading) -> list[Term]:
    return [*(rule.term for rule in book.rules), *read.premises]


def agree(seed: int, count: int) -> tuple[int, int, Counter[str]]:
    """Over random policies that are not contradictory: right findings, all findings, and how often each came up."""
    dice = random.Random(seed)
    right = of = 0
    kinds: Counter[str] = Counter()
    while of < count:
        book, read = random_policy(dice)
        rules: Term = both(tuple(rule.term for rule in book.rules))
        if not any(evaluate(rules, situation) for situation in situations(book)):
            continue  # refused when it is loaded
        found = [one["finding"] for one in prove(make_job(book, read, [], agreement=1.0, limit_ms=250))["findings"]]
        true = [true_finding(book, part) for part in apart(Chart(book), read)]
        right += sum(one == two for one, two in zip(found, true, strict=True))
        of += len(true)
        kinds.update(true)
    return right, of, kinds
