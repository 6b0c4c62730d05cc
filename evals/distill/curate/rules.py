"""What is kept and what is left out, as one frozen value: its hash names the work that was done under it."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, Literal

import msgspec

Share = Annotated[float, msgspec.Meta(ge=0, le=1)]


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """How rows are chosen.

    Attributes:
        budget: rows to learn from.
        where: field -> value: rows of the task; all others may only become general rows.
        holdout: share of prompts that is never learned from, by content hash. holdout_rows: at most so many are kept.
        general_rows: rows of other work, at most.
        personal: what happens to a row with personal data or secrets in it.
        names: whether names of people, their user names and addresses are personal data.
        guards: further guards as a policy lists them; a row that they block is left out.
        answers: leave out rows without an answer. licence: leave out rows whose teacher's terms are not known.
        shortest, longest: characters of the prompt.
        near: two prompts with a larger share of shingles in common are one (Jaccard's index).
        seed: of the order among equals. clusters: at most so many.
    """

    budget: Annotated[int, msgspec.Meta(ge=1, le=200_000)] = 15_000
    where: dict[str, str] = {}
    holdout: Share = 0.1
    holdout_rows: Annotated[int, msgspec.Meta(ge=0, le=20_000)] = 500
    general_rows: Annotated[int, msgspec.Meta(ge=0, le=20_000)] = 200
    personal: Literal["mask", "drop"] = "mask"
    names: bool = True
    guards: tuple[dict[str, Any], ...] = ()
    answers: bool = False
    licence: bool = False
    shortest: int = 3
    longest: int = 20_000
    near: Annotated[float, msgspec.Meta(ge=0.5, le=1)] = 0.8
    seed: int = 0
    clusters: Annotated[int, msgspec.Meta(ge=1, le=1024)] = 128

    @property
    def hash(self) -> str:
        """The rules' content hash, 32 hex digits."""
        return hashlib.blake2b(msgspec.json.encode(self, order="sorted"), digest_size=16).hexdigest()
