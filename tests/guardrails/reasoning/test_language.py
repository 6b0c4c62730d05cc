import json
from datetime import date
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrails.reasoning.meaning import Scope, statement
from guardrails.reasoning.smtlib import parse_smt
from guardrails.reasoning.syntax import MAX_NESTING, MAX_TEXT, MAX_TOKENS, ExpressionError, parse
from guardrails.reasoning.terms import BOOL, DATE, INT, NUMBER, Sort, evaluate, freeze

COLOUR = Sort("enum", ("red", "light green", "파랑"), "colour")
SCOPE = Scope(
    {"days": INT, "price": NUMBER, "member": BOOL, "from_day": DATE, "colour": COLOUR, "금액": INT}, {"n": INT}
)


def read(text):
    return statement(parse(text), SCOPE)


SITUATION = {
    "days": Fraction(10),
    "price": Fraction("9.5"),
    "member": True,
    "from_day": date(2026, 2, 27),
    "colour": "red",
    "금액": Fraction(50000),
}


@pytest.mark.parametrize(
    ("text", "truth"),
    [
        ("days = 10", True),
        ("days == 10 and not (days > 10)", True),
        ("days ≥ 11 or days ≠ 10", False),
        ("if member then days <= 3", False),
        ("if not member then days <= 3", True),
        ("if member then days > 3 else days > 100", True),
        ("if not member then false else price = 9.5", True),
        ("price * 2 = 19 and price - 0.5 = 9", True),
        ("2 + 3 * 4 = 14 and (2 + 3) * 4 = 20", True),
        ("-days + 20 = 10 and 10 - 3 - 2 = 5", True),
        ("days in [1, 10, 100]", True),
        ("days not in {1, 10}", False),
        ("colour = red and colour != 'light green'", True),
        ('colour in [파랑, "light green"]', False),
        ("red = colour", True),
        ("from_day + 2 = 2026-03-01", True),
        ("2026-03-01 - from_day = 2 and from_day < 2026-02-28", True),
        ("금액 >= 50_000", True),
        ("member = (days = 10)", True),
        ("true or (false)", True),
        ("IF member THEN days = 10", True),
        ("not not member", True),
        ("member and member or false and member", True),
    ],
)
def test_an_expression_means_what_it_says(text, truth):
    term = read(text)
    assert evaluate(term, SITUATION) is truth
    assert freeze(json.loads(json.dumps(term))) == term


@pytest.mark.parametrize(
    ("text", "column", "part", "hint"),
    [
        ("dais = 3", 1, "unknown variable 'dais'", "did you mean days?"),
        ("days = 3 and colour = redd", 23, "'redd' is not a value of colour", "did you mean red?"),
        ("days > 3 4", 10, "should end here", "is an operator"),
        ("if member days = 3", 11, "'then' is missing", "if ... then"),
        ("member = 3", 8, "a bool cannot be compared with an int", ""),
        ("colour < red", 8, "has no order", "'='"),
        ("days", 1, "'days' is an int, not true or false", "compare"),
        ("red", 1, "'red' is a value of colour", "write colour = red"),
        ("days = 'x'", 8, "cannot be compared with an int", ""),
        ("from_day + price > 2026-01-01", 10, "cannot take a date and a number", "whole days"),
        ("from_day = 2026-02-30", 12, "not a day of the calendar", ""),
        ("days & 3", 6, "means nothing here", "write 'and'"),
        ("days / 2 = 3", 6, "means nothing here", "no division"),
        ("1 < days < 3", 10, "two sides", "a < b and b < c"),
        ("member then days = 1", 8, "'then' without 'if'", "begin with 'if'"),
        ("member => member", 8, "not used here", "if ... then"),
        ("days in 3", 9, "a list should follow", "brackets"),
        ("days not 3", 10, "'in' should follow", "not in"),
        ("days in [1, 2", 14, "not closed", "']'"),
        ("(days = 3", 10, "')' is missing", ""),
        ("days =", 7, "a value is missing", ""),
        ("30days = 3", 1, "runs into letters", "space"),
        ("colour = 'red", 10, "means nothing here", "not closed"),
        ("'blue' = 'red'", 1, "beside no enum", "enum"),
        ("-member = 3", 1, "needs a number", ""),
        ("days = 1234567890123456789012345678901", 8, "not a number that can be used", "30 digits"),
        ("", 1, "a value is missing", ""),
    ],
)
def test_a_mistake_has_its_column_and_a_hint(text, column, part, hint):
    with pytest.raises(ExpressionError) as caught:
        read(text)
    error = caught.value
    assert part in error.message
    assert error.column == column
    assert hint in error.hint


