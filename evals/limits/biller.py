"""The model's server of the storm: it draws what an answer takes, honours ``max_tokens``, and says what it billed."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from typing import Any, NamedTuple

from evals.faults.server import Server, whole_answer

IN_NANO, OUT_NANO = 100, 200  # a token, as evals.faults.stage.PRICE says by the million


class Bill(NamedTuple):
    """One answer that was generated, whoever got it. Times are the monotonic clock's seconds."""

    name: str
    tenant: str
    came: float
    ended: float
    given: int
    made: int

    @property
    def nano(self) -> int:
        """What it costs."""
        return self.given * IN_NANO + self.made * OUT_NANO


class Biller(Server):
    """Asked ``NAME TENANT``. It works on when its caller has gone, as many do: what was generated is billed.

    Attributes:
        bills: what was generated. cut: answers that ``max_tokens`` ended.
        inside_of, most_of: calls of a tenant under way now, and at once at most.
        slow: seconds that an answer takes beyond what was drawn, by tenant.
    """

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._draw = random.Random(seed)  # noqa: S311  (to be repeated)
        self.bills: list[Bill] = []
        self.cut = 0
        self.inside_of: Counter[str] = Counter()
        self.most_of: Counter[str] = Counter()
        self.slow: dict[str, float] = {}

    async def _answer(self, body: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        work = asyncio.create_task(self._generate(body))
        usage = await asyncio.shield(work)
        writer.write(whole_answer(body["model"], usage))
        await writer.drain()

    async def _generate(self, body: dict[str, Any]) -> dict[str, int]:
        came, text = time.monotonic(), str(body["messages"][-1]["content"])
        name, tenant = text.split()[:2]
        bound = body.get("max_tokens") or body.get("max_completion_tokens") or 32_768
        wanted = self._draw.randrange(20, 500) if self._draw.random() < 0.95 else self._draw.randrange(500, 4_000)
        given, made = self._draw.randrange(8, len(json.dumps(body))), min(wanted, bound)
        self.cut += made < wanted
        self.inside_of[tenant] += 1
        self.most_of[tenant] = max(self.most_of[tenant], self.inside_of[tenant])
        try:
            await asyncio.sleep(self._draw.uniform(0.05, 0.4) + self.slow.get(tenant, 0.0))
        finally:
            self.inside_of[tenant] -= 1
        self.bills.append(Bill(name, tenant, came, time.monotonic(), given, made))
        return {"prompt_tokens": given, "completion_tokens": made, "total_tokens": given + made}
