"""Assertions in words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.suites.claims import Claim, ClaimError, parse


@pytest.mark.parametrize(
    ("text", "claim"),
    [
        ("quality >= 0.8", Claim("quality", 0.8)),
        ("quality surely >= 80%", Claim("quality", 0.8, surely=True)),
        ("exact >= .5", Claim("score", 0.5, scorer="exact")),
        ("cost <= 0.5 usd", Claim("cost", 5e8)),
        ("cost per item <= 0.001 usd", Claim("item-cost", 1e6)),
        ("saving >= 30%", Claim("saving", 0.3)),
        ("latency p95 <= 800 ms", Claim("latency", 800.0, quantile=95.0)),
        ("latency <= 2 s", Claim("latency", 2000.0)),
        ("errors <= 1%", Claim("errors", 0.01)),
        ("unjudged <= 0", Claim("unjudged", 0.0)),
        ("recall@fpr 1% >= 90%", Claim("recall", 0.9, rate=0.01)),
        ("recall@fpr=0.01 >= 0.9", Claim("recall", 0.9, rate=0.01)),
        ("no worse than RUN by > 2%", Claim("no-worse", 0.02, than="RUN")),
        ("No worse than large by > 0.02", Claim("no-worse", 0.02, than="large")),
    ],
)
def test_what_it_says(text, claim):
    read = parse(text)
    assert read._replace(bound=0) == claim._replace(bound=0)
    assert read.bound == pytest.approx(claim.bound)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("quality => 0.8", "no assertion"),
        ("quality <= 0.8", "bounded with >="),
        ("cost >= 1 usd", "bounded with <="),
        ("cost <= 1", "in no unit; here it is in usd"),
        ("latency <= 5 usd", "here it is in ms or s"),
        ("quality >= 80", "a share runs from 0 to 1"),
        ("latency p95 surely <= 5 s", "has no interval"),
        ("no worse than RUN by > 0%", "lies between 0 and 1"),
        ("recall@fpr 100% >= 0.9", "must be below 1"),
        ("how good >= 1", "nothing is called"),
        ("", "no assertion"),
    ],
)
def test_what_is_none_is_refused_with_the_reason(text, words):
    with pytest.raises(ClaimError, match=words):
        parse(text)


@given(st.text(max_size=60))
def test_no_text_does_anything_but_read_or_be_refused(text):
    try:
        assert parse(text).bound >= 0
    except ClaimError as error:
        assert str(error)
