"""``/openapi.json``: the framework's own routes plus the hot ones, with real body schemas.

The hot routes read bodies themselves (see ``router.core.wire``), so their shapes are written here, for
people and for tools. ``additionalProperties`` stays open: unknown fields travel on to the model.
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from router.ledger.feedback import WHO
from router.serve.http.schema_messages import media_paths, messages_paths

_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "param": {"type": ["string", "null"]},
                "code": {"type": ["string", "null"]},
                "request_id": {"type": ["string", "null"]},
            },
        }
    },
}

_PART = {
    "type": "object",
    "required": ["type"],
    "properties": {
        "type": {"type": "string"},
        "text": {"type": "string"},
        "image_url": {"type": "object", "properties": {"url": {"type": "string"}}},
    },
}

_MESSAGE = {
    "type": "object",
    "required": ["role"],
    "properties": {
        "role": {"type": "string", "examples": ["user"]},
        "content": {"anyOf": [{"type": "string"}, {"type": "array", "items": _PART}, {"type": "null"}]},
        "tool_calls": {"type": ["array", "null"], "items": {"type": "object"}},
        "tool_call_id": {"type": "string"},
    },
}

_CHAT: dict[str, Any] = {
    "type": "object",
    "required": ["model", "messages"],
    "properties": {
        "model": {
            "type": "string",
            "description": "auto, a policy, small|medium|large, or a model's own name",
            "examples": ["auto"],
        },
        "messages": {"type": "array", "minItems": 1, "items": _MESSAGE},
        "stream": {"type": ["boolean", "null"], "default": False},
        "stream_options": {"type": ["object", "null"], "properties": {"include_usage": {"type": ["boolean", "null"]}}},
        "max_tokens": {"type": ["integer", "null"]},
        "max_completion_tokens": {"type": ["integer", "null"]},
        "n": {"type": ["integer", "null"]},
        "temperature": {"type": ["number", "null"]},
        "tools": {"type": ["array", "null"], "items": {"type": "object"}},
        "response_format": {"type": "object"},
    },
    "additionalProperties": True,
}

_ITEM = {
    "type": "object",
    "properties": {
        "type": {"type": "string", "examples": ["message", "function_call", "function_call_output", "reasoning"]},
        "id": {"type": "string"},
        "role": {"type": "string", "enum": ["user", "assistant", "system", "developer"]},
        "content": {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "object"}}]},
        "call_id": {"type": "string"},
        "name": {"type": "string"},
        "arguments": {"type": "string"},
        "output": {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "object"}}]},
    },
}

_RESPONSES = {
    "type": "object",
    "required": ["model"],
    "properties": {
        "model": _CHAT["properties"]["model"],
        "input": {"anyOf": [{"type": "string"}, {"type": "array", "minItems": 1, "items": _ITEM}]},
        "instructions": {"type": ["string", "null"]},
        "previous_response_id": {"type": ["string", "null"]},
        "store": {"type": ["boolean", "null"], "default": True},
        "stream": {"type": ["boolean", "null"], "default": False},
        "background": {"type": ["boolean", "null"], "enum": [False, None]},
        "max_output_tokens": {"type": ["integer", "null"], "minimum": 0},
        "temperature": {"type": ["number", "null"]},
        "top_p": {"type": ["number", "null"]},
        "top_logprobs": {"type": ["integer", "null"], "minimum": 0},
        "tools": {
            "type": ["array", "null"],
            "items": {"type": "object", "required": ["type"], "properties": {"type": {"type": "string"}}},
        },
        "tool_choice": {"anyOf": [{"type": "string"}, {"type": "object"}, {"type": "null"}]},
        "parallel_tool_calls": {"type": ["boolean", "null"]},
        "text": {"type": ["object", "null"]},
        "reasoning": {"type": ["object", "null"]},
        "include": {"type": ["array", "null"], "items": {"type": "string"}},
        "truncation": {"type": ["string", "null"], "enum": ["auto", "disabled", None]},
        "metadata": {"type": ["object", "null"]},
        "prompt_cache_key": {"type": ["string", "null"]},
        "user": {"type": ["string", "null"]},
    },
    "additionalProperties": True,
}

_COMPLETIONS = {
    "type": "object",
    "required": ["model", "prompt"],
    "properties": {
        "model": _CHAT["properties"]["model"],
        "prompt": {
            "anyOf": [
                {"type": "string"},
                {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 1},
            ]
        },
        "max_tokens": {"type": ["integer", "null"], "default": 16},
        "n": {"type": ["integer", "null"]},
        "stream": {"type": ["boolean", "null"], "default": False},
        "stream_options": {"type": ["object", "null"], "properties": {"include_usage": {"type": ["boolean", "null"]}}},
        "temperature": {"type": ["number", "null"]},
        "stop": {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}, {"type": "null"}]},
    },
    "additionalProperties": True,
}

_EMBEDDINGS = {
    "type": "object",
    "required": ["model", "input"],
    "properties": {
        "model": {"type": "string"},
        "input": {
            "anyOf": [
                {"type": "string"},
                {"type": "array", "items": {"type": "string"}},
                {"type": "array", "items": {"type": "integer"}},
                {"type": "array", "items": {"type": "array", "items": {"type": "integer"}}},
            ]
        },
        "dimensions": {"type": ["integer", "null"], "minimum": 1},
        "encoding_format": {"type": ["string", "null"], "enum": ["float", "base64", None], "default": "float"},
    },
    "additionalProperties": True,
}

_FEEDBACK = {
    "type": "object",
    "required": ["request_id", "score", "who"],
    "properties": {
        "request_id": {"type": "string", "maxLength": 64, "description": "the x-request-id of the answer"},
        "score": {"type": "number", "minimum": 0, "maximum": 1, "description": "0 useless, 1 right"},
        "who": {"type": "string", "pattern": WHO, "examples": ["person", "judge", "signal"]},
    },
    "additionalProperties": False,
}

_APPLY = {
    "type": "object",
    "required": ["source", "content"],
    "properties": {
        "source": {"type": "string", "enum": ["INPUT", "OUTPUT"]},
        "content": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["text"],
                "properties": {
                    "text": {
                        "type": "object",
                        "required": ["text"],
                        "properties": {
                            "text": {"type": "string"},
                            "qualifiers": {
                                "type": "array",
                                "items": {"type": "string", "enum": ["grounding_source", "query", "guard_content"]},
                            },
                        },
                        "additionalProperties": False,
                    }
                },
                "additionalProperties": False,
            },
        },
        "outputScope": {"type": "string", "enum": ["INTERVENTIONS", "FULL"], "default": "INTERVENTIONS"},
    },
    "additionalProperties": False,
}

_MODERATION = {
    "type": "object",
    "required": ["input"],
    "properties": {
        "model": {"type": ["string", "null"], "description": "a policy; left out, or one of OpenAI's: the default one"},
        "input": {
            "anyOf": [
                {"type": "string"},
                {"type": "array", "minItems": 1, "items": {"type": "string"}},
                {"type": "array", "minItems": 1, "items": _PART},
            ]
        },
    },
    "additionalProperties": False,
}

_HEADERS = [
    {
        "name": f"x-stillhouse-{name}",
        "in": "header",
        "required": False,
        "schema": {"type": "string"},
        "description": text,
    }
    for name, text in (
        ("policy", "A policy's name; wins over the model name."),
        ("tier", "small, medium or large."),
        ("tag", "Tags for rules and reports, separated by commas."),
        ("session", "Requests of one session meet the same generation of a tier."),
        ("timeout", "Seconds that the whole request may take, where that is less than the policy says."),
        ("priority", "batch, default or critical: who is served first when the gateway is full."),
        ("guard-tag", "Suffix of the tag around what guards shall read, where the policy allows tagging."),
    )
]

_REFUSALS = {
    "400": "The body, the path or a header is wrong.",
    "401": "No key, or not a known one.",
    "403": "The key may not do this.",
    "404": "No such model.",
    "405": "POST only.",
    "413": "The body is too large.",
    "415": "Not JSON, or compressed.",
    "422": "The model's server refused the values.",
    "429": "A rate limit; see Retry-After.",
    "500": "The gateway's own mistake.",
    "502": "The model's server failed.",
    "503": "No tier may serve the request, or the gateway is shutting down.",
    "504": "The model's server was too slow.",
}


def _operation(summary: str, body: dict[str, Any], answer: dict[str, Any], *, streams: bool = False) -> dict[str, Any]:
    content: dict[str, Any] = {"application/json": {"schema": answer}}
    if streams:
        content["text/event-stream"] = {"schema": {"type": "string"}}
    responses: dict[str, Any] = {"200": {"description": "The answer.", "content": content}}
    error = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    responses |= {status: {"description": text, "content": error} for status, text in _REFUSALS.items()}
    return {
        "post": {
            "summary": summary,
            "parameters": _HEADERS,
            "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
            "responses": responses,
        }
    }


def _feedback_operation() -> dict[str, Any]:
    """Feedback asks no model: none of the headers, fewer ways to fail."""
    post = _operation("What a person, a judge or a signal says of an answer", _FEEDBACK, _FEEDBACK)["post"]
    never = ("422", "429", "502", "504")
    responses = {status: words for status, words in post["responses"].items() if status not in never}
    error = responses["404"]["content"]
    responses |= {
        "200": {**responses["200"], "description": "The same judgement was already kept."},
        "201": {**responses["200"], "description": "Kept."},
        "404": {"description": "No such request, or another tenant's.", "content": error},
        "409": {"description": "The same 'who' gave another score before.", "content": error},
        "503": {"description": "The ledger cannot be written now, or the gateway shuts down.", "content": error},
    }
    return {"post": {**post, "parameters": [], "responses": responses}}


def _guard_operation(summary: str, body: dict[str, Any], path: tuple[str, ...] = ()) -> dict[str, Any]:
    """Guards alone: no model is asked for an answer."""
    post = _operation(summary, body, {"type": "object"})["post"]
    never = ("422", "429", "502", "504")
    responses = {status: words for status, words in post["responses"].items() if status not in never}
    responses["404"] = {**responses["404"], "description": "No such policy, or not one that the key may use."}
    responses["503"] = {**responses["503"], "description": "The gateway is shutting down."}
    named = [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in path]
    tag = next(header for header in _HEADERS if header["name"] == "x-stillhouse-tag")
    return {"post": {**post, "parameters": [*named, tag], "responses": responses}}


def _tell_refusals(document: dict[str, Any]) -> None:
    """The framework says 422 where our handler answers 400, and does not know of keys."""
    error = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    for operations in document["paths"].values():
        for operation in operations.values():
            responses = operation["responses"]
            responses.pop("422", None)
            for status in ("400", "401", "403"):
                responses.setdefault(status, {"description": _REFUSALS[status], "content": error})


def openapi_of(app: FastAPI) -> dict[str, Any]:
    """The document, made once."""
    if app.openapi_schema:
        return app.openapi_schema
    document = get_openapi(title=app.title, version="1", description=app.description, routes=app.routes)
    _tell_refusals(document)
    completion = {"type": "object", "properties": {"choices": {"type": "array"}, "usage": {"type": "object"}}}
    document["paths"] |= {
        "/v1/chat/completions": _operation("Chat completion", _CHAT, completion, streams=True),
        "/v1/responses": _operation(
            "An answer in the Responses protocol", _RESPONSES, {"type": "object"}, streams=True
        ),
        "/v1/completions": _operation("Completion of a prompt", _COMPLETIONS, completion, streams=True),
        "/v1/embeddings": _operation("Embeddings", _EMBEDDINGS, {"type": "object"}),
        "/v1/route": _operation("Where a chat completion would go, and why", _CHAT, {"type": "object"}),
        "/v1/feedback": _feedback_operation(),
        "/v1/moderations": _guard_operation("A policy's input guards, in OpenAI's shape", _MODERATION),
        "/v1/guardrails/{policy}/apply": _guard_operation(
            "A policy's guards over texts, in the shape of Bedrock's ApplyGuardrail", _APPLY, ("policy",)
        ),
        "/guardrail/{policy}/version/{version}/apply": _guard_operation(
            "The same at Bedrock's own path", _APPLY, ("policy", "version")
        ),
        **messages_paths(_HEADERS, _REFUSALS),
        **media_paths(),
    }
    components = document.setdefault("components", {})
    components.setdefault("schemas", {})["Error"] = _ERROR
    components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    document["security"] = [{"key": []}, {}]
    app.openapi_schema = document
    return document
