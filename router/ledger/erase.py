"""Erasing a tenant: its rows go, its name goes from the daily sums, and every total stays what it was.

First the sums are brought up to the last row, then rows go stretch by stretch, so a kill at any moment leaves the
totals right, and running it again goes on. Records that wait in files are cleaned where no process holds the file; a
file that is in use is named, and so is every export that holds the tenant.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from contextlib import closing
from pathlib import Path

import msgspec

from router.ledger.archive import manifests
from router.ledger.db import Db
from router.ledger.place import Place, Remote, waiting_room
from router.ledger.prune import UNDER, delete_batch, give_back_space
from router.ledger.rollup import LATENCY, PAUSE_S, add_latency, add_sums, roll
from router.ledger.store import open_writer
from router.ledger.sums import DIMENSIONS, MEASURES, grouped_sql
from router.types import Frozen

ERASED = "erased"
"""The tenant under which the sums of all erased ones stand."""

STRETCH = 20_000  # row numbers a step


class Erasure(Frozen, frozen=True, kw_only=True):
    """What was done.

    Attributes:
        requests: rows that were removed. waiting: records that were removed from waiting files.
        in_use: waiting files that a running gateway holds; they come into the ledger by themselves: erase again then.
        exports: files that hold requests of this tenant.
    """

    requests: int
    waiting: int
    in_use: tuple[str, ...]
    exports: tuple[str, ...]


def erase(place: Place, tenant: str, exports: Path | None = None) -> Erasure:
    """Remove a tenant's requests with all that hangs on them.

    Raises:
        LedgerError: the ledger cannot be opened.
        ValueError: the tenant is the name that stands for erased ones.
    """
    if tenant == ERASED:
        raise ValueError(f"{ERASED!r} stands for tenants that were erased; there is nothing left to erase")
    waiting, in_use = _clean_waiting(waiting_room(place), tenant)
    with closing(open_writer(place)) as db:
        roll(db)
        removed = _remove(db, place, tenant)
        with db.together():
            _rename_sums(db, tenant)
        if not isinstance(place, Remote):
            give_back_space(db)
    named = tuple(one.file for one in manifests(exports) if tenant in one.tenants) if exports is not None else ()
    return Erasure(requests=removed, waiting=waiting, in_use=in_use, exports=named)


def _remove(db: Db, place: Place, tenant: str) -> int:
    if not isinstance(place, Remote):
        db.execute("CREATE TEMP TABLE doomed (request INTEGER PRIMARY KEY)")
    low, high = db.execute("SELECT coalesce(min(rowid), 1), coalesce(max(rowid), 0) FROM requests").fetchone()
    summed = "rowid <= (SELECT rolled_to FROM upkeep)"
    removed = 0
    for start in range(low, high + 1, STRETCH):
        given = {"tenant": tenant, "low": start, "high": start + STRETCH}
        test = f"tenant = :tenant AND rowid >= :low AND rowid < :high AND {summed}"
        if isinstance(place, Remote):
            removed += _remove_there(db, test, given)
        else:
            removed += delete_batch(db, f"SELECT rowid FROM requests WHERE {test}", given)  # noqa: S608
        time.sleep(PAUSE_S)
    return removed


def _remove_there(db: Db, test: str, given: dict[str, object]) -> int:
    with db.together():
        db.execute("SET LOCAL stillhouse.prune = 'on'")
        for under in UNDER:
            db.execute(f"DELETE FROM {under} WHERE request_id IN (SELECT id FROM requests WHERE {test})", given)  # noqa: S608
        return db.execute(f"DELETE FROM requests WHERE {test}", given).rowcount  # noqa: S608


def _rename_sums(db: Db, tenant: str) -> None:
    """Keys are names too: those of the tenant go from the sums with it."""
    anonymous = {"tenant": f"CAST('{ERASED}' AS TEXT)", "key_id": "CAST('' AS TEXT)"}
    columns = [f"{anonymous.get(name, name)} AS {name}" for name in (*DIMENSIONS, *MEASURES)]
    given = {"tenant": tenant}
    theirs = f"SELECT {', '.join(columns)} FROM daily WHERE tenant = :tenant"  # noqa: S608
    db.execute(add_sums(grouped_sql(DIMENSIONS, theirs)), given)
    db.execute("DELETE FROM daily WHERE tenant = :tenant", given)
    columns = [f"{anonymous.get(name, name)} AS {name}" for name in (*LATENCY, "requests")]
    db.execute(add_latency(f"SELECT {', '.join(columns)} FROM daily_latency WHERE tenant = :tenant"), given)  # noqa: S608
    db.execute("DELETE FROM daily_latency WHERE tenant = :tenant", given)


# --- files that wait ----------------------------------------------------------------------------------


def _clean_waiting(room: Path, tenant: str) -> tuple[int, tuple[str, ...]]:
    removed, in_use = 0, []
    for path in sorted(room.parent.glob(f"{room.name}.spill-*")):
        try:
            with path.open("r+b") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except OSError:
                    in_use.append(path.name)
                    continue
                removed += _clean(path, file, tenant)
        except FileNotFoundError:
            continue  # a gateway has just brought it in
    return removed, tuple(in_use)


class _Whose(msgspec.Struct):
    tenant: str = ""


def _clean(path: Path, file: object, tenant: str) -> int:
    """Rewrite a file without a tenant's lines: whole or not at all. A line that cannot be read stays as it is."""
    decode = msgspec.json.Decoder(tuple[_Whose, msgspec.Raw]).decode
    removed = 0
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(aside, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "wb") as out:
            for line in file:  # type: ignore[attr-defined]
                whose = None
                with contextlib.suppress(msgspec.MsgspecError):
                    whose = decode(line)[0].tenant
                if whose == tenant:
                    removed += 1
                else:
                    out.write(line)
            out.flush()
            os.fsync(out.fileno())
        if removed:
            aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
    return removed
