"""Situations for the author of a policy to look at: for each rule one in which it applies, and says something.

Whoever wrote the rules reads them and sees at once whether they are meant; each can be kept as a test.
"""

from __future__ import annotations

from typing import NamedTuple

from guardrails.reasoning.examples import needed, plainer, shown
from guardrails.reasoning.outcome import Scenario
from guardrails.reasoning.rulebook import Rulebook, RuleTerm
from guardrails.reasoning.solver import Undecided, Warm
from guardrails.reasoning.terms import Term


class RuleScenario(NamedTuple):
    """Where a rule applies.

    Attributes:
        allowed: a situation in which the rule's condition holds, and all rules do; None where there is none.
        forbidden: one that only this rule forbids; None where the other rules forbid it too.
    """

    rule: str
    allowed: Scenario | None
    forbidden: Scenario | None


def rule_scenarios(book: Rulebook) -> tuple[RuleScenario, ...]:
    """One for each rule.

    Raises:
        SolverMissing: z3 is not installed.
    """
    warm = Warm(book)
    return tuple(_of(warm, index, rule) for index, rule in enumerate(book.rules))


def _of(warm: Warm, index: int, rule: RuleTerm) -> RuleScenario:
    everyone = list(range(len(warm.book.rules)))
    others = [one for one in everyone if one != index]
    applies = rule.premise if rule.premise is not None else rule.term
    return RuleScenario(
        rule.id, _situation(warm, applies, everyone, index), _situation(warm, ("not", rule.term), others, index)
    )


def _situation(warm: Warm, holds: Term, rules: list[int], shows: int) -> Scenario | None:
    """A situation in which ``holds`` and ``rules`` hold, in the variables of the rule ``shows``."""
    with warm.facts([holds]) as (literal,):
        try:
            solution = warm.example(literal, *(warm.rules[index] for index in rules))
        except Undecided:
            return None
        if solution is None:
            return None
        names = shown(warm.chart, (), [shows])
        values = warm.values(solution, needed(warm.chart, names, (holds,)))
    return plainer(warm.chart, values, names, (holds,), rules)
