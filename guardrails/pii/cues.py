"""What announces a value, in English and Korean, and what the value then looks like."""

# ruff: noqa: SIM905 -- a table reads better as one

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from guardrails.pii.checks import digits_of, utr
from guardrails.pii.spoken import Cue

if TYPE_CHECKING:
    from collections.abc import Callable

    from guardrails.matching import Candidate

_NUMBER = r"(?: ?(?:number|num\b|no\b\.?|code|#|번호|코드))?"
# Between the words and a value of digits; nothing at all will do.
_LOOSE = r"(?: ?(?:is|was|=|:|은|는|이|가|#))?:? {0,2}[\"'`]?"
# Where the value may be any word: `is`, a colon, an equals sign, a Korean particle.
_STRICT = r"(?: (?:is|was):? |[\"'`]? {0,2}(?:=>|:=|[:=])(?!=) {0,2}|(?:은|는|이|가) {1,2})"
_END = r"(?![0-9A-Za-z_]|[-./]?[0-9])"


def _cue(
    category: str,
    literals: str,
    value: str,
    begun: str,
    limit: int,
    *,
    words: str = "",
    link: str = _NUMBER + _LOOSE,
    judge: Callable[[Candidate], float] = lambda _: 0.9,
) -> Cue:
    """A row. ``literals`` are separated by commas; ``words`` refines them where a literal alone says too little."""
    known = tuple(literal.strip() for literal in literals.split(","))
    head = words or "|".join(re.escape(literal) for literal in sorted(known, key=len, reverse=True))
    # A Latin word begins at its own edge; Hangul may be glued to what comes before.
    said = rf"(?:(?<![A-Za-z0-9])|(?<=_))(?:{head}){link}"
    flags = re.ASCII | re.IGNORECASE
    return Cue(
        category, known, re.compile(said, flags), re.compile(value, re.ASCII), re.compile(begun, re.ASCII), limit, judge
    )


# --- cards --------------------------------------------------------------------------------------------
_CARD = re.compile(r"card|visa|master|amex|credit|debit|\bexp\b|cvv|cvc|카드|유효", re.IGNORECASE)


def _judge_expiry(candidate: Candidate) -> float:
    return 0.9 if candidate.after(_CARD, 56) else 0.0


# --- accounts and identity ----------------------------------------------------------------------------
_AMERICAN = re.compile(r"\bu\.?s\.?\b|america|미국", re.IGNORECASE)


def _judge_passport(candidate: Candidate) -> float:
    """Korean passports have the same form: a word for the United States decides."""
    if candidate.value.isdigit():
        return 0.9
    return 0.96 if candidate.after(_AMERICAN, 40) else 0.85


def _judge_utr(candidate: Candidate) -> float:
    return 0.95 if utr(digits_of(candidate.value)) else 0.8


def _judge_plate(candidate: Candidate) -> float:
    value = candidate.value.replace(" ", "").replace("-", "")
    return 0.85 if 5 <= len(value) <= 8 and any(map(str.isdigit, value)) and not value.isdigit() else 0.0


# --- words of entry -----------------------------------------------------------------------------------
_NO_VALUE = frozenset(
    (
        "str string none null nil true false bool int text bytes object any optional required self cls user admin root"
        " the a an not no your my this that empty blank missing invalid wrong incorrect correct changed reset expired"
        " password passwd username undefined anonymous default value input request os process env field hidden varchar"
    ).split()
)


_EXPRESSION = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+|[A-Z_]+(?:_[A-Z0-9]+)+|[*/.%+=-]+|https?:.*")


def _judge_password(candidate: Candidate) -> float:
    """Not a word of prose, not an expression of a program: letters mixed with digits or signs, or digits alone."""
    value = candidate.value
    if value.lower() in _NO_VALUE or value.isalpha() or len(set(value)) < 3:
        return 0.0
    # An attribute, a call, an index of a program.
    if _EXPRESSION.fullmatch(value) or candidate.text[candidate.end : candidate.end + 1] in {"(", "[", "{"}:
        return 0.0
    letters, digits = any(map(str.isalpha, value)), any(map(str.isdigit, value))
    if not digits:
        return 0.8 if letters and re.search(r"[!@#$%^&*?]", value) and len(value) >= 6 else 0.0
    return 0.85 if letters or len(value) >= 4 else 0.0


