"""What is done to the gateway, and what must hold. Each scenario gives back claims: what, measured, goal, kept."""

from __future__ import annotations

import asyncio
import json
import resource
import signal
import socket
import time
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from evals.faults.stage import Stage, Told, stage


class Claim(NamedTuple):
    """One thing that was measured."""

    what: str
    value: float
    goal: str
    kept: bool


def most(what: str, value: float, limit: float) -> Claim:
    """It must not be above the limit."""
    return Claim(what, round(value, 3), f"≤ {limit:g}", value <= limit)


def least(what: str, value: float, limit: float) -> Claim:
    """It must not be below the limit."""
    return Claim(what, round(value, 3), f"≥ {limit:g}", value >= limit)


def share(told: list[Told]) -> float:
    """Answered well."""
    return sum(each.whole for each in told) / len(told)


def late(told: list[Told], deadline: float) -> float:
    """Seconds beyond the deadline, of the worst."""
    return max(each.seconds for each in told) - deadline


def p99(seconds: list[float]) -> float:
    """The 99th percentile."""
    return float(np.percentile(seconds, 99))


# --- a server goes wrong


async def black_hole(folder: Path, *, stream: bool) -> list[Claim]:
    """The small tier's server stops answering under traffic, and comes back."""
    async with stage(folder) as at:
        ask = partial(at.ask, "small", stream=stream, timeout="5")
        await at.traffic(20, 6, lambda _: ask())
        at.server.how["m-small"] = "hang"
        hole = asyncio.create_task(at.traffic(20, 10, lambda _: ask()))
        found = await at.until(at.resting, 10)
        told = await hole
        at.server.how["m-small"] = "well"
        healed = asyncio.create_task(at.traffic(5, 40, lambda _: ask()))
        back = await at.until(lambda: _none(at), 40)
        healed.cancel()
        return [
            most("seconds until it is found", found, 2.0),
            least("share answered, by the tier above", share(told), 0.99),
            most("seconds of the worst beyond its deadline of 5", late(told, 5.0), 1.0),
            most("seconds until it is taken back", back, 31.0),
        ]


async def _none(at: Stage) -> bool:
    return not await at.resting()


async def failing(folder: Path, *, how: str, stream: bool = False) -> list[Claim]:
    """Every call to the small tier's server goes wrong in one way."""
    async with stage(folder) as at:
        at.server.how["m-small"] = how
        ask = partial(at.ask, "small", stream=stream, timeout="5")
        told = await at.traffic(20, 8, lambda _: ask())
        calls = at.server.asked.total() / len(told)
        return [
            least("share answered", share(told), 0.99),
            most("calls a request", calls, 1.2),
            most("seconds of the worst beyond its deadline of 5", late(told, 5.0), 1.0),
        ]


async def lone(folder: Path, *, how: str) -> list[Claim]:
    """The only deployment there is goes wrong: callers must learn at once, and it must not be asked in vain."""
    async with stage(folder, tiers=("large",)) as at:
        at.server.how["m-large"] = how
        told = await at.traffic(20, 10, lambda _: at.ask("large", timeout="5"))
        after = [each for each in told if each.begun > told[0].begun + 3]
        quick = [each.seconds for each in after if each.code == "upstream_resting"]
        return [
            least("share told at once, after 3 seconds", len(quick) / len(after), 0.9),
            most("seconds until told, p99", p99(quick), 0.1),
            most("calls a request", at.server.asked.total() / len(told), 0.3),
        ]


async def trickle(folder: Path) -> list[Claim]:
    """A stream that says a word now and then and never ends."""
    async with stage(folder, tiers=("large",)) as at:
        at.server.how["m-large"] = "trickle"
        told = await at.traffic(5, 4, lambda _: at.ask("large", stream=True, timeout="2"))
        return [most("seconds of the worst beyond its deadline of 2", late(told, 2.0), 1.0)]


