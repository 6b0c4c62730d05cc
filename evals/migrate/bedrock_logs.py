"""Amazon Bedrock's model invocation logs: JSON Lines, mostly gzipped, as they lie in S3.

Read are Converse and ConverseStream (one shape for all models), and InvokeModel with or without a stream for the
shapes of Anthropic, Nova and Llama. Bodies above 100 KB lie in files of their own (``…BodyS3Path``); a row that
points to one is refused by name, for its text is not here. Bedrock counts what it read from a prompt cache beside the
input tokens, we count it among them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from evals.migrate.calls import Call, Calls, RowError, Skip, count, json_rows, millis, read_calls, text
from router.core.cost import cost_of
from router.registry.prices import PriceBook
from router.types import Usage

_CONVERSE: Final = frozenset({"Converse", "ConverseStream"})
_INVOKE: Final = frozenset({"InvokeModel", "InvokeModelWithResponseStream"})
_TURN: Final = re.compile(
    r"<\|start_header_id\|>(\w+)<\|end_header_id\|>\s*(.*?)(?=<\|start_header_id\|>|\Z)", re.DOTALL
)
_MARKS: Final = ("<|eot_id|>", "<|begin_of_text|>", "<|eom_id|>")
_REGION: Final = re.compile(r"^(?:us|eu|apac|ap|us-gov|global)\.")
_NAME: Final = re.compile(r"[^A-Za-z0-9._-]+")


class Said(NamedTuple):
    """What a body says. Tokens are None where it does not say them."""

    text: str = ""
    finish: str | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None
    tokens_cached: int | None = None
    latency_ms: int | None = None


def bedrock_calls(paths: list[Path]) -> Calls:
    """The chat completions of invocation logs. What they cost is reckoned with the price book.

    Raises:
        LogError: see ``read_calls``.
    """
    book = PriceBook.load()
    return read_calls(paths, json_rows, lambda row: _call(row, book))


def _call(row: Mapping[str, Any], book: PriceBook) -> Call:
    if row.get("schemaType") != "ModelInvocationLog":
        raise RowError("its 'schemaType' is not ModelInvocationLog")
    operation, model = text(row, "operation"), _model(text(row, "modelId"))
    if row.get("errorCode"):
        raise Skip("the call failed")
    asked, answered = _part(row, "input"), _part(row, "output")
    body, reply = _body(asked, "input"), _body(answered, "output")
    if operation in _CONVERSE:
        messages, tools, said = _converse(body), _tools(body), _nova(reply)
    elif operation in _INVOKE:
        messages, tools, said = _invoked(model, body, reply)
    else:
        raise Skip(f"{operation} is no chat completion")
    tokens_in = count(asked, "inputTokenCount")
    tokens_out = count(answered, "outputTokenCount")
    cached = count(asked, "cacheReadInputTokenCount") or said.tokens_cached or 0
    written = count(asked, "cacheWriteInputTokenCount") or 0
    given = Usage(
        input_tokens=((said.tokens_in if tokens_in is None else tokens_in) or 0) + cached + written,
        output_tokens=(said.tokens_out if tokens_out is None else tokens_out) or 0,
        cached_tokens=cached,
    )
    known = given.output_tokens > 0
    return Call(
        id=text(row, "requestId"),
        source="bedrock",
        at_ms=millis(row.get("timestamp"), "timestamp"),
        model=model,
        messages=messages,
        tools=tools,
        tenant=_tenant(row.get("identity")),
        answer=said.text,
        finish_reason=said.finish,
        stream=operation.endswith("Stream"),
        tokens_in=given.input_tokens if known else None,
        tokens_out=given.output_tokens if known else None,
        tokens_cached=given.cached_tokens or None,
        cost_nano=cost_of(given, book.price(model)) if known else None,
        latency_ms=said.latency_ms,
    )


def _part(row: Mapping[str, Any], side: str) -> Mapping[str, Any]:
    part = row.get(side)
    if not isinstance(part, Mapping):
        raise RowError(f"{side!r} must be an object")
    return part


def _body(part: Mapping[str, Any], side: str) -> Any:
    body = part.get(f"{side}BodyJson")
    if body is None and part.get(f"{side}BodyS3Path"):
        raise RowError(f"its {side} lies in a file of its own ({side}BodyS3Path); put it in as {side}BodyJson")
    if isinstance(body, str):
        try:
            body = json.loads(body)
        except (ValueError, RecursionError):
            raise RowError(f"'{side}BodyJson' is a text and no JSON") from None
    if not isinstance(body, Mapping | list):
        raise RowError(f"'{side}BodyJson' is missing: text delivery was off, or the log is cut")
    return body


def _model(name: str) -> str:
    """A model's id without account, region and profile."""
    return _REGION.sub("", name.rpartition("/")[2])