_ASSIGNED = re.compile(r"= {0,2}\Z")


def _judge_username(candidate: Candidate) -> float:
    """An assignment without quotation marks names a variable, not a person."""
    value = candidate.value
    if _ASSIGNED.search(candidate.text, max(0, candidate.start - 4), candidate.start):
        return 0.0
    return 0.0 if value.lower() in _NO_VALUE or value.isdigit() else 0.8


# Printable ASCII without blanks, quotation marks, brackets, commas: a Korean particle ends it.
_ENTRY = r"[!#-&*+./0-9:=?@A-Z\\^_a-z|~-]"

CUES: tuple[Cue, ...] = (
    _cue(
        "CREDIT_DEBIT_CARD_CVV",
        "cvv, cvc, security code, card verification, card code, 보안코드, 보안 코드, 카드 뒷면",
        rf"[0-9]{{3,4}}{_END}",
        r"[0-9]{1,4}[-./]?",
        8,
        words=r"c[vs][vc]2?|security code|card verification (?:code|value|number)|card code|보안 ?코드"
        r"|카드 뒷면(?: 세 ?자리)?",
    ),
    _cue(
        "CREDIT_DEBIT_CARD_EXPIRY",
        "exp, valid, good thru, 유효기간, 유효 기간, 만료일, 만기일",
        rf"(?:0[1-9]|1[0-2])(?: ?[/-] ?)(?:20)?[2-4][0-9]{_END}|[0-9]{{2,4}}년 ?[0-9]{{1,2}}월",
        r"[0-9]{1,4}[년월0-9 /.-]{0,8}",
        16,
        words=r"exp(?:\.|iry|ires|iration)?(?: date| on)?|valid (?:thru|through|until|to)|good thru"
        r"|유효 ?기간|만[료기]일",
        link=_LOOSE,
        judge=_judge_expiry,
    ),
    _cue(
        "PIN",
        "pin, 핀번호, 핀 번호, 핀코드, 카드 비밀번호, 계좌 비밀번호, 출금 비밀번호",
        rf"[0-9]{{4,8}}{_END}(?!년)",
        r"[0-9]{1,8}[-./]?",
        12,
        words=r"pin(?: ?(?:code|number|no\.?|is|was|:|=|번호|코드|은))|핀 ?번호|핀코드"
        r"|(?:카드|계좌|출금) 비밀번호",
        link=_LOOSE,
    ),
    _cue(
        "US_BANK_ACCOUNT_NUMBER",
        "account, acct, a/c, checking, savings",
        rf"[0-9]{{4,5}}[ -][0-9]{{4,5}}[ -]?[0-9]{{2,9}}{_END}|[0-9]{{6,17}}{_END}",
        r"[0-9][0-9 ./-]*",
        24,
        words=r"(?:bank )?a(?:ccount|cct\.?|/c) ?(?:number|num\b|no\b\.?|#)|(?:checking|savings) account",
        judge=lambda _: 0.87,
    ),
    _cue(
        "US_PASSPORT_NUMBER",
        "passport, 여권",
        rf"[A-Z]?[0-9]{{8}}{_END}|[0-9]{{9}}{_END}",
        r"[A-Z]?[0-9 ./-]*",
        14,
        judge=_judge_passport,
    ),
    _cue(
        "UK_UNIQUE_TAXPAYER_REFERENCE_NUMBER",
        "utr, unique taxpayer, tax reference, 납세자 고유 번호",
        rf"[0-9]{{5}} ?[0-9]{{5}}{_END}",
        r"[0-9][0-9 ./-]*",
        16,
        words=r"utr|unique taxpayer(?:'s)? ref(?:erence)?(?: \(utr\))?|tax reference|납세자 고유 번호",
        judge=_judge_utr,
    ),
    _cue(
        "CA_HEALTH_NUMBER",
        "health card, health number, health care card, ohip, ramq, carte soleil, assurance maladie, 캐나다 건강보험"
        ", 캐나다 의료보험",
        rf"[0-9]{{4}}([ -]?)[0-9]{{3}}\1[0-9]{{3}}(?:[ -]?[A-Z]{{2}})?{_END}|[A-Z]{{4}} ?[0-9]{{4}} ?[0-9]{{4}}{_END}"
        rf"|[0-9]{{5}}[ -]?[0-9]{{4}}{_END}|[0-9]{{3}}([ -]?)[0-9]{{3}}\2[0-9]{{3}}{_END}|[0-9]{{12}}{_END}",
        r"[0-9A-Z][0-9A-Z ./-]*",
        22,
        words=r"health (?:card|number|care card)|ohip|ramq|carte soleil|assurance maladie|캐나다 (?:건강|의료)보험증?",
    ),
    _cue(
        "LICENSE_PLATE",
        "license plate, licence plate, number plate, registration plate, plate no, plate number, plate is, plate:"
        ", vehicle registration, car registration, 번호판, 차량번호, 차량 번호",
        rf"[A-Z0-9]{{1,4}}[ -]?[A-Z0-9]{{2,5}}{_END}",
        r"[0-9A-Z][0-9A-Z ./-]*",
        14,
        words=r"(?:licen[cs]e |number |registration )plate|plate(?= ?(?:number|no\b|is|:))|(?:vehicle|car) registration"
        r"|번호판|차량 ?번호",
        judge=_judge_plate,
    ),
    _cue(
        "AGE",
        "age, aged, 나이, 연령",
        r"[0-9]{1,3}(?![0-9A-Za-z_%/-]|[.,][0-9])",
        r"[0-9]{1,3}[.,]?",
        5,
        words=r"aged?|나이|연령",
        link=r"(?: ?(?:is|was|of|=|:|은|는|가))? {0,2}(?:만 ?)?",
        judge=lambda candidate: 0.8 if 0 < int(candidate.value) < 120 else 0.0,
    ),
    _cue(
        "PASSWORD",
        "password, passwd, passphrase, passcode, pwd, 비밀번호, 비번, 패스워드, 암호",
        rf"[\"'`]?(?P<value>{_ENTRY}{{4,64}}(?<![.:?]))[.:?]{{0,3}}(?!{_ENTRY})",
        rf"[\"'`]?{_ENTRY}{{0,68}}",
        69,
        link=_STRICT,
        judge=_judge_password,
    ),
    _cue(
        "USERNAME",
        "username, user name, user id, userid, login, screen name, 아이디, 사용자명, 사용자 이름, 유저네임, 계정명",
        r"[\"'`]?(?P<value>[A-Za-z0-9À-ÖØ-öø-ÿĀ-ſ](?:[A-Za-z0-9À-ÖØ-öø-ÿĀ-ſ_.@-]{1,31})(?<![.@-]))"
        r"(?![A-Za-z0-9À-ÖØ-öø-ÿĀ-ſ_@(\[]|[.][A-Za-z0-9À-ÖØ-öø-ÿĀ-ſ])",
        r"[\"'`]?[A-Za-z0-9À-ÖØ-öø-ÿĀ-ſ_.@-]{0,34}",
        37,
        words=r"user ?name|user ?id|login(?: id| name)?|screen name|아이디|사용자(?: ?이름|명)|유저네임|계정명",
        link=_STRICT,
        judge=_judge_username,
    ),
    _cue(
        "ADDRESS",
        "zip, postal code, postcode, 우편번호",
        rf"[0-9]{{5}}-[0-9]{{3,4}}{_END}|[0-9]{{3}}[ -][0-9]{{2,3}}{_END}|[0-9]{{3,6}}{_END}"
        rf"|[A-Z]{{1,2}}[0-9][A-Z0-9]? ?[0-9][A-Z]{{2}}{_END}|[A-Z][0-9][A-Z] ?[0-9][A-Z][0-9]{_END}",
        r"[0-9A-Z][0-9A-Z ./-]*",
        14,
        words=r"zip(?: ?code)?|post(?:al )?code|우편번호",
        link=_LOOSE,
    ),
)
