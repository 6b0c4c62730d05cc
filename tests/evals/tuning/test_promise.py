"""The measuring of promises, on a made world whose truth is known."""

import numpy as np

from evals.tuning import promise_report, promise_resample, promise_stream
from evals.tuning.promise_resample import Measured, measured
from evals.tuning.stakes import losing, with_quality
from evals.tuning.tune import rows_of
from policies.schema import Promise
from tests.evals.tuning.test_tune import world
from tests.evals.tuning.worlds import policy_of

POLICY = policy_of(quality={"lose": 0})


def prepared(table, promise) -> Measured:
    return measured(rows_of(with_quality(POLICY, losing({"small": 0.0})), table, promise), promise)


def test_a_promise_is_kept_in_nearly_all_resamples_and_saves():
    table = world(3000)
    on = prepared(table, Promise(max_quality_loss=0.04))
    found = promise_resample.kept(on, table.stem, draws=60, seed=1)
    assert found["kept_in_truth"] >= 0.95
    assert found["kept_if_for_the_rest"] >= found["kept_on_the_rest"] - 0.05
    assert found["low"] <= found["saving"] <= found["high"]
    assert found["saving"] > 0.05


def test_more_rows_come_nearer_to_hindsight_and_never_beyond_what_can_be_certified_by_much():
    table = world(3000)
    on = prepared(table, Promise(max_quality_loss=0.04))
    few, many = promise_resample.against_hindsight(on, table.stem, (400, 6000), draws=15, seed=1)
    assert few["share"] < many["share"] <= 1.0
    assert few["certifiable"] < many["certifiable"] <= many["hindsight"]


def test_ours_beats_random_where_the_scorer_knows_something_and_the_oracle_beats_all():
    table = world(2500)
    promise = Promise(max_quality_loss=0.04, measure="net")
    ours = rows_of(POLICY, table, promise)
    each = promise_resample.routers(ours, {"random": np.random.default_rng(0).random(len(table))})
    found = promise_resample.savings({k: measured(v, promise) for k, v in each.items()}, table.stem, 12, 1)
    assert found["random"]["ours_less_this"]["low"] > 0
    assert found["oracle"]["saving"] > found["ours"]["saving"]
    bold = promise_resample.by_estimate(measured(ours, promise), table.stem, 0.04, 12, 1)
    assert bold["saving"] > found["ours"]["saving"]
    assert bold["kept_on_the_rest"] < 1


def test_a_stream_that_stays_the_same_is_left_alone_and_one_that_changes_is_kept_or_void():
    table = world(3000)
    promise = Promise(max_quality_loss=0.04)
    on = prepared(table, promise)
    same = promise_stream.unchanged(on, table, draws=8, length=300, seed=1)
    assert same["false alarm"] <= 1
    assert same["streams"] == 8
    # Questions are sorted by what the scorer says: the later ones are another kind.
    order = np.argsort(table.chance[:, 2])[::-1]
    sorted_table = table.rows(order)
    shifted = promise_stream.by_time(prepared(sorted_table, promise), sorted_table, (0.4, 0.5, 0.6), seed=1)
    assert shifted["kept"] + shifted["void in time"] == shifted["streams"] - shifted["void late"] - shifted["broken"]
    assert shifted["void in time"] >= 2


def test_the_report_shows_every_table_and_draws_a_picture():
    table = world(1200)
    promise = Promise(max_quality_loss=0.05)
    on = prepared(table, promise)
    scores = {
        name: np.random.default_rng(i).random(len(table))
        for i, name in enumerate(("prompt length", "LiteLLM v1", "random"))
    }
    each = {k: measured(v, promise) for k, v in promise_resample.routers(on.rows, scores).items()}
    kept = promise_resample.kept(on, table.stem, 5, 1)
    found = {
        "kept": kept, "kept_left_out": kept, "savings_known": promise_resample.savings(each, table.stem, 5, 1),
        "curve": promise_resample.against_hindsight(on, table.stem, (500, 1000), 5, 1),
        "unchanged": promise_stream.unchanged(on, table, 2, 100, 1),
        "by_time": promise_stream.by_time(on, table, (0.5,), 1),
    }  # fmt: skip
    whole = promise_report.rounded(
        {
            "command": "c", "date": "d", "commit": "x", "machine": "m", "seed": 1, "scores": "s",
            "families": {"f": {"title": "F", "questions": 1200, "promises": {"loss 2 %": found}}},
        }
    )  # fmt: skip
    text = promise_report.markdown(whole)
    assert text.count("## ") == 4
    assert all(line.count("|") == head.count("|") for head, line in _rows(text))
    assert promise_report.picture(whole).startswith("<svg")


def _rows(text):
    """Each line of a table with the head of its table."""
    head = ""
    for line in text.split("\n"):
        if line.startswith("|"):
            head = head or line
            yield head, line
        else:
            head = ""
