"""The parts of ``/openapi.json`` that speak of Anthropic's Messages, and of media that are passed on."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

_ERROR: Json = {
    "type": "object",
    "required": ["type", "error", "request_id"],
    "properties": {
        "type": {"const": "error"},
        "error": {
            "type": "object",
            "required": ["type", "message"],
            "properties": {name: {"type": "string"} for name in ("type", "message", "code", "param")},
        },
        "request_id": {"type": "string"},
    },
}
_BLOCK: Json = {"type": "object", "required": ["type"], "properties": {"type": {"type": "string"}}}
_TEXTS: Json = {"anyOf": [{"type": "string"}, {"type": "array", "items": _BLOCK}]}
_ASKED: Json = {
    "model": {"type": "string", "description": "auto, a policy, small|medium|large, or a model's own name"},
    "messages": {
        "type": "array",
        "minItems": 1,
        "items": {
            "type": "object",
            "required": ["role", "content"],
            "properties": {"role": {"enum": ["user", "assistant", "system"]}, "content": _TEXTS},
        },
    },
    "system": _TEXTS,
    "tools": {"type": "array", "items": {"type": "object"}},
    "tool_choice": {
        "type": "object",
        "required": ["type"],
        "properties": {"type": {"enum": ["auto", "any", "tool", "none"]}},
    },
    "thinking": {"type": "object", "required": ["type"], "properties": {"type": {"type": "string"}}},
}
_MESSAGES: Json = {
    "type": "object",
    "required": ["model", "messages", "max_tokens"],
    "properties": {
        **_ASKED,
        "max_tokens": {"type": "integer", "minimum": 1},
        "stream": {"type": ["boolean", "null"], "default": False},
        "temperature": {"type": ["number", "null"]},
        "top_p": {"type": ["number", "null"]},
        "top_k": {"type": ["integer", "null"]},
        "stop_sequences": {"type": ["array", "null"], "items": {"type": "string"}},
        "metadata": {"type": ["object", "null"], "properties": {"user_id": {"type": ["string", "null"]}}},
    },
}
_MESSAGE: Json = {
    "type": "object",
    "properties": {
        "type": {"const": "message"},
        "content": {"type": "array", "items": _BLOCK},
        "stop_reason": {"type": ["string", "null"]},
        "usage": {"type": "object"},
    },
}
_COUNT: Json = {"type": "object", "required": ["model", "messages"], "properties": _ASKED}
_COUNTED: Json = {
    "type": "object",
    "required": ["input_tokens"],
    "properties": {"input_tokens": {"type": "integer", "minimum": 0}},
}
_MEDIA_PATHS: dict[str, tuple[tuple[str, ...], str]] = {
    "/v1/audio/transcriptions": (("post",), "multipart/form-data"),
    "/v1/audio/translations": (("post",), "multipart/form-data"),
    "/v1/audio/speech": (("post",), "application/json"),
    "/v1/images/generations": (("post",), "application/json"),
    "/v1/images/edits": (("post",), "multipart/form-data"),
    "/v1/images/variations": (("post",), "multipart/form-data"),
    "/v1/files": (("get", "post"), "multipart/form-data"),
    "/v1/files/{file_id}": (("get", "delete"), ""),
    "/v1/files/{file_id}/content": (("get",), ""),
}
_MEDIA_REFUSALS = {
    "400": "The request is wrong.",
    "401": "No key, or one that is not ours.",
    "403": "The key, or the policy, does not let it pass.",
    "404": "No upstream takes it.",
    "405": "The path does not take this method.",
    "413": "The body is too large.",
    "415": "The body is compressed.",
    "502": "The upstream failed.",
    "503": "The gateway is shutting down.",
}


def messages_paths(headers: list[Json], refusals: dict[str, str]) -> Json:
    """The two paths of Messages.

    Args:
        headers: the request headers of every path.
        refusals: status -> when it is answered.
    """
    error = {"application/json": {"schema": _ERROR}}
    refused = {status: {"description": words, "content": error} for status, words in refusals.items()}

    def post(summary: str, asked: Json, answer: Json, *, streams: bool) -> Json:
        content: Json = {"application/json": {"schema": answer}}
        if streams:
            content["text/event-stream"] = {"schema": {"type": "string"}}
        body = {"required": True, "content": {"application/json": {"schema": asked}}}
        told = {"200": {"description": "The answer.", "content": content}, **refused}
        return {"post": {"summary": summary, "parameters": headers, "requestBody": body, "responses": told}}

    return {
        "/v1/messages": post("A message, in Anthropic's protocol", _MESSAGES, _MESSAGE, streams=True),
        "/v1/messages/count_tokens": post("How many tokens a message would have", _COUNT, _COUNTED, streams=False),
    }


def media_paths() -> Json:
    """Audio, images and files: passed to an upstream as they are."""
    paths: Json = {}
    for path, (methods, kind) in _MEDIA_PATHS.items():
        named = (
            [{"name": "file_id", "in": "path", "required": True, "schema": {"type": "string"}}] if "{" in path else []
        )
        paths[path] = {method: _passed(path, method, kind, named) for method in methods}
    return paths


def _passed(path: str, method: str, kind: str, named: list[Json]) -> Json:
    error = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    refused = {status: {"description": words, "content": error} for status, words in _MEDIA_REFUSALS.items()}
    made: Json = {
        "summary": f"Passed to an upstream that takes it ({path.split('/')[2]})",
        "parameters": named,
        "responses": {"200": {"description": "The upstream's answer."}, **refused},
    }
    if method == "post":
        made["requestBody"] = {"required": True, "content": {kind: {"schema": {"type": "object"}}}}
    return made
