"""Tuning proposes what it can show, and refuses the rest with a number of rows."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.importers.outcomes import OutcomeError
from evals.tuning import sweep
from evals.tuning.choose import tiers_of
from evals.tuning.evidence import bundle, canonical, digest
from evals.tuning.isotonic import isotonic
from evals.tuning.rationale import rationale
from evals.tuning.stakes import losing, read_stakes, with_quality
from evals.tuning.table import Labels, Table, signed
from evals.tuning.tune import split, tune
from tests.evals.tuning.worlds import policy_of

RULES = [
    {"name": "legal", "when": {"tag": ["legal"]}, "at_least": "medium"},
    {"name": "no-large", "when": {"tag": ["cheap"]}, "forbid": ["large"]},
    {"name": "vip", "when": {"tag": ["vip"]}, "pin": "large"},
]


def world(n=4000, seed=0, *, tiers=("small", "medium", "large"), sharp=6.0, partial=False):
    """Questions of some difficulty, tiers of some ability, and a scorer that sees the difficulty through noise."""
    rng = np.random.default_rng(seed)
    ability = np.array([0.0, 0.9, 1.6])[[("small", "medium", "large").index(tier) for tier in tiers]]
    hard = rng.normal(0, 1, n)
    logit = sharp / 3 * (ability[None, :] - hard[:, None])
    draw = rng.random(n)  # one luck for all tiers: who solves it small mostly solves it large
    quality = (draw[:, None] < 1 / (1 + np.exp(-logit))).astype(float)
    if partial:
        quality = np.round(quality * 0.8 + rng.random((n, len(tiers))) * 0.2, 3)
    seen = sharp / 3 * (ability[None, :] - (hard + rng.normal(0, 0.3, n))[:, None])
    cost = np.array([100.0, 350.0, 1000.0])[: len(tiers)] * rng.uniform(0.5, 1.5, n)[:, None]
    tag = rng.choice(["", "legal", "cheap", "vip"], n, p=[0.85, 0.05, 0.05, 0.05]).tolist()
    return signed(
        Table(
            tiers=tiers, quality=quality, cost=cost, chance=1 / (1 + np.exp(-seen)), guess=cost,
            latency=np.full_like(cost, np.nan), novelty=np.where(rng.random(n) < 0.03, 0.99, 0.5),
            input_tokens=np.full(n, 100), stem=np.arange(n, dtype=np.int32),
            slices={"tag": Labels.of(tag), "language": Labels.of(rng.choice(["en", "ko"], n, p=[0.7, 0.3]).tolist())},
            at_ms=np.arange(n), taken=np.full(n, -1, dtype=np.int8), propensity=np.ones(n), source="a made world",
            fingerprint="", facts={"tools": np.zeros(n, bool), "images": np.zeros(n, bool)},
        )
    )  # fmt: skip


def promising(loss=0.03, **more):
    promise = {"max_quality_loss": loss, **more}
    return policy_of(quality={"keep": 0.999}, promise=promise, rules=RULES)


@pytest.mark.parametrize("measure", ["loss", "net"])
@pytest.mark.parametrize("partial", [False, True])
def test_a_proposal_saves_and_keeps_its_promise_on_rows_that_nobody_saw(measure, partial):
    policy = promising(0.03, measure=measure)
    found = tune(policy, world(3000, partial=partial), seed=1)
    assert found.proposed is not None
    assert found.proposed.shown.upper <= 0.03
    assert found.proposed.saving.value > found.current.saving.value + 0.02
    fresh = world(40_000, seed=99, partial=partial)
    served = tiers_of(with_quality(policy, losing(dict(found.proposed.figures))), fresh)
    got = fresh.quality[np.arange(len(fresh)), served]
    lost = fresh.quality[:, 2] - got
    assert (np.maximum(lost, 0) if measure == "loss" else lost).mean() <= 0.03


def test_thresholds_decide_as_the_policy_does():
    """The sweep's own assignment and ``decide`` agree on every row, rules, pins and unknown ground among them."""
    policy, table = promising(), world(1500)
    stakes = read_stakes(policy, table)
    for figures in (
        {"small": 0.0, "medium": 0.0},
        {"small": 0.07313, "medium": 0.12171},
        {"small": 1.0, "medium": 0.3},
    ):
        served = tiers_of(with_quality(policy, losing(figures)), table)
        columns = np.array(stakes.columns)
        assert (columns[sweep.assigned(stakes.value, tuple(figures.values()))] == served).all()


def test_two_tiers_have_one_threshold():
    policy = policy_of(tiers=["small", "large"], quality={"keep": 1}, promise={"max_quality_loss": 0.05})
    found = tune(policy, world(2500, tiers=("small", "large")), seed=3)
    assert found.proposed is not None
    assert list(found.proposed.figures) == ["small"]
    with pytest.raises(OutcomeError, match="one tier"):
        tune(policy_of(tiers=["large"], promise={"max_quality_loss": 0.05}), world(300), seed=3)


def test_thin_evidence_is_refused_with_the_rows_that_are_missing():
    found = tune(promising(0.02), world(120), seed=1)
    assert found.proposed is None
    assert "149 held-out questions without a loss are the least" in found.refused
    assert found.missing == round((149 - 102) / 0.85)
    assert "more rows would be needed" in rationale(found)


