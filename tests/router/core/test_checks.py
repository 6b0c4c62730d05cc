"""Each check alone, all together, and what happens to one that did not run."""

import pytest

from policies.schema import ByTier, Quality
from router.core.checks import (
    LIKELIHOOD,
    Calibration,
    Head,
    Prior,
    Terms,
    evidence,
    evidence_names,
    judge,
    kind_of,
    need,
    needs_whole,
)
from router.core.signals import Demand, Logprobs, Signals
from router.types import TIER_NAMES

SURE = Logprobs(mean=-0.01, least=-0.02, first=-0.01, low=-0.02, median=-0.01)
UNSURE = Logprobs(mean=-2.0, least=-5.0, first=-3.0, low=-4.0, median=-2.0)


def signals(**other):
    return Signals(**{"tokens": 3, "ended": True, "finish": "stop", "format_ok": True} | other)


def head(kind, bias=0.0, **weights):
    return Head(bias=bias, weights=tuple(weights.get(name, 0.0) for name in evidence_names(kind)))


def calibration(own=None, above=None):
    """Right as often as the tokens are likely: p_mean drives it; above is always right with 0.9."""
    kinds = {
        kind: {"small": own or head(kind, -4.0, p_mean=8.0), "medium": above or head(kind, 2.2)}
        for kind in ("plain", "logprobs", "agreement", "logprobs+agreement")
    }
    return Calibration(name="test", digest="", heads={"small": kinds})


def verdict(checks, found, demand=None, calibration=None, **measure):
    terms = Terms(checks=checks, **measure)
    return judge(terms, found, demand or Demand(), "small", ("medium",), calibration)


@pytest.mark.parametrize(
    ("check", "found", "demand", "good", "missing"),
    [
        ("finish", signals(), None, True, False),
        ("finish", signals(finish="length"), None, False, False),
        ("finish", signals(finish="content_filter"), None, False, False),
        ("finish", signals(finish=None, ended=False), None, False, True),
        ("refusal", signals(), None, True, False),
        ("refusal", signals(refusal=True), None, False, False),
        ("hedging", signals(hedging=True), None, False, False),
        ("format", signals(format_ok=None, ended=False), None, True, False),
        ("format", signals(format_ok=False), Demand(json=True), False, False),
        ("format", signals(format_ok=None, ended=False), Demand(json=True), False, True),
        ("format", signals(format_ok=False, format_unchecked="'not'"), Demand(json=True), False, True),
        ("shape", signals(shape_ok=False), Demand(shape="letter"), False, False),
        ("shape", signals(shape_ok=True), Demand(shape="letter"), True, False),
        ("shape", signals(shape_ok=None, ended=False), Demand(shape="letter"), False, True),
        ("shape", signals(shape_ok=None), Demand(shape="letter"), True, False),
    ],
    ids=str,
)
def test_a_check_passes_fails_or_did_not_run(check, found, demand, good, missing):
    said = verdict((check,), found, demand)
    assert (said.good, said.missing) == (good, missing)
    assert said.check == ("" if good else check)
    assert said.words


@pytest.mark.parametrize(
    ("logprobs", "measure", "good"),
    [
        (SURE, {"accept": 0.8}, True),
        (UNSURE, {"accept": 0.8}, False),
        (UNSURE, {"accept": 0.0}, True),
        (SURE, {"keep": 1.0}, True),
        (UNSURE, {"keep": 0.5}, False),
        (UNSURE, {"quality": Quality(keep=ByTier(small=0.01))}, True),
        (UNSURE, {"quality": Quality(keep=ByTier(small=0.99, medium=0.01))}, False),
        (UNSURE, {"quality": Quality(lose=ByTier(small=0.99))}, True),
        (UNSURE, {"quality": Quality(lose=ByTier(medium=0.99))}, False),
    ],
    ids=str,
)
def test_the_chance_decides(logprobs, measure, good):
    said = verdict(("logprobs",), signals(logprobs=logprobs), calibration=calibration(), **measure)
    assert said.good is good
    assert said.check == ("" if good else LIKELIHOOD)
    assert 0 <= said.chance <= 1


