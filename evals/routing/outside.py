"""Unknown ground: sources left out, the field's benchmark with a router trained elsewhere, and abstaining.

Every row that shares a question with the target is dropped from training first, and counted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from evals import metrics
from evals import targets as learn
from evals.routing import ensemble, familiarity
from evals.routing.parts import FOLDS, SEED, Bench, apgr_lines, ece_lines
from evals.routing.public import SOURCES, pair, qualities
from evals.routing.report import Line
from router.core.decide import NOVELTY_LIMIT
from router.score.estimator import OutcomeModel
from router.types import TIER_NAMES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from evals.importers.outcomes import Outcome
    from router.score.estimator import Design
    from router.score.unknown import Novelty

LEAST_ROWS: Final = 100
#: Sources whose kind of prompt is not in any other source: without them, that kind is unknown.
KINDS: Final = frozenset(
    {"haerae-logic", "llmrouter-uiuc", "mmlu-pro", "reasoning-gym-easy", "zeroeval-cruxeval-o", "zeroeval-zebralogic"}
)
#: Boosted trees on structure alone, learned within sources: an experiment, not in the artefact.
FORM: Final = "form within sources"
SHARES: Final = (0.1, 0.2, 0.4)
#: The profile nearest to RouteLLM's pair: the same weak model and a strong one of the same vendor.
ROUTELLM_FAMILY: Final = "mixtral-gpt4o"
ROUTELLM_PROFILE: Final = ("mixtral-8x7b-instruct-v0.1", "gpt-4o-2024-05-13")


class Part(NamedTuple):
    """Outcome rows and what was read off their prompts."""

    rows: Sequence[Outcome]
    inputs: Design

    def where(self, mask: NDArray[np.bool_]) -> Part:
        """Some of them."""
        return Part([row for row, use in zip(self.rows, mask, strict=True) if use], self.inputs.rows(mask))

    @property
    def source(self) -> NDArray[np.str_]:
        """Where each row comes from."""
        return np.array([row.source for row in self.rows])

    @property
    def stem(self) -> NDArray[np.str_]:
        """Each row's question."""
        return np.array([row.stem for row in self.rows])


class Elsewhere(NamedTuple):
    """A model that saw nothing of the target, its models' names, its novelty, and what was dropped for that."""

    model: OutcomeModel
    names: tuple[str, ...]
    novelty: Novelty
    part: Part
    gain: metrics.Floats
    note: str

    def form(self, structure: NDArray[np.float32]) -> metrics.Floats:
        """What the form of the prompts alone says, as chances of a small and a large tier."""
        gain = ensemble.within_sources(self.part.inputs.structure, self.gain, self.part.source, structure)
        return np.column_stack([np.zeros(len(gain)), gain])


def learn_elsewhere(train: Part, allowed: NDArray[np.bool_], target: Sequence[Outcome]) -> Elsewhere:
    """Fit on the allowed training rows less those that share a question with the target."""
    shared = allowed & np.isin(train.stem, list({row.stem for row in target}))
    part = train.where(allowed & ~shared)
    goal = learn.targets(part.rows, learn.learnable_models(part.rows))
    model = OutcomeModel(seed=SEED).fit(part.inputs, goal.scores, learn.row_weights(goal.scores))
    fold = learn.folds(part.rows, FOLDS, SEED)
    novelty, _, _ = familiarity.fit(part.inputs, part.source, part.stem, fold, SEED)
    note = f"trained on {len(part.rows)} rows, {int(shared.sum())} dropped for shared questions"
    gain = (goal.scores[:, -1] - goal.scores[:, -3]).astype(np.float64)
    return Elsewhere(model, goal.models, novelty, part, gain, note)


def sources_left_out(train: Part, valid: Part, draws: int) -> list[Line]:
    """Each source in turn: judged by the generic profile on its own thirds of models."""
    generic, judged = _generic(valid)
    ends = [0, -1]
    lines: list[Line] = []
    for source in _large_enough(valid, judged):
        here = judged & (valid.source == source)
        target = valid.where(here)
        found = learn_elsewhere(train, train.source != source, target.rows)
        chance = _chances(found, target.inputs)[:, ends]
        ours = {"ours": chance, FORM: found.form(target.inputs.structure)}
        bench = Bench("source left out", source, target.rows, generic[here][:, ends], ours, {}, found.note)
        lines += apgr_lines(bench, draws) + ece_lines(bench)
    return lines


def unknown_ground(train: Part, valid: Part, draws: int) -> list[Line]:
    """Kinds of prompts left out, alone and as half of the traffic: are they recognised, does abstaining help?

    A threshold on the gain sends half of the known traffic to the large tier, the other half to the small one.
    """
    generic, judged = _generic(valid)
    lines: list[Line] = []
    for source in [name for name in _large_enough(valid, judged) if name in KINDS]:
        here = judged & (valid.source == source)
        found = learn_elsewhere(train, train.source != source, valid.where(here).rows)
        chance = _chances(found, valid.inputs)
        strange = familiarity.judge(found.novelty, valid.inputs)
        gain = chance[:, 2] - chance[:, 0]
        large = gain > np.median(gain[judged & ~here])
        mixed = here | _drawn(judged & ~here, int(here.sum()))
        for name, use in ((source, here), (f"{source}, half of the traffic", mixed)):
            rows = valid.where(use).rows
            lines += abstention("unknown ground", name, rows, generic[use], large[use], strange[use], draws)
        lines += _recognised(source, strange[here], strange[judged & ~here])
    return lines


