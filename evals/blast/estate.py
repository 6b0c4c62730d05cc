"""A small estate of real processes: cells kept by ``stillhouse cells up``, a real proxy, a misbehaving upstream.

    with estate(folder, cells=3, proxy="envoy") as it:
        status, headers, body = it.chat("acme")
        it.kill("c0")

Everything listens on free ports of the loopback address and ends with the block.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import yaml

from evals.bench.meter import processes
from evals.bench.process import free_port
from router.registry.keys import KeyStore

ProxyName = Literal["envoy", "haproxy"]
PATIENCE = 40.0  # seconds that something may take to start
_LOOK = 0.05
_CHAT = "/v1/chat/completions"
PINS: Mapping[str, Sequence[str]] = {"acme": ("c0", "c1"), "globex": ("c1", "c2"), "initech": ("c2", "c0")}
POLICY = """\
stillhouse: 1
name: blast
quality: {keep: 0.9}
timeouts: {connect: 1.0, first_byte: 3.0, gap: 2.0, total: 6.0}
"""


def proxy_program(name: ProxyName) -> str | None:
    """Where the proxy's program is; None where it is not installed."""
    if found := shutil.which(name):
        return found
    beside = Path(sys.executable).with_name(name)
    return str(beside) if beside.exists() else None


@dataclass
class Estate:
    """What runs, and how to ask and hurt it.

    Attributes:
        folder: where its files lie. ports: cell -> port. proxy_port, upstream_port: the others'.
        tokens: tenant -> its key.
    """

    folder: Path
    ports: dict[str, int]
    proxy_port: int
    upstream_port: int
    tokens: dict[str, str]
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def chat(
        self, tenant: str, *, port: int | None = None, headers: Mapping[str, str] | None = None, timeout: float = 20.0,
        **fields: Any,
    ) -> tuple[int, dict[str, str], bytes]:  # fmt: skip
        """One question through the proxy, or to ``port``; status, headers in lower case, body. Status 0: no answer."""
        sent = {"authorization": f"Bearer {self.tokens[tenant]}"} if headers is None else headers
        body = {"model": "auto", "messages": [{"role": "user", "content": "What is a cell?"}], **fields}
        try:
            return self.ask("POST", _CHAT, port=port, headers=sent, body=body, timeout=timeout)
        except (OSError, http.client.HTTPException):
            return 0, {}, b""

    def ask(
        self, method: str, path: str, *, port: int | None = None, headers: Mapping[str, str] | None = None,
        body: object = None, timeout: float = 5.0,
    ) -> tuple[int, dict[str, str], bytes]:  # fmt: skip
        """Any request.

        Raises:
            OSError, http.client.HTTPException: no answer came.
        """
        connection = http.client.HTTPConnection("127.0.0.1", port or self.proxy_port, timeout=timeout)
        try:
            raw = None if body is None else json.dumps(body)
            connection.request(method, path, raw, {"content-type": "application/json", **(headers or {})})
            with connection.getresponse() as answer:
                return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def upstream(self, mode: str, model: str = "*") -> None:
        """From now on the upstream does this."""
        self.ask("POST", "/mode", port=self.upstream_port, body={"model": model, "mode": mode})

    def ready(self, cell: str) -> bool:
        """Whether a cell says that it takes requests."""
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self.ask("GET", "/readyz", port=self.ports[cell], timeout=1.0)[0] == 200
        return False

    def whole(self) -> None:
        """Wait until every cell is ready."""
        _until(lambda: all(self.ready(cell) for cell in self.ports), "the cells are not ready")

    def process(self, cell: str) -> int:
        """The process id of a cell.

        Raises:
            LookupError: it does not run.
        """
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                words = (entry / "cmdline").read_bytes().split(b"\0")
                if words[-4:-1] == [b"serve", str(self.folder / "cells.yaml").encode(), cell.encode()]:
                    return int(entry.name)
        raise LookupError(f"cell {cell} does not run")

    def kill(self, cell: str, how: signal.Signals = signal.SIGKILL) -> None:
        """Send its process a signal."""
        os.kill(self.process(cell), how)

    def records(self, cell: str) -> dict[str, str]:
        """Request id -> outcome, as this cell's ledger has them."""
        path = self.folder / "ledgers" / cell / "ledger.db"
        if not path.exists():
            return {}
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
            return dict(db.execute("SELECT id, outcome FROM requests").fetchall())

    def served_by(self, request: str) -> str:
        """The cell whose ledger holds a request, once it is written; waits for that."""
        found: list[str] = []

        def look() -> bool:
            found[:] = [cell for cell in self.ports if request in self.records(cell)]
            return bool(found)

        _until(look, f"no ledger holds {request}")
        return found[0]


