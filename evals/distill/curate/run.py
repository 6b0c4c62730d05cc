"""Curate: many rows in, a frozen holdout, rows to learn from, a control and a manifest out. Same input, same bytes."""

from __future__ import annotations

import hashlib
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from evals.distill.curate.choose import targeted
from evals.distill.curate.clusters import clustered, directions, failure_rates, frequencies, placed
from evals.distill.curate.near import close_to, repeats
from evals.distill.curate.rules import Rules
from evals.distill.curate.shards import Cleaned, clean_all, cut, rows_of
from evals.distill.curate.signs import PLACES, folded, signature
from evals.distill.example import encode, read_examples
from evals.distill.folder import Folder, write_json, write_whole

FEWEST: Final = 50
_FORM: Final = 1  # of what shards leave; another number makes them anew

Index = npt.NDArray[np.int64]
Tell = Callable[[str, float], None]


class CurationError(ValueError):
    """No data set came of it. The message says why and how to mend it."""


class Frozen(NamedTuple):
    """Rows of an earlier time that are never learned from."""

    ids: npt.NDArray[np.uint64]
    signs: npt.NDArray[np.uint32]


class Sides(NamedTuple):
    """Rows by what they are for; each in the order of preference."""

    holdout: Index
    general: Index
    pool: Index
    left_out: Counter[str]


def _silent(_what: str, _share: float) -> None:
    pass


def curate(files: Sequence[Path], folder: Folder, rules: Rules, tell: Tell = _silent) -> dict[str, Any]:
    """Choose the rows of a loop, and leave them with their manifest in ``folder``. A run that was cut short goes on.

    Args:
        files: JSON Lines of ``Example``, packed with gzip where they end in ``.gz``.
        folder: of the loop. Its ``holdout.jsonl`` and ``general.jsonl`` are kept if they are there.
        rules: how to choose.
        tell: hears what is done, and the share of it that is behind us.

    Returns:
        The manifest.

    Raises:
        CurationError: fewer than 50 rows are left. RowError: a line is no row. OSError: the disk.
    """
    work = folder.root / "work" / _key(files, rules)
    cleaned = clean_all(cut(files), rules, work, tell)
    tell("comparing", 0.0)
    held = [_frozen(path) for path in (folder.holdout, folder.general)]
    sides = _sides(cleaned, rules, held)
    tell("choosing", 0.0)
    kinds, rates = _kinds(cleaned, sides.pool, rules)
    fence = _fence(cleaned, sides, held)
    train, control = _chosen(cleaned, sides, kinds, rates, fence, rules)
    if len(train) < FEWEST:
        raise CurationError(_too_few(len(train), cleaned, sides))
    tell("writing", 0.0)
    cluster = dict(zip(sides.pool.tolist(), kinds.tolist(), strict=True))
    hashes = {
        path.name: write_whole(path, _lines(work, cleaned, rows, cluster))
        for path, rows, old in (
            (folder.holdout, sides.holdout, held[0]),
            (folder.general, sides.general, held[1]),
            (folder.train, train, None),
            (folder.control, control, None),
        )
        if old is None
    } | {path.name: _digest(path) for path, old in zip((folder.holdout, folder.general), held, strict=True) if old}
    counts = {
        name: len(rows) + (len(old.ids) if old else 0)
        for name, rows, old in zip(("holdout", "general"), (sides.holdout, sides.general), held, strict=True)
    }
    manifest = _manifest(files, rules, cleaned, sides, counts, train, control, kinds, rates, hashes)
    write_json(folder.manifest, manifest)
    shutil.rmtree(work.parent)
    tell("writing", 1.0)
    return manifest


