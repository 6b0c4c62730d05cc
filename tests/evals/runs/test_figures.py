"""Figures of items: what counts, what is missing, and intervals that hold what they say."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.runs import figures
from evals.runs.record import Item


def item(name, quality=1.0, **fields):
    return Item(**{"target": "t", "id": str(name), "quality": quality, **fields})


def test_quality_is_over_what_was_judged_samples_first():
    items = [
        item("a", 1.0),
        item("a", 0.0, sample=1),
        item("b", 1.0),
        item("c", None, error="not judged: why"),
        item("d", None, error="lost"),
    ]
    found = figures.quality(items)
    assert (found.value, found.n) == (0.75, 2)
    assert figures.errors(items).value == 0.2
    assert figures.unjudged(items).value == 0.25
    assert figures.quality([item("d", None, error="lost")]).value is None


@given(st.lists(st.tuples(st.integers(0, 5), st.floats(0, 1)), min_size=1, max_size=40))
def test_an_interval_is_a_range_and_the_same_every_time(rows):
    found = figures.quality([item(n, q, stem=str(s)) for n, (s, q) in enumerate(rows)])
    assert -1e-9 <= found.low <= found.high <= 1 + 1e-9
    assert 0 <= found.value <= 1
    assert found == figures.quality([item(n, q, stem=str(s)) for n, (s, q) in enumerate(rows)])


def test_rows_of_one_question_make_the_interval_wider():
    rng = np.random.default_rng(1)
    values = np.repeat(rng.random(30), 10)
    alone = figures.quality([item(n, v) for n, v in enumerate(values)])
    kin = figures.quality([item(n, v, stem=str(n // 10)) for n, v in enumerate(values)])
    assert kin.high - kin.low > 2 * (alone.high - alone.low)


@pytest.mark.parametrize("quality", [1.0, 0.0, 0.9])
def test_a_few_questions_that_came_out_alike_are_not_certainty(quality):
    found = figures.quality([item(n, quality, stem=str(n % 3)) for n in range(12)])
    assert found.high - found.low > 0.5
    assert found.low <= quality <= found.high


def test_samples_of_one_row_are_not_so_many_rows():
    asked = [
        item(n, None, sample=k, error="lost" if n < 2 else "not judged: why") for n in range(20) for k in range(50)
    ]
    lost = figures.errors(asked)
    assert (lost.value, lost.n) == (0.1, 1000)
    assert lost.low < 0.03
    assert lost.high > 0.25


def test_ninety_five_of_a_hundred_intervals_hold_the_truth():
    """Seeded: 200 samples of 80 questions with two rows each; the truth is 0.5."""
    rng = np.random.default_rng(20261124)
    held = 0
    for _ in range(200):
        bases = rng.beta(2, 2, 80)
        found = figures.quality([item(f"{s}-{k}", b, stem=str(s)) for s, b in enumerate(bases) for k in range(2)])
        held += found.low <= 0.5 <= found.high
    assert held >= 180


def test_cost_is_unknown_where_one_part_is():
    known = [item("a", cost_nano=3), item("b", cost_nano=5), item("c", None, error="lost")]
    assert figures.cost(known, each=False).value == 8
    assert figures.cost(known, each=True).value == 4
    unknown = figures.cost([*known, item("d", cost_nano=None)], each=False)
    assert unknown.value is None
    assert "1 of 3 answers is not known" in unknown.why


def test_saving_is_against_the_large_tier():
    items = [item("a", cost_nano=1, baseline_nano=10), item("b", cost_nano=4, baseline_nano=10), item("c", cost_nano=9)]
    found = figures.saving(items)
    assert (found.value, found.n) == (0.75, 2)
    assert figures.saving([item("a", cost_nano=1)]).value is None


@pytest.mark.parametrize(("quantile", "value"), [(50, 2.0), (95, 4.0), (0, 1.0), (99.9, 4.0)])
def test_latency_is_the_nearest_rank(quantile, value):
    assert figures.latency([item(n, latency_ms=float(n)) for n in range(1, 5)], quantile).value == value


@pytest.mark.parametrize(
    ("bad", "fine", "rate", "recall"),
    [
        ([0.9, 0.8, 0.2], [0.1, 0.0], 0.0, 1.0),
        ([0.9, 0.8, 0.2], [0.5, 0.0], 0.0, 2 / 3),
        ([0.9, 0.8, 0.2], [0.5, 0.0], 0.5, 1.0),
        ([0.5, 0.5], [0.5, 0.0], 0.0, 0.0),
        ([0.5, 0.0], [0.0, 0.0], 0.01, 0.5),
    ],
)
def test_recall_at_a_rate_of_false_alarms(bad, fine, rate, recall):
    items = [item(f"b{n}", alarm=a, label=True) for n, a in enumerate(bad)]
    items += [item(f"f{n}", alarm=a, label=False) for n, a in enumerate(fine)]
    assert figures.recall(items, rate).value == pytest.approx(recall)


@given(
    st.lists(st.tuples(st.booleans(), st.sampled_from([0.0, 0.2, 0.5, 0.9])), min_size=2, max_size=40),
    st.floats(0, 0.9),
)
def test_the_rate_of_false_alarms_is_kept(rows, rate):
    items = [item(n, alarm=alarm, label=label) for n, (label, alarm) in enumerate(rows)]
    found = figures.recall(items, rate)
    fine = [alarm for label, alarm in rows if not label]
    bad = [alarm for label, alarm in rows if label]
    if found.value is None:
        assert not fine or not bad
        return
    reachable = [t for t in {*bad, *fine, 1.0} if sum(a > t for a in fine) <= rate * len(fine) + 1e-9]
    best = max([sum(a > t for a in bad) / len(bad) for t in reachable] + ([1.0] if rate >= 1 else [0.0]))
    assert found.value >= best - 1e-9


def test_discordance_is_measured_between_two_samples():
    items = [item("a", 1.0), item("a", 0.0, sample=1), item("b", 1.0), item("b", 1.0, sample=1), item("c", 1.0)]
    assert figures.discordant(items) == 0.5
    assert figures.discordant([item("a")]) is None
