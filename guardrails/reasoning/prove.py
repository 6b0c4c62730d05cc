"""What the rules say about what was read: ``prove`` turns a job (plain data) into findings (plain data).

With rules R, premises P and claims C, all bounded by their sorts:

* IMPOSSIBLE: R and P cannot hold together;
* INVALID: R, P and C cannot hold together;
* VALID: R and P leave no way for C to be false;
* SATISFIABLE: C may be true and may be false.

Two questions decide between the four: "R, P, C?" and "R, P, not C?". Claims that share no variable, not even through
rules, are judged apart; this loses nothing, for the rules as a whole can hold (lint refuses those that cannot).

Cores are found by deletion in a fixed order, so the rules named do not depend on what the solver learnt before.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import date, timedelta
from fractions import Fraction
from typing import Any, Final, NamedTuple

from guardrails.reasoning.rulebook import Rulebook, from_plain, known_value
from guardrails.reasoning.solver import Undecided, Warm
from guardrails.reasoning.terms import (
    COMPARE,
    Term,
    Value,
    Variable,
    both,
    freeze,
    literal,
    value_of,
    variables_in,
    walk,
)

#: Facts of one answer; more are too many to explain, and a sign of a text that wants to be costly.
MAX_FACTS: Final = 64
_POLICIES: Final = 8  # kept warm
_EXAMPLE_QUESTIONS: Final = 24  # to the solver, for one example
_EXAMPLE_VARIABLES: Final = 12
_CANDIDATES: Final = 6
_TRUE: Final[Term] = ("bool", True)


class Reading(NamedTuple):
    """What was read: statements that are known, and statements under judgement."""

    premises: tuple[Term, ...]
    claims: tuple[Term, ...]

    def joined(self, other: Reading) -> Reading:
        """Both, each statement once."""
        return Reading(
            tuple(dict.fromkeys((*self.premises, *other.premises))), tuple(dict.fromkeys((*self.claims, *other.claims)))
        )


@dataclass
class Shelf:
    """Policies that are kept warm, the least recently used one dropped first.

    Attributes:
        clock: seconds; without it only steps are counted.
    """

    size: int = _POLICIES
    clock: Callable[[], float] | None = None
    _warm: OrderedDict[str, Warm] = field(default_factory=OrderedDict)

    def take(self, name: str, plain: Mapping[str, Any]) -> Warm:
        """The solver of a policy."""
        warm = self._warm.get(name)
        if warm is None:
            warm = self._warm[name] = Warm(from_plain(plain), self.clock)
            while len(self._warm) > self.size:
                self._warm.popitem(last=False)
        self._warm.move_to_end(name)
        return warm

    def drop(self, name: str) -> None:
        """Forget a policy: after a question that went wrong it starts afresh."""
        self._warm.pop(name, None)

    def __len__(self) -> int:
        return len(self._warm)


def make_job(book: Rulebook, read: Reading, translations: Sequence[Reading | None], **limits: Any) -> dict[str, Any]:
    """The job for ``prove``.

    Args:
        book: the rules.
        read: what the patterns read.
        translations: what each translator said; None for one that could not be understood.
        limits: ``agreement`` and ``limit_ms``.
    """
    return {
        "policy": book.hash,
        "rulebook": book.plain(),
        "read": read._asdict(),
        "translations": [None if reading is None else reading._asdict() for reading in translations],
        **limits,
    }


def prove(job: Mapping[str, Any], shelf: Shelf | None = None) -> dict[str, Any]:
    """Judge.

    Args:
        job: as ``make_job`` makes it; lists may stand for tuples.
        shelf: warm solvers of earlier jobs.

    Returns:
        ``{"findings": [...]}``; statements and values in it are terms. See ``outcome`` for its reader.

    Raises:
        ValueError, KeyError, TypeError, IndexError: the job was not made by ``make_job``.
        SolverMissing: z3 is not installed.
    """
    shelf = shelf if shelf is not None else Shelf()
    read = _reading(job["read"])
    translations = [None if given is None else _reading(given) for given in job["translations"]]
    everything = [read, *(reading for reading in translations if reading)]
    if max(len(reading.premises) + len(reading.claims) for reading in everything) > MAX_FACTS:
        return {"findings": [{"finding": "TOO_COMPLEX", "confidence": 1.0}]}
    if not any(reading.claims for reading in everything):
        return {"findings": [{"finding": "NO_TRANSLATION", "confidence": 1.0}]}
    warm = shelf.take(job["policy"], job["rulebook"])
    warm.begin(int(job["limit_ms"]))
    try:
        return {"findings": _findings(warm, read, translations, float(job["agreement"]))}
    except Undecided:
        shelf.drop(job["policy"])
        return {"findings": [{"finding": "TOO_COMPLEX", "confidence": 1.0}]}


def _reading(given: Mapping[str, Any]) -> Reading:
    return Reading(freeze(given["premises"]), freeze(given["claims"]))


def _findings(
    warm: Warm, read: Reading, translations: list[Reading | None], agreement: float
) -> list[dict[str, Any]]:
    if not translations:
        return _judge_all(warm, read, 1.0)
    groups = _agreeing(warm, read, translations)
    best = max(groups, key=len) if groups else []
    share = len(best) / len(translations)
    if share < agreement:
        return [_ambiguous(warm, groups, share, len(translations))]
    return _judge_all(warm, best[0], share)


# --- translations


def _agreeing(warm: Warm, read: Reading, translations: list[Reading | None]) -> list[list[Reading]]:
    """Translations in groups that mean the same. One that contradicts what the patterns read is in no group."""
    groups: list[list[Reading]] = []
    for given in translations:
        if given is None or _contradicts(warm, read, given):
            continue
        whole = read.joined(given)
        group = next((group for group in groups if _same(warm, group[0], whole)), None)
        if group is None:
            groups.append([whole])
        else:
            group.append(whole)
    return groups


def _contradicts(warm: Warm, read: Reading, given: Reading) -> bool:
    """Whether the two cannot both be right, though each could be."""
    for one, two in ((read.premises, given.premises), (read.claims, given.claims)):
        if not one or not two:
            continue
        with warm.facts([both(one), both(two)]) as (left, right):
            if warm.ask(left, right) == "unsat" and "unsat" not in (warm.ask(left), warm.ask(right)):
                return True
    return False


def _same(warm: Warm, one: Reading, two: Reading) -> bool:
    pairs = ((one.premises, two.premises), (one.claims, two.claims))
    return all(set(left) == set(right) or _equal(warm, _all(left), _all(right)) for left, right in pairs)


def _all(terms: tuple[Term, ...]) -> Term:
    return both(terms) if terms else _TRUE


def _equal(warm: Warm, one: Term, two: Term) -> bool:
    with warm.facts([("!=", one, two)]) as (differ,):
        return warm.ask(differ) == "unsat"


def _ambiguous(warm: Warm, groups: list[list[Reading]], share: float, asked: int) -> dict[str, Any]:
    groups = sorted(groups, key=len, reverse=True)
    found: dict[str, Any] = {
        "finding": "TRANSLATION_AMBIGUOUS",
        "confidence": share,
        "options": [{"share": len(group) / asked, **group[0]._asdict()} for group in groups],
    }
    if len(groups) > 1:
        one, two = (("and", _all(group[0].premises), _all(group[0].claims)) for group in groups[:2])
        with warm.facts([one, ("not", two)]) as literals:
            if warm.ask(*literals) == "sat":
                found["difference"] = _example(warm, literals, _names(warm, (one, two), ()), (one, two))
    return found


# --- the four findings


def _judge_all(warm: Warm, read: Reading, confidence: float) -> list[dict[str, Any]]:
    return [{**_judge(warm, part), "confidence": confidence} for part in apart(warm.book, read)]


def apart(book: Rulebook, read: Reading) -> list[Reading]:
    """The claims in groups that share no variable, each with the premises that concern it."""
    parent: dict[str, str] = {name: name for name in book.variables}

    def root(name: str) -> str:
        while parent[name] != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    linked = [*(rule.term for rule in book.rules), *read.premises, *read.claims]
    for names in map(variables_in, linked):
        first, *others = sorted(names) or [""]
        for other in others:
            parent[root(other)] = root(first)

    def place(term: Term) -> str:
        names = variables_in(term)
        return root(min(names)) if names else ""

    claims: dict[str, list[Term]] = {}
    for claim in read.claims:
        claims.setdefault(place(claim), []).append(claim)
    premises: dict[str, list[Term]] = {}
    for premise in read.premises:
        premises.setdefault(place(premise), []).append(premise)
    return [Reading(tuple(premises.get(at, ())), tuple(group)) for at, group in claims.items()]


def _judge(warm: Warm, read: Reading) -> dict[str, Any]:
    premises, claims = read
    denied: list[Term] = [("not", claim) for claim in claims]
    doubt = denied[0] if len(denied) == 1 else ("or", *denied)
    with warm.facts([*premises, *claims, *denied, doubt]) as literals:
        known = literals[: len(premises)]
        claimed = literals[len(premises) : len(premises) + len(claims)]
        question = _Question(warm, read, known, claimed, literals[len(premises) + len(claims) : -1], literals[-1])
        may_hold = warm.ask(warm.all_rules, *known, *claimed) == "sat"
        may_fail = warm.ask(warm.all_rules, *known, question.doubt) == "sat"
        judge = _FINDERS[may_hold, may_fail]
        return {"premises": premises, "claims": claims, **judge(question)}


@dataclass(frozen=True, slots=True)
class _Question:
    """What was read, with the solver's literal of each statement."""

    warm: Warm
    read: Reading
    known: tuple[Any, ...]
    claimed: tuple[Any, ...]
    denied: tuple[Any, ...]
    doubt: Any

    def core(self, *, with_claims: bool, fixed: tuple[Any, ...] = ()) -> dict[str, list[Any]]:
        """Fewest rules, premises and claims that clash. Later ones, and rules before facts, are dropped first."""
        elements: list[tuple[str, Any, Any]] = []
        if with_claims:
            elements += [("claims", index, one) for index, one in enumerate(self.claimed)]
        elements += [("premises", index, one) for index, one in enumerate(self.known)]
        elements += [("rules", index, one) for index, one in enumerate(self.warm.rules)]
        kept = minimal(self.warm, [(element, element[2]) for element in reversed(elements)], fixed)
        found: dict[str, list[Any]] = {"rules": [], "premises": [], "claims": []}
        for kind, index, _ in reversed(kept):
            found[kind].append(self.warm.book.rules[index].id if kind == "rules" else index)
        return found

    def example(self, assumed: Sequence[Any], rules: Iterable[str]) -> dict[str, Term]:
        """A situation in which ``assumed`` holds, in the variables of the facts and of ``rules``."""
        terms = (*self.read.claims, *self.read.premises)
        return _example(self.warm, (self.warm.all_rules, *assumed), _names(self.warm, terms, rules), terms)