async def overload(folder: Path) -> list[Claim]:
    """Five times what the lone server bears, which says 503 beyond its ten places; one in ten is critical."""
    more = "server: {max_concurrent: 10, queue: 20, queue_seconds: 1}\n"
    async with stage(folder, tiers=("large",), more=more) as at:
        at.server.how["m-large"] = "bounded"
        at.server.pace = 0.5  # ten places: twenty a second
        calm = await at.traffic(20, 8, lambda _: at.ask("large"))
        peak = sum(each.whole for each in calm) / 8
        before = at.server.asked.total()

        def ask(i: int) -> Awaitable[Told]:
            return at.ask("large", priority="critical" if i % 10 == 0 else "default")

        told = await at.traffic(100, 10, ask)
        served = [each for each in told if each.whole]
        refused = [each.seconds for i, each in enumerate(told) if each.status == 503 and i > 100]
        reached = at.server.asked.total() - before
        return [
            least("goodput, share of the peak", len(served) / 10 / peak, 0.9),
            least("critical requests answered", share(told[::10]), 0.999),
            most("calls a request that was served", reached / len(served), 1.1),
            most("seconds to a refusal as its caller sees it, median", float(np.median(refused)), 0.005),
            most("seconds to a refusal, p99 (queue_seconds is 1)", p99(refused), 1.1),
        ]


# --- a caller goes wrong


async def poison(folder: Path, *, bulkhead: bool) -> list[Claim]:
    """One tenant asks ten times as much as the others, for endless streams and for a model that always fails."""
    more = "server: {keys: required, max_concurrent: 40, queue: 20}\n"
    if bulkhead:
        more += "bulkheads: {bad: {tenants: [poison], max_concurrent: 10}}\n"
    tenants = tuple(f"t{i}" for i in range(8))
    async with stage(folder, more=more, tenants=(*tenants, "poison")) as at:
        good = lambda i: at.ask("small", tenant=tenants[i % 8])  # noqa: E731
        calm = await at.traffic(16, 5, good)
        at.server.how |= {"m-large": "trickle", "m-medium": "error"}

        def bad(i: int) -> Awaitable[Told]:
            return at.ask("large" if i % 2 else "medium", stream=True, tenant="poison", timeout="20")

        attack = asyncio.create_task(at.traffic(60, 10, bad))
        told = await at.traffic(16, 10, good)
        attack.cancel()
        await asyncio.gather(attack, return_exceptions=True)
        hurt = {i % 8 for i, each in enumerate(told) if not each.whole}
        return [
            most("share of other tenants hurt", len(hurt) / 8, 0.0),
            least("others' requests answered", share(told), 1.0),
            most(
                "others' p99, times that before",
                p99([each.seconds for each in told]) / p99([each.seconds for each in calm]),
                3.0,
            ),
        ]


async def slow_readers(folder: Path) -> list[Claim]:
    """Forty callers ask for twenty megabytes each and read nothing."""
    more = "server: {stuck_seconds: 5}\n"
    async with stage(folder, more=more) as at:
        at.server.how["m-large"] = "flood"
        await at.ask("small")
        before = memory(at.process.pid)
        host, port = at.url.removeprefix("http://").split(":")
        body = json.dumps({"model": "large", "stream": True, "messages": [{"role": "user", "content": "hi"}]}).encode()
        head = (
            "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\n\r\n"
        )
        sockets = []
        for _ in range(40):
            sock = socket.socket()
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            await asyncio.to_thread(sock.connect, (host, int(port)))
            sock.sendall(head.encode() + body)
            sockets.append(sock)
        await at.until(partial(_inside, at, 40), 10)
        grown = memory(at.process.pid) - before
        freed = await at.until(partial(_inside, at, 0), 30)
        told = await at.ask("small")
        for sock in sockets:
            sock.close()
        return [
            most("seconds until their places are free again (stuck_seconds is 5)", freed, 10),
            most("megabytes held for each", grown / 40, 1.0),
            least("others answered", float(told.whole), 1),
        ]


async def _inside(at: Stage, many: int) -> bool:
    return f'stillhouse_inside{{bulkhead=""}} {many}\n' in await at.page("/metrics")


