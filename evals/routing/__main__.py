"""How good the router's decisions are: the table behind ``docs/scorer.md``.

``python -m evals.routing --data DIR`` reads the outcome files in DIR and writes
``evals/results/routing.json`` and ``.md``. ``--only`` measures some parts again and keeps the others:

* ``families``: the shipped scorer on the valid split, questions it never saw, per family;
* ``calibration``: expected calibration error and share abstained, by language;
* ``puzzles``: haerae-logic, puzzle types known and left out;
* ``sources``: the same model fitted without one source, judged on that source;
* ``unknown``: whether kinds of prompts left out are recognised, and whether abstaining on them helps;
* ``elsewhere``: RouteLLM's MMLU and GSM8K with a model trained on everything else;
* ``public``: RouteLLM's own protocols, learned on its own rows;
* ``curve``: figures against the number of training rows;
* ``speed``: CPU time per prompt.

``--vectors`` names a folder that ``python -m evals.encode`` filled; without it the lines of kNN-MiniLM and of
the encoder are missing.
"""

from __future__ import annotations

import argparse
import sys
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

from evals import encode
from evals import targets as learn
from evals.importers.outcomes import OutcomeError, read_outcomes, refuse_shared_stems
from evals.routing.inside import calibration, families_inside, learning_curve, puzzles, speed
from evals.routing.outside import Part, sources_left_out, trained_elsewhere, unknown_ground
from evals.routing.parts import SEED
from evals.routing.public import public
from evals.routing.report import update
from router.score import load
from router.score.estimator import design

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from evals.routing.report import Line
    from router.score import Scorer

RESULTS: Final = Path(__file__).parents[1] / "results"


class Data:
    """The outcome files of a folder, read and turned into numbers when first asked for."""

    def __init__(self, folder: Path, scorer: Scorer, vectors: Path | None, draws: int) -> None:
        self.folder = folder
        self.scorer = scorer
        self.draws = draws
        self.vectors = encode.read(vectors) if vectors else {}
        self.families: Mapping[str, learn.Family] = learn.read_families(folder / "families.json")

    @cached_property
    def train(self) -> Part:
        """Rows the scorer was trained on."""
        return self._part("train")

    @cached_property
    def valid(self) -> Part:
        """Rows it never saw."""
        part = self._part("valid")
        refuse_shared_stems(self.train.rows, part.rows)
        return part

    @cached_property
    def routellm(self) -> Part:
        """The field's benchmark."""
        return self._part("routellm")

    def _part(self, name: str) -> Part:
        rows = read_outcomes(self.folder / f"{name}.jsonl.gz")
        return Part(rows, design([row.prompt for row in rows]))


def _families(data: Data) -> list[Line]:
    train, valid, vectors = data.train.rows, data.valid.rows, data.vectors.get("minilm")
    return families_inside(data.scorer, train, valid, data.families, vectors, data.draws)


PARTS: Final[Mapping[str, Callable[[Data], list[Line]]]] = {
    "families": _families,
    "calibration": lambda data: calibration(data.scorer, data.valid.rows, data.families),
    "puzzles": lambda data: puzzles(data.scorer, data.train, data.valid, data.families),
    "sources": lambda data: sources_left_out(data.train, data.valid, data.draws),
    "unknown": lambda data: unknown_ground(data.train, data.valid, data.draws),
    "elsewhere": lambda data: trained_elsewhere(data.train, data.routellm, data.draws),
    "public": lambda data: public(data.routellm.rows, data.routellm.inputs, data.vectors, data.draws),
    "curve": lambda data: learning_curve(data.train, data.valid, data.families),
    "speed": lambda data: speed(data.scorer),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m evals.routing", description="Measure routing decisions.")
    parser.add_argument("--data", type=Path, required=True, help="folder of the outcome files")
    parser.add_argument("--artefact", type=Path, help="scorer to measure; default: the shipped one")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for routing.json and routing.md")
    parser.add_argument("--only", nargs="+", choices=list(PARTS), default=list(PARTS), help="parts to measure")
    parser.add_argument("--vectors", type=Path, help="folder of encoded prompts, from python -m evals.encode")
    parser.add_argument("--draws", type=int, default=1000, help="bootstrap draws per interval")
    options = parser.parse_args(argv)
    try:
        data = Data(options.data, load(options.artefact), options.vectors, options.draws)
        for name in options.only:
            print(f"{name} ...", file=sys.stderr, flush=True)
            update(options.out, name, PARTS[name](data), data.scorer.digest, SEED, list(PARTS))
    except OutcomeError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"wrote {options.out / 'routing.md'}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
