"""The whole gateway in this process: what is sent goes the way of every request."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Mapping, MutableMapping
from typing import TYPE_CHECKING, Any

from evals.runs.asking import AskError, ConfigError, seconds
from evals.runs.places import digest, policy_identity, program
from evals.runs.reply import Reply
from evals.runs.targets.request import body_of, encode, input_tokens, most_output, read_completion
from router.core.cost import cost_of
from router.types import Usage

if TYPE_CHECKING:
    from evals.runs.places import Places
    from evals.suites.rows import Row
    from evals.suites.target_kinds import Gateway

_PATH = "/v1/chat/completions"
_RETRYABLE = frozenset({408, 429, 500, 502, 503, 504})


class Inside:
    """Sends every row through ``router.serve.pipeline.chat``.

    A row is a session of its own, and request ids are drawn from what is asked: so sessions, exploration and shares
    between generations come out the same in every run.
    """

    calls = True
    learns = False

    def __init__(
        self, name: str, places: Places, config: str | None, gateway: Gateway, params: Mapping[str, Any],
        system: str | None,
    ) -> None:  # fmt: skip
        self.name = name
        self._places = places
        self._config = config
        self._gateway = gateway
        self._params = params
        self._system = system
        self._who = ""
        self._failed: Counter[str] = Counter()

    async def open(self) -> None:
        settings = self._places.settings(self._config)
        chosen = self._gateway.policy
        sources = (chosen,) if chosen else settings.policies
        policies = [self._places.policy(source, self._config) for source in sources]
        known = {policy.name for policy in policies} | {"auto", "small", "medium", "large"}
        deployments = self._places.deployments(self._config)
        known |= {name for d in deployments for name in (d.name, d.model)}
        if self._gateway.model not in known:
            words = f"target {self.name!r}: nothing here is called {self._gateway.model!r}"
            raise ConfigError(words, f"there are: {', '.join(sorted(known))}")
        scorer = self._places.scorer(self._config)
        self._who = digest(
            "gateway", program(), [policy_identity(policy) for policy in policies], settings.default_policy,
            self._gateway.model,
            scorer.digest if scorer else None, self._places.identity(deployments, self._config),
            [[d.price.input, d.price.output, d.price.cached_input] for d in deployments],  # they sway the decision
        )  # fmt: skip
        self._policy = next((p for p in policies if p.name == (settings.default_policy or p.name)), policies[0])

    def key(self, row: Row, sample: int) -> str:
        return digest(self._who, body_of(row, sample, self._params, self._system), caller(row), sample)

    def foretell(self, row: Row) -> int | None:
        """The dearest model that may answer; all of them together under a cascade."""
        usage = Usage(input_tokens=input_tokens(row, self._system), output_tokens=most_output(self._params))
        costs = [cost_of(usage, d.price) for d in self._places.deployments(self._config)]
        known = [cost for cost in costs if cost is not None]
        if len(known) < len(costs):
            return None
        return sum(known) if self._policy.body.cascade else max(known)

    async def ask(self, row: Row, sample: int) -> Reply:
        from router.serve.http.exchange import Exchange, Incoming
        from router.serve.pipeline import chat

        cell = self._places.cell(self._gateway.policy, self._config)
        key = self.key(row, sample)
        request_id = f"req_{key[:20]}{self._failed[key]:04x}"  # the ledger takes an id once
        body = encode(body_of(row, sample, self._params, self._system), self._gateway.model)
        heard = _Heard()
        headers = {**caller(row), "x-stillhouse-session": f"eval-{key[:24]}"}
        sent = {name.encode(): value.encode("latin-1", "replace") for name, value in headers.items()}
        await chat(cell, Incoming(_PATH, sent, body, request_id), Exchange(heard.receive, heard.send, request_id))
        if heard.status != 200:
            self._failed[key] += 1
            raise error_of(heard.status, heard.body, heard.headers.get("retry-after"))
        record = await asyncio.to_thread(cell.ledger.get, request_id) or {}
        return reply_of(heard.body, record)

    def priced(self, reply: Reply) -> Reply:
        """Its prices are part of its key."""
        return reply

    async def close(self) -> None:
        """The places are shared; who made them closes them."""


class _Heard:
    """A caller who sends one body, waits, and keeps what comes."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self._parts: list[bytes] = []

    @property
    def body(self) -> bytes:
        return b"".join(self._parts)

    async def receive(self) -> MutableMapping[str, Any]:
        await asyncio.Event().wait()  # it never leaves
        raise AssertionError

    async def send(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in message["headers"]}
        else:
            self._parts.append(message.get("body", b""))


def caller(row: Row) -> dict[str, str]:
    """Headers that say who asks."""
    said = {"x-stillhouse-tag": ",".join(row.caller.get("tags") or ()), "x-stillhouse-tier": row.caller.get("tier")}
    return {name: value for name, value in said.items() if value}


def error_of(status: int, body: bytes, retry_after: str | None) -> AskError:
    """What an OpenAI error object says."""
    try:
        error = json.loads(body)["error"]
        words = f"{error['code']}: {error['message']}"
    except (ValueError, KeyError, TypeError):
        words = f"HTTP {status}"
    limited = status in {429, 503}
    return AskError(words, retryable=status in _RETRYABLE, limited=limited, retry_after=seconds(retry_after))


def reply_of(body: bytes, record: Mapping[str, Any]) -> Reply:
    """The answer with what the ledger says of it: numbers and names."""
    text, usage, *_ = read_completion(body)
    attempts = record.get("attempts") or []
    paid = [one for one in attempts if one.get("tokens_out") is not None]
    acts = (record.get("guard_in") or "none", record.get("guard_out") or "none")
    found = [one for one in record.get("findings") or () if not one.get("shadow")]
    return Reply(
        text=text, calls=len(paid), tier=record.get("tier_served"), model=record.get("model") or "",
        tokens_in=_first(record.get("tokens_in"), usage and usage.input_tokens),
        tokens_out=_first(record.get("tokens_out"), usage and usage.output_tokens),
        cost_nano=0 if not paid and max(acts, key=_STRICT.index) == "block" else record.get("cost_nano"),
        baseline_nano=record.get("baseline_nano"), latency_ms=record.get("total_ms"),
        reasons=tuple(reason["id"] for reason in record.get("reasons") or ()), p_right=record.get("p_right") or {},
        action=max(acts, key=_STRICT.index), categories=tuple(sorted({one["category"] for one in found})),
        alarm=max((one["score"] for one in found), default=0.0),
    )  # fmt: skip


_STRICT = ("none", "detect", "mask", "block")


def _first(*values: Any) -> Any:
    return next((value for value in values if value is not None), None)
