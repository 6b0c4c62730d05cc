"""Days written out before they are removed: a compressed file of JSON lines a day, and a manifest that proves it whole.

A day is removed only after its file was read back from the disk and found to hold every row that is about to go. Rows
that come late for a day that was written before get a further file of that day.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import os
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO

import msgspec

from router.ledger.db import LedgerError
from router.ledger.place import Place, name_of
from router.ledger.prune import prune, whole_days
from router.ledger.read import Reader
from router.ledger.rollup import roll_up
from router.ledger.sums import DAY_MS
from router.types import Frozen

MANIFEST = ".manifest.json"


class Manifest(Frozen, frozen=True, kw_only=True):
    """What one file holds.

    Attributes:
        day: ISO 8601, UTC. ledger: where from, without a password.
        requests, attempts, feedback: how many. cost_nano: the sum of what is known.
        bytes, sha256: of the compressed file. text_sha256: of what is in it.
        tenants: whose requests, and how many.
    """

    file: str
    day: str
    ledger: str
    requests: int
    attempts: int
    feedback: int
    cost_nano: int
    bytes: int
    sha256: str
    text_sha256: str
    tenants: dict[str, int]


def retire(place: Place, folder: Path | None, before_ms: int) -> Iterator[int]:
    """Remove whole days before ``before_ms``, each written to ``folder`` first; yields what each step removed.

    Raises:
        LedgerError: the ledger cannot be opened, or a day's file is not as it was written; the day stays then.
        OSError: the folder cannot be written to; nothing more is removed.
    """
    if folder is None:
        yield from prune(place, before_ms)
        return
    roll_up(place)
    for day in _days(place, whole_days(before_ms)):
        with Reader(place) as reader:
            upto = reader.last_row()
        if export_day(place, folder, day, upto) is not None:
            yield from prune(place, (day + 1) * DAY_MS, upto=upto)


def _days(place: Place, before_ms: int) -> list[int]:
    with Reader(place) as reader:
        return reader.days(before_ms)


def export_day(place: Place, folder: Path, day: int, upto: int) -> Manifest | None:
    """Write a day's rows up to a row number, and read them back; None where there are none.

    Raises:
        LedgerError: what was read back differs. OSError: the folder cannot be written to.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    date = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=day)).date().isoformat()
    part = folder / f".{name_of(place)}-{date}.{os.getpid()}.part"
    try:
        with Reader(place) as reader:
            counts, digest = _write(reader, part, day, upto)
        if not counts["requests"]:
            return None
        if (found := _read_back(part)) != (counts["requests"], digest):
            raise LedgerError(f"{part}: holds {found[0]} of {counts['requests']} requests; the day {date} stays")
        final = _name(folder, f"{name_of(place)}-{date}")
        manifest = Manifest(
            file=final.name, day=date, ledger=str(place), requests=counts["requests"], attempts=counts["attempts"],
            feedback=counts["feedback"], cost_nano=counts["cost_nano"], bytes=part.stat().st_size,
            sha256=_sha256(part), text_sha256=digest,
            tenants={name[1]: n for name, n in sorted(counts.items(), key=str) if isinstance(name, tuple)},
        )  # fmt: skip
        part.replace(final)
        _keep(final.with_name(final.name + MANIFEST), msgspec.json.format(msgspec.json.encode(manifest)))
        return manifest
    finally:
        part.unlink(missing_ok=True)


def _write(reader: Reader, part: Path, day: int, upto: int) -> tuple[Counter[str | tuple[str, str]], str]:
    counts: Counter[str | tuple[str, str]] = Counter()
    digest = hashlib.sha256()
    with _created(part) as raw:
        with gzip.GzipFile(filename="", fileobj=raw, mode="wb", compresslevel=6, mtime=0) as file:
            for row in reader.stored(
                "at_ms >= :low AND at_ms < :high AND rowid <= :upto",
                {"low": day * DAY_MS, "high": (day + 1) * DAY_MS, "upto": upto},
            ):
                line = msgspec.json.encode(row) + b"\n"
                file.write(line)
                digest.update(line)
                counts["requests"] += 1
                counts["attempts"] += len(row["attempts"])  # type: ignore[arg-type]
                counts["feedback"] += len(row["feedback"])  # type: ignore[arg-type]
                counts["cost_nano"] += int(str(row["cost_nano"] or 0))
                counts["tenant", str(row["tenant"])] += 1
        raw.flush()
        os.fsync(raw.fileno())
    return counts, digest.hexdigest()


def _read_back(part: Path) -> tuple[int, str]:
    digest, lines = hashlib.sha256(), 0
    with gzip.open(part, "rb") as file:
        for line in file:
            digest.update(line)
            lines += 1
    return lines, digest.hexdigest()


def _name(folder: Path, stem: str) -> Path:
    """A name that is free: late rows of a day have a file of their own."""
    n = 1
    while (path := folder / f"{stem}{'' if n == 1 else f'-{n}'}.jsonl.gz").exists():
        n += 1
    return path


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _keep(path: Path, text: bytes) -> None:
    with _created(path) as file:
        file.write(text + b"\n")
        file.flush()
        os.fsync(file.fileno())
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextlib.contextmanager
def _created(path: Path) -> Iterator[IO[bytes]]:
    with os.fdopen(os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "wb") as file:
        yield file


def manifests(folder: Path) -> list[Manifest]:
    """All that lie in a folder, oldest day first.

    Raises:
        LedgerError: one of them cannot be read.
    """
    found = []
    for path in sorted(folder.glob(f"*{MANIFEST}")):
        try:
            found.append(msgspec.json.decode(path.read_bytes(), type=Manifest))
        except (OSError, msgspec.MsgspecError) as error:
            raise LedgerError(f"{path}: {error}. Restore it from a copy.") from None
    return sorted(found, key=lambda one: (one.day, one.file))


def verify(folder: Path, manifest: Manifest) -> bool:
    """Whether a file is as it was written."""
    path = folder / manifest.file
    try:
        return _sha256(path) == manifest.sha256 and _read_back(path) == (manifest.requests, manifest.text_sha256)
    except (OSError, EOFError):
        return False
