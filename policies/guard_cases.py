"""A policy's own cases for its guards: what they must find, and what they must let be.

Three sources: the guard cases of a probes file; every line of an ``allow`` list (it stands there because it was found
once and should not be); and the tests that rules bring along (``reasoning``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, NamedTuple, get_args

from guardrails import Rails, check
from guardrails.cases import allow_cases
from guardrails.checks import CHECKS
from guardrails.common import USUAL_ROLE
from guardrails.reasoning import ReasoningCheck
from guardrails.reasoning import run_cases as run_rule_cases
from policies.policy import Direction, Policy
from policies.probes import GuardCase, Probe

Kind = Literal["probe", "allow", "rules"]
Where = Literal["input", "output", "shadow input", "shadow output"]


class CaseResult(NamedTuple):
    """How one case went.

    Attributes:
        name: the probe's id, ``[0].pii.allow[2]``, or the guard and the name of its test.
        expected, found: what should have been found and what was, in words; never a text.
        passed: whether they agree.
    """

    kind: Kind
    where: Where
    name: str
    expected: str
    found: str
    passed: bool


def run_cases(policy: Policy, probes: Iterable[Probe] = ()) -> tuple[CaseResult, ...]:
    """Run every case there is, in the order of the files."""
    return (
        *(_run_probe(policy, probe.id, probe.guard) for probe in probes if probe.guard is not None),
        *_run_allowed(policy),
        *_run_own(policy),
    )


# --- probes


def _run_probe(policy: Policy, name: str, case: GuardCase) -> CaseResult:
    role = case.role or USUAL_ROLE[case.direction]
    verdict = check(case.text, policy.rails[case.direction], role=role)
    found = {finding.category for finding in verdict.findings}
    agree = verdict.action.word == case.action and found >= set(case.categories)
    said = _words(verdict.action.word, found)
    if agree and case.becomes is not None and verdict.text != case.becomes:
        agree, said = False, f"{said}, and another text"
    return CaseResult("probe", case.direction, name, _words(case.action, case.categories), said, agree)


def _words(action: str, categories: Iterable[str]) -> str:
    return " ".join((action, *sorted(categories)))


# --- allow lists


def _run_allowed(policy: Policy) -> Iterator[CaseResult]:
    """Guards that look at more than a text (``CHECKS``) list patterns, not texts: those are left to their own tests."""
    for where, items, rails in _sides(policy):
        for case in allow_cases(items):
            index, guard, _, line = case.path
            if guard not in CHECKS:
                found = sorted({f.category for f in rails.find(case.text) if f.guard == guard})
                name = f"[{index}].{guard}.allow[{line}]"
                yield CaseResult("allow", where, name, "nothing", " ".join(found) or "nothing", not found)


def _sides(policy: Policy) -> Iterator[tuple[Where, tuple[dict[str, Any], ...], Rails]]:
    """Each list of guards, its compiled form, and its name."""
    directions: tuple[Direction, ...] = get_args(Direction)
    guards = policy.body.guards
    for direction in directions:
        yield direction, getattr(guards, direction), policy.rails[direction]
    if guards.shadow is not None:
        for direction, where in zip(directions, ("shadow input", "shadow output"), strict=True):
            yield where, getattr(guards.shadow, direction), policy.shadow[direction]  # type: ignore[misc]


# --- the guards' own tests


def _run_own(policy: Policy) -> Iterator[CaseResult]:
    """The tests that rules bring along; those that ask a model fail here, for there is none."""
    for where, rules in _rules(policy):
        for result in run_rule_cases(rules):
            found = result.found if result.passed else result.message or result.found
            name = f"{rules.guard}: {result.name}"
            yield CaseResult("rules", where, name, result.expect, found, result.passed)


def _rules(policy: Policy) -> Iterator[tuple[Where, ReasoningCheck]]:
    for where, _, rails in _sides(policy):
        yield from ((where, each.check) for each in rails.checks if isinstance(each.check, ReasoningCheck))


def complaints(policy: Policy) -> tuple[str, ...]:
    """What lint says of a policy's rules: those that never matter, variables that nothing reads."""
    said = [(where, rules.config.name, each.message) for where, rules in _rules(policy) for each in rules.warnings]
    return tuple(f"{where} rules {name!r}: {message}" for where, name, message in said)


def tested(results: Iterable[CaseResult]) -> Mapping[str, int]:
    """How many cases of each kind there are."""
    counts: dict[str, int] = {}
    for result in results:
        counts[result.kind] = counts.get(result.kind, 0) + 1
    return counts
