"""``report --observe`` over a real ledger."""

import json

import pytest
from click.testing import CliRunner

from router.ledger.feedback import Feedback, give
from router.ledger.prune import prune
from router.ledger.writer import Ledger
from router.types import Reason
from stillhouse.cli.report import command
from tests.support.records import DAY_MS, NOON, attempt, request


def run(*arguments):
    return CliRunner().invoke(command, ["--observe", *arguments], catch_exceptions=False)


def observed(request_id, *reasons, **changes):
    given = {
        "mode": "observed", "tier_served": "large", "tier_wanted": "small", "cost_nano": 2_000_000_000,
        "p_right": {"small": 0.8, "large": 0.9}, "predicted_cost": {"small": 100, "large": 1000}, "session": request_id,
        "reasons": tuple(Reason(id=name, text="…") for name in ("observed", "quality-kept", *reasons)),
    }  # fmt: skip
    return request(request_id, **{**given, **changes})


@pytest.fixture
def serve(home):
    def put(*requests):
        ledger = Ledger(home / "ledger.db")
        for one in requests:
            ledger.record(one, [attempt()])
        ledger.close()
        return home / "ledger.db"

    return put


def test_without_observed_requests_the_way_to_them_is_named(serve):
    serve(request("routed"))
    shown = run()
    assert shown.exit_code == 0
    assert "serve --observe" in shown.output


def test_the_picture_says_what_would_have_been_saved_and_what_it_would_have_cost(serve):
    path = serve(
        *(observed(f"r{i}") for i in range(30)),
        observed("guarded", "observed-block"),
        observed("climbing", "observed-cascade"),
        observed("unknown", "tier-missing", predicted_cost=None),
        observed("failed", outcome="upstream_error"),
        request("routed"),
    )
    give(path, Feedback(request_id="r1", at_ms=NOON, who="person", score=0.5, given_ms=NOON))
    shown = run().output
    assert "34 requests observed since the beginning; nothing was changed" in shown
    assert "100.0% (100.0% to 100.0%) would have been answered by another tier" in shown
    assert "saving   90.0% (90.0% to 90.0%), $54.00 saved of $60.00 paid" in shown
    assert "quality  -10.0 (-10.0 to -10.0) points expected" in shown
    assert "worst tenant" not in shown  # there is but one
    assert "feedback on 1 answer lies -40.0 points" in shown
    assert "too few to judge by" in shown
    for words in ("1 request: a guard", "1 request: would have begun a cascade", "1 request: want a tier",
                  "1 request: have an unknown price", "1 request: got no answer"):  # fmt: skip
        assert words in shown


def test_json_holds_the_same_and_filters_apply(serve):
    serve(observed("a"), observed("b", tenant="other"))
    found = json.loads(run("--json", "--tenant", "other").output)
    assert (found["observed"], found["total"]["saved_nano"]) == (1, 1_800_000_000)
    assert found["total"]["saved"]["low"] is None


def test_what_was_pruned_is_said(serve):
    path = serve(observed("old"), observed("new", at_ms=NOON + 3 * DAY_MS))
    assert sum(prune(path, NOON + 2 * DAY_MS)) == 1
    assert "Of 1 observed request only daily sums are left" in run().output


def test_other_groupings_are_refused_in_words(serve):
    serve(observed("a"))
    shown = run("--by", "tenant")
    assert shown.exit_code == 2
    assert "leave --by out" in shown.output