def _tenant(identity: object) -> str:
    """The last part of who called: a user's or a session's name."""
    arn = identity.get("arn") if isinstance(identity, Mapping) else None
    name = _NAME.sub("-", str(arn).rpartition("/")[2]).strip("-._")[:64] if arn else ""
    return name or "default"


# --- requests


def _converse(body: Any) -> list[dict[str, Any]]:
    """Messages of Converse and of Nova."""
    if not isinstance(body, Mapping) or not isinstance(body.get("messages"), list):
        raise RowError("its input has no 'messages'")
    return _with_system(body.get("system"), body["messages"])


def _with_system(system: object, listed: Iterable[object]) -> list[dict[str, Any]]:
    said = _joined(system)
    messages: list[dict[str, Any]] = [{"role": "system", "content": said}] if said else []
    for item in listed:
        if not isinstance(item, Mapping) or not isinstance(item.get("role"), str):
            raise RowError("a message has no role")
        messages += _message(item["role"], item.get("content"))
    if not any(message["role"] == "user" for message in messages):
        raise RowError("nobody asked anything in it")
    return messages


def _message(role: str, content: object) -> list[dict[str, Any]]:
    """One message; the results of tools in it become messages of their own, as OpenAI has them."""
    parts = content if isinstance(content, list) else [content]
    found: list[dict[str, Any]] = []
    calls: list[dict[str, Any]] = []
    for part in parts:
        if not isinstance(part, Mapping):
            continue
        used = part.get("toolUse") or (part if part.get("type") == "tool_use" else None)
        done = part.get("toolResult") or (part if part.get("type") == "tool_result" else None)
        if isinstance(used, Mapping):
            function = {"name": str(used.get("name", "")), "arguments": json.dumps(used.get("input", {}))}
            name = str(used.get("toolUseId") or used.get("id") or "")
            calls.append({"id": name, "type": "function", "function": function})
        if isinstance(done, Mapping):
            name = str(done.get("toolUseId") or done.get("tool_use_id") or "")
            found.append({"role": "tool", "tool_call_id": name, "content": _joined(done.get("content"))})
    said = _joined(content)
    if said or calls or not found:
        message: dict[str, Any] = {"role": role, "content": said}
        found.append(message | {"tool_calls": calls} if calls else message)
    return found


def _joined(content: object) -> str:
    """The texts of a content, however it is written."""
    if isinstance(content, str):
        return content
    texts = []
    for part in content if isinstance(content, list) else ():
        if isinstance(part, str):
            texts.append(part)
        elif isinstance(part, Mapping) and isinstance(part.get("text"), str):
            texts.append(part["text"])
        elif isinstance(part, Mapping) and "json" in part:
            texts.append(json.dumps(part["json"], ensure_ascii=False))
    return "\n".join(texts)


def _tools(body: Any) -> list[dict[str, Any]]:
    config = body.get("toolConfig")
    listed = config.get("tools") if isinstance(config, Mapping) else body.get("tools")
    found = []
    for item in listed if isinstance(listed, list) else ():
        spec = item.get("toolSpec", item) if isinstance(item, Mapping) else None
        if not isinstance(spec, Mapping):
            raise RowError("a tool of it has no specification")
        schema = spec.get("inputSchema") or spec.get("input_schema") or {}
        function = {"name": spec.get("name", ""), "description": spec.get("description", "")}
        parameters = schema.get("json", schema) if isinstance(schema, Mapping) else {}
        found.append({"type": "function", "function": {**function, "parameters": parameters}})
    return found


def _llama_messages(body: Any) -> list[dict[str, Any]]:
    """A prompt in Llama's own marks, taken apart; one without marks is the user's."""
    prompt = text(body, "prompt")
    turns = _TURN.findall(prompt)
    messages = []
    for role, said in turns:
        for mark in _MARKS:
            said = said.replace(mark, "")  # noqa: PLW2901
        if said.strip():
            messages.append({"role": "tool" if role == "ipython" else role, "content": said.strip()})
    return messages or [{"role": "user", "content": prompt}]


