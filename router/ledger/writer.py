"""The ledger's writer: handed records that it encodes itself, one thread, one store behind it.

The promise: a kill at any moment loses at most ``BATCH`` records and corrupts nothing. It holds by
construction: no more than ``BATCH`` records are ever in memory only. A record leaves memory when its
commit is done; while the store cannot keep up (a slow disk, another process that commits), further
records go straight to a spill file, from where the writer brings them in later; once the store has refused
(a full disk, a server that is away), those in memory follow them. So the request path
never waits for the store, memory stays bounded, and nothing is lost silently: what could neither be
stored nor spilled is counted in ``dropped``.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Protocol

from router.ledger.place import Place, waiting_room
from router.ledger.read import Reader
from router.ledger.record import AttemptRecord, RequestRecord
from router.ledger.rows import (
    ATTEMPT_COLUMNS,
    REQUEST_COLUMNS,
    Row,
    as_dict,
    attempt_row,
    request_row,
    story,
)
from router.ledger.spill import Pair, Spill, leftovers, read
from router.ledger.sqlite import SQLiteStore

log = logging.getLogger(__name__)

BATCH = 100
"""Records in one commit at most, and in memory only at most."""

TICK_S = 0.2
"""The longest a record waits before its commit begins."""

_WAKE = BATCH // 2  # the other half fills while the first is being committed
_RETRY_S = 1.0


class Store(Protocol):
    """What the writer commits to.

    Attributes:
        bad: what a single record that cannot be stored raises.
        trouble: what the store raises when it cannot be written to now; the same is tried again.
    """

    @property
    def bad(self) -> tuple[type[BaseException], ...]: ...  # noqa: D102 - said above

    @property
    def trouble(self) -> tuple[type[BaseException], ...]: ...  # noqa: D102 - said above

    def commit(self, requests: Sequence[Row], attempts: Sequence[Row]) -> None:
        """Keep all of them or none; a row that is there already is passed over, so the same may come twice."""
        ...

    def storable(self, row: Row) -> Row:
        """``row`` with what cannot be held made holdable."""
        ...

    def close(self) -> None:
        """Let go."""
        ...


def open_store(place: Place) -> Store:
    """The store at a place. A file must be usable at once; a server may be away, and is tried again.

    Raises:
        LedgerError: the ledger cannot be used; the message says why and how to mend it.
    """
    if isinstance(place, Path):
        return SQLiteStore(place)
    from router.ledger.postgres import PostgresStore

    return PostgresStore(place)


class Ledger:
    """The append-only store of one cell.

    Attributes:
        place: where it lies.
        written: records committed by this process.
        spilled: records that went to the waiting file first.
        dropped: records lost: neither the store nor the waiting file could take them. Zero in health.
        error: what the store last complained about; None while it works.
    """

    def __init__(self, place: Place) -> None:
        """Open or create the ledger, bring in what an earlier process left waiting, start the writer.

        Raises:
            LedgerError: the ledger cannot be used; the message says why and how to mend it.
        """
        self.place = place
        self.written = 0
        self.spilled = 0
        self.dropped = 0
        self.error: str | None = None
        self._pending: deque[Pair] = deque()
        self._lock = threading.Lock()  # held for a few operations on memory, never during I/O
        self._wake = threading.Event()
        self._flushes: list[threading.Event] = []
        self._room = waiting_room(place)
        self._spill = Spill(self._room)
        self._closed = False
        self._store = open_store(place)
        self._lost: tuple[type[BaseException], ...] = (OSError, *self._store.bad)
        self._leftovers = leftovers(self._room)
        self._writer = threading.Thread(target=self._run, name="stillhouse-ledger", daemon=True)
        self._writer.start()

    # --- the request's side

    def record(self, request: RequestRecord, attempts: Sequence[AttemptRecord] = ()) -> None:
        """Hand over one request and its attempts. Never waits for the store and never raises.

        Safe in a ``finally`` of a cancelled task, from any thread, and after ``close``.
        """
        pair = (request, tuple(attempts))
        with self._lock:
            waiting = len(self._pending)
            room = waiting < BATCH and not self._closed
            if room:
                self._pending.append(pair)
        if not room:
            self._set_aside(pair)
        elif waiting == _WAKE:
            self._wake.set()

    def _set_aside(self, pair: Pair) -> None:
        try:
            self._spill.append(pair)
        except self._lost as error:
            self._drop(pair, error)
        else:
            self.spilled += 1

    def _drop(self, pair: Pair, error: BaseException) -> None:
        self.dropped += 1
        log.error("ledger: record %s is lost: %s", pair[0].id, type(error).__name__)

    @property
    def pending(self) -> int:
        """Records in memory that are not committed yet."""
        return len(self._pending)

    # --- reading back

    def get(self, request_id: str) -> dict[str, object] | None:
        """One request with its attempts, committed or not; None when it is not known.

        Takes about a millisecond; call it from a worker thread, since it waits for the writer when
        records are spilled.
        """
        with self._lock:
            pending = list(self._pending)
        for request, attempts in reversed(pending):
            if request.id == request_id:
                return _shown(request, attempts)
        found = self._stored(request_id)
        if found is None and not self._spill.empty:
            self.flush()
            found = self._stored(request_id)
        return found

    def _stored(self, request_id: str) -> dict[str, object] | None:
        with Reader(self.place) as reader:
            return reader.request(request_id)

    def flush(self, timeout_s: float = 10.0) -> bool:
        """Wait until everything handed over before this call is committed; False when time ran out."""
        if not self._writer.is_alive():
            return self.pending == 0
        done = threading.Event()
        with self._lock:
            self._flushes.append(done)
        self._wake.set()
        return done.wait(timeout_s)

    def close(self) -> None:
        """Commit what is pending and stop the writer. Safe to call twice.

        What the store refuses even now goes to the waiting file, for the next process.
        """
        with self._lock:
            self._closed = True
        self._wake.set()
        self._writer.join()

    # --- the writer thread

    def _run(self) -> None:
        while True:
            self._wake.wait(TICK_S)
            self._wake.clear()
            with self._lock:
                closing, flushes = self._closed, self._flushes
                self._flushes = []
            try:
                self._drain()
                self.error = None
            except self._store.trouble as error:
                self._troubled(error)
                self._shelter()
                with self._lock:
                    self._flushes += flushes
                if not closing:
                    self._wake.wait(_RETRY_S)
            else:
                for done in flushes:
                    done.set()
            if closing:
                break
        self._finish()

    def _drain(self) -> None:
        while self._pending:
            with self._lock:
                batch = list(islice(self._pending, BATCH))
            self._write(batch)
            with self._lock:
                for _ in batch:
                    self._pending.popleft()
        self._spill.sync()
        while path := self._next_spilled():
            self._bring_in(path)

    def _next_spilled(self) -> Path | None:
        if not self._leftovers and (path := self._spill.take()):
            self._leftovers.append(path)
        return self._leftovers[0] if self._leftovers else None

    def _bring_in(self, path: Path) -> None:
        """Store a spill file and remove it. A file half stored is stored again: no row enters twice."""
        pairs = read(path)
        while chunk := list(islice(pairs, BATCH)):
            whole = [pair for pair in chunk if pair is not None]
            if damaged := len(chunk) - len(whole):
                self.dropped += damaged
                log.error("ledger: %d damaged lines in %s are lost", damaged, path.name)
            self._write(whole)
        path.unlink(missing_ok=True)
        self._leftovers.remove(path)

    def _write(self, batch: Sequence[Pair]) -> None:
        try:
            self._commit(*_rows(batch))
        except self._store.bad:
            for pair in batch:
                self._write_alone(pair)

    def _write_alone(self, pair: Pair) -> None:
        try:
            requests, attempts = _rows([pair])
            mend = self._store.storable
            self._commit([mend(row) for row in requests], [mend(row) for row in attempts])
        except self._store.bad as error:
            self._drop(pair, error)

    def _commit(self, requests: Sequence[Row], attempts: Sequence[Row]) -> None:
        self._store.commit(requests, attempts)
        self.written += len(requests)

    def _troubled(self, error: BaseException) -> None:
        said = str(error)
        if said != self.error:
            log.error("ledger: cannot write to %s: %s; records wait in files (%s)", self.place, said, self._room)
        self.error = said

    def _shelter(self) -> None:
        """Bring what is in memory to the waiting room: a store that is away may stay away for longer than we live."""
        while self._pending:
            try:
                self._spill.append(self._pending[0])
            except self._lost:
                return  # no room there either: memory keeps it
            with self._lock:
                self._pending.popleft()
            self.spilled += 1

    def _finish(self) -> None:
        while self._pending:
            self._set_aside(self._pending.popleft())
        try:
            self._spill.sync()
            self._spill.take()  # closed and unlocked: the next process brings it in
            self._store.close()
        except self._store.trouble as error:
            self._troubled(error)


def _rows(batch: Iterable[Pair]) -> tuple[list[Row], list[Row]]:
    requests: list[Row] = []
    attempts: list[Row] = []
    for request, tries in batch:
        requests.append(request_row(request, tries))
        attempts += [attempt_row(request, attempt) for attempt in tries]
    return requests, attempts


def _shown(request: RequestRecord, attempts: Sequence[AttemptRecord]) -> dict[str, object]:
    inner = [
        {**as_dict(ATTEMPT_COLUMNS, attempt_row(request, attempt)), "generation": attempt.lineage.generation}
        for attempt in attempts
    ]
    return story(as_dict(REQUEST_COLUMNS, request_row(request, attempts)), inner)
