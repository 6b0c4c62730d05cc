"""What is wrong with a set of rules before any answer is judged: named by rule, with the reason.

A contradiction is a mistake: the policy is refused. Everything else is a warning:

* ``redundant``: the other rules say it already; ``empty``: it is always true;
* ``unreachable``: its condition can never hold;
* ``clashing``: two rules that cannot both apply, though nothing says that their conditions exclude each other;
* ``bare``: it fixes a variable without a condition, so that every claim about it is decided;
* ``unused-variable``, ``unused-value``: no rule speaks of it; ``unread-variable``: nothing reads it from a text;
* ``undecided``: the solver could not tell.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, combinations
from typing import Any, Final, Literal, NamedTuple

from guardrails.reasoning.prove import minimal
from guardrails.reasoning.rulebook import Rulebook, RuleTerm
from guardrails.reasoning.solver import Undecided, Warm
from guardrails.reasoning.terms import Term, variables_in, walk

Level = Literal["error", "warning"]
#: Questions about pairs of rules: 200 rules have 19,900 pairs, and loading must end.
MAX_PAIRS: Final = 400
_STEPS: Final = 100_000  # of z3 a question: some 30 ms
_PATIENCE: Final = 5  # questions that may run out of them


class Complaint(NamedTuple):
    """One thing that lint says.

    Attributes:
        about: ids of rules, or names of variables; the first is the one to mend.
    """

    level: Level
    kind: str
    about: tuple[str, ...]
    message: str


def lint(book: Rulebook) -> tuple[Complaint, ...]:
    """All complaints about the rules, worst first.

    Raises:
        SolverMissing: z3 is not installed.
    """
    warm = Warm(book, steps=_STEPS)
    clash = _contradiction(warm)
    if clash is not None and clash.level == "error":
        return (clash, *_unused(book))
    found = [] if clash is None else [clash]
    return (*found, *_patient(chain(_each(warm), _clashing(warm))), *_bare(book), *_unused(book))


def _patient(complaints: Iterable[Complaint]) -> Iterator[Complaint]:
    """Up to the last question that it pays to wait for."""
    undecided = 0
    for complaint in complaints:
        yield complaint
        undecided += complaint.kind == "undecided"
        if undecided >= _PATIENCE:
            yield Complaint("warning", "undecided", (), "the rest of the rules was not checked: it takes too long")
            return


def _contradiction(warm: Warm) -> Complaint | None:
    try:
        if warm.ask(warm.all_rules) == "sat":
            return None
        rules = minimal(warm, list(zip(_ids(warm.book), warm.rules, strict=True))[::-1])[::-1]
    except Undecided:
        return Complaint("warning", "undecided", (), "whether the rules can all hold could not be decided")
    said = "can never hold" if len(rules) == 1 else "can never hold together"
    return Complaint("error", "contradiction", tuple(rules), f"{_quoted(rules)} {said}")


def _ids(book: Rulebook) -> list[str]:
    return [rule.id for rule in book.rules]


def _quoted(rules: Sequence[str]) -> str:
    word = "the rule " if len(rules) == 1 else "the rules "
    return word + ", ".join(repr(rule) for rule in rules)


def _each(warm: Warm) -> Iterator[Complaint]:
    for index, rule in enumerate(warm.book.rules):
        others = [(other.id, one) for i, (other, one) in enumerate(_pairs(warm)) if i != index]
        yield from _careful(rule, lambda rule=rule, others=others: _unreachable(warm, rule, others))
        yield from _careful(rule, lambda rule=rule, others=others: _redundant(warm, rule, others))


def _pairs(warm: Warm) -> list[tuple[RuleTerm, Any]]:
    return list(zip(warm.book.rules, warm.rules, strict=True))


def _careful(rule: RuleTerm, look: Any) -> Iterator[Complaint]:
    try:
        yield from look()
    except Undecided:
        yield Complaint("warning", "undecided", (rule.id,), f"the rule {rule.id!r} could not be checked")


def _unreachable(warm: Warm, rule: RuleTerm, others: list[tuple[str, Any]]) -> list[Complaint]:
    if rule.premise is None:
        return []
    with warm.facts([rule.premise]) as (premise,):
        if warm.ask(warm.all_rules, premise) == "sat":
            return []
        mine = [(rule.id, warm.rules[_ids(warm.book).index(rule.id)])]
        why = [name for name in minimal(warm, [*others, *mine], (premise,)) if name != rule.id]
    because = f": {_quoted(why)} exclude{'s' if len(why) == 1 else ''} it" if why else ""
    message = f"the condition of the rule {rule.id!r} can never hold{because}"
    return [Complaint("warning", "unreachable", (rule.id, *why), message)]


def _redundant(warm: Warm, rule: RuleTerm, others: list[tuple[str, Any]]) -> list[Complaint]:
    with warm.facts([("not", rule.term)]) as (denied,):
        if warm.ask(denied, *(one for _, one in others)) == "sat":
            return []
        why = minimal(warm, others, (denied,))
    if not why:
        return [Complaint("warning", "empty", (rule.id,), f"the rule {rule.id!r} is always true and says nothing")]
    message = f"the rule {rule.id!r} is redundant: {_quoted(why)} say{'s' if len(why) == 1 else ''} it already"
    return [Complaint("warning", "redundant", (rule.id, *why), message)]


def _clashing(warm: Warm) -> Iterator[Complaint]:
    """Pairs whose conditions could meet by themselves, but not under the rules."""
    conditional = [rule for rule in warm.book.rules if rule.premise is not None]
    pairs = ((a, b) for a, b in combinations(conditional, 2) if _concludes(a) & _concludes(b))
    for count, (one, two) in enumerate(pairs):
        if count >= MAX_PAIRS:
            yield Complaint("warning", "undecided", (), f"only the first {MAX_PAIRS} pairs of rules were compared")
            return
        yield from _careful(one, lambda one=one, two=two: _pair(warm, one, two))


def _concludes(rule: RuleTerm) -> frozenset[str]:
    return variables_in(rule.term[2])


def _pair(warm: Warm, one: RuleTerm, two: RuleTerm) -> list[Complaint]:
    # Only these two rules: that a third one excludes a condition is told as 'unreachable'.
    book = _ids(warm.book)
    rules = [warm.rules[book.index(rule.id)] for rule in (one, two)]
    with warm.facts([("and", one.premise, two.premise)]) as (meet,):
        if warm.ask(meet, *rules) == "sat" or warm.ask(meet) == "unsat":
            return []
        if "unsat" in (warm.ask(meet, rules[0]), warm.ask(meet, rules[1])):
            return []
    message = f"the rules {one.id!r} and {two.id!r} contradict each other wherever both apply"
    return [Complaint("warning", "clashing", (one.id, two.id), message)]


def _bare(book: Rulebook) -> Iterator[Complaint]:
    for rule in book.rules:
        if _fixes(rule.term):
            message = f"the rule {rule.id!r} has no condition, so it decides every claim about its variable"
            yield Complaint("warning", "bare", (rule.id,), message)


def _fixes(term: Term) -> bool:
    if term[0] == "not":
        term = term[1]
    return term[0] == "var" or (
        term[0] == "=" and term[1][0] == "var" and term[2][0] in ("bool", "num", "date", "enum")
    )


def _unused(book: Rulebook) -> Iterator[Complaint]:
    used = frozenset().union(*(variables_in(rule.term) for rule in book.rules))
    said = {part[1:] for rule in book.rules for part in walk(rule.term) if part[0] == "enum"}
    for name, variable in book.variables.items():
        if name not in used:
            yield Complaint("warning", "unused-variable", (name,), f"no rule speaks of the variable {name!r}")
        elif variable.sort.kind == "enum":
            missing = [value for value in variable.sort.values if not _says(said, variable.sort.values, value, book)]
            if missing and name not in _compared(book):
                words = ", ".join(map(repr, missing))
                yield Complaint("warning", "unused-value", (name,), f"no rule speaks of {words} of {name!r}")


def _says(said: set[Any], values: tuple[str, ...], value: str, book: Rulebook) -> bool:
    """Whether a rule names the value, in this enum or in one of the same values."""
    return any(word == value and book.variables[owner].sort.values == values for owner, word in said)


def _compared(book: Rulebook) -> frozenset[str]:
    """Enums that a rule compares with another variable: any value may count there."""
    found = set()
    for rule in book.rules:
        for part in walk(rule.term):
            if part[0] in ("=", "!=") and part[1][0] == part[2][0] == "var":
                found |= {part[1][1], part[2][1]}
    return frozenset(found)


def unread(book: Rulebook, read: Mapping[str, Any]) -> Iterator[Complaint]:
    """Variables of rules that nothing reads from a text."""
    used = frozenset().union(*(variables_in(rule.term) for rule in book.rules))
    for name in book.variables:
        if name in used and name not in read:
            yield Complaint(
                "warning", "unread-variable", (name,), f"no reading tells the variable {name!r} from a text"
            )
