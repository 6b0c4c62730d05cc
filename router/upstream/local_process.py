"""The parent's side of one child process: start it, talk to it, hold it to its memory budget, end it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

import router
from router.errors import (
    UpstreamError,
    UpstreamRejected,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from router.upstream.local_frames import Frame, Kind, pack, receive

if TYPE_CHECKING:
    from router.upstream.local_child import Load

_LOOK_AT_MEMORY = 0.25
# The child needs no key, no proxy and no setting of the gateway's: it inherits these names only.
_INHERITED = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TMPDIR", "LANG", "SYSTEMROOT", "TEMP")


class LoadFailed(Exception):
    """The child could not load the model. The message is for the operator."""


class Call:
    """One request inside the child. Frames arrive in order; ``END`` comes exactly once."""

    def __init__(self, child: ChildProcess, number: int) -> None:
        self._child = child
        self.number = number
        self.frames: asyncio.Queue[Frame | UpstreamError] = asyncio.Queue()
        self.ended = asyncio.Event()
        self.stopped = False

    def stop(self) -> None:
        """Tell the child to stop. It is killed when it does not obey."""
        if not self.stopped and not self.ended.is_set():
            self.stopped = True
            self._child.cancel(self)


class ChildProcess:
    """A running child with its model loaded. Make one with ``start``.

    Attributes:
        listener: what the child says about the engine's socket: its address and the modes it was born with.
        answered: whether it has ended a call in good order.
        why_ended: what its callers read, and the operator's log.
    """

    def __init__(self, process: asyncio.subprocess.Process, memory_bytes: int, obey_seconds: float) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._process = process
        self._stdin = process.stdin
        self._stdout = process.stdout
        self._memory_bytes = memory_bytes
        self._obey_seconds = obey_seconds
        self._calls: dict[int, Call] = {}
        self._numbers = 0
        self._busy = asyncio.Event()
        self._dying = False
        self.why_ended = "The local model stopped unexpectedly; it starts again with the next request."
        self._tasks: list[asyncio.Task[None]] = []
        self.listener: dict[str, object] = {}
        self.answered = False

    @classmethod
    async def start(cls, load: Load, *, memory_bytes: int, obey_seconds: float) -> ChildProcess:
        """Start a child and wait until its model is loaded. Cancelling this kills it.

        Raises:
            LoadFailed: the engine or the weights are not usable, or took more memory than allowed.
        """
        root = str(Path(router.__file__).parent.parent)
        paths = [root, os.environ.get("PYTHONPATH", "")]
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            "-m",
            "router.upstream.local_child",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={name: os.environ[name] for name in _INHERITED if name in os.environ}
            | {"PYTHONPATH": os.pathsep.join(filter(None, paths))},
            start_new_session=True,
        )
        child = cls(process, memory_bytes, obey_seconds)
        try:
            await child._load(load)
        except BaseException:
            await child.close()
            raise
        return child

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it takes calls."""
        return not (self._dying or self._process.returncode is not None or self._stdin.is_closing())

    async def _load(self, load: Load) -> None:
        self._tasks.append(asyncio.create_task(self._watch_memory()))
        self._busy.set()
        self._stdin.write(pack(Kind.LOAD, payload=msgspec.json.encode(load)))
        try:
            frame = await receive(self._stdout)
        except (EOFError, ValueError, ConnectionError):
            raise LoadFailed(
                self.why_ended if self._dying else "the engine stopped while it loaded the model"
            ) from None
        if frame.kind is not Kind.READY:
            raise LoadFailed(frame.payload.decode(errors="replace"))
        self.listener = json.loads(frame.payload)
        self._busy.clear()
        self._tasks.append(asyncio.create_task(self._listen()))

    def ask(self, kind: Kind, body: bytes) -> Call:
        """Begin a call."""
        self._numbers += 1
        call = self._calls[self._numbers] = Call(self, self._numbers)
        self._busy.set()
        self._stdin.write(pack(kind, call.number, body))
        return call

    def cancel(self, call: Call) -> None:
        """Stop a call; kill the child when it has not stopped within its time to obey."""
        if self.alive:
            self._stdin.write(pack(Kind.CANCEL, call.number))
            asyncio.get_running_loop().call_later(self._obey_seconds, self._insist, call)

    def _insist(self, call: Call) -> None:
        if not call.ended.is_set():
            self.kill("The local model did not stop when told to and was ended.")

    def kill(self, why: str) -> None:
        """End the child now; ``why`` is what its callers read. The first reason stays."""
        if self.alive:
            self.why_ended = why
        self._dying = True
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    async def close(self) -> None:
        """End the child and wait until it is gone. Calls in flight fail."""
        self.kill("The gateway is shutting down.")
        await self._process.wait()
        self._stdin.close()
        self._fail_all()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _listen(self) -> None:
        try:
            while True:
                self._take(await receive(self._stdout))
        except (EOFError, ConnectionError):
            pass
        except ValueError:
            self.kill("The local model's process sent something that is not an answer.")
        finally:
            self._stdin.close()
            self._fail_all()
        await self._process.wait()

    def _take(self, frame: Frame) -> None:
        call = self._calls.get(frame.call)
        if call is None:
            return
        call.frames.put_nowait(frame)
        if frame.kind is Kind.END:
            self.answered = True
            self._finish(call)

    def _finish(self, call: Call) -> None:
        del self._calls[call.number]
        call.ended.set()
        if not self._calls:
            self._busy.clear()

    def _fail_all(self) -> None:
        for call in list(self._calls.values()):
            call.frames.put_nowait(UpstreamUnavailable(self.why_ended))
            self._finish(call)

    async def _watch_memory(self) -> None:
        """Kill the child when it holds more than its budget. Looks only while it works."""
        while True:
            await self._busy.wait()
            resident = _resident_bytes(self.pid)
            if resident is None:
                return
            if resident > self._memory_bytes:
                budget = self._memory_bytes >> 20
                self.kill(f"The local model went over its memory budget of {budget} MiB and was ended.")
                return
            await asyncio.sleep(_LOOK_AT_MEMORY)


def _resident_bytes(pid: int) -> int | None:
    """Resident memory of a process; None where it is gone or the system has no ``/proc``."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_bytes().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return None


def error_of(payload: bytes) -> UpstreamError:
    """The error for a child's ``REFUSED`` frame."""
    words = json.loads(payload)
    if words["status"] >= 500:
        return UpstreamUnavailable(words["message"])
    return UpstreamRejected(words["message"], status=words["status"], code=words["code"], param=words["param"])


async def next_frame(call: Call, until: float) -> Frame:
    """The next frame of a call, by ``until`` on the loop's clock.

    Raises:
        UpstreamError: refused, the child died, or the time is over.
    """
    try:
        async with asyncio.timeout_at(until):
            frame = await call.frames.get()
    except TimeoutError:
        raise UpstreamTimeout("The local model did not answer in time.") from None
    if isinstance(frame, UpstreamError):
        raise frame
    if frame.kind is Kind.REFUSED:
        raise error_of(frame.payload)
    return frame