def _impossible(question: _Question) -> dict[str, Any]:
    core = question.core(with_claims=False)
    warning = None if core["rules"] else "ALWAYS_FALSE"
    return {
        "finding": "IMPOSSIBLE",
        "contradicting": core["rules"],
        "core_premises": core["premises"],
        "logic_warning": warning,
    }


def _invalid(question: _Question) -> dict[str, Any]:
    core = question.core(with_claims=True)
    kept: list[Any] = []
    for claim in question.claimed:
        if question.warm.ask(question.warm.all_rules, *question.known, *kept, claim) == "sat":
            kept.append(claim)
    return {
        "finding": "INVALID",
        "contradicting": core["rules"],
        "core_premises": core["premises"],
        "core_claims": core["claims"],
        "logic_warning": None if core["rules"] else "ALWAYS_FALSE",
        "false_scenario": question.example((*question.known, *kept), core["rules"]),
    }


def _valid(question: _Question) -> dict[str, Any]:
    core = question.core(with_claims=False, fixed=(question.doubt,))
    return {
        "finding": "VALID",
        "supporting": core["rules"],
        "core_premises": core["premises"],
        "logic_warning": None if core["rules"] else "ALWAYS_TRUE",
        "true_scenario": question.example((*question.known, *question.claimed), core["rules"]),
    }