def _key(files: Iterable[Path], rules: Rules) -> str:
    """The name of the work: another file, another time of it, other rules, and it is begun anew."""
    seen = [(str(file.resolve()), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    return hashlib.blake2b(msgspec.json.encode([_FORM, seen, rules.hash]), digest_size=12).hexdigest()


def _frozen(path: Path) -> Frozen | None:
    if not path.exists():
        return None
    rows = list(read_examples(path))
    ids = np.frombuffer(bytes.fromhex("".join(row.id for row in rows)), dtype=">u8").reshape(-1, 2).astype(np.uint64)
    signs = np.array([signature(folded(row.messages)) for row in rows], dtype=np.uint32).reshape(-1, PLACES)
    return Frozen(ids, signs)


# --- who is for what ---------------------------------------------------------------------------------


def _sides(cleaned: Cleaned, rules: Rules, held: Sequence[Frozen | None]) -> Sides:
    """Split by content hash first, then let repeats go: what is held out stays, and what says the same goes."""
    left_out = Counter(cleaned.left_out)
    order = _preferred(cleaned, rules)
    order, failed_too = _once(cleaned, order)
    left_out["exact duplicate"] += len(cleaned.ids) - len(order)
    cleaned.failed[order] |= failed_too
    # Rows that are held out already count neither as kept nor as left out: a second run says what the first one said.
    old = [one for one in held if one is not None]
    known = np.concatenate([one.ids[:, 0] for one in old]) if old else np.zeros(0, dtype=np.uint64)
    order = order[~np.isin(cleaned.ids[order, 0], known)]
    # A prompt's own hash says on which side it is: the same today and tomorrow, with whatever else it comes.
    aside = cleaned.ids[order, 0] < np.uint64(min(int(rules.holdout * 2**64), 2**64 - 1))
    old_signs = np.concatenate([one.signs for one in old]) if old else np.zeros((0, PLACES), dtype=np.uint32)
    order = np.concatenate([order[aside], order[~aside]])
    is_aside = np.arange(len(order)) < int(aside.sum())
    of = repeats(np.concatenate([old_signs, cleaned.signs[order]]), rules.near)[len(old_signs) :]
    near_old = (of >= 0) & (of < len(old_signs) + int(aside.sum())) & ~is_aside
    left_out["repeats a holdout row"] += int(near_old.sum())
    left_out["near duplicate"] += int(((of >= 0) & ~near_old).sum())
    unique = of < 0
    kept_aside, kept = order[is_aside & unique], order[~is_aside & unique]
    holdout = kept_aside[cleaned.task[kept_aside]][: 0 if held[0] else rules.holdout_rows]
    left_out["kept aside for a holdout"] += len(kept_aside) - len(holdout)
    others = kept[~cleaned.task[kept]]
    general = others[: 0 if held[1] else rules.general_rows]
    left_out["other work"] += len(others) - len(general)
    return Sides(holdout, general, kept[cleaned.task[kept]], left_out)


def _preferred(cleaned: Cleaned, rules: Rules) -> Index:
    """All rows: answered ones first, then those that failed, else as a hash of seed and prompt has it.

    So the order in which rows lie in the files does not matter.
    """
    seed = np.frombuffer(hashlib.blake2b(str(rules.seed).encode(), digest_size=8).digest(), dtype=np.uint64)[0]
    drawn = (cleaned.ids[:, 1] ^ seed) * np.uint64(0x9E3779B97F4A7C15)
    drawn ^= drawn >> np.uint64(32)
    return np.lexsort((cleaned.ids[:, 0], drawn, ~cleaned.failed, ~cleaned.answered))


def _once(cleaned: Cleaned, order: Index) -> tuple[Index, npt.NDArray[np.bool_]]:
    """The first of each prompt, and whether any of its repeats failed."""
    keys = cleaned.ids[order]
    _, first, inverse = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    failed = np.bincount(inverse.ravel(), weights=cleaned.failed[order]) > 0
    back = np.argsort(first, kind="stable")
    return order[first[back]], failed[back]


# --- what is learned from ----------------------------------------------------------------------------


def _kinds(cleaned: Cleaned, pool: Index, rules: Rules) -> tuple[Index, npt.NDArray[np.float64]]:
    """The cluster of each row of the pool, and how often each cluster fails."""
    begins = cleaned.ends - np.diff(cleaned.ends, prepend=0)
    counts = np.bincount(cleaned.words, minlength=len(frequencies([])))
    ways = directions(counts, len(cleaned.ids))
    places = np.zeros((len(pool), ways.shape[1]), dtype=np.float32)
    for at, row in enumerate(pool):
        places[at] = placed(cleaned.words[begins[row] : cleaned.ends[row]], ways)
    kinds = clustered(places, np.arange(len(pool)), rules.clusters)
    return kinds, failure_rates(kinds, cleaned.failed[pool])


def _fence(cleaned: Cleaned, sides: Sides, held: Sequence[Frozen | None]) -> npt.NDArray[np.uint32]:
    """The signatures of all that nothing to learn from may resemble."""
    new = cleaned.signs[np.concatenate([sides.holdout, sides.general])]
    return np.concatenate([new, *(one.signs for one in held if one is not None)])


def _chosen(
    cleaned: Cleaned, sides: Sides, kinds: Index, rates: npt.NDArray[np.float64], fence: npt.NDArray[np.uint32],
    rules: Rules,
) -> tuple[Index, Index]:  # fmt: skip
    """Rows to learn from, and as many at random; those that come too close to the holdout are replaced by others."""
    open_ = np.ones(len(sides.pool), dtype=np.bool_)
    picks: list[Index] = []
    for aimed in (True, False):
        while True:
            rest = np.flatnonzero(open_)
            rows = sides.pool[rest]
            if aimed:
                take = targeted(kinds[rest], cleaned.route[rows], cleaned.failed[rows], rates, rules.budget)
            else:
                # answered and failed rows come first in the pool: the draw among all must not know of it
                take = np.sort(np.argsort(cleaned.ids[rows, 1], kind="stable")[: rules.budget])
            close = close_to(cleaned.signs[rows[take]], fence, rules.near)
            if not close.any():
                picks.append(rows[take])
                break
            open_[rest[take[close]]] = False
            sides.left_out["repeats a holdout row"] += int(close.sum())
    return picks[0], picks[1]


# --- what is left in the folder ----------------------------------------------------------------------


def _lines(work: Path, cleaned: Cleaned, rows: Index, cluster: dict[int, int]) -> Iterator[bytes]:
    for place, row in zip(rows.tolist(), rows_of(work, cleaned, rows), strict=True):
        yield encode(msgspec.structs.replace(row, cluster=cluster.get(place))) + b"\n"


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def _too_few(n: int, cleaned: Cleaned, sides: Sides) -> str:
    why = ", ".join(f"{count} {reason}" for reason, count in sides.left_out.most_common() if count)
    return (
        f"{n} rows are left of {cleaned.read} to learn from, and {FEWEST} are the fewest that teach anything. "
        f"Left out: {why or 'none'}. Bring more rows, or loosen the rules."
    )


def _manifest(
    files: Sequence[Path], rules: Rules, cleaned: Cleaned, sides: Sides, held: dict[str, int], train: Index,
    control: Index, kinds: Index, rates: npt.NDArray[np.float64], hashes: dict[str, str],
) -> dict[str, Any]:  # fmt: skip
    licences = Counter(cleaned.licences[code] for code in cleaned.licence[train])
    place = {row: at for at, row in enumerate(sides.pool.tolist())}

    def taken(rows: Index) -> Index:
        return np.bincount(kinds[[place[row] for row in rows.tolist()]], minlength=len(rates))

    aimed, drawn, sizes = taken(train), taken(control), np.bincount(kinds, minlength=len(rates))
    return {
        "inputs": [file.name for file in files],
        "input_hash": cleaned.digest,
        "rules": msgspec.to_builtins(rules),
        "rules_hash": rules.hash,
        "rows": {
            "read": cleaned.read, "masked": cleaned.masked, **held,
            "pool": len(sides.pool), "train": len(train), "control": len(control),
            "failed_in_train": int(cleaned.failed[train].sum()),
            "failed_in_control": int(cleaned.failed[control].sum()),
        },
        "left_out": {reason: count for reason, count in sorted(sides.left_out.items()) if count},
        "routes": sorted({cleaned.routes[code] for code in cleaned.route[train].tolist()}),
        "licence": "allowed" if set(licences) == {"allowed"} else "unknown",
        "licences": dict(sorted(licences.items())),
        "clusters": [
            {"rows": int(size), "failure_rate": round(float(rate), 4), "train": int(a), "control": int(d)}
            for size, rate, a, d in zip(sizes, rates, aimed, drawn, strict=True)
        ],
        "hashes": hashes,
    }  # fmt: skip
