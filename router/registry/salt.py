"""Secret salts that outlive the process, each a file in the home folder: a restarted gateway draws the same lots, and
knows a repeated prompt by the same hash.
"""  # noqa: D205

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

FILE = "explore.salt"
PROMPTS = "prompts.salt"
CAPTURES = "captures.salt"
BYTES = 32
_OTHERS = 0o077


class SaltError(ValueError):
    """The salt's file cannot be used; the message says why and how to mend it, and never holds the salt."""


def explore_salt(folder: Path) -> bytes:
    """The salt kept in ``folder``; made on first use, readable by its owner only.

    Raises:
        SaltError: the file is damaged, or other users may read it.
    """
    return _kept(folder / FILE)


def prompt_salt(folder: Path) -> bytes:
    """The salt by which repeated prompts are known in the ledger; errors and making as of ``explore_salt``."""
    return _kept(folder / PROMPTS)


def capture_salt(folder: Path) -> bytes:
    """The salt by which requests are drawn whose texts are kept; errors and making as of ``explore_salt``."""
    return _kept(folder / CAPTURES)


def _kept(path: Path) -> bytes:
    try:
        found = _read(path)
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        _make(path)
        found = _read(path)
    return found


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_mode & _OTHERS:
            raise SaltError(f"{path}: other users may read this secret; run 'chmod 600 {path}', or remove it")
        salt = file.read(BYTES + 1)
    if len(salt) != BYTES:
        raise SaltError(f"{path}: holds {len(salt)} bytes and not {BYTES}; remove it, and a new one is made")
    return salt


def _make(path: Path) -> None:
    """Written aside and linked into place: two cells that start together keep the one that was first."""
    aside = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(BYTES))
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(aside, path)
    finally:
        aside.unlink()
