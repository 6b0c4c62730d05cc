"""Why no model serves a request."""

import pytest

from router.core.lacking import refusal_of
from router.types import Deployment, Features, Reason

REASON = Reason(id="no-tier", text="No model serves small or a tier above it.")


def deployment(**settings):
    return Deployment(**({"name": "m", "tier": "small", "model": "m", "upstream": "u"} | settings))


def features(**facts):
    usual = {"language": "en", "input_tokens": 10, "ask_chars": 9, "turns": 1, "tools": False, "images": False}
    return Features(**(usual | facts))


@pytest.mark.parametrize(
    ("fleet", "facts", "private", "said"),
    [
        ([{"tools": False}], {"tools": True}, False, (400, "unsupported_parameter", "tools")),
        ([{"images": False}], {"images": True}, False, (400, "unsupported_parameter", "messages")),
        ([{"context_window": 8}], {"input_tokens": 9}, False, (400, "context_length_exceeded", "messages")),
        ([{"context_window": 8}, {"context_window": 20}], {"input_tokens": 21}, False, (400, "context_length_exceeded", "messages")),
        ([{"context_window": 8}, {}], {"input_tokens": 9}, False, (503, "no_tier_available", None)),
        ([{"tools": False}, {"context_window": 8}], {"tools": True, "input_tokens": 9}, False, (400, "context_length_exceeded", "messages")),
        ([{"tools": False}], {"tools": True}, True, (503, "no_tier_available", None)),
        ([], {}, False, (503, "no_tier_available", None)),
    ],
)  # fmt: skip
def test_the_caller_is_told_what_no_model_here_can_do(fleet, facts, private, said):
    error = refusal_of([deployment(**d) for d in fleet], features(**facts), REASON, private=private)
    assert (error.status, error.code, error.param) == said


def test_the_longest_window_is_named():
    error = refusal_of([deployment(context_window=20)], features(input_tokens=30), REASON, private=False)
    assert "30" in error.message
    assert "20" in error.message
