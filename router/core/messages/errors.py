"""Errors in the shape of Anthropic's API. Its SDKs choose the class by the status."""

from __future__ import annotations

import msgspec

from router.core.messages.words import ERROR_OF_STATUS, TOO_LONG
from router.errors import StillhouseError


def messages_error(error: StillhouseError, request_id: str) -> bytes:
    """The error object, with our own code and the field at fault beside Anthropic's type."""
    usual = "invalid_request_error" if 400 <= error.status < 500 else "api_error"
    words = error.message
    if error.code == "context_length_exceeded" and TOO_LONG not in words:
        words = f"{TOO_LONG}: {words}"
    told: dict[str, str | None] = {"type": ERROR_OF_STATUS.get(error.status, usual), "message": words}
    told["code"] = error.code
    if error.param is not None:
        told["param"] = error.param
    return msgspec.json.encode({"type": "error", "error": told, "request_id": request_id})
