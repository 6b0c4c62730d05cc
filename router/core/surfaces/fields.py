"""Reading a foreign body field by field: whatever has the wrong shape is refused by its path."""

from __future__ import annotations

from typing import Any

import msgspec

from router.core.wire import check_json
from router.errors import BadJSON, BadRequest, UnsupportedParameter

Json = dict[str, Any]


def body_of(body: bytes) -> Json:
    """A body as plain values.

    Raises:
        BadJSON: it is no JSON object, or two readers could read it differently.
    """
    check_json(body)
    try:
        value: Json = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise BadJSON("The body holds a string that is not valid Unicode, or a number that is out of range.") from None
    except RecursionError:
        raise BadJSON("The body is nested too deeply.") from None
    return value


def encoded(value: Any) -> bytes:
    """JSON bytes.

    Raises:
        BadJSON: nested too deeply.
    """
    try:
        return msgspec.json.encode(value)
    except RecursionError:
        raise BadJSON("The body is nested too deeply.") from None


def text_at(value: Any, path: str) -> str:
    """A string.

    Raises:
        BadRequest: it is none.
    """
    if not isinstance(value, str):
        raise BadRequest(f"'{path}' must be a string.", param=path)
    return value


def object_at(value: Any, path: str) -> Json:
    """An object.

    Raises:
        BadRequest: it is none.
    """
    if not isinstance(value, dict):
        raise BadRequest(f"'{path}' must be an object.", param=path)
    return value


def list_at(value: Any, path: str) -> list[Any]:
    """A list.

    Raises:
        BadRequest: it is none.
    """
    if not isinstance(value, list):
        raise BadRequest(f"'{path}' must be a list.", param=path)
    return value


def flag_at(value: Any, path: str) -> bool:
    """A boolean.

    Raises:
        BadRequest: it is none.
    """
    if not isinstance(value, bool):
        raise BadRequest(f"'{path}' must be true or false.", param=path)
    return value


def count_at(value: Any, path: str) -> int:
    """A whole number of at least zero.

    Raises:
        BadRequest: it is none.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise BadRequest(f"'{path}' must be a whole number.", param=path)
    return value


def model_of(body: Json) -> str:
    """The model that a body names.

    Raises:
        BadRequest: none.
    """
    if "model" not in body:
        raise BadRequest("You must provide a 'model'.", param="model")
    return text_at(body["model"], "model")


def refuse_chats(body: Json, names: dict[str, str], path: str) -> None:
    """Refuse what belongs to chat completions: it would change the translated request behind the caller's back.

    Args:
        body: the caller's.
        names: chat's name -> what it is called here; empty where there is nothing like it.
        path: of the endpoint.

    Raises:
        UnsupportedParameter: one is there.
    """
    for name, here in names.items():
        if body.get(name) is not None:
            hint = f"send '{here}'" if here else "leave it out"
            raise UnsupportedParameter(f"'{name}' belongs to /v1/chat/completions; at {path} {hint}.", param=name)
