"""The ``attacks`` guard: text that tries to overturn, get around or draw out the instructions of an assistant.

Two layers judge each sentence, the stretches that end with it, and the text as a whole: a table of concepts and shapes
(``signals``), and weights learned from examples over those and over n-grams. It is a second line: what untrusted text
may cause is limited by rules that need no guess. Names follow Bedrock's PROMPT_ATTACK and its three kinds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from math import inf
from typing import TYPE_CHECKING, Final, Literal

from pydantic import Field

from guardrails.attacks.kinds import KINDS, kind_of
from guardrails.attacks.signals import attack_signals
from guardrails.config import Strict, Words, action_of, refuse, suggest
from guardrails.learned import Bank, LearnedFamily, load, logit, score_of
from guardrails.learned.measure import measure
from guardrails.learned.pages import Page, PageBank, load_pages, turned
from guardrails.learned.windows import cut
from guardrails.matching import Hit
from guardrails.normalize import normalize
from guardrails.types import Action, GuardConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from guardrails.learned import Measured
    from guardrails.matching import Family

Strength = Literal["none", "low", "medium", "high"]
#: Share of ordinary prompts, and of clean documents, that each strength may stop, as the card names its thresholds.
RATES: Final[Mapping[str, Mapping[str, str]]] = {
    "user": {"low": "0.001", "medium": "0.005", "high": "0.01"},
    "documents": {"low": "0.01", "medium": "0.03", "high": "0.1"},
}
_HEADS: Final[Mapping[str, str]] = {"user": "direct", "documents": "indirect"}


class AttacksConfig(Strict):
    """What counts as an attack, and what is done about it.

    Attributes:
        strength: how readily a text is called an attack; ``none`` turns the guard off.
        reads: what the texts are: a user's own words, or documents and tool results, in which any order to the
            assistant is out of place.
        action: for every kind that ``actions`` does not name.
        actions: for single kinds.
        allow: phrases that are read as if they were not there; what is left is judged all the same.
    """

    strength: Strength = "medium"
    reads: Literal["user", "documents"] = "user"
    action: Literal["detect", "block"] = "block"
    actions: dict[str, Literal["none", "detect", "block"]] = Field(default_factory=dict)
    allow: Words = ()


@dataclass(frozen=True, slots=True)
class AttackReader:
    """Judges windows with the attack bank, and pages where it has weights for them.

    Attributes:
        limit: the z from which on a stretch or a page is an attack; both have the same scale.
        pages: none for documents, in which an order is a sentence among others.
    """

    bank: Bank
    head: int
    pages: PageBank | None
    limit: float
    by_kind: Mapping[str, Action]
    allow: tuple[str, ...]
    item: int

    @property
    def actions(self) -> frozenset[Action]:
        """Those of all kinds that are looked for."""
        return frozenset(self.by_kind.values())

    @property
    def paged(self) -> bool:
        """Whether it has weights for pages."""
        return self.pages is not None

    def judge(self, measured: Measured) -> list[Hit]:
        """See ``learned.Reader``. The surest stretch that ends with a window counts."""
        z = measured.logits(self.bank, [self.head])[0]
        own = len(measured.starts) - measured.fresh
        best = z.max(axis=0)
        hits: list[Hit] = []
        for window in (best >= self.limit).nonzero()[0].tolist():
            first = int(measured.firsts()[int(z[:, window].argmax()), window])
            hits += self._hits(measured, first, own + window, float(best[window]))
        return hits

    def judge_pages(self, measured: Measured, pages: Sequence[Page]) -> list[Hit]:
        """See ``learned.Reader``."""
        if self.pages is None:
            return []
        hits: list[Hit] = []
        for page in pages:
            z = self.pages.logit(measured, page)
            if z >= self.limit:
                hits += self._hits(measured, page.first, page.last, z)
        return hits

    def _hits(self, measured: Measured, first: int, own: int, z: float) -> list[Hit]:
        """The hit on window ``own`` for the stretch that begins with window ``first``, if its kind is looked for."""
        start, end = int(measured.starts[own]), int(measured.ends[own])
        stretch = measured.text[int(measured.starts[first]) : end]
        if self.allow and self._allowed(stretch):
            return []
        kind = kind_of(stretch)
        action = self.by_kind.get(kind)
        if action is None:
            return []
        return [Hit(start, end, score_of(z), kind, action, f"attacks.{kind.lower()}", "attacks", self.item)]

    def _allowed(self, stretch: str) -> bool:
        """Whether ``stretch`` is no attack once the allowed phrases are gone."""
        left = stretch
        for phrase in self.allow:
            left = left.replace(phrase, " ")
        return left != stretch and surest(left, self.bank, self.head, self.pages) < self.limit


def surest(text: str, bank: Bank, head: int, pages: PageBank | None) -> float:
    """The greatest z of a whole text (normalised) among its stretches and pages; minus infinity for one without any."""
    starts, end = cut(text, 0, last=True)
    if not starts:
        return -inf
    measured = measure(text, starts, end, len(starts))
    z = float(measured.logits(bank, [head]).max())
    if pages is None:
        return z
    return max(z, *(pages.logit(measured, page) for page in turned(starts, end, last=True)[0]))


def compile_attacks(config: AttacksConfig, item: int) -> tuple[Family, ...]:
    """The one family of this guard; none when it is turned off.

    Raises:
        GuardConfigErrors: an unknown kind, an empty phrase.
    """
    mistakes = [
        GuardConfigError(("actions", kind), f"unknown kind {kind!r}", suggest(kind, KINDS))
        for kind in config.actions
        if kind not in KINDS
    ]
    mistakes += [
        GuardConfigError(("allow", index), "an empty phrase allows nothing", "remove it")
        for index, phrase in enumerate(config.allow)
        if not phrase.strip()
    ]
    refuse(mistakes)
    words = {kind: config.actions.get(kind, config.action) for kind in KINDS}
    by_kind = {kind: action_of(word) for kind, word in words.items() if word != "none"}
    if config.strength == "none" or not by_kind:
        return ()
    bank = _bank()
    head = _HEADS[config.reads]
    rate = RATES[config.reads][config.strength]
    reader = AttackReader(
        bank=bank,
        head=bank.head(head),
        pages=_pages() if config.reads == "user" else None,
        limit=logit(bank.threshold(head, rate)),
        by_kind=by_kind,
        allow=tuple(normalize(phrase)[0] for phrase in config.allow),
        item=item,
    )
    # A family enforces with all of its hits or with none, so kinds that are only noted are a family of their own.
    return tuple(
        LearnedFamily((_only(reader, kinds),))
        for kinds in (
            {kind: action for kind, action in by_kind.items() if action >= Action.MASK},
            {kind: action for kind, action in by_kind.items() if action < Action.MASK},
        )
        if kinds
    )


def _only(reader: AttackReader, kinds: Mapping[str, Action]) -> AttackReader:
    return replace(reader, by_kind=kinds)


@lru_cache(maxsize=1)
def _bank() -> Bank:
    """The packaged weights; they never change."""
    return load("attacks", attack_signals())


@lru_cache(maxsize=1)
def _pages() -> PageBank:
    """The packaged weights of pages; they never change."""
    return load_pages("attacks", attack_signals())


__all__ = ["RATES", "AttackReader", "AttacksConfig", "compile_attacks", "surest"]
