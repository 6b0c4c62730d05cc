"""Korean names, by likelihood: a surname, a given name, and what stands around them.

A candidate is a surname and one or two syllables at the head of a word, and the particle or title that ends it.
Two syllables are believed when they are a usual given name or when the words around say that it is a name; one
syllable only when the words before say so.
"""

# ruff: noqa: SIM905 -- a table reads better as one

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from guardrails.matching import Candidate, Kind, Rule
from guardrails.pii.lists import load

if TYPE_CHECKING:
    from collections.abc import Iterator

# The commonest surnames by the census of 2015; they cover some 99 % of the population.
_SURNAMES = (
    "김이박최정강조윤장임한오서신권황안송류전홍고문양손배백허유남심노하곽성차주우구민진나지엄채원천방공현함변염여추도소석"
    "선설마길연위표명기반왕금옥육인맹제모탁국어은편용예봉경"
)
_LONG = ("남궁", "황보", "제갈", "사공", "선우", "독고", "동방", "서문")
_TITLES = (
    "님|씨|군|양|선생|교수|대표|사장|회장|과장|부장|차장|대리|팀장|실장|이사|원장|박사|작가|감독|배우|기자|의원|장관|고객|환자"
    "|변호사|간호사|의사|선수|대통령|총리|사원|주임|매니저|담당"
)
_PARTICLES = (
    "은|는|이|가|의|을|를|에게|에게서|한테|한테서|와|과|도|만|께|께서|께서는|이고|이며|이라고|라고|입니다|이에요|예요|이야|야|아|랑|이랑"
    "|로|으로|이다|인데|인데요|인|이었다|였다|에|부터|까지|처럼|보다|하고|이라는|라는|이가|이는|이의|이를|이와"
)
_NAME = re.compile(rf"(?:{'|'.join(_LONG)}|[{_SURNAMES}])[가-힣]{{1,2}}")
_HEAD = re.compile(rf"[{_SURNAMES}제남황사독동](?<![가-힣0-9A-Za-z].)")
_TITLE_AFTER = re.compile(rf" ?(?:{_TITLES})(?:님|들)?(?:{_PARTICLES})?(?![가-힣])")
_END = re.compile(rf"(?:{_PARTICLES})?(?![가-힣])")
_SAID_BEFORE = re.compile(
    r"(?:이름|성명|성함|예금주|고객명|환자명|보호자|담당자|수신인|수취인|발신인|작성자|신청인|신청자|계약자|대표자|대표이사|피보험자"
    r"|세대주|받는 ?(?:사람|분)|보내는 ?(?:사람|분)|보낸 ?(?:사람|분)|참석자|지원자|가입자|예약자|주문자|구매자)"
    r"(?:은|는|이|가|을|의)? ?[:=]? ?\Z|(?:에 사는|에 거주하는|이라는|라는|친구|동생|아들|딸|남편|아내|언니|오빠) \Z"
)
# Ordinary words that are spelled like a name.
_WORDS = frozenset(
    (
        "이용자 지원자 구매자 방문자 전문가 안내자 진행자 노동자 소비자 경영자 지도자 이사장 원장님 주인공"
        " 주인님 하나님 도련님 임금님 공주님"
        " 조상님 신부님 한정은 이기자 연구원 공무원 변호인 정치인 연예인 기업인"
    ).split()
)
_VERB = re.compile("[는고여며면지게도기]")
_HOLD = 24
_OPEN = re.compile(rf"(?<![가-힣0-9A-Za-z])[{_SURNAMES}제남황사독동](?:[가-힣]{{0,13}}(?: [가-힣]{{0,8}})?)?\Z")


def _find(text: str, start: int) -> Iterator[tuple[int, int]]:
    head = _HEAD.search(text, start)
    while head:
        at = head.start()
        end = _name_at(text, at)
        if end:
            yield at, end
        head = _HEAD.search(text, max(end, at + 1))


def _name_at(text: str, at: int) -> int:
    """Where the name ends that begins at ``at``; 0 when none does. The longer reading is tried first."""
    surname = 2 if text.startswith(_LONG, at) else 1
    for given in (2, 1):
        end = at + surname + given
        name = _NAME.match(text, at, end)
        if name is None or name.end() < end:
            continue
        if _TITLE_AFTER.match(text, end) or _END.match(text, end):
            return end
    return 0


def _judge(candidate: Candidate) -> float:
    value, text = candidate.value, candidate.text
    given = value[2:] if value.startswith(_LONG) and len(value) > 3 else value[1:]
    if value in _WORDS:
        return 0.0
    if value.endswith("하") and _VERB.match(text, candidate.end):
        return 0.0  # `이동하는`, `정리하고`: a verb
    usual = given in load("given-names-ko")[0]
    if _SAID_BEFORE.search(text, max(0, candidate.start - 24), candidate.start):
        return 0.95 if usual else 0.85
    if len(given) < 2:
        return 0.0
    if _TITLE_AFTER.match(text, candidate.end):
        return 0.9 if usual else 0.65 if _could_be_given(given) else 0.0
    return 0.75 if usual else 0.0


@cache
def _syllables() -> tuple[frozenset[str], frozenset[str]]:
    """First and second syllables of the usual given names."""
    names = load("given-names-ko")[0]
    return frozenset(name[0] for name in names), frozenset(name[1] for name in names)


def _could_be_given(given: str) -> bool:
    firsts, seconds = _syllables()
    return given[0] in firsts and given[1] in seconds


def _live(text: str) -> int:
    found = _OPEN.search(text, max(0, len(text) - _HOLD))
    return found.start() if found else len(text)


KOREAN_NAME = Kind("korean name", _HEAD.search, _live, _HOLD)

RULES: tuple[tuple[Kind, Rule], ...] = ((KOREAN_NAME, Rule("NAME", _find, _judge)),)
