"""Putting what own rows taught into an artefact's arrays: a direction of its own for each tier of a family.

The shared directions stay byte for byte as they were, so every other family scores as before. A family's own
directions carry what its words and structure add; its loadings read the shared ones. They stand before the
last direction, which forecasts the length of answers. A family that is adapted again replaces its directions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from router.score.adapt import Sample
from router.score.project import hinges
from router.score.scorer import structure_parts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from router.score.adapt import Change, Floats
    from router.score.artefact import Artefact


class Profile(NamedTuple):
    """What a family's tiers read off an artefact's directions, tiers in rows."""

    rows: tuple[int, ...]
    ability: Floats
    loading: Floats


def shared_columns(manifest: Mapping[str, Any], directions: int) -> NDArray[np.int64]:
    """Which directions belong to no single family."""
    own = {column for family in manifest.get("own", {}).values() for column in family["tiers"].values()}
    return np.array([column for column in range(directions) if column not in own])


def root_of(artefact: Artefact) -> str:
    """The digest of the artefact whose shared directions it has: its own, if it was never adapted."""
    return str(artefact.manifest.get("root", artefact.digest))


def profile(artefact: Artefact, family: str, tiers: Sequence[str]) -> Profile:
    """The tiers of a known family.

    Raises:
        KeyError: the artefact has no such family, or the family no such tier.
    """
    known = artefact.manifest["families"][family]
    return profile_of_rows(artefact, [int(known[tier]["row"]) for tier in tiers])


def profile_of_rows(artefact: Artefact, rows: Sequence[int]) -> Profile:
    """The tiers whose models stand in these rows."""
    ability, loading = (artefact.arrays[name][list(rows)].astype(np.float64) for name in ("ability", "loading"))
    return Profile(tuple(rows), ability, loading)


def sample_of(artefact: Artefact, known: Profile, grams: Any, structure: NDArray[np.float32], scores: Floats) -> Sample:
    """Rows of text as the artefact sees them: their shared place, the start's logits, bent structure, words."""
    arrays = artefact.arrays
    mean, scale = (arrays[name].astype(np.float32) for name in ("structure_mean", "structure_scale"))
    bent = hinges(structure, mean, scale, arrays["structure_knots"].astype(np.float32)).astype(np.float64)
    place = grams @ arrays["table"].astype(np.float64) + bent @ arrays["structure_weights"].astype(np.float64)
    start = known.ability + place @ known.loading.T
    shared = shared_columns(artefact.manifest, place.shape[1])
    return Sample(np.asarray(place[:, shared]), np.asarray(start), scores, bent, grams)


def graft(
    artefact: Artefact,
    family: str,
    tiers: Sequence[str],
    start: Profile,
    change: Change,
    seen: Sample,
    about: Mapping[str, Any],
) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """The manifest and arrays of the artefact with ``family`` changed.

    Args:
        artefact: the start.
        family: gets the profile; it may be new.
        tiers: its tiers, smallest first.
        start: the profile the change is added to.
        change: what was learned.
        seen: the rows it was learned from; they say what a typical prompt is.
        about: goes into the manifest, under the family's name.
    """
    old, directions = artefact.manifest, artefact.arrays["table"].shape[1]
    shared = shared_columns(old, directions)
    loading = change.keep * start.loading + np.outer(change.slope, start.loading.mean(axis=0))
    ability = change.keep * start.ability + change.slope * start.ability.mean() + change.level
    loading[:, shared] += change.loading.T

    mine = sorted(old.get("own", {}).get(family, {}).get("tiers", {}).values())
    others = [c for name, own in old.get("own", {}).items() if name != family for c in own["tiers"].values()]
    kept = [*shared[:-1], *sorted(others)]
    order = [*kept, *([None] * len(tiers)), shared[-1]]
    moved = {int(column): place for place, column in enumerate(order) if column is not None}
    own = _own_directions(artefact, change, loading, mine, seen)
    arrays = dict(artefact.arrays)
    for name in ("table", "structure_weights", "typical"):
        stored = artefact.arrays[name]
        arrays[name] = np.column_stack([stored[:, kept], own[name], stored[:, shared[-1]]]).astype(stored.dtype)

    gone = {f"own/{family}/{tier}" for tier in old["families"].get(family, {})} if mine else set()
    keep = [row for row, model in enumerate(old["models"]) if model not in gone]
    fresh = np.zeros((len(tiers), len(order)))
    for column, at in moved.items():
        fresh[:, at] = loading[:, column]
    fresh[np.arange(len(tiers)), len(kept) + np.arange(len(tiers))] = 1.0
    widened = np.zeros((len(keep), len(order)), dtype=np.float32)
    for column, at in moved.items():
        widened[:, at] = artefact.arrays["loading"][keep, column]
    arrays["loading"] = np.vstack([widened, fresh]).astype(np.float32)
    arrays["ability"] = np.concatenate([artefact.arrays["ability"][keep], ability]).astype(np.float32)
    for name in ("token_level", "token_slope"):
        stored = artefact.arrays[name]
        arrays[name] = np.concatenate([stored[keep], stored[list(start.rows)]]).astype(np.float32)
    return _manifest(artefact, family, tiers, keep, moved, len(kept), about), arrays


def _own_directions(
    artefact: Artefact, change: Change, loading: Floats, mine: Sequence[int], seen: Sample
) -> dict[str, NDArray[Any]]:
    """The family's directions, those it had before folded in, as columns of the three arrays."""
    tiers = len(change.level)
    table = artefact.arrays["table"][:, mine].astype(np.float64) @ loading[:, mine].T
    bend = artefact.arrays["structure_weights"][:, mine].astype(np.float64) @ loading[:, mine].T
    bend = bend + change.bend if len(change.bend) else bend
    table = table if change.table is None else table + change.table
    words = np.zeros(tiers) if seen.grams is None else np.asarray(seen.grams.mean(axis=0)).ravel() @ table
    middle = seen.structure.mean(axis=0) if seen.structure.shape[1] else np.zeros(len(bend))
    typical = np.vstack([words, structure_parts(middle.astype(np.float32), bend.astype(np.float32))])
    return {"table": table, "structure_weights": bend, "typical": typical}


def _manifest(
    artefact: Artefact,
    family: str,
    tiers: Sequence[str],
    keep: Sequence[int],
    moved: Mapping[int, int],
    first: int,
    about: Mapping[str, Any],
) -> dict[str, Any]:
    old = {key: value for key, value in artefact.manifest.items() if key not in ("digest", "format", "features")}
    at = {row: place for place, row in enumerate(keep)}
    models = [*(old["models"][row] for row in keep), *(f"own/{family}/{tier}" for tier in tiers)]
    families = {
        name: {tier: {**entry, "row": at[entry["row"]]} for tier, entry in known.items()}
        for name, known in old["families"].items()
        if name != family
    }
    families[family] = {
        tier: {"model": f"own/{family}/{tier}", "row": len(keep) + place} for place, tier in enumerate(tiers)
    }
    own = {
        name: {**entry, "tiers": {tier: moved[column] for tier, column in entry["tiers"].items()}}
        for name, entry in old.get("own", {}).items()
        if name != family
    }
    own[family] = {**about, "tiers": {tier: first + place for place, tier in enumerate(tiers)}}
    return {**old, "models": models, "families": families, "own": own, "root": root_of(artefact)}
