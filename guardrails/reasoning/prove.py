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
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from guardrails.reasoning.examples import Chart, needed, plainer, shown
from guardrails.reasoning.rulebook import Rulebook, from_plain
from guardrails.reasoning.solver import Undecided, Warm
from guardrails.reasoning.terms import Term, both, evaluate, freeze, literal, variables_in

#: Facts of one answer; more are too many to explain, and a sign of a text that wants to be costly.
MAX_FACTS: Final = 64
_POLICIES: Final = 8  # kept warm
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


def _findings(warm: Warm, read: Reading, translations: list[Reading | None], agreement: float) -> list[dict[str, Any]]:
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
            solution = warm.example(*literals)
            if solution is not None:
                found["difference"] = _difference(warm, solution, one, two)
    return found


def _difference(warm: Warm, solution: Any, one: Term, two: Term) -> dict[str, Term]:
    """A situation in which the first reading holds and the second does not."""
    names = sorted(variables_in(one) | variables_in(two))
    return {name: literal(warm.book.variables[name], value) for name, value in warm.values(solution, names).items()}


# --- the four findings


def _judge_all(warm: Warm, read: Reading, confidence: float) -> list[dict[str, Any]]:
    return [{**_judge(warm, part), "confidence": confidence} for part in apart(warm.chart, read)]


def apart(chart: Chart, read: Reading) -> list[Reading]:
    """The claims in groups that share no variable, each with the premises that concern it."""
    parent: dict[str, str] = {name: name for name in chart.book.variables}

    def root(name: str) -> str:
        while parent[name] != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    spoken = {term: variables_in(term) for term in (*read.premises, *read.claims)}
    for names in (*chart.names, *spoken.values()):
        first, *others = names or [""]
        for other in others:
            parent[root(other)] = root(first)

    def place(term: Term) -> str:
        return root(min(spoken[term])) if spoken[term] else ""

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
    with warm.facts([*premises, *claims, *(denied if len(denied) > 1 else ()), doubt]) as literals:
        known = literals[: len(premises)]
        claimed = literals[len(premises) : len(premises) + len(claims)]
        denials = literals[len(premises) + len(claims) : -1]
        held = warm.example(*warm.rules, *known, *claimed)
        clash = None if held is not None else warm.core()
        failed = warm.example(*warm.rules, *known, literals[-1])
        if failed is None:
            clash = warm.core() if held is not None else None
        question = _Question(warm, read, known, claimed, denials, doubt, literals[-1], held, failed, clash)
        finding, explain = _FINDINGS[held is not None, failed is not None]
        try:
            behind = explain(question)
        except Undecided:  # the finding stands, unexplained
            behind = {}
        return {"finding": finding, "premises": premises, "claims": claims, **behind}


@dataclass(frozen=True, slots=True)
class _Question:
    """What was read, with the solver's literal of each statement.

    Attributes:
        doubt: that some claim is false, and ``doubted`` its literal.
        held, failed: solutions in which the claims hold, in which they do not; None where there is none.
        clash: a core of the only one of the two that has none.
    """

    warm: Warm
    read: Reading
    known: tuple[Any, ...]
    claimed: tuple[Any, ...]
    denied: tuple[Any, ...]
    doubt: Term
    doubted: Any
    held: Any
    failed: Any
    clash: frozenset[int] | None

    def core(self, *, with_claims: bool, fixed: tuple[Any, ...] = ()) -> dict[str, list[Any]]:
        """Fewest rules, premises and claims that clash. Later ones, and rules before facts, are dropped first."""
        elements: list[tuple[str, Any, Any]] = []
        if with_claims:
            elements += [("claims", index, one) for index, one in enumerate(self.claimed)]
        elements += [("premises", index, one) for index, one in enumerate(self.known)]
        elements += [("rules", index, one) for index, one in enumerate(self.warm.rules)]
        kept = minimal(self.warm, [(element, element[2]) for element in reversed(elements)], fixed, self.clash)
        found: dict[str, list[Any]] = {"rules": [], "premises": [], "claims": []}
        for kind, index, _ in reversed(kept):
            found[kind].append(index)
        return found

    def scenario(self, solution: Any, facts: Sequence[Term], rules: Sequence[int]) -> dict[str, Term]:
        """``solution``, in which the premises and ``facts`` hold, in the variables of all statements and ``rules``."""
        chart = self.warm.chart
        held = (*facts, *self.read.premises)
        names = shown(chart, (*self.read.claims, *self.read.premises), rules)
        return plainer(chart, self.warm.values(solution, needed(chart, names, held)), names, held)

    def ids(self, rules: Sequence[int]) -> list[str]:
        """Names of rules."""
        return [self.warm.book.rules[index].id for index in rules]


