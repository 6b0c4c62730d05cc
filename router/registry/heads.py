"""Heads of our own on this machine: a card and its arrays, in a folder named by the card's SHA-256.

``<home>/models/<sha256>.nano/`` appears by one rename after both files were written to the disk, so who reads sees a
whole head or none. What is inside is checked by whoever loads it.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from pathlib import Path
from typing import Final

from router.registry.weights_fetch import FetchError, digest_of

CARD: Final = "nano.json"
FILES: Final = (CARD, "nano.npz")


def keep(source: Path, sha256: str, folder: Path) -> Path:
    """Copy the head in ``source`` under ``folder``; gives back where its card lies. One that is there is left as it is.

    Raises:
        FetchError: a file is missing, changed, or finds no room. Nothing is left behind then.
    """
    place = folder / f"{sha256}.nano"
    new = place.with_name(f"{place.name}.{secrets.token_hex(4)}.new")
    try:
        found = digest_of(source / CARD)
        if found != sha256:
            raise FetchError(f"{source / CARD} has the SHA-256 {found}, not {sha256}: it was changed since it was made")
        if not place.exists():
            size = sum((source / name).stat().st_size for name in FILES)
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            if size > (free := shutil.disk_usage(folder).free):
                raise FetchError(f"{folder} has {free} bytes free, the head needs {size}")
            new.mkdir(mode=0o700)
            for name in FILES:
                _copy(source / name, new / name)
            new.rename(place)
    except OSError as error:
        if not place.exists():  # another command may have been faster
            raise FetchError(f"{error.filename or place}: {error.strerror or error}. Nothing was kept") from None
    finally:
        shutil.rmtree(new, ignore_errors=True)
    return place / CARD


def drop(card: Path) -> None:
    """Take a kept head away."""
    with contextlib.suppress(OSError):  # in use or read-only: it does no harm there
        shutil.rmtree(card.parent)


def _copy(source: Path, target: Path) -> None:
    with source.open("rb") as read, target.open("wb") as written:
        shutil.copyfileobj(read, written)
        written.flush()
        os.fsync(written.fileno())
