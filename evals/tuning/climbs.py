"""Cascades on recorded answers: what each tier's answer showed is known, so every try can be made again.

The rows are those of ``evals.cascade.outcomes``. A cascade is not imitated: the gateway's own ``decide``, ``climb``
and ``judge`` run over the recorded signals.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np

from evals.cascade.outcomes import Answer, Row
from evals.tuning.table import Floats, Ints, Labels, Table, signed
from policies.policy import Policy
from router.core.cascade import Ask, Limits, Outcome, Told, climb, planned, terms_of
from router.core.checks import Calibration, Prior, Terms, by_itself, judge
from router.core.cost import cost_of, cost_shares
from router.core.decide import Caller, Fleet, decide
from router.types import TIER_NAMES, Deployment, Features, Price, Score, TierName, Usage


class Climbed(NamedTuple):
    """What came of each row, (n,): quality, nano-dollars of all calls together, answers turned down."""

    quality: Floats
    cost: Floats
    escalations: Ints


#: One model a tier, able to do all that the recorded questions need.
DEPLOYMENTS: Final = tuple(
    Deployment(name=tier, tier=tier, model=tier, upstream="recorded", private=True) for tier in TIER_NAMES
)


def from_climbs(rows: Sequence[Row], prices: Mapping[str, Price]) -> Table:
    """A table of recorded answers. What they would cost is not known before they are given."""
    n = len(rows)
    nobody = np.zeros(n, dtype=bool)
    return signed(
        Table(
            tiers=TIER_NAMES,
            quality=np.array([[float(row.answers[tier].right) for tier in TIER_NAMES] for row in rows]).reshape(n, 3),
            cost=np.array([[_cost(row.answers[t], prices[t]) for t in TIER_NAMES] for row in rows]).reshape(n, 3),
            chance=np.array([[row.p_right.get(t, np.nan) for t in TIER_NAMES] for row in rows]).reshape(n, 3),
            guess=np.full((n, 3), np.nan),
            latency=np.full((n, 3), np.nan),
            novelty=np.zeros(n),
            input_tokens=np.array([_features(row).input_tokens for row in rows], dtype=np.int64),
            stem=np.arange(n, dtype=np.int32),
            slices={
                "tenant": Labels.of(["default"] * n),
                "tag": Labels.of([""] * n),
                "language": Labels.of([row.demand.language for row in rows]),
                "task": Labels.of([row.task for row in rows]),
                "source": Labels.of([row.source for row in rows]),
                "findings": Labels.of([""] * n),
            },
            at_ms=np.arange(n, dtype=np.int64),
            taken=np.full(n, -1, dtype=np.int8),
            propensity=np.ones(n),
            source=f"{n:,} questions with recorded answers",
            fingerprint="",
            facts={"tools": nobody, "images": nobody},
        )
    )


def climbed(
    policy: Policy, rows: Sequence[Row], prices: Mapping[str, Price], calibration: Calibration | None
) -> Climbed:
    """Make every try of the policy's cascade again."""
    found = [_one(policy, row, prices, calibration) for row in rows]
    quality, cost, escalations = (np.array(column) for column in zip(*found, strict=True))
    return Climbed(quality.astype(np.float64), cost.astype(np.float64), escalations.astype(np.int64))


def _one(
    policy: Policy, row: Row, prices: Mapping[str, Price], calibration: Calibration | None
) -> tuple[float, float, int]:
    features, fleet = _features(row), Fleet(DEPLOYMENTS, prices)
    score = Score(
        p_right=dict[str, float](row.p_right.items()),
        output_tokens={},
        complexity=0.0,
        novelty=0.0,
        artefact="",
        family=policy.body.family,
    )
    decision = decide(policy, features, score, Caller(), fleet)
    if decision.served is None:
        return 0.0, 0.0, 0
    tiers, _ = planned(policy.body, decision, score, features, fleet)
    if not tiers:
        answer = row.answers[decision.served]
        return float(answer.right), _cost(answer, prices[decision.served]), 0
    prior = Prior(score=row.p_right, cost=cost_shares(TIER_NAMES, decision.cost))  # type: ignore[arg-type]
    return _climb(policy, row, tiers, prices, prior, calibration)


def _climb(
    policy: Policy,
    row: Row,
    tiers: Sequence[TierName],
    prices: Mapping[str, Price],
    prior: Prior,
    calibration: Calibration | None,
) -> tuple[float, float, int]:
    cascade, terms = policy.body.cascade, terms_of(policy.body)
    assert cascade is not None
    rungs = [(tier, DEPLOYMENTS[TIER_NAMES.index(tier)]) for tier in tiers]
    limits = Limits(max_escalations=cascade.max_escalations, deadline=cascade.deadline)
    steps = climb(rungs, [], limits, lambda: 0.0)
    asked: list[TierName] = []
    spent = 0.0
    ask: Ask = next(steps)
    while True:
        tier = ask.step.tier
        answer = row.answers[tier]
        asked.append(tier)
        spent += _cost(answer, prices[tier])
        told = Told(at=0.0)
        if ask.above:
            spent += _sampled(answer, row, terms, prices[tier])
            told = Told(at=0.0, verdict=judge(terms, answer.signals, row.demand, tier, ask.above, calibration, prior))
        try:
            ask = steps.send(told)
        except StopIteration as end:
            outcome: Outcome = end.value
            assert outcome.kept is not None  # recorded calls do not fail
            return float(row.answers[asked[outcome.kept]].right), spent, len(asked) - 1


def _features(row: Row) -> Features:
    """What rules can ask about. The shortest prompt that a tier counted is the one without a long preamble."""
    tokens = min(answer.tokens_in for answer in row.answers.values())
    return Features(
        language=row.demand.language,
        input_tokens=tokens,
        ask_chars=0,
        turns=1,
        tools=row.demand.tools,
        images=False,
    )


def _cost(answer: Answer, price: Price) -> float:
    return _nano(answer.tokens_in, answer.tokens_out, price)


def _sampled(answer: Answer, row: Row, terms: Terms, price: Price) -> float:
    """What the samples cost; none are bought for an answer that another check turns down."""
    if not terms.needs_samples or by_itself(terms, answer.signals, row.demand) is not None:
        return 0.0
    return _nano(answer.sampled_in, answer.sampled_out, price)


def _nano(given: int, made: int, price: Price) -> float:
    cost = cost_of(Usage(input_tokens=given, output_tokens=made), price)
    return np.nan if cost is None else float(cost)
