"""Made outcome rows for trying the tuning commands without any data: ``python -m evals.tuning.example --out rows.jsonl``.

The prompts are filled-in templates of a made shop's helpdesk and back office, written for this file; the outcomes are
drawn, nobody asked a model. Each template has a hardness, each tier an ability, and a draw per row says how hard this
very prompt was for all tiers alike, another how each tier fared. So figures from these rows show how the commands work
and nothing about any model. Same seed, same bytes.
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
from typing import Any, Final, NamedTuple

ROWS: Final = 2000
SEED: Final = 1


class Kind(NamedTuple):
    """A task: its name, language, hardness (logits), tokens of the middle tier's answer, and how it is asked."""

    task: str
    language: str
    hardness: float
    tokens: int
    asks: Sequence[str]


#: Logits of a right answer on a prompt of hardness 0, and how long answers are beside the middle tier's.
TIERS: Final = {"small": (1.6, 0.8), "medium": (3.4, 1.0), "large": (4.4, 1.2)}
#: Spread of the logits: of a prompt for all tiers alike, and of one tier on one prompt.
ALIKE, APART = 1.0, 0.5

KINDS: Final = (
    Kind("facts", "en", -2.4, 25, (
        "What is the capital of {country}?",
        "Which currency is used in {country}?",
        "On which continent is {country}?",
        "In which country would I hear people say hello in the language of {country}?",
    )),
    Kind("helpdesk", "en", -1.4, 60, (
        "My order {number} has not arrived yet. Where can I see its status?",
        "How do I return the {thing} from order {number}?",
        "Order {number}: I would like a {colour} {thing} instead. Is that possible?",
        "Can order {number} be sent to {country}?",
    )),
    Kind("helpdesk", "ko", -0.9, 60, (
        "주문 {number}번이 아직 오지 않았습니다. 어디에서 확인할 수 있나요?",
        "주문 {number}번을 반품하려면 어떻게 해야 하나요?",
        "주문 {number}번을 {days}일 안에 받을 수 있을까요?",
    )),
    Kind("writing", "en", -0.2, 180, (
        "Write a short, polite mail to the customer of order {number}, whose {colour} {thing} will be {days} days late.",
        "Write a product text of three sentences for a {colour} {thing} made in {country}.",
        "Summarise for a colleague: order {number}, {colour} {thing}, returned after {days} days, box open, customer upset.",
    )),
    Kind("sums", "en", 1.6, 140, (
        "A {thing} costs {price} euros. With a discount of {percent} % and then {days} % tax on top, what do {count} of them "
        "cost? Show each step.",
        "{count} boxes hold {price} parts each. If {percent} % of the parts are faulty and a third of these can be mended, "
        "how many parts can be sold?",
    )),
    Kind("code", "en", 2.6, 320, (
        "Write an SQL query: per country, the {count} customers with the highest revenue in the last {days} days, ties "
        "included, from tables orders(id, customer, country, total, placed_at) and refunds(order_id, amount).",
        "Implement in Python, without libraries, a rate limiter that lets {count} calls through in any window of {days} seconds, "
        "safe for threads, and prove that it never lets one more through than {count}.",
        "This recursive function for {price} nested categories of a {thing} catalogue overflows the stack. Rewrite it "
        "iteratively, keep the order of siblings and explain the invariant: def walk(n): [walk(c) for c in n.children]",
    )),
)  # fmt: skip
#: How often each kind is asked.
WEIGHTS: Final = (22, 30, 10, 18, 12, 8)

COUNTRIES: Final = (
    "Argentina Austria Belgium Bolivia Brazil Bulgaria Cambodia Canada Chile Colombia Croatia Cuba Denmark Ecuador Egypt "
    "Estonia Ethiopia Finland France Georgia Germany Ghana Greece Hungary Iceland India Indonesia Ireland Italy Japan Jordan "
    "Kenya Latvia Lebanon Malaysia Mexico Mongolia Morocco Nepal Netherlands Nigeria Norway Pakistan Panama Peru Poland "
    "Portugal Romania Senegal Spain Sweden Switzerland Thailand Tunisia Turkey Uganda Ukraine Uruguay Vietnam Zambia"
).split()
THINGS: Final = "backpack bench bicycle blanket camera chair clock jacket kettle lamp mirror pan rucksack shelf sofa table tent".split()
COLOURS: Final = "black blue brown green grey orange red white yellow".split()


def rows(count: int, seed: int) -> Iterator[dict[str, Any]]:
    """Rows as ``evals.importers.outcomes`` reads them. A prompt may come twice; then it has one question's hash."""
    draw = random.Random(seed)
    for number in range(count):
        [kind] = draw.choices(KINDS, WEIGHTS)
        prompt = draw.choice(kind.asks).format(
            country=draw.choice(COUNTRIES), thing=draw.choice(THINGS), colour=draw.choice(COLOURS),
            number=draw.randrange(10_000, 100_000), price=draw.randrange(12, 900), percent=draw.randrange(3, 45),
            days=draw.randrange(2, 30), count=draw.randrange(3, 60),
        )  # fmt: skip
        hard = kind.hardness + draw.gauss(0, ALIKE)
        scores, tokens = {}, {}
        for tier, (ability, length) in TIERS.items():
            logit = ability - hard + draw.gauss(0, APART)
            scores[tier] = int(draw.random() < 1 / (1 + math.exp(-logit)))
            tokens[tier] = round(kind.tokens * length * draw.uniform(0.7, 1.3))
        yield {
            "id": f"made-{seed}-{number}",
            "prompt": prompt,
            "source": "made",
            "task": kind.task,
            "language": kind.language,
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
