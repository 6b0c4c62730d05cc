"""The complexity classifier: how likely each tier is to answer a prompt right, learned from outcomes.

Knows prompts and family profiles; knows nothing of policies, prices or HTTP.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.score.artefact import SHIPPED, ArtefactError
from router.score.artefact import load as _load_artefact
from router.score.profile import Head, Prior, ProfileError
from router.score.profile import fit as fit_profile
from router.score.scorer import Scorer, UnknownFamily

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "ArtefactError",
    "Head",
    "Prior",
    "ProfileError",
    "Scorer",
    "UnknownFamily",
    "fit_profile",
    "load",
]


def load(path: Path | None = None) -> Scorer:
    """The scorer of an artefact folder; ``None`` is the one this package ships.

    Raises:
        ArtefactError: the folder is incomplete, of another version, or its digest does not match.
    """
    return Scorer(_load_artefact(SHIPPED if path is None else path))
