"""Curate: many rows in, a frozen holdout, rows to learn from, a control and a manifest out. Same input, same bytes."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from evals.distill.curate.choose import targeted
from evals.distill.curate.clusters import clustered, directions, failure_rates, placed
from evals.distill.curate.fence import Fence
from evals.distill.curate.near import repeats
from evals.distill.curate.rules import Rules
from evals.distill.curate.shards import Cleaned, clean_all, cut
from evals.distill.curate.signs import BUCKETS, PLACES, Signs, folded, signature
from evals.distill.curate.taken import Taken
from evals.distill.example import Example, encode, read_examples
from evals.distill.folder import Folder, digest_of, write_json, write_whole

FEWEST: Final = 50
_FORM: Final = 2  # of what shards leave; another number makes them anew

Index = npt.NDArray[np.int64]
Tell = Callable[[str, float], None]


class CurationError(ValueError):
    """No data set came of it. The message says why and how to mend it."""


class Frozen(NamedTuple):
    """Rows of an earlier time that are never learned from.

    Attributes:
        ids: of the rows as they are. known: first halves of these, and of what they were before names were masked.
        texts: folded. signs: (n, 32).
    """

    ids: frozenset[str]
    known: npt.NDArray[np.uint64]
    texts: list[str]
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
    held = {path: _frozen(path, folder.held) for path in (folder.holdout, folder.general)}
    sides = _sides(cleaned, rules, held[folder.holdout], held[folder.general])
    tell("choosing", 0.0)
    kinds, rates = _kinds(cleaned, sides.pool, rules)
    with Taken(work, cleaned, rules) as taken:
        sides, fence = _fenced(taken, sides, rules, [old for old in held.values() if old])
        train, control = _chosen(cleaned, taken, sides, kinds, rates, fence, rules)
        if len(train) < FEWEST:
            raise CurationError(_too_few(len(train), cleaned, sides))
        tell("writing", 0.0)
        new = {folder.train: train, folder.control: control}
        new |= {path: rows for path, rows in ((folder.holdout, sides.holdout), (folder.general, sides.general))
                if held[path] is None}  # fmt: skip
        _remember(folder, cleaned, new)
        cluster = dict(zip(sides.pool.tolist(), kinds.tolist(), strict=True))
        for path in sorted(new, key=lambda path: path in {folder.train, folder.control}):  # what is held out first
            write_whole(path, _lines(taken, new[path], cluster))
        manifest = _manifest(files, folder, cleaned, sides, train, control, kinds, rates, rules)
        manifest["rows"] |= {path.stem: len(old.texts) for path, old in held.items() if old}
        manifest["rows"]["names_masked"] = len(taken.touched.intersection(np.concatenate(list(new.values())).tolist()))
    write_json(folder.manifest, manifest)
    shutil.rmtree(work.parent)
    tell("writing", 1.0)
    return manifest


def _key(files: Iterable[Path], rules: Rules) -> str:
    """The name of the work: another file, another time of it, other rules, and it is begun anew."""
    seen = [(str(file.resolve()), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    return hashlib.blake2b(msgspec.json.encode([_FORM, seen, rules.hash]), digest_size=12).hexdigest()


def _frozen(path: Path, held: Path) -> Frozen | None:
    """What an earlier run left in ``path``; in ``held`` stand the hashes that its rows had before names were masked."""
    if not path.exists():
        return None
    texts, ids = [], []
    for row in read_examples(path):
        texts.append(folded(row.messages))
        ids.append(row.id)
    before = json.loads(held.read_bytes()).get(path.stem, ()) if held.exists() else ()
    known = np.array([int(one[:16], 16) for one in {*ids, *before}], dtype=np.uint64)
    signs = np.array([signature(text) for text in texts], dtype=np.uint32).reshape(-1, PLACES)
    return Frozen(frozenset(ids), known, texts, signs)


def _remember(folder: Folder, cleaned: Cleaned, new: Mapping[Path, Index]) -> None:
    """Leave the hashes under which rows that are held out came, to know them again when they come again."""
    old = json.loads(folder.held.read_bytes()) if folder.held.exists() else {}
    ids = {path.stem: [f"{a:016x}{b:016x}" for a, b in cleaned.ids[rows].tolist()]
           for path, rows in new.items() if path in {folder.holdout, folder.general}}  # fmt: skip
    if ids:
        write_json(folder.held, old | ids)


# --- who is for what ---------------------------------------------------------------------------------


def _sides(cleaned: Cleaned, rules: Rules, *held: Frozen | None) -> Sides:
    """Split by content hash first, then let repeats go: what is held out stays, and what says the same goes."""
    left_out = Counter(cleaned.left_out)
    order = _preferred(cleaned, rules)
    order, failed_too = _once(cleaned, order)
    left_out["exact duplicate"] += len(cleaned.ids) - len(order)
    cleaned.failed[order] |= failed_too
    # Rows that are held out already count neither as kept nor as left out: a second run says what the first one said.
    old = [one for one in held if one is not None]
    known = np.concatenate([one.known for one in old]) if old else np.zeros(0, dtype=np.uint64)
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
    counts = np.bincount(cleaned.words, minlength=BUCKETS)
    ways = directions(counts, len(cleaned.ids))
    places = placed(cleaned.words, cleaned.ends, pool, ways)
    kinds = clustered(places, np.arange(len(pool)), rules.clusters)
    return kinds, failure_rates(kinds, cleaned.failed[pool])


def _fenced(taken: Taken, sides: Sides, rules: Rules, held: Sequence[Frozen]) -> tuple[Sides, Fence]:
    """The rows held out anew as they will be written, each once, and what nothing to learn from may resemble."""
    known = {one for old in held for one in old.ids}
    texts = [text for old in held for text in old.texts]
    kept: list[Index] = []
    for rows in (sides.holdout, sides.general):
        keep = []
        for place, row in zip(rows.tolist(), taken.rows(rows), strict=True):
            if isinstance(row, str) or row.id in known:
                sides.left_out[row if isinstance(row, str) else "exact duplicate"] += 1
                continue
            known.add(row.id)
            texts.append(folded(row.messages))
            keep.append(place)
        kept.append(np.array(keep, dtype=np.int64))
    return sides._replace(holdout=kept[0], general=kept[1]), Fence(texts, rules.near)


def _chosen(
    cleaned: Cleaned, taken: Taken, sides: Sides, kinds: Index, rates: npt.NDArray[np.float64], fence: Fence,
    rules: Rules,
) -> tuple[Index, Index]:  # fmt: skip
    """Rows to learn from, and as many at random; those that may not be taken are replaced by others."""
    open_ = np.ones(len(sides.pool), dtype=np.bool_)
    seen: dict[int, Signs | str] = {}
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
            reasons = _unfit(taken, rows[take], fence, seen, rules.near)
            if not reasons:
                picks.append(rows[take])
                break
            open_[rest[take[list(reasons)]]] = False
            sides.left_out.update(reasons.values())
    return picks[0], picks[1]


def _unfit(taken: Taken, rows: Index, fence: Fence, seen: dict[int, Signs | str], near: float) -> dict[int, str]:
    """Index -> why that row may not be taken with the others. ``seen`` remembers the rows that were looked at."""
    new = np.array([place for place in rows.tolist() if place not in seen], dtype=np.int64)
    for place, row in zip(new.tolist(), taken.rows(new), strict=True):
        if isinstance(row, str):
            seen[place] = row
            continue
        text = folded(row.messages)
        seen[place] = "repeats a holdout row" if fence.close(text) else signature(text)
    reasons = {at: found for at, place in enumerate(rows.tolist()) if isinstance(found := seen[place], str)}
    if reasons or not taken.touched:
        return reasons
    # Prompts that only a name told apart are one without it.
    again = repeats(np.array([seen[place] for place in rows.tolist()], dtype=np.uint32).reshape(-1, PLACES), near)
    return dict.fromkeys(np.flatnonzero(again >= 0).tolist(), "near duplicate")


# --- what is left in the folder ----------------------------------------------------------------------


def _lines(taken: Taken, rows: Index, cluster: dict[int, int]) -> Iterator[bytes]:
    for place, row in zip(rows.tolist(), taken.rows(rows), strict=True):
        assert isinstance(row, Example)  # what may not be written was not taken
        yield encode(msgspec.structs.replace(row, cluster=cluster.get(place))) + b"\n"


def _too_few(n: int, cleaned: Cleaned, sides: Sides) -> str:
    why = ", ".join(f"{count} {reason}" for reason, count in sides.left_out.most_common() if count)
    return (
        f"{n} rows are left of {cleaned.read} to learn from, and {FEWEST} are the fewest that teach anything. "
        f"Left out: {why or 'none'}. Bring more rows, or loosen the rules."
    )


def _manifest(
    files: Sequence[Path], folder: Folder, cleaned: Cleaned, sides: Sides, train: Index, control: Index, kinds: Index,
    rates: npt.NDArray[np.float64], rules: Rules,
) -> dict[str, Any]:  # fmt: skip
    licences = Counter(cleaned.licences[code] for code in cleaned.licence[train])
    place = {row: at for at, row in enumerate(sides.pool.tolist())}

    def taken(rows: Index) -> Index:
        return np.bincount(kinds[[place[row] for row in rows.tolist()]], minlength=len(rates))

    aimed, drawn, sizes = taken(train), taken(control), np.bincount(kinds, minlength=len(rates))
    left = (folder.holdout, folder.general, folder.train, folder.control)
    return {
        "inputs": [file.name for file in files],
        "input_hash": cleaned.digest,
        "rules": msgspec.to_builtins(rules),
        "rules_hash": rules.hash,
        "rows": {
            "read": cleaned.read, "masked": cleaned.masked,
            "holdout": len(sides.holdout), "general": len(sides.general),
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
        "hashes": {path.name: digest_of(path) for path in left},
    }  # fmt: skip
