"""The ``attacks`` guard: text that tries to overturn, get around or draw out the instructions of an assistant.

Two layers judge each sentence and the stretches that end with it: a table of concepts and shapes (``signals``), and
weights learned from examples over those and over n-grams. It is a second line: what untrusted text may cause is
limited by rules that need no guess. Names follow Bedrock's PROMPT_ATTACK and its three kinds.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Literal

from pydantic import Field

from guardrails.attacks.kinds import KINDS, kind_of
from guardrails.attacks.signals import attack_signals
from guardrails.config import Strict, Words, action_of, refuse, suggest
from guardrails.learned import Bank, LearnedFamily, load, logit, score_of
from guardrails.learned.measure import measure
from guardrails.learned.windows import cut
from guardrails.matching import Hit
from guardrails.normalize import normalize
from guardrails.types import Action, GuardConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from guardrails.learned import Measured
    from guardrails.matching import Family

Strength = Literal["none", "low", "medium", "high"]
#: Share of ordinary texts that each strength may stop, as the card of the weights names its thresholds.
RATES: Final[Mapping[str, str]] = {"low": "0.001", "medium": "0.005", "high": "0.01"}
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
    """Judges windows with the attack bank; the surest stretch that ends with a window counts."""

    bank: Bank
    head: int
    limit: float
    by_kind: Mapping[str, Action]
    allow: tuple[str, ...]
    item: int

    @property
    def actions(self) -> frozenset[Action]:
        """Those of all kinds that are looked for."""
        return frozenset(self.by_kind.values())

    def judge(self, measured: Measured) -> list[Hit]:
        """See ``learned.Reader``."""
        z = measured.logits(self.bank, [self.head])[0]
        hits: list[Hit] = []
        own = len(measured.starts) - measured.fresh
        best = z.max(axis=0)
        for window in (best >= self.limit).nonzero()[0].tolist():
            start, end = int(measured.starts[own + window]), int(measured.ends[own + window])
            first = int(measured.firsts()[int(z[:, window].argmax()), window])
            stretch = measured.text[int(measured.starts[first]) : end]
            score = float(best[window])
            if self.allow and self._allowed(stretch):
                continue
            kind = kind_of(stretch)
            action = self.by_kind.get(kind)
            if action is not None:
                hits.append(
                    Hit(start, end, score_of(score), kind, action, f"attacks.{kind.lower()}", "attacks", self.item)
                )
        return hits

    def _allowed(self, stretch: str) -> bool:
        """Whether ``stretch`` is no attack once the allowed phrases are gone."""
        left = stretch
        for phrase in self.allow:
            left = left.replace(phrase, " ")
        if left == stretch:
            return False
        starts, end = cut(left, 0, last=True)
        if not starts:
            return True
        z = measure(left, starts, end, len(starts)).logits(self.bank, [self.head])[0]
        return bool(z.max() < self.limit)


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
    reader = AttackReader(
        bank=bank,
        head=bank.head(head),
        limit=logit(bank.threshold(head, RATES[config.strength])),
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
    return AttackReader(reader.bank, reader.head, reader.limit, kinds, reader.allow, reader.item)


@lru_cache(maxsize=1)
def _bank() -> Bank:
    """The packaged weights; they never change."""
    return load("attacks", attack_signals())


__all__ = ["RATES", "AttackReader", "AttacksConfig", "compile_attacks"]