def _satisfiable(question: _Question) -> dict[str, Any]:
    warm, known = question.warm, question.known
    touched = frozenset().union(*map(variables_in, question.read.claims))
    rules = [rule.id for rule in warm.book.rules if variables_in(rule.term) & touched]
    unproven = [0]
    if len(question.claimed) > 1:
        unproven = [
            index
            for index, denial in enumerate(question.denied)
            if warm.ask(warm.all_rules, *known, denial) == "sat"
        ]
    return {
        "finding": "SATISFIABLE",
        "unproven": unproven,
        "logic_warning": None,
        "true_scenario": question.example((*known, *question.claimed), rules),
        "false_scenario": question.example((*known, question.doubt), rules),
    }


_FINDERS: Final[Mapping[tuple[bool, bool], Callable[[_Question], dict[str, Any]]]] = {
    (False, False): _impossible,
    (False, True): _invalid,
    (True, False): _valid,
    (True, True): _satisfiable,
}


def minimal(warm: Warm, elements: Sequence[tuple[Any, Any]], fixed: Sequence[Any] = ()) -> list[Any]:
    """The elements (each with its literal) left when all that are not needed for the clash are dropped, in order.

    An element outside a known core is dropped without a question: without it there is still no solution.
    """
    current = list(elements)
    if warm.ask(*fixed, *(one for _, one in current)) != "unsat":
        raise Undecided
    core = warm.core()
    for element in elements:
        rest = [other for other in current if other is not element]
        if element[1].decl().name() in core:
            if warm.ask(*fixed, *(one for _, one in rest)) == "sat":
                continue
            core = warm.core()
        current = rest
    return [element for element, _ in current]


