"""What the guards cost on ordinary text, whole and in pieces.

``python -m evals.guards.speed DATA`` reads the prompts of ``DATA/valid.jsonl.gz`` (English and Korean; code is this
project's own) and writes ``evals/results/guards-speed.json`` and ``.md``. Times are CPU time of one process, the least
of three runs of each text; the share beyond a bare ``re`` scan of the same texts in the same run is what can be
compared between machines. Nothing of the prompts is written down.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from evals.stamp import stamp
from guardrails import Rails, compile_rails
from policies.load import load_policy

RESULTS: Final = Path(__file__).parents[1] / "results"
ROOT: Final = Path(__file__).parents[2]
SIZES: Final = (100, 1_000, 4_000, 32_000)
MOST: Final = {100: 300, 1_000: 200, 4_000: 100, 32_000: 12}
STREAMED: Final = 60
CHUNK: Final = (4, 8)
#: Every guard with its defaults, the managed word lists, and one planted token.
EVERYTHING: Final[list[dict[str, Any]]] = [
    {"secrets": {"action": "mask"}},
    {"pii": {"action": "mask"}},
    {"words": {"lists": ["profanity-en", "profanity-ko"]}},
    {"hidden": {}},
    {"canary": {"tokens": ["heron-7f3a9c2e51"]}},
    {"rerouting": {}},
]
#: What a text filter of a few lines does: one pattern for a handful of words and shapes.
BARE: Final = re.compile(r"\b(?:password|secret|token)\b|[\w.+-]+@[\w-]+\.[\w.]+|\b\d{3}-\d{2}-\d{4}\b")


def cpu_us(work: Callable[[str], object], text: str) -> float:
    """CPU time of ``work`` on ``text`` in microseconds, the least of three."""
    times = []
    for _ in range(3):
        begun = time.process_time_ns()
        work(text)
        times.append(time.process_time_ns() - begun)
    return min(times) / 1000


def pieces_of(texts: Sequence[str], size: int) -> list[str]:
    """Stretches of ``size`` code points, texts of one kind joined by a blank line."""
    whole = "\n\n".join(texts)
    return [whole[at : at + size] for at in range(0, len(whole) - size, size)][: MOST[size]]


def corpora(data: Path) -> dict[str, list[str]]:
    """English and Korean prompts, and code."""
    chance = random.Random(7)  # noqa: S311 -- a sample that can be drawn again
    prompts: dict[str, list[str]] = {"english": [], "korean": []}
    with gzip.open(data / "valid.jsonl.gz", "rb") as lines:
        for line in lines:
            row = json.loads(line)
            prompts["korean" if row["language"] == "ko" else "english"].append(row["prompt"])
    for texts in prompts.values():
        chance.shuffle(texts)
    code = [path.read_text("utf-8") for path in sorted((ROOT / "router").rglob("*.py"))]
    return {**{kind: texts[:1500] for kind, texts in prompts.items()}, "code": code}


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """Median, 99th percentile and greatest."""
    return {
        "p50": float(np.percentile(values, 50)),
        "p99": float(np.percentile(values, 99)),
        "max": float(max(values)),
        "n": len(values),
    }


def whole(rails: Rails, texts: dict[str, list[str]]) -> dict[str, Any]:
    """CPU of ``check`` by kind and size, the line through all of them, and the ratio to a bare scan."""
    table: dict[str, Any] = {}
    points: list[tuple[int, float]] = []
    ratios: list[float] = []
    for kind, found in texts.items():
        for size in SIZES:
            taken = pieces_of(found, size)
            times = [cpu_us(rails.check, text) for text in taken]
            bare = [cpu_us(lambda text: sum(1 for _ in BARE.finditer(text)), text) for text in taken]
            points += [(len(text.encode()), spent) for text, spent in zip(taken, times, strict=True)]
            ratio = sum(times) / sum(bare)
            ratios += [ratio] if size == 4_000 else []
            table[f"{kind} {size}"] = {**percentiles(times), "bare_re_p50": float(np.median(bare)), "ratio": ratio}
    slope, floor = np.polyfit([at for at, _ in points], [spent for _, spent in points], 1)
    return {"cpu_us": table, "line": {"a_us": float(floor), "b_us_per_byte": float(slope)}, "ratio_at_4000": ratios}


def in_pieces(rails: Rails, texts: dict[str, list[str]]) -> dict[str, Any]:
    """CPU of one piece of 4 to 8 characters, and how much is held back after it, by kind."""
    found: dict[str, Any] = {}
    for kind, all_texts in texts.items():
        chance = random.Random(11)  # noqa: S311
        spent: list[float] = []
        held: list[float] = []
        a_chunk: list[float] = []
        for text in all_texts[:STREAMED]:
            stream = rails.stream()
            at, took, chunks = 0, 0, 0
            while at < min(len(text), 4_000):
                step = chance.randint(*CHUNK)
                begun = time.process_time_ns()
                stream.feed(text[at : at + step])
                once = time.process_time_ns() - begun
                took += once
                spent.append(once / 1000)
                held.append(stream.held)
                at, chunks = at + step, chunks + 1
            if stream.blocked:
                continue
            stream.finish()
            a_chunk.append(took / 1000 / max(1, chunks))
        found[kind] = {"cpu_us": percentiles(spent), "mean_us": float(np.mean(a_chunk)), "held": percentiles(held)}
    return found


def ten_thousand_words(texts: dict[str, list[str]]) -> dict[str, Any]:
    """10,000 words over about 1,000 tokens."""
    stems = ("bar", "cor", "del", "fen", "gal", "hov", "jur", "kem", "lin", "mor")
    listed = [f"{a}{b}{c}{d}" for a in stems for b in stems for c in stems for d in stems]
    begun = time.process_time()
    rails = compile_rails([{"words": {"words": listed}}])
    built = time.process_time() - begun
    times = [cpu_us(rails.check, text) for text in pieces_of(texts["english"], 4_000)]
    family = rails.families[0]
    bare = [
        cpu_us(lambda text: family.scan(text, [0] * family.width, True), t) for t in pieces_of(texts["english"], 4_000)
    ]
    return {"words": len(listed), "build_s": built, "check_us": percentiles(times), "words_alone_us": percentiles(bare)}


def report(data: Path) -> dict[str, Any]:
    """Everything that is written down."""
    texts = corpora(data)
    balanced = load_policy("balanced").rails
    rails = {"balanced, input": balanced["input"], "balanced, output": balanced["output"]}
    rails["every guard"] = compile_rails(EVERYTHING)
    return {
        **stamp("python -m evals.guards.speed DATA"),
        "texts": {kind: len(found) for kind, found in texts.items()},
        "whole": {name: whole(these, texts) for name, these in rails.items()},
        "stream": {name: in_pieces(these, texts) for name, these in rails.items()},
        "ten_thousand_words": ten_thousand_words(texts),
    }


def markdown(result: dict[str, Any]) -> str:
    """The same as a page."""
    lines = [
        "# What the guards cost",
        "",
        f"`{result['command']}`, {result['date']}, commit {result['commit']}, {result['machine']}. CPU time in µs,",
        "the least of three runs of each text; other work shared the machine. `re` is a bare scan for one pattern.",
        "",
        "| guards | text | n | p50 | p99 | `re` p50 | ratio |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, found in result["whole"].items():
        lines += [
            f"| {name} | {kind} | {row['n']} | {row['p50']:,.0f} | {row['p99']:,.0f} | {row['bare_re_p50']:,.0f} |"
            f" {row['ratio']:.1f} |"
            for kind, row in found["cpu_us"].items()
        ]
    lines += ["", "| guards | a + b·bytes |", "|---|---|"]
    lines += [
        f"| {name} | {found['line']['a_us']:,.0f} µs + {found['line']['b_us_per_byte'] * 1000:,.0f} µs a 1,000 bytes |"
        for name, found in result["whole"].items()
    ]
    lines += [
        "",
        f"In pieces of {CHUNK[0]} to {CHUNK[1]} characters; held: characters that a stream keeps back after a piece.",
        "",
        "| guards | text | pieces | CPU mean | CPU p99 | held p50 | p99 | max |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, found in result["stream"].items():
        lines += [
            f"| {name} | {kind} | {row['held']['n']:,} | {row['mean_us']:.0f} | {row['cpu_us']['p99']:.0f} |"
            f" {row['held']['p50']:.0f} | {row['held']['p99']:.0f} | {row['held']['max']:.0f} |"
            for kind, row in found.items()
        ]
    many = result["ten_thousand_words"]
    alone, check = many["words_alone_us"], many["check_us"]
    said = (
        f"{many['words']:,} words over 4,000 characters of English: the words alone {alone['p50']:.0f} µs"
        f" (p99 {alone['p99']:.0f}), with what is written in other forms {check['p50']:.0f} µs"
        f" (p99 {check['p99']:.0f}); built in {many['build_s']:.2f} s."
    )
    lines += ["", said, ""]
    return "\n".join(lines)


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description="Measure what the guards cost on ordinary text.")
    parser.add_argument("data", type=Path, help="folder with valid.jsonl.gz: rows with prompt and language")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for guards-speed.json and .md")
    arguments = parser.parse_args()
    if not (arguments.data / "valid.jsonl.gz").is_file():
        parser.error(f"{arguments.data} holds no valid.jsonl.gz")
    result = report(arguments.data)
    page = markdown(result)
    (arguments.out / "guards-speed.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    (arguments.out / "guards-speed.md").write_text(page, encoding="utf-8")
    print(page)


if __name__ == "__main__":
    main()
