"""Peers that vanish with their connections open: no FIN, no reset, no acknowledgement, on either side."""

from __future__ import annotations

import asyncio
import json
import socket
from functools import partial
from pathlib import Path

from evals.faults.claims import Claim, late, least, most, share
from evals.faults.stage import Stage, stage
from evals.faults.vanish import vanish

_LATE = ("upstream_timeout", "deadline_exceeded")
_KEPT = "SELECT id, outcome, tokens_in, cost_nano FROM requests"


async def idle(folder: Path) -> list[Claim]:
    """Twenty connections to the model's server are open and idle when it vanishes behind them; new ones reach it."""
    async with stage(folder) as at:
        at.server.pace = 0.5
        await asyncio.gather(*(at.ask("small", timeout="5") for _ in range(20)))
        at.server.pace = 0.02
        gone = at.server.vanish()
        told = await at.traffic(20, 15, lambda _: at.ask("small", timeout="5"))
        return [
            least("connections that were dead", gone, 20),
            least("share answered", share(told), 0.99),
            most("seconds of the worst beyond its deadline of 5", late(told, 5.0), 1.0),
            most("requests that are not on record", await _unrecorded(at, {each.id for each in told}), 0),
        ]


async def mid_stream(folder: Path) -> list[Claim]:
    """The lone server vanishes in the middle of every stream."""
    async with stage(folder, tiers=("large",)) as at:
        at.server.how["m-large"] = "fade"
        told = await at.traffic(5, 4, lambda _: at.ask("large", stream=True, timeout="2"))
        free = await at.until(partial(inside, at, 0), 5)
        return [
            most("seconds of the worst beyond its deadline of 2", late(told, 2.0), 1.0),
            least("share told what went wrong", sum(each.code in _LATE for each in told) / len(told), 1.0),
            most("seconds until all places are free", free, 1.0),
            most("requests that are not on record", await _unrecorded(at, {each.id for each in told}), 0),
        ]


async def callers(folder: Path) -> list[Claim]:
    """Forty callers vanish: half of them in the middle of a slow stream, half while they wait for an answer."""
    async with stage(folder, more="server: {stuck_seconds: 5}\n") as at:
        at.server.how |= {"m-large": "trickle", "m-medium": "hang"}
        await at.ask("small")
        sockets = [await asyncio.to_thread(_ask, at.url, i % 2 == 0) for i in range(40)]
        full = await at.until(partial(inside, at, 40), 10)
        await asyncio.sleep(0.5)  # the streams have begun
        for sock in sockets:
            vanish(sock)
        free = await at.until(partial(inside, at, 0), 60)
        await asyncio.sleep(1.0)
        rows = at.rows(_KEPT)
        told = await at.ask("small")
        calls = at.server.open_calls
        for sock in sockets:
            sock.close()
        return [
            most("seconds until all forty were inside", full, 5),
            most("seconds until their places are free again (stuck_seconds is 5)", free, 10),
            most("calls of theirs that the model's server still works on", calls, 0),
            least("of them on record, as callers that left", sum(row[1] == "client_gone" for row in rows), 40),
            least("others answered", float(told.whole), 1),
        ]


async def inside(at: Stage, many: int) -> bool:
    """Whether so many requests hold a place."""
    return f'stillhouse_inside{{bulkhead=""}} {many}\n' in await at.page("/metrics")


async def _unrecorded(at: Stage, asked: set[str]) -> int:
    await asyncio.sleep(1.0)
    return len(asked - {row[0] for row in at.rows(_KEPT)})


def _ask(url: str, stream: bool) -> socket.socket:
    """Ask for a slow stream, or for an answer that does not come, and look no further."""
    host, port = url.removeprefix("http://").split(":")
    asked = {"model": "large" if stream else "medium", "stream": stream}
    body = json.dumps({**asked, "messages": [{"role": "user", "content": "hi"}]}).encode()
    sock = socket.create_connection((host, int(port)))
    head = "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
    sock.sendall(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
    return sock
