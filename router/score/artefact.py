"""A trained scorer on disk: plain arrays and a JSON manifest, bound together by one digest.

The folder holds ``weights.npz`` (no pickles), ``manifest.json`` and ``MODEL_CARD.md``. The digest
covers the weights' bytes and every other word of the manifest; an artefact whose digest, format or
feature version differs is refused, never repaired.
"""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from router.score import features

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

FORMAT: Final = 2
SHIPPED: Final = Path(__file__).parent / "artefact"
MANIFEST: Final = "manifest.json"
WEIGHTS: Final = "weights.npz"
CARD: Final = "MODEL_CARD.md"

#: Arrays every artefact has, with their number of dimensions.
ARRAYS: Final[Mapping[str, int]] = {
    "table": 2,
    "structure_mean": 1,
    "structure_scale": 1,
    "structure_knots": 1,
    "structure_weights": 2,
    "typical": 2,
    "ability": 1,
    "loading": 2,
    "token_level": 1,
    "token_slope": 1,
    "surprise": 2,
    "centres": 2,
    "novelty_weights": 1,
    "novelty_quantiles": 1,
}


class ArtefactError(ValueError):
    """An artefact that cannot be used: which file, what is wrong, how to mend it."""


class Artefact(NamedTuple):
    """A verified artefact in memory.

    Attributes:
        digest: 64 hex digits naming exactly these weights and this manifest.
        manifest: what the JSON says.
        arrays: the arrays named by ``ARRAYS``, as stored.
    """

    digest: str
    manifest: Mapping[str, Any]
    arrays: Mapping[str, NDArray[Any]]


def feature_spec() -> dict[str, Any]:
    """The features this code computes, in the manifest's words."""
    return {
        "version": features.FEATURES_VERSION,
        "bits": features.BITS,
        "head": features.HEAD,
        "tail": features.TAIL,
        "structure": [name for name, _ in features.STRUCTURE],
    }


def save(folder: Path, manifest: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], card: str) -> str:
    """Write an artefact and return its digest. Equal input gives equal bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    ordered: dict[str, Any] = {name: arrays[name] for name in ARRAYS}
    np.savez(buffer, **ordered)
    weights = buffer.getvalue()
    body = {"format": FORMAT, "features": feature_spec(), **manifest}
    digest = _digest(body, weights)
    (folder / WEIGHTS).write_bytes(weights)
    text = json.dumps({**body, "digest": digest}, indent=1, sort_keys=True, ensure_ascii=False)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")
    (folder / CARD).write_text(card.replace("{digest}", digest), encoding="utf-8")
    return digest


def load(folder: Path) -> Artefact:
    """Read and verify an artefact.

    Raises:
        ArtefactError: a file is missing or unreadable, or the version or the digest is wrong.
    """
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        weights = (folder / WEIGHTS).read_bytes()
    except (OSError, ValueError) as error:
        raise ArtefactError(f"{folder}: not a scorer artefact ({error}); it needs {MANIFEST} and {WEIGHTS}") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        found = manifest.get("format") if isinstance(manifest, dict) else None
        raise ArtefactError(
            f"{folder / MANIFEST}: format {found!r}, this version reads format {FORMAT}; "
            "train the artefact again with this version"
        )
    body = {key: value for key, value in manifest.items() if key != "digest"}
    digest = _digest(body, weights)
    if manifest.get("digest") != digest:
        raise ArtefactError(
            f"{folder}: the digest in {MANIFEST} does not match the files "
            f"(computed {digest[:12]}…); restore the folder from where it came"
        )
    if manifest.get("features") != feature_spec():
        raise ArtefactError(
            f"{folder / MANIFEST}: trained on other features than this version computes; "
            "train the artefact again with this version"
        )
    return Artefact(digest, manifest, _arrays(folder / WEIGHTS, weights))


def _arrays(path: Path, weights: bytes) -> dict[str, NDArray[Any]]:
    with np.load(io.BytesIO(weights), allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files}
    for name, dimensions in ARRAYS.items():
        if name not in arrays or arrays[name].ndim != dimensions:
            raise ArtefactError(f"{path}: array {name!r} is missing or not {dimensions}-dimensional")
        if not np.isfinite(arrays[name]).all():
            raise ArtefactError(f"{path}: array {name!r} holds NaN or infinity")
    return arrays


def _digest(body: Mapping[str, Any], weights: bytes) -> str:
    words = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    digest = hashlib.sha256(words.encode("utf-8"))
    digest.update(hashlib.sha256(weights).digest())
    return digest.hexdigest()
