"""The wall clock of a gateway jumps by an hour, forward and back: with the limits in a file it is theirs, too."""

from __future__ import annotations

import asyncio
import contextlib
import os
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from evals.faults.claims import Claim, late, least, most, share
from evals.faults.stage import Stage, Told, keys_in
from evals.limits.biller import Biller

HOUR = 3600.0
BUDGET, PLACES, A_MINUTE = 6_000_000, 4, 100  # nano-dollars a day; requests in progress, and a minute
_ROWS = "SELECT id, outcome, cost_nano, total_ms, at_ms FROM requests"
_SHIFT = """
import mmap, os, struct, time
_shift = mmap.mmap(os.open(os.environ["SHIFT"], os.O_RDONLY), 8, prot=mmap.PROT_READ)
_time, _time_ns = time.time, time.time_ns
time.time = lambda: _time() + struct.unpack("d", _shift)[0]
time.time_ns = lambda: _time_ns() + int(struct.unpack("d", _shift)[0] * 1e9)
"""


class Hand:
    """The hand that turns the clock of processes which are started inside ``clock``."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.turn(0.0)

    def turn(self, seconds: float) -> None:
        """So far from the true time it is now."""
        with self._path.open("r+b" if self._path.exists() else "wb") as file:
            file.write(struct.pack("d", seconds))


@contextlib.contextmanager
def clock(folder: Path) -> Iterator[Hand]:
    """Processes started from here see a wall clock that can be turned; their monotonic one is left alone."""
    folder.mkdir(parents=True)
    (folder / "sitecustomize.py").write_text(_SHIFT)
    hand = Hand(folder / "shift")
    before = os.environ.get("PYTHONPATH")
    os.environ |= {"PYTHONPATH": f"{folder}{os.pathsep}{before or ''}", "SHIFT": str(folder / "shift")}
    try:
        yield hand
    finally:
        del os.environ["SHIFT"], os.environ["PYTHONPATH"]
        if before is not None:
            os.environ["PYTHONPATH"] = before


class Worn:
    """What callers saw, by tenant and phase. A phase lies between two jumps."""

    def __init__(self) -> None:
        self.told: dict[str, list[list[Told]]] = {}

    def add(self, tenant: str, told: list[Told]) -> None:
        """One more phase of a tenant's."""
        self.told.setdefault(tenant, []).append(told)

    def all(self, tenant: str) -> list[Told]:
        """All phases of a tenant's."""
        return [each for phase in self.told[tenant] for each in phase]


async def jumps(folder: Path, *, seconds: float = 4.0, hours: tuple[int, ...] = (0, 1, 0, -1)) -> list[Claim]:
    """Two gateways with one file of limits; their clock jumps forward by an hour, back, and back once more."""
    with clock(folder.parent / "clock") as hand:
        noon = 43_200 - time.time() % 86_400  # so that no jump leaves the day
        hand.turn(noon)
        async with _two(folder) as (gateways, server):
            seen = Worn()
            for hour in hours:
                inside = await _hold(gateways[0], server)
                hand.turn(noon + hour * HOUR)
                await asyncio.gather(*(_held(gateways[1]) for _ in range(PLACES)), *inside)
                for tenant, told in (await _phase(gateways, seconds)).items():
                    seen.add(tenant, told)
            await asyncio.sleep(1.0)
            rows = [row for each in gateways for row in each.rows(_ROWS)]
            return [*_limits(seen, server), *_records(seen, server, rows)]