def test_a_slice_that_is_too_thin_is_named():
    policy = promising(0.03, slices=["language", "tag"])
    found = tune(policy, world(1500), seed=1)
    assert found.proposed is None
    assert "tag 'cheap'" in found.refused
    with pytest.raises(OutcomeError, match="no column 'team'"):
        tune(promising(0.03, slices=["team"]), world(500), seed=1)


def test_the_promise_holds_in_each_slice():
    table = world(6000)
    # Korean questions are twice as treacherous: small fails where large does not.
    ko = table.slices["language"].codes == 1
    quality = table.quality.copy()
    quality[ko, :2] *= np.random.default_rng(5).random((ko.sum(), 2)) < 0.9
    table = signed(replace(table, quality=quality))
    whole = tune(promising(0.03), table, seed=1)
    each = tune(promising(0.03, slices=["language"]), table, seed=1)
    assert {(s.column, s.value) for s in each.slices} == {("language", "en"), ("language", "ko")}
    assert max(s.shown.upper for s in each.slices) <= 0.03
    assert each.proposed.saving.value < whole.proposed.saving.value


def test_a_scorer_that_knows_nothing_is_told_that_rows_would_not_help_or_how_many():
    table = world(1000)
    table = signed(replace(table, chance=np.full_like(table.chance, 0.5)))
    found = tune(promising(0.01), table, seed=1)
    assert found.proposed is None
    assert "not certified" in found.refused


def test_what_cannot_be_tuned_on_is_refused_with_words():
    with pytest.raises(OutcomeError, match="promises nothing"):
        tune(policy_of(), world(200), seed=1)
    ledger = world(200)
    quality = ledger.quality.copy()
    quality[:, 0] = np.nan
    with pytest.raises(OutcomeError, match="A ledger knows only the tier that answered"):
        tune(promising(), replace(ledger, quality=quality), seed=1)
    unbilled = replace(ledger, cost=ledger.cost * np.nan, guess=ledger.guess * np.nan)
    with pytest.raises(OutcomeError, match="neither tokens nor a forecast"):
        tune(promising(), unbilled, seed=1)
    with pytest.raises(OutcomeError, match="against large"):
        tune(promising(), world(200, tiers=("small", "medium")), seed=1)


def test_rows_without_tokens_are_billed_by_their_forecast_and_counted():
    table = world(1200)
    cost = table.cost.copy()
    cost[:100] = np.nan
    assert tune(promising(0.05), replace(table, cost=cost), seed=1).billed_by_guess == 100


@given(st.lists(st.integers(0, 12), min_size=1, max_size=60), st.integers(0, 5))
def test_a_question_chooses_or_certifies_and_counts_once(stems, seed):
    stem = np.array(stems)
    chooses, certifies = split(stem, seed)
    both = np.concatenate([chooses, certifies])
    assert sorted(stem[both].tolist()) == sorted(set(stems))
    again = split(stem, seed)
    assert all((a == b).all() for a, b in zip((chooses, certifies), again, strict=True))


@given(st.lists(st.tuples(st.integers(0, 8), st.floats(0, 1)), min_size=1, max_size=40))
def test_isotonic_regression_rises_keeps_the_mean_and_beats_no_order(points):
    x, y = (np.array(column, dtype=float) for column in zip(*points, strict=True))
    fitted = isotonic(x, y)(x)
    order = np.argsort(x, kind="stable")
    assert (np.diff(fitted[order]) >= -1e-12).all()
    assert np.isclose(fitted.mean(), y.mean())
    assert ((fitted - y) ** 2).sum() <= ((y.mean() - y) ** 2).sum() + 1e-9


def test_the_same_rows_and_seed_make_the_same_bundle_and_others_do_not():
    policy, table = promising(), world(1500)

    def made(seed):
        found = tune(policy, table, seed=seed)
        return bundle(found, policy, None, table, command="c", rationale=rationale(found), diff="")

    one, again, other = made(1), made(1), made(2)
    assert canonical(one) == canonical(again)
    assert digest(one) == digest(again) != digest(other)
    assert one["data"]["fingerprint"] == table.fingerprint
    assert one["proposed"]["upper"] <= 0.03
    assert canonical(one).isascii()


def test_the_front_holds_nothing_beaten_and_the_rationale_says_what_changes():
    found = tune(promising(0.04), world(2500), seed=1)
    risks, savings = [p.risk for p in found.front], [p.saving for p in found.front]
    assert risks == sorted(risks)
    assert savings == sorted(savings)
    words = rationale(found)
    assert f"{found.proposed.shown.upper:.2%}" in words
    assert "today" in words
    assert "void it" in words


def test_a_promise_for_the_coming_requests_is_more_careful_the_fewer_they_are():
    policy, table = promising(0.04), world(3000)
    savings = [tune(policy, table, seed=1, ahead=ahead).proposed.saving.value for ahead in (1000, 20_000, None)]
    assert savings[0] < savings[1] <= savings[2]
    assert "the next 1,000 requests" in rationale(tune(policy, table, seed=1, ahead=1000))
    with pytest.raises(OutcomeError, match="0 or 1"):
        tune(policy, world(3000, partial=True), seed=1, ahead=1000)
