"""Adapt a scorer to own rows, judge it on rows it did not learn from, and write the artefact.

The rows are cut into folds by question. Each fold is predicted by a change learned on the others, and these
honest predictions are set against the scorer in use, row by row: a candidate that is not better is refused,
with the difference and its interval. Only then is the change learned on all rows.
"""

from __future__ import annotations

import hashlib
import secrets
import shutil
from base64 import b64decode
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from evals import metrics
from evals.importers.outcomes import OutcomeError, refuse_one_class
from router.score import adapt, artefact, graft, together
from router.score.adapt import Sample
from router.score.estimator import design
from router.types import TIER_NAMES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from evals.importers.outcomes import Outcome
    from router.ledger.feedback import Judged
    from router.score.adapt import Floats, Recipe
    from router.score.artefact import Artefact
    from router.score.graft import Profile

LEAST_ROWS: Final = 50
LEAST_QUESTIONS: Final = 20
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
    base, known = start_profile(start, family, tiers, afresh=True)
    inputs = design([row.prompt for row in rows])
    sample = graft.sample_of(start, known, inputs.grams, inputs.structure, scores)
    return Material(tiers, sample, tuple(row.stem for row in rows), known, base, adapt.RECIPES)


def material_of_feedback(
    start: Artefact, family: str, answers: Sequence[Judged], roots: Mapping[str, Artefact]
) -> tuple[Material, int]:
    """Judged answers from a ledger: the place that was kept, the tier that served, the mean score.

    Only the served tier's outcome is known of each; the others stay unknown. Which tier served depends on the
    place, which is among what is learned from, so the rows are no worse for having been chosen by it.

    Args:
        start: the artefact that is adapted.
        family: the family's name.
        answers: from the ledger.
        roots: the artefacts at hand, by digest: a place can be read only with the artefact that made it.

    Returns:
        The material, and how many answers were left out because another artefact had placed them.

    Raises:
        OutcomeError: too few answers, or all of them scored alike.
    """
    tiers = tuple(tier for tier in TIER_NAMES if tier in start.manifest["families"][GENERIC])
    base, known = start_profile(start, family, tiers, afresh=False)
    shared = graft.shared_columns(start.manifest, known.loading.shape[1])
    usable = [answer for answer in answers if _readable(start, known, roots.get(answer.artefact_hash))]
    if len(usable) < LEAST_ROWS:
        raise OutcomeError(
            f"{len(usable)} judged answers can be learned from, of {len(answers)} in the ledger (the others were "
            f"placed by another scorer); adapting needs at least {LEAST_ROWS}"
        )
    if len({answer.score for answer in usable}) == 1:
        raise OutcomeError(f"all {len(usable)} judged answers score {usable[0].score:g}: one class only")
    scores = np.full((len(usable), len(tiers)), np.nan)
    whole = np.zeros((len(usable), known.loading.shape[1]))
    for row, answer in enumerate(usable):
        made = roots[answer.artefact_hash]
        place = np.frombuffer(b64decode(answer.place), dtype="<f2").astype(np.float64)
        if made.digest == start.digest:
            whole[row] = place
        else:
            whole[row, shared] = place[graft.shared_columns(made.manifest, len(place))]
        scores[row, tiers.index(answer.tier)] = answer.score
    logits = known.ability + whole @ known.loading.T
    sample = Sample(whole[:, shared], logits, scores, np.zeros((len(usable), 0)))
    stems = tuple(answer.question for answer in usable)
    return Material(tiers, sample, stems, known, base, adapt.PLACE_RECIPES), len(answers) - len(usable)


def _readable(start: Artefact, known: Profile, made: Artefact | None) -> bool:
    """Whether a place of ``made`` tells what the start says: the shared directions are the same, and the
    profile either reads no others or the start made the place itself.
    """  # noqa: D205
    if made is None or graft.root_of(made) != graft.root_of(start):
        return False
    return made.digest == start.digest or not _reads_own(start, known)


def _reads_own(used: Artefact, known: Profile) -> bool:
    own = np.ones(known.loading.shape[1], dtype=bool)
    own[graft.shared_columns(used.manifest, len(own))] = False
    return bool(np.any(known.loading[:, own]))


def start_profile(start: Artefact, family: str, tiers: Sequence[str], *, afresh: bool) -> tuple[str, Profile]:
    """The family's own profile where the start has it with these tiers, else the generic one.

    Args:
        start: the artefact that is adapted.
        family: the family's name.
        tiers: that are wanted.
        afresh: take the profile as it was before it was adapted. Rows that taught it once may be among those
            that teach it now, and would be counted, and judged, twice.

    Raises:
        OutcomeError: neither knows the tiers.
    """
    adapted_before = start.manifest.get("own", {}).get(family)
    if afresh and adapted_before and all(tier in adapted_before["models"] for tier in tiers):
        rows = [start.manifest["models"].index(adapted_before["models"][tier]) for tier in tiers]
        return adapted_before["base"], graft.profile_of_rows(start, rows)
    for name in (family, GENERIC):
        known = start.manifest["families"].get(name, {})
        if all(tier in known for tier in tiers) and not (afresh and name in start.manifest.get("own", {})):
            return name, graft.profile(start, name, tiers)
    raise OutcomeError(f"the start has no profile of {', '.join(tiers)} under {family!r} or {GENERIC!r}")