def _impossible(question: _Question) -> dict[str, Any]:
    core = question.core(with_claims=False)
    return {
        "contradicting": question.ids(core["rules"]),
        "core_premises": core["premises"],
        "logic_warning": None if core["rules"] else "ALWAYS_FALSE",
    }


def _invalid(question: _Question) -> dict[str, Any]:
    core = question.core(with_claims=True)
    solution, kept = _nearest(question)
    return {
        "contradicting": question.ids(core["rules"]),
        "core_premises": core["premises"],
        "core_claims": core["claims"],
        "logic_warning": None if core["rules"] else "ALWAYS_FALSE",
        "false_scenario": question.scenario(solution, kept, core["rules"]),
    }


def _nearest(question: _Question) -> tuple[Any, list[Term]]:
    """A solution that keeps as many claims as it can, the first ones first; and the claims kept."""
    solution = question.failed
    kept: list[tuple[Any, Term]] = []
    if len(question.claimed) > 1:
        warm, names = question.warm, sorted(frozenset().union(*map(variables_in, question.read.claims)))
        for one, claim in zip(question.claimed, question.read.claims, strict=True):
            # The solution at hand keeps the claims before this one; often it keeps this one too.
            if not evaluate(claim, warm.values(solution, names)):
                better = warm.example(*warm.rules, *question.known, *(other for other, _ in kept), one)
                if better is None:
                    continue
                solution = better
            kept.append((one, claim))
    return solution, [claim for _, claim in kept]


def _valid(question: _Question) -> dict[str, Any]:
    core = question.core(with_claims=False, fixed=(question.doubted,))
    return {
        "supporting": question.ids(core["rules"]),
        "core_premises": core["premises"],
        "logic_warning": None if core["rules"] else "ALWAYS_TRUE",
        "true_scenario": question.scenario(question.held, question.read.claims, core["rules"]),
    }


def _satisfiable(question: _Question) -> dict[str, Any]:
    touched = frozenset().union(*map(variables_in, question.read.claims))
    rules = question.warm.chart.rules_about(touched)
    return {
        "unproven": _unproven(question),
        "logic_warning": None,
        "true_scenario": question.scenario(question.held, question.read.claims, rules),
        "false_scenario": question.scenario(question.failed, (question.doubt,), rules),
    }


def _unproven(question: _Question) -> list[int]:
    if len(question.claimed) == 1:
        return [0]
    warm, claims = question.warm, question.read.claims
    values = warm.values(question.failed, sorted(frozenset().union(*map(variables_in, claims))))
    # What is false in the solution at hand is not proven; the solver is asked about the others only.
    return [
        index
        for index, (claim, denial) in enumerate(zip(claims, question.denied, strict=True))
        if not evaluate(claim, values) or warm.ask(*warm.rules, *question.known, denial) == "sat"
    ]


#: Whether the claims may hold, whether they may fail -> the finding and what explains it.
_FINDINGS: Final[Mapping[tuple[bool, bool], tuple[str, Callable[[_Question], dict[str, Any]]]]] = {
    (False, False): ("IMPOSSIBLE", _impossible),
    (False, True): ("INVALID", _invalid),
    (True, False): ("VALID", _valid),
    (True, True): ("SATISFIABLE", _satisfiable),
}


def minimal(
    warm: Warm, elements: Sequence[tuple[Any, Any]], fixed: Sequence[Any] = (), core: frozenset[int] | None = None
) -> list[Any]:
    """The elements (each with its literal) left when all that are not needed for the clash are dropped, in order.

    An element outside a known core is dropped without a question: without it there is still no solution. Which core is
    known to begin with (``core``) saves questions and changes nothing of what is left.
    """
    current = list(elements)
    if core is None:
        if warm.ask(*fixed, *(one for _, one in current)) != "unsat":
            raise Undecided
        core = warm.core()
    for element in elements:
        rest = [other for other in current if other is not element]
        if element[1].id in core:
            try:
                if warm.ask(*fixed, *(one for _, one in rest)) == "sat":
                    continue
            except Undecided:  # better one too many than no answer
                continue
            core = warm.core()
        current = rest
    return [element for element, _ in current]
