"""What it is worth to learn from where the small tier failed, rather than from anywhere: the tickets, with nano heads.

    python -m evals.distill.selection          # results into evals/results/distill-selection.json and .md

A first head learns from a few rows. The others are shown to it; where it is wrong or abstains, it failed. ``curate``
then takes a part of them, aimed at the clusters of failures or at random, and a second head learns from the first
one's rows and these. Both are judged on the same frozen holdout: an answer counts where it is given and right, for
what is left to the next tier is no gain. All rows are 100 %, where both choices are one.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any, Final

import msgspec
import numpy as np

from evals.distill.curate.rules import Rules
from evals.distill.curate.run import curate
from evals.distill.demo import tickets
from evals.distill.example import Example, Message, encode, prompt_id, read_examples
from evals.distill.folder import Folder, write_json, write_whole
from evals.distill.trainers.nano import Nano, Recipe
from evals.stamp import stamp
from router.upstream.nano_head import Head, asked, load

RESULTS: Final = Path(__file__).parents[1] / "results"
SEEDS: Final = (1, 2, 3)
SHARES: Final = (0.1, 0.25, 0.5, 1.0)
DRAWN: Final = 1800
FIRST: Final = 120
HELD: Final = 400
RESAMPLES: Final = 10_000
AS_SHIPPED: Final = Recipe()


def main() -> None:
    """Measure, keep, print."""
    reader = argparse.ArgumentParser(prog="python -m evals.distill.selection", description=__doc__)
    reader.add_argument("--out", type=Path, default=RESULTS)
    args = reader.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        seeds = [measured(seed, Path(scratch) / str(seed)) for seed in SEEDS]
    made = {"of": stamp("python -m evals.distill.selection"), "seeds": seeds, "differences": differences(seeds)}
    write_json(args.out / "distill-selection.json", made)
    text = page(made)
    write_whole(args.out / "distill-selection.md", text.encode())
    print(text)


def measured(
    seed: int, root: Path, drawn: int = DRAWN, first: int = FIRST, held: int = HELD, shares: Sequence[float] = SHARES,
    recipe: Recipe = AS_SHIPPED,
) -> dict[str, Any]:  # fmt: skip
    """One seed: of each share and choice, which rows of the holdout were answered rightly.

    Args:
        seed: of the questions and of all choices.
        root: an empty folder.
        drawn: how many questions.
        first: rows of the first head.
        held: rows held out, at most.
        shares: of the other rows.
        recipe: of the heads.
    """
    pool, frozen = _pool(seed, root / "all", drawn, held)
    rng = Random(seed)  # noqa: S311 - seeded, to be repeated
    early = rng.sample(pool, first)
    head = _head(early, root / "first", frozen, recipe)
    known = {row.id for row in early}
    later = [_shown(row, head) for row in pool if row.id not in known]
    source = root / "later.jsonl"
    write_whole(source, (encode(row) + b"\n" for row in later))
    told: dict[str, Any] = {"seed": seed, "first": first, "later": len(later),
                            "failed": sum(row.failure is not None for row in later),
                            "first_head": _judged(head, frozen.holdout), "runs": []}  # fmt: skip
    for share in shares:
        folder = Folder(root / f"{share:g}")
        folder.root.mkdir(parents=True)
        for path in (frozen.holdout, frozen.general):
            shutil.copy(path, folder.root)
        rules = Rules(budget=max(50, round(share * len(later))), holdout_rows=held, general_rows=0, seed=seed)
        curate([source], folder, rules)
        for choice, path in (("targeted", folder.train), ("random", folder.control)):
            chosen = list(read_examples(path))
            second = _head([*early, *chosen], folder.root / choice, frozen, recipe)
            failed = sum(row.failure is not None for row in chosen)
            told["runs"].append({"share": share, "choice": choice, "rows": len(chosen), "failed": failed,
                                 **_judged(second, frozen.holdout)})  # fmt: skip
    return told


def _pool(seed: int, root: Path, drawn: int, held: int) -> tuple[list[Example], Folder]:
    """Rows that are no duplicates of each other, and the folder with those that are held out."""
    rng = Random(seed)  # noqa: S311 - seeded, to be repeated
    source = root / "drawn.jsonl"
    write_whole(source, (encode(_row(rng)) + b"\n" for _ in range(drawn)))
    folder = Folder(root)
    curate([source], folder, Rules(budget=drawn, holdout=0.25, holdout_rows=held, general_rows=0, seed=seed))
    return list(read_examples(folder.train)), folder


def _row(rng: Random) -> Example:
    one = tickets.draw(rng)
    messages = (Message("system", one.system), Message("user", one.text))
    return Example(
        id=prompt_id(messages), messages=messages, answer=one.gold, teacher="exact-label-teacher", route="tickets",
        licence="allowed",
    )  # fmt: skip


def _head(rows: Sequence[Example], out: Path, frozen: Folder, recipe: Recipe) -> Head:
    source = out / "rows.jsonl"
    write_whole(source, (encode(row) + b"\n" for row in rows))
    made = Nano(recipe, held=(frozen.holdout, frozen.general)).train(source, out, lambda *_: None)
    return load(out / made.weights, made.sha256)


def _said(head: Head, row: Example) -> str | None:
    """Its answer; None where it abstains."""
    opinion = head.of(asked([row.messages[-1].content]))
    place = int(opinion.order[0])
    sure = opinion.chances[place] >= head.card.threshold and opinion.familiar >= head.card.familiar
    return head.card.labels[place] if sure else None


def _shown(row: Example, head: Head) -> Example:
    """The row with how the head failed on it."""
    said = _said(head, row)
    if said == row.answer:
        return row
    return msgspec.structs.replace(row, failure="escalated" if said is None else "judged", rejected=said)


def _judged(head: Head, holdout: Path) -> dict[str, Any]:
    rows = list(read_examples(holdout))
    said = [_said(head, row) for row in rows]
    right = [int(word == row.answer) for word, row in zip(said, rows, strict=True)]
    return {"right": right, "answered": sum(word is not None for word in said)}


def differences(seeds: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Targeted less random, for each share: paired by question, the mean over seeds.

    The interval is a bootstrap over the questions of each seed's holdout; that seeds differ is shown beside it.
    """
    rng = np.random.default_rng(7)
    found = []
    for share in sorted({run["share"] for seed in seeds for run in seed["runs"]}):
        gains = [
            np.array(_run(seed, share, "targeted")["right"]) - np.array(_run(seed, share, "random")["right"])
            for seed in seeds
        ]
        drawn = np.mean([_means(gain, rng) for gain in gains], axis=0)
        low, high = np.quantile(drawn, [0.025, 0.975])
        found.append({
            "share": share, "gain": float(np.mean([gain.mean() for gain in gains])), "low": float(low),
            "high": float(high), "by_seed": [float(gain.mean()) for gain in gains],
        })  # fmt: skip
    return found


