"""What curating costs: CPU time a row, stage by stage, and the largest memory of any process.

    python -m evals.distill.curate.cost --rows 1000000   # results into evals/results/distill-curate-cost.json and .md

The rows are made: prose of random words with sentences, capitals, figures and Korean, about 900 bytes each. Of a
hundred, five are repeats, five say nearly the same as another, three hold an e-mail address and ten a person's name.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from evals.distill.curate.rules import Rules
from evals.distill.curate.run import curate
from evals.distill.example import Example, Message, encode, prompt_id
from evals.distill.folder import Folder, write_json, write_whole
from evals.stamp import stamp

RESULTS: Final = Path(__file__).parents[2] / "results"
ROWS: Final = 1_000_000  # what is promised is said of so many
SYSTEM: Final = Message("system", "You are a helpful assistant.")
FIRST: Final = ("Anna", "Robert", "Maria", "Thomas", "Julia", "Daniel")
LAST: Final = ("Kovacs", "Lindström", "Moretti", "Fernandes", "Hughes", "Novak")


def rows(n: int, seed: int = 5) -> Iterator[Example]:
    """``n`` rows about sixty subjects, of which the small tier fails on eight."""
    rng = random.Random(seed)  # noqa: S311 - seeded, to be repeated
    vocabulary = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(2, 10))) for _ in range(20_000)]
    vocabulary += ["".join(chr(rng.randint(0xAC00, 0xD7A3)) for _ in range(3)) for _ in range(400)]
    subjects = [rng.sample(vocabulary, 400) for _ in range(60)]
    earlier: list[str] = []
    for _ in range(n):
        subject = rng.randrange(len(subjects))
        text = " ".join(_sentence(rng, subjects[subject]) for _ in range(rng.randint(2, 12)))
        said = rng.random()
        if said < 0.1 and earlier:
            text = rng.choice(earlier) + ("" if said < 0.05 else " Please be so kind.")
        elif said < 0.13:
            text += f" Write to {rng.choice(FIRST).lower()}{rng.randrange(10**6)}@example.com."
        elif said < 0.23:
            text += f" It was sent by Mr. {rng.choice(FIRST)} {rng.choice(LAST)}."
        if len(earlier) < 500:
            earlier.append(text)
        messages = (SYSTEM, Message("user", text))
        failed = rng.random() < (0.5 if subject < 8 else 0.03)
        yield Example(
            id=prompt_id(messages), messages=messages, answer=_sentence(rng, subjects[subject]), teacher="teacher",
            failure="escalated" if failed else None, route=f"route-{subject % 3}", licence="allowed",
        )  # fmt: skip


def _sentence(rng: random.Random, words: list[str]) -> str:
    said = rng.choices(words, k=rng.randint(5, 16))
    if rng.random() < 0.2:
        said.insert(3, str(rng.randrange(1, 3_000)))
    return " ".join(said).capitalize() + rng.choice("..?")


def measure(n: int, folder: Path) -> dict[str, Any]:
    """Curate ``n`` rows in ``folder``, and say what it took."""
    source = folder / "rows.jsonl"
    # made in another process, so that making them adds neither to the time nor to the memory of this one
    subprocess.run([sys.executable, "-m", __spec__.name, "--make", str(source), "--rows", str(n)], check=True)
    spent: dict[str, float] = {}
    stage, begun, wall = "cleaning", _cpu(), time.monotonic()

    def tell(what: str, _share: float) -> None:
        nonlocal stage, begun
        now = _cpu()
        spent[stage] = spent.get(stage, 0.0) + now - begun
        stage, begun = what, now

    manifest = curate([source], Folder.of(folder, "cost"), Rules(), tell)
    wall = time.monotonic() - wall
    return {
        "rows": n, "bytes": source.stat().st_size, "cpu_s": {name: round(s, 2) for name, s in spent.items()},
        "cpu_us_per_row": round(sum(spent.values()) / n * 1e6, 1), "wall_s": round(wall, 1),
        "cores": os.cpu_count(), "load": round(os.getloadavg()[0], 1),
        "peak_mib": {"parent": _peak(resource.RUSAGE_SELF), "worker": _peak(resource.RUSAGE_CHILDREN)},
        "manifest": {"rows": manifest["rows"], "left_out": manifest["left_out"]},
    }  # fmt: skip


def _cpu() -> float:
    """Seconds of CPU of this process and of the workers that have ended."""
    of = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in of)


def _peak(who: int) -> int:
    return resource.getrusage(who).ru_maxrss // 1024


def projected(made: dict[str, Any], n: int = ROWS, cores: int = 2) -> float:
    """Seconds that ``n`` rows take on ``cores`` quiet cores, at most: only the cleaning is done side by side."""
    more: float = n / made["rows"]
    spent: dict[str, float] = made["cpu_s"]
    total = sum(s * more / (cores if stage == "cleaning" else 1) for stage, s in spent.items())
    return round(total, 1)


def main() -> None:
    """Measure, keep, print."""
    reader = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    reader.add_argument("--rows", type=int, default=100_000)
    reader.add_argument("--out", type=Path, default=RESULTS)
    reader.add_argument("--make", type=Path, help="write the rows to a file, and do no more")
    args = reader.parse_args()
    if args.make:
        write_whole(args.make, (encode(row) + b"\n" for row in rows(args.rows)))
        return
    with tempfile.TemporaryDirectory() as folder:
        made = measure(args.rows, Path(folder))
    made["projected_wall_s"] = projected(made)
    made["of"] = stamp(f"python -m evals.distill.curate.cost --rows {args.rows}")
    write_json(args.out / "distill-curate-cost.json", made)
    text = markdown(made)
    write_whole(args.out / "distill-curate-cost.md", text.encode())
    print(text)


def markdown(made: dict[str, Any]) -> str:
    """The table."""
    of, counts = made["of"], made["manifest"]["rows"]
    stages = [
        f"| {name} | {s:,.1f} | {s / made['rows'] * 1e6:,.0f} |" for name, s in made["cpu_s"].items()
    ]  # fmt: skip
    return "\n".join([
        "# What curating costs", "",
        (f"{made['rows']:,} made rows, {made['bytes'] / 1e6:,.0f} MB; {counts['train']:,} taken, and as many at "
         f"random. {of['machine']}, load {made['load']:g}; {of['date']}, {of['commit']}; `{of['command']}`."), "",
        "| stage | CPU, s | CPU, µs a row |", "|---|---|---|", *stages,
        f"| all | {sum(made['cpu_s'].values()):,.1f} | {made['cpu_us_per_row']:,.0f} |", "",
        (f"{made['wall_s']:,.0f} s by the clock on {made['cores']} cores. Largest memory of a process: "
         f"{made['peak_mib']['parent']:,} MiB (parent), {made['peak_mib']['worker']:,} MiB (worker). From the CPU "
         f"times, {ROWS:,} rows on two quiet cores take {made['projected_wall_s']:,.0f} s at most."), "",
    ])  # fmt: skip


if __name__ == "__main__":
    main()
