"""Does personal data, or a held-out prompt, get through the loop? Seeded, followed, looked for in every file.

python -m evals.distill.privacy   # results into evals/results/distill-privacy.json and .md
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from evals.distill.folder import write_json, write_whole
from evals.distill.privacy import kinds, leaks
from evals.distill.privacy.fixture import seeds
from evals.distill.privacy.follow import follow
from evals.stamp import stamp

RESULTS: Final = Path(__file__).parents[2] / "results"


def measure(rows: int, held_from: int, said_again: int) -> dict[str, Any]:
    """All of it, in folders that are removed afterwards."""
    made: dict[str, Any] = {}
    begun = time.process_time()
    with tempfile.TemporaryDirectory() as home:
        os.environ["STILLHOUSE_HOME"] = home
        for name, table in (("promised", kinds.PROMISED), ("hard", kinds.HARD)):
            root = Path(home) / name
            root.mkdir()
            of = rows if name == "promised" else max(600, rows // 10)
            made[name] = follow(root, seeds(table), of) | {"sown": {kind: each.number for kind, each in table.items()}}
        made["held_out"] = leaks.followed(Path(home), held_from, said_again)
    made["cpu_s"] = round(time.process_time() - begun, 1)
    return made


def got_through(part: dict[str, Any], *, captured: bool = False) -> dict[str, int]:
    """Kind -> the most of its values that are left, whole or in part, in any one file of the loop, or of the store."""
    most: dict[str, int] = {}
    for where, left in part["left"].items():
        if (where == "captured") is captured:
            for kind, count in [*left["whole"].items(), *left["part"].items()]:
                most[kind] = max(most.get(kind, 0), count)
    return most


def passed(made: dict[str, Any]) -> bool:
    """Whether nothing of what is promised got through."""
    through = [count for count, _ in made["held_out"]["promised"].values()]
    return not got_through(made["promised"]) and not any(through) and made["held_out"]["exact"] == 0


def markdown(made: dict[str, Any]) -> str:
    """The page."""
    of, sown, hard, held = made["of"], made["promised"], made["hard"], made["held_out"]
    over = sown["over"]
    files, store = got_through(sown), got_through(sown, captured=True)
    hard_files = got_through(hard)
    return "\n".join([
        "# Personal data and held-out prompts in the distillation loop", "",
        f"`{of['command']}`, {of['date']}, commit {of['commit']}, {of['machine']}; {made['cpu_s']:,.0f} s of CPU.", "",
        "## Personal data", "",
        (f"{sown['rows']:,} made requests, {sown['seeds']:,} of them with a value that we wrote or generated with "
         "right check digits. They were captured, imported, curated, labelled by a teacher that says such values of "
         f"itself ({sown['asked']:,} answers) and exported in all formats ({sown['exports']} files). "
         f"{len(sown['left']) - 1} files were read for the values, and each row of a seed for the words of its "
         "name and the first line of its address. The store of captures masks what is told by its form; names, user "
         "names and addresses are masked when its rows are imported, unless the policy masks them before."), "",
        "| kind | sown | left in the store of captures | left in any file of the loop |", "|---|---|---|---|",
        *(f"| {kind} | {n} | {store.get(kind, 0)} | {files.get(kind, 0)} |" for kind, n in sown["sown"].items()),
        f"| all | {sown['seeds']} | {sum(store.values())} | {sum(files.values())} |", "",
        (f"Masked where nothing was sown (ordinary English words in no order, with places, days and products among "
         f"them): {over['masked']} of {over['rows']:,} requests, {over['placeholders']} of {over['words']:,} words. "
         "How often ordinary prompts are masked is told in [guards-pii.md](guards-pii.md); the loop masks more "
         "(two capitalised words of which the last is no English word)."), "",
        "## Said so that no form gives it away", "",
        "Measured, not promised. Values of the same sort, in ways in which a guard must read between the lines:", "",
        "| kind | sown | left in any file of the loop |", "|---|---|---|",
        *(f"| {kind} | {count} | {hard_files.get(kind, 0)} |" for kind, count in hard["sown"].items()), "",
        "## Held-out prompts", "",
        (f"{held['held']} prompts were frozen; in a second curation they came again in the ways below, marked as "
         f"failed so that they are taken first. Of {held['learned']:,} rows to learn from, {held['exact']} are held "
         f"out; the largest share of shingles that one has in common with a held-out row is {held['largest_share']} "
         f"(refused from {held['near']})."), "",
        "| said again | prompts | got through |", "|---|---|---|",
        *(f"| {way} | {count} | {through} |" for way, (through, count) in held["promised"].items()), "",
        "Measured, not promised:", "",
        "| said again | prompts | got through |", "|---|---|---|",
        *(f"| {way} | {count} | {through} |" for way, (through, count) in held["hard"].items()), "",
    ])  # fmt: skip


def main() -> None:
    """Measure, keep, print; exit code 1 where something that is promised got through."""
    reader = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    reader.add_argument("--rows", type=int, default=10_000)
    reader.add_argument("--out", type=Path, default=RESULTS)
    args = reader.parse_args()
    made = measure(args.rows, args.rows // 5, 100)
    made["of"] = stamp("python -m evals.distill.privacy" + ("" if args.rows == 10_000 else f" --rows {args.rows}"))
    write_json(args.out / "distill-privacy.json", made)
    text = markdown(made)
    write_whole(args.out / "distill-privacy.md", text.encode())
    print(text)
    sys.exit(0 if passed(made) else 1)


if __name__ == "__main__":
    main()
