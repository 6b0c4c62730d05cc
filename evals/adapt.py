"""Adapt a scorer to own rows, judge it on rows it did not learn from, and write the artefact.

The rows are cut into folds by question. Each fold is predicted by a change learned on the others, and these
honest predictions are set against the scorer in use, row by row: a candidate that is not better is refused,
with the difference and its interval. Only then is the change learned on all rows.
"""

from __future__ import annotations

import hashlib
import secrets
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from evals import metrics
from evals.importers.outcomes import OutcomeError, refuse_one_class
from evals.targets import folds as folds_of
from router.score import adapt, artefact, graft
from router.score.estimator import design
from router.types import TIER_NAMES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from evals.importers.outcomes import Outcome
    from router.score.adapt import Floats, Recipe, Sample
    from router.score.artefact import Artefact
    from router.score.graft import Profile

LEAST_ROWS: Final = 50
FOLDS: Final = 5
INNER_FOLDS: Final = 3
SEED: Final = 20261124
DRAWS: Final = 1000
GENERIC: Final = "generic"

CARD: Final = """# A scorer adapted to own rows

Digest `{digest}`. Family `{family}`, tiers {tiers}, adapted from `{start}` (its `{base}` profile).

Learned from {rows} rows ({data}), seed {seed}. The blend: {recipes}.

Judged on held-out folds by question, against {rival}: the mean loss of an outcome (minus its log-likelihood)
is {before:.4f} there and {after:.4f} here, a difference of {gain:+.4f} (95 % {low:+.4f} to {high:+.4f}, n = {judged}).

All other families score as they did before. The weights of the family's own directions are sums over hashed
words of the rows it learned from: treat this folder as confidentially as the rows.
"""


class NotBetter(ValueError):
    """The candidate does not beat the scorer in use; the message says by how much it is worse."""


class Material(NamedTuple):
    """Rows ready to learn from.

    Attributes:
        tiers: smallest first.
        sample: the rows as the start sees them.
        stems: the question of each row.
        known: the start's profile.
        base: the family whose profile that is.
        recipes: what may be learned from such rows.
    """

    tiers: tuple[str, ...]
    sample: Sample
    stems: tuple[str, ...]
    known: Profile
    base: str
    recipes: Sequence[Recipe]


class Verdict(NamedTuple):
    """Mean loss per outcome of the rival and of the candidate on the same held-out rows.

    ``gain`` is rival minus candidate with its interval, positive where the candidate is better; ``rival`` says
    what it was compared with, ``rows`` on how many.
    """

    before: float
    after: float
    gain: metrics.Interval
    rows: int
    rival: str


class Adapted(NamedTuple):
    """A candidate that passed, not yet written."""

    manifest: dict[str, Any]
    arrays: dict[str, Any]
    card: str
    verdict: Verdict


# --- rows --------------------------------------------------------------------------------------------


def scores_of(
    rows: Sequence[Outcome], models: Mapping[str, str], *, partial: bool = False
) -> tuple[tuple[str, ...], Floats]:
    """The tiers, smallest first, and rows by tiers of scores (NaN where unknown).

    Args:
        rows: as read and checked.
        models: tier -> the model's name in ``scores``; empty when the rows are scored by tier name.
        partial: rows may lack a tier.

    Raises:
        OutcomeError: fewer than 50 rows, fewer than two tiers, a row without a needed tier, one class only.
    """
    if len(rows) < LEAST_ROWS:
        raise OutcomeError(f"{len(rows)} rows; adapting needs at least {LEAST_ROWS}, better 200")
    named = dict(models) or {tier: tier for tier in TIER_NAMES if any(tier in row.scores for row in rows)}
    tiers = tuple(tier for tier in TIER_NAMES if tier in named)
    if len(tiers) < 2:
        seen = ", ".join(sorted({model for row in rows for model in row.scores})[:8])
        raise OutcomeError(
            f"the rows score {seen}; say which of them is which tier: --small MODEL --medium MODEL --large MODEL "
            "(at least two), or score by small, medium, large"
        )
    for row in rows:
        missing = [named[tier] for tier in tiers if named[tier] not in row.scores]
        if missing and not partial:
            raise OutcomeError(
                f"row {row.id!r} has no score for {missing[0]!r}; add it, drop the row, or allow it with --partial"
            )
    refuse_one_class(rows, [named[tier] for tier in tiers])
    values = [[row.scores.get(named[tier], np.nan) for tier in tiers] for row in rows]
    return tiers, np.array(values, dtype=np.float64)


