"""How far simulations can be trusted, and how fast they are: the tables behind ``docs/simulate.md``.

``python -m evals.tuning.measure`` writes ``evals/results/simulate.json`` and ``.md``:

* ``estimators``: a made world whose truth is known (``evals.tuning.world``): bias, width and coverage of the
  estimators over seeded logs, and what comparing only agreeing rows would say;
* ``recorded`` (with ``--data DIR``): logs drawn from outcome rows whose truth is recorded: does the interval hold it?
* ``speed``: a million rows, from a table and from a ledger.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from evals.importers.outcomes import OutcomeError, read_outcomes
from evals.stamp import stamp
from evals.targets import read_families
from evals.tuning import clusters, world
from evals.tuning.choose import decided
from evals.tuning.counterfactual import LEAST_ESS, LEAST_EXPLORED, Logged, logged
from evals.tuning.measure_report import write
from evals.tuning.measure_speed import speed
from evals.tuning.rows import from_outcomes
from evals.tuning.table import Floats, Table
from policies.load import load_policy
from policies.policy import Policy
from router.score import load

SEED: Final = 20261124
RESULTS: Final = Path(__file__).parents[1] / "results"
OLD, NEW = 0.45, 0.60
EXPLORED: Final = (0.01, 0.05, 0.10)
ROWS: Final = (10_000, 100_000)
#: Logs drawn at each size; the larger a log, the less luck is in it.
LOGS: Final = {10_000: 200, 100_000: 60}
FAMILIES: Final = ("llama-3.1", "gemma-2", "qwen2.5")
POINTS: Final = 100


def estimators(logs: Mapping[int, int] = LOGS) -> list[dict[str, Any]]:
    """Every estimator at every size and share explored, in points of quality."""
    truth = world.truth(NEW)
    found = []
    for explored in EXPLORED:
        for rows in ROWS:
            drawn = [_estimates(*_made(rows, explored, SEED + k)) for k in range(logs[rows])]
            line = {"explored": explored, "rows": rows, "logs": len(drawn), **summary(drawn, [truth] * len(drawn))}
            print(f"estimators: {explored:.0%} explored, {rows:,} rows", file=sys.stderr, flush=True)
            found.append(line)
    return found


def _made(rows: int, explored: float, seed: int) -> tuple[Logged, Table]:
    table, score = world.log(rows, OLD, explored, seed)
    return logged(table, world.large_above(score, NEW), table.quality, table.chance), table


def _estimates(seen: Logged, table: Table) -> dict[str, Any]:
    stem = table.stem[seen.rows]
    return {
        "agreeing": clusters.mean(seen.outcome[seen.weight > 0], stem[seen.weight > 0]),
        "ips": clusters.mean(seen.ips, stem),
        "snips": clusters.ratio(seen.ips, seen.weight, stem),
        "dr": clusters.mean(seen.dr, stem),
        "ess": seen.support.ess,
        "answered": not seen.support.refusal,
        "explored": seen.support.explored,
    }


def summary(drawn: Sequence[Mapping[str, Any]], truths: Sequence[float]) -> dict[str, Any]:
    """Bias, mean half-width and coverage of each estimator, over the logs that are not refused."""
    kept = [(each, truth) for each, truth in zip(drawn, truths, strict=True) if each["answered"]]
    found: dict[str, Any] = {
        "refused": len(drawn) - len(kept),
        "ess": float(np.mean([each["ess"] for each in drawn])),
        "explored_rows": float(np.mean([each["explored"] for each in drawn])),
    }
    for name in ("agreeing", "ips", "snips", "dr"):
        figures = [(each[name], truth) for each, truth in kept]
        if not figures:
            continue
        errors = np.array([figure.value - truth for figure, truth in figures])
        found[name] = {
            "bias": POINTS * float(errors.mean()),
            "bias_error": POINTS * float(1.96 * errors.std() / np.sqrt(len(errors))),
            "half_width": POINTS * float(np.mean([(figure.high - figure.low) / 2 for figure, _ in figures])),
            "covers": float(np.mean([figure.low <= truth <= figure.high for figure, truth in figures])),
        }
    return found


# --- logs drawn from recorded outcomes ----------------------------------------------------------------


def recorded(data: Path, logs: int) -> list[dict[str, Any]]:
    """Logs of ``keep: 0.95`` that explore, asked about ``keep: 0.85``, on rows where every outcome is recorded.

    The rows are the population: the truth is what the candidate gets on all of them, and only which tier was taken,
    hence which outcome is seen, differs between logs. Rows are repeated to make logs of useful size.
    """
    rows = read_outcomes(data / "valid.jsonl.gz")
    families, scorer = read_families(data / "families.json"), load()
    found = []
    for name in FAMILIES:
        table = from_outcomes(rows, families[name], scorer)
        old, new = (decided(_keep(share, name), table).shares for share in (0.95, 0.85))
        index = np.arange(len(table) * -(-REPEATED // len(table))) % len(table)
        for explored in EXPLORED[1:]:
            seeds = range(SEED, SEED + logs)
            truth = float((new * table.quality).sum(axis=1).mean())
            drawn = [_estimates(*_drawn(table, index, old, new, explored, seed)) for seed in seeds]
            line = {"family": name, "questions": len(table), "rows": len(index), "explored": explored, "logs": logs}
            found.append({**line, "truth": truth, **summary(drawn, [truth] * logs)})
        print(f"recorded: {name}", file=sys.stderr, flush=True)
    return found


#: Rows of a log drawn from recorded outcomes, at least.
REPEATED: Final = 10_000


def _drawn(
    table: Table, index: np.typing.NDArray[np.int64], old: Floats, new: Floats, explored: float, seed: int
) -> tuple[Logged, Table]:
    """A log of the rows: mostly the old policy's tier, now and then any. Each repeat is a request of its own."""
    rng = np.random.default_rng(seed)
    whole = table.rows(index)
    shares = (1 - explored) * old[index] + explored / len(table.tiers)
    taken = np.minimum((rng.random((len(index), 1)) >= shares.cumsum(axis=1)).sum(axis=1), len(table.tiers) - 1)
    at = np.arange(len(index))
    whole = replace(whole, taken=taken.astype(np.int8), propensity=shares[at, taken], stem=at.astype(np.int32))
    return logged(whole, new[index], whole.quality, whole.chance), whole