@contextlib.asynccontextmanager
async def _two(folder: Path) -> AsyncIterator[tuple[list[Stage], Biller]]:
    server = Biller(1)
    await server.start()
    keys = keys_in(folder / "a", ("free", "rich", "fast", "few", "held"))
    (folder / "b").mkdir()
    (folder / "b" / "keys.json").write_bytes((folder / "a" / "keys.json").read_bytes())
    more = (
        f"server: {{keys: required}}\nlimits:\n  store: {folder / 'limits.db'}\n  tenants:\n"
        f"    rich: {{usd_per_day: {BUDGET / 1e9}}}\n    fast: {{requests_per_minute: {A_MINUTE}}}\n"
        f"    few: {{parallel: {PLACES}}}\n    held: {{parallel: {PLACES}}}\n"
    )
    gateways = [Stage(folder / name, server, ("small",), more, keys) for name in "ab"]
    await asyncio.gather(*(each.start() for each in gateways))
    try:
        yield gateways, server
    finally:
        await asyncio.gather(*(each.stop() for each in gateways))
        await server.stop()


async def _hold(gateway: Stage, server: Biller) -> list[asyncio.Task[Told]]:
    """Take all places of a tenant for a while."""
    server.slow["held"] = 3.0
    asked = [asyncio.create_task(_held(gateway)) for _ in range(PLACES)]

    async def full() -> bool:
        return server.inside_of["held"] == PLACES

    assert await gateway.until(full, 10) < 10, "the places are not to be had"
    server.slow.clear()
    return asked


async def _held(gateway: Stage) -> Told:
    return await gateway.ask(tenant="held", text="n held says hello")


async def _phase(gateways: list[Stage], seconds: float) -> dict[str, list[Told]]:
    def ask(tenant: str, i: int) -> Awaitable[Told]:
        return gateways[i % 2].ask(tenant=tenant, text=f"n {tenant} says hello", timeout="5")

    rates = {"free": 10, "rich": 20, "fast": 1.6 * A_MINUTE / seconds, "few": 40}
    told = await asyncio.gather(
        *(gateways[0].traffic(rate, seconds, partial(ask, tenant)) for tenant, rate in rates.items())
    )
    return dict(zip(rates, told, strict=True))


def _limits(seen: Worn, server: Biller) -> list[Claim]:
    spent = sum(bill.nano for bill in server.bills if bill.tenant == "rich")
    fast = [sum(each.status == 200 for each in phase) for phase in seen.told["fast"]]
    return [
        most("overshoot: money", max(0, spent - BUDGET), 0),
        least("of the money, spent", spent / BUDGET, 0.5),
        most("overshoot: requests in progress", max(0, server.most_of["few"] - PLACES), 0),
        most("overshoot: places that were held while the clock jumped", max(0, server.most_of["held"] - PLACES), 0),
        most("overshoot: requests between two jumps", max(0, max(fast) - A_MINUTE), 0),
        least("requests let in between two jumps, at least, of those allowed", min(fast) / A_MINUTE, 0.8),
        most("seconds between two answers, where all places are asked for", max(map(_gap, seen.told["few"])), 2.0),
    ]


def _gap(phase: list[Told]) -> float:
    """The longest time without an answer between the first question of a phase and the last."""
    ends = sorted(each.begun + each.seconds for each in phase if each.status == 200)
    return float(max(np.diff([phase[0].begun, *(at for at in ends if at < phase[-1].begun), phase[-1].begun])))


def _records(seen: Worn, server: Biller, rows: list[tuple[Any, ...]]) -> list[Claim]:
    kept = {row[0]: row for row in rows if row[1] == "ok"}
    answered = [each for tenant in seen.told for each in seen.all(tenant) if each.whole]
    bills, booked = sum(bill.nano for bill in server.bills), sum(row[2] for row in kept.values())
    hours = {round(row[4] / 1e3 / HOUR * 2) / 2 for row in rows}
    assert len(hours) > 1, "the clock did not jump"
    return [
        least("requests without a limit answered", share(seen.all("free")), 1.0),
        most("seconds of the worst beyond its deadline of 5", max(late(seen.all(t), 5.0) for t in seen.told), 1.0),
        most("answers that are not on record", sum(each.id not in kept for each in answered), 0),
        most("ledger: its sum against the bills, nano-dollars", abs(bills - booked), 0),
        most("records whose time is none", sum(not 0 <= row[3] <= 6_000 for row in rows), 0),
    ]
