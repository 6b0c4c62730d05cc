"""The rows of large files, cleaned side by side: a shard leaves its rows and small arrays, and is never done twice."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from evals.distill.curate.clean import Clean, cleaner, system_of
from evals.distill.curate.rules import Rules
from evals.distill.curate.signs import PLACES, Words, folded, signature
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
        system: (n,) ``system_of`` each row.
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
    system: npt.NDArray[np.uint64]
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
    write_whole(_rows(out, shard.number), told.lines)
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
        self._of_words = Words()
        self._flags: list[tuple[bool, bool, bool]] = []
        self._routes: dict[str, int] = {}
        self._licences: dict[str, int] = {}
        self._labels: list[tuple[int, int, int]] = []
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
        self._words.append(self._of_words(text))
        task = all(str(getattr(clean, name)) == value for name, value in self._where)
        answered = clean.answer is not None
        self._flags.append((clean.failure is not None, answered, task))
        route, licence = (known.setdefault(name, len(known)) for known, name in
                          ((self._routes, clean.route), (self._licences, clean.licence)))  # fmt: skip
        self._labels.append((route, licence, system_of(clean.messages)))

    def arrays(self) -> dict[str, Any]:
        """What is kept beside the rows."""
        n = len(self._ids)
        failed, answered, task = zip(*self._flags, strict=True) if n else ((), (), ())
        route, licence, system = zip(*self._labels, strict=True) if n else ((), (), ())
        about = {
            "left_out": self._left_out, "masked": self._masked, "read": self._read, "digest": self._digest.hexdigest(),
            "routes": list(self._routes), "licences": list(self._licences),
        }  # fmt: skip
        return {
            "ids": np.frombuffer(bytes.fromhex("".join(self._ids)), dtype=">u8").reshape(n, 2).astype(np.uint64),
            "signs": np.array(self._signs, dtype=np.uint32).reshape(n, PLACES),
            "words": np.concatenate(self._words) if n else np.zeros(0, dtype=np.uint16),
            "lengths": np.array([len(found) for found in self._words], dtype=np.int64),
            "sizes": np.array([len(line) for line in self.lines], dtype=np.int32),
            "failed": np.array(failed, dtype=np.bool_),
            "answered": np.array(answered, dtype=np.bool_),
            "task": np.array(task, dtype=np.bool_),
            "route": np.array(route, dtype=np.int32),
            "licence": np.array(licence, dtype=np.int32),
            "system": np.array(system, dtype=np.uint64),
            "about": np.frombuffer(json.dumps(about).encode(), dtype=np.uint8),
        }


def _gathered(shards: Sequence[Shard], out: Path) -> Cleaned:
    """What the shards left, one array after the other, so that none is held twice for long."""

    def each(name: str) -> Iterator[npt.NDArray[Any]]:
        for shard in shards:
            with np.load(_about(out, shard.number), allow_pickle=False) as file:
                yield file[name]

    def joined(name: str) -> npt.NDArray[Any]:
        return np.concatenate(list(each(name)))

    abouts = [json.loads(part.tobytes()) for part in each("about")]
    route, routes = _coded(each("route"), [about["routes"] for about in abouts])
    licence, licences = _coded(each("licence"), [about["licences"] for about in abouts])
    sizes = list(each("sizes"))
    return Cleaned(
        ids=joined("ids"), signs=joined("signs"), failed=joined("failed"), answered=joined("answered"),
        task=joined("task"), route=route, routes=routes, licence=licence, licences=licences, system=joined("system"),
        words=joined("words"), ends=np.cumsum(joined("lengths")),
        shard=np.repeat(np.arange(len(sizes), dtype=np.int32), [len(size) for size in sizes]),
        begin=np.concatenate([np.cumsum(size, dtype=np.int64) - size for size in sizes]), size=np.concatenate(sizes),
        left_out=sum((Counter(about["left_out"]) for about in abouts), Counter()),
        masked=sum(about["masked"] for about in abouts), read=sum(about["read"] for about in abouts),
        digest=hashlib.blake2b("".join(about["digest"] for about in abouts).encode(), digest_size=16).hexdigest(),
    )  # fmt: skip


def _coded(
    parts: Iterable[npt.NDArray[Any]], names: Sequence[Sequence[str]]
) -> tuple[npt.NDArray[np.int64], tuple[str, ...]]:  # fmt: skip
    """Each row's name as an index into the sorted names of all shards."""
    known = tuple(sorted({name for some in names for name in some}))
    place = {name: index for index, name in enumerate(known)}
    codes = [np.array([place[name] for name in some], dtype=np.int64) for some in names]
    return np.concatenate([code[part] for part, code in zip(parts, codes, strict=True)]), known
