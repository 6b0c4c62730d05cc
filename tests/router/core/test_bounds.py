"""What a call may cost: the bound that is sent is paid for, and nothing is sent where nothing need be."""

from hypothesis import given
from hypothesis import strategies as st

from router.core.bounds import Seen, Size, cap_for, input_most, money_of, output_for
from router.core.cost import cost_of
from router.types import Price, Usage

PRICE = Price(input=2_000_000_000, output=6_000_000_000)


@given(
    st.integers(1, 100_000), st.integers(0, 40_000), st.integers(1, 4), st.floats(0, 5_000), st.integers(0, 10**11), st.integers(0, 10**11)
)  # fmt: skip
def test_an_answer_within_the_bound_that_is_sent_costs_no_more_than_was_granted(
    given_in, output, choices, expected, a, b
):
    price = Price(input=a, output=b)
    size = Size(given_in // 4, given_in, expected, output, choices)
    money = money_of(size, price, None)
    for granted in (money.likely, (money.likely + money.most) // 2, money.most):
        cap = cap_for(granted, size, price, None)
        tokens = (cap if cap is not None else output) * choices
        if b == 0:
            tokens = 10**6
        cost = cost_of(Usage(input_tokens=given_in, output_tokens=tokens), price)
        assert cost <= max(granted, 1)


def test_a_body_that_fits_travels_as_it_is_and_one_without_a_bound_is_given_one():
    stated, open_ended = Size(10, 100, 50, output=500), Size(10, 100, 50)
    assert cap_for(money_of(stated, PRICE, None).most, stated, PRICE, None) is None
    assert cap_for(money_of(open_ended, PRICE, 4_096).most, open_ended, PRICE, 4_096) is None
    assert cap_for(money_of(open_ended, PRICE, None).most, open_ended, PRICE, None) == 32_768
    assert cap_for(money_of(stated, PRICE, None).likely, stated, PRICE, None) == 150


def test_an_unknown_price_is_no_price_and_what_costs_nothing_has_no_bound():
    assert money_of(Size(1, 1), Price(), None) is None
    free = Price(input=0, output=0)
    assert money_of(Size(1, 1), free, None) == (0, 0)
    assert output_for(0, Size(1, 1), free) is None


def test_bytes_bound_input_but_not_where_they_are_an_image():
    assert input_most(1000, 400, 2, images=False, window=None) == 1000 + 32 + 64
    assert input_most(5_000_000, 400, 2, images=True, window=None) == 400 + 16_384 + 32 + 64
    assert input_most(1000, 400, 2, images=False, window=512) == 512


def test_answers_tell_better_than_the_scorer_once_there_are_some():
    seen = Seen()
    for _ in range(4):
        seen.add(100)
    assert seen.likely() is None
    seen.add(10)
    assert 140 < seen.likely() <= 150
    for _ in range(300):
        seen.add(10)
    assert seen.likely() == 15
