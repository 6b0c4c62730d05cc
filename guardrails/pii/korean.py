"""Korean numbers. A particle may follow at once: ``010-1234-5678로``, ``950710-1170869인데요``."""

from __future__ import annotations

import re

from guardrails.matching import Candidate, Kind, Rule, by_pattern, live_by, starts_by
from guardrails.pii.checks import brn, date_yymmdd, digits_of, frn, luhn, rrn
from guardrails.pii.numbers import NUMBER, PHONE_EDGE, RIGHT_EDGE, number_rule, words
from guardrails.pii.shape import DIGITS, gate_by_shape

_RESIDENT_WORDS = words(r"주민|등록번호|본인|resident|\brrn\b|korean id|national id")
_FOREIGNER_WORDS = words(r"외국인|등록번호|거소|foreigner|alien|\bfrn\b|\barc\b")
_GOODS_WORDS = words(r"barcode|\bean\b|isbn|gtin|tracking|invoice|order|바코드|송장|운송장|주문|계약|법령|상품")
_BUSINESS_WORDS = words(r"사업자|business (?:registration|reg|number)|\bbrn\b")
_PHONE_WORDS = words(
    r"전화|연락처|핸드폰|휴대폰|팩스|문의|고객센터|대표|콜센터|\bcall|phone|\btel\b|fax|mobile|contact|hotline"
)
_ACCOUNT_WORDS = words(r"계좌|은행|뱅크|입금|송금|이체|예금|농협|신협|수협|새마을금고|우체국|환불|account|\bbank")
_NOT_ACCOUNT_WORDS = words(r"주문|송장|계약|법령|좌표|바코드|사업자|order|invoice|tracking")
_LICENSE_WORDS = words(r"면허|driver|licen[cs]e")
_PASSPORT_WORDS = words(r"여권|passport")

_CAR_WORDS = words(r"차량|자동차|번호판|차 ?번호|주차|\bcar\b|vehicle|plate|parking")
# The syllables of Korean number plates: private cars, hire cars, deliveries.
_PLATE = "가나다라마거너더러머버서어저고노도로모보소오조구누두루무부수우주아바사자하허호배"
_ID_GAP = r"(?: ?- ?| )?"


def _judge_registration(candidate: Candidate, checksum: bool, said: re.Pattern[str]) -> float:
    """The birthday must be a day. Since October 2020 there is no check digit: it adds, it does not decide.

    Thirteen bare digits that begin with a date are also order numbers and times in milliseconds; they need
    the check digit or a word that says what they are.
    """
    if not date_yymmdd(candidate.value):
        return 0.0
    if candidate.after(said):
        return 0.99 if checksum else 0.9
    if candidate.after(_GOODS_WORDS, 24):
        return 0.0
    if candidate.value.isdigit():
        return 0.8 if checksum else 0.0
    return 0.97 if checksum else 0.75


def _judge_rrn(candidate: Candidate) -> float:
    return _judge_registration(candidate, rrn(digits_of(candidate.value)), _RESIDENT_WORDS)


def _judge_frn(candidate: Candidate) -> float:
    return _judge_registration(candidate, frn(digits_of(candidate.value)), _FOREIGNER_WORDS)


def _judge_brn(candidate: Candidate) -> float:
    valid = brn(digits_of(candidate.value))
    if candidate.after(_BUSINESS_WORDS):
        return 0.99 if valid else 0.6
    return 0.85 if valid and "-" in candidate.value else 0.0


def _judge_mobile(_: Candidate) -> float:
    return 0.97


def _judge_landline(candidate: Candidate) -> float:
    if any(char in candidate.value for char in "- .)"):
        return 0.92
    return 0.9 if candidate.after(_PHONE_WORDS) else 0.0


def _judge_service_line(candidate: Candidate) -> float:
    return 0.8 if candidate.after(_PHONE_WORDS, 24) else 0.0


def _judge_account(candidate: Candidate) -> float:
    digits = digits_of(candidate.value)
    if not 10 <= len(digits) <= 16:
        return 0.0
    if not candidate.after(_ACCOUNT_WORDS, 24) or candidate.after(_NOT_ACCOUNT_WORDS, 12):
        return 0.0
    return 0.88


def _judge_license(candidate: Candidate) -> float:
    if candidate.value.isdigit():
        return 0.9 if candidate.after(_LICENSE_WORDS) else 0.0
    return 0.95 if candidate.after(_LICENSE_WORDS) else 0.8


def _judge_card(candidate: Candidate) -> float:
    """Domestic cards begin with a 9, outside every international range."""
    digits = digits_of(candidate.value)
    return 0.95 if luhn(digits) and len(set(digits)) > 1 else 0.0


