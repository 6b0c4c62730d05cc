"""All rows of a run in little space: columns of JSON, words as codes, texts cut to what fits, deflated, base64.

The alphabet of base64 holds nothing that could end a script or a line, so no text of a run can reach the page but
through the page's own script, which shows it as text.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import isnan
from typing import Any, Final, NamedTuple

from evals.reports.summary import Summary
from evals.reports.words import cut
from evals.runs.record import Item

#: Lengths that texts are tried at, in characters.
_LENGTHS: Final = (4000, 2000, 1200, 800, 600, 480, 400, 330, 280, 240, 200, 160, 130, 100, 80, 60, 40, 20, 0)
#: A prompt says more about a row than its answer does.
_ANSWER: Final = 0.6


class Packed(NamedTuple):
    """The data block of a page, how far its texts are cut (0: left out; ``None``: whole), and how many rows it has."""

    block: str
    prompt: int | None
    answer: int | None
    rows: int
    of: int


def pack(items: Sequence[Item], summary: Summary, room: int) -> Packed:
    """The rows in at most ``room`` bytes, with texts as long as they may be.

    Where not even the numbers of all rows fit, every second row is taken, or every fourth, and so on.
    """
    step = 1
    while (packed := _longest(items[::step], summary, room)) is None:
        step *= 2
        if step > len(items):
            raise ValueError(f"not one of {len(items)} rows fits in {room} bytes")
    return packed._replace(of=len(items))


def _longest(items: Sequence[Item], summary: Summary, room: int) -> Packed | None:
    columns = _columns(items, summary)
    longest = max(max(len(item.prompt), len(item.answer)) for item in items)
    lengths = [length for length in _LENGTHS if length < 2 * longest] or [_LENGTHS[0]]
    # sizes fall with the length: the first that fits is found in four or five tries
    low, high, best = 0, len(lengths) - 1, None
    while low <= high:
        middle = (low + high) // 2
        packed = _packed(items, columns, lengths[middle])
        if len(packed.block) <= room:
            best, high = packed, middle - 1
        else:
            low = middle + 1
    return best


def _packed(items: Sequence[Item], columns: Sequence[Mapping[str, Any]], length: int) -> Packed:
    answer = int(length * _ANSWER)
    texts = [
        {"key": "prompt", "kind": "text", "values": [cut(item.prompt, length) for item in items]},
        {"key": "answer", "kind": "text", "values": [cut(item.answer or item.error, answer) for item in items]},
    ]
    plain = json.dumps({"n": len(items), "columns": [*columns, *texts]}, ensure_ascii=False, separators=(",", ":"))
    deflate = zlib.compressobj(6, zlib.DEFLATED, -15)
    block = base64.b64encode(deflate.compress(plain.encode("utf-8", "replace")) + deflate.flush()).decode("ascii")
    whole = all(len(item.prompt) <= length and len(item.answer) <= answer for item in items)
    return Packed(block, None if whole else length, None if whole else answer, len(items), len(items))


def _columns(items: Sequence[Item], summary: Summary) -> list[dict[str, Any]]:
    """Everything but texts. A column that says nothing is left out."""
    names = summary.run.slices or tuple(sorted({name for item in items for name in item.slices}))
    reference = {} if summary.reference is None or summary.main is None else _before(summary)
    found = [
        {"key": "id", "kind": "text", "label": "row", "values": [item.id for item in items]},
        _numbers("sample", "sample", items, lambda item: item.sample or None),
        _words("target", "target", items, lambda item: item.target),
        _words("tier", "tier", items, lambda item: item.tier or ""),
        _words("expected", "tier expected", items, lambda item: item.tier_expected or ""),
        _numbers("quality", "quality", items, lambda item: _rounded(item.quality, 3)),
        _numbers("delta", "change", items, lambda item: _change(item, reference)),
        _numbers("cost", "cost", items, lambda item: item.cost_nano),
        _numbers("latency", "latency", items, lambda item: _rounded(item.latency_ms, 0)),
        _numbers("chance", "chance", items, _chance),
        *(_words(f"slice:{name}", name, items, partial(_slice, name)) for name in names),
        _words("model", "model", items, lambda item: item.model),
        _words("reason", "reason", items, lambda item: item.reason),
        _words("error", "state", items, lambda item: "error" if item.error else "answered"),
    ]
    return [column for column in found if column["kind"] == "text" or _says(column)]


def _slice(name: str, item: Item) -> str:
    return item.slices.get(name, "")


def _before(summary: Summary) -> dict[tuple[str, str, int], float]:
    """Quality of the reference by target, id and sample of the row that it is held against."""
    assert summary.reference is not None
    pairs = summary.reference.pairs
    return {
        (mine.target, mine.id, mine.sample): other.quality
        for mine, other in zip(pairs.candidate, pairs.incumbent, strict=True)
        if other.quality is not None
    }


def _change(item: Item, before: Mapping[tuple[str, str, int], float]) -> float | None:
    other = before.get((item.target, item.id, item.sample))
    return None if other is None or item.quality is None else _rounded(item.quality - other, 3)


def _chance(item: Item) -> float | None:
    return _rounded(item.p_right.get(item.tier), 3) if item.tier else None


def _words(key: str, label: str, items: Sequence[Item], of: Callable[[Item], str]) -> dict[str, Any]:
    names: dict[str, int] = {}
    codes = [names.setdefault(of(item), len(names)) for item in items]
    return {"key": key, "kind": "word", "label": label, "names": [cut(name, 120) for name in names], "values": codes}


def _numbers(key: str, label: str, items: Sequence[Item], of: Callable[[Item], float | None]) -> dict[str, Any]:
    return {"key": key, "kind": "number", "label": label, "values": [of(item) for item in items]}


def _says(column: Mapping[str, Any]) -> bool:
    if column["kind"] == "word":
        return column["names"] not in ([], [""])
    return any(value is not None for value in column["values"])


def _rounded(value: float | None, digits: int) -> float | None:
    if value is None or isnan(value):
        return None
    rounded = round(value, digits)
    return int(rounded) if rounded == int(rounded) else rounded
