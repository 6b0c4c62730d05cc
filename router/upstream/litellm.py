"""Providers that do not speak the OpenAI wire (Bedrock, Anthropic, Vertex, …), through litellm.

litellm takes seconds and hundreds of megabytes to import, so it is loaded on the first call, in a
thread. It is told not to retry, not to phone anywhere for its price table, and not to log.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.metadata
import json
import logging
import os
from collections.abc import AsyncIterator
from typing import Any

from router.errors import (
    UpstreamError,
    UpstreamInvalid,
    UpstreamRejected,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from router.upstream.base import Deadline, Reply
from router.upstream.errormap import error_of

MALICIOUS = frozenset({"1.82.7", "1.82.8"})  # these releases carried a credential stealer

_STATUS_WORDS = {
    "ContextWindowExceededError": "context_length_exceeded",
    "ContentPolicyViolationError": "content_filter",
    "UnsupportedParamsError": "unsupported_parameter",
}


#: What litellm is told of a request. It takes much else as keyword arguments, an address and credentials among them
#: (``api_base``, ``extra_headers``, ``aws_…``): a caller who could say those would be sent the operator's key.
_TOLD = frozenset(
    {
        "model", "messages", "stream", "stream_options", "tools", "tool_choice", "parallel_tool_calls", "functions",
        "function_call", "max_tokens", "max_completion_tokens", "n", "stop", "temperature", "top_p", "top_k", "seed",
        "presence_penalty", "frequency_penalty", "logit_bias", "logprobs", "top_logprobs", "response_format", "user",
        "reasoning_effort", "thinking", "verbosity", "modalities", "audio", "prediction", "web_search_options",
        "service_tier", "safety_identifier", "prompt_cache_key", "prompt_cache_retention", "store", "metadata",
        "input", "dimensions", "encoding_format",
    }
)  # fmt: skip
_PLACES = ("http:", "https:", "ftp:", "file:", "gs:", "s3:")


class LiteLLMUpstream:
    """One provider behind litellm. Models carry litellm's provider prefix, e.g. ``bedrock/…``.

    Args:
        name: for the ledger and the start-up table.
        api_key: empty where litellm finds credentials by itself (AWS profiles, Google ADC).
        base_url: only where the provider's address differs from litellm's own.
    """

    def __init__(self, name: str, api_key: str, base_url: str | None = None) -> None:
        self.name = name
        self._options: dict[str, Any] = {}
        if api_key:
            self._options["api_key"] = api_key
        if base_url:
            self._options["api_base"] = base_url  # the one name that all of its calls obey
        self._litellm: Any = None
        self._loading = asyncio.Lock()

    async def _load(self) -> Any:
        async with self._loading:
            if self._litellm is None:
                self._litellm = await asyncio.to_thread(_import)
        return self._litellm

    async def chat(self, body: bytes, deadline: Deadline) -> Reply:
        answer = await self._ask("acompletion", _fields(body), deadline, deadline.total)
        return Reply(answer.model_dump_json(exclude_unset=True).encode())

    async def chat_stream(self, body: bytes, deadline: Deadline) -> LiteLLMStream:
        answer = await self._ask("acompletion", _fields(body), deadline, deadline.first_byte)
        stream = LiteLLMStream(answer, deadline)
        await stream.open()
        return stream

    async def embeddings(self, body: bytes, deadline: Deadline) -> Reply:
        answer = await self._ask("aembedding", _fields(body), deadline, deadline.total)
        return Reply(answer.model_dump_json(exclude_unset=True).encode())

    async def models(self, deadline: Deadline) -> list[str]:  # noqa: ARG002  (litellm has no listing to ask)
        return []

    async def close(self) -> None:
        """Let go of the connections that litellm keeps for itself, and of the clients tied to this loop."""
        if self._litellm is not None:
            await self._litellm.close_litellm_async_clients()
            self._litellm.in_memory_llm_clients_cache.flush_cache()

    async def _ask(self, call: str, fields: dict[str, Any], deadline: Deadline, limit: float) -> Any:
        litellm = await self._load()
        options = {**self._options, "timeout": deadline.total, "max_retries": 0, "num_retries": 0}
        try:
            async with asyncio.timeout(limit):
                return await getattr(litellm, call)(**fields, **options)
        except TimeoutError:
            raise UpstreamTimeout("The model's server did not answer in time.") from None
        except Exception as error:  # noqa: BLE001  (litellm raises every provider's own classes)
            raise _translated(error) from None


class LiteLLMStream:
    """The events of one streamed answer."""

    waiting = False

    def __init__(self, chunks: Any, deadline: Deadline) -> None:
        self._chunks = chunks
        self._iterator = aiter(chunks)
        self._gap = deadline.gap
        self._first: bytes | None = None
        self.request_id: str | None = None

    async def open(self) -> None:
        """Read the first event, so that a fault can still be an HTTP status."""
        self._first = await self._next()
        if self._first is None:
            raise UpstreamInvalid("The model's server ended the stream before it began.")

    async def _next(self) -> bytes | None:
        try:
            async with asyncio.timeout(self._gap):
                chunk = await anext(self._iterator)
        except StopAsyncIteration:
            return None
        except TimeoutError:
            raise UpstreamTimeout("The model's server fell silent in the middle of its answer.") from None
        except Exception as error:  # noqa: BLE001  (as above)
            raise _translated(error) from None
        data: bytes = chunk.model_dump_json(exclude_unset=True).encode()
        return data

    async def events(self) -> AsyncIterator[bytes]:
        data = self._first
        while data is not None:
            yield data
            data = await self._next()

    async def close(self) -> None:
        closing = getattr(self._chunks, "aclose", None) or getattr(
            getattr(self._chunks, "completion_stream", None), "aclose", None
        )
        if closing is not None:
            await closing()


def _fields(body: bytes) -> dict[str, Any]:
    """What litellm is asked.

    Raises:
        UpstreamRejected: a field that it would take for a setting of its own, or an address that it would fetch.
    """
    fields: dict[str, Any] = json.loads(body)
    for name in fields:
        if name not in _TOLD:
            words = f"The model behind this gateway does not take the parameter {name[:64]!r}."
            raise UpstreamRejected(words, status=400, code="unsupported_parameter", param=name[:64])
    fields.pop("metadata", None)  # litellm's own bookkeeping reads it
    for message in fields.get("messages") or ():
        content = message.get("content") if isinstance(message, dict) else None
        for part in content if isinstance(content, list) else ():
            if isinstance(part, dict) and _names_a_place({key: part[key] for key in part if key != "text"}):
                words = "This model's provider is sent no addresses; send the image or file itself, as a data URL."
                raise UpstreamRejected(words, status=400, code="unsupported_parameter", param="messages")
    return fields


def _names_a_place(value: Any) -> bool:
    """Whether an address stands in a part of a message: litellm fetches some, and we fetch nothing for a caller."""
    if isinstance(value, str):
        return value[:16].lstrip().lower().startswith(_PLACES)
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(_names_a_place(each) for each in inside)


def _import() -> Any:
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # or it asks the network at import
    os.environ.setdefault("LITELLM_LOG", "CRITICAL")
    try:
        litellm: Any = importlib.import_module("litellm")
    except ImportError:
        raise UpstreamUnavailable(
            "This provider needs the extra 'providers', which the operator has not installed."
        ) from None
    version = importlib.metadata.version("litellm")
    if version in MALICIOUS:
        raise UpstreamUnavailable(f"litellm {version} is a malicious release and is not used.")
    litellm.suppress_debug_info = True
    litellm.telemetry = False
    for name in ("LiteLLM", "LiteLLM Proxy", "LiteLLM Router"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # its lines may quote prompts
    return litellm


def _translated(error: Exception) -> UpstreamError:
    """Our error for one of litellm's, by the status it carries."""
    if isinstance(error, UpstreamError):
        return error
    kind = type(error).__name__
    if kind in {"Timeout", "APITimeoutError"}:
        return UpstreamTimeout("The model's server did not answer in time.")
    status = getattr(error, "status_code", None)
    if not isinstance(status, int):
        return UpstreamUnavailable("The model's server failed.")
    if kind == "APIConnectionError":
        return UpstreamUnavailable("The model's server cannot be reached.")
    words = _message(error)
    media = "text/html" if words.lstrip()[:9].lower().startswith(("<html", "<!doctype")) else "application/json"
    body = json.dumps({"error": {"message": words, "code": _STATUS_WORDS.get(kind, _code(error))}}).encode()
    headers = getattr(error, "litellm_response_headers", None) or {}
    translated = error_of(status, media, body, str(headers.get("retry-after", "")))
    if isinstance(translated, UpstreamRejected):
        param = getattr(error, "param", None)
        translated.param = param if isinstance(param, str) else None
    return translated


def _message(error: Exception) -> str:
    """The provider's words without litellm's class names in front of them."""
    text = str(getattr(error, "message", error))
    for _ in range(3):
        head, found, tail = text.partition(": ")
        if found and head.startswith("litellm."):
            text = tail
            continue
        head, found, tail = text.partition(" - ")
        if found and head.endswith("Exception"):
            text = tail
            continue
        break
    return text


def _code(error: Exception) -> str:
    code = getattr(error, "code", None)
    return code if isinstance(code, str) and not code.isdigit() else ""