def _judge_passport(candidate: Candidate) -> float:
    said = candidate.after(_PASSPORT_WORDS)
    if candidate.value[1:].isdigit():
        return 0.95 if said else 0.0
    return 0.95 if said else 0.8


def _judge_plate(candidate: Candidate) -> float:
    """`12가3456` has a form of its own; `15조 3000` is an amount unless a word says it is a car."""
    if candidate.after(_CAR_WORDS, 32):
        return 0.95
    apart = " " in candidate.value
    return 0.8 if not apart and candidate.value[-5] not in _COUNTS else 0.0


# Syllables that also count something: trillions, degrees, houses, days.
_COUNTS = frozenset("조도호수주")

PASSPORT = Kind(
    "kr passport",
    gate_by_shape({"A": "MSRGDOmsrgdo", "0": DIGITS}, ("A000",)),
    live_by(r"(?<![0-9A-Za-z_-])[MSRGDOmsrgdo](?:[0-9]{1,3}(?:[0-9A-Za-z][0-9]{0,4})?)?", 10),
    10,
    digits=True,
    starts=starts_by(r"[MSRGDOmsrgdo](?<![0-9A-Za-z_-].)(?=[0-9]{3}[0-9A-Za-z])"),
)

PLATE = Kind(
    "kr plate",
    re.compile(rf"[0-9][{_PLATE}] ?[0-9]{{4}}").search,
    live_by(rf"(?<![0-9A-Za-z_.,-])[0-9]{{1,3}}(?:[{_PLATE}](?: ?[0-9]{{0,4}})?)?", 10),
    10,
    digits=True,
)

RULES: tuple[tuple[Kind, Rule], ...] = (
    number_rule("KR_RRN", r"[0-9]{6}" + _ID_GAP + r"[1-4][0-9]{6}", _judge_rrn),
    number_rule("KR_FRN", r"[0-9]{6}" + _ID_GAP + r"[5-8][0-9]{6}", _judge_frn),
    number_rule("KR_BRN", r"[0-9]{3}(-?)[0-9]{2}\1[0-9]{5}", _judge_brn),
    number_rule("KR_DRIVER_LICENSE", r"(?:1[1-9]|2[0-8])([- ]?)[0-9]{2}\1[0-9]{6}\1[0-9]{2}", _judge_license),
    # Older ones name their place: `서울 12-123456-12`.
    number_rule(
        "KR_DRIVER_LICENSE",
        r"[0-9]{2}-[0-9]{6}-[0-9]{2}",
        lambda candidate: 0.85 if candidate.after(_LICENSE_WORDS, 24) else 0.0,
    ),
    number_rule("KR_CARD", r"9[0-9]{3}([ -]?)[0-9]{4}\1[0-9]{4}\1[0-9]{4}", _judge_card),
    (
        NUMBER,
        Rule(
            "KR_PHONE",
            by_pattern(
                PHONE_EDGE + r"(?:(?:\+|00)82[ .-]?(?:\(0\) ?)?0?|82[ .-]0?|\(?0)"
                r"1[016789]\)?[ .-]{0,2}[0-9]{3,4}[ .-]?[0-9]{4}" + RIGHT_EDGE
            ),
            _judge_mobile,
        ),
    ),
    (
        NUMBER,
        Rule(
            "KR_PHONE",
            by_pattern(
                PHONE_EDGE + r"(?:(?:\+|00)82[ .-]?(?:\(0\) ?)?0?|\(?0)"
                r"(?:2|3[1-3]|4[1-4]|5[1-5]|6[1-4]|70|80|50[2-8]?)\)?[ .-]{0,2}[0-9]{3,4}[ .-]?[0-9]{4}" + RIGHT_EDGE
            ),
            _judge_landline,
        ),
    ),
    number_rule("KR_PHONE", r"1[568][0-9]{2}-?[0-9]{4}", _judge_service_line),
    number_rule(
        "KR_BANK_ACCOUNT",
        r"(?:[0-9]{2,6}-[0-9]{2,6}-[0-9]{2,8}(?:-[0-9]{1,6})?|[0-9]{10,16})",
        _judge_account,
    ),
    (
        PASSPORT,
        Rule(
            "KR_PASSPORT",
            by_pattern(
                r"(?<![0-9A-Za-z_-])(?:M[0-9]{3}[A-Z][0-9]{4}|[MSRGDO][0-9]{8})(?![0-9A-Za-z_])",
                re.IGNORECASE,
            ),
            _judge_passport,
        ),
    ),
    (
        PLATE,
        Rule(
            "LICENSE_PLATE",
            by_pattern(rf"(?<![0-9A-Za-z_.,-])[0-9]{{2,3}}[{_PLATE}] ?[0-9]{{4}}(?![0-9A-Za-z_만억조천원년])"),
            _judge_plate,
        ),
    ),
)
