"""The ``words`` guard: words and phrases of the operator's, and the managed lists.

Case is folded, invisible characters and compatibility forms do not matter, Korean is found in syllables
and in loose letters. In ``word`` mode a Latin word must stand alone; a Korean one may carry a particle.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from ahocorasick_rs import AhoCorasick
from pydantic import Field

from guardrails.config import ActionWord, Strict, Words, action_of, refuse, suggest
from guardrails.matching import Family, Hit, make_hit
from guardrails.normalize import normalize
from guardrails.types import Action, GuardConfigError
from guardrails.wordlists import LISTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MAX_WORDS = 10_000
MAX_LENGTH = 100

# Particles and endings that may follow a Korean word at once; what follows them must not be Hangul.
_PARTICLE = re.compile(
    "(?:들)?(?:은|는|이|가|을|를|에|의|도|만|와|과|로|으로|에서|에게|한테|께|부터|까지|처럼|보다|라고|이라고|야|아|여|이야|이다"
    "|입니다|이에요|예요|이고|랑|이랑|나|이나|요|들)?(?![가-힣])"
)
_PARTICLE_MAX = 6


class WordsConfig(Strict):
    """What to look for and what to do about it.

    Attributes:
        words: words or phrases, at most 100 code points each.
        lists: managed lists, e.g. ``profanity-en``, ``profanity-ko``.
        match: ``word`` = stands alone; ``substring`` = anywhere.
        allow: words or phrases inside which a hit does not count.
    """

    words: Words = ()
    lists: Words = ()
    match: Literal["word", "substring"] = "word"
    allow: Words = ()
    action: ActionWord = "block"
    name: Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]{0,39}$")] = "WORD"


def fold(text: str) -> str:
    """The form in which words are compared."""
    return normalize(text)[0].casefold()


def _spellings(word: str) -> set[str]:
    """As written, decomposed, and with every Korean letter written apart (ㅂㅏㅂㅗ)."""
    folded = fold(word)
    decomposed = unicodedata.normalize("NFD", folded)
    # A letter written apart has the leading form even where it closes a syllable.
    apart = "".join(_APART.get(char, char) for char in decomposed)
    return {folded, decomposed, apart}


_APART = {
    chr(0x11A8 + index): "".join(unicodedata.normalize("NFKC", letter))
    for index, letter in enumerate("ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ")
}


@dataclass(frozen=True, slots=True)
class WordFamily:
    """All words of one guard, found in one pass."""

    finder: AhoCorasick
    allowed_from: int  # patterns from this index on are the allowlist
    ordered: tuple[str, ...]  # every pattern, sorted: what may still be completed
    heads: frozenset[str]
    longest: int
    left: int
    whole: bool
    category: str
    action: Action
    item: int

    width = 1
    digits = False

    @property
    def actions(self) -> frozenset[Action]:
        """One for all."""
        return frozenset((self.action,))

    @property
    def hold(self) -> int:
        """The longest word and what must be seen after it."""
        return self.longest + _PARTICLE_MAX

    def scan(self, text: str, positions: list[int], last: bool) -> tuple[list[Hit], int]:
        """See ``matching.Family``."""
        start = positions[0]
        # Folding a character may lengthen it (ß); then offsets are led back through ``origins``.
        # A phrase that shields what comes may have begun before.
        begin_at = max(0, start - self.left)
        part = text[begin_at:]
        folded = part.casefold()
        origins = None if len(folded) == len(part) else _origins(part)
        found = self.finder.find_matches_as_indexes(folded, overlapping=True)
        live = len(folded) if last else self._live(folded, found)
        lowest = start - begin_at
        spans: list[tuple[int, int]] = []
        allowed: list[tuple[int, int]] = []
        for index, begin, end in found:
            if not self._stands(folded, begin, end):
                continue
            if index >= self.allowed_from:
                allowed.append((begin, end))
            elif lowest <= _to(origins, begin) and begin < live:
                spans.append((begin, end))
        hits = [
            make_hit(
                (begin_at + _to(origins, begin), begin_at + _to(origins, end - 1) + 1),
                1.0,
                self.category,
                self.action,
                guard="words",
                item=self.item,
            )
            for begin, end in _outside(spans, allowed)
        ]
        live = begin_at + (_to(origins, live) if live < len(folded) else len(part))
        positions[0] = max(start, live)
        return hits, live

    def _stands(self, text: str, begin: int, end: int) -> bool:
        if not self.whole:
            return True
        return _edge_before(text, begin) and _edge_after(text, end)

    def _live(self, text: str, found: Iterable[tuple[int, int, int]]) -> int:
        size = len(text)
        live = size
        for offset in range(max(0, size - self.longest), size):
            if text[offset] in self.heads and (not self.whole or _edge_before(text, offset)):
                tail = text[offset:]
                at = bisect_left(self.ordered, tail)
                if at < len(self.ordered) and self.ordered[at].startswith(tail):
                    live = offset
                    break
        reach = _PARTICLE_MAX if self.whole else 1
        open_ended = (begin for _, begin, end in found if end + reach > size)
        return min(live, min(open_ended, default=size))


def _outside(spans: list[tuple[int, int]], allowed: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The spans that do not lie inside an allowed one; one sweep from left to right."""
    waiting = sorted(allowed, reverse=True)
    reach = 0
    for begin, end in sorted(spans):
        while waiting and waiting[-1][0] <= begin:
            reach = max(reach, waiting.pop()[1])
        if end > reach:
            yield begin, end


