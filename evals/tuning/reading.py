"""A ledger's pages as arrays, read by as many processes as there are cores: what ``ledger`` makes a table of."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import pairwise
from typing import Any, Final, NamedTuple

import numpy as np

from evals.tuning.table import Codes, Floats, Ints, Mask
from router.ledger.decisions import ByTier, Kind, Page, bounds, decisions, kind_of
from router.ledger.place import Place
from router.ledger.read import Span
from router.types import TIER_NAMES

#: Below this many rows a second process costs more than it spares.
WORTH_A_PROCESS: Final = 250_000


class Part(NamedTuple):
    """Some rows of a ledger; words as codes into lists of names.

    Attributes:
        findings: as rules name them, parted by commas.
        cluster: -1 for a row that stands alone.
        chance, guess: (n, 3), NaN where unknown.
    """

    kinds: list[Kind]
    languages: list[str]
    findings: list[str]
    clusters: list[str]
    kind: Codes
    language: Codes
    finding: Codes
    cluster: Codes
    row: Ints
    at_ms: Ints
    propensity: Floats
    cost: Floats
    baseline: Floats
    total_ms: Floats
    novelty: Floats
    input_tokens: Ints
    output_limit: Ints
    tools: Mask
    images: Mask
    chance: Floats
    guess: Floats


#: The code columns and the names that they point into.
_NAMED: Final = {"kind": "kinds", "language": "languages", "finding": "findings", "cluster": "clusters"}


def read(path: Place, span: Span) -> Part:
    """All rows of a span, in the order in which they were written.

    Raises:
        LedgerError: there is no such ledger, or it has another shape.
    """
    low, high = bounds(path)
    processes = min(os.cpu_count() or 1, 1 + (high - low) // WORTH_A_PROCESS)
    cuts = [low + (high - low) * k // processes for k in range(processes + 1)]
    spans = list(pairwise(cuts))
    if processes == 1:
        return part(path, span, spans[0])
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
        return joined(list(pool.map(part, [path] * processes, [span] * processes, spans)))


def part(path: Place, span: Span, rows: tuple[int, int]) -> Part:
    """The rows between two places in the file."""
    places: dict[str, dict[Any, int]] = {name: {} for name in _NAMED}
    pages = [_arrays(page, places) for page in decisions(path, span, rows)]
    blank = Page((), [], (), (), (), (), (), (), (), (), [], [], [])
    columns = {
        name: np.concatenate([each[name] for each in (pages or [_arrays(blank, places)])])
        for name in Part._fields
        if name not in _NAMED.values()
    }
    return Part(
        kinds=[kind_of(*key) for key in places["kind"]],
        languages=list(places["language"]),
        findings=[",".join(names) for names in places["finding"]],
        clusters=list(places["cluster"]),
        **columns,
    )


def joined(parts: Sequence[Part]) -> Part:
    """Parts one after the other; equal names share a code again."""
    found: dict[str, Any] = {}
    for codes, names in _NAMED.items():
        place: dict[Any, int] = {}
        moved = [np.array([place.setdefault(n, len(place)) for n in getattr(each, names)], np.int32) for each in parts]
        found[names] = list(place)
        found[codes] = np.concatenate(
            [_through(to, getattr(each, codes)) for to, each in zip(moved, parts, strict=True)]
        )
    for name in Part._fields:
        if name not in found:
            found[name] = np.concatenate([getattr(each, name) for each in parts])
    return Part(**found)


def _through(to: Codes, codes: Codes) -> Codes:
    """Codes by another list of names; -1 stays."""
    return np.append(to, np.int32(-1))[codes]


def _arrays(page: Page, places: dict[str, dict[Any, int]]) -> dict[str, Any]:
    kind, language, finding, cluster = places["kind"], places["language"], places["finding"], places["cluster"]
    seen = page.seen
    return {
        "kind": _codes([kind.setdefault(key, len(kind)) for key in zip(page.kind, page.flags, strict=True)]),
        "language": _codes([language.setdefault(each.language, len(language)) for each in seen]),
        "finding": _codes([finding.setdefault(each.findings, len(finding)) for each in seen]),
        "cluster": _codes([-1 if name is None else cluster.setdefault(name, len(cluster)) for name in page.cluster]),
        "row": np.array(page.row, dtype=np.int64),
        "at_ms": np.array(page.at_ms, dtype=np.int64),
        "propensity": np.array(page.propensity, dtype=np.float64),
        "cost": np.array(page.cost, dtype=np.float64),
        "baseline": np.array(page.baseline, dtype=np.float64),
        "total_ms": np.array(page.total_ms, dtype=np.float64),
        "novelty": np.array(page.novelty, dtype=np.float64),
        "input_tokens": np.array([each.input_tokens for each in seen], dtype=np.int64),
        "output_limit": np.array([each.max_output for each in seen], dtype=np.int64),
        "tools": np.array([each.tools for each in seen], dtype=bool),
        "images": np.array([each.images for each in seen], dtype=bool),
        "chance": _by_tier(page.p_right),
        "guess": _by_tier(page.predicted),
    }


def _codes(codes: list[int]) -> Codes:
    return np.array(codes, dtype=np.int32)


def _by_tier(values: list[ByTier]) -> Floats:
    columns = [[getattr(each, tier) for each in values] for tier in TIER_NAMES]
    return np.ascontiguousarray(np.array(columns, dtype=np.float64).reshape(len(TIER_NAMES), -1).T)