def material_of_rows(
    start: Artefact, family: str, rows: Sequence[Outcome], models: Mapping[str, str], *, partial: bool = False
) -> Material:
    """Outcome rows with their prompts.

    Raises:
        OutcomeError: the rows cannot be learned from, or the start knows none of their tiers.
    """
    tiers, scores = scores_of(rows, models, partial=partial)
    base, known = start_profile(start, family, tiers)
    inputs = design([row.prompt for row in rows])
    sample = graft.sample_of(start, known, inputs.grams, inputs.structure, scores)
    return Material(tiers, sample, tuple(row.stem for row in rows), known, base, adapt.RECIPES)


def start_profile(start: Artefact, family: str, tiers: Sequence[str]) -> tuple[str, Profile]:
    """The family's own profile where the start has it with these tiers, else the generic one.

    Raises:
        OutcomeError: neither knows the tiers.
    """
    for name in (family, GENERIC):
        known = start.manifest["families"].get(name, {})
        if all(tier in known for tier in tiers):
            return name, graft.profile(start, name, tiers)
    raise OutcomeError(f"the start has no profile of {', '.join(tiers)} under {family!r} or {GENERIC!r}")


# --- learning and judging ----------------------------------------------------------------------------


def honest_logits(material: Material, folds: Any) -> Floats:
    """Rows by tiers: each row's logits from a change learned without its fold."""
    found = np.empty_like(material.sample.scores)
    for k in np.unique(folds):
        there = folds != k
        change, _ = adapt.learn(material.sample.rows(there), _inner(folds[there]), material.recipes)
        found[~there] = change.logits(material.sample.rows(~there))
    return found


def _inner(folds: Any) -> Any:
    """The remaining folds, gathered into few: learning tries every recipe on each."""
    return np.unique(folds, return_inverse=True)[1] % INNER_FOLDS


def judge(candidate: Floats, rival: Floats, scores: Floats, stems: Sequence[str], words: str) -> Verdict:
    """Set two predictions of the same rows against each other, row by row, drawing whole questions."""
    before, after = (np.nanmean(adapt.deviance(logits, scores), axis=1) for logits in (rival, candidate))
    gain = metrics.bootstrap(
        lambda index: float((before[index] - after[index]).mean()), stems, np.random.default_rng(SEED), DRAWS
    )
    return Verdict(float(before.mean()), float(after.mean()), gain, len(stems), words)


def adapted(
    start: Artefact,
    family: str,
    material: Material,
    rival: tuple[Floats, frozenset[str], str],
    data: Mapping[str, str],
    seed: int = SEED,
) -> Adapted:
    """Learn, judge, and put the change into the start's arrays.

    Args:
        start: the artefact that is adapted.
        family: the family's name; it may be new.
        material: the rows.
        rival: the logits of the scorer in use for the same rows, the marks of the questions it learned from,
            and what it is called.
        data: file name -> SHA-256, for the manifest.
        seed: of the folds.

    Raises:
        NotBetter: the scorer in use predicts the held-out rows as well or better.
    """
    folds = folds_by_stem(material.stems, seed)
    verdict = _verdict(material, honest_logits(material, folds), rival)
    if not verdict.gain.value > 0:
        raise NotBetter(
            f"not better than {verdict.rival}: on {verdict.rows} held-out rows its loss is {-verdict.gain.value:.4f} "
            f"higher (95 % {-verdict.gain.high:+.4f} to {-verdict.gain.low:+.4f}); nothing was changed"
        )
    change, recipes = adapt.learn(material.sample, _inner(folds), material.recipes)
    about = {
        "start": start.digest,
        "base": material.base,
        "rows": len(material.stems),
        "data": dict(data),
        "seed": seed,
        "folds": FOLDS,
        "recipes": recipes,
        "judged": {
            "against": verdict.rival, "rows": verdict.rows, "before": round(verdict.before, 6),
            "after": round(verdict.after, 6), "gain": [round(value, 6) for value in verdict.gain],
        },
        "questions": sorted(marks(material.stems)),
    }  # fmt: skip
    manifest, arrays = graft.graft(start, family, material.tiers, material.known, change, material.sample, about)
    return Adapted(manifest, arrays, _card(family, material, about, verdict), verdict)


