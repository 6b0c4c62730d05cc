"""What every server that speaks HTTP and JSON is read by: its refusals, its whole answers, its listing of models."""

from __future__ import annotations

import json
from typing import Any

from router.errors import UpstreamInvalid
from router.upstream.errormap import error_of
from router.upstream.transport import Response

_STREAM_TYPE = "text/event-stream"


async def refusal(response: Response, secret: str) -> Exception:
    """What a status that is no 200 means; it never says which key was sent, as some servers do."""
    body = await response.read()
    error = error_of(response.status, response.header("content-type"), body, response.header("retry-after"))
    if secret:
        error.message = error.message.replace(secret, "…")
    return error


async def check_stream(response: Response, secret: str) -> None:
    """See that a stream begins.

    Raises:
        UpstreamError: it does not.
    """
    if response.status != 200:
        raise await refusal(response, secret)
    if _STREAM_TYPE not in response.header("content-type").lower():
        raise UpstreamInvalid("The model's server was asked for a stream and sent something else.")


async def whole_of(response: Response, secret: str) -> bytes:
    """The bytes of a whole answer that begins as a JSON object does; the response is closed.

    Raises:
        UpstreamError: the server refused, or sent something else.
    """
    try:
        if response.status != 200:
            raise await refusal(response, secret)
        if "json" not in response.header("content-type").lower():
            raise UpstreamInvalid("The model's server answered with something that is not JSON.")
        data = await response.read()
    finally:
        response.close()
    if not data.lstrip().startswith(b"{") or not is_utf8(data):
        raise UpstreamInvalid("The model's server answered with something that is not a JSON object.")
    return data


def object_of(data: bytes, what: str) -> dict[str, Any]:
    """The members of a small answer.

    Raises:
        UpstreamInvalid: it is no JSON; ``what`` it should have been.
    """
    try:
        value: dict[str, Any] = json.loads(data)
    except (ValueError, RecursionError):
        raise UpstreamInvalid(f"The model's server sent something that is not {what}.") from None
    return value


def model_ids(data: bytes) -> list[str]:
    """The names in a listing of models.

    Raises:
        UpstreamInvalid: it is none.
    """
    listed = object_of(data, "a listing of models").get("data")
    if not isinstance(listed, list):
        raise UpstreamInvalid("The model's server sent something that is not a listing of models.")
    return [item["id"] for item in listed if isinstance(item, dict) and isinstance(item.get("id"), str)]


def is_utf8(data: bytes) -> bool:
    """Whether it can be JSON at all: the decoder does not look into strings that nobody asks for."""
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
