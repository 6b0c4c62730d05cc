"""What an answer shows about itself."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core.signals import Demand, Reading, agreement, demand_of, signals_of, summary

SCHEMA = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object", "required": ["a"]}}}


def read(text="ok", demand=None, **parts):
    return signals_of(Reading(text=text, tokens=3, **{"finish": "stop"} | parts), demand or Demand())


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I can't help with that.",
        "I\u2019m unable to say.",
        "죄송하지만 도와드릴 수 없습니다.",
        "As an AI, I have none.",
    ],
)
def test_refusals_are_seen(text):
    assert read(text).refusal
    assert not read(text).ended or read(text).finish == "stop"


@pytest.mark.parametrize(
    "text", ["I'm not sure, but 4.", "It might be Paris.", "잘 모르겠습니다.", "아마 서울일 것 같아요."]
)
def test_hedges_are_seen(text):
    assert read(text).hedging


@pytest.mark.parametrize("text", ["Paris", "서울", "The treaty was signed in 1648.", ""])
def test_plain_answers_neither_refuse_nor_hedge(text):
    assert not read(text).refusal
    assert not read(text).hedging


def test_the_upstream_s_own_refusal_counts():
    assert read("", refused=True).refusal


def test_a_late_mark_is_not_an_opening():
    assert not read("x" * 400 + " I'm not sure").hedging


@pytest.mark.parametrize(
    ("text", "form", "ok"),
    [
        ('{"a": 1}', {"type": "json_object"}, True),
        ("[1]", {"type": "json_object"}, False),
        ("so: {}", {"type": "json_object"}, False),
        ('{"a": 1}', SCHEMA, True),
        ('{"b": 1}', SCHEMA, False),
        ("anything", None, True),
        ("anything", {"type": "text"}, True),
    ],
)
def test_the_format_that_was_asked_for_is_checked(text, form, ok):
    demand = demand_of("hi", form, tools=False, language="en")
    assert read(text, demand).format_ok is ok


def test_a_schema_that_cannot_be_checked_says_why():
    form = {"type": "json_schema", "json_schema": {"schema": {"not": {}}}}
    found = read("{}", demand_of("hi", form, tools=False, language="en"))
    assert "'not'" in found.format_unchecked


@pytest.mark.parametrize(("arguments", "ok"), [('{"a": 1}', True), ('{"a": 1', False), ("3", False)])
def test_tool_arguments_must_parse(arguments, ok):
    assert read("", Demand(tools=True), arguments=(arguments,)).format_ok is ok


def test_before_the_end_form_and_shape_are_unknown():
    found = read('{"a": ', Demand(shape="json", json=True), finish=None)
    assert not found.ended
    assert found.format_ok is None
    assert found.shape_ok is None


@given(st.lists(st.floats(max_value=0, min_value=-200), min_size=1))
def test_log_probabilities_are_summed_up_in_order(values):
    found = summary(values)
    assert found.least <= found.low <= found.median <= 0
    assert found.least <= found.mean + 1e-9
    assert found.first == max(-100.0, values[0])


def test_odd_log_probabilities_are_not_had():
    assert summary(None) is None
    assert summary([]) is None
    assert summary([-0.1, math.nan]) is None
    assert summary([-math.inf]).least == -100.0


def test_agreement_is_the_share_that_says_the_same():
    number = Demand(shape="number")
    assert agreement("12", ["12", "it is 12", "13", "none"], number) == 0.5
    assert agreement("", ["", ""], Demand()) == 0.0
    assert agreement("12", [], number) == 0.0


@given(st.text(), st.booleans(), st.sampled_from([None, "stop", "length"]))
def test_any_text_gives_signals_that_are_numbers(text, json, finish):
    found = signals_of(Reading(text=text, tokens=1, finish=finish), Demand(json=json, shape="letter"))
    assert all(math.isfinite(value) for value in found.numbers().values())
