"""The scorers on this machine: artefact folders kept by their digest, and the word for which one is in use.

``scorers/<digest>/`` holds a trained artefact and never changes; ``scorers/active.json`` names the one in
use and those before it, is replaced in one step, and is what running gateways watch. ``shipped`` is the
artefact that comes with the package; it needs no folder. What is inside an artefact is checked by whoever
loads it, not here.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Literal

import msgspec

SHIPPED = "shipped"
HISTORY = 20
_DIGEST = r"[0-9a-f]{64}"

Name = Annotated[str, msgspec.Meta(pattern=rf"^({SHIPPED}|{_DIGEST})$")]


class ScorersError(ValueError):
    """The kept scorers cannot be used; the message says which file, what is wrong and how to mend it."""


class Active(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which scorer is in use: ``shipped`` or a digest; those in use before it, the latest last; and cells of their own.

    ``cells``: cell -> the scorer that it alone uses, to try one there before all cells take it.
    """

    stillhouse_scorer: Literal[1] = 1
    active: Name = SHIPPED
    before: tuple[Name, ...] = ()
    cells: dict[str, Name] = {}

    def of(self, cell: str) -> str:
        """The scorer that a cell uses."""
        return self.cells.get(cell, self.active)


def folder(home: Path) -> Path:
    """Where the artefacts and the pointer lie."""
    return home / "scorers"


def pointer(home: Path) -> Path:
    """The file that names the scorer in use."""
    return folder(home) / "active.json"


def place(home: Path, name: str) -> Path | None:
    """The artefact folder of a digest; None for the shipped one."""
    return None if name == SHIPPED else folder(home) / name


def active(home: Path) -> Active:
    """Which scorer is in use; the shipped one where nobody chose.

    Raises:
        ScorersError: the pointer is unreadable or damaged.
    """
    path = pointer(home)
    try:
        return msgspec.json.decode(path.read_bytes(), type=Active)
    except FileNotFoundError:
        return Active()
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        said = error.strerror if isinstance(error, OSError) else error
        raise ScorersError(f"{path}: {said}. Choose again: stillhouse scorer use shipped") from None


def kept(home: Path) -> tuple[str, ...]:
    """The digests of all kept artefacts, the newest first."""
    try:
        found = [entry for entry in folder(home).iterdir() if re.fullmatch(_DIGEST, entry.name)]
        found.sort(key=lambda entry: (-(entry / "manifest.json").stat().st_mtime_ns, entry.name))
    except OSError:
        return ()
    return tuple(entry.name for entry in found)


def find(home: Path, name: str) -> str:
    """The full name of ``shipped`` or of a digest's first digits.

    Raises:
        ScorersError: no kept artefact, or several, begin like that.
    """
    if name == SHIPPED:
        return SHIPPED
    digests = [digest for digest in kept(home) if digest.startswith(name)] if name else []
    if len(digests) != 1:
        what = "several scorers begin" if digests else "no kept scorer begins"
        raise ScorersError(f"{what} with {name!r}; 'stillhouse scorer list' shows them all")
    return digests[0]


def keep(home: Path, source: Path, digest: str) -> Path:
    """Copy an artefact folder in under its digest; one that is already there is left as it is.

    Raises:
        ScorersError: the folder cannot be written.
    """
    there = folder(home) / digest
    new = there.with_name(f"{digest}.{secrets.token_hex(4)}.new")
    try:
        with _editing(home):
            if not there.exists():
                shutil.copytree(source, new)
                new.rename(there)
    except OSError as error:
        raise ScorersError(f"{there}: {error.strerror or error}. Is STILLHOUSE_HOME writable?") from None
    finally:
        shutil.rmtree(new, ignore_errors=True)
    return there


def use(home: Path, name: str, cells: Sequence[str] = ()) -> Active:
    """Make a kept scorer, or ``shipped``, the one in use; the old one joins those before.

    Args:
        home: where the scorers lie.
        name: which; its beginning is enough.
        cells: only these use it, until all are told to, or ``roll_back``; empty for all.

    Raises:
        ScorersError: nothing of that name is kept, or the pointer cannot be written.
    """
    chosen = find(home, name)
    with _explained(home), _editing(home):
        now = _or_none(home)
        if cells:
            own = {**now.cells, **dict.fromkeys(cells, chosen)}
            return _write(home, Active(active=now.active, before=now.before, cells=own))
        if chosen == now.active and not now.cells:
            return now
        before = now.before if chosen == now.active else (*now.before, now.active)[-HISTORY:]
        return _write(home, Active(active=chosen, before=before))


def roll_back(home: Path) -> Active:
    """Return to the scorer in use before; it leaves the list of those before. Cells of their own return first.

    Raises:
        ScorersError: there was none before, it is gone, or the pointer cannot be written.
    """
    with _explained(home), _editing(home):
        now = active(home)
        if now.cells:
            return _write(home, Active(active=now.active, before=now.before))
        if not now.before:
            raise ScorersError(f"no scorer was in use before {now.active[:12]}; there is nothing to return to")
        last = find(home, now.before[-1])
        return _write(home, Active(active=last, before=now.before[:-1]))


def _or_none(home: Path) -> Active:
    """A damaged pointer is what ``use`` mends."""
    try:
        return active(home)
    except ScorersError:
        return Active()


def _write(home: Path, now: Active) -> Active:
    path = pointer(home)
    new = path.with_name(f"{path.name}.{secrets.token_hex(4)}.new")
    text = json.dumps(msgspec.to_builtins(now), indent=1)
    try:
        new.write_text(text + "\n", encoding="utf-8")
        os.replace(new, path)
    finally:
        new.unlink(missing_ok=True)
    return now


@contextlib.contextmanager
def _editing(home: Path) -> Iterator[None]:
    """Two commands at once come one after the other."""
    folder(home).mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder(home) / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _explained(home: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ScorersError(f"{pointer(home)}: {error.strerror or error}. Is STILLHOUSE_HOME writable?") from None
