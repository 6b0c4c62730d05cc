"""A running gateway, or any server that speaks OpenAI's wire, over HTTP."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, Final

from evals.runs.asking import AskError, ConfigError, ask_error
from evals.runs.places import digest
from evals.runs.reply import Reply
from evals.runs.targets.inside import caller, error_of
from evals.runs.targets.request import body_of, encode, read_completion
from router.errors import UpstreamError
from router.serve.settings import read_secret
from router.types import TIER_NAMES
from router.upstream.base import Deadline
from router.upstream.transport import AiohttpTransport

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evals.suites.rows import Row
    from evals.suites.target_kinds import Gateway
    from router.upstream.transport import Response

_PATIENCE: Final = Deadline(first_byte=600, gap=120, total=900)
_LOOK: Final = Deadline(first_byte=15, gap=15, total=15)
#: Decided the same as long as policy, scorer and prices are: it tells one state of a gateway from another.
_PROBE: Final = "How many litres of water fit into a tank of 40 by 50 by 60 centimetres, and how do you know?"


class Remote:
    """Posts every row; the headers say tier, reason and cost, where the server is ours.

    What decides there cannot be seen from here, so ``open`` asks its listing and, of a Stillhouse, one decision
    (no model is asked): answers are kept for as long as both stay the same.
    """

    calls = True
    learns = True

    def __init__(self, name: str, gateway: Gateway, params: Mapping[str, Any], system: str | None) -> None:
        assert gateway.base_url is not None
        self.name = name
        self._base = gateway.base_url.rstrip("/")
        self._model = gateway.model
        self._secret = gateway.api_key
        self._params = params
        self._system = system
        self._wire = AiohttpTransport()
        self._headers = {"Content-Type": "application/json"}
        self._dearest: int | None = None
        self._who = ""

    async def open(self) -> None:
        try:
            token = read_secret(self._secret)
        except ValueError as error:
            raise ConfigError(f"target {self.name!r}: {error}") from None
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
        listing = await self._look("GET", "/models", None)
        body = {"model": self._model, "messages": [{"role": "user", "content": _PROBE}]}
        decided = await self._look("POST", "/route", json.dumps(body).encode())
        if decided is not None:
            decided.pop("id", None)
        self._who = digest("remote", self._base, self._model, listing, decided)

    async def _look(self, method: str, path: str, body: bytes | None) -> dict[str, Any] | None:
        """A JSON object, or None where the server has nothing there.

        Raises:
            ConfigError: nobody answers at all.
        """
        try:
            response = await self._wire.send(method, self._base + path, self._headers, body, _LOOK)
        except UpstreamError as error:
            raise ConfigError(
                f"target {self.name!r}: {error.message}", "is base_url right, and is it running?"
            ) from None
        try:
            found = json.loads(await response.read()) if response.status == 200 else None
        except (ValueError, UpstreamError):
            return None
        finally:
            response.close()
        return found if isinstance(found, dict) else None

    def key(self, row: Row, sample: int) -> str:
        return digest(self._who, body_of(row, sample, self._params, self._system), caller(row), sample)

    def foretell(self, row: Row) -> int | None:  # noqa: ARG002  (no price is known here)
        """The dearest answer so far; before the first one nothing is known."""
        return self._dearest

    async def ask(self, row: Row, sample: int) -> Reply:
        body = encode(body_of(row, sample, self._params, self._system), self._model)
        # A session of its own. A key may not be allowed our own header; this one is any client's.
        headers = {**self._headers, **caller(row), "x-session-id": f"eval-{self.key(row, sample)[:24]}"}
        since = time.perf_counter()
        try:
            response = await self._wire.send("POST", f"{self._base}/chat/completions", headers, body, _PATIENCE)
            try:
                raw = await response.read()
            finally:
                response.close()
        except UpstreamError as error:
            raise ask_error(error) from None
        took = (time.perf_counter() - since) * 1e3
        if response.status != 200:
            raise error_of(response.status, raw, response.header("retry-after") or None)
        return self._reply(raw, response, took)

    def _reply(self, raw: bytes, response: Response, took: float) -> Reply:
        text, usage, *_ = read_completion(raw)
        if usage is None and not text:
            raise AskError("the answer is empty and says nothing of its tokens")
        cost, tier = response.header("x-stillhouse-cost"), response.header("x-stillhouse-tier")
        if response.header("x-stillhouse-policy") and not tier:
            cost = "0"  # a guard stopped it: nobody was asked
        reply = Reply(
            text=text, calls=1, latency_ms=took, tier=next((t for t in TIER_NAMES if t == tier), None),
            model=response.header("x-stillhouse-model") or self._model,
            tokens_in=usage.input_tokens if usage else None, tokens_out=usage.output_tokens if usage else None,
            cost_nano=int(cost) if cost.isdigit() else None,
            reasons=tuple(filter(None, response.header("x-stillhouse-reason").split(","))),
        )  # fmt: skip
        if reply.cost_nano is not None:
            self._dearest = max(self._dearest or 0, reply.cost_nano)
        return reply

    def priced(self, reply: Reply) -> Reply:
        """What the gateway said it cost."""
        return reply

    async def close(self) -> None:
        await self._wire.close()
