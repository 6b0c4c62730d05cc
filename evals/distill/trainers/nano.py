"""Nano: a multinomial logistic head over hashed n-grams, for tasks whose answers are a closed set.

Soft labels are learned as they are: a row stands once for each label, weighed by the teacher's probability of it
(the cross-entropy of Hinton et al., "Distilling the knowledge in a neural network", 2015, at temperature 1).

The head abstains below a threshold that is found on rows it did not learn from: three folds of the rows to learn from,
each judged by a head of the other two; the holdout is not looked at. The threshold is the lowest at which
(wrong + 1) / (answered + 1) <= 1 - accuracy, as in conformal risk control (Angelopoulos et al., arXiv 2208.02814).
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from evals.distill.example import Example
from evals.distill.folder import write_json
from evals.distill.trainers.base import Student, Tell, TrainingError
from evals.distill.trainers.choose import Options, recipe_of
from evals.distill.trainers.rows import dataset_hash, labelled, recipe_hash, settings_of, teacher_of
from router.upstream.nano_head import BUCKETS, asked, features, load, save, task_of

FOLDS: Final = 3
_BASE: Final = "hashed n-grams"
_SYSTEM: Final = frozenset({"system", "developer"})

Floats = npt.NDArray[np.float64]


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """How a head is made.

    Attributes:
        accuracy: of the answers that are given, against the teacher's; the rest is left to the next tier.
        most_labels: more answers than these are no closed set.
        strengths: inverse weights of the L2 penalty; the one with the best log-loss out of fold is taken.
        soft: learn the teacher's probabilities where they are known.
        form: of this recipe; another number is another student.
    """

    accuracy: Annotated[float, msgspec.Meta(gt=0, lt=1)] = 0.9
    most_labels: Annotated[int, msgspec.Meta(ge=2, le=512)] = 64
    strengths: tuple[float, ...] = (1.0, 10.0)
    soft: bool = True
    form: Literal[1] = 1


class Judged(NamedTuple):
    """What the folds said.

    Attributes:
        threshold: see above. answered: share of rows at or above it. right: of those, the teacher's answer.
        familiar: the first percentile of the share of known n-grams.
    """

    threshold: float
    answered: float
    right: float
    familiar: float


class Nano:
    """The trainer."""

    name = "nano"

    def __init__(self, recipe: Recipe = Recipe(), held: Sequence[Path] = ()) -> None:  # noqa: B008  (frozen)
        self._recipe = recipe
        self._held = tuple(held)

    def made_of(self) -> dict[str, str]:
        """The recipe; a head starts from nothing."""
        return {"recipe": recipe_hash(self._recipe), "base": _BASE}

    def train(self, rows: Path, out: Path, tell: Tell) -> Student:
        """Learn from ``rows``; leaves ``nano.json``, ``nano.npz`` and ``student.json`` in ``out``.

        Raises:
            TrainingError: the answers are no closed set, the rows do not do, or scikit-learn is not installed.
            Overlap: rows are held out.
        """
        begun = time.monotonic()
        found = labelled(rows, *self._held)
        labels = closed_set(found, self._recipe.most_labels)
        tasks = tasks_of(found)
        tell("reading", 0.1)
        data = _Data(found, labels, soft=self._recipe.soft)
        strength, losses, judged = _judge(data, self._recipe, tell)
        weights, bias = _fit(data, np.arange(len(found)), strength)
        card = {"version": 1, "labels": labels, "tasks": tasks, "threshold": judged.threshold,
                "familiar": judged.familiar}  # fmt: skip
        out.mkdir(parents=True, exist_ok=True)
        sha256 = save(
            out, card, weights.T.astype(np.float32), bias.astype(np.float32), data.seen(np.arange(len(found)))
        )
        load(out / "nano.json", sha256)  # what was written can be served
        student = Student(
            kind="nano", name=f"nano-{sha256[:12]}", weights="nano.json", sha256=sha256,
            base=_BASE, teacher=teacher_of(found), dataset_hash=dataset_hash(rows),
            recipe_hash=recipe_hash(self._recipe), seconds=round(time.monotonic() - begun, 3), rows=len(found),
            settings=settings_of(self._recipe) | {
                "strength": strength, "log_losses": losses, "labels": len(labels),
                "out_of_fold": {"answered": judged.answered, "right": judged.right, "folds": FOLDS},
            },
        )  # fmt: skip
        write_json(out / "student.json", msgspec.to_builtins(student))
        tell("done", 1.0)
        return student


def trainer(options: Options) -> Nano:
    """The trainer with these options."""
    return Nano(recipe_of(Recipe, options), options.held)


def closed_set(rows: Sequence[Example], most: int) -> list[str]:
    """The answers that there are, in order.

    Raises:
        TrainingError: they are too many, or most are given once, or there is only one.
    """
    counts = Counter(_label(row) for row in rows)
    if len(counts) == 1:
        raise TrainingError("every row has the same answer: there is nothing to tell apart")
    rare = sum(n for n in counts.values() if n == 1)
    if len(counts) > most or rare > 0.1 * len(rows):
        raise TrainingError(
            f"the answers are not a closed set: {len(counts)} different ones in {len(rows)} rows, {rare} of them given "
            "once. A head chooses among few answers; a task like this needs a generator (trainer local)"
        )
    return sorted(counts)


def tasks_of(rows: Sequence[Example]) -> list[str]:
    """The hashes of the system prompts by which a head knows its task.

    Raises:
        TrainingError: there is none, or there are too many to be one task.
    """
    systems = {tuple(m.content for m in row.messages if m.role in _SYSTEM) for row in rows}
    if () in systems:
        raise TrainingError(
            "some rows have no system prompt, and a head knows its task by it; without one it would answer every "
            "question that is asked without one. Curate with --where for a task that has a system prompt"
        )
    if len(systems) > 16:
        raise TrainingError(f"the rows have {len(systems)} different system prompts: that is more than one task")
    return sorted(map(task_of, systems))


class _Data:
    """The rows as matrices."""

    def __init__(self, rows: Sequence[Example], labels: Sequence[str], *, soft: bool) -> None:
        from scipy.sparse import csr_matrix

        texts = [asked([m.content for m in row.messages if m.role not in _SYSTEM]) for row in rows]
        parts = [features(text) for text in texts]
        ends = np.cumsum([0, *(len(buckets) for buckets, _ in parts)])
        values = np.concatenate([value for _, value in parts])
        where = np.concatenate([buckets for buckets, _ in parts])
        self.x: Any = csr_matrix((values, where, ends), shape=(len(rows), 2 * BUCKETS))
        self.targets = np.array([_target(row, labels, soft=soft) for row in rows])
        place = {label: at for at, label in enumerate(labels)}
        self.y = np.array([place[_label(row)] for row in rows])
        self.fold = np.array([int(row.id[:8], 16) % FOLDS for row in rows])

    def seen(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """Which buckets these rows have."""
        found = np.zeros(2 * BUCKETS, dtype=np.bool_)
        found[self.x[rows].indices] = True
        return found

    def familiar(self, rows: npt.NDArray[np.int64], seen: npt.NDArray[np.bool_]) -> Floats:
        """The share of each row's buckets that are among ``seen``."""
        part = self.x[rows]
        hits = np.add.reduceat(seen[part.indices].astype(np.float64), part.indptr[:-1])
        return np.asarray(hits / np.diff(part.indptr), dtype=np.float64)


