"""The notes of who is inside, in files that outlive a process, and what is read from them after one has died.

All cells with one home folder share ``quarantine/`` in it:

    NAME.inside           the note of a running cell, mapped into memory, and locked while it lives
    NAME.trace            what a fault in it wrote on its way out (``faulthandler``: places in the code, no values)
    crash-BORN-NAME.json  one unclean end: who was inside, by name of the tenant
    lifted.json           tenant -> when an operator let it in again
    waits.json            how long suspects wait, for who only looks

A cell that dies is found by the first who sees its lock free: another cell, which the kernel tells at once where it can
(a pidfd), or the cell itself at its next start.
"""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import fcntl
import json
import logging
import mmap
import os
import re
import struct
import time
from collections.abc import Callable, Iterator
from math import ceil
from pathlib import Path
from typing import IO, TYPE_CHECKING, TypeVar

import msgspec

from router.core.resilience import Crash, Held, Inside, Waits, Ward
from router.core.resilience.inside import OPEN_AT, TICK, size_of
from router.errors import Quarantined
from router.serve.metrics import Readings
from router.serve.places import stamp

if TYPE_CHECKING:
    from router.core.resilience.crashes import Trace
    from router.serve.story import Story

log = logging.getLogger("stillhouse")
T = TypeVar("T")
LIFTED, WAITS = "lifted.json", "waits.json"
KEEP = 7 * 86_400.0  # seconds that the file of a crash stays
MOST = 200  # such files
_PATIENCE = 1.0  # seconds to wait for a note that somebody is reading
_COUNTED = re.compile(rb"^oom_kill (\d+)$", re.MULTILINE)


