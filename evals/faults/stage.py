"""The stage: a gateway in a process of its own before the misbehaving server, and callers."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp

from evals.faults.server import Server
from router.registry.keys import KeyStore

POLICY = """
stillhouse: 1
name: faults
quality: {keep: 0.9}
timeouts: {connect: 2, first_byte: 30, gap: 10, total: 60}
"""
PRICE = "{input: 0.1, output: 0.2}"
START = "from stillhouse.cli.main import main; main()"


@dataclass(frozen=True, slots=True)
class Told:
    """What a caller saw. ``begun`` is the stage's clock, ``seconds`` to the last byte."""

    begun: float
    seconds: float
    status: int
    tier: str
    code: str
    id: str
    whole: bool  # a good end: all of a JSON answer, or a stream up to [DONE]


class Stage:
    """One gateway with its server. ``settings`` is YAML laid over the usual settings."""

    def __init__(
        self, folder: Path, server: Server, tiers: tuple[str, ...], more: str, keys: Mapping[str, str]
    ) -> None:
        self.server = server
        self.keys = keys
        self._folder = folder
        self._env = {**os.environ, "STILLHOUSE_HOME": str(folder)}
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "policy.yaml").write_text(POLICY)
        rows = "\n".join(f"  - {{tier: {t}, upstream: up, model: m-{t}, price: {PRICE}}}" for t in tiers)
        url = f"http://127.0.0.1:{server.port}/v1"
        text = f"stillhouse: 1\nupstreams:\n  up: {{kind: openai, base_url: {url}}}\ntiers:\n{rows}\n"
        (folder / "stillhouse.yaml").write_text(text + "policies: [./policy.yaml]\n" + more)

    async def start(self) -> None:
        """Start the gateway and wait until it is ready."""
        command = [
            sys.executable,
            "-c",
            START,
            "serve",
            "--port",
            "0",
            "--config",
            str(self._folder / "stillhouse.yaml"),
        ]
        with (self._folder / "log").open("ab") as log:
            begin = partial(subprocess.Popen[str], command, env=self._env, text=True, stdout=subprocess.PIPE)
            self.process = await asyncio.to_thread(partial(begin, stderr=log))
        assert self.process.stdout is not None
        while line := await asyncio.to_thread(self.process.stdout.readline):
            if found := re.match(r"ready\s+(http://[^/]+)", line):
                self.url = found[1]
                break
        else:
            raise RuntimeError((self._folder / "log").read_text()[-2000:])
        self.http = aiohttp.ClientSession(self.url, connector=aiohttp.TCPConnector(limit=0))

    async def stop(self) -> None:
        """End the gateway in order."""
        await self.http.close()
        if self.process.poll() is None:
            self.process.terminate()
        await asyncio.to_thread(self.process.wait, 40)
        if self.process.stdout is not None:
            self.process.stdout.close()

    async def ask(
        self, model: str = "small", *, stream: bool = False, tenant: str = "", text: str = "hi", most: int = 0,
        **headers: str,
    ) -> Told:  # fmt: skip
        """One question; ``most`` is its ``max_tokens``."""
        sent = {f"x-stillhouse-{name}": value for name, value in headers.items()}
        if tenant:
            sent["authorization"] = f"Bearer {self.keys[tenant]}"
        body: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": text}], "stream": stream}
        if most:
            body["max_tokens"] = most
        begun = time.monotonic()
        status, tier, code, name, whole = 0, "", "", "", False
        try:
            async with self.http.post("/v1/chat/completions", json=body, headers=sent) as answer:
                status, name = answer.status, answer.headers.get("x-request-id", "")
                tier = answer.headers.get("x-stillhouse-tier", "")
                data = await answer.read()
                whole = status == 200 and (b"[DONE]" in data if stream else b'"choices"' in data)
                if b'"error"' in data:
                    code = re.findall(rb'"code":\s*"(\w+)"', data)[-1].decode()
        except (aiohttp.ClientError, ConnectionError, OSError) as error:
            code = type(error).__name__
        return Told(begun, time.monotonic() - begun, status, tier, code, name, whole)

    async def traffic(self, rate: float, seconds: float, ask: Callable[[int], Any]) -> list[Told]:
        """Ask at a rate, whether answers come or not."""
        begun, tasks, i = time.monotonic(), [], 0
        while (due := begun + i / rate) < begun + seconds:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            tasks.append(asyncio.create_task(ask(i)))
            i += 1
        return list(await asyncio.gather(*tasks))

    async def page(self, path: str) -> str:
        """A page of the gateway."""
        async with self.http.get(path) as answer:
            return await answer.text()

    async def resting(self) -> list[str]:
        """The deployments that rest."""
        names: list[str] = json.loads(await self.page("/readyz"))["resting"]
        return names

    async def until(self, true: Callable[[], Any], seconds: float) -> float:
        """Wait for something; seconds it took, ``inf`` where it did not come."""
        begun = time.monotonic()
        while time.monotonic() - begun < seconds:
            if await true():
                return time.monotonic() - begun
            await asyncio.sleep(0.05)
        return float("inf")

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Read the ledger."""
        with contextlib.closing(sqlite3.connect(self._folder / "ledger.db")) as db:
            return db.execute(sql).fetchall()


def keys_in(folder: Path, tenants: tuple[str, ...]) -> dict[str, str]:
    """A key for each tenant, in a new home folder."""
    folder.mkdir(parents=True)
    store = KeyStore(folder / "keys.json")
    return {t: store.add(t, headers=("priority", "tag"), now=datetime.now(UTC))[1] for t in tenants}


@contextlib.asynccontextmanager
async def stage(
    folder: Path,
    *,
    tiers: tuple[str, ...] = ("small", "medium", "large"),
    more: str = "",
    tenants: tuple[str, ...] = (),
) -> AsyncIterator[Stage]:
    """A stage in a folder of its own."""
    keys = keys_in(folder, tenants)
    server = Server()
    await server.start()
    built = Stage(folder, server, tiers, more, keys)
    await built.start()
    try:
        yield built
    finally:
        await built.stop()
        await server.stop()
