"""Answers that were paid for, by everything that decides them: ``answers.db`` in STILLHOUSE_HOME/cache.

Each answer is committed when it arrives, so a run that is killed loses what was on its way and nothing else. It holds
texts of answers (no prompts), so it is for its owner's eyes.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Collection
from pathlib import Path
from typing import Final, Self

import msgspec

from evals.runs.reply import Reply
from router.registry.home import home

#: Raised when what a reply means has changed, so that older ones are not taken for it.
_FORM: Final = 1
_WAIT_MS: Final = 30_000
_TOGETHER: Final = 256  # answers without a call that are written at once


class CacheError(OSError):
    """The file cannot be used: damaged, full, not ours."""


def cache_path() -> Path:
    """Where answers are kept."""
    return home() / "cache" / "answers.db"


class Cache:
    """Key -> reply. Several processes may use the same file.

    Args:
        path: the file; its folder is made.
        fresh: answers of earlier runs are not looked at, and are replaced.

    Raises:
        CacheError: the file cannot be opened.
    """

    def __init__(self, path: Path, *, fresh: bool = False) -> None:
        self._path = path
        self._fresh = fresh
        self._mine: set[str] = set()
        self._later: dict[str, Reply] = {}
        self._encode = msgspec.json.Encoder().encode
        self._decode = msgspec.json.Decoder(Reply).decode
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.touch(mode=0o600)
            self._db = sqlite3.connect(path, isolation_level=None)
            self._db.execute(f"PRAGMA busy_timeout = {_WAIT_MS}")
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.execute(
                "CREATE TABLE IF NOT EXISTS answers "
                "(key TEXT PRIMARY KEY, at_ms INTEGER NOT NULL, reply BLOB NOT NULL) WITHOUT ROWID"
            )
        except (sqlite3.Error, OSError) as error:
            raise CacheError(f"{path}: {error}; delete it to start anew (answers are then asked again)") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.flush()
        finally:
            self._db.close()

    def get(self, key: str) -> Reply | None:
        """The reply of that name, if it is known.

        Raises:
            CacheError: the file is damaged.
        """
        if key in self._later:
            return self._later[key]
        if self._fresh and key not in self._mine:
            return None
        try:
            row = self._db.execute("SELECT reply FROM answers WHERE key = ?", (_named(key),)).fetchone()
        except sqlite3.Error as error:
            raise CacheError(f"{self._path}: {error}; delete it to start anew (answers are then asked again)") from None
        try:
            return None if row is None else self._decode(row[0])
        except msgspec.DecodeError:
            return None  # of another version of this program: ask again

    def put(self, key: str, reply: Reply) -> None:
        """Keep a reply, for good when this returns.

        Raises:
            CacheError: the disk is full, or the file is not ours.
        """
        self._write([(key, reply)])

    def put_later(self, key: str, reply: Reply) -> None:
        """Keep a reply with ``flush``: for those that cost nothing to make again, so that many are written at once."""
        self._later[key] = reply
        if len(self._later) >= _TOGETHER:
            self.flush()

    def flush(self) -> None:
        """Write what was put off. Raises as ``put``."""
        later, self._later = self._later, {}
        if later:
            self._write(later.items())

    def _write(self, replies: Collection[tuple[str, Reply]]) -> None:
        now = time.time_ns() // 1_000_000
        rows = [(_named(key), now, self._encode(reply)) for key, reply in replies]
        try:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany("INSERT OR REPLACE INTO answers VALUES (?, ?, ?)", rows)
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            raise CacheError(f"{self._path}: {error}") from None
        if self._fresh:
            self._mine.update(key for key, _ in replies)

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return sum(os.path.getsize(path) for path in self._path.parent.glob(self._path.name + "*"))  # noqa: PTH202


def _named(key: str) -> str:
    return f"{_FORM}:{key}"
