"""How well names and addresses are found, which have no form: measured apart from the structured types.

A name is right when it covers at least half of the joint span, one finding for one span; a label that is a bare title
(``Mr.``) is left out. An address is often labelled in several pieces, so there a labelled piece counts as found when
findings cover half of it, and a finding as right when labels of places cover half of it.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from evals.intervals import wilson

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from guardrails import Finding, Rails

OVERLAP: Final = 0.5
PLACES: Final = ("ADDRESS", "STREET_ADDRESS", "ZIP_CODE", "LOCATION", "GPE")
_TITLES: Final = frozenset(("mr", "mrs", "ms", "miss", "dr", "prof"))


def judge_people(rails: Rails, rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """One line per source and type; precision where a finding can be told to be wrong."""
    count: Counter[tuple[str, str, str]] = Counter()
    for row in rows:
        findings = rails.check(row["text"]).findings
        names = [finding for finding in findings if finding.category == "NAME"]
        places = [finding for finding in findings if finding.category == "ADDRESS"]
        _judge_names(count, row, names)
        _judge_places(count, row, places)
    keys = sorted({(source, kind) for source, kind, _ in count})
    return [_line(source, kind, count) for source, kind in keys]


def _judge_names(count: Counter[tuple[str, str, str]], row: dict[str, Any], names: list[Finding]) -> None:
    left = list(names)
    for span in row["spans"]:
        if span["type"] != "PERSON" or row["text"][span["start"] : span["end"]].rstrip(".").lower() in _TITLES:
            continue
        right = next((finding for finding in left if _joint(finding, span) >= OVERLAP), None)
        if right is not None:
            left.remove(right)
        count[row["source"], "PERSON", "missed" if right is None else "hit"] += 1
    count[row["source"], "PERSON", "false"] += len(left)


def _judge_places(count: Counter[tuple[str, str, str]], row: dict[str, Any], places: list[Finding]) -> None:
    spans = [span for span in row["spans"] if span["type"] in PLACES]
    for span in spans:
        share = _covered((span["start"], span["end"]), [(f.start, f.end) for f in places])
        count[row["source"], span["type"], "hit" if share >= OVERLAP else "missed"] += 1
    for finding in places:
        share = _covered((finding.start, finding.end), [(span["start"], span["end"]) for span in spans])
        count[row["source"], "any place", "hit" if share >= OVERLAP else "false"] += 1


def _joint(finding: Finding, span: dict[str, Any]) -> float:
    start, end = int(span["start"]), int(span["end"])
    return (min(finding.end, end) - max(finding.start, start)) / (max(finding.end, end) - min(finding.start, start))


def _covered(span: tuple[int, int], others: Sequence[tuple[int, int]]) -> float:
    inside = sum(max(0, min(end, span[1]) - max(start, span[0])) for start, end in others)
    return inside / (span[1] - span[0])


def _line(source: str, kind: str, count: Counter[tuple[str, str, str]]) -> dict[str, Any]:
    hit, missed, false = (count[source, kind, what] for what in ("hit", "missed", "false"))
    labelled = kind != "any place"
    judged = kind in {"PERSON", "any place"}
    return {
        "source": source,
        "type": kind,
        "n": hit + missed if labelled else hit + false,
        "precision": hit / (hit + false) if judged and hit + false else None,
        "precision_interval": wilson(hit, hit + false),
        "recall": hit / (hit + missed) if labelled and hit + missed else None,
        "recall_interval": wilson(hit, hit + missed),
    }