# --- answers


def _invoked(model: str, body: Any, reply: Any) -> tuple[list[dict[str, Any]], list[dict[str, Any]], Said]:
    if not isinstance(body, Mapping):
        raise RowError("its input is no object")
    if model.startswith("anthropic.") or "anthropic_version" in body:
        if not isinstance(body.get("messages"), list):
            raise RowError("its input has no 'messages' (Anthropic's text completions are not read)")
        return (
            _with_system(body.get("system"), body["messages"]),
            _tools(body),
            _told(reply, _anthropic, _anthropic_events),
        )
    if model.startswith("amazon.nova"):
        return _converse(body), _tools(body), _told(reply, _nova, _nova_events)
    if model.startswith("meta."):
        return _llama_messages(body), [], _told(reply, _llama, _llama_events)
    if "embed" in model or "rerank" in model or "image" in model or "canvas" in model:
        raise Skip(f"{model} is no model for chat")
    raise RowError(f"the shape of {model} is not known; Anthropic, Nova and Llama are read, and Converse for all")


def _told(reply: Any, whole: Callable[[Any], Said], events: Callable[[list[Any]], Said]) -> Said:
    return events(reply) if isinstance(reply, list) else whole(reply)


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _word(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _of(value: object, *names: str) -> Any:
    """A value inside objects; None where one of the names is not there."""
    for name in names:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _nova(reply: Any) -> Said:
    """Converse's answer, and Nova's."""
    if isinstance(reply, list):
        return _nova_events(reply)
    usage = _of(reply, "usage")
    return Said(
        _joined(_of(reply, "output", "message", "content")),
        _word(_of(reply, "stopReason")),
        _number(_of(usage, "inputTokens")),
        _number(_of(usage, "outputTokens")),
        _number(_of(usage, "cacheReadInputTokens") or _of(usage, "cacheReadInputTokenCount")),
        _number(_of(reply, "metrics", "latencyMs")),
    )


def _nova_events(events: list[Any]) -> Said:
    said = "".join(_word(_of(event, "contentBlockDelta", "delta", "text")) or "" for event in events)
    finish = next((_of(event, "messageStop", "stopReason") for event in events if _of(event, "messageStop")), None)
    last: Any = next((event["metadata"] for event in events if _of(event, "metadata")), {})
    usage = _of(last, "usage")
    return Said(
        said, _word(finish), _number(_of(usage, "inputTokens")), _number(_of(usage, "outputTokens")),
        _number(_of(usage, "cacheReadInputTokens") or _of(usage, "cacheReadInputTokenCount")),
        _number(_of(last, "metrics", "latencyMs")),
    )  # fmt: skip


def _anthropic(reply: Any) -> Said:
    usage = _of(reply, "usage")
    return Said(
        _joined(_of(reply, "content")), _word(_of(reply, "stop_reason")), _number(_of(usage, "input_tokens")),
        _number(_of(usage, "output_tokens")), _number(_of(usage, "cache_read_input_tokens")),
    )  # fmt: skip


def _anthropic_events(events: list[Any]) -> Said:
    said = "".join(_word(_of(event, "delta", "text")) or "" for event in events)
    begun = next((_of(event, "message", "usage") for event in events if _of(event, "type") == "message_start"), None)
    ended = next((event for event in events if _of(event, "type") == "message_delta"), None)
    return Said(
        said, _word(_of(ended, "delta", "stop_reason")), _number(_of(begun, "input_tokens")),
        _number(_of(ended, "usage", "output_tokens")), _number(_of(begun, "cache_read_input_tokens")),
    )  # fmt: skip


def _llama(reply: Any) -> Said:
    return Said(
        _word(_of(reply, "generation")) or "", _word(_of(reply, "stop_reason")),
        _number(_of(reply, "prompt_token_count")), _number(_of(reply, "generation_token_count")),
    )  # fmt: skip


def _llama_events(events: list[Any]) -> Said:
    said = "".join(_word(_of(event, "generation")) or "" for event in events)
    last = _llama(events[-1]) if events else Said()
    first = next((n for n in (_number(_of(e, "prompt_token_count")) for e in events) if n is not None), None)
    return Said(said, last.finish, first, last.tokens_out)
