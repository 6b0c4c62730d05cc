"""How well the ``topics`` guard knows a topic from its definition and a few examples.

``python -m evals.topics --data DIR`` reads ``DIR/topics.jsonl.gz`` and writes ``guards-topics.json`` and ``.md`` into
``evals/results``. A topic is tested on the questions that were not drawn as its examples; what must not be found are
the rows of no topic. Draws are repeated with other examples. The baseline is the overlap of keywords with definition
and examples.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from evals.stamp import stamp
from evals.topics.definitions import DEFINITIONS
from evals.topics.train import rows
from guardrails import compile_rails
from guardrails.grounding.reading import sentences
from guardrails.learned.windows import cut
from guardrails.normalize import normalize
from guardrails.topics.likeness import Likeness, Sense, likeness, ordinary, sense
from guardrails.topics.words import Table, packaged

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

COMMAND: Final = "python -m evals.topics --data DIR"
RESULTS: Final = Path(__file__).parents[1] / "results"
SHOTS: Final = (0, 1, 5)
DRAWS: Final = 5
RESAMPLES: Final = 1000
RATES: Final = (0.01, 0.05)
#: Mixes of meaning, middle and words that are tried; for each topic the one that is best on the others is used.
MIXES: Final = tuple((a, 1 - a, w) for a in (0.0, 0.5, 1.0) for w in (0.0, 0.3, 0.6, 1.0))


class Drawn(NamedTuple):
    """One topic with one draw of examples.

    Attributes:
        positives, negatives: (texts, 3) parts of the most like sentence, for every mix: (mixes, texts).
        keywords: the same by the baseline, (positives) and (negatives).
        shipped: at the packaged mix and 1 % of ordinary prompts, the share that is found of either.
    """

    topic: str
    shots: int
    draw: int
    positives: NDArray[np.float64]
    negatives: NDArray[np.float64]
    keywords: tuple[NDArray[np.float64], NDArray[np.float64]]
    shipped: tuple[float, float]


def senses(table: Table, text: str) -> list[Sense]:
    """Every sentence of a text, as the guard reads it."""
    folded = normalize(text)[0]
    starts, end = cut(folded, 0, last=True)
    pieces = (folded[a:b] for a, b in zip(starts, [*starts[1:], end], strict=False))
    return [made for piece in pieces if (made := sense(table, table.words(piece))) is not None]


def draws(data: list[dict[str, Any]]) -> list[Drawn]:
    """Every topic, number of examples and draw."""
    table = packaged()
    read = {row["text"]: senses(table, row["text"]) for row in data}
    stems = {row["text"]: frozenset(s for each in sentences(row["text"]) for s in each.stems) for row in data}
    none = [row["text"] for row in data if row["label"] == "none"]
    found = []
    for topic, definition in DEFINITIONS.items():
        own = sorted(row["text"] for row in data if row["label"] == topic)
        for shots in SHOTS:
            for draw in range(DRAWS if shots else 1):
                shuffled = own[:]
                random.Random(f"{topic} {draw}").shuffle(shuffled)  # noqa: S311 -- seeded, to be repeated
                examples, tested = shuffled[:shots], shuffled[5:]
                texts = [f"{topic}. {definition}", *examples]
                found.append(_drawn(table, (topic, shots, draw), texts, tested, none, read, stems))
    return found


def _drawn(
    table: Table,
    key: tuple[str, int, int],
    texts: list[str],
    tested: list[str],
    none: list[str],
    read: dict[str, list[Sense]],
    stems: dict[str, frozenset[str]],
) -> Drawn:
    topic = likeness(table, texts, ())
    keywords = frozenset(stem for text in texts for each in sentences(text) for stem in each.stems)
    scored = [np.array([_parts(topic, read[text]) for text in some]).T for some in (tested, none)]
    overlap = [np.array([_overlap(stems[text], keywords) for text in some]) for some in (tested, none)]
    limit = ordinary().chance(topic).limit(0.01)
    place = MIXES.index(table.mix) if table.mix in MIXES else 0
    shipped = [float((some[place] > limit).mean()) for some in scored]
    return Drawn(*key, scored[0], scored[1], (overlap[0], overlap[1]), (shipped[0], shipped[1]))


def _parts(topic: Likeness, read: Sequence[Sense]) -> list[float]:
    parts = [topic.parts(each) for each in read] or [(-1.0, -1.0, 0.0)]
    return [max(a * x + b * y + c * z for x, y, z in parts) for a, b, c in MIXES]


def _overlap(stems: frozenset[str], keywords: frozenset[str]) -> float:
    return len(stems & keywords) / len(stems) if stems else 0.0


def recall(positives: NDArray[np.float64], negatives: NDArray[np.float64], rate: float) -> float:
    """Share of positives above the score that at most ``rate`` of the negatives exceed."""
    limit = np.sort(negatives)[::-1][int(rate * len(negatives))]
    return float((positives > limit).mean())


def measured(found: list[Drawn], shots: int) -> dict[str, Any]:
    """Every topic at one number of examples, the mix chosen on the other topics."""
    lines = []
    for topic in DEFINITIONS:
        others = [each for each in found if each.shots == shots and each.topic != topic]
        quality = [
            np.mean([recall(each.positives[m], each.negatives[m], 0.05) for each in others]) for m in range(len(MIXES))
        ]
        mix = int(np.argmax(quality))
        own = [each for each in found if each.shots == shots and each.topic == topic]
        line: dict[str, Any] = {"topic": topic, "n": len(own[0].positives[0]), "mix": MIXES[mix]}
        for rate in RATES:
            line[f"recall_{rate}"] = float(np.mean([recall(e.positives[mix], e.negatives[mix], rate) for e in own]))
            line[f"keywords_{rate}"] = float(np.mean([recall(*e.keywords, rate) for e in own]))
        line["shipped_recall"] = float(np.mean([e.shipped[0] for e in own]))
        line["shipped_flagged"] = float(np.mean([e.shipped[1] for e in own]))
        lines.append(line)
    return {"shots": shots, "topics": lines, "macro": _macro(lines)}


def _macro(lines: list[dict[str, Any]]) -> dict[str, Any]:
    """Means over topics; intervals by resampling topics."""
    dice = np.random.default_rng(13)
    picks = dice.integers(len(lines), size=(RESAMPLES, len(lines)))
    out: dict[str, Any] = {}
    for rate in RATES:
        ours, theirs = (np.array([line[f"{who}_{rate}"] for line in lines]) for who in ("recall", "keywords"))
        for name, values in (("recall", ours), ("keywords", theirs), ("difference", ours - theirs)):
            low, high = np.quantile(values[picks].mean(axis=1), (0.025, 0.975))
            out[f"{name}_{rate}"] = {"mean": float(values.mean()), "interval": [float(low), float(high)]}
    for name in ("shipped_recall", "shipped_flagged"):
        out[name] = float(np.mean([line[name] for line in lines]))
    return out


def cost(data: list[dict[str, Any]]) -> dict[str, float]:
    """CPU of compiling 13 topics and of reading a text, in microseconds; the least of three passes."""
    begun = time.process_time()
    topics = [{"name": name, "definition": said} for name, said in DEFINITIONS.items()]
    rails = compile_rails([{"topics": {"topics": topics, "action": "detect"}}])
    compiled = time.process_time() - begun
    texts = [row["text"] for row in data[:300]]
    passes = []
    for _ in range(3):
        begun = time.process_time()
        for text in texts:
            rails.check(text)
        passes.append(time.process_time() - begun)
    size = sum(map(len, texts))
    return {
        "compile": compiled * 1e6,
        "text": min(passes) / len(texts) * 1e6,
        "thousand_characters": min(passes) / size * 1e9,
    }


_HEAD: Final = (
    "| topic | n | recall at 1 % | keywords | recall at 5 % | keywords | as shipped: found | flagged |\n"
    "|---|---|---|---|---|---|---|---|"
)


def markdown(report: dict[str, Any]) -> str:
    """The same for people."""
    parts = [
        "# Denied topics\n",
        f"`{report['command']}`, {report['date']}, commit {report['commit']}, {report['machine']}.",
        f"{len(DEFINITIONS)} topics with our own definitions; negatives are the {report['negatives']} rows of no",
        "topic, many of them harmless talk *about* such subjects. Recall at a rate: of the questions on the topic that",
        "were not drawn as examples, the share above the score that this share of the negatives exceeds; mean of the",
        "draws. How meaning and words are mixed was chosen on the other topics. Keywords: the share of a text's stems",
        "that definition and examples hold. Intervals are 95 % (bootstrap by topic). *As shipped*: the threshold at",
        "1 % of the packaged ordinary prompts, chosen without any row of this data; how many questions it finds, and",
        "how many of the negatives it flags for this topic. English only: no Korean topic rows were at hand.\n",
    ]
    for block in report["shots"]:
        macro = block["macro"]
        parts.append(f"## {block['shots']} examples\n")
        parts.append(_HEAD)
        parts += [
            f"| {x['topic']} | {x['n']} | {x['recall_0.01']:.2f} | {x['keywords_0.01']:.2f} | {x['recall_0.05']:.2f} "
            f"| {x['keywords_0.05']:.2f} | {x['shipped_recall']:.2f} | {x['shipped_flagged']:.3f} |"
            for x in block["topics"]
        ]
        parts.append(
            f"| **macro** | | {_said(macro['recall_0.01'])} | {_said(macro['keywords_0.01'])} "
            f"| {_said(macro['recall_0.05'])} | {_said(macro['keywords_0.05'])} "
            f"| {macro['shipped_recall']:.2f} | {macro['shipped_flagged']:.3f} |"
        )
        gains = (_said(macro[f"difference_{rate}"]) for rate in RATES)
        parts.append("\nOurs minus keywords: at 1 % {}, at 5 % {}.\n".format(*gains))
    cpu = report["cpu_microseconds"]
    parts.append(
        f"CPU: compiling 13 topics {cpu['compile'] / 1000:.0f} ms (the packaged words included); "
        f"{cpu['text']:.0f} µs a text, {cpu['thousand_characters']:.0f} µs per 1,000 characters."
    )
    return "\n".join(parts) + "\n"


def _said(value: dict[str, Any]) -> str:
    low, high = value["interval"]
    return f"{value['mean']:.2f} ({low:.2f} to {high:.2f})"


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--data", type=Path, required=True)
    given = parser.parse_args()
    data = list(rows(given.data / "topics.jsonl.gz"))
    found = draws(data)
    report = {
        **stamp(COMMAND),
        "negatives": sum(row["label"] == "none" for row in data),
        "shots": [measured(found, shots) for shots in SHOTS],
        "cpu_microseconds": cost(data),
    }
    (RESULTS / "guards-topics.json").write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", "utf-8")
    (RESULTS / "guards-topics.md").write_text(markdown(report), "utf-8")
    print(markdown(report))


if __name__ == "__main__":
    main()
