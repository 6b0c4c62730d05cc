"""`python -m evals.bench`: measure, print, keep."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from evals.bench import report
from evals.bench.measure import Plan, bench, measure
from evals.bench.peers import PEERS, PREPARED, prepare
from evals.bench.sizes import measure_sizes

RESULTS = Path(__file__).parent.parent / "results"
_QUICK = Plan(peers=("floor",), repetitions=1, seconds=0.2, warm_up=0.1, in_flight=4, rate=50, stream_rate=20)


def plan_of(args: argparse.Namespace) -> Plan:
    """The plan that the arguments ask for."""
    if args.quick:
        return _QUICK
    return Plan(peers=tuple(args.peers.split(",")), repetitions=args.repetitions, seconds=args.seconds)


def note(text: str) -> None:
    """Progress goes to standard error, so that the table can be piped."""
    print(text, file=sys.stderr, flush=True)


def show(made: dict[str, object]) -> None:
    """Caveats, then the table."""
    for line in (*report.CAVEATS, "", *report.heading(made)):
        print(line)
    names = [name for name, _ in report.COLUMNS]
    try:
        from rich.console import Console
        from rich.table import Table
    except ImportError:
        print("\n".join("\t".join(cells) for cells in (names, *report.rows(made))))
        return
    # figures stand below each other: a peer a column reads well in a narrow terminal
    table = Table()
    turned = zip(names, *report.rows(made), strict=True)
    for number, cells in enumerate(turned):
        if number == 0:
            for cell in cells:
                table.add_column(cell, justify="left" if cell == "peer" else "right")
        else:
            table.add_row(*cells)
    Console(highlight=False).print(table)


def main(argv: list[str] | None = None) -> int:
    """Measure; 0 when every answer was good, 1 when some were not."""
    parser = argparse.ArgumentParser(prog="python -m evals.bench", description="Speed, side by side in one run.")
    parser.add_argument("--peers", default=",".join(PEERS), help=f"comma-separated, of: {', '.join(PEERS)}")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each of the five phases")
    parser.add_argument("--only", default="table,sizes,agent", help="parts, comma-separated: table, sizes, agent")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of bench.json and bench.md")
    parser.add_argument("--quick", action="store_true", help="the floor only, a few requests: proves that it works")
    parser.add_argument(
        "--prepare",
        nargs="?",
        const="litellm",
        choices=PREPARED,
        help="install a peer (LiteLLM's proxy where none is named) into an environment of its own, and end",
    )
    args = parser.parse_args(argv)
    if args.prepare:
        note(f"installed in {prepare(args.prepare)}")
        return 0
    if unknown := set(args.peers.split(",")) - set(PEERS):
        parser.error(f"no such peer: {', '.join(sorted(unknown))}; there are {', '.join(PEERS)}")
    parts = ["table"] if args.quick else args.only.split(",")
    if unknown := set(parts) - {"table", "sizes", "agent"}:
        parser.error(f"no such part: {', '.join(sorted(unknown))}; there are table, sizes, agent")
    plan = plan_of(args)
    made: dict[str, Any] = {"caveats": list(report.CAVEATS), **report.facts(plan), "figures": {}}
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        if "table" in parts:
            made = report.result(measure(plan, Path(folder), note), made)
        if lines := [part for part in parts if part != "table"]:
            with bench(plan, Path(folder), note) as run:
                made |= measure_sizes(run, lines)
    args.out.mkdir(parents=True, exist_ok=True)
    # a part by itself leaves the results of the others as they are
    name = "bench" if "table" in parts else "bench-" + "-".join(parts)
    (args.out / f"{name}.json").write_text(json.dumps(made, indent=1) + "\n")
    (args.out / f"{name}.md").write_text(report.markdown(made))
    if "table" in parts:
        show(made)
    print("\n".join(report.lines(made)))
    return 1 if any(figures["errors"] for figures in made["figures"].values()) else 0


if __name__ == "__main__":
    sys.exit(main())