def _keep(share: float, family: str) -> Policy:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "policy.yaml"
        path.write_text(f"stillhouse: 1\nname: kept\nfamily: {family}\nquality: {{keep: {share}}}\n", "utf-8")
        return load_policy(path)


# --- the command ---------------------------------------------------------------------------------------


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m evals.tuning.measure", description="Measure simulations.")
    parser.add_argument("--data", type=Path, help="folder of valid.jsonl.gz and families.json; adds 'recorded'")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for simulate.json and simulate.md")
    parser.add_argument("--logs", type=int, default=300, help="logs drawn a family for 'recorded'")
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows for 'speed'")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="parts to measure again")
    options = parser.parse_args(argv)
    path = options.out / "simulate.json"
    whole: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.exists() else {}
    try:
        for name, made in _parts(options):
            whole[name] = {**stamp(_said(name)), "lines": made()}
    except OutcomeError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    whole["limits"] = {"least_ess": LEAST_ESS, "least_explored": LEAST_EXPLORED}
    whole["world"] = {"old": OLD, "new": NEW, "truth": world.truth(NEW), "seed": SEED}
    write(whole, options.out)
    print(f"wrote {options.out / 'simulate.md'}", file=sys.stderr)
    return 0


PARTS: Final = ("estimators", "recorded", "speed")


def _parts(options: argparse.Namespace) -> Iterator[tuple[str, Callable[[], Any]]]:
    if "estimators" in options.only:
        yield "estimators", estimators
    if "recorded" in options.only and options.data is not None:
        yield "recorded", lambda: recorded(options.data, options.logs)
    if "speed" in options.only:
        yield "speed", lambda: speed(options.rows)


def _said(name: str) -> str:
    return f"python -m evals.tuning.measure{' --data DIR' if name == 'recorded' else ''} --only {name}"


if __name__ == "__main__":
    raise SystemExit(main())