def trained_elsewhere(train: Part, routellm: Part, draws: int) -> list[Line]:
    """RouteLLM's pair on MMLU and GSM8K, fitted on our training rows without their questions."""
    lines: list[Line] = []
    for source in SOURCES:
        index = pair(routellm.rows, source)
        target = Part([routellm.rows[k] for k in index], routellm.inputs.rows(index))
        found = learn_elsewhere(train, np.ones(len(train.rows), dtype=bool), target.rows)
        chance = found.model.predict_proba(target.inputs).astype(float)
        nearest = [found.names.index(name) for name in ROUTELLM_PROFILE]
        ours = {"ours": chance[:, [-3, -1]], f"ours, {ROUTELLM_FAMILY} profile": chance[:, nearest]}
        ours[FORM] = found.form(target.inputs.structure)
        bench = Bench("trained elsewhere", source, target.rows, qualities(target.rows), ours, {}, found.note)
        lines += apgr_lines(bench, draws) + ece_lines(bench)
    return lines


def abstention(
    protocol: str,
    target: str,
    rows: Sequence[Outcome],
    quality: metrics.Floats,
    large: NDArray[np.bool_],
    strange: metrics.Floats,
    draws: int,
) -> list[Line]:
    """Quality against the share handed to a fallback tier, the strangest prompts first.

    ``large`` says which rows the router sends to the large tier; the others go to the small one. ``area`` is
    that of APGR with the routed answer as weak and the fallback's as strong: 0.5 is abstaining by lot.
    """
    routed = np.where(large, quality[:, 2], quality[:, 0])
    bench = Bench(protocol, target, rows, quality, {})
    share = f"{large.mean():.0%} to large by the threshold that sends half of known traffic there"
    lines = [bench.point("quality", "routed, none abstained", float(routed.mean()), share)]
    for name, fallback in ((TIER_NAMES[2], quality[:, 2]), (TIER_NAMES[1], quality[:, 1])):
        lines.append(bench.point("quality", f"always {name}", float(fallback.mean())))
        for router, score in (("novelty", strange), ("by lot", np.zeros(len(strange)))):
            lines.append(bench.line(f"area, fallback {name}", router, metrics.apgr_on(routed, fallback, score), draws))
            curve = metrics.gain_curve(routed, fallback, score)
            for given in SHARES:
                reached = float(routed.mean() + curve[round(given * len(routed))])
                lines.append(bench.point(f"quality at {given:.0%} abstained, fallback {name}", router, reached))
    return lines


def _recognised(source: str, left: metrics.Floats, known: metrics.Floats) -> list[Line]:
    """How many of the source left out lie beyond the policy's limit, and how many of the others do."""
    both = np.concatenate([left, known])
    is_left = np.arange(len(both)) < len(left)
    figures = (
        ("share abstained", "of the source left out", float((left > NOVELTY_LIMIT).mean()), len(left)),
        ("share abstained", "of known sources (false)", float((known > NOVELTY_LIMIT).mean()), len(known)),
        ("AUC left out against known", "novelty", metrics.auc(is_left, both), len(both)),
    )
    return [
        Line("unknown ground", source, metric, router, value, None, None, n) for metric, router, value, n in figures
    ]


def _generic(valid: Part) -> tuple[metrics.Floats, NDArray[np.bool_]]:
    """Scores of the three generic tiers, and the rows that have them all."""
    goal = learn.targets(valid.rows, learn.learnable_models(valid.rows, LEAST_ROWS))
    generic = goal.scores[:, -3:].astype(np.float64)
    return generic, np.asarray(~np.isnan(generic).any(axis=1))


def _large_enough(valid: Part, judged: NDArray[np.bool_]) -> list[str]:
    source = valid.source[judged]
    return [str(name) for name in sorted(set(source) - learn.NOT_GENERIC) if (source == name).sum() >= LEAST_ROWS]


def _chances(found: Elsewhere, inputs: Design) -> metrics.Floats:
    """P(right) of the three generic tiers."""
    return np.asarray(found.model.predict_proba(inputs)[:, -3:], dtype=np.float64)


def _drawn(mask: NDArray[np.bool_], count: int) -> NDArray[np.bool_]:
    """That many of the rows, drawn with a fixed seed."""
    index = np.flatnonzero(mask)
    chosen = np.zeros(len(mask), dtype=bool)
    chosen[np.random.default_rng(SEED).choice(index, min(count, len(index)), replace=False)] = True
    return chosen
