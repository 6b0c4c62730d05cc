"""Numbers of people and money outside Korea, and the tail that all numbers share."""

from __future__ import annotations

import re

from guardrails.matching import Candidate, Judge, Kind, Rule, by_pattern, run_start, starts_by
from guardrails.pii.checks import aba_routing, digits_of, luhn, nhs
from guardrails.pii.shape import DIGITS, gate_by_shape

# Not inside a longer word or number; Hangul may touch ("번호950710-1170869로").
LEFT_EDGE = r"(?<![0-9A-Za-z_])(?<![0-9][-.])"
# A plus sign or a bracket may be part of a telephone number.
PHONE_EDGE = r"(?<![0-9A-Za-z_+])(?<![0-9][-.])"
RIGHT_EDGE = r"(?![0-9A-Za-z_]|[-.]?[0-9])"

_NUMBER_CHARS = "0123456789 ()+-./xX#"
_NUMBER_MAX = 48
_LABELS = r"(?:office|fax|mobile|home|work|cell|desk|phone|tel)"
_LABEL_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_LABEL_MAX = 6
_BEFORE_LABEL = frozenset(" -)0123456789")
_ENOUGH = re.compile(r"(?:[0-9][ ().-]{0,2}){5}")


def _number_start(text: str) -> int:
    start = run_start(text, _NUMBER_CHARS, _NUMBER_MAX)
    tail = text[start:]
    return start + len(tail) - len(tail.lstrip(" )-./xX#"))


def _live_number(text: str) -> int:
    start = _number_start(text)
    # A number may be known by the word after it: "74 831 591 office".
    letters = len(text) - run_start(text, _LABEL_LETTERS, _LABEL_MAX + 1)
    if 0 < letters <= _LABEL_MAX and text[-letters - 1 : -letters] in _BEFORE_LABEL:
        before = text[max(0, len(text) - letters - _NUMBER_MAX - 1) : len(text) - letters]
        begin = _number_start(before)
        if _ENOUGH.search(before, begin):
            start = min(start, len(text) - letters - len(before) + begin)
    return start


NUMBER = Kind(
    "number",
    gate_by_shape({"0": DIGITS}, ("000000",), drop=" ().+-"),
    _live_number,
    _NUMBER_MAX + _LABEL_MAX + 1,
    digits=True,
    # A digit, bracket or plus that no letter or digit touches, and five more digits.
    starts=starts_by(r"[0-9(+](?<![0-9A-Za-z_][0-9(+])(?=(?:[ ().+-]{0,3}[0-9]){5})"),
)


def words(pattern: str) -> re.Pattern[str]:
    """Context words; Korean ones need no boundary, Latin ones are given with theirs."""
    return re.compile(pattern, re.IGNORECASE)


# --- cards --------------------------------------------------------------------------------------------
_CARD_WORDS = words(r"card|credit|debit|visa|master|amex|\bcc\b|카드")
_GOODS_WORDS = words(r"barcode|\bean\b|isbn|gtin|tracking|invoice|바코드|송장|운송장|주문|계약")
_MAESTRO = re.compile(r"(?:50|5[6-9]|6[0-9])")
_CARD_HEADS = re.compile(
    r"4|5[1-5]|2(?:22[1-9]|2[3-9]|[3-6]|7[01]|720)|3[47]|3(?:0[0-5]|[689])|35|6(?:011|4[4-9]|5)"
    r"|62|50|5[6-9]|6[0-9]|1800|2131"
)


def judge_card(candidate: Candidate) -> float:
    """Luhn, an issuer's range, a usual length; unusual lengths need a word that says card."""
    digits = digits_of(candidate.value)
    if not luhn(digits) or len(set(digits)) < 2 or digits[0] == "9":  # a 9 is a domestic card: KR_CARD
        return 0.0
    if candidate.after(_CARD_WORDS):
        return 0.99
    if not _CARD_HEADS.match(digits) or candidate.after(_GOODS_WORDS, 24):
        return 0.0
    usual = len(digits) == 16 or (len(digits), digits[:1]) in {(15, "3"), (14, "3"), (19, "4"), (19, "6")}
    return 0.9 if (usual and not _MAESTRO.fullmatch(digits[:2])) or digits[:2] in {"62", "65", "64", "60"} else 0.0


