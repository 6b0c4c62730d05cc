"""Starting and stopping what is measured: each in a session of its own, pinned to its core."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evals.bench import payload
from evals.bench.meter import processes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from evals.bench.peers import Launch

PATH = "/v1/chat/completions"
_POLL = 0.01  # seconds between two looks at a starting peer
# all that a peer sees of our environment: a stray PYTHONPATH or provider key must not change what is measured
_KEPT = ("PATH", "HOME", "LANG", "TMPDIR")
_GRACE = 5.0  # seconds between SIGTERM and SIGKILL


class Unfit(Exception):
    """A peer did not start, or does not answer as the upstream does; the message shows what it said."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where to ask, and how."""

    url: str
    headers: Mapping[str, str]
    model: str


@dataclass(frozen=True, slots=True)
class Running:
    """A started server."""

    process: subprocess.Popen[bytes]
    target: Target
    cold_seconds: float  # from the start of its process to its first good answer
    streams: bool = True

    @property
    def session(self) -> int:
        """The id under which the meter finds its processes."""
        return self.process.pid


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def on_core(core: int) -> Iterator[None]:
    """What is started inside runs on one core: a child inherits the mask its parent has at that moment."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def spawn(
    command: Sequence[str], core: int, log: Path, env: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start a command in a session of its own on a core, its output in `log`."""
    with on_core(core), log.open("wb") as out:
        return subprocess.Popen(
            command,
            env={name: os.environ[name] for name in _KEPT if name in os.environ} | dict(env or {}),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )


def start(launch: Launch, port: int, core: int, log: Path) -> Running:
    """Start a peer and wait for its first good answer.

    Raises:
        Unfit: it ended, never answered 200, or answered something else than the upstream.
    """
    begin = time.monotonic()
    process = spawn(launch.command, core, log, launch.env)
    try:
        base = f"http://127.0.0.1:{port}" if launch.address is None else _address_in(launch.address, launch.patience)
        target = Target(base + launch.path, launch.headers, launch.model)
        cold = _first_answer(process, target, launch, log, begin)
    except BaseException:
        stop(process)
        raise
    return Running(process, target, cold, launch.streams)


def _address_in(file: Path, patience: float) -> str:
    """The base URL that a peer has written.

    Raises:
        Unfit: it has not, in time.
    """
    end = time.monotonic() + patience
    while time.monotonic() < end:
        if file.exists() and (said := file.read_text()):
            return said.rstrip("/")
        time.sleep(_POLL)
    raise Unfit("it did not say on which port it listens")


def _first_answer(process: subprocess.Popen[bytes], target: Target, launch: Launch, log: Path, begin: float) -> float:
    """Ask until the answer is good; seconds since `begin`."""
    said = "nothing"
    while time.monotonic() - begin < launch.patience:
        if process.poll() is not None:
            raise Unfit(f"ended with {process.returncode}: {_tail(log)}")
        try:
            status, body = ask(target)
        except OSError:
            time.sleep(_POLL)
            continue
        if status == http.HTTPStatus.OK:
            cold = time.monotonic() - begin
            if fault := _fault_of(target, body, streams=launch.streams):
                raise Unfit(fault)
            return cold
        said = f"{status} {body[:200]!r}"
        time.sleep(_POLL)
    raise Unfit(f"no good answer in {launch.patience:.0f} s (last: {said}): {_tail(log)}")


def _fault_of(target: Target, body: bytes, *, streams: bool) -> str | None:
    whole = payload.fault_of(body, stream=False)
    if whole or not streams:
        return whole
    return payload.fault_of(ask(target, stream=True)[1], stream=True)


def ask(target: Target, *, stream: bool = False, timeout: float = 20.0) -> tuple[int, bytes]:
    """One question; its status and body.

    Raises:
        OSError: nobody listens yet, or the connection broke.
    """
    host, _, path = target.url.removeprefix("http://").partition("/")
    connection = http.client.HTTPConnection(host, timeout=timeout)
    try:
        headers = {"content-type": "application/json", **target.headers}
        connection.request("POST", f"/{path}", payload.question(target.model, stream=stream), headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    except http.client.HTTPException as error:
        raise ConnectionError(str(error)) from error
    finally:
        connection.close()


def stop(process: subprocess.Popen[bytes]) -> None:
    """End every process of the session: politely, then not."""
    for how in (signal.SIGTERM, signal.SIGKILL):
        for pid in processes(process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, how)
        end = time.monotonic() + _GRACE
        while processes(process.pid) and time.monotonic() < end:
            process.poll()
            time.sleep(_POLL)
    process.wait()


def _tail(log: Path) -> str:
    return " | ".join(log.read_text(errors="replace").splitlines()[-5:]) or "no output"
