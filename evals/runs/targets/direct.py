"""One tier or model alone: no guards, no decision, straight to the upstream."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

import msgspec

from evals.runs.asking import AskError, ConfigError, ask_error
from evals.runs.places import digest
from evals.runs.reply import Reply
from evals.runs.targets.request import body_of, encode, input_tokens, most_output, read_completion
from router.core.cost import cost_of
from router.core.plan import pick
from router.errors import UpstreamAbstained, UpstreamError
from router.types import Deployment, Usage
from router.upstream.base import Deadline

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from evals.runs.places import Places
    from evals.suites.rows import Row
    from router.types import TierName

_PATIENCE: Final = Deadline(first_byte=600, gap=120, total=900)


class Direct:
    """Asks the deployments of a tier, or one deployment.

    Args:
        tier: its deployments, by their shares.
        model: or a deployment by its name or its model's.
        otherwise: who is asked, one after the other, where the model abstains.
        params: further fields of every request.
    """

    calls = True
    learns = False

    def __init__(
        self, name: str, places: Places, config: str | None, *, tier: TierName | None = None, model: str | None = None,
        otherwise: Sequence[str] = (), params: Mapping[str, Any], system: str | None = None,
    ) -> None:  # fmt: skip
        self.name = name
        self._places = places
        self._config = config
        self._wanted = (tier, model)
        self._params = params
        self._system = system
        self._otherwise = otherwise
        self._there: tuple[Deployment, ...] = ()
        self._next: tuple[Deployment, ...] = ()
        self._who = ""

    async def open(self) -> None:
        tier, model = self._wanted
        listed = self._places.deployments(self._config)
        self._there = tuple(d for d in listed if (d.tier == tier and not d.candidate) or model in {d.name, d.model})
        behind = [next((d for d in listed if name in {d.name, d.model}), None) for name in self._otherwise]
        self._next = tuple(d for d in behind if d is not None)
        if not self._there or None in behind:
            missing = (tier or model) if not self._there else self._otherwise[behind.index(None)]
            known = ", ".join(f"{d.name} ({d.tier})" for d in listed) or "none"
            raise ConfigError(f"target {self.name!r}: no model here is {missing!r}", f"there are: {known}")
        groups = (self._there, self._next) if self._next else (self._there,)
        self._who = digest("direct", *(self._places.identity(group, self._config) for group in groups))

    def key(self, row: Row, sample: int) -> str:
        return digest(self._who, self._chosen(row).name, body_of(row, sample, self._params, self._system), sample)

    @property
    def models(self) -> tuple[str, ...]:
        """Who may be asked, once it is open."""
        return tuple(d.model for d in (*self._there, *self._next))

    @property
    def who(self) -> str:
        """Names what decides the answers, beside the request; once it is open."""
        return self._who

    def _chosen(self, row: Row) -> Deployment:
        """One of several generations, by their shares; the same row always asks the same."""
        if len(self._there) == 1:
            return self._there[0]
        return pick(self._there, int(digest(row.id)[:12], 16) / 16**12)

    def foretell(self, row: Row) -> int | None:
        return self.cost(row, most_output(self._params))

    def cost(self, row: Row, output_tokens: int) -> int | None:
        """Nano-dollars of an answer of that length, its prompt by estimate; None where a price is not known."""
        usage = Usage(input_tokens=input_tokens(row, self._system), output_tokens=output_tokens)
        costs = [cost_of(usage, d.price) for d in (self._chosen(row), *self._next)]
        known = [cost for cost in costs if cost is not None]
        return max(known) if len(known) == len(costs) else None

    async def ask(self, row: Row, sample: int) -> Reply:
        since = time.perf_counter()
        for tried, d in enumerate((self._chosen(row), *self._next), 1):
            upstream = self._places.cell(config=self._config).upstreams[d.upstream]
            body = encode(body_of(row, sample, self._params, self._system), d.model)
            try:
                answer = await upstream.chat(body, _PATIENCE)
            except UpstreamAbstained:
                continue
            except UpstreamError as error:
                raise ask_error(error) from None
            return self._said(answer.body, d, tried, (time.perf_counter() - since) * 1e3)
        return self.priced(self._left_to_others(row, d, (time.perf_counter() - since) * 1e3))

    def _said(self, answer: bytes, d: Deployment, calls: int, took: float) -> Reply:
        said = read_completion(answer)
        text, usage = said.text, said.usage
        if usage is None and not text:
            raise AskError("the answer is empty and says nothing of its tokens")
        return self.priced(
            Reply(
                text=text, calls=calls, tier=d.tier, model=d.model, latency_ms=took,
                tokens_in=usage.input_tokens if usage else None, tokens_out=usage.output_tokens if usage else None,
                finish=said.finish, chances=said.chances,
            )
        )  # fmt: skip

    def _left_to_others(self, row: Row, d: Deployment, took: float) -> Reply:
        """Asked alone, what a head abstains from is no failure and no right answer either: it said nothing."""
        return Reply(
            text="", calls=1, tier=d.tier, model=d.model, latency_ms=took,
            tokens_in=input_tokens(row, self._system), tokens_out=0, finish="abstained",
        )  # fmt: skip

    def priced(self, reply: Reply) -> Reply:
        """At the price of its deployment; against the large tier's, where one is configured."""
        if reply.tokens_in is None or reply.tokens_out is None:
            return reply
        usage = Usage(input_tokens=reply.tokens_in, output_tokens=reply.tokens_out)
        mine = next((d.price for d in (*self._there, *self._next) if d.model == reply.model), None)
        listed = self._places.deployments(self._config)
        large = next((d.price for d in listed if d.tier == "large" and not d.candidate), None)
        return msgspec.structs.replace(
            reply,
            cost_nano=cost_of(usage, mine) if mine else reply.cost_nano,
            baseline_nano=cost_of(usage, large) if large else None,
        )

    async def close(self) -> None:
        """The places are shared; who made them closes them."""