# --- learning and judging ----------------------------------------------------------------------------


def honest_logits(material: Material, folds: Any, seed: int = SEED) -> Floats:
    """Rows by tiers: each row's logits from a change learned without its fold."""
    found = np.empty_like(material.sample.scores)
    for k in np.unique(folds):
        there = folds != k
        taught = together.learn(material.sample.rows(there), _inner(folds[there]), material.recipes, seed)
        found[~there] = taught.change.logits(material.sample.rows(~there))
    return found


def _inner(folds: Any) -> Any:
    """The remaining folds, gathered into few: learning tries every recipe on each."""
    return np.unique(folds, return_inverse=True)[1] % INNER_FOLDS


def rival_of(start: Artefact, used: Artefact, family: str, material: Material) -> tuple[Floats, frozenset[str], str]:
    """What the scorer in use says of the rows: its logits, the questions it learned from, and its name.

    Its profile of the family counts where it has one, else its generic one: that is what traffic meets now.
    Where its shared directions are not the start's, the start stands in.

    Raises:
        OutcomeError: only places are known, and they do not tell what the scorer in use says.
    """
    base, known = start_profile(used, family, material.tiers, afresh=False)
    words = f"the scorer in use ({used.digest[:12]}, {base!r})"
    sample = material.sample
    shared = graft.shared_columns(used.manifest, known.loading.shape[1])
    if graft.root_of(used) != graft.root_of(start):
        return sample.start, frozenset(), f"the start's {material.base!r} profile ({start.digest[:12]})"
    if sample.grams is None:
        if used.digest == start.digest:
            return sample.start, frozenset(), words
        if _reads_own(used, known):
            raise OutcomeError(
                "feedback cannot be judged against the scorer in use from another start; leave out --from"
            )
    logits = known.ability + sample.place @ known.loading[:, shared].T
    own = np.setdiff1d(np.arange(known.loading.shape[1]), shared)
    if sample.grams is not None:
        table, bend = (used.arrays[name][:, own].astype(np.float64) for name in ("table", "structure_weights"))
        logits = logits + (sample.grams @ table + sample.structure @ bend) @ known.loading[:, own].T
    return np.asarray(logits), learned_marks(used, family), words


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
        seed: of the folds, and of the estimator that is fitted on the rows alone.

    Raises:
        NotBetter: the scorer in use predicts the held-out rows as well or better.
    """
    folds = folds_by_stem(material.stems, seed)
    verdict = _verdict(material, honest_logits(material, folds, seed), rival)
    if not verdict.gain.value > 0:
        raise NotBetter(
            f"not better than {verdict.rival}: on {verdict.rows} held-out rows its loss is {-verdict.gain.value:.4f} "
            f"higher (95 % {-verdict.gain.high:+.4f} to {-verdict.gain.low:+.4f}); nothing was changed"
        )
    taught = together.learn(material.sample, _inner(folds), material.recipes, seed)
    about = {
        "start": start.digest,
        "base": material.base,
        "models": _base_models(start, family, material),
        "rows": len(material.stems),
        "data": dict(data),
        "seed": seed,
        "folds": FOLDS,
        "recipes": taught.parts,
        "judged": {
            "against": verdict.rival, "rows": verdict.rows, "before": round(verdict.before, 6),
            "after": round(verdict.after, 6), "gain": [round(value, 6) for value in verdict.gain],
        },
        "questions": sorted(marks(material.stems)),
    }  # fmt: skip
    manifest, arrays = graft.graft(start, family, material.tiers, material.known, taught.change, material.sample, about)
    return Adapted(manifest, arrays, _card(family, material, about, verdict), verdict)


def _base_models(start: Artefact, family: str, material: Material) -> dict[str, str]:
    """The models whose profile the family had before it was ever adapted: where to begin the next time."""
    before = start.manifest.get("own", {}).get(family)
    if before:
        return dict(before["models"])
    models = start.manifest["models"]
    return {tier: models[row] for tier, row in zip(material.tiers, material.known.rows, strict=True)}


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
    """Fold of each row; equal questions share one.

    Raises:
        OutcomeError: too few different questions to hold any out.
    """
    if len(set(stems)) < LEAST_QUESTIONS:
        raise OutcomeError(f"{len(set(stems))} different questions; judging needs at least {LEAST_QUESTIONS}")
    keys = (hashlib.sha256(f"{seed}:{stem}".encode()).digest() for stem in stems)
    return np.array([int.from_bytes(key[:8], "big") % FOLDS for key in keys])


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
