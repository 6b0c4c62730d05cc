"""The model server behind the matrix: it obeys the OpenAI wire and does what a willing model would do.

What it answers follows from the request alone. Tools that are offered are called once, with arguments made from
their schema; a schema for the answer is filled in; everything else is "Hello from upstream.".
"""

from __future__ import annotations

import base64
import json
import re
import struct
from typing import Any

from aiohttp import web

Json = dict[str, Any]
HELLO = "Hello from upstream."
AFTER_TOOLS = "It is sunny in 서울."
_QUOTED = re.compile(r"['\"]([^'\"]{1,80})['\"]")
# Without a schema a model goes by the prompt; these are the names that the clients' prompts ask for.
_ANY_JSON: Json = {"name": "Ann", "age": 30, "setup": "a", "punchline": "b"}
_USAGE = {
    "prompt_tokens": 7,
    "completion_tokens": 4,
    "total_tokens": 11,
    "prompt_tokens_details": {"cached_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 0},
}


def filled(schema: Json, words: str, root: Json | None = None) -> Any:
    """A value that a JSON schema allows; ``words`` is the first quoted text of the prompt, if there is one."""
    root = schema if root is None else root
    if "$ref" in schema:
        at: Any = root
        for key in schema["$ref"].removeprefix("#/").split("/"):
            at = at[key]
        return filled(at, words, root)
    for name in ("anyOf", "oneOf", "allOf"):
        if schema.get(name):
            return filled(schema[name][0], words, root)
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    kind = schema.get("type", "object")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        properties: Json = schema.get("properties", {})
        required: list[str] = schema.get("required", list(properties))
        return {name: filled(properties.get(name, {"type": "string"}), words, root) for name in required}
    if kind == "array":
        return [filled(schema.get("items", {"type": "string"}), words, root)]
    simple: Json = {"integer": 3, "number": 3, "boolean": True, "null": None}
    return simple.get(kind, words or "서울")


def _text_of(message: Json) -> str:
    content = message.get("content")
    if isinstance(content, list):
        return "\n".join(part.get("text", "") for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def _wants_tool(body: Json) -> bool:
    messages, choice = body["messages"], body.get("tool_choice")
    if not body.get("tools") or choice == "none":
        return False
    return choice not in (None, "auto") or messages[-1].get("role") != "tool"


def message_of(body: Json) -> Json:
    """What the model says."""
    messages = body["messages"]
    found = _QUOTED.search(_text_of(messages[-1]))
    words = found[1] if found else ""
    if _wants_tool(body):
        choice = body.get("tool_choice")
        functions = [tool["function"] for tool in body["tools"] if tool.get("type") == "function"]
        if isinstance(choice, dict):
            functions = [f for f in functions if f["name"] == choice.get("function", {}).get("name")] or functions
        if functions:
            arguments = json.dumps(filled(functions[0].get("parameters") or {}, words), ensure_ascii=False)
            call = {
                "id": "call_1",
                "type": "function",
                "function": {"name": functions[0]["name"], "arguments": arguments},
            }
            return {"role": "assistant", "content": None, "tool_calls": [call]}
    form = body.get("response_format") or {}
    if form.get("type") == "json_schema":
        value = filled(form["json_schema"]["schema"], words)
        return {"role": "assistant", "content": json.dumps(value, ensure_ascii=False)}
    if form.get("type") == "json_object":
        asked = "\n".join(_text_of(message) for message in messages)
        value = {name: value for name, value in _ANY_JSON.items() if name in asked}
        return {"role": "assistant", "content": json.dumps(value)}
    return {"role": "assistant", "content": AFTER_TOOLS if messages[-1].get("role") == "tool" else HELLO}


def _frame(kind: str, body: Json, **more: Any) -> Json:
    return {"id": "chatcmpl-1", "object": kind, "created": 1_790_000_000, "model": body.get("model", "m"), **more}


def whole(body: Json) -> Json:
    """The whole answer."""
    message = message_of(body)
    reason = "tool_calls" if message.get("tool_calls") else "stop"
    choice = {"index": 0, "message": {**message, "refusal": None}, "logprobs": None, "finish_reason": reason}
    return _frame("chat.completion", body, choices=[choice], usage=_USAGE)


def events(body: Json) -> list[Json]:
    """The same in events: text in words, arguments in pieces."""
    message = message_of(body)
    deltas: list[Json] = [{"role": "assistant", "content": ""}]
    for index, call in enumerate(message.get("tool_calls") or ()):
        deltas.append({"tool_calls": [{**call, "index": index, "function": {**call["function"], "arguments": ""}}]})
        text = call["function"]["arguments"]
        deltas += [
            {"tool_calls": [{"index": index, "function": {"arguments": text[i : i + 5]}}]}
            for i in range(0, len(text), 5)
        ]
    deltas += [{"content": word} for word in re.findall(r"\s*\S+", message.get("content") or "")]
    made = [
        _frame("chat.completion.chunk", body, choices=[{"index": 0, "delta": delta, "finish_reason": None}])
        for delta in deltas
    ]
    reason = "tool_calls" if message.get("tool_calls") else "stop"
    end = [{"index": 0, "delta": {}, "finish_reason": reason}]
    made.append(_frame("chat.completion.chunk", body, choices=end))
    if (body.get("stream_options") or {}).get("include_usage"):
        made.append(_frame("chat.completion.chunk", body, choices=[], usage=_USAGE))
    return made


async def _chat(request: web.Request) -> web.StreamResponse:
    body = await request.json()
    if not body.get("stream"):
        return web.json_response(whole(body))
    answer = web.StreamResponse(headers={"content-type": "text/event-stream"})
    await answer.prepare(request)
    for event in events(body):
        await answer.write(f"data: {json.dumps(event, ensure_ascii=False)}\n\n".encode())
    await answer.write(b"data: [DONE]\n\n")
    return answer


async def _embeddings(request: web.Request) -> web.Response:
    body = await request.json()
    given = body["input"]
    many = isinstance(given, list) and bool(given) and not isinstance(given[0], int)
    vector: Any = [0.5] * (body.get("dimensions") or 4)
    if body.get("encoding_format") == "base64":
        vector = base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
    data = [{"object": "embedding", "index": i, "embedding": vector} for i in range(len(given) if many else 1)]
    used = {"prompt_tokens": 3, "total_tokens": 3}
    return web.json_response({"object": "list", "model": body["model"], "data": data, "usage": used})


async def _models(_: web.Request) -> web.Response:
    data = [{"id": name, "object": "model", "created": 0, "owned_by": "test"} for name in ("small", "medium", "large")]
    return web.json_response({"object": "list", "data": data})


def application() -> web.Application:
    """The server, to be run."""
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.router.add_post("/v1/chat/completions", _chat)
    app.router.add_post("/v1/embeddings", _embeddings)
    app.router.add_get("/v1/models", _models)
    return app