_CARD = by_pattern(
    LEFT_EDGE
    + r"(?:[0-9]{4}([ -])[0-9]{4}\1[0-9]{4}\1[0-9]{1,4}|[0-9]{4}([ -])[0-9]{6}\2[0-9]{4,5}|[0-9]{12,19})"
    + RIGHT_EDGE
)

# --- telephones ---------------------------------------------------------------------------------------
_EXTENSION = r"(?: ?[xX#] ?[0-9]{1,6})?"
_EXTENSION_MARK = re.compile("[xX#]")
_PHONE_WORDS = words(
    r"phone|\bcall|\btel\b|\bfax|mobile|\bcell|\btext me|\bsms|whatsapp|telegram|answering|reach|dial"
    r"|\b(?:desk|office) ?[:#-]|contact|hotline|messages? (?:to|on)|my registered|my number|number is"
    r"|전화|연락처|핸드폰|휴대폰|휴대전화|팩스|번호는|문자"
)
_OTHER_NUMBER_WORDS = words(
    r"account|order|invoice|tracking|ticket|case|serial|isbn|social|ssn|licen[cs]e|passport|routing|iban|zip"
    r"|card|amount|price|주문|송장|계약|계좌|법령|좌표|버전|바코드|카드|면허|여권|사업자"
)
_DATE_LIKE = re.compile(
    r"(?:19|20)[0-9]{2}([-./ ])[0-9]{1,2}\1[0-9]{1,2}|[0-9]{1,2}([-./])[0-9]{1,2}\2(?:19|20)[0-9]{2}"
)
_YEARS = re.compile(r"(?:1[5-9]|20)[0-9]{2} ?- ?(?:1[5-9]|20)[0-9]{2}")
_LABEL_AFTER = re.compile(r"[ -]" + _LABELS + r"(?![A-Za-z])", re.IGNORECASE)


def _judge_international(candidate: Candidate) -> float:
    digits = digits_of(_EXTENSION_MARK.split(candidate.value, maxsplit=1)[0])
    return 0.95 if 8 <= len(digits) <= 15 and digits[0] != "0" else 0.0


_DIGIT_BEFORE = re.compile(r"[0-9] \Z")
_DIGIT_AFTER = re.compile(r" [0-9]")


def _judge_north_american(candidate: Candidate) -> float:
    """Three groups between other numbers, parted by nothing but blanks, are a row of a table."""
    text = candidate.text
    if (
        not any(sign in candidate.value for sign in "-.(+")
        and (
            _DIGIT_BEFORE.search(text, max(0, candidate.start - 2), candidate.start)
            or _DIGIT_AFTER.match(text, candidate.end)
        )
        and not candidate.after(_PHONE_WORDS, 16)
    ):
        return 0.0
    return 0.6 if candidate.after(_OTHER_NUMBER_WORDS, 16) else 0.85


def _judge_spoken_of(candidate: Candidate) -> float:
    """A loose shape is a telephone number only where a word before or after says so."""
    digits = digits_of(_EXTENSION_MARK.split(candidate.value, maxsplit=1)[0])
    if not 7 <= len(digits) <= 13:
        return 0.0
    if _DATE_LIKE.match(candidate.value) or _YEARS.match(candidate.value):
        return 0.0
    if _LABEL_AFTER.match(candidate.text, candidate.end):
        return 0.8
    if not candidate.after(_PHONE_WORDS, 40) or candidate.after(_OTHER_NUMBER_WORDS, 16):
        return 0.0
    return 0.7


_GROUPS = r"[0-9]{1,5}(?:[ .-][0-9]{2,8}){1,5}"

# --- the United States, Canada, the United Kingdom ----------------------------------------------------
_SSN_WORDS = words(r"ssn|social security|\bsocial\b|사회보장")
_ITIN_GROUPS = frozenset((*range(50, 66), *range(70, 89), 90, 91, 92, *range(94, 100)))
_ITIN_WORDS = words(r"itin|taxpayer|tax id")
_ROUTING_WORDS = words(r"routing|\baba\b|\brtn\b|\btransit|wire")
_NHS_WORDS = words(r"nhs|national health|health service")
LICENCE_WORDS = words(r"driv(?:er'?s?|ing) licen[cs]e")
_SIN_WORDS = words(r"\bsin\b|social insurance|canada|canadian")


