"""Models that run on this machine: one child process a model, a bounded queue in front of it.

The child starts with the first request (or with ``warm``), and again after a crash: at once the first
time, then after a growing pause during which requests fail fast, so that a policy's fallbacks get their
turn. Nothing here imports the engine.
"""

from __future__ import annotations

import asyncio
import logging
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from router.errors import UpstreamBusy, UpstreamRejected, UpstreamTimeout, UpstreamUnavailable
from router.upstream.base import Deadline, Reply
from router.upstream.local_child import Load
from router.upstream.local_frames import Frame, Kind
from router.upstream.local_process import Call, ChildProcess, LoadFailed, next_frame

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from pathlib import Path

_log = logging.getLogger(__name__)
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalModel:
    """One file of weights and what it may use.

    Attributes:
        path: a GGUF file with a chat template.
        model: the name that answers carry when a request names none.
        fingerprint: names the weights in ``system_fingerprint``.
        context: tokens of prompt and answer together, for each slot.
        tools: whether the chat template knows tools; without, a request with tools is refused.
        memory_bytes: resident memory above which the child is ended (checked on Linux).
        verify: called before each start, in a thread; raises ``ValueError`` when the file is not the one
            that was registered.
    """

    path: Path
    model: str
    fingerprint: str
    context: int
    memory_bytes: int
    tools: bool = False
    verify: Callable[[], None] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalLimits:
    """How a local model is run.

    Attributes:
        threads: of the engine; None is one less than the processors, for two threads on two busy
            processors are twenty times slower than one.
        slots: requests answered at the same time.
        queue: requests that may wait beyond them.
        start_seconds: to load the model.
        obey_seconds: for the engine to stop when told to; then the child is killed.
        prompt_cache: let a request reuse the computed prefix of the one before it. Faster in long
            conversations, but its time and its ``cached_tokens`` show one caller what another sent.
    """

    threads: int | None = None
    slots: int = 1
    queue: int = 16
    start_seconds: float = 120.0
    obey_seconds: float = 2.0
    prompt_cache: bool = False


