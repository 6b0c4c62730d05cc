"""How well promises are kept: the tables and the picture of docs/tuning.md.

``python -m evals.tuning.promise --data DIR`` reads the outcome files in DIR, fits scorers that do not know the rows
they judge, and writes ``evals/results/promise.json``, ``promise.md`` and ``docs/pictures/promise.svg``.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from evals.importers.outcomes import OutcomeError
from evals.stamp import stamp
from evals.tuning import promise_report
from evals.tuning import promise_resample as resample
from evals.tuning import promise_rows as families
from evals.tuning import promise_stream as stream
from evals.tuning.promise_rows import Rows
from evals.tuning.table import Floats
from evals.tuning.tune import rows_of
from policies.load import load_policy
from policies.policy import Policy
from policies.schema import Promise

RESULTS: Final = Path(__file__).parents[1] / "results"
PICTURES: Final = Path(__file__).parents[2] / "docs" / "pictures"
SEED: Final = 20261124
PROMISES: Final = {
    "loss 2 %": Promise(max_quality_loss=0.02),
    "loss 5 %": Promise(max_quality_loss=0.05),
    "net 2 %": Promise(max_quality_loss=0.02, measure="net"),
}
SIZES: Final = (500, 1000, 2000, 5000, 10_000, 20_000)
#: Parts of the rows, in their order, that serve as evidence for the rest.
PARTS: Final = (0.3, 0.4, 0.5, 0.6, 0.7)
#: Requests of a stream in which nothing changes.
UNCHANGED: Final = 500
PARTS_OF_ALL: Final = ("forms", "kept", "curve", "savings", "streams")


def measure(data: Mapping[str, Rows], draws: int, only: Sequence[str]) -> dict[str, Any]:
    """Everything that promise.json holds, family by family."""
    policy = load_policy(Path("tuned.yaml"), text="stillhouse: 1\nname: tuned\nquality: {lose: 0}\n")
    found: dict[str, Any] = {}
    for name, rows in data.items():
        print(f"{name}: {len(rows.rows)} rows", file=sys.stderr, flush=True)
        found[name] = {"rows": len(rows.rows), "title": families.FAMILIES[name], **_facts(rows)}
        scores = resample.rivals(rows.rows, SEED) if "savings" in only else {}
        found[name]["promises"] = {
            word: _promise(policy, rows, promise, draws, only, scores) for word, promise in PROMISES.items()
        }
    return found


def _facts(rows: Rows) -> dict[str, Any]:
    table = rows.known
    return {
        "questions": len(np.unique(table.stem)),
        "sources": sorted({row.source for row in rows.rows}),
        "tokens": sorted({str(row.token_method) for row in rows.rows}),
        "quality": dict(zip(table.tiers, table.quality.mean(axis=0).tolist(), strict=True)),
    }


def _promise(
    policy: Policy, rows: Rows, promise: Promise, draws: int, only: Sequence[str], scores: Mapping[str, Floats]
) -> dict[str, Any]:
    stem = rows.known.stem
    ours = {which: rows_of(policy, table, promise) for which, table in (("known", rows.known), ("left", rows.left_out))}
    known, left = (resample.measured(each, promise) for each in ours.values())
    found: dict[str, Any] = {}
    if "forms" in only:
        found["forms"] = resample.by_form(ours["known"], rows.known, promise)
    if "kept" in only:
        found["kept"] = resample.kept(known, stem, draws, SEED)
        found["kept_left_out"] = resample.kept(left, stem, max(draws // 4, 20), SEED)
    if "curve" in only:
        found["curve"] = resample.against_hindsight(known, stem, SIZES, max(draws // 20, 20), SEED)
    if "savings" in only:
        for which, each in ours.items():
            on = {name: resample.measured(mine, promise) for name, mine in resample.routers(each, scores).items()}
            found[f"savings_{which}"] = resample.savings(on, stem, max(draws // 10, 20), SEED)
        if known.net:
            limits = (0.0, promise.max_quality_loss)
            fewer = max(draws // 10, 20)
            found["by_estimate"] = [resample.by_estimate(known, stem, limit, fewer, SEED) for limit in limits]
    if "streams" in only:
        found["unchanged"] = stream.unchanged(known, rows.known, max(draws // 20, 10), UNCHANGED, SEED)
        found["by_time"] = stream.by_time(known, rows.known, PARTS, SEED)
        each_source = max(draws // 50, 4)
        found["by_source"] = stream.by_source(
            known, left, (rows.known, rows.left_out), rows.group.tolist(), each_source, SEED
        )
    return found


def _with_the_rest(found: dict[str, Any], path: Path) -> dict[str, Any]:
    """What was measured now, and of what stands there the parts that were not."""
    if not path.exists():
        return found
    before = json.loads(path.read_text("utf-8"))["families"]
    for name, family in found["families"].items():
        for word, each in family["promises"].items():
            family["promises"][word] = {**before.get(name, {}).get("promises", {}).get(word, {}), **each}
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m evals.tuning.promise", description="Measure promises.")
    parser.add_argument("--data", type=Path, required=True, help="folder of the outcome files and families.json")
    parser.add_argument("--cache", type=Path, help="folder that keeps the chances of the fitted scorers")
    parser.add_argument("--draws", type=int, default=1000, help="resamples for each promise and family")
    parser.add_argument(
        "--only", nargs="+", choices=PARTS_OF_ALL, default=list(PARTS_OF_ALL), help="parts to measure again"
    )
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for promise.json and promise.md")
    parser.add_argument("--pictures", type=Path, default=PICTURES, help="folder for promise.svg")
    options = parser.parse_args(argv)
    try:
        data = families.read(options.data, options.cache)
    except OutcomeError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    found = {
        **stamp("python -m evals.tuning.promise --data DIR"),
        "seed": SEED,
        "draws": options.draws,
        "scores": f"each row judged by a scorer that never saw its question ({families.FOLDS} folds by question)",
        "families": measure(data, options.draws, options.only),
    }
    found = promise_report.rounded(_with_the_rest(found, options.out / "promise.json"))
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "promise.json").write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    (options.out / "promise.md").write_text(promise_report.markdown(found), "utf-8")
    (options.pictures / "promise.svg").write_text(promise_report.picture(found), "utf-8")
    print(f"wrote {options.out / 'promise.md'}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