def _verdict(material: Material, candidate: Floats, rival: tuple[Floats, frozenset[str], str]) -> Verdict:
    """On the rows that the rival did not learn from, where they are enough; else against the start."""
    logits, learned, words = rival
    fresh = np.array([mark(stem) not in learned for stem in material.stems])
    scores, stems = material.sample.scores, np.array(material.stems)
    if fresh.sum() < LEAST_ROWS:
        logits, fresh = material.sample.start, np.ones(len(fresh), dtype=bool)
        words = f"the start's {material.base} profile (the scorer in use learned from these rows)"
    return judge(candidate[fresh], logits[fresh], scores[fresh], list(stems[fresh]), words)


def folds_by_stem(stems: Sequence[str], seed: int) -> Any:
    """Fold of each row; equal questions share one. Cut as training does."""
    return folds_of(stems, FOLDS, seed)


def mark(stem: str) -> str:
    """Eight hex digits by which a later judgement knows a question again."""
    return hashlib.sha256(stem.encode()).hexdigest()[:8]


def marks(stems: Sequence[str]) -> set[str]:
    """The marks of all questions."""
    return {mark(stem) for stem in stems}


def learned_marks(used: Artefact, family: str) -> frozenset[str]:
    """The marks of the questions that an artefact's family was adapted on."""
    return frozenset(used.manifest.get("own", {}).get(family, {}).get("questions", ()))


def _card(family: str, material: Material, about: Mapping[str, Any], verdict: Verdict) -> str:
    parts = ", ".join(f"{name} {part:.0%}" for name, part in about["recipes"].items())
    files = ", ".join(f"{name} sha256 {value[:12]}" for name, value in about["data"].items())
    return CARD.format(
        digest="{digest}", family=family, tiers=", ".join(material.tiers), start=about["start"][:12],
        base=material.base, rows=about["rows"], data=files, seed=about["seed"], recipes=parts, rival=verdict.rival,
        before=verdict.before, after=verdict.after, gain=verdict.gain.value, low=verdict.gain.low,
        high=verdict.gain.high, judged=verdict.rows,
    )  # fmt: skip


# --- writing -----------------------------------------------------------------------------------------


def write(out: Path, found: Adapted) -> str:
    """Write the artefact as ``out``, replacing an artefact there as a whole; returns its digest.

    Raises:
        OutcomeError: the folder cannot be written, or holds something that is not an artefact.
    """
    if out.exists() and not (out / artefact.MANIFEST).is_file() and (not out.is_dir() or any(out.iterdir())):
        raise OutcomeError(f"{out}: is there and is not a scorer artefact; name another folder")
    aside = out.with_name(f".{out.name}.{secrets.token_hex(4)}")
    new, old = aside.with_suffix(".new"), aside.with_suffix(".old")
    try:
        digest = artefact.save(new, found.manifest, found.arrays, found.card)
        if out.exists():
            out.rename(old)
        new.rename(out)
    except OSError as error:
        raise OutcomeError(f"{out}: cannot be written: {error.strerror or error}; name another folder") from None
    finally:
        shutil.rmtree(new, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
    return digest