# --- examples


def _names(warm: Warm, facts: Iterable[Term], rules: Iterable[str]) -> list[str]:
    wanted = frozenset(rules)
    terms = [*facts, *(rule.term for rule in warm.book.rules if rule.id in wanted)]
    names = dict.fromkeys(name for term in terms for name in sorted(variables_in(term)))
    return list(names)[:_EXAMPLE_VARIABLES]


def _example(warm: Warm, assumed: Sequence[Any], names: Sequence[str], facts: Sequence[Term]) -> dict[str, Term]:
    """The first situation in the order of ``_candidates``, so far as questions go round."""
    if warm.ask(*assumed) != "sat":
        raise Undecided
    values = warm.model(names)
    questions = 0
    with ExitStack() as stack:
        held = list(assumed)
        for name in names:
            variable = warm.book.variables[name]
            for candidate in _candidates(warm.book, variable, facts):
                if values[name] == candidate:
                    break
                if questions >= _EXAMPLE_QUESTIONS:
                    break
                questions += 1
                with warm.facts([("=", ("var", name), literal(variable, candidate))]) as (here,):
                    if warm.ask(*held, here) == "sat":
                        values = warm.model(names)
                        break
            fixed = ("=", ("var", name), literal(variable, values[name]))
            held += stack.enter_context(warm.facts([fixed]))
    return {name: literal(warm.book.variables[name], values[name]) for name in names}


def _candidates(book: Rulebook, variable: Variable, facts: Sequence[Term]) -> Iterator[Value]:
    """Values worth showing: those that facts and rules speak of, their neighbours, then the plainest."""
    if variable.sort.kind == "bool":
        yield from (False, True)
        return
    if variable.sort.kind == "enum":
        yield from variable.sort.values[:_CANDIDATES]
        return
    spoken = [value for term in (*facts, *(r.term for r in book.rules)) for value in _beside(term, variable.name)]
    near = [value for spot in spoken for value in (spot, *_next_to(spot))]
    plain: list[Any] = [variable.low, variable.high] if variable.sort.kind == "date" else [Fraction(0), variable.low]
    found = dict.fromkeys(value for value in (*near, *plain) if value is not None and known_value(variable, value))
    yield from list(found)[:_CANDIDATES]


def _beside(term: Term, name: str) -> Iterator[Any]:
    """Literals that the variable is compared with."""
    for part in walk(term):
        if part[0] in COMPARE and ("var", name) in part[1:]:
            other = part[2] if part[1] == ("var", name) else part[1]
            if other[0] in ("num", "date"):
                value = value_of(other)
                if not isinstance(value, Fraction) or value.denominator == 1:
                    yield value


def _next_to(value: Any) -> tuple[Any, Any]:
    if isinstance(value, date):
        day = timedelta(1)
        return (min(value, date.max - day) + day, max(value, date.min + day) - day)
    return (value + 1, value - 1)
