"""Scoring a prompt with a trained artefact: numpy only, no state beyond the arrays.

A prompt is projected once onto a few directions learned over all models (``table`` for grams,
``structure_weights`` for structure); a family profile then reads each tier's chances off those
directions: ``logit P(tier is right) = ability + loading . place``. The last direction forecasts the
length of answers: ``log tokens = level + slope * place[-1]``.
"""

from __future__ import annotations

import copy
import hashlib
import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from router.score.features import STRUCTURE, Reading, read, spelled
from router.score.profile import Head, Prior, spread
from router.score.project import Bends, gram_weights
from router.score.unknown import REACH, Known, Novelty
from router.types import TIER_NAMES, Score

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from router.score.artefact import Artefact

#: What ``explain`` tells apart: the wording of the prompt, then the groups of structural numbers.
GROUPS = ("wording", *dict.fromkeys(group for _, group in STRUCTURE))

#: The arrays that tell unknown ground, in the order of ``Novelty``.
NOVELTY = ("surprise", "centres", "novelty_weights", "novelty_quantiles")

_MAX_LOGIT = 30.0
_PLACE = np.dtype("<f2")


class UnknownFamily(KeyError):
    """A family the artefact has no profile for; ``known`` lists those it has."""

    def __init__(self, family: str, known: Iterable[str]) -> None:
        super().__init__(family)
        self.family = family
        self.known = tuple(known)

    def __str__(self) -> str:
        return f"no profile for family {self.family!r}; known families: {', '.join(self.known)}"


class _Tier(NamedTuple):
    name: str
    ability: float
    token_level: float
    token_slope: float


class _Profile(NamedTuple):
    """Tiers smallest first; ``loading`` has a row per direction and a column per tier."""

    tiers: tuple[_Tier, ...]
    loading: NDArray[np.float32]


