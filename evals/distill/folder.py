"""The folder of one loop: what each step has left, under names that never change.

``STILLHOUSE_HOME/distill/<name>/``:

    rows/           what was imported, masked, a file a source
    holdout.jsonl   frozen by content hash before anything else is looked at; never written again
    general.jsonl   rows of other work, to see what a student forgot
    held.json       the hashes under which rows that are held out came, before names were masked in them
    train.jsonl     what is learned from; control.jsonl the same number of rows chosen at random
    manifest.json   where they come from, what was left out and why, hashes, seeds, licence
    labels/         answers of teachers, asked for and paid for once; curated/ keeps the rows as curate left them
    exports/        the rows in the formats of others
    students/<hash>/  student.json and its weights, made by a trainer
    gate/           runs and verdicts; evidence for a proposal
    shadow/         what a candidate would have said: runs and figures; proposed/ keeps the policies that name students
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class Folder:
    """Paths of one loop."""

    root: Path

    @classmethod
    def of(cls, home: Path, name: str) -> Folder:
        """The loop ``name`` under ``home``.

        Raises:
            ValueError: the name is none.
        """
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} cannot name a loop: use small letters, digits, dots, dashes and underscores")
        return cls(home / "distill" / name)

    def rows(self, source: str) -> Path:
        """What was imported from ``source``."""
        return self.root / "rows" / f"{source}.jsonl"

    @property
    def holdout(self) -> Path:
        """Rows that are never learned from."""
        return self.root / "holdout.jsonl"

    @property
    def general(self) -> Path:
        """Rows of other work."""
        return self.root / "general.jsonl"

    @property
    def held(self) -> Path:
        """Hashes under which the rows of both came."""
        return self.root / "held.json"

    @property
    def train(self) -> Path:
        """Rows to learn from."""
        return self.root / "train.jsonl"

    @property
    def control(self) -> Path:
        """As many rows, chosen at random."""
        return self.root / "control.jsonl"

    @property
    def manifest(self) -> Path:
        """How the rows were chosen."""
        return self.root / "manifest.json"

    def student(self, digest: str) -> Path:
        """The folder of one student."""
        return self.root / "students" / digest


def write_whole(path: Path, data: bytes | Iterable[bytes]) -> str:
    """Replace a file as a whole: who reads sees the old one or the new one, also after a crash.

    Returns:
        The content's hash, 32 hex digits of BLAKE2b.

    Raises:
        OSError: it cannot be written; what was there stays.
    """
    digest = hashlib.blake2b(digest_size=16)
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.{secrets.token_hex(4)}.new")
    try:
        with new.open("wb") as file:
            for part in (data,) if isinstance(data, bytes) else data:
                digest.update(part)
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)
    return digest.hexdigest()


def digest_of(path: Path) -> str:
    """The hash that ``write_whole`` gave back, of a file that is there."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def write_json(path: Path, value: Any) -> None:
    """The same for a JSON object, keys in order: equal values, equal bytes."""
    write_whole(path, (json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode())
