"""What the scorer should expect of a tier with a student in it, learned from the gate's own outcomes.

The gate has asked the student every row that was held out, and the general ones; each outcome is one observation of
``logit P(the tier is right) = ability + loading . place``. The family's own figures for the tier are the prior, the
other tiers keep theirs. So the first request after a promotion is decided by what was measured of the very models it
meets.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from evals import metrics
from evals.distill.example import Example
from evals.gate.verdict import FEWEST
from router.core.conversation import read_conversation
from router.registry.profiles import Profile, TierProfile
from router.score.profile import Head, Prior, fit
from router.serve.offline import request_of
from router.types import TIER_NAMES, TierName

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from evals.runs.record import Item
    from router.score import Scorer

    Floats = NDArray[np.float64]

FOLDS: Final = 5
SEED: Final = 20261125
_DIGITS: Final = 6
_EDGE: Final = 1e-6


class Outcomes(NamedTuple):
    """Rows that were asked, by the prompt's id, sorted.

    Attributes:
        places: where each prompt stands; a row each.
        scores: 0 to 1. tokens: of the answer, NaN where unknown.
    """

    ids: tuple[str, ...]
    places: NDArray[np.float32]
    scores: Floats
    tokens: Floats


def outcomes_of(scorer: Scorer, rows: Iterable[Example], items: Iterable[Item]) -> Outcomes:
    """The outcomes of one side of the gate. What was never judged (an error, no score) says nothing and is left out."""
    texts = {row.id: _ask(row) for row in rows}
    seen = {item.id: item for item in items if item.quality is not None and item.id in texts}
    ids = tuple(sorted(seen))
    places = [scorer.place(texts[one]) for one in ids]
    counted = [seen[one].tokens_out for one in ids]
    return Outcomes(
        ids,
        np.array(places, dtype=np.float32).reshape(len(ids), -1),
        np.array([seen[one].quality for one in ids], dtype=np.float64),
        np.array([np.nan if tokens is None else tokens for tokens in counted], dtype=np.float64),
    )


def _ask(row: Example) -> str:
    """The text that a gateway would score: the last ask, without what clients wrap around it."""
    return read_conversation(request_of(None, [{"role": m.role, "content": m.content} for m in row.messages])).ask


def fitted(
    scorer: Scorer, family: str, used: str, tier: TierName, models: Mapping[TierName, Sequence[str]], seen: Outcomes
) -> Profile:
    """The profile of a family with one tier's figures learned anew.

    Args:
        scorer: knows the profile ``used``.
        family: of the policy.
        used: the profile by which the policy decides today, whose figures are the prior and are kept elsewhere.
        tier: that the student serves.
        models: as the policy will name them.
        seen: what the gate saw of that tier.

    Raises:
        ProfileError: fewer rows than the gate itself needs. KeyError: the family knows no such tier.
    """
    prior = scorer.prior(tier, used)
    head = _fit(tier, seen, prior, np.ones(len(seen.ids), dtype=np.bool_))
    heads = {**scorer.heads(used), tier: _rounded(head)}
    about = {"tier": tier, "rows": len(seen.ids), "mean": _short(float(seen.scores.mean()))}
    return Profile(
        family=family,
        artefact=scorer.digest,
        models={name: tuple(names) for name, names in models.items()},
        tiers={name: _told(heads[name]) for name in TIER_NAMES if name in heads},
        about=about | _honest(tier, seen, prior),
    )


def _fit(tier: str, seen: Outcomes, prior: Prior, there: NDArray[np.bool_]) -> Head:
    found = fit(
        seen.places[there], {tier: seen.scores[there]}, {tier: prior}, {tier: seen.tokens[there]},
        FEWEST if there.all() else 1, alike=True,
    )  # fmt: skip
    return found[tier]


def _honest(tier: str, seen: Outcomes, prior: Prior) -> dict[str, Any]:
    """The mean loss of an outcome (minus its log-likelihood) before and after, each row judged by other folds' rows."""
    folds = np.array([int(hashlib.sha256(one.encode()).hexdigest()[:8], 16) % FOLDS for one in seen.ids])
    after = np.empty(len(seen.ids))
    for fold in np.unique(folds):
        head = _fit(tier, seen, prior, folds != fold) if (folds != fold).any() else None
        if head is not None:
            after[folds == fold] = _logits(seen.places[folds == fold], head.ability, head.loading)
    before = _loss(_logits(seen.places, float(prior.mean[0]), prior.mean[1:]), seen.scores)
    later = _loss(after, seen.scores)
    gain = metrics.bootstrap(
        lambda index: float((before[index] - later[index]).mean()), seen.ids, np.random.default_rng(SEED)
    )
    return {
        "loss_before": _short(float(before.mean())), "loss_after": _short(float(later.mean())),
        "gain": [_short(value) for value in gain], "folds": FOLDS, "seed": SEED,
    }  # fmt: skip


def _logits(places: NDArray[np.float32], ability: float, loading: Floats) -> Floats:
    return np.asarray(ability + places.astype(np.float64) @ loading)


def _loss(logits: Floats, scores: Floats) -> Floats:
    chance = np.clip(1 / (1 + np.exp(-np.clip(logits, -30, 30))), _EDGE, 1 - _EDGE)
    return np.asarray(-(scores * np.log(chance) + (1 - scores) * np.log(1 - chance)))


def _told(head: Head) -> TierProfile:
    return TierProfile(
        ability=head.ability, loading=tuple(head.loading.tolist()), token_level=head.token_level,
        token_slope=head.token_slope,
    )  # fmt: skip


def _rounded(head: Head) -> Head:
    """So few rows know no more digits; and the last ones are another machine's, so a digest would be, too."""
    return Head(
        _short(head.ability), np.round(head.loading, _DIGITS), _short(head.token_level), _short(head.token_slope)
    )


def _short(value: float) -> float:
    return round(value, _DIGITS)
