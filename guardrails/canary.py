"""The ``canary`` guard: what the operator planted in a system prompt must not come out, nor the prompt itself.

Both read a text by its letters and digits only, in one case and with look-alikes folded, so spaces, marks and markup
between them do not matter. ``CanaryFamily`` looks for planted tokens, forwards and backwards. ``LeakFamily`` is made
for one request from its system prompt (``LeakMold`` keeps its place until then) and finds long stretches of it.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Final

from ahocorasick_rs import AhoCorasick
from pydantic import Field

from guardrails.config import ActionWord, Strict, Words, action_of, refuse
from guardrails.lookalikes import plain
from guardrails.matching import Family, Hit, make_hit
from guardrails.normalize import normalize
from guardrails.types import Action, GuardConfigError

MIN_TOKEN: Final = 8
MAX_TOKEN: Final = 100
MAX_TOKENS: Final = 100
#: How much longer than the token a stretch may be that spells it, marks between its letters included.
SPREAD: Final = 4
#: A copied stretch is found by blocks of the prompt of this many letters.
_BLOCK: Final = 16
#: The longest stretch of one finding, in letters.
_LONGEST: Final = 512
_MARKS: Final = re.compile(r"[\W_]+")


class CanaryConfig(Strict):
    """What is planted.

    Attributes:
        tokens: strings that stand nowhere but in the system prompt; at least 8 letters or digits each.
        name: the category in findings and placeholders.
    """

    tokens: Annotated[Words, Field(min_length=1, max_length=MAX_TOKENS)]
    action: ActionWord = "block"
    name: Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]{0,39}$")] = "CANARY"


def letters(text: str) -> str:
    """The letters and digits of a folded text, in one case, look-alikes as Latin."""
    return _MARKS.sub("", text.lower() if text.isascii() else plain(text).casefold())


def _letters_from(text: str) -> list[int]:
    """For each character of ``letters(text)`` its offset in ``text``."""
    return [at for at, char in enumerate(plain(text)) for one in char.casefold() if one.isalnum()]


@dataclass(frozen=True, slots=True)
class CanaryFamily:
    """All tokens of one guard."""

    finder: AhoCorasick
    ordered: tuple[str, ...]
    longest: int
    category: str
    action: Action
    item: int

    width = 1
    digits = False
    left = 0

    @property
    def actions(self) -> frozenset[Action]:
        """One for all."""
        return frozenset((self.action,))

    @property
    def hold(self) -> int:
        """The longest token, spread out."""
        return self.longest * SPREAD

    def scan(self, text: str, positions: list[int], last: bool) -> tuple[list[Hit], int]:
        """See ``matching.Family``."""
        start = max(0, positions[0])
        part = text[start:]
        read = letters(part)
        found = self.finder.find_matches_as_indexes(read, overlapping=True)
        open_at = len(read) if last else self._open(read)
        if not found and open_at == len(read):
            positions[0] = len(text)
            return [], len(text)
        origins = _letters_from(part)
        hits = [
            make_hit(
                (start + origins[a], start + origins[b - 1] + 1),
                1.0,
                self.category,
                self.action,
                guard="canary",
                item=self.item,
            )
            for _, a, b in found
            if origins[b - 1] - origins[a] < (b - a) * SPREAD
        ]
        live = len(text)
        if open_at < len(read):
            # One that is already spread too far cannot be completed.
            live = next(
                (
                    start + origins[at]
                    for at in range(open_at, len(read))
                    if self._may(read[at:], len(part) - origins[at])
                ),
                len(text),
            )
        positions[0] = max(start, live)
        return [hit for hit in hits if hit.start < live], live

    def _open(self, read: str) -> int:
        return next(
            (at for at in range(max(0, len(read) - self.longest + 1), len(read)) if self._may(read[at:], 0)), len(read)
        )

    def _may(self, tail: str, spread: int) -> bool:
        """Whether ``tail`` begins a token."""
        at = bisect_left(self.ordered, tail)
        return spread < self.longest * SPREAD and at < len(self.ordered) and self.ordered[at].startswith(tail)


def compile_canary(config: CanaryConfig, item: int) -> tuple[Family, ...]:
    """The family that finds the planted tokens.

    Raises:
        GuardConfigErrors: a token is too short or too long to be told from ordinary text.
    """
    patterns: set[str] = set()
    mistakes: list[GuardConfigError] = []
    for index, token in enumerate(config.tokens):
        read = letters(normalize(token)[0])
        if not MIN_TOKEN <= len(read) <= MAX_TOKEN:
            said = f"{len(read)} letters and digits; a token has {MIN_TOKEN} to {MAX_TOKEN}"
            mistakes.append(GuardConfigError(("tokens", index), said, "use a random string, e.g. of 16 characters"))
        patterns |= {read, read[::-1]}
    refuse(mistakes)
    ordered = tuple(sorted(patterns))
    family = CanaryFamily(
        AhoCorasick(list(ordered)), ordered, max(map(len, ordered)), config.name, action_of(config.action), item
    )
    return (family,)


@dataclass(frozen=True, slots=True)
class LeakFamily:
    """Finds where a text repeats one system prompt for ``least`` letters or more. ``leak_family`` makes one.

    Every stretch of twice ``_BLOCK`` letters of the prompt holds one of its aligned blocks whole, so the blocks are
    looked for in one pass and each find is grown in both directions: linear in the text, and in the prompt once.
    """

    prompt: str
    exempt: str
    blocks: AhoCorasick
    places: tuple[int, ...]
    least: int
    action: Action
    item: int

    width = 1
    digits = False
    left = 0

    @property
    def actions(self) -> frozenset[Action]:
        """One for all."""
        return frozenset((self.action,))

    @property
    def hold(self) -> int:
        """The longest stretch of one finding, with marks between its letters."""
        return _LONGEST * SPREAD

    def scan(self, text: str, positions: list[int], last: bool) -> tuple[list[Hit], int]:
        """See ``matching.Family``."""
        start = max(0, positions[0])
        part = text[start:]
        read = letters(part)
        stretches = self._stretches(read)
        open_at = len(read)
        if not last:
            open_at = self._open(read)
        hits: list[Hit] = []
        if stretches or open_at < len(read):
            origins = _letters_from(part)
            done = 0
            for a, b in stretches:
                if b == len(read) and not last and b - a < _LONGEST:
                    open_at = min(open_at, a)
                    break
                done = b
                if read[a:b] not in self.exempt:
                    hits.append(
                        make_hit(
                            (start + origins[a], start + origins[b - 1] + 1),
                            1.0,
                            "SYSTEM_PROMPT",
                            self.action,
                            guard="leak",
                            item=self.item,
                        )
                    )
            open_at = max(open_at, done)
            live = start + origins[open_at] if open_at < len(read) else len(text)
        else:
            live = len(text)
        positions[0] = max(start, live)
        return hits, live

    def _stretches(self, read: str) -> list[tuple[int, int]]:
        """Repeated stretches, leftmost first, without overlaps, ``_LONGEST`` letters at most each."""
        found: list[tuple[int, int]] = []
        reach = 0
        for index, begin, end in self.blocks.find_matches_as_indexes(read, overlapping=True):
            if end <= reach:
                continue
            place = self.places[index]
            a, b = max(begin, reach), end  # a block may begin with the last letters of the stretch before
            while (
                a > reach
                and place - (begin - a) > 0
                and begin - a < _LONGEST
                and read[a - 1] == self.prompt[place - (begin - a) - 1]
            ):
                a -= 1
            top = min(len(read), a + _LONGEST)
            while b < top and place + (b - begin) < len(self.prompt) and read[b] == self.prompt[place + (b - begin)]:
                b += 1
            if b - a >= self.least:
                found.append((a, b))
                reach = b
        return found

    def _open(self, read: str) -> int:
        """Where the longest end of ``read`` begins that stands in the prompt; shorter ends of it do as well."""
        low, high = 0, min(len(read), self.least)
        while low < high:
            middle = (low + high + 1) // 2
            if read[len(read) - middle :] in self.prompt:
                low = middle
            else:
                high = middle - 1
        return len(read) - low


class LeakConfig(Strict):
    """How much of the system prompt may come out.

    Attributes:
        least: shortest stretch that counts, in letters and digits; twelve English words have about 60.
    """

    least: Annotated[int, Field(ge=2 * _BLOCK, le=_LONGEST)] = 64
    action: ActionWord = "block"


def leak_family(
    config: LeakConfig, system: Iterable[str], known: Iterable[str] = (), item: int = 0
) -> LeakFamily | None:
    """The family for one request.

    Args:
        config: what counts.
        system: the texts of the system prompt.
        known: what the user wrote: repeating that is no leak.
        item: place in the list of guards.

    Returns:
        ``None`` where the system prompt is shorter than the shortest stretch: it cannot leak one.
    """
    prompt = "\0".join(letters(normalize(text)[0]) for text in system)
    places: dict[str, int] = {}
    for at in range(0, len(prompt) - _BLOCK + 1, _BLOCK):
        places.setdefault(prompt[at : at + _BLOCK], at)
    if len(prompt) < config.least or not places:
        return None
    return LeakFamily(
        prompt=prompt,
        exempt="\0".join(letters(normalize(text)[0]) for text in known),
        blocks=AhoCorasick(list(places)),
        places=tuple(places.values()),
        least=config.least,
        action=action_of(config.action),
        item=item,
    )


@dataclass(frozen=True, slots=True)
class LeakMold:
    """Stands in the list until a request brings its system prompt; by itself it finds nothing."""

    config: LeakConfig
    item: int

    width = 1
    digits = False
    left = 0
    hold = _LONGEST * SPREAD

    @property
    def actions(self) -> frozenset[Action]:
        """One for all."""
        return frozenset((action_of(self.config.action),))

    def scan(self, text: str, positions: list[int], last: bool) -> tuple[list[Hit], int]:  # noqa: ARG002
        """Nothing: there is no prompt to find."""
        return [], len(text)

    def cast(self, system: Iterable[str], known: Iterable[str]) -> Family | None:
        """The family for one request; see ``leak_family``."""
        return leak_family(self.config, system, known, self.item)


def compile_leak(config: LeakConfig, item: int) -> tuple[Family, ...]:
    """What becomes a family once the request is there."""
    return (LeakMold(config, item),)