def _judge_ssn(candidate: Candidate) -> float:
    digits = digits_of(candidate.value)
    if digits[:3] in {"000", "666"} or digits[0] == "9" or digits[3:5] == "00" or digits[5:] == "0000":
        return 0.0
    said = candidate.after(_SSN_WORDS)
    if "-" in candidate.value:
        return 0.98 if said else 0.85
    return 0.9 if said else 0.0


def _judge_itin(candidate: Candidate) -> float:
    digits = digits_of(candidate.value)
    if digits[0] != "9" or int(digits[3:5]) not in _ITIN_GROUPS:
        return 0.0
    if "-" in candidate.value:
        return 0.85
    return 0.85 if candidate.after(_ITIN_WORDS) else 0.0


def _judge_routing(candidate: Candidate) -> float:
    return 0.9 if candidate.after(_ROUTING_WORDS) and aba_routing(candidate.value) else 0.0


def _judge_nhs(candidate: Candidate) -> float:
    return 0.9 if candidate.after(_NHS_WORDS) and nhs(digits_of(candidate.value)) else 0.0


def _judge_sin(candidate: Candidate) -> float:
    digits = digits_of(candidate.value)
    return 0.9 if candidate.after(_SIN_WORDS) and digits[0] not in "08" and luhn(digits) else 0.0


def number_rule(category: str, shape: str, judge: Judge) -> tuple[Kind, Rule]:
    """A rule for a number of this shape that stands alone."""
    return NUMBER, Rule(category, by_pattern(LEFT_EDGE + shape + RIGHT_EDGE), judge)


RULES: tuple[tuple[Kind, Rule], ...] = (
    (NUMBER, Rule("CREDIT_DEBIT_CARD_NUMBER", _CARD, judge_card)),
    (
        NUMBER,
        Rule(
            "PHONE",
            by_pattern(
                r"(?<![0-9A-Za-z_+])\+[1-9][0-9]{0,2}(?: ?\(0\))?(?:[ .()-]{0,2}[0-9]){6,13}" + _EXTENSION + RIGHT_EDGE
            ),
            _judge_international,
        ),
    ),
    (
        NUMBER,
        Rule(
            "PHONE",
            by_pattern(
                PHONE_EDGE
                + r"(?:(?:\+|00)?1[ .-])?(?:\([0-9]{3}\) ?|[0-9]{3}[ .-])[0-9]{3}[ .-][0-9]{4}"
                + _EXTENSION
                + RIGHT_EDGE
            ),
            _judge_north_american,
        ),
    ),
    (
        NUMBER,
        Rule(
            "PHONE",
            by_pattern(
                PHONE_EDGE
                + r"(?:\([0-9]{2,5}\)[ -]?"
                + _GROUPS
                + r"|"
                + _GROUPS
                + r"|[0-9]{8,12})"
                + _EXTENSION
                + RIGHT_EDGE
            ),
            _judge_spoken_of,
        ),
    ),
    number_rule("US_SOCIAL_SECURITY_NUMBER", r"[0-9]{3}([- ]?)[0-9]{2}\1[0-9]{4}", _judge_ssn),
    number_rule("US_INDIVIDUAL_TAX_IDENTIFICATION_NUMBER", r"9[0-9]{2}([- ]?)[0-9]{2}\1[0-9]{4}", _judge_itin),
    number_rule("US_BANK_ROUTING_NUMBER", r"[0-9]{9}", _judge_routing),
    number_rule("UK_NATIONAL_HEALTH_SERVICE_NUMBER", r"[0-9]{3}([- ]?)[0-9]{3}\1[0-9]{4}", _judge_nhs),
    number_rule(
        "DRIVER_ID",
        r"[0-9]{2,4}(?:-[0-9]{2,6}){1,3}",
        lambda candidate: 0.85 if candidate.after(LICENCE_WORDS, 40) else 0.0,
    ),
    number_rule("CA_SOCIAL_INSURANCE_NUMBER", r"[0-9]{3}([- ]?)[0-9]{3}\1[0-9]{3}", _judge_sin),
)