@pytest.mark.parametrize(
    "text",
    [
        "(" * 3000 + ")" * 3000,
        "not " * 450 + "member",
        "if " * 600,
        "-" * 1500 + "3 = 3",
        "1 + " * 400 + "1 = 1",
        "x" * 2049,
    ],
)
def test_too_much_is_refused_not_recursed_into(text):
    with pytest.raises(ExpressionError):
        read(text)
    assert MAX_NESTING * 10 <= MAX_TEXT
    assert MAX_TOKENS <= MAX_TEXT


WORDS = st.sampled_from(
    "if then else and or not in true false days price member colour red 파랑 from_day n 2026-01-01 2026-99-99 3 4.5 1_0 ( ) "
    "[ ] { } , = == != < <= > >= + - * => ≤ 'red' \"light green\" & | / % 9x ٣ ² ０".split()
)


@settings(max_examples=400, deadline=None)
@given(st.one_of(st.lists(WORDS, max_size=30).map(" ".join), st.text(max_size=60)))
def test_any_text_is_an_expression_or_its_own_error(text):
    try:
        term = read(text)
    except ExpressionError as error:
        assert error.message
        assert 1 <= error.column <= len(text) + 1
    else:
        assert freeze(json.loads(json.dumps(term))) == term


SMT_WORDS = st.sampled_from(
    "( ) => and or not distinct = < <= + - * days member colour red |light green| | 3 4.5 true".split()
)


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.lists(SMT_WORDS, max_size=30).map(" ".join), st.text(max_size=60)))
def test_any_text_is_smt_or_its_own_error(text):
    try:
        statement(parse_smt(text), SCOPE)
    except ExpressionError as error:
        assert error.message


@pytest.mark.parametrize(
    ("smt", "ours"),
    [
        ("(=> (and member (> days 3)) (not member))", "if member and days > 3 then not member"),
        ("(or (= colour red) (= colour |light green|))", "colour = red or colour = 'light green'"),
        ("(=> member (= days 1) (= price 2.5))", "if member then if days = 1 then price = 2.5"),
        ("(< 1 days 5)", "1 < days and days < 5"),
        ("(distinct days 1)", "days != 1"),
        ("(= (+ days 1 2) (* 2 (- days)))", "days + 1 + 2 = 2 * -days"),
        ("member", "member"),
    ],
)
def test_smt_lib_says_the_same(smt, ours):
    assert statement(parse_smt(smt), SCOPE) == read(ours)


@pytest.mark.parametrize(
    ("smt", "part"),
    [
        ("(=> member)", "too few operands"),
        ("(forall member)", "an operator should follow"),
        ("(and member", "')' is missing"),
        ("member)", "')' without '('"),
        ("member member", "not one expression"),
        ("and", "not one expression"),
        ("(= colour |red)", "not closed"),
        ("()", "an operator should follow"),
        ("(not member member)", "one operand"),
        ("", "not one expression"),
    ],
)
def test_smt_mistakes_are_named(smt, part):
    with pytest.raises(ExpressionError, match=part.replace("(", r"\(").replace(")", r"\)")):
        statement(parse_smt(smt), SCOPE)
