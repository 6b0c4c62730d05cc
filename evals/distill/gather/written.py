"""Rows as they are imported: masked, and written as a whole."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from evals.distill.curate.clean import LIKELY, OPERATORS, SURE, Masker, system_of
from evals.distill.curate.taken import operators
from evals.distill.example import Example, encode, read_examples
from evals.distill.folder import write_whole


def write_rows(path: Path, rows: Iterable[Example], *, names: bool = True) -> tuple[int, str]:
    """Write rows without personal data and secrets. Only the owner may enter the loop's folder.

    Args:
        path: ``Folder.rows`` of the source.
        rows: as they came.
        names: mask names of people, user names and addresses too, but in system prompts that many rows share.

    Returns:
        In how many there was something to mask, and the content's hash.

    Raises:
        Unmaskable: a guard did not run. OSError: the disk; what was there stays.
    """
    root = path.parent.parent
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    touched: set[int] = set()
    if not names:
        digest = write_whole(path, _sure(rows, touched, []))
        return len(touched), digest
    first = path.with_name(f"{path.name}.{secrets.token_hex(4)}.new")
    try:
        systems: list[int] = []
        _spool(first, _sure(rows, touched, systems))
        shared = operators(np.array(systems, dtype=np.uint64))
        digest = write_whole(path, _likely(read_examples(first), systems, shared, touched))
    finally:
        first.unlink(missing_ok=True)
    return len(touched), digest


def _spool(path: Path, lines: Iterable[bytes]) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.writelines(lines)


def _sure(rows: Iterable[Example], touched: set[int], systems: list[int]) -> Iterator[bytes]:
    """Lines masked by what is sure; which system prompt each has is noted, and where something was masked."""
    mask = Masker(SURE)
    for at, row in enumerate(rows):
        clean, something = mask(row)
        if something:
            touched.add(at)
        systems.append(system_of(clean.messages))
        yield encode(clean) + b"\n"


def _likely(
    rows: Iterable[Example], systems: list[int], shared: frozenset[int], touched: set[int]
) -> Iterator[bytes]:  # fmt: skip
    mask = Masker(LIKELY)
    for at, (row, system) in enumerate(zip(rows, systems, strict=True)):
        clean, something = mask(row, OPERATORS if system in shared else frozenset())
        if something:
            touched.add(at)
        yield encode(clean) + b"\n"