class Scorer:
    """Chances and output tokens per tier, complexity and novelty of a prompt. Safe to share."""

    def __init__(self, artefact: Artefact) -> None:
        arrays = artefact.arrays
        self._digest = artefact.digest
        self._table = np.ascontiguousarray(arrays["table"], dtype=np.float32)
        mean, scale, knots = (arrays[f"structure_{name}"].astype(np.float32) for name in ("mean", "scale", "knots"))
        self._bends = Bends(mean, scale, knots, REACH)
        self._weights = arrays["structure_weights"].astype(np.float32)
        self._typical = arrays["typical"].astype(np.float32)
        surprise, centres, weights, quantiles = (arrays[name].astype(np.float32) for name in NOVELTY)
        self._known = Known(Novelty(surprise, centres, weights, quantiles, mean, scale))
        self._profiles = {name: _profile(rows, arrays) for name, rows in artefact.manifest["families"].items()}
        self._heads = np.column_stack([arrays["ability"], arrays["loading"]]).astype(np.float64)

    @property
    def digest(self) -> str:
        """Content hash of the artefact: 64 hex digits."""
        return self._digest

    @property
    def families(self) -> tuple[str, ...]:
        """Names of the family profiles, ``generic`` first."""
        return tuple(sorted(self._profiles, key=lambda name: (name != "generic", name)))

    def tiers(self, family: str) -> tuple[str, ...]:
        """The tiers a family's profile knows, smallest first.

        Raises:
            UnknownFamily: the artefact has no such profile.
        """
        return tuple(tier.name for tier in self._profile(family).tiers)

    def score(self, text: str, family: str = "generic") -> Score:
        """Judge one prompt: the text of the caller's last ask.

        ``complexity`` is the chance that the family's smallest tier gets it wrong.

        Raises:
            UnknownFamily: the artefact has no such profile.
        """
        profile = self._profile(family)
        reading = read(text)
        form, bent = self._bends.of(reading.structure)
        place = self._place(reading, bent)
        pushes = total(place[:, None] * profile.loading).tolist()
        length = float(place[-1])
        p_right: dict[str, float] = {}
        output_tokens: dict[str, float] = {}
        for (name, ability, level, slope), push in zip(profile.tiers, pushes, strict=True):
            p_right[name] = _sigmoid(ability + push)
            output_tokens[name] = math.exp(level + slope * length)
        return Score(
            p_right=p_right,
            output_tokens=output_tokens,
            complexity=1.0 - p_right[profile.tiers[0].name],
            novelty=self._known.novelty(reading.grams[: reading.sizes[0]], form),
            artefact=self._digest,
            family=family,
            place=place.astype(_PLACE).tobytes(),
        )

    def score_many(self, texts: Iterable[str], family: str = "generic") -> list[Score]:
        """``score`` for each text, in order."""
        return [self.score(text, family) for text in texts]

    def explain(self, text: str, family: str = "generic") -> list[tuple[str, float]]:
        """What moved ``complexity``, in logits: positive is harder.

        The values add up to ``logit(complexity)``. The first item, ``typical prompt``, is where the
        average training prompt stands; the others are groups of features and how far they push
        away from it, the strongest first.

        Raises:
            UnknownFamily: the artefact has no such profile.
        """
        profile = self._profile(family)
        direction = profile.loading[:, 0]
        parts = self._parts(read(text))
        pushes = -((parts - self._typical) @ direction)
        typical = -(profile.tiers[0].ability + float(self._typical.sum(axis=0) @ direction))
        named = zip(GROUPS, pushes.tolist(), strict=True)
        return [("typical prompt", typical), *sorted(named, key=lambda item: -abs(item[1]))]

    def wording(self, text: str, family: str = "generic") -> list[tuple[str, float]]:
        """What the prompt's words and pairs of words add to the part ``wording`` of ``explain``, in logits.

        The values add up to that part. The first item, ``average wording``, is what an average prompt's words
        would add, taken off; the others are words and pairs as the scorer read them, the strongest first. They
        are the prompt's own text: show them to its author, never log them.

        Raises:
            UnknownFamily: the artefact has no such profile.
        """
        direction = self._profile(family).loading[:, 0]
        reading = read(text)
        pushes = -gram_weights(reading) * (self._table.take(reading.grams, axis=0) @ direction)
        total: dict[str, float] = {}
        for gram, push in zip(spelled(text), pushes.tolist(), strict=True):
            total[gram] = total.get(gram, 0.0) + push
        average = float(self._typical[0] @ direction)
        return [("average wording", average), *sorted(total.items(), key=lambda item: (-abs(item[1]), item[0]))]

    def place(self, text: str) -> NDArray[np.float32]:
        """Where a prompt stands on the shared directions; the last one forecasts the length of answers."""
        reading = read(text)
        return self._place(reading, self._bends.of(reading.structure)[1])

    def prior(self, tier: str, family: str = "generic") -> Prior:
        """What to believe of an unseen model before its rows speak: like this tier, as varied as all models.

        Raises:
            UnknownFamily: the artefact has no such profile.
            KeyError: the family has no such tier.
        """
        profile = self._profile(family)
        names = [known.name for known in profile.tiers]
        if tier not in names:
            raise KeyError(f"family {family!r} has no tier {tier!r}; it has {', '.join(names)}")
        column = names.index(tier)
        known = profile.tiers[column]
        mean = np.concatenate([[known.ability], profile.loading[:, column]]).astype(np.float64)
        return Prior(mean, spread(self._heads), known.token_level, known.token_slope)

    def with_family(self, name: str, heads: Mapping[str, Head]) -> Scorer:
        """This scorer with one more profile (or one replaced), under a digest of its own."""
        order = [tier for tier in TIER_NAMES if tier in heads]
        if not order:
            raise ValueError(f"family {name!r}: no head for any of {', '.join(TIER_NAMES)}")
        tiers = tuple(
            _Tier(tier, heads[tier].ability, heads[tier].token_level, heads[tier].token_slope) for tier in order
        )
        loading = np.stack([heads[tier].loading for tier in order]).T
        named = hashlib.sha256(f"{self._digest} {name} {tiers!r}".encode())
        named.update(loading.astype("<f8").tobytes())
        other = self.beside(name, heads)
        vars(other).update(_digest=named.hexdigest())
        return other

    def beside(self, name: str, heads: Mapping[str, Head]) -> Scorer:
        """This scorer, under the same digest, with one more profile: for one that something else names."""
        order = [tier for tier in TIER_NAMES if tier in heads]
        tiers = tuple(
            _Tier(tier, heads[tier].ability, heads[tier].token_level, heads[tier].token_slope) for tier in order
        )
        loading = np.stack([np.asarray(heads[tier].loading, dtype=np.float64) for tier in order]).T
        other = copy.copy(self)
        profile = _Profile(tiers, np.ascontiguousarray(loading, dtype=np.float32))
        vars(other).update(_profiles={**self._profiles, name: profile})
        return other

    def heads(self, family: str = "generic") -> dict[str, Head]:
        """What a family's profile expects of each tier.

        Raises:
            UnknownFamily: the artefact has no such profile.
        """
        profile = self._profile(family)
        return {
            tier.name: Head(tier.ability, profile.loading[:, at].astype(np.float64), tier.token_level, tier.token_slope)
            for at, tier in enumerate(profile.tiers)
        }

    def _place(self, reading: Reading, bent: NDArray[np.float32]) -> NDArray[np.float32]:
        place: NDArray[np.float32] = self._wording(reading) + total(bent * self._weights)
        return place

    def _parts(self, reading: Reading) -> NDArray[np.float32]:
        """The prompt's place, split by ``GROUPS``: their sum is the place."""
        bent = self._bends.of(reading.structure)[1][:, 0]
        return np.vstack([self._wording(reading), structure_parts(bent, self._weights)])

    def _profile(self, family: str) -> _Profile:
        try:
            return self._profiles[family]
        except KeyError:
            raise UnknownFamily(family, self.families) from None

    def _wording(self, reading: Reading) -> NDArray[np.float32]:
        rows = self._table.take(reading.grams, 0)
        rows *= gram_weights(reading)[:, None]
        return total(rows)


def total(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """The rows added up, one after the other: BLAS rounds by where an array happens to lie in memory."""
    added: NDArray[np.float32] = np.add.reduce(rows, 0)
    return added


def structure_parts(bent: NDArray[np.float32], weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """What each structural group adds to the place, in the order of ``GROUPS`` after the wording."""
    owners = np.array([GROUPS.index(group) - 1 for _, group in STRUCTURE])
    owners = np.tile(owners, len(bent) // len(STRUCTURE))
    parts = np.zeros((len(GROUPS) - 1, weights.shape[1]), dtype=np.float32)
    np.add.at(parts, owners, bent[:, None] * weights)
    return parts


def _profile(rows: Mapping[str, Mapping[str, Any]], arrays: Mapping[str, NDArray[Any]]) -> _Profile:
    order = [name for name in TIER_NAMES if name in rows]
    indices = [int(rows[name]["row"]) for name in order]
    tiers = tuple(
        _Tier(
            name,
            float(arrays["ability"][index]),
            float(arrays["token_level"][index]),
            float(arrays["token_slope"][index]),
        )
        for name, index in zip(order, indices, strict=True)
    )
    return _Profile(tiers, np.ascontiguousarray(arrays["loading"][indices].T, dtype=np.float32))


def _sigmoid(logit: float) -> float:
    if not -_MAX_LOGIT < logit < _MAX_LOGIT:
        logit = math.copysign(_MAX_LOGIT, logit)
    return 1.0 / (1.0 + math.exp(-logit))
