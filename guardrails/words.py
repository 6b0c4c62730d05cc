"""The ``words`` guard: words and phrases of the operator's, and the managed lists.

Case is folded, invisible characters and compatibility forms do not matter, Korean is found in syllables
and in loose letters. In ``word`` mode a Latin word must stand alone; a Korean one may carry a particle. Spellings
that are meant to slip by are found as well (``disguises``).
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Literal

from ahocorasick_rs import AhoCorasick
from pydantic import Field

from guardrails.config import ActionWord, Strict, Words, action_of, refuse, suggest
from guardrails.disguises import MOST, Kind, disguises, stands_alone
from guardrails.matching import Family, Hit, make_hit
from guardrails.normalize import normalize
from guardrails.types import Action, GuardConfigError
from guardrails.wordlists import LISTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

MAX_WORDS = 10_000
MAX_LENGTH = 100

# Particles and endings that may follow a Korean word at once; what follows them must not be Hangul.
_PARTICLE = re.compile(
    "(?:들)?(?:은|는|이|가|을|를|에|의|도|만|와|과|로|으로|에서|에게|한테|께|부터|까지|처럼|보다|라고|이라고|야|아|여|이야|이다"
    "|입니다|이에요|예요|이고|랑|이랑|나|이나|요|들|같은|같이|같네|같아|인데|이네|이냐|냐|임|마저|조차|밖에)?(?![가-힣])"
)
_PARTICLE_MAX = 6


class WordsConfig(Strict):
    """What to look for and what to do about it.

    Attributes:
        words: words or phrases, at most 100 code points each.
        lists: managed lists, e.g. ``profanity-en``, ``profanity-ko``.
        match: ``word`` = stands alone; ``substring`` = anywhere.
        disguises: whether spellings such as ``f u c k`` and ``sh1t`` count as the word.
        allow: words or phrases inside which a hit does not count.
    """

    words: Words = ()
    lists: Words = ()
    match: Literal["word", "substring"] = "word"
    disguises: bool = True
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
    kinds: bytes  # ``Kind`` of each pattern
    ordered: tuple[str, ...]  # every pattern, sorted: what may still be completed
    heads: Mapping[str, int]  # first two characters -> the longest pattern that begins so
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
        folded = part.lower() if part.isascii() else part.casefold()  # the same, and faster
        origins = None if len(folded) == len(part) else _origins(part)
        found = self.finder.find_matches_as_indexes(folded, overlapping=True)
        live = len(folded) if last else self._live(folded, found)
        lowest = start - begin_at
        spans: list[tuple[int, int]] = []
        allowed: list[tuple[int, int]] = []
        for index, begin, end in found:
            kind = self.kinds[index]
            if not self._stands(folded, begin, end, kind):
                continue
            if kind == Kind.ALLOWED:
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

    def _stands(self, text: str, begin: int, end: int, kind: int) -> bool:
        if kind > Kind.ALLOWED:
            sure = kind in {Kind.LEET, Kind.SPACED} or (_edge_before(text, begin) and _edge_after(text, end))
            return sure and stands_alone(text, begin, end, Kind(kind))
        return not self.whole or (_edge_before(text, begin) and _edge_after(text, end))

    def _live(self, text: str, found: Iterable[tuple[int, int, int]]) -> int:
        size = len(text)
        live = size
        heads = self.heads
        for offset in range(max(0, size - self.longest), size):
            if heads.get(text[offset : offset + 2], 0) >= size - offset:
                tail = text[offset:]
                at = bisect_left(self.ordered, tail)
                if at < len(self.ordered) and self.ordered[at].startswith(tail):
                    live = offset
                    break
        reach = _PARTICLE_MAX if self.whole or self.kinds[-1] > Kind.ALLOWED else 1
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


_NOISES = frozenset("ᄏ휴ᅮ")  # ㅋ, ㅎ, ㅠ, ㅜ


def _jamo(char: str) -> bool:
    """Whether it is a consonant that stands by itself."""
    return "ᄀ" <= char <= "ᄒ"


def _edge_before(text: str, begin: int) -> bool:
    if begin == 0:
        return True
    before, first = text[begin - 1], text[begin]
    if _jamo(first) and _jamo(text[begin + 1 : begin + 2]):
        return before in _NOISES or not "ᄀ" <= before <= "ᇿ"
    if _is_hangul(first):
        return not _is_hangul(before)
    if first.isalnum():
        return not (before.isalnum() and not _is_hangul(before)) and before != "_"
    return True


def _edge_after(text: str, end: int) -> bool:
    if end == len(text):
        return True
    last, after = text[end - 1], text[end]
    if _jamo(last) and text[end - 2 : end - 1] and _jamo(text[end - 2]):
        # Letters that stand for a word (ㅅㅂ) may be followed by laughter, tears or another word.
        return after in _NOISES or not "ᄀ" <= after <= "ᇿ"
    if unicodedata.combining(after) or ("ᅠ" <= after <= "ᇿ" and not ("가" <= last <= "힣" and after < "ᆨ")):
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
    patterns = _patterns(config)
    ordered = tuple(sorted(patterns))
    heads: dict[str, int] = {}
    for pattern in ordered:
        for head in {pattern[:1], pattern[:2]}:
            heads[head] = max(heads.get(head, 0), len(pattern))
    family = WordFamily(
        finder=AhoCorasick(list(patterns)),
        kinds=bytes(patterns.values()),
        ordered=ordered,
        heads=heads,
        longest=max(map(len, patterns)),
        left=3 + max((len(pattern) for pattern, kind in patterns.items() if kind is Kind.ALLOWED), default=0),
        whole=config.match == "word",
        category=config.name,
        action=action_of(config.action),
        item=item,
    )
    return (family,)


def _patterns(config: WordsConfig) -> dict[str, Kind]:
    """Every spelling that is looked for. Words come before their disguises; an allowed phrase wins over both."""
    words = dict.fromkeys((*config.words, *(word for name in config.lists for word in LISTS[name])))
    patterns: dict[str, Kind] = {}
    for word in words:
        patterns.update(dict.fromkeys(sorted(_spellings(word)), Kind.PLAIN))
    for word in config.allow:
        patterns.update(dict.fromkeys(sorted(_spellings(word)), Kind.ALLOWED))
    if config.disguises:
        each = max(1, (MOST - len(patterns)) // max(1, len(words)))
        for word in words:
            for spelling, kind in islice(disguises(fold(word)), each):
                patterns.setdefault(spelling, kind)
    return patterns


def _problem(word: str) -> tuple[str, str] | None:
    folded = fold(word)
    if not folded.strip():
        return "an empty word matches everywhere", "remove it"
    if len(word) > MAX_LENGTH:
        return f"{len(word)} code points; the limit is {MAX_LENGTH}", "use the regex guard for long texts"
    return None