def test_a_hopeless_question_is_kept_where_nothing_above_would_do_better():
    hopeless = calibration(own=head("logprobs", -3.0), above=head("logprobs", -3.0))
    assert verdict(("logprobs",), signals(logprobs=UNSURE), calibration=hopeless, keep=0.95).good
    assert not verdict(("logprobs",), signals(logprobs=UNSURE), calibration=hopeless, accept=0.8).good


@pytest.mark.parametrize(
    ("checks", "found", "calibrated", "check"),
    [
        (("logprobs",), signals(), True, "logprobs"),
        (("agreement",), signals(), True, "agreement"),
        (("likelihood",), signals(), False, LIKELIHOOD),
    ],
    ids=str,
)
def test_evidence_that_is_not_had_is_missing_and_never_a_pass(checks, found, calibrated, check):
    said = verdict(checks, found, calibration=calibration() if calibrated else None, accept=0.0)
    assert (said.good, said.missing, said.check) == (False, True, check)


def test_a_tier_without_a_model_cannot_be_judged():
    terms = Terms(checks=("logprobs",), accept=0.0)
    said = judge(terms, signals(logprobs=SURE), Demand(), "medium", ("large",), calibration())
    assert said.missing


def test_keep_needs_to_know_what_the_tiers_above_would_reach():
    alone = Calibration(name="t", digest="", heads={"small": {"logprobs": {"small": head("logprobs")}}})
    assert verdict(("logprobs",), signals(logprobs=SURE), calibration=alone, keep=0.1).missing


def test_the_first_check_that_says_no_is_named():
    said = verdict(("refusal", "finish"), signals(refusal=True, finish="length"))
    assert said.check == "refusal"


@pytest.mark.parametrize(
    ("check", "demand", "whole"),
    [
        ("logprobs", Demand(shape="json", json=True), False),
        ("refusal", Demand(), False),
        ("hedging", Demand(), False),
        ("finish", Demand(), True),
        ("agreement", Demand(), True),
        ("format", Demand(), False),
        ("format", Demand(json=True), True),
        ("format", Demand(tools=True), True),
        ("shape", Demand(), False),
        ("shape", Demand(shape="letter"), True),
    ],
    ids=str,
)
def test_each_check_states_how_much_it_must_see(check, demand, whole):
    assert (need(check, demand) == "whole answer") is whole
    assert needs_whole(Terms(checks=(check,)), demand) is whole


@pytest.mark.parametrize("scored", [False, True])
@pytest.mark.parametrize("checks", [("likelihood",), ("logprobs",), ("agreement",), ("logprobs", "agreement")])
def test_evidence_has_the_numbers_it_names(checks, scored):
    terms = Terms(checks=checks, accept=0.5)
    prior = Prior(score=dict.fromkeys(TIER_NAMES, 0.5) if scored else None)
    found = evidence(signals(logprobs=SURE, agreement=0.5), Demand(), terms, prior)
    assert len(found) == len(evidence_names(kind_of(terms, prior)))


@pytest.mark.parametrize(
    ("dial", "cost", "good"),
    [(1.0, 1.0, False), (0.0, 0.0, True), (0.5, 0.0, False), (0.5, 0.7, True), (0.8, 0.7, False)],
)
def test_under_a_dial_the_tier_above_must_be_worth_its_cost(dial, cost, good):
    # the answer is right with 0.26, the tier above with 0.90
    terms = Terms(checks=("logprobs",), dial=dial)
    found = signals(logprobs=Logprobs(mean=-1.0, least=-1.0, first=-1.0, low=-1.0, median=-1.0))
    prior = Prior(cost={"medium": cost})
    said = judge(terms, found, Demand(), "small", ("medium",), calibration(), prior)
    assert said.good is good
