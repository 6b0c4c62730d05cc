"""What is expected of the very models that a policy names: one profile, kept under its SHA-256 beside the evidence.

A policy version names it by that digest, so it is used exactly where that version decides: in the canary's arm, once
live everywhere, and after a roll-back by nobody. It is copied between gateways with the rest of the evidence.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from router.registry.proposals import ProposalError, bundle, bundle_path, keep_bundle
from router.types import Frozen, TierName


class TierProfile(Frozen, frozen=True, kw_only=True):
    """What is expected of one tier; see ``router.score.profile.Head``."""

    ability: float
    loading: tuple[float, ...]
    token_level: float
    token_slope: float


class Profile(Frozen, frozen=True, kw_only=True):
    """A family's profile with other figures for some tiers.

    Attributes:
        family: whose figures the other tiers keep.
        artefact: the scorer that it reads its places from.
        models: tier -> the deployments that were asked, as the policy names them.
        tiers: what is expected of each tier, the kept ones too.
        about: rows, what it was judged by, and the like; nothing that decides.
    """

    family: str
    artefact: str
    models: Mapping[TierName, tuple[str, ...]]
    tiers: Mapping[TierName, TierProfile]
    about: Mapping[str, Any] = {}


def keep(home: Path, profile: Profile) -> str:
    """Keep a profile; gives back its digest. Equal profiles have equal digests.

    Raises:
        ProposalError: it cannot be written.
    """
    raw = msgspec.json.format(msgspec.json.encode(profile, order="deterministic"), indent=1) + b"\n"
    return keep_bundle(home, raw)


def read(home: Path, digest: str) -> Profile:
    """A kept profile.

    Raises:
        ProposalError: it is gone, or not as it was kept.
    """
    raw = bundle(home, digest)
    try:
        return msgspec.json.decode(raw, type=Profile)
    except msgspec.MsgspecError as error:
        raise ProposalError(f"{bundle_path(home, digest)} is no profile: {error}") from None
