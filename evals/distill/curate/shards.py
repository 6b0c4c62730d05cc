"""The rows of large files, cleaned side by side: a shard leaves its rows and small arrays, and is never done twice."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from evals.distill.curate.clean import Clean, cleaner
from evals.distill.curate.rules import Rules
from evals.distill.curate.signs import PLACES, folded, signature, words
from evals.distill.example import Example, RowError, decode, encode
from evals.distill.folder import write_whole

SHARD_BYTES: Final = 48 << 20


class Shard(NamedTuple):
    """A part of one file: the lines that begin in [begin, end). A packed file is one shard."""

    number: int
    file: Path
    begin: int
    end: int


class Cleaned(NamedTuple):
    """What is known of the rows of all shards, row by row in the order of the input.

    Attributes:
        ids: (n, 2) the prompt's hash as two numbers. signs: (n, 32).
        failed, answered, task: (n,). route, licence: (n,) an index into ``routes``, ``licences``.
        words: buckets of all rows, one after the other; ``ends``: (n,) where each row's end.
        shard, begin, size: (n,) where the cleaned row lies.
        left_out: reason -> rows. masked: rows in which something was masked. read: rows in all. digest: of the input.
    """

    ids: npt.NDArray[np.uint64]
    signs: npt.NDArray[np.uint32]
    failed: npt.NDArray[np.bool_]
    answered: npt.NDArray[np.bool_]
    task: npt.NDArray[np.bool_]
    route: npt.NDArray[np.int64]
    routes: tuple[str, ...]
    licence: npt.NDArray[np.int64]
    licences: tuple[str, ...]
    words: npt.NDArray[np.uint16]
    ends: npt.NDArray[np.int64]
    shard: npt.NDArray[np.int32]
    begin: npt.NDArray[np.int64]
    size: npt.NDArray[np.int32]
    left_out: Counter[str]
    masked: int
    read: int
    digest: str


def cut(files: Sequence[Path], size: int = SHARD_BYTES) -> list[Shard]:
    """Shards of at most ``size`` bytes."""
    shards: list[Shard] = []
    for file in files:
        total = file.stat().st_size
        step = total if file.suffix == ".gz" else size
        for begin in range(0, max(total, 1), max(step, 1)):
            shards.append(Shard(len(shards), file, begin, min(begin + step, total)))
    return shards


def clean_all(shards: Sequence[Shard], rules: Rules, out: Path, tell: Callable[[str, float], None]) -> Cleaned:
    """Clean what is not clean yet, and gather what is known.

    Raises:
        RowError: a line is no row.
    """
    out.mkdir(parents=True, exist_ok=True)
    todo = [shard for shard in shards if not _about(out, shard.number).exists()]
    done = len(shards) - len(todo)
    cleaner(rules)  # what is wrong with the rules is said here, not by every worker
    for _ in _side_by_side(todo, rules, out):
        done += 1
        tell("cleaning", done / len(shards))
    return _gathered(shards, out)


def _side_by_side(todo: Sequence[Shard], rules: Rules, out: Path) -> Iterator[None]:
    workers = min(os.cpu_count() or 1, len(todo))
    if workers <= 1:
        for shard in todo:
            _clean_shard(shard, rules, out)
            yield
        return
    # spawned, not forked: a child must not inherit locks and threads that it does not know
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(_clean_shard, todo, repeat(rules), repeat(out))


def rows_of(out: Path, cleaned: Cleaned, rows: npt.NDArray[np.int64]) -> Iterator[Example]:
    """The cleaned rows at these places, in this order."""
    files: dict[int, io.BufferedReader] = {}
    try:
        for row in rows:
            shard = int(cleaned.shard[row])
            if shard not in files:
                files[shard] = _rows(out, shard).open("rb")
            files[shard].seek(int(cleaned.begin[row]))
            yield decode(files[shard].read(int(cleaned.size[row])))
    finally:
        for file in files.values():
            file.close()


def _rows(out: Path, number: int) -> Path:
    return out / f"{number:05d}.jsonl"


def _about(out: Path, number: int) -> Path:
    return out / f"{number:05d}.npz"


def _lines(shard: Shard) -> Iterator[tuple[int, bytes]]:
    """Where each line of the shard begins, and the line."""
    if shard.file.suffix == ".gz":
        with gzip.open(shard.file, "rb") as packed:
            yield from enumerate(packed, 1)
        return
    with shard.file.open("rb") as file:
        at = shard.begin
        if at:
            file.seek(at - 1)
            at += len(file.readline()) - 1  # a line that began before is the shard's before
        while at < shard.end:
            line = file.readline()
            if not line:
                return
            yield at, line
            at += len(line)


def _clean_shard(shard: Shard, rules: Rules, out: Path) -> None:
    told = _Shard(rules)
    for at, line in _lines(shard):
        if line.strip():
            told.add(line, f"{shard.file}, {'line' if shard.file.suffix == '.gz' else 'byte'} {at}")
    write_whole(_rows(out, shard.number), b"".join(told.lines))
    held = io.BytesIO()
    np.savez(held, **told.arrays())
    write_whole(_about(out, shard.number), held.getvalue())  # last: it says that the shard is done


class _Shard:
    """The rows of one shard as they are cleaned."""

    def __init__(self, rules: Rules) -> None:
        self._clean: Clean = cleaner(rules)
        self._where = tuple(rules.where.items())
        self._digest = hashlib.blake2b(digest_size=16)
        self.lines: list[bytes] = []
        self._ids: list[str] = []
        self._signs: list[npt.NDArray[np.uint32]] = []
        self._words: list[npt.NDArray[np.uint16]] = []
        self._flags: list[tuple[bool, bool, bool, str, str]] = []
        self._left_out: Counter[str] = Counter()
        self._masked = 0
        self._read = 0

    def add(self, line: bytes, where: str) -> None:
        """Take one line."""
        self._read += 1
        self._digest.update(line)
        try:
            row = decode(line)
        except ValueError as error:  # what is not JSON, not UTF-8, or no row
            raise RowError(f"{where}: {error}. Every line must be one row of the loop.") from None
        clean = self._clean(row)
        if isinstance(clean, str):
            self._left_out[clean] += 1
            return
        self._masked += clean.messages != row.messages or clean.answer != row.answer
        text = folded(clean.messages)
        self.lines.append(encode(clean) + b"\n")
        self._ids.append(clean.id)
        self._signs.append(signature(text))
        self._words.append(words(text))
        task = all(str(getattr(clean, name)) == value for name, value in self._where)
        answered = clean.answer is not None
        self._flags.append((clean.failure is not None, answered, task, clean.route, clean.licence))

    def arrays(self) -> dict[str, Any]:
        """What is kept beside the rows."""
        n = len(self._ids)
        failed, answered, task, route, licence = zip(*self._flags, strict=True) if n else ((), (), (), (), ())
        about = {"left_out": self._left_out, "masked": self._masked, "read": self._read}
        return {
            "ids": np.frombuffer(bytes.fromhex("".join(self._ids)), dtype=">u8").reshape(n, 2).astype(np.uint64),
            "signs": np.array(self._signs, dtype=np.uint32).reshape(n, PLACES),
            "words": np.concatenate(self._words) if n else np.zeros(0, dtype=np.uint16),
            "lengths": np.array([len(found) for found in self._words], dtype=np.int64),
            "sizes": np.array([len(line) for line in self.lines], dtype=np.int32),
            "failed": np.array(failed, dtype=np.bool_),
            "answered": np.array(answered, dtype=np.bool_),
            "task": np.array(task, dtype=np.bool_),
            "labels": np.frombuffer(json.dumps([list(route), list(licence)]).encode(), dtype=np.uint8),
            "about": np.frombuffer(json.dumps(about | {"digest": self._digest.hexdigest()}).encode(), dtype=np.uint8),
        }


def _gathered(shards: Sequence[Shard], out: Path) -> Cleaned:
    parts: list[dict[str, npt.NDArray[Any]]] = []
    for shard in shards:
        with np.load(_about(out, shard.number), allow_pickle=False) as file:
            parts.append({name: file[name] for name in file.files})
    abouts = [json.loads(part["about"].tobytes()) for part in parts]
    labels = [json.loads(part["labels"].tobytes()) for part in parts]
    route, routes = _coded([name for one in labels for name in one[0]])
    licence, licences = _coded([name for one in labels for name in one[1]])
    sizes = [part["sizes"] for part in parts]

    def joined(name: str) -> npt.NDArray[Any]:
        return np.concatenate([part[name] for part in parts])

    return Cleaned(
        ids=joined("ids"), signs=joined("signs"), failed=joined("failed"), answered=joined("answered"),
        task=joined("task"), route=route, routes=routes, licence=licence, licences=licences, words=joined("words"),
        ends=np.cumsum(joined("lengths")),
        shard=np.repeat(np.arange(len(parts), dtype=np.int32), [len(size) for size in sizes]),
        begin=np.concatenate([np.cumsum(size, dtype=np.int64) - size for size in sizes]), size=np.concatenate(sizes),
        left_out=sum((Counter(about["left_out"]) for about in abouts), Counter()),
        masked=sum(about["masked"] for about in abouts), read=sum(about["read"] for about in abouts),
        digest=hashlib.blake2b("".join(about["digest"] for about in abouts).encode(), digest_size=16).hexdigest(),
    )  # fmt: skip


def _coded(names: Sequence[str]) -> tuple[npt.NDArray[np.int64], tuple[str, ...]]:
    """Each name as an index into the sorted names."""
    known = tuple(sorted(set(names)))
    place = {name: index for index, name in enumerate(known)}
    return np.array([place[name] for name in names], dtype=np.int64), known
