"""``python -m evals.rails content --data DIR [--public FILE]``: fit, write the weights, measure, write the results."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from evals.rails.content.measuring import Bench
from evals.rails.content.report import markdown
from evals.rails.content.rows import all_rows
from evals.rails.content.train import train
from evals.rails.matrix import matrix
from evals.stamp import stamp
from guardrails.content.signals import content_signals
from guardrails.learned import from_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_ROOT: Final = Path(__file__).parents[3]
MODEL: Final = _ROOT / "guardrails" / "models" / "content"
RESULTS: Final = _ROOT / "evals" / "results"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m evals.rails content", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with guardrails/ and routing/")
    parser.add_argument("--public", type=Path, help="rows of evals.rails.content.public; without it they are not used")
    parser.add_argument("--only", choices=("train", "measure"), help="one of the two; measure reads the weights")
    options = parser.parse_args(argv)
    rows = all_rows(options.data, options.public)
    texts = matrix([row.text for row in rows], content_signals())
    if options.only != "measure":
        raw, card = train(texts, rows)
        MODEL.mkdir(parents=True, exist_ok=True)
        (MODEL / "weights.npz").write_bytes(raw)
        _write_json(MODEL / "card.json", card)
        print(f"weights: {len(raw)} bytes")
    if options.only != "train":
        card = json.loads((MODEL / "card.json").read_text("utf-8"))
        bank = from_bytes((MODEL / "weights.npz").read_bytes(), card, content_signals())
        bench = Bench(texts, rows)
        told: dict[str, Any] = {
            "stamp": stamp("python -m evals.rails content --data DIR --public FILE"),
            "rows": len(rows),
        }
        parts: dict[str, Callable[[], dict[str, Any]]] = {
            "alarms": lambda: bench.alarms(bank),
            "toxicity": lambda: bench.toxicity(_say),
            "categories": lambda: bench.categories(_say),
        }
        for name, part in parts.items():
            told[name] = part()
            _write_json(RESULTS / "guards-content.json", told)  # part by part: the whole takes a while
        (RESULTS / "guards-content.md").write_text(markdown(told), encoding="utf-8")
    return 0


def _say(line: str) -> None:
    print(line, flush=True)


def _write_json(path: Path, told: dict[str, Any]) -> None:
    path.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
