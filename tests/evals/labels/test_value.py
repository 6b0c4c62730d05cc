"""Which answers are worth a label."""

from base64 import b64encode

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.labels.value import Served, doubt, near, pick, values

KEEP = 0.97


def served(number=1, **changes):
    given = {
        "id": f"req-{number}", "at_ms": number, "tier": "small", "novelty": 0.5, "cost_nano": 1_000,
        "p_right": {"small": 0.5, "medium": 0.7, "large": 0.9},
    }  # fmt: skip
    return Served(**{**given, **changes})


def at(*vector):
    return b64encode(np.array(vector, dtype="<f2").tobytes()).decode()


def test_an_even_chance_is_in_more_doubt_than_a_sure_one():
    sure = {"small": 0.99, "medium": 0.1, "large": 0.1}
    assert doubt(served(), KEEP) > doubt(served(p_right=sure), KEEP)


def test_a_tier_at_the_bar_is_in_doubt_and_one_far_from_it_is_not():
    assert near({"small": 0.97 * 0.8, "large": 0.8}, KEEP) == pytest.approx(1)
    assert near({"small": 0.2, "large": 0.8}, KEEP) < 0.01


def test_without_a_scorer_everything_is_in_doubt():
    assert doubt(served(p_right={}), KEEP) == 1


def test_a_strange_prompt_is_in_more_doubt_and_a_usual_one_not_in_less():
    assert doubt(served(novelty=0.95), KEEP) > doubt(served(novelty=0.5), KEEP) == doubt(served(novelty=0.0), KEEP)


def test_what_is_asked_often_or_costs_much_is_worth_more():
    once, often, dear = served(1), served(2, asked=40), served(3, cost_nano=40_000)
    low, high, higher = values([once, often, dear], KEEP)
    assert high == pytest.approx(40 * low)
    assert higher == pytest.approx(40 * low)
    assert [row.id for row in pick([once, often, dear], 2, KEEP)] == ["req-2", "req-3"]


def test_free_answers_are_not_worthless():
    assert values([served(1, cost_nano=0), served(2)], KEEP)[0] > 0
    assert all(values([served(1, cost_nano=None), served(2, cost_nano=None)], KEEP) > 0)


def test_many_wordings_of_one_prompt_do_not_take_every_place():
    alike = [served(i, place=at(1, 0.01 * i), artefact="a", cost_nano=1_100) for i in range(20)]
    other = served(99, place=at(-0.2, 1), artefact="a")
    picked = [row.id for row in pick([*alike, other], 2, KEEP)]
    assert "req-99" in picked


def test_places_of_different_scorers_are_not_compared():
    rows = [served(i, place=at(1, 0), artefact=str(i), cost_nano=2_000 - i) for i in range(3)]
    assert [row.id for row in pick(rows, 3, KEEP)] == ["req-0", "req-1", "req-2"]


rows_of = st.lists(
    st.builds(
        served,
        st.integers(0, 10**6),
        asked=st.integers(1, 1_000),
        cost_nano=st.none() | st.integers(0, 10**9),
        novelty=st.none() | st.floats(0, 1),
        p_right=st.fixed_dictionaries({t: st.floats(0, 1) for t in ("small", "medium", "large")}) | st.just({}),
        place=st.none() | st.just(at(1, 2)) | st.just(at(2, -1)) | st.just(at(0, 0)),
    ),
    max_size=30,
    unique_by=lambda row: row.id,
)


@given(rows_of, st.integers(1, 40), st.randoms(use_true_random=False))
def test_picking_repeats_nothing_and_does_not_depend_on_the_order(rows, wanted, dice):
    picked = pick(rows, wanted, KEEP)
    assert len(picked) == len({row.id for row in picked}) == min(wanted, len(rows))
    again = list(rows)
    dice.shuffle(again)
    assert pick(again, wanted, KEEP) == picked


@given(rows_of)
def test_doubt_is_a_share(rows):
    assert all(0 <= doubt(row, KEEP) <= 1 for row in rows)