def _means(gain: np.ndarray[Any, Any], rng: np.random.Generator) -> np.ndarray[Any, Any]:
    means: np.ndarray[Any, Any] = gain[rng.integers(0, len(gain), (RESAMPLES, len(gain)))].mean(axis=1)
    return means


def _run(seed: dict[str, Any], share: float, choice: str) -> dict[str, Any]:
    found: dict[str, Any] = next(r for r in seed["runs"] if (r["share"], r["choice"]) == (share, choice))
    return found


def page(made: dict[str, Any]) -> str:
    """The tables."""
    of, seeds = made["of"], made["seeds"]
    first = [np.mean(seed["first_head"]["right"]) for seed in seeds]
    failed = sum(seed["failed"] for seed in seeds) / sum(seed["later"] for seed in seeds)
    held = ", ".join(str(len(seed["first_head"]["right"])) for seed in seeds)
    told = (
        f"Tickets for nine desks; the teacher looks the right answer up. A first nano head of {seeds[0]['first']} rows "
        f"is right on {np.mean(first):.1%} of the holdout and fails on {failed:.0%} of the later rows. A second one "
        f"learns from its rows and a part of the later ones. {held} rows held out, {len(seeds)} seeds; paired by "
        "question, 95 % by bootstrap. An answer that is not given is not right."
    )
    lines = [
        "# Rows from where the small tier failed, against rows at random", "",
        f"`{of['command']}`; {of['machine']}; {of['date']}, {of['commit']}.", "", told, "",
        "| of the later rows | rows | failed among them | right, targeted | right, random | gain (95 %) | by seed |",
        "|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    for each in made["differences"]:
        runs = {choice: [_run(s, each["share"], choice) for s in seeds] for choice in ("targeted", "random")}
        right = {choice: np.mean([np.mean(run["right"]) for run in found]) for choice, found in runs.items()}
        parts = [np.mean([run["failed"] / run["rows"] for run in found]) for found in runs.values()]
        lines.append(
            f"| {each['share']:.0%} | {', '.join(str(run['rows']) for run in runs['targeted'])} | "
            f"{parts[0]:.0%}, {parts[1]:.0%} at random | {right['targeted']:.1%} | {right['random']:.1%} | "
            f"{each['gain']:+.1%} ({each['low']:+.1%} to {each['high']:+.1%}) | "
            f"{', '.join(f'{gain:+.1%}' for gain in each['by_seed'])} |"
        )
    return "\n".join([*lines, "", *_verdict(made["differences"])]) + "\n"


def _verdict(found: Sequence[dict[str, Any]]) -> list[str]:
    words = {"better": "**Targeted is better at {}.** ", "worse": "**Targeted is worse at {}.** ",
             "": "No difference is shown at {}. "}  # fmt: skip
    said = {key: [f"{d['share']:.0%}" for d in found if d["share"] < 1 and _side(d) == key] for key in words}
    return ["".join(words[key].format(" and ".join(shares)) for key, shares in said.items() if shares).strip()]


def _side(found: dict[str, Any]) -> str:
    return "better" if found["low"] > 0 else "worse" if found["high"] < 0 else ""


if __name__ == "__main__":
    main()
