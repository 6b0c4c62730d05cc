"""How well the ``grounding`` guard tells answers that rest on their sources, and answers to the question.

``python -m evals.grounding --data DIR`` reads ``DIR/grounding.jsonl.gz`` and writes ``guards-grounding.json`` and
``.md`` into ``evals/results``; with ``--train`` it learns the weights again and writes ``guardrails/models/grounding``,
byte for byte the same from the same data. Every source is scored by a rule that never saw it; baselines are
single overlaps.
"""

from __future__ import annotations

import argparse
import io
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from evals.grounding.data import TRAINS, Row, asked, read
from evals.grounding.fit import auc, balanced, fit
from evals.stamp import stamp
from guardrails.grounding.evidence import ANSWERS, SUPPORT, Sources, answers, support
from guardrails.grounding.model import Weights
from guardrails.grounding.reading import sentences

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

COMMAND: Final = "python -m evals.grounding --data DIR"
RESULTS: Final = Path(__file__).parents[1] / "results"
MODEL: Final = Path(__file__).parents[2] / "guardrails" / "models" / "grounding"
RESAMPLES: Final = 1000
FOLDS: Final = 5


class Task(NamedTuple):
    """One of the two scores, with its rows read.

    Attributes:
        evidence: for each row the evidence of each sentence (relevance has one line a text).
        groups: what must not be torn: contexts, or questions.
        baseline: the column that stands alone as a baseline.
    """

    name: str
    columns: Sequence[str]
    baseline: str
    sources: NDArray[Any]
    labels: NDArray[Any]
    groups: NDArray[Any]
    kinds: NDArray[Any]
    evidence: list[NDArray[np.float64]]
    cpu_microseconds: float

    @property
    def means(self) -> NDArray[np.float64]:
        """(rows, columns): what the rule is fitted on."""
        return np.array([each.mean(axis=0) for each in self.evidence])

    def fitted(self, rows: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Weights and offset, learned on ``rows`` of the sources that may train."""
        rows = rows & np.isin(self.sources, [*TRAINS, "truthfulqa", "halueval-general"])
        weight = balanced(self.sources[rows].tolist(), self.labels[rows].tolist(), self.kinds[rows].tolist())
        return fit(self.means[rows], self.labels[rows], weight, self.columns)

    def scores(self, beta: NDArray[np.float64]) -> NDArray[np.float64]:
        """Of every row, that of its worst sentence."""
        rule = Weights(tuple(beta[:-1].tolist()), float(beta[-1]))
        return np.array([min(rule.score(line) for line in each) for each in self.evidence])


def grounding_task(rows: Iterable[Row]) -> Task:
    """Rows with a context, every sentence held against it."""
    with_context = [row for row in rows if row.context]
    begun, evidence = time.process_time(), []
    for row in with_context:
        sources = Sources.of([row.context])
        known = frozenset(stem for sentence in sentences(row.question) for stem in sentence.stems)
        lines = [support(sentence, sources, known) for sentence in sentences(row.answer)]
        evidence.append(np.array(lines or [(0.0,) * len(SUPPORT)]))
    return _task("grounding", SUPPORT, "stems", with_context, evidence, begun, [row.context for row in with_context])


def relevance_task(rows: Iterable[Row]) -> Task:
    """Rows with a question, each answer with its own and with another one."""
    paired = list(asked([row for row in rows if row.question]))
    begun = time.process_time()
    evidence = []
    for row in paired:
        sources = Sources.of([row.context]) if row.context else None
        evidence.append(np.array([answers(sentences(row.answer), sentences(row.question), sources)]))
    return _task("relevance", ANSWERS, "asked_stems", paired, evidence, begun, [row.question for row in paired])


def _task(
    name: str,
    columns: Sequence[str],
    baseline: str,
    rows: list[Row],
    evidence: list[NDArray[np.float64]],
    begun: float,
    groups: list[str],
) -> Task:
    spent = (time.process_time() - begun) / max(len(rows), 1) * 1e6
    arrays = (np.array([getattr(row, part) for row in rows]) for part in ("source", "label", "kind"))
    sources, labels, kinds = arrays
    numbers = np.unique(np.array(groups), return_inverse=True)[1]
    return Task(name, columns, baseline, sources, labels, numbers, kinds, evidence, spent)


def outside(task: Task) -> list[dict[str, Any]]:
    """For each source: scored by what the others taught, beside the baseline and folds within all sources."""
    folded = _folded(task)
    lines = []
    for source in dict.fromkeys(task.sources.tolist()):
        own = task.sources == source
        # Alterations have the contexts of their source: what shares one with the source goes out with it.
        others = ~own & ~np.isin(task.groups, task.groups[own])
        score = task.scores(task.fitted(others))[own]
        base = task.means[own, task.columns.index(task.baseline)]
        lines.append({"source": source, "n": int(own.sum()), "groups": len(set(task.groups[own].tolist())),
                      "rows_dropped_for_shared_contexts": int((~own & ~others).sum())}
                     | _compared(score, base, task.labels[own], task.groups[own])
                     | {"in_distribution": auc(folded[own], task.labels[own])})  # fmt: skip
    return lines


def _folded(task: Task) -> NDArray[np.float64]:
    """Scores with rows of one group in one fold."""
    out = np.zeros(len(task.labels))
    fold = np.random.default_rng(7).permutation(task.groups.max() + 1)[task.groups] % FOLDS
    for part in range(FOLDS):
        out[fold == part] = task.scores(task.fitted(fold != part))[fold == part]
    return out


def _compared(
    score: NDArray[np.float64], base: NDArray[np.float64], labels: NDArray[Any], groups: NDArray[Any]
) -> dict[str, Any]:
    """AUC of both and of their difference, with intervals by resampling groups."""
    dice = np.random.default_rng(11)
    members = [np.flatnonzero(groups == group) for group in np.unique(groups)]
    drawn = []
    for _ in range(RESAMPLES):
        rows = np.concatenate([members[index] for index in dice.integers(len(members), size=len(members))])
        drawn.append((auc(score[rows], labels[rows]), auc(base[rows], labels[rows])))
    ours, theirs = np.array(drawn).T
    return {
        "auc": auc(score, labels),
        "auc_interval": _interval(ours),
        "baseline": auc(base, labels),
        "difference": auc(score, labels) - auc(base, labels),
        "difference_interval": _interval(ours - theirs),
    }


def _interval(values: NDArray[np.float64]) -> list[float]:
    return [float(value) for value in np.nanquantile(values, (0.025, 0.975))]


def alterations(task: Task) -> list[dict[str, Any]]:
    """What share of each kind of alteration falls below 0.5: by what other sources taught, and in folds by context."""
    folded = _folded(task)
    lines = []
    for source in ("altered-en", "altered-ko", "altered-prose"):
        own = task.sources == source
        score = task.scores(task.fitted(~own & ~np.isin(task.groups, task.groups[own])))
        for kind in dict.fromkeys(task.kinds[task.sources == source].tolist()):
            rows = (task.sources == source) & (task.kinds == kind)
            grounded = bool(task.labels[rows][0])
            below, in_folds = (float((some[rows] < 0.5).mean()) for some in (score, folded))
            lines.append({"source": source, "kind": kind, "grounded": grounded, "n": int(rows.sum()),
                          "below": below, "below_in_folds": in_folds})  # fmt: skip
    return lines


def weights_file(support_rule: NDArray[np.float64], answers_rule: NDArray[np.float64]) -> bytes:
    """The bytes of ``weights.npz``; numpy stamps no time on its entries."""
    kept = io.BytesIO()
    np.savez(kept, support=support_rule.round(4).astype(np.float32), answers=answers_rule.round(4).astype(np.float32))
    return kept.getvalue()


def train(tasks: Sequence[Task], lines: dict[str, Any]) -> None:
    """Write the arrays and their card."""
    rules = [task.fitted(np.ones(len(task.labels), dtype=bool)) for task in tasks]
    MODEL.mkdir(parents=True, exist_ok=True)
    (MODEL / "weights.npz").write_bytes(weights_file(*rules))
    card = {
        "name": "grounding",
        "trained_on": {
            "halueval-qa, halueval-general": "RUCAIBox/HaluEval, MIT",
            "kornli-xnli": "kakaobrain/kor-nlu-datasets, CC BY-SA 4.0",
            "truthfulqa": "sylinrl/TruthfulQA, Apache-2.0 (relevance only)",
            "altered-en, altered-ko": "alterations of the contexts of the first two, made by evals/grounding/data.py",
            "altered-prose": "the same of ordinary texts of s-labs (MIT) and bipia (MIT)",
        },
        "command": COMMAND + " --train",
        "seeds": "named after the sources; in evals/grounding/data.py",
        "weights": {
            task.name: dict(zip((*task.columns, "offset"), rule.round(4).tolist(), strict=True))
            for task, rule in zip(tasks, rules, strict=True)
        },
        "left_out": {name: {line["source"]: round(line["auc"], 3) for line in lines[name]} for name in lines},
    }
    (MODEL / "card.json").write_text(json.dumps(card, indent=2, ensure_ascii=False) + "\n", "utf-8")


def markdown(report: dict[str, Any]) -> str:
    """The same for people."""
    parts = [
        "# Grounding and relevance\n",
        f"`{report['command']}`, {report['date']}, commit {report['commit']}, {report['machine']}.",
        "AUC; every source is scored by a rule that was fitted on the others only. Intervals are 95 % (bootstrap by",
        "context, or by question). The baseline is the share of the answer's words that its source holds (for",
        "relevance: of the question's words that the answer holds). *Dropped*: rows of other sources that share a",
        "context (a question). HaluEval's surface gives labels away, so its line is no forecast.",
        "QAGS and FaithBench are not in this data; no row of them was measured.\n",
    ]
    for name in ("grounding", "relevance"):
        parts.append(f"## {name.capitalize()}\n")
        parts.append(
            "| source left out | n | groups | dropped | AUC | baseline | difference | all sources, folds by group |"
        )
        parts.append("|---|---|---|---|---|---|---|---|")
        for line in report[name]:
            low, high = line["auc_interval"]
            less, more = line["difference_interval"]
            parts.append(
                f"| {line['source']} | {line['n']} | {line['groups']} "
                f"| {line['rows_dropped_for_shared_contexts']} | {line['auc']:.3f} ({low:.3f} to {high:.3f}) "
                f"| {line['baseline']:.3f} | {line['difference']:+.3f} ({less:+.3f} to {more:+.3f}) "
                f"| {line['in_distribution']:.3f} |"
            )
        parts.append(f"\nCPU for reading and comparing: {report['cpu_microseconds'][name]:.0f} µs a row.\n")
    parts.append("## What was altered\n")
    parts.append("Share of altered sentences that score below 0.5; the first line of each source is a false alarm.\n")
    parts.append("| source | alteration | n | source left out | folds by context |\n|---|---|---|---|---|")
    parts += [
        f"| {x['source']} | {x['kind']} | {x['n']} | {x['below']:.2f} | {x['below_in_folds']:.2f} |"
        for x in report["alterations"]
    ]
    return "\n".join(parts) + "\n"


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--train", action="store_true", help="learn the weights again first")
    given = parser.parse_args()
    rows = read(given.data)
    tasks = (grounding_task(rows), relevance_task(rows))
    lines = {task.name: outside(task) for task in tasks}
    if given.train:
        train(tasks, lines)
    report = {
        **stamp(COMMAND),
        **lines,
        "alterations": alterations(tasks[0]),
        "cpu_microseconds": {task.name: task.cpu_microseconds for task in tasks},
    }
    (RESULTS / "guards-grounding.json").write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", "utf-8")
    (RESULTS / "guards-grounding.md").write_text(markdown(report), "utf-8")
    print(markdown(report))


if __name__ == "__main__":
    main()