class Quarantine:
    """One cell's. ``now`` is the wall clock in seconds, because cells compare it.

    Raises:
        OSError: the folder cannot be written.
    """

    def __init__(self, folder: Path, cell: str, waits: Waits, now: Callable[[], float] = time.time) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.now = folder, now
        self.ward = Ward(waits)
        self._keep = waits.window + waits.longest
        self._file, self._path = _claim(folder, re.sub(r"[^A-Za-z0-9._-]", "_", cell) or "_")
        self._map = mmap.mmap(self._file.fileno(), size_of())
        self.note = Inside(memoryview(self._map))
        self._kernel = _Kernel()
        _replace(folder / WAITS, msgspec.json.encode(waits))
        self._examined(self.note, self._path)
        self.note.begin(os.getpid(), now())
        self._trace: IO[bytes] | None = None
        self._watched: dict[Path, tuple[int, int]] = {}  # note -> process, pidfd
        self._known: tuple[tuple[str, tuple[int, int]], ...] = ()
        self.crashes: list[Crash] = []
        self.look()

    # --- requests

    def check(self, tenant: str) -> None:
        """Turn a suspect away.

        Raises:
            Quarantined: its requests wait.
        """
        ward = self.ward
        if ward.held and (wait := ward.wait(tenant, self.now())):
            raise _turned_away(wait, ward.held[tenant])

    def enter(self, story: Story) -> None:
        """A request has its place. It may be its tenant's trial.

        Raises:
            Quarantined: another one is, since ``check``.
        """
        if self.ward.held:
            self.check(story.tenant)
            story.trial = self.ward.try_out(story.tenant)
        story.noted = self.note.enter(story.tenant)

    def leave(self, story: Story) -> None:
        """It is over, and the process lives."""
        if story.noted >= 0:
            self.note.leave(story.noted)
            story.noted = -1
        if story.trial:
            story.trial = False
            self.ward.lived(story.tenant)
            if story.tenant in self.ward.held:
                log.warning("tenant %s was let in on trial, and the process lives: it is let in again", story.tenant)

    # --- beside them

    async def keep_watch(self) -> None:
        """Look every ``TICK`` seconds; the same work in storm and calm."""
        while True:
            await asyncio.sleep(TICK)
            self.note.tick()
            try:
                self.note.kills = self._kernel.kills()
                self.look()
            except OSError as error:  # the folder may be back tomorrow, and requests do not need it
                log.error("looking for cells that died failed: %s", error.strerror)

    def look(self) -> None:
        """Look whether a cell has died, and take up what others have found."""
        for path in sorted(self.folder.glob("*.inside")):
            if path != self._path:
                self._look_at(path)
        self._take_up()

    def leave_traces(self) -> None:
        """From now on a fault of this process says so. Once a process: its handlers are the process's own."""
        self._trace = self._path.with_suffix(".trace").open("wb")
        faulthandler.enable(self._trace)

    def stopping(self) -> None:
        """The process was told to stop; requests that it does not finish in time are no crash."""
        self.note.excuse()

    def close(self) -> None:
        """A clean end: nobody is suspected for it."""
        if self._trace is not None:
            faulthandler.disable()
            self._trace.close()
        for path in list(self._watched):
            self._unwatch(path)
        self.note.clear()
        self.note.release()
        self._map.close()
        self._file.close()
        self._kernel.close()

    # --- notes of others

    def _look_at(self, path: Path) -> None:
        """Read a note if its process is gone; watch the process if not."""
        try:
            with path.open("r+b") as file:
                process, living = struct.unpack("II", os.pread(file.fileno(), 8, OPEN_AT))
                if not living:
                    return
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    self._watch(path, process)
                    return
                with mmap.mmap(file.fileno(), size_of()) as memory:
                    note = Inside(memoryview(memory))
                    self._examined(note, path)
                    note.release()
        except (OSError, ValueError, struct.error) as error:
            log.debug("%s cannot be read: %s", path.name, error)  # it is being made, or is gone

    def _examined(self, note: Inside, path: Path) -> None:
        """Put an unclean end on record, once; the note's lock is ours."""
        trace = path.with_suffix(".trace")
        found: Trace = "fault" if stamp(trace)[1] else "memory" if self._kernel.kills() > note.kills else ""
        crash = note.ended(path.stem, self.now(), found)
        if crash is None:
            return
        place = self.folder / f"crash-{int(crash.born * 1000)}-{path.stem}.json"
        _replace(place, msgspec.json.encode(crash))
        if found == "fault":
            os.replace(trace, place.with_suffix(".trace"))
        note.clear()
        words = {"fault": f"by a fault, see {place.stem}.trace", "memory": "for want of memory", "": "without a trace"}
        log.error("cell %s ended %s; %d tenants were inside", path.stem, words[found], len(crash.inside))

    def _watch(self, path: Path, process: int) -> None:
        """Be told by the kernel when a process ends, where it can and a loop is there to hear it."""
        if path in self._watched and self._watched[path][0] == process:
            return
        self._unwatch(path)
        with contextlib.suppress(OSError, AttributeError, RuntimeError):
            loop = asyncio.get_running_loop()
            handle = os.pidfd_open(process)
            self._watched[path] = (process, handle)
            loop.add_reader(handle, self._died, path)

    def _died(self, path: Path) -> None:
        self._unwatch(path)
        with contextlib.suppress(OSError):  # the next look says so
            self._look_at(path)
            self._take_up()

    def _unwatch(self, path: Path) -> None:
        _, handle = self._watched.pop(path, (0, -1))
        if handle >= 0:
            with contextlib.suppress(RuntimeError):
                asyncio.get_running_loop().remove_reader(handle)
            os.close(handle)

    # --- what all know

    def _take_up(self) -> None:
        """Read crashes and what was lifted, where anything is new."""
        names = sorted(path for path in self.folder.glob("*.json") if path.name.startswith(("crash-", LIFTED)))
        known = tuple((path.name, stamp(path)) for path in names)
        if known == self._known:
            return
        self._known = known
        before = self.ward.held
        self.crashes = list(crashes_in(self.folder, self.now(), self._keep))
        self.ward.learn(self.crashes, lifted_in(self.folder))
        for tenant, each in self.ward.held.items():
            if each.until > self.now() and (tenant not in before or before[tenant].until < each.until):
                log.error(
                    "tenant %s waits %d s: its requests were inside at %d crashes and are the cause with a chance of "
                    "%.0f %%; 'stillhouse cells release %s' lets it in", tenant, ceil(each.until - self.now()),
                    each.crashes, 100 * each.chance, tenant,
                )  # fmt: skip