def _label(row: Example) -> str:
    assert row.answer is not None
    return row.answer.strip()


def _target(row: Example, labels: Sequence[str], *, soft: bool) -> Floats:
    """The teacher's probability of each label; all of it on its answer where it gave none."""
    hard = np.array([label == _label(row) for label in labels], dtype=np.float64)
    if not soft or row.soft is None:
        return hard
    known = {text.strip(): nats for text, nats in row.soft.items()}
    shares = np.array([np.exp(known.get(label, -np.inf)) for label in labels])
    total = float(shares.sum())
    return shares / total if np.isfinite(total) and total > 0 else hard


def _fit(data: _Data, rows: npt.NDArray[np.int64], strength: float) -> tuple[Floats, Floats]:
    """(labels, buckets) weights and (labels,) biases."""
    from sklearn.linear_model import LogisticRegression

    targets = data.targets[rows]
    at, label = np.nonzero(targets > 1e-6)
    model = LogisticRegression(C=strength, max_iter=300)
    columns = np.flatnonzero(data.seen(rows))  # a bucket that no row has would only cost time
    model.fit(data.x[rows][:, columns][at], label, sample_weight=targets[at, label])
    found, offsets = model.coef_, model.intercept_
    if len(model.classes_) == 2:  # of two classes the model keeps one row: the difference
        found, offsets = np.concatenate([-found, found]) / 2, np.concatenate([-offsets, offsets]) / 2
    k = targets.shape[1]
    weights, bias = np.zeros((k, data.x.shape[1])), np.full(k, -30.0)  # a label that these rows lack is never said
    weights[np.ix_(model.classes_, columns)], bias[model.classes_] = found, offsets
    return weights, bias


