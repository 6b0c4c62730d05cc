from datetime import date
from fractions import Fraction

import pytest
import re2
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrails.normalize import normalize
from guardrails.reasoning.numerals import day_pattern, quantity_pattern, read_day, read_number, read_quantity, torn


def options():
    given = re2.Options()
    given.case_sensitive = False
    return given


def quantity(text, unit, before="", after=""):
    """The first quantity of a text that is whole, as (relation, value)."""
    folded = normalize(before + text + after)[0]
    for match in re2.compile(quantity_pattern(unit), options()).finditer(folded):
        found = read_quantity(match.group(), unit)
        if found is not None and not torn(folded, *match.span()):
            return found.relation, found.value
    return None


@pytest.mark.parametrize(
    ("text", "unit", "relation", "value"),
    [
        ("45 days", "days", "=", 45),
        ("at least 30 days", "day", ">=", 30),
        ("no more than forty-five days", "day", "<=", 45),
        ("within 2 weeks", "day", "<=", 14),
        ("a week", "day", "=", 7),
        ("48 hours", "day", "=", 2),
        ("14-day", "day", "=", 14),
        ("30 days or more", "day", ">=", 30),
        ("30일 이내", "day", "<=", 30),
        ("30일이 지나면", "day", ">", 30),
        ("일주일", "day", "=", 7),
        ("열흘 이상", "day", ">=", 10),
        ("보름", "day", "=", 15),
        ("３０일 초과", "day", ">", 30),
        ("삼십 일 미만", "일", "<", 30),
        ("2년", "month", "=", 24),
        ("세 달", "month", "=", 3),
        ("45만원", "KRW", "=", 450_000),
        ("3만 5천원", "원", "=", 35_000),
        ("1억 2천만 원", "KRW", "=", 120_000_000),
        ("₩450,000", "KRW", "=", 450_000),
        ("최대 이십만 원", "KRW", "<=", 200_000),
        ("$1,299.50", "USD", "=", Fraction("1299.5")),
        ("over 12.5 percent", "percent", ">", Fraction("12.5")),
        ("15%", "percent", "=", 15),
        ("two hundred and five", "", "=", 205),
        ("three thousand", "", "=", 3000),
        ("스물다섯 명", "person", "=", 25),
        ("1.5 kg", "g", "=", 1500),
        ("7 seats", "seats", "=", 7),
    ],
)
def test_a_quantity_is_read_with_its_relation_and_unit(text, unit, relation, value):
    assert quantity(text, unit) == (relation, value)


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("30 kg", "day"),
        ("30%", "day"),
        ("$30", "KRW"),
        ("이 상품", "day"),
        ("이 상품", ""),
        ("a laptop", "day"),
        ("not within 30 days", "day"),
        ("30일이 아니라", "day"),
        ("phone", ""),
        ("3달러", "KRW"),
        ("thirty hours", "USD"),
    ],
)
def test_what_only_looks_like_a_quantity_is_not_read(text, unit):
    assert quantity(text, unit) is None


@pytest.mark.parametrize(
    ("before", "text", "after"),
    [("10-", "30 days", ""), ("1", "30", ",5"), ("", "10", "-30 days"), ("1.", "5 days", ""), ("", "30", "/2")],
)
def test_a_piece_of_something_longer_is_torn(before, text, after):
    whole = before + text + after
    assert torn(whole, len(before), len(before) + len(text))


@pytest.mark.parametrize(
    ("text", "relation", "day"),
    [
        ("2026-11-24", "=", (2026, 11, 24)),
        ("before 2026/3/1", "<", (2026, 3, 1)),
        ("on or after November 24, 2026", ">=", (2026, 11, 24)),
        ("by 3rd Sept 2026", "<=", (2026, 9, 3)),
        ("24 Nov 2026", "=", (2026, 11, 24)),
        ("2026년 11월 24일까지", "<=", (2026, 11, 24)),
        ("2026.1.5 이후", ">=", (2026, 1, 5)),
    ],
)
def test_a_day_is_read_with_its_relation(text, relation, day):
    match = re2.compile(day_pattern(), options()).search(text)
    assert read_day(match.group()) == (relation, date(*day))


def test_a_day_that_no_calendar_has_is_not_read():
    assert read_day("2026-02-30") is None
    assert read_day("31 April 2026") is None


SINO = "영일이삼사오육칠팔구"


def sino(number):
    """A number below 100,000,000 as Korean says it, e.g. 삼만오천."""
    if number >= 10_000:
        return sino(number // 10_000) + "만" + (sino(number % 10_000) if number % 10_000 else "")
    said = ""
    for unit, word in ((1000, "천"), (100, "백"), (10, "십")):
        digit, number = divmod(number, unit)
        said += ("" if digit == 1 else SINO[digit]) + word if digit else ""
    return said + (SINO[number] if number or not said else "")


@settings(deadline=None)
@given(st.integers(0, 99_999_999))
def test_every_korean_number_is_read(number):
    assert read_number(sino(number)) == number


@settings(deadline=None)
@given(st.integers(0, 10**15 - 1))
def test_every_number_in_digits_is_read_with_and_without_commas(number):
    assert read_number(str(number)) == read_number(f"{number:,}") == number


@settings(deadline=None)
@given(st.text(max_size=20), st.sampled_from(["", "day", "KRW", "seats"]))
def test_reading_never_fails(text, unit):
    read_quantity(text, unit)
    torn(text, 0, len(text))
