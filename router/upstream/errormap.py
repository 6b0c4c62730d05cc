"""Upstream failures to our errors, in one place.

The caller learns what its own request did wrong (4xx, with the upstream's code and words) and nothing
of the operator's keys, addresses or pages.
"""

from __future__ import annotations

import json
import re
from typing import Any

from router.errors import (
    UpstreamAuth,
    UpstreamError,
    UpstreamMisplaced,
    UpstreamRateLimited,
    UpstreamRejected,
    UpstreamTimeout,
    UpstreamUnavailable,
)

OPERATORS_OWN = frozenset({401, 403, 407})
"""Statuses that speak of the gateway's own credentials."""

_CALLERS_FAULT = frozenset({400, 404, 409, 413, 415, 422})
_OVERLOADED = frozenset({503, 529})
MAX_MESSAGE = 2000
# A server may name the account it was asked for, or repeat the key. A code is a word and goes on record; anything
# else in its place may be a prompt.
_OPERATORS = re.compile(r"\b(?:sk|pk|rk|key|org|proj|user|acct)[-_][A-Za-z0-9_*-]{6,}|\bBearer\s+\S+")
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}|[0-9]{1,6}")
_TOO_LONG = ("prompt is too long", "input length and `max_tokens` exceed context limit")

_DEFAULT_CODE = {
    404: "model_not_found",
    409: "conflict",
    413: "request_too_large",
    415: "unsupported_media_type",
    422: "unprocessable_entity",
}


def error_of(status: int, content_type: str, body: bytes, retry_after: str = "") -> UpstreamError:
    """The error for an HTTP answer that is not a 200."""
    if status in OPERATORS_OWN:
        return UpstreamAuth("The gateway's own credentials for this model were refused; the operator has to mend them.")
    if status == 429:
        words, code, _ = _words(content_type, body)
        error = UpstreamRateLimited(words or "The model's rate limit is reached.", retry_after=retry_after or None)
        if code == "insufficient_quota":
            error.code = code
        return error
    if status in {408, 504}:
        return UpstreamTimeout("The model's server ran out of time.")
    if status in _CALLERS_FAULT:
        if status == 400 and "credit balance" in _words(content_type, body)[0]:
            return UpstreamAuth(
                "The gateway's own account for this model is out of credit; the operator has to mend it."
            )
        if "html" in content_type.lower() and status != 413:  # a proxy's page: no model has seen the request
            return UpstreamMisplaced("The model's server answered with a web page; its base URL needs mending.")
        words, code, param = _words(content_type, body)
        return UpstreamRejected(
            words or "The model's server refused the request.",
            status=status,
            code=code or _DEFAULT_CODE.get(status, "invalid_request_error"),
            param=param,
        )
    if 300 <= status < 400:
        return UpstreamMisplaced("The model's server answered with a redirect; its base URL needs mending.")
    failed = UpstreamUnavailable(f"The model's server failed (HTTP {status}).", retry_after=retry_after or None)
    failed.overload = status in _OVERLOADED
    return failed


def error_of_event(data: bytes) -> UpstreamError:
    """The error for an error object that came as an event of a 200."""
    words, code, param = _words("application/json", data)
    if code in {"context_length_exceeded", "content_filter", "invalid_request_error"}:
        return UpstreamRejected(words or "The model's server refused the request.", status=400, code=code, param=param)
    if code in {"rate_limit_exceeded", "rate_limit_error", "429"}:
        return UpstreamRateLimited("The model's rate limit is reached.")
    return UpstreamUnavailable("The model's server failed in the middle of its answer.")


def _words(content_type: str, body: bytes) -> tuple[str, str, str | None]:
    """Message, code and param of an OpenAI error object; empty where the body is something else."""
    if "json" not in content_type.lower():
        return "", "", None
    try:
        value: Any = json.loads(body)
    except ValueError:
        return "", "", None
    error = value.get("error") if isinstance(value, dict) else None
    if isinstance(error, str):
        return _OPERATORS.sub("…", error[:MAX_MESSAGE]), "", None
    if not isinstance(error, dict):
        return "", "", None
    message, code, param = error.get("message"), error.get("code") or error.get("type"), error.get("param")
    message = message if isinstance(message, str) else ""
    if code == "not_found_error":  # Anthropic's words
        code = "model_not_found"
    elif code == "invalid_request_error" and message.startswith(_TOO_LONG):
        code = "context_length_exceeded"
    return (
        _OPERATORS.sub("…", message[:MAX_MESSAGE]),
        str(code) if isinstance(code, str | int) and _CODE.fullmatch(str(code)) else "",
        param[:MAX_MESSAGE] if isinstance(param, str) else None,
    )
