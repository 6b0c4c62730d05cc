"""The solver's process, seen from the gateway: one question at a time, and a new one when it dies.

It is started on first use. A question has a hard end: the solver's own limit, and a grace for the way there and back.
A child that misses it, or says something that is no answer, is killed; the next question starts a fresh one. A
question without an answer is a ``CheckFailed``, never a pass.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import router
from guardrails.views import CheckFailed, Prove

_START_SECONDS: Final = 30.0  # loading z3, on a busy machine
_GRACE_SECONDS: Final = 1.0
_COLD_SECONDS: Final = 5.0  # the first question of a policy also builds its rules
_PATIENCE_SECONDS: Final = 5.0  # for earlier questions to end
_REST_SECONDS: Final = 1.0  # before another start, when a child died without one answer
_MAX_WAITING: Final = 64
_MAX_LINE: Final = 4 << 20
_MEMORY: Final = 1 << 30
_EXIT_SECONDS: Final = 2.0
# The child needs no key, no proxy and no setting of the gateway's: it inherits these names only.
_INHERITED: Final = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TMPDIR", "LANG", "SYSTEMROOT", "TEMP")
CHILD: Final = (sys.executable, "-P", "-m", "router.serve.guards.prover_child")


@dataclass(frozen=True, slots=True)
class Limits:
    """How long and how large.

    Attributes:
        memory_bytes: address space of the child.
        grace: seconds on top of a job's own limit.
        cold: seconds more for the first question of a policy.
        patience: seconds to wait for earlier questions.
        start: seconds to wait for a new child.
        rest: seconds before another start, when a child died without one answer.
    """

    memory_bytes: int = _MEMORY
    grace: float = _GRACE_SECONDS
    cold: float = _COLD_SECONDS
    patience: float = _PATIENCE_SECONDS
    start: float = _START_SECONDS
    rest: float = _REST_SECONDS


class Prover:
    """One warm child. Make one for a cell; ``close`` it at the end."""

    def __init__(self, *, limits: Limits | None = None, command: Sequence[str] = CHILD) -> None:
        self._limits = limits or Limits()
        self._command = tuple(command)
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._numbers = 0
        self._known: set[str] = set()
        self._rest_until = 0.0
        self._closed = False
        self._running: set[asyncio.Task[Any]] = set()

    @property
    def pid(self) -> int | None:
        """Process id of the child, while there is one."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    async def prove(self, wanted: Prove) -> Any:
        """The reply of ``guardrails.reasoning.prove``.

        Raises:
            CheckFailed: there is none; the message says why, and nothing of the job.
        """
        if self._closed:
            raise CheckFailed("the solver is shut down")
        if self._waiting >= _MAX_WAITING:
            raise CheckFailed("the solver has too many questions waiting")
        # A caller who leaves must not leave an answer behind for the next one: the exchange always ends.
        task = asyncio.create_task(self._in_turn(wanted))
        self._running.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    async def warm(self) -> None:
        """Start the child ahead of the first question.

        Raises:
            CheckFailed: it does not start.
        """
        async with self._turn:
            await self._child()

    async def close(self) -> None:
        """End the child; questions in flight fail."""
        self._closed = True
        self._kill()
        await asyncio.gather(*self._running, return_exceptions=True)
        if self._process is not None:
            await self._gone(self._process)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # read, so that a caller who left causes no warning

    async def _in_turn(self, wanted: Prove) -> Any:
        self._waiting += 1
        try:
            async with asyncio.timeout(self._limits.patience):
                await self._turn.acquire()
        except TimeoutError:
            raise CheckFailed("the solver is busy with earlier questions") from None
        finally:
            self._waiting -= 1
        try:
            return await self._exchange(wanted)
        finally:
            self._turn.release()

    async def _exchange(self, wanted: Prove) -> Any:
        process = await self._child()
        self._numbers += 1
        number = self._numbers
        limits = self._limits
        seconds = wanted.job["limit_ms"] / 1000 + limits.grace + (0 if wanted.policy in self._known else limits.cold)
        said = await self._say(process, {"id": number, "job": wanted.job}, seconds)
        if said.get("id") != number:
            await self._drop(process)
            raise CheckFailed("the solver's process said something that is no answer")
        self._known.add(wanted.policy)
        if "reply" not in said:
            raise CheckFailed("the solver could not read the question")
        return said["reply"]

    async def _child(self) -> asyncio.subprocess.Process:
        """The child, started where there is none."""
        if self._process is not None and self._process.returncode is None:
            return self._process
        if self._closed:
            raise CheckFailed("the solver is shut down")
        loop = asyncio.get_running_loop()
        if loop.time() < self._rest_until:
            raise CheckFailed("the solver's process died and is not started again yet")
        self._rest_until = loop.time() + self._limits.rest
        self._known.clear()
        try:
            process = self._process = await self._spawn()
        except OSError:
            raise CheckFailed("the solver's process could not be started") from None
        told = {"parent": os.getpid(), "memory_bytes": self._limits.memory_bytes}
        said = await self._say(process, told, self._limits.start)
        if said.get("ready") is not True:
            await self._drop(process)
            raise CheckFailed(str(said.get("failed", "the solver's process said something that is no answer")))
        return process

    async def _spawn(self) -> asyncio.subprocess.Process:
        root = str(Path(router.__file__).parent.parent)
        paths = [root, os.environ.get("PYTHONPATH", "")]
        return await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            limit=_MAX_LINE,
            env={name: os.environ[name] for name in _INHERITED if name in os.environ}
            | {"PYTHONPATH": os.pathsep.join(filter(None, paths))},
            start_new_session=True,
        )

    async def _say(self, process: asyncio.subprocess.Process, words: Any, seconds: float) -> dict[str, Any]:
        """Send one line, read one line. Whatever goes wrong ends the child."""
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            async with asyncio.timeout(seconds):
                process.stdin.write(json.dumps(words).encode() + b"\n")
                await process.stdin.drain()
                line = await process.stdout.readline()
            if not line:
                await self._drop(process)
                raise CheckFailed("the solver's process ended")
            said = json.loads(line)
            if not isinstance(said, dict):
                raise ValueError("no object")  # noqa: TRY004  (what the other side said, not a bug here)
        except TimeoutError:
            await self._drop(process)
            raise CheckFailed("the solver did not answer in time") from None
        except OSError:
            await self._drop(process)
            raise CheckFailed("the solver's process ended") from None
        except ValueError:  # no JSON, or a line without an end
            await self._drop(process)
            raise CheckFailed("the solver's process said something that is no answer") from None
        # Only a child that answers may be started again at once.
        self._rest_until = 0.0
        return said

    async def _drop(self, process: asyncio.subprocess.Process) -> None:
        """Kill the child and forget it."""
        self._kill()
        self._process = None
        await self._gone(process)

    def _kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    async def _gone(self, process: asyncio.subprocess.Process) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_EXIT_SECONDS):
                await process.wait()
        if process.stdin is not None:
            process.stdin.close()
