"""The plan: whom to ask, how often, after what pause."""

import pytest

from router.core.plan import MAX_TRIES, pick, plan
from router.errors import UpstreamAuth, UpstreamInvalid, UpstreamRateLimited, UpstreamRejected, UpstreamUnavailable
from router.types import Deployment

SMALL = ("small", Deployment(name="s", tier="small", model="s", upstream="u"))
LARGE = ("large", Deployment(name="l", tier="large", model="l", upstream="u"))
DOWN = UpstreamUnavailable("down")


def run(tiers, outcomes):
    """Drive a plan with outcomes; the names asked and the pauses."""
    steps = plan(tiers, draw=lambda: 0.5)
    asked, pauses = [], []
    step = next(steps)
    for outcome in outcomes:
        asked.append(step.deployment.name)
        pauses.append(round(step.pause, 3))
        try:
            step = steps.send(outcome)
        except StopIteration:
            return asked, pauses
    asked.append(step.deployment.name)
    return asked, pauses


@pytest.mark.parametrize(
    ("tiers", "outcomes", "asked"),
    [
        ([SMALL], [None], "s"),
        ([SMALL], [DOWN, None], "ss"),
        ([SMALL], [DOWN] * 9, "sss"),
        ([SMALL, LARGE], [DOWN, DOWN, None], "ssl"),
        ([SMALL, LARGE], [DOWN] * 9, "ssl"),
        ([SMALL, LARGE], [UpstreamAuth("no"), None], "sl"),
        ([SMALL], [UpstreamAuth("no"), None], "s"),
        ([SMALL, LARGE], [UpstreamRejected("no", status=400, code="x")], "s"),
        ([SMALL], [UpstreamInvalid("html"), None], "ss"),
        ([SMALL, LARGE], [UpstreamRateLimited("wait", retry_after="60"), None], "sl"),
        ([SMALL], [UpstreamRateLimited("wait", retry_after="60")], "s"),
    ],
    ids=str,
)
def test_who_is_asked(tiers, outcomes, asked):
    assert "".join(run(tiers, outcomes)[0]) == asked


def test_never_more_than_three_tries():
    assert len(run([SMALL, LARGE, SMALL, LARGE], [DOWN] * 20)[0]) == MAX_TRIES


def test_pauses_grow_and_obey_retry_after():
    assert run([SMALL], [DOWN] * 3)[1] == [0.0, 0.1, 0.2]
    assert run([SMALL], [UpstreamRateLimited("x", retry_after="2"), None])[1] == [0.0, 2.0]


def test_a_retry_after_that_is_a_date_counts_as_unknown():
    assert run([SMALL], [UpstreamRateLimited("x", retry_after="Wed, 21 Oct 2026 07:28:00 GMT"), None])[1] == [0.0, 0.1]


def test_generations_are_picked_by_their_shares():
    old = Deployment(name="old", tier="small", model="a", upstream="u", share=0.75)
    new = Deployment(name="new", tier="small", model="b", upstream="u", share=0.25)
    names = [pick((old, new), i / 100).name for i in range(100)]
    assert names.count("old") == 75
    assert pick((old, new), 0.9999999).name == "new"
