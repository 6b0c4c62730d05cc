"""What a report says of a loop, as plain values: read from its folder, whatever steps there are so far."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any, Final, NamedTuple

from evals.distill.example import Example, read_examples
from evals.distill.folder import Folder
from evals.distill.gating import CANDIDATE, CONTROL, CURRENT
from evals.distill.progress import Step, next_of, steps_of
from evals.distill.state import StateError, state_of, tree
from evals.runs.record import Item, Run
from evals.runs.store import HEADER, RunError, read_items, read_run

WORST: Final = 10
_WORDS: Final = 6  # that tell a cluster
_OFTEN: Final = 0.1  # share of a cluster's rows that a word must be in
_WORD: Final = re.compile(r"[^\W\d_]{3,}")
_PLACEHOLDERS: Final = re.compile(r"\[[A-Z_]+_\d+\]")


class Cluster(NamedTuple):
    """One kind of prompts. ``words`` tell its rows from all others; of the rows that are learned from."""

    number: int
    rows: int
    failure_rate: float
    train: int
    control: int
    words: tuple[str, ...]


class Side(NamedTuple):
    """One model on one set of rows: quality, cost of an answer in nano-dollars, and what the large tier would take."""

    set: str
    name: str
    rows: int
    quality: float | None
    cost_nano: float | None
    baseline_nano: float | None


class Worse(NamedTuple):
    """A row that the candidate answers worse than what it would replace."""

    set: str
    mine: Item
    other: Item


class Facts(NamedTuple):
    """All of it; parts are empty where a step has not been done."""

    state: dict[str, Any]
    steps: tuple[Step, ...]
    next: str
    clusters: tuple[Cluster, ...]
    lineage: tuple[str, ...]
    runs: tuple[Run, ...]
    sides: tuple[Side, ...]
    worse: tuple[Worse, ...]
    counts: tuple[int, int]  # rows that got worse and better


def facts_of(folder: Folder) -> Facts:
    """Read a loop.

    Raises:
        StateError: there is no such loop, or a file is damaged.
    """
    state = state_of(folder)
    runs = _runs(folder.root / "gate" / "runs")
    worse, better = [], 0
    for run, items in runs:
        lost, won = _moved(run.suite, items)
        worse += lost
        better += won
    return Facts(
        state=state, steps=steps_of(state), next=next_of(state),
        clusters=_clusters(state, folder.train) if state["rows"] else (),
        lineage=tuple(tree(state)), runs=tuple(run for run, _ in runs),
        sides=tuple(side for run, items in runs for side in _sides(run.suite, items)),
        worse=tuple(sorted(worse, key=_by_loss)[:WORST]), counts=(len(worse), better),
    )  # fmt: skip


def _clusters(state: dict[str, Any], train: Path) -> tuple[Cluster, ...]:
    words = _telling(read_examples(train), {each["cluster"] for each in state["failing"]})
    return tuple(
        Cluster(each["cluster"], each["rows"], each["failure_rate"], each["train"], each["control"],
                words.get(each["cluster"], ()))
        for each in state["failing"]
    )  # fmt: skip


def _telling(rows: Iterable[Example], wanted: set[int]) -> dict[int, tuple[str, ...]]:
    """Cluster -> the words that most of its rows have and few others do."""
    inside: dict[int, Counter[str]] = defaultdict(Counter)
    sizes: Counter[int] = Counter()
    everywhere: Counter[str] = Counter()
    total = 0
    for row in rows:
        said = _PLACEHOLDERS.sub(" ", " ".join(m.content for m in row.messages if m.role == "user")).lower()
        words = set(_WORD.findall(said))
        everywhere.update(words)
        total += 1
        if row.cluster in wanted:
            assert row.cluster is not None
            inside[row.cluster].update(words)
            sizes[row.cluster] += 1
    found = {}
    for cluster, counts in inside.items():
        others = total - sizes[cluster]
        lead = {word: n / sizes[cluster] - (everywhere[word] - n) / max(others, 1) for word, n in counts.items()}
        ranked = sorted(lead, key=lambda word, lead=lead: (-lead[word], word))  # type: ignore[misc]
        often = max(2, _OFTEN * sizes[cluster])
        found[cluster] = tuple(word for word in ranked[:_WORDS] if lead[word] > 0 and counts[word] >= often)
    return found


def _runs(folder: Path) -> list[tuple[Run, list[Item]]]:
    """The last whole run of each suite of the gate."""
    last: dict[str, tuple[Run, Path]] = {}
    try:
        for path in sorted(folder.glob(f"*/{HEADER}")):
            run = read_run(path.parent)
            if run.ended:
                last[run.suite] = (run, path.parent)
        return [(run, list(read_items(place))) for run, place in (last[suite] for suite in sorted(last))]
    except RunError as error:
        raise StateError(str(error)) from None


def _sides(suite: str, items: Sequence[Item]) -> Iterable[Side]:
    for name in (CANDIDATE, CURRENT, CONTROL):
        mine = [item for item in items if item.target == name]
        if mine:
            yield Side(suite, name, len(mine), _mean(item.quality for item in mine),
                       _mean(item.cost_nano for item in mine), _mean(item.baseline_nano for item in mine))  # fmt: skip


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def _moved(suite: str, items: Sequence[Item]) -> tuple[list[Worse], int]:
    """The rows that the candidate answers worse, and how many it answers better."""
    theirs = {(item.id, item.sample): item for item in items if item.target == CURRENT}
    worse, better = [], 0
    for mine in items:
        other = theirs.get((mine.id, mine.sample))
        if mine.target != CANDIDATE or other is None or mine.quality is None or other.quality is None:
            continue
        if mine.quality < other.quality:
            worse.append(Worse(suite, mine, other))
        better += mine.quality > other.quality
    return worse, better


def _by_loss(one: Worse) -> tuple[float, str, str]:
    assert one.mine.quality is not None
    assert one.other.quality is not None
    return one.mine.quality - one.other.quality, one.set, one.mine.id