@contextlib.contextmanager
def estate(
    folder: Path, *, cells: int = 3, proxy: ProxyName | None = "envoy", tenants: Sequence[str] = ("acme", "globex"),
    pins: Mapping[str, Sequence[str]] | None = None, absent: Sequence[str] = (), policy: str = POLICY,
    settings: Mapping[str, Any] | None = None, **file: Any,
) -> Iterator[Estate]:  # fmt: skip
    """Start everything, wait until it serves, and end it with the block.

    Args:
        folder: an empty folder of its own.
        cells: how many run.
        proxy: which stands before them; None for none.
        tenants: each gets a key.
        pins: tenant -> cells.
        absent: cells that are in the file and do not run.
        policy: what all of them serve.
        settings: more for ``stillhouse.yaml``.
        **file: more for ``cells.yaml``.
    """
    names = [f"c{i}" for i in range(cells)]
    ports = {name: free_port() for name in (*names, *absent)}
    it = Estate(folder, {name: ports[name] for name in names}, free_port(), free_port(), {})
    store = KeyStore(folder / "keys.json")
    for tenant in tenants:
        it.tokens[tenant] = store.add(tenant, now=datetime.now(UTC))[1]
    _write_files(it, ports, pins or {}, policy, settings or {}, file)
    env = {**os.environ, "STILLHOUSE_HOME": str(folder / "home")}
    try:
        _start(it, env, names)
        with proxied(it, proxy) if proxy else contextlib.nullcontext():
            yield it
    finally:
        for process in reversed(it.started):
            _stop(process)
        for cell in names:  # the keeper was killed before it could end them
            with contextlib.suppress(LookupError, ProcessLookupError):
                it.kill(cell)


def _write_files(
    it: Estate, ports: Mapping[str, int], pins: Mapping[str, Sequence[str]], policy: str, settings: Mapping[str, Any],
    file: Mapping[str, Any],
) -> None:  # fmt: skip
    (it.folder / "blast.yaml").write_text(policy)
    tiers = [{"tier": t, "upstream": "up", "model": f"m-{t}"} for t in ("small", "medium", "large")]
    upstream = {"kind": "openai", "base_url": f"http://127.0.0.1:{it.upstream_port}/v1"}
    _dump(
        it.folder / "stillhouse.yaml",
        {"server": {"drain_seconds": 5.0}, "upstreams": {"up": upstream}, "tiers": tiers, "policies": ["blast.yaml"],
         **settings},
    )  # fmt: skip
    _dump(
        it.folder / "cells.yaml",
        {"cells": [{"name": name, "port": port} for name, port in ports.items()],
         "pins": {tenant: list(where) for tenant, where in pins.items()},
         "listen": {"port": it.proxy_port}, "keys_file": "keys.json", "ledgers": "ledgers",
         "check": {"every": 0.2, "timeout": 0.5, "down_after": 2, "up_after": 1}, **file},
    )  # fmt: skip


def _dump(path: Path, value: object) -> None:
    path.write_text(yaml.safe_dump(value, sort_keys=False))


def _start(it: Estate, env: Mapping[str, str], names: Sequence[str]) -> None:
    run = [sys.executable, "-m"]
    it.started.append(_spawn(it, "upstream", [*run, "evals.blast.upstream", "--port", str(it.upstream_port)], env))
    cells = [*run, "stillhouse.cli", "cells", "up", str(it.folder / "cells.yaml"), *names]
    it.started.append(_spawn(it, "cells", cells, env))
    it.whole()


@contextlib.contextmanager
def proxied(it: Estate, proxy: ProxyName) -> Iterator[None]:
    """A real proxy before running cells, with the configuration that we make for it."""
    steer(it, proxy)
    program = proxy_program(proxy)
    assert program is not None, f"{proxy} is not installed"
    out = it.folder / proxy
    command = {
        "envoy": [program, "-c", f"{out}/envoy.yaml", "--use-dynamic-base-id", "--concurrency", "1", "-l", "warn"],
        "haproxy": [program, "-db", "-f", f"{out}/haproxy.cfg"],
    }[proxy]
    process = _spawn(it, proxy, command, os.environ)
    try:
        first = next(iter(it.tokens))
        _until(lambda: it.chat(first)[0] == 200, f"{proxy} does not answer; see its log in {it.folder}")
        yield
    finally:
        _stop(process)


def steer(it: Estate, proxy: ProxyName) -> None:
    """Make the proxy's configuration, as an operator does."""
    words = ["cells", "proxy", str(it.folder / "cells.yaml"), "--for", proxy, "--out", str(it.folder / proxy)]
    command = [sys.executable, "-m", "stillhouse.cli", *words]
    subprocess.run(command, check=True, capture_output=True)


def _spawn(it: Estate, name: str, command: Sequence[str], env: Mapping[str, str]) -> subprocess.Popen[bytes]:
    with (it.folder / f"{name}.log").open("wb") as log:
        return subprocess.Popen(
            command, env=dict(env), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        for pid in processes(process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait()


def _until(true: Any, words: str) -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        if time.monotonic() > end:
            raise TimeoutError(words)
        time.sleep(_LOOK)