def _origins(text: str) -> list[int]:
    return [offset for offset, char in enumerate(text) for _ in char.casefold()]


def _to(origins: list[int] | None, offset: int) -> int:
    return offset if origins is None else origins[offset]


def _is_hangul(char: str) -> bool:
    return "가" <= char <= "힣" or "ᄀ" <= char <= "ᇿ"


def _edge_before(text: str, begin: int) -> bool:
    if begin == 0:
        return True
    before, first = text[begin - 1], text[begin]
    if _is_hangul(first):
        return not _is_hangul(before)
    if first.isalnum():
        return not (before.isalnum() and not _is_hangul(before)) and before != "_"
    return True


def _edge_after(text: str, end: int) -> bool:
    if end == len(text):
        return True
    last, after = text[end - 1], text[end]
    if unicodedata.combining(after) or "ᅠ" <= after <= "ᇿ":
        return False  # the last letter goes on
    if _is_hangul(last):
        return _PARTICLE.match(text, end) is not None
    if last.isalnum():
        return not (after.isalnum() and not _is_hangul(after)) and after != "_"
    return True


def compile_words(config: WordsConfig, item: int) -> tuple[Family, ...]:
    """The family that finds what ``config`` lists.

    Raises:
        GuardConfigErrors: an empty or too long word, an unknown list, too many or no words.
    """
    mistakes = [
        GuardConfigError((key, index), *problem)
        for key in ("words", "allow")
        for index, word in enumerate(getattr(config, key))
        if (problem := _problem(word))
    ]
    mistakes.extend(
        GuardConfigError(("lists", index), f"unknown list {name!r}", suggest(name, LISTS))
        for index, name in enumerate(config.lists)
        if name not in LISTS
    )
    if len(config.words) > MAX_WORDS:
        mistakes.append(
            GuardConfigError(("words",), f"{len(config.words):,} words; the limit is {MAX_WORDS:,}", "split the list")
        )
    if not config.words and not config.lists:
        mistakes.append(GuardConfigError((), "nothing to look for", "give `words` or `lists`"))
    refuse(mistakes)
    wanted: dict[str, None] = {}
    for word in (*config.words, *(word for name in config.lists for word in LISTS[name])):
        wanted.update(dict.fromkeys(sorted(_spellings(word))))
    allowed = dict.fromkeys(spelling for word in config.allow for spelling in sorted(_spellings(word)))
    patterns = (*wanted, *(word for word in allowed))
    family = WordFamily(
        finder=AhoCorasick(patterns),
        allowed_from=len(wanted),
        ordered=tuple(sorted(patterns)),
        heads=frozenset(word[0] for word in patterns),
        longest=max(map(len, patterns)),
        left=1 + max(map(len, allowed), default=0),
        whole=config.match == "word",
        category=config.name,
        action=action_of(config.action),
        item=item,
    )
    return (family,)


def _problem(word: str) -> tuple[str, str] | None:
    folded = fold(word)
    if not folded.strip():
        return "an empty word matches everywhere", "remove it"
    if len(word) > MAX_LENGTH:
        return f"{len(word)} code points; the limit is {MAX_LENGTH}", "use the regex guard for long texts"
    return None
