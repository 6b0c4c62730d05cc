"""What the scorer said of a text before: calls within one turn, and a conversation's turns, score only what is new.

A score depends on the text, on the family and on the artefact, and on nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.score.features import window_of
from router.serve.memory.bounded import TENANTS, Memory

if TYPE_CHECKING:
    from router.score import Scorer
    from router.types import Score

TEXTS = 512  # texts a tenant; a score holds where its prompt was placed, about 3 kB


class Scores:
    """Tenant -> text -> score."""

    def __init__(self, salt: bytes, tenants: int = TENANTS, texts: int = TEXTS) -> None:
        self._memory: Memory[Score] = Memory(salt, tenants, texts)

    def __len__(self) -> int:
        return len(self._memory)

    def of(self, scorer: Scorer, tenant: str, text: str, family: str) -> Score:
        """``scorer.score``, or what it gave before."""
        # Of a long text the scorer reads both ends and the length: more need not be hashed.
        name = self._memory.name(f"{scorer.digest} {family} {len(text)}", window_of(text))
        score = self._memory.get(tenant, name)
        if score is None:
            score = scorer.score(text, family)
            self._memory.keep(tenant, name, score)
        return score
