"""RouteLLM's own protocols (lm-sys/RouteLLM): mixtral-8x7b against gpt-4-1106 on MMLU and GSM8K.

Here the router learns from the pair's own outcomes, five folds by question or whole subjects at a time. What
it learns never reaches the shipped artefact.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

import numpy as np

from evals import targets as learn
from evals.routing import ensemble
from evals.routing.parts import FOLDS, SEED, Bench, apgr_lines

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from evals.encode import Vectors
    from evals.importers.outcomes import Outcome
    from evals.metrics import Floats
    from evals.routing.report import Line
    from router.score.estimator import Design

WEAK: Final = "mixtral-8x7b-instruct-v0.1"
STRONG: Final = "gpt-4-1106-preview"
SOURCES: Final = ("routellm-mmlu", "routellm-gsm8k")


def pair(rows: Sequence[Outcome], source: str) -> NDArray[np.int64]:
    """Indices of a source's rows that both models answered."""
    return np.array([k for k, row in enumerate(rows) if row.source == source and {WEAK, STRONG} <= row.scores.keys()])


def qualities(rows: Sequence[Outcome]) -> Floats:
    """Rows by (weak, strong)."""
    return np.array([[row.scores[WEAK], row.scores[STRONG]] for row in rows])


def public(rows: Sequence[Outcome], inputs: Design, vectors: Mapping[str, Vectors], draws: int) -> list[Line]:
    """Five folds on both sources, whole subjects left out on MMLU."""
    lines: list[Line] = []
    for source in SOURCES:
        index = pair(rows, source)
        target = [rows[k] for k in index]
        structure = inputs.structure[index]
        lines += _folds(
            "5-fold by question", source, target, structure, learn.folds(target, FOLDS, SEED), vectors, draws
        )
        if source == "routellm-mmlu":
            lines += _folds("subjects left out", source, target, structure, _by_subject(target), vectors, draws)
    return lines


def _folds(
    protocol: str,
    source: str,
    target: Sequence[Outcome],
    structure: NDArray[np.float32],
    fold: NDArray[np.int64],
    vectors: Mapping[str, Vectors],
    draws: int,
) -> list[Line]:
    quality = qualities(target)
    gain = quality[:, 1] - quality[:, 0]
    texts = [row.prompt.removesuffix("\nAnswer:") for row in target]
    stacked = {name: _stack(found, target) for name, found in vectors.items()}
    members = ensemble.out_of_fold(texts, structure, gain, fold, stacked.get("use"))
    others = {"group mean": _group_mean(target, gain, fold)}
    if "minilm" in stacked:
        others["kNN-MiniLM"] = _neighbours(stacked["minilm"], gain, fold)
    note = "folds cut by question, none shared" if protocol.startswith("5") else "folds cut by subject"
    bench = Bench(
        protocol,
        source,
        target,
        quality,
        {name: _as_chance(score) for name, score in members.items()},
        {name: _as_chance(score) for name, score in others.items()},
        note,
    )
    return apgr_lines(bench, draws)


def _as_chance(gain: Floats) -> Floats:
    return np.column_stack([np.zeros(len(gain)), gain])


def _stack(found: Vectors, target: Sequence[Outcome]) -> NDArray[np.float32]:
    return np.stack([found[row.id] for row in target]).astype(np.float32)


def _by_subject(rows: Sequence[Outcome]) -> NDArray[np.int64]:
    keys = (hashlib.sha256(f"{SEED}:{row.meta.get('subset', '')}".encode()).digest() for row in rows)
    return np.array([int.from_bytes(key[:8], "big") % FOLDS for key in keys])


def _group_mean(rows: Sequence[Outcome], gain: Floats, fold: NDArray[np.int64]) -> Floats:
    """The mean gain of the row's subject on the other folds; of all rows where the subject is unseen."""
    subject = np.array([str(row.meta.get("subset", "")) for row in rows])
    found = np.zeros(len(rows))
    for k in np.unique(fold):
        seen = fold != k
        table = {name: gain[seen & (subject == name)].mean() for name in set(subject[seen])}
        found[~seen] = [table.get(name, gain[seen].mean()) for name in subject[~seen]]
    return found


def _neighbours(vectors: NDArray[np.float32], gain: Floats, fold: NDArray[np.int64], count: int = 50) -> Floats:
    """The mean gain of the nearest rows of the other folds, by cosine."""
    found = np.zeros(len(gain))
    for k in np.unique(fold):
        seen = np.flatnonzero(fold != k)
        for part in np.array_split(np.flatnonzero(fold == k), 8):
            near = np.argpartition(-(vectors[part] @ vectors[seen].T), count, axis=1)[:, :count]
            found[part] = gain[seen][near].mean(axis=1)
    return found
