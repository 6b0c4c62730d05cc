"""Made outcome rows, to try the commands without any data: ``python -m evals.tuning.example --out rows.jsonl``.

The prompts are filled-in templates of a made shop's helpdesk and back office, written for this project
(``example.yaml``); the outcomes are drawn, nobody asked a model. Each kind of prompt has a hardness, each tier an
ability; one draw a row says how hard this very prompt was for all tiers alike, another how each tier fared. So figures
from these rows show how the commands work and nothing about any model. Same seed, same bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import random
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

ROWS: Final = 2000
SEED: Final = 1
TEMPLATES: Final = Path(__file__).with_name("example.yaml")
#: Logits of a right answer on a prompt of hardness 0, and how long answers are beside the middle tier's.
TIERS: Final = {"small": (1.6, 0.8), "medium": (3.4, 1.0), "large": (4.4, 1.2)}
#: Spread of the logits: of a prompt for all tiers alike, and of one tier on one prompt.
ALIKE, APART = 1.0, 0.5


def rows(count: int, seed: int) -> Iterator[dict[str, Any]]:
    """Rows as ``evals.importers.outcomes`` reads them. Every prompt holds a number that ends in the seed's last digit.

    So files of seeds that end otherwise share no question. Within a file one may come twice, under one ``stem_hash``.
    """
    draw = random.Random(seed)  # noqa: S311 - made rows, no secrets
    made = yaml.safe_load(TEMPLATES.read_text("utf-8"))
    kinds, slots = made["kinds"], made["slots"]
    weights = [kind["weight"] for kind in kinds]
    for number in range(count):
        [kind] = draw.choices(kinds, weights)
        prompt = draw.choice(kind["asks"]).format(
            **{name: draw.choice(words) for name, words in slots.items()},
            number=draw.randrange(1_000, 10_000) * 10 + seed % 10, price=draw.randrange(12, 900),
            percent=draw.randrange(3, 45), days=draw.randrange(2, 30), count=draw.randrange(3, 60),
        )  # fmt: skip
        hard = kind["hardness"] + draw.gauss(0, ALIKE)
        scores, tokens = {}, {}
        for tier, (ability, length) in TIERS.items():
            logit = ability - hard + draw.gauss(0, APART)
            scores[tier] = int(draw.random() < 1 / (1 + math.exp(-logit)))
            tokens[tier] = round(kind["tokens"] * length * draw.uniform(0.7, 1.3))
        yield {
            "id": f"made-{seed}-{number}",
            "prompt": prompt,
            "source": "made",
            "task": kind["task"],
            "language": kind["language"],
            "scores": scores,
            "output_tokens": tokens,
            "stem_hash": hashlib.sha256(prompt.encode()).hexdigest()[:16],
        }


def main(argv: Sequence[str] | None = None) -> int:
    """Write the file."""
    parser = argparse.ArgumentParser(prog="python -m evals.tuning.example", description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="where the rows go, one JSON object a line")
    parser.add_argument("--rows", type=int, default=ROWS, help=f"how many (default: {ROWS})")
    parser.add_argument("--seed", type=int, default=SEED, help=f"other rows of the same kind (default: {SEED})")
    options = parser.parse_args(argv)
    lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows(options.rows, options.seed)]
    options.out.write_text("".join(lines), encoding="utf-8")
    print(f"{options.out}: {len(lines):,} made rows, seed {options.seed}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
