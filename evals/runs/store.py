"""The folders of runs: written whole or not at all, found by id, path, or ``last``."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from evals.runs.record import Item, Run
from router.registry.home import home

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

HEADER: Final = "run.json"
ITEMS: Final = "items.jsonl"
LAST: Final = "last"
_DRAFT: Final = ".part"


class RunError(ValueError):
    """A run that is not there or cannot be read: what, where, how to mend it."""


def runs_folder(chosen: Path | None = None) -> Path:
    """Where runs live: ``chosen``, else ``runs`` in STILLHOUSE_HOME."""
    return chosen or home() / "runs"


def new_id(suite: str, now: datetime) -> str:
    """A name that sorts by time; two runs of one second differ in their ends."""
    return f"{now:%Y%m%dT%H%M%SZ}-{suite}-{os.urandom(2).hex()}"


def in_order(items: Iterable[Item], targets: Iterable[str]) -> list[Item]:
    """By target as the suite lists them, then id, then sample: the order of a file."""
    place = {name: number for number, name in enumerate(targets)}
    return sorted(items, key=lambda item: (place.get(item.target, len(place)), item.id, item.sample))


def write_run(runs: Path, run: Run, items: Iterable[Item]) -> Path:
    """Write a run's folder and return it. A reader sees all of it or nothing.

    Texts of prompts and answers are in it, so it is for its owner's eyes.

    Raises:
        OSError: the disk is full or the place is not ours.
    """
    folder = runs / run.id
    draft = runs / f"{run.id}{_DRAFT}"
    draft.mkdir(parents=True, mode=0o700)
    try:
        encode = msgspec.json.Encoder().encode
        with (draft / ITEMS).open("wb") as out:
            for item in in_order(items, run.targets):
                out.write(encode(item) + b"\n")
        (draft / HEADER).write_bytes(msgspec.json.format(encode(run), indent=2) + b"\n")
        draft.rename(folder)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    return folder


def read_run(folder: Path) -> Run:
    """The header.

    Raises:
        RunError: there is none, or it is damaged.
    """
    return _decoded(folder / HEADER, Run)


def read_items(folder: Path) -> list[Item]:
    """All items, in the file's order.

    Raises:
        RunError: the file is missing, or a line is damaged.
    """
    path, decoder, items = folder / ITEMS, msgspec.json.Decoder(Item), []
    for number, line in enumerate(_bytes(path).split(b"\n"), start=1):
        if line:
            try:
                items.append(decoder.decode(line))
            except msgspec.DecodeError as error:
                raise RunError(f"{path}:{number}: not an item of a run: {error}") from None
    return items


def find_run(name: str, runs: Path, suite: str = "") -> Path:
    """The folder of a run.

    Args:
        name: an id, the beginning of just one id, a folder's path, or ``last``.
        runs: where to look.
        suite: ``last`` is the last finished run of this suite; empty for any.

    Raises:
        RunError: there is none, or several begin so.
    """
    if name == LAST:
        return _last(runs, suite)
    if "/" in name or os.sep in name or Path(name, HEADER).exists():
        return Path(name)
    found = [folder for folder in _folders(runs) if folder.name.startswith(name)]
    exact = [folder for folder in found if folder.name == name]
    if len(exact or found) == 1:
        return (exact or found)[0]
    if found:
        raise RunError(f"{len(found)} runs in {runs} begin with {name!r}; write more of the id")
    raise RunError(f"there is no run {name!r} in {runs}; give an id, a folder, or 'last'")


def _last(runs: Path, suite: str) -> Path:
    for folder in reversed(_folders(runs)):
        run = read_run(folder)
        if run.ended and suite in {"", run.suite}:
            return folder
    of = f" of the suite {suite!r}" if suite else ""
    raise RunError(f"there is no finished run{of} in {runs}")


def _folders(runs: Path) -> list[Path]:
    if not runs.is_dir():
        return []
    named = re.compile(r"\d{8}T\d{6}Z-.*")
    return sorted(
        folder
        for folder in runs.iterdir()
        if named.fullmatch(folder.name) and folder.suffix != _DRAFT and (folder / HEADER).exists()
    )


def _decoded(path: Path, kind: type[Run]) -> Run:
    try:
        return msgspec.json.decode(_bytes(path), type=kind)
    except msgspec.DecodeError as error:
        raise RunError(f"{path}: not the header of a run: {error}") from None


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        words = "is not there" if isinstance(error, FileNotFoundError) else f"cannot be read: {error.strerror}"
        raise RunError(f"{path}: {words}; a run is a folder with {HEADER} and {ITEMS}") from None