def _judge(data: _Data, recipe: Recipe, tell: Tell) -> tuple[float, dict[str, float], Judged]:
    """The best strength, each one's log-loss, and the threshold; all out of fold."""
    losses: dict[str, float] = {}
    chances: dict[float, Floats] = {}
    for step, strength in enumerate(recipe.strengths):
        chances[strength] = _out_of_fold(data, strength)
        losses[str(strength)] = round(float(-(data.targets * np.log(chances[strength] + 1e-12)).sum(axis=1).mean()), 6)
        tell("learning", 0.1 + 0.8 * (step + 1) / len(recipe.strengths))
    best = min(recipe.strengths, key=lambda strength: losses[str(strength)])
    return best, losses, _threshold(data, chances[best], recipe.accuracy)


def _out_of_fold(data: _Data, strength: float) -> Floats:
    found = np.zeros_like(data.targets)
    for fold in range(FOLDS):
        inside, outside = np.flatnonzero(data.fold != fold), np.flatnonzero(data.fold == fold)
        if not len(outside) or len(np.unique(data.y[inside])) < 2:
            raise TrainingError("the rows are too few or too alike to be judged by rows that were not learned from")
        weights, bias = _fit(data, inside, strength)
        scores = data.x[outside] @ weights.T + bias
        raised = np.exp(scores - scores.max(axis=1, keepdims=True))
        found[outside] = raised / raised.sum(axis=1, keepdims=True)
    return found


def _threshold(data: _Data, chances: Floats, accuracy: float) -> Judged:
    sure = chances.max(axis=1)
    right = chances.argmax(axis=1) == data.y
    order = np.argsort(-sure, kind="stable")
    n = np.arange(1, len(order) + 1)
    risk = (np.cumsum(~right[order]) + 1) / (n + 1)
    last = np.append(sure[order][1:] < sure[order][:-1], True)  # equals are answered together
    good = np.flatnonzero((risk <= 1 - accuracy) & last)
    if not len(good):
        raise TrainingError(
            f"out of fold the head never gives the teacher's answer with an accuracy of {accuracy:.0%} (over all rows "
            f"it does in {right.mean():.0%}). Bring more rows, ask for less, or use a generator (trainer local)"
        )
    upto = int(good[-1])
    shares = [
        data.familiar(np.flatnonzero(data.fold == fold), data.seen(np.flatnonzero(data.fold != fold)))
        for fold in range(FOLDS)
    ]
    return Judged(
        threshold=round(float(sure[order][upto]) - 5e-7, 6),
        answered=round((upto + 1) / len(order), 6),
        right=round(float(right[order][: upto + 1].mean()), 6),
        familiar=round(float(np.quantile(np.concatenate(shares), 0.01)), 6),
    )
