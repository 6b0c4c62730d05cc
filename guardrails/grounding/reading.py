"""A text as sentences, and a sentence as what can be compared: stems, names, values, whether it denies something.

Korean words lose their particles and endings, English ones their inflection: roughly, by form, without a dictionary.
Offsets are code points of the text as it was given; comparing is done in folded form.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from guardrails.grounding.quantities import Quantity, known, quantities
from guardrails.learned.windows import cut
from guardrails.normalize import normalize

if TYPE_CHECKING:
    from collections.abc import Iterator

_TOKEN: Final = re.compile(r"[가-힣]+|[^\W가-힣_]+(?:['’][a-z]+)?", re.IGNORECASE)
_HANGUL: Final = re.compile(r"[가-힣]")
#: Words that carry no claim of their own.
_EMPTY: Final = frozenset(
    """
    a an the this that these those it its they them their he him his she her we us our you your i me my one ones who
    whom whose which what when where why how there here and or but nor so yet if then than as at by for from in into
    of off on onto out over to up with within without about above after again against all also am any are be because
    been before being below between both can could did do does doing down during each few further had has have having
    is just may might more most must only other own same shall should some such through too under until very was were
    will would s t re ve ll d m via per upon while among across however therefore thus
    그 이 저 것 수 등 및 또 또는 그리고 하지만 그러나 그래서 따라서 매우 아주 더 가장 때 중 위 대한 대해 있다 있는
    있습니다 하다 하는
    합니다 했다 했습니다 되다 되는 됩니다 된 이다 입니다 같은 통해 위해 의해 나 너 우리 저희 그녀 그들 있어요 해요 거
    건 게
    """.split()  # noqa: SIM905 -- a table
)
_DENIES: Final = re.compile(
    r"\b(?:not|no|never|none|nobody|nothing|neither|nor|without|cannot|unable|fails?|failed|lacks?|denied|denies)\b|n['’]t\b"
    r"|않|못하|못 |못했|없|아니|아닌|아닙|안 [가-힣]|결코|절대|불가능|지 마"
)
#: Longest first: what may hang on a Korean noun or close a verb.
_TAILS: Final = tuple(
    sorted(
        """
        은 는 이 가 을 를 의 에 로 와 과 도 만 나 랑 께 야 으로 에서 에게 한테 부터 까지 이나 이랑 보다 처럼 마다
        밖에 조차 이며 이고
        으로는 에서는 에게는 으로써 로써 으로서 로서 에는 에도 와의 과의 로의 에서의 이라는 라는 이라고 라고 이라
        들은 들이 들을 들의
        들에게 하다 한다 했다 하고 하며 하는 하여 해서 했고 했으며 했던 하지 할 한 함 합니다 했습니다 해요 했어요
        하면 하기 된다 됐다
        되었다 되는 되어 되고 된 될 됩니다 되었습니다 이다 입니다 이었다 였다 이에요 예요 습니다 었다 았다 었습니다
        았습니다 는다 ㄴ다 다
        고 며 면 지 게 서 던 네 요 었고 았고 었던 았던 어서 아서 으면 으며 는데 지만 었지만 았지만
        """.split(),  # noqa: SIM905 -- a table
        key=len,
        reverse=True,
    )
)
_SUFFIXES: Final = (
    "'s", "’s", "ingly", "edly", "ations", "ation", "ings", "ing", "ies", "ied", "ily", "ed", "es", "ly", "s",
)  # fmt: skip
_CAPITAL: Final = re.compile(r"\b[A-Z][\w'’-]*(?:\s(?:of|the|de|van|von|and)?\s?[A-Z][\w'’-]*)*")
#: Korean forms that mark a proper noun: what it is of, or the title that follows it.
_KOREAN_NAME: Final = re.compile(
    r"[가-힣]{2,8}(?:시|군|구|동|도|대학교|대학|주식회사|그룹|은행|병원|법원|위원회|전자|산업|대통령|총리|장관|의원|교수|박사|감독|선수|사장|회장|씨|님)"
    r"(?=[은는이가을를의에로와과도,.\s]|$)|[A-Za-z][A-Za-z0-9]{1,}(?=[은는이가을를의에로와과])"
)


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence, read.

    Attributes:
        start, end: where it lies in the original text.
        stems: its content words in order.
        names: stems of its proper names.
        values: numbers and days.
        denies: whether it holds an odd number of denials.
        grams: its letters in threes (in twos for Korean), without gaps.
    """

    start: int
    end: int
    text: str
    stems: tuple[str, ...]
    names: frozenset[str]
    values: tuple[Quantity, ...]
    denies: bool
    grams: frozenset[str]

    @property
    def korean(self) -> bool:
        """Whether it is written in Hangul."""
        return _HANGUL.search(self.text) is not None


def sentences(text: str) -> list[Sentence]:
    """The sentences of ``text`` that hold a letter or a digit."""
    folded, origins = normalize(text)
    starts, end = cut(folded, 0, last=True)
    found = []
    for begin, stop in pairwise([*starts, end]):
        piece = folded[begin:stop]
        left = begin + len(piece) - len(piece.lstrip())
        right = begin + len(piece.rstrip())
        if any(char.isalnum() for char in piece):
            span = (left, right) if origins is None else (origins[left], origins[right - 1] + 1)
            found.append(_read(folded[left:right], *span))
    return found


def _read(text: str, start: int, end: int) -> Sentence:
    low = text.lower()
    words = [word for word in _TOKEN.findall(low) if word not in _EMPTY]
    stems = tuple(made for word in words if (made := stem(word)) and made not in _EMPTY)
    return Sentence(
        start, end, text, stems, frozenset(_names(text)), tuple(quantities(low)), _denies(low), frozenset(grams(low))
    )


def _denies(low: str) -> bool:
    return sum(1 for _ in _DENIES.finditer(low)) % 2 == 1


def grams(low: str) -> Iterator[str]:
    """Letters in threes, Hangul in twos, within words."""
    for word in _TOKEN.findall(low):
        size = 2 if _HANGUL.match(word) else 3
        if len(word) <= size:
            yield word
        for at in range(len(word) - size + 1):
            yield word[at : at + size]


def _names(text: str) -> Iterator[str]:
    for match in _CAPITAL.finditer(text):
        words = match[0].split()
        if len(words) == 1 and text[: match.start()].rstrip()[-1:] in ("", *".!?:\"“'"):
            continue  # the first word of a sentence is capital in any case
        yield from (made for word in words if (made := stem(word.lower())) not in _EMPTY and word[:1].isupper())
    for match in _KOREAN_NAME.finditer(text):
        yield stem(match[0].lower())


@lru_cache(maxsize=1 << 16)
def stem(word: str) -> str:
    """A lower-case word without what only its place in the sentence gave it."""
    if _HANGUL.match(word):
        for tail in _TAILS:
            if word.endswith(tail) and len(word) - len(tail) >= 2:
                return word[: -len(tail)]
        return word
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= 3:
            kept = word[: -len(suffix)]
            kept = kept[:-1] if len(kept) > 3 and kept[-1] == kept[-2] and kept[-1] not in "sl" else kept
            return kept + "y" if suffix in ("ies", "ied", "ily") else kept.rstrip("e") or kept
    return word.rstrip("e") if len(word) > 4 else word


__all__ = ["Sentence", "grams", "known", "sentences", "stem"]