def memory(pid: int) -> float:
    """Resident megabytes."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


# --- the process, and the disk


async def drain(folder: Path) -> list[Claim]:
    """SIGTERM while streams are open."""
    async with stage(folder) as at:
        at.server.how["m-large"] = "long"
        streams = [asyncio.create_task(at.ask("large", stream=True)) for _ in range(20)]
        await at.until(partial(_inside, at, 20), 5)
        at.process.send_signal(signal.SIGTERM)
        told = list(await asyncio.gather(*streams))
        await asyncio.to_thread(at.process.wait, 30)
        rows = at.rows("SELECT id, outcome, tokens_out FROM requests")
        kept = {row[0] for row in rows if row[1:] == ("ok", 4)}
        return [
            least("open streams that came to their end", share(told), 1.0),
            least("of them in the ledger, with their tokens", len({t.id for t in told} & kept) / 20, 1.0),
        ]


async def killed(folder: Path) -> list[Claim]:
    """SIGKILL under traffic, and a new process over the same ledger."""
    async with stage(folder) as at:
        traffic = asyncio.create_task(at.traffic(50, 6, lambda _: at.ask("small", stream=True)))
        await asyncio.sleep(4)
        dead = time.monotonic()
        at.process.kill()
        told = [each for each in await traffic if each.whole]
        await at.stop()
        await at.start()
        await asyncio.sleep(1)
        rows = at.rows("SELECT id, tokens_in, tokens_out, cost_nano FROM requests WHERE outcome = 'ok'")
        kept = {row[0] for row in rows}
        lost = [each for each in told if each.id not in kept]
        old = [each for each in lost if each.begun + each.seconds < dead - 1]
        wrong = [row for row in rows if row[1:] != (10, 4, 10 * 100 + 4 * 200)]
        attempts = at.rows("SELECT count(*) FROM attempts WHERE request_id NOT IN (SELECT id FROM requests)")[0][0]
        return [
            most("records lost that were older than a second", len(old), 0),
            most("records lost in all (at most a batch is in memory)", len(lost), 100),
            most("records whose tokens or money are wrong", len(wrong), 0),
            most("tries without their request", attempts, 0),
        ]


async def full_disk(folder: Path) -> list[Claim]:
    """The disk takes no more, and later does again."""
    async with stage(folder) as at:
        await at.traffic(20, 2, lambda _: at.ask("small"))
        limits = resource.prlimit(at.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(at.process.pid, resource.RLIMIT_FSIZE, (8192, limits[1]))
        told = await at.traffic(20, 4, lambda _: at.ask("small"))
        ready = json.loads(await at.page("/readyz"))
        resource.prlimit(at.process.pid, resource.RLIMIT_FSIZE, limits)
        again = await at.until(partial(_ready, at), 15)
        more = await at.traffic(20, 1, lambda _: at.ask("small"))
        await asyncio.sleep(1)
        kept = {row[0] for row in at.rows("SELECT id FROM requests")}
        lost = sum(each.id not in kept for each in (*told, *more))
        dropped = int(float((await at.page("/metrics")).split("\nstillhouse_ledger_dropped_total ")[1].split("\n")[0]))
        return [
            least("share answered meanwhile", share(told), 1.0),
            least("readiness says so", float("ledger" in ready["faults"]), 1),
            most("seconds until it is ready again", again, 10),
            most("records lost without being counted", max(0, lost - dropped), 0),
        ]


async def _ready(at: Stage) -> bool:
    return bool(json.loads(await at.page("/readyz"))["ready"])


Scenario = Callable[[Path], Coroutine[Any, Any, list[Claim]]]
SCENARIOS: dict[str, Scenario] = {
    "black hole, streams": partial(black_hole, stream=True),
    "black hole, whole answers": partial(black_hole, stream=False),
    "resets": partial(failing, how="reset"),
    "garbage": partial(failing, how="garbage"),
    "500s, streams": partial(failing, how="error", stream=True),
    "429 storm": partial(failing, how="limited"),
    "lone server, 500s": partial(lone, how="error"),
    "lone server, 429 storm": partial(lone, how="limited"),
    "slow trickle": trickle,
    "five times overload": overload,
    "poison tenant": partial(poison, bulkhead=False),
    "poison tenant in a bulkhead": partial(poison, bulkhead=True),
    "readers that stopped": slow_readers,
    "SIGTERM with open streams": drain,
    "SIGKILL under traffic": killed,
    "full disk": full_disk,
}
