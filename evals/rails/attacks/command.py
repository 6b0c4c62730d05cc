"""``python -m evals.rails attacks --data DIR``: fit, write the weights, measure, write the results."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

from evals.rails.attacks.measuring import PARTS, RESULTS, report
from evals.rails.attacks.report import markdown
from evals.rails.attacks.train import train

if TYPE_CHECKING:
    from collections.abc import Sequence

MODEL: Final = Path(__file__).parents[3] / "guardrails" / "models" / "attacks"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m evals.rails attacks", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with guardrails/ and routing/")
    parser.add_argument("--only", nargs="+", choices=("train", *PARTS), default=["train", *PARTS], help="some steps")
    options = parser.parse_args(argv)
    if not (options.data / "guardrails").is_dir():
        parser.error(f"{options.data} has no folder guardrails")
    if "train" in options.only:
        train(options.data, MODEL)
    parts = [part for part in options.only if part != "train"]
    if parts:
        result = report(options.data, parts)
        (RESULTS / "guards-attacks.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
        (RESULTS / "guards-attacks.md").write_text(markdown(result), encoding="utf-8")
    return 0
