"""Try, check, escalate: whom is asked, what is kept, and the laws that always hold."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.schema import ByTier, Cascade, PolicyBody, Quality
from router.core.cascade import Limits, Told, climb, ladder, terms_of
from router.core.checks import Verdict
from router.errors import UpstreamAuth, UpstreamRejected, UpstreamTimeout, UpstreamUnavailable
from router.types import TIER_NAMES, Decision, Deployment, Reason, Score

RUNGS = [(t, Deployment(name=t, tier=t, model=t, upstream="u")) for t in TIER_NAMES]
STAND_IN = ("small", Deployment(name="stand-in", tier="small", model="x", upstream="u"))
GOOD = Verdict(good=True, words="fine")
BAD = Verdict(good=False, check="finish", words="it was cut off", chance=0.3)
WORSE = Verdict(good=False, check="refusal", words="it refuses", chance=0.1)
MISSING = Verdict(good=False, check="logprobs", missing=True, words="its server gave none")
DOWN = UpstreamUnavailable("down")


def run(outcomes, rungs=RUNGS, tail=(), most=2, deadline=60.0, now=0.0):
    """Drive a cascade. An outcome is a verdict or an error, or a pair of one and the seconds it took."""
    steps = climb(rungs, tail, Limits(max_escalations=most, deadline=deadline), draw=lambda: 0.5, now=now)
    asks, at, todo, told = [], now, list(outcomes), None
    while True:
        try:
            ask = next(steps) if told is None else steps.send(told)
        except StopIteration as end:
            return asks, end.value
        came, seconds = todo.pop(0), 1.0
        if isinstance(came, tuple):
            came, seconds = came
        asks.append((ask, at))
        at += ask.step.pause + min(seconds, ask.seconds)
        error = came if isinstance(came, Exception) else None
        told = Told(at=at, error=error, verdict=None if error else came)


@pytest.mark.parametrize(
    ("outcomes", "options", "asked", "kept", "reasons"),
    [
        ([GOOD], {}, "small", 0, ["cascade-kept"]),
        ([BAD, GOOD], {}, "small medium", 1, ["cascade-escalated", "cascade-kept"]),
        ([BAD, BAD, BAD], {}, "small medium large", 2, ["cascade-escalated"] * 2),
        ([MISSING, GOOD], {}, "small medium", 1, ["cascade-check-missing", "cascade-kept"]),
        ([BAD, BAD], {"most": 1}, "small medium", 1, ["cascade-escalated"]),
        ([BAD, DOWN, DOWN, GOOD], {}, "small medium medium large", 3, ["cascade-escalated"]),
        ([BAD, DOWN, DOWN, DOWN], {}, "small medium medium large", 0, ["cascade-escalated", "cascade-escalation-failed"]),
        ([WORSE, BAD, DOWN, DOWN, DOWN], {}, "small medium large large large", 1,
         ["cascade-escalated", "cascade-escalated", "cascade-escalation-failed"]),
        ([BAD, WORSE, DOWN, DOWN, DOWN], {}, "small medium large large large", 0,
         ["cascade-escalated", "cascade-escalated", "cascade-escalation-failed"]),
        ([DOWN, DOWN, GOOD], {}, "small small medium", 2, ["cascade-kept"]),
        ([UpstreamAuth("key"), BAD, GOOD], {}, "small medium large", 2, ["cascade-escalated"]),
        ([(BAD, 60), (DOWN, 60)], {"deadline": 20.0, "rungs": RUNGS[::2]}, "small large", 0,
         ["cascade-escalated", "cascade-deadline"]),
        ([GOOD], {"rungs": RUNGS[:1]}, "small", 0, []),
        ([DOWN, DOWN, GOOD], {"rungs": RUNGS[2:], "tail": [STAND_IN]}, "large large stand-in", 2, []),
    ],
    ids=str,
)  # fmt: skip
def test_who_is_asked_and_what_is_kept(outcomes, options, asked, kept, reasons):
    asks, outcome = run(outcomes, **options)
    assert " ".join(ask.step.deployment.name for ask, _ in asks) == asked
    assert outcome.kept == kept
    assert [reason.id for reason in outcome.reasons] == reasons


def test_a_refused_request_is_refused_at_once():
    wrong = UpstreamRejected("too long", status=400, code="x")
    asks, outcome = run([wrong])
    assert len(asks) == 1
    assert outcome.kept is None
    assert outcome.error is wrong


def test_the_failing_check_is_named_in_words():
    _, outcome = run([BAD, GOOD])
    assert "finish (it was cut off)" in outcome.reasons[0].text
    assert "medium was asked" in outcome.reasons[0].text


def test_what_may_still_be_asked_is_told_and_the_last_is_not_checked():
    asks, _ = run([BAD, BAD, BAD])
    assert [ask.above for ask, _ in asks] == [("medium", "large"), ("large",), ()]
    asks, _ = run([BAD, BAD], most=1)
    assert [ask.above for ask, _ in asks] == [("medium", "large"), ()]


def test_why_a_call_is_made_is_told():
    asks, _ = run([DOWN, BAD, DOWN, DOWN, GOOD])
    assert [ask.kind for ask, _ in asks] == ["first", "retry", "escalation", "retry", "fallback"]


def test_a_try_leaves_half_of_the_time_to_those_above():
    asks, _ = run([(BAD, 5.0), (BAD, 5.0), BAD], deadline=20.0)
    assert [ask.seconds for ask, _ in asks] == [10.0, 7.5, 10.0]


EVENT = st.sampled_from([GOOD, BAD, WORSE, MISSING, DOWN, UpstreamTimeout("slow"), UpstreamAuth("key")])


@settings(max_examples=300)
@given(
    events=st.lists(st.tuples(EVENT, st.floats(0, 40)), min_size=20, max_size=20),
    count=st.integers(1, 3),
    most=st.integers(1, 2),
    deadline=st.floats(0.5, 60),
    tail=st.booleans(),
)
def test_the_laws_of_a_cascade_always_hold(events, count, most, deadline, tail):
    asks, outcome = run(events, RUNGS[-count:], [STAND_IN] if tail else [], most, deadline)
    answers = [i for i, (event, _) in enumerate(events[: len(asks)]) if isinstance(event, Verdict)]
    for ask, at in asks:
        assert at + ask.step.pause < deadline
        assert at + ask.seconds <= deadline + 1e-9
    assert [ask.step.index for ask, _ in asks] == list(range(len(asks)))
    assert sum(r.id in {"cascade-escalated", "cascade-check-missing"} for r in outcome.reasons) <= most
    assert len(answers) <= most + 1
    assert len(asks) <= 3 * (most + 1)
    if answers:
        assert outcome.kept in answers
    else:
        assert outcome.kept is None
    ranks = [TIER_NAMES.index(asks[i][0].step.tier) for i in answers if asks[i][0].step.deployment.name != "stand-in"]
    assert ranks == sorted(ranks)


# --- where to begin ----------------------------------------------------------------------------------


def decision(served="large", free=TIER_NAMES, cost=None, reason="quality-kept"):
    return Decision(
        wanted=served, served=served, fallbacks=(), reasons=(Reason(id=reason, text=""),), propensity=1.0, free=free,
        cost={"small": 10, "medium": 30, "large": 100} if cost is None else cost,
    )  # fmt: skip


def score(small=0.5, medium=0.7):
    return Score(
        p_right={"small": small, "medium": medium, "large": 0.9}, output_tokens={}, complexity=0.5, novelty=0.1,
        artefact="", family="generic",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("made", "options", "climbed", "reason"),
    [
        (decision(), {}, TIER_NAMES, None),
        (decision("small"), {}, TIER_NAMES, None),
        (decision("medium"), {"start": "medium"}, ("medium", "large"), None),
        (decision("large"), {"start": "large"}, (), None),
        (decision("small"), {"start": "medium"}, (), None),
        (decision(), {"score": score(small=0.05)}, ("medium", "large"), "cascade-skipped"),
        (decision(), {"score": score(small=0.05, medium=0.1)}, (), "cascade-skipped"),
        (decision(), {"score": None}, TIER_NAMES, None),
        (decision(cost={}), {"score": score(small=0.0)}, TIER_NAMES, None),
        (decision(), {"score": score(small=0.25), "calls": 3}, (), "cascade-skipped"),
        (decision(), {"most": 1}, ("small", "large"), None),
        (decision(free=()), {}, (), None),
        (decision(free=("medium", "large")), {}, ("medium", "large"), None),
        (decision(), {"there": ("small", "large")}, ("small", "large"), None),
        (decision(reason="unknown-ground"), {}, (), None),
        (decision("medium", reason="unknown-ground"), {}, ("medium", "large"), None),
        (decision(reason="no-score"), {"score": None}, TIER_NAMES, None),
    ],
    ids=str,
)
def test_where_a_cascade_begins_and_ends(made, options, climbed, reason):
    limits = Limits(max_escalations=options.get("most", 2), deadline=60)
    there = options.get("there", TIER_NAMES)
    opinion = options.get("score", score())
    tiers, why = ladder(made, options.get("start", "small"), opinion, there, limits, options.get("calls", 1))
    assert tiers == climbed
    assert (why and why.id) == reason


def test_an_answer_is_asked_for_its_own_tiers_share():
    quality = Quality(keep=ByTier(small=0.97, medium=0.9))
    body = PolicyBody(
        stillhouse=1, name="p", quality=quality, cascade=Cascade(start="small", checks=("logprobs",)), stream="checked"
    )
    terms = terms_of(body)
    assert (terms.accept, terms.keep, terms.quality) == (None, None, quality)
