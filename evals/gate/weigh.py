"""From what the caller names to a ruling: find out what each name is, load it, set one against the other."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

import msgspec

from evals.gate import columns, decisions, margins, runs, summaries
from evals.gate.columns import Rows
from evals.gate.margins import Margin
from evals.gate.recorded import Decider, Outcomes, deciders
from evals.gate.runs import MARK, Half
from evals.gate.summaries import Report
from evals.gate.values import Estimate, Ruling
from evals.gate.verdict import FEWEST, rule
from evals.runs.store import find_run
from evals.tuning.side import all_known

Thing = Half | Report | Decider


class Named(NamedTuple):
    """One side as it was named, what it is, and the hash of what was read."""

    name: str
    thing: Thing
    digest: str

    @property
    def kind(self) -> str:
        """``policy`` and ``scorer`` are named by what they decide; a ``run`` and ``means`` by their files."""
        if isinstance(self.thing, Decider):
            return self.thing.kind
        return "run" if isinstance(self.thing, Half) else "means"


@dataclass(slots=True)
class _Gathered:
    """All that will be judged."""

    estimates: list[Estimate] = field(default_factory=list)
    slices: list[Estimate] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def load(name: str, folder: Path) -> Named:
    """A run (its folder, its id under ``folder``, or ``last``) or a file of means.

    ``#`` and a name choose the run's target or the file's system, where there are several.

    Raises:
        ValueError: it is none of these, or it is damaged. ``Mistakes`` among them.
    """
    place, _, part = name.partition(MARK)
    path = Path(place)
    if not path.is_file():
        half = runs.read_half(find_run(place, folder), part)
        return Named(name, half, half.digest)
    if re.search(rb"^stillhouse:", path.read_bytes(), re.MULTILINE):
        raise ValueError(f"{path} is a policy, and a policy has to be tried on something: add --on ROWS")
    report = summaries.read_report(path, part)
    return Named(name, report, file_hash(path))


def load_decisions(candidate: str, currents: Sequence[str], on: Outcomes) -> tuple[Named, list[Named]]:
    """Policies or scorers on recorded outcomes; errors as of ``recorded.deciders``."""
    names = [candidate, *currents]
    found = [
        Named(name, each, each.digest) for name, each in zip(names, deciders(candidate, [*currents], on), strict=True)
    ]
    return found[0], found[1:]


def weigh(
    candidate: Named,
    currents: Sequence[Named],
    *,
    also: Sequence[tuple[Named, Named]] = (),
    said: Sequence[Margin] = (),
    ignore: Sequence[str] = (),
    improves: bool = False,
) -> Ruling:
    """Judge a candidate against each of ``currents``, and on the further sets of ``also``.

    Args:
        candidate: what may come.
        currents: what it would replace, and what else it must not fall behind.
        also: pairs on further data, e.g. a general set that shows what was forgotten; their metrics carry its name.
        said: margins, the last match counts.
        ignore: patterns of metrics that are left out.
        improves: ask for a gain in at least one metric.

    Raises:
        ValueError: the sides cannot be compared, or a word of the caller's is heeded by nothing.
    """
    whole = _Gathered()
    for current in currents:
        _gather(whole, candidate, current, said, "")
    for new, old in also:
        _gather(whole, new, old, said, _title(new))
    names = [estimate.metric.name for estimate in whole.estimates]
    margins.refuse_idle((margin.pattern for margin in said), names, "the margin")
    margins.refuse_idle(ignore, names, "--ignore")
    kept, within = (
        [e for e in family if not any(fnmatchcase(e.metric.name, pattern) for pattern in ignore)]
        for family in (whole.estimates, whole.slices)
    )
    if left := sorted(set(names) - {estimate.metric.name for estimate in kept}):
        whole.notes.append(f"left out as asked: {', '.join(left)}")
    ruling = rule(kept, within, improves=improves)
    return msgspec.structs.replace(ruling, notes=tuple(dict.fromkeys(whole.notes)))


def _gather(whole: _Gathered, candidate: Named, current: Named, said: Sequence[Margin], prefix: str) -> None:
    new, old = candidate.thing, current.thing
    if isinstance(new, Half) and isinstance(old, Half):
        rows = runs.rows_of(new, old, said, prefix)
        _add(whole, rows, old.label)
        return
    if isinstance(new, Decider) and isinstance(old, Decider):
        if all_known(new.side.table):
            rows = decisions.rows_of(new.side, old.side, said, scorers=new.kind == "scorer")
            _add(whole, rows, old.label)
            return
        found, notes = decisions.of_log(new.side, old.side, said)
        whole.estimates += found
        whole.notes += notes
        return
    if isinstance(new, Report) and isinstance(old, Report):
        whole.estimates += summaries.estimates(new, old, said, prefix)
        whole.notes.append("only means are known: the two sides' rows count as independent of each other")
        return
    raise ValueError(f"{candidate.name} and {current.name} are of different kinds: a run is compared with a run")


def _add(whole: _Gathered, rows: Rows, against: str) -> None:
    whole.estimates += [columns.estimate(column, rows.stems, against) for column in rows.columns]
    within, small = columns.within_slices(rows, against, FEWEST)
    whole.slices += within
    whole.notes += rows.notes
    if small:
        whole.notes.append(f"{small} slices have fewer than {FEWEST} questions and are not looked at")


def _title(side: Named) -> str:
    suite = side.thing.run.suite if isinstance(side.thing, Half) else Path(side.name.partition(MARK)[0]).stem
    return f"{suite}/"


def hashes(sides: Sequence[Named]) -> Mapping[str, str]:
    """Name -> SHA-256 of what was read."""
    return {side.name: side.digest for side in sides}


def file_hash(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