class LocalUpstream:
    """One local model as an upstream.

    Args:
        name: for the ledger and the start-up table.
        model: the weights.
        limits: how to run them.

    Attributes:
        starts: how many times a child was loaded.
    """

    def __init__(self, name: str, model: LocalModel, limits: LocalLimits | None = None) -> None:
        self.name = name
        self._model = model
        self._limits = limits or LocalLimits()
        self._slots = asyncio.Semaphore(self._limits.slots)
        self._waiting = 0
        self._child: ChildProcess | None = None
        self._starting: asyncio.Task[ChildProcess] | None = None
        self._giving_back: set[asyncio.Task[None]] = set()
        self._failures = 0
        self._not_before = 0.0
        self._closed = False
        self.starts = 0

    @property
    def pid(self) -> int | None:
        """The child's process id; None while there is none."""
        return self._child.pid if self._child is not None and self._child.alive else None

    @property
    def calls(self) -> int:
        """Requests inside the engine now."""
        return len(self._giving_back)

    @property
    def listener(self) -> Mapping[str, object]:
        """Where the engine listens, and the modes of its socket and folder; empty while there is no child."""
        return self._child.listener if self._child is not None else {}

    async def warm(self) -> None:
        """Load the model now.

        Raises:
            UpstreamUnavailable: it cannot be loaded; ``__cause__`` tells the operator why.
        """
        await self._ready()

    async def chat(self, body: bytes, deadline: Deadline) -> Reply:
        """Ask for a whole answer; ``first_byte`` limits the time to its first token."""
        call, frame, ends = await self._begin(Kind.ASK, body, deadline)
        try:
            while frame.kind is not Kind.ANSWER:
                frame = await next_frame(call, ends)
        finally:
            call.stop()
        return Reply(frame.payload)

    async def chat_stream(self, body: bytes, deadline: Deadline) -> LocalStream:
        """Ask for a stream; returns with the first token."""
        call, first, ends = await self._begin(Kind.ASK_STREAM, body, deadline)
        return LocalStream(call, first, deadline.gap, ends)

    async def embeddings(self, body: bytes, deadline: Deadline) -> Reply:  # noqa: ARG002  (the Protocol's shape)
        """Not offered by local chat models."""
        raise UpstreamRejected(
            "Local models answer chat completions only.",
            status=400,
            code="unsupported_parameter",
            param="model",
        )

    async def models(self, deadline: Deadline) -> list[str]:  # noqa: ARG002  (the Protocol's shape)
        """The one model."""
        return [self._model.model]

    async def close(self) -> None:
        """End the child. Requests in flight fail."""
        self._closed = True
        if self._starting is not None:
            self._starting.cancel()
            await asyncio.gather(self._starting, return_exceptions=True)
        if self._child is not None:
            await self._child.close()
        await asyncio.gather(*self._giving_back)

    async def _begin(self, kind: Kind, body: bytes, deadline: Deadline) -> tuple[Call, Frame, float]:
        """A call, its first frame, and when its time is over on the loop's clock."""
        now = asyncio.get_running_loop().time()
        ends = now + deadline.total
        first = now + min(deadline.first_byte, deadline.total)
        try:
            async with asyncio.timeout_at(first):
                await self._take_slot()
        except TimeoutError:
            raise UpstreamTimeout("The local model is busy and no slot came free in time.") from None
        try:
            try:
                async with asyncio.timeout_at(first):
                    child = await self._ready()
            except TimeoutError:
                raise UpstreamTimeout("The local model did not start in time.") from None
            call = child.ask(kind, body)
        except BaseException:
            self._slots.release()
            raise
        task = asyncio.create_task(self._give_back(call))
        self._giving_back.add(task)
        task.add_done_callback(self._giving_back.discard)
        try:
            frame = await next_frame(call, first)
        except BaseException:
            call.stop()
            raise
        return call, frame, ends

    async def _take_slot(self) -> None:
        if self._slots.locked() and self._waiting >= self._limits.queue:
            raise UpstreamBusy("The local model is busy and its queue is full; try again shortly.", retry_after="1")
        self._waiting += 1
        try:
            await self._slots.acquire()
        finally:
            self._waiting -= 1

    async def _give_back(self, call: Call) -> None:
        """A slot is free when the child has ended the call, not when the caller has left."""
        await call.ended.wait()
        self._slots.release()

    async def _ready(self) -> ChildProcess:
        """The running child; starts one if there is none, once for all who wait."""
        if self._closed:
            raise UpstreamUnavailable("The gateway is shutting down.")
        if self._child is not None and self._child.alive:
            return self._child
        if self._starting is None:
            self._starting = asyncio.create_task(self._start())
            self._starting.add_done_callback(self._started)
        return await asyncio.shield(self._starting)

    def _started(self, task: asyncio.Task[ChildProcess]) -> None:
        self._starting = None
        if not task.cancelled():
            task.exception()  # those who wait have it; with nobody waiting it is not an accident

    async def _start(self) -> ChildProcess:
        if self._child is not None:
            dead, self._child = self._child, None
            await dead.close()
            self._failed(after_answers=dead.answered)
            _log.warning("%s ended: %s", self.name, dead.why_ended)
        pause = self._not_before - asyncio.get_running_loop().time()
        if pause > 0:
            raise UpstreamUnavailable(
                "The local model stopped several times; it is given a pause.", retry_after=str(int(pause) + 1)
            )
        try:
            async with asyncio.timeout(self._limits.start_seconds):
                if self._model.verify is not None:
                    await asyncio.to_thread(self._model.verify)
                child = await ChildProcess.start(
                    self._load(),
                    memory_bytes=self._model.memory_bytes,
                    obey_seconds=self._limits.obey_seconds,
                )
        except (LoadFailed, ValueError, OSError, TimeoutError) as error:
            self._failed()
            _log.error("%s cannot be started: %s", self.name, error or type(error).__name__)
            raise UpstreamUnavailable("The local model cannot be started.") from error
        self._child = child
        self.starts += 1
        return child

    def _failed(self, *, after_answers: bool = False) -> None:
        """Count a failure: the next start may follow at once after the first, then later and later."""
        self._failures = 1 if after_answers else self._failures + 1
        doublings = self._failures - 2
        pause = 0.0 if doublings < 0 else min(_FIRST_PAUSE * 2.0**doublings, _LONGEST_PAUSE)
        self._not_before = asyncio.get_running_loop().time() + pause

    def _load(self) -> Load:
        return Load(
            path=str(self._model.path.resolve()),
            model=self._model.model,
            fingerprint=self._model.fingerprint,
            context=self._model.context,
            slots=self._limits.slots,
            threads=self._limits.threads or max(1, (os.cpu_count() or 2) - 1),
            tools=self._model.tools,
            prompt_cache=self._limits.prompt_cache,
            parent=os.getpid(),
        )


class LocalStream:
    """The events of one streamed answer."""

    waiting = False
    __slots__ = ("_call", "_ends", "_first", "_gap", "request_id")

    def __init__(self, call: Call, first: Frame, gap: float, ends: float) -> None:
        self._call = call
        self._first = first
        self._gap = gap
        self._ends = ends
        self.request_id: str | None = None

    async def events(self) -> AsyncIterator[bytes]:
        """Each chunk as JSON bytes; the last one holds the usage."""
        clock = asyncio.get_running_loop().time
        frame = self._first
        try:
            while frame.kind is not Kind.END:
                yield frame.payload
                frame = await next_frame(self._call, min(clock() + self._gap, self._ends))
        finally:
            self._call.stop()

    async def close(self) -> None:
        """Stop the engine's work on it."""
        self._call.stop()
