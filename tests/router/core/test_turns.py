"""What a turn needs, from what a conversation shows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core.conversation import Conversation
from router.core.turns import KEPT, STUCK, VERY_STUCK, gain, harder_by, join, weigh
from router.types import Score


def score(small, medium, large):
    p = {"small": small, "medium": medium, "large": large}
    return Score(
        p_right=p,
        output_tokens={"small": 10.0, "medium": 20.0, "large": 40.0},
        complexity=1 - small,
        novelty=0.2,
        artefact="a",
        family="f",
    )


OPEN, OWN = score(0.2, 0.5, 0.9), score(0.8, 0.85, 0.9)
SAID = {"open": OPEN, "own": OWN}


def test_a_bare_follow_up_counts_as_what_it_continues_and_is_scored_once():
    asked = []
    talk = Conversation(ask="own", open_ask="open", follow_ups=1, bare=True)
    turn = weigh(talk, lambda text: asked.append(text) or SAID[text])
    assert turn.score == OPEN
    assert asked == ["open"]
    assert [n.id for n in turn.notes] == ["turn-continues"]


def test_what_is_continued_counts_less_the_further_away_it_lies():
    gains = [
        gain(weigh(Conversation(ask="own", open_ask="open", follow_ups=k, bare=True), SAID.get).score)
        for k in range(1, 7)
    ]
    assert gains == sorted(gains, reverse=True)
    assert gains[0] == gain(OPEN)
    assert gains[-1] > gain(OWN)
    assert KEPT**5 > 0.4


def test_a_follow_up_with_words_of_its_own_may_be_harder():
    talk = Conversation(ask="open", open_ask="own", follow_ups=1)
    assert weigh(talk, SAID.get).score == OPEN


def test_a_single_failure_makes_a_turn_harder_and_a_circle_raises_it():
    one = weigh(Conversation(ask="own", inside=True, failures=1), SAID.get)
    assert one.score.p_right["small"] < OWN.p_right["small"]
    assert one.score.p_right["large"] == pytest.approx(OWN.p_right["large"])
    assert (one.up, [n.id for n in one.notes]) == (0, ["turn-trouble"])
    circle = weigh(Conversation(ask="own", inside=True, repeats=STUCK), SAID.get)
    assert (circle.up, circle.why.id, circle.score) == (1, "turn-stuck", OWN)
    assert weigh(Conversation(ask="own", inside=True, failures=VERY_STUCK), SAID.get).up == 2


def test_an_errand_is_low_whatever_its_score():
    turn = weigh(Conversation(ask="own", errand="title"), SAID.get)
    assert (turn.low, turn.up, turn.why.id) == (True, 0, "errand")


def test_without_a_scorer_trouble_still_counts():
    turn = weigh(
        Conversation(ask="a", open_ask="b", follow_ups=1, inside=True, repeats=3, failures=1), lambda text: None
    )
    assert (turn.score, turn.up) == (None, 1)


CHANCE = st.floats(0, 1, allow_nan=False)
SCORES = st.builds(score, CHANCE, CHANCE, CHANCE)


@given(SCORES, SCORES, st.floats(0, 1))
def test_a_joined_chance_lies_between_the_two(one, other, weight):
    got = join(one, other, weight)
    for tier, chance in got.p_right.items():
        low, high = sorted((one.p_right[tier], other.p_right[tier]))
        assert low - 1e-5 <= chance <= high + 1e-5
    assert 10.0 - 1e-6 <= got.output_tokens["small"] <= 10.0 + 1e-6


@given(SCORES, st.floats(0, 3))
def test_harder_never_helps_a_lower_tier_more_than_a_better_one(said, logits):
    got = harder_by(said, logits)
    assert got.p_right["large"] == pytest.approx(said.p_right["large"], abs=1e-5)
    for tier in ("small", "medium"):
        assert got.p_right[tier] <= said.p_right[tier] + 1e-5