class _Kernel:
    """How many processes of this machine the kernel has ended for want of memory; 0 where it does not say."""

    def __init__(self) -> None:
        try:
            self._file: int | None = os.open("/proc/vmstat", os.O_RDONLY)
        except OSError:
            self._file = None

    def kills(self) -> int:
        """Until now."""
        if self._file is None:
            return 0
        found = _COUNTED.search(os.pread(self._file, 1 << 16, 0))
        return int(found[1]) & 0xFFFFFFFF if found else 0

    def close(self) -> None:
        """Let go."""
        if self._file is not None:
            os.close(self._file)


def crashes_in(folder: Path, now: float, keep: float) -> Iterator[Crash]:
    """The crashes of the last ``keep`` seconds. Files too old or too many go; one that cannot be read is said."""
    paths = sorted(folder.glob("crash-*.json"))
    surplus = set(paths[:-MOST])
    for path in paths:
        age = now - stamp(path)[0] / 1e9
        if age > KEEP or path in surplus:
            path.unlink(missing_ok=True)
            path.with_suffix(".trace").unlink(missing_ok=True)
        elif age <= keep and (crash := _read(path, Crash)) is not None:
            yield crash


def lifted_in(folder: Path) -> dict[str, float]:
    """Tenant -> until when crashes are not held against it."""
    return _read(folder / LIFTED, dict[str, float]) or {}


def waits_in(folder: Path) -> Waits:
    """How long suspects wait in the cells that share the folder."""
    return _read(folder / WAITS, Waits) or Waits()


def _read(path: Path, kind: type[T]) -> T | None:
    """None, said aloud unless there is no file, where it cannot be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except FileNotFoundError:
        pass
    except (OSError, msgspec.MsgspecError) as error:
        log.error("%s cannot be read, and counts for nothing: %s", path.name, type(error).__name__)
    return None


def lift(folder: Path, tenant: str, now: float) -> None:
    """Let a tenant in again; what happened until now is not held against it any more.

    Raises:
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lifted.lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        kept = {name: at for name, at in lifted_in(folder).items() if now - at <= KEEP}
        _replace(folder / LIFTED, json.dumps({**kept, tenant: now}).encode())


def readings_of(quarantine: Quarantine) -> tuple[Readings, ...]:
    """For /metrics. Tenants have no series of their own: there may be any number of them."""
    ward, none = quarantine.ward, ()
    return (
        Readings("stillhouse_crashes", "Unclean ends of cells that are remembered.", "gauge", none,
                 {none: float(len(quarantine.crashes))}),
        Readings("stillhouse_quarantined", "Tenants who wait as the likely cause of crashes.", "gauge", none,
                 {none: float(len(ward.waiting(quarantine.now())))}),
        Readings("stillhouse_quarantine_refused_total", "Their requests that were turned away.", "counter", none,
                 {none: float(ward.refused)}),
        Readings("stillhouse_inside_lost_total", "Requests that the note of who is inside had no room for.", "counter",
                 none, {none: float(quarantine.note.lost)}),
    )  # fmt: skip


def _claim(folder: Path, cell: str) -> tuple[IO[bytes], Path]:
    """A note that nobody uses, locked. Two gateways of one name get one each."""
    turn = 0
    while True:
        path = folder / f"{cell}{f'.{turn}' if turn else ''}.inside"
        end = time.monotonic() + _PATIENCE
        file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b", buffering=0)
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() < end:  # another cell may be reading it
                    time.sleep(0.02)
                    continue
                file.close()
                break
            if os.fstat(file.fileno()).st_size != size_of():
                os.ftruncate(file.fileno(), 0)
                os.ftruncate(file.fileno(), size_of())
            return file, path
        turn += 1


def _turned_away(wait: float, mine: Held) -> Quarantined:
    seconds = max(1, ceil(wait))
    what = "a crash of the gateway" if mine.crashes == 1 else f"{mine.crashes} crashes of the gateway"
    words = f"Requests of this tenant are the likely cause of {what}; they are let in again, on trial, in {seconds} s."
    return Quarantined(words, retry_after=str(seconds))


def _replace(path: Path, content: bytes) -> None:
    """In one step: others read it while we write."""
    new = path.with_name(f".{path.name}.{os.getpid()}.new")
    new.write_bytes(content)
    os.replace(new, path)
