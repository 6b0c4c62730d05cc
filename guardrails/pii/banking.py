"""Account and vehicle identifiers that mix letters and digits."""

# ruff: noqa: SIM905 -- a table reads better as one

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from guardrails.matching import Candidate, Kind, Rule, by_pattern, live_by, run_start, starts_by
from guardrails.pii.checks import IBAN_LENGTHS, iban, vin
from guardrails.pii.numbers import LICENCE_WORDS, words
from guardrails.pii.shape import DIGITS, LOWER, UPPER, gate_by_shape

if TYPE_CHECKING:
    from collections.abc import Iterator

# --- IBAN ---------------------------------------------------------------------------------------------
_IBAN_MAX = 44
# Searched by its check digits, which are rarer than letters; it begins two letters before them.
_IBAN = re.compile(r"[0-9][0-9](?<=(?<![0-9A-Za-z])[A-Za-z]{2}[0-9]{2})(?:[ -]?[0-9A-Za-z]){11,30}", re.ASCII)


_ASCII_ALNUM = re.compile("[0-9A-Za-z]")


def _find_iban(text: str, start: int) -> Iterator[tuple[int, int]]:
    """The country says how long it is, so words that follow are not swallowed."""
    match = _IBAN.search(text, start + 2)
    while match:
        begin = match.start() - 2
        length = IBAN_LENGTHS.get(text[begin : begin + 2].upper(), 0)
        end = _end_of(text, begin, length, match.end())
        if end and not _ASCII_ALNUM.match(text, end):
            yield begin, end
        else:
            end = begin + 1
        match = _IBAN.search(text, end + 2)


def _end_of(text: str, begin: int, length: int, limit: int) -> int:
    """Offset after ``length`` characters that are not blanks; 0 when there are not that many."""
    seen = 0
    for offset in range(begin, limit):
        seen += text[offset] not in " -"
        if length and seen == length:
            return offset + 1
    return 0


def _judge_iban(candidate: Candidate) -> float:
    return 0.99 if iban(candidate.value.replace(" ", "").replace("-", "").upper()) else 0.0


_IBAN_BEGUN = live_by(r"(?<![0-9A-Za-z])[A-Za-z](?:[A-Za-z](?:[0-9](?:[0-9][0-9A-Za-z -]{0,40})?)?)?", _IBAN_MAX + 1)
IBAN = Kind(
    "iban",
    gate_by_shape({"A": UPPER + LOWER, "0": DIGITS}, ("AA00",)),
    _IBAN_BEGUN,
    _IBAN_MAX + 1,
    digits=True,
)

# --- SWIFT, vehicles, national insurance --------------------------------------------------------------
_SWIFT_WORDS = words(r"swift|\bbic\b|bank identifier|송금|스위프트")
_VIN_WORDS = words(r"\bvin\b|chassis|vehicle|차대번호")
_COUNTRIES = frozenset(
    (
        "AD AE AF AG AI AL AM AO AR AT AU AW AZ BA BB BD BE BF BG BH BI BJ BM BN BO BR BS BT BW BY BZ CA "
        "CD CF CG CH CI CK CL CM CN CO CR CU CV CY CZ DE DJ DK DM DO DZ EC EE EG ER ES ET FI FJ FK FM FO "
        "FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GT GU GW GY HK HN HR HT HU ID IE IL IM IN IQ IR IS "
        "IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MG "
        "MH MK ML MM MN MO MQ MR MS MT MU MV MW MX MY MZ NA NC NE NG NI NL NO NP NR NZ OM PA PE PF PG PH "
        "PK PL PM PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SI SK SL SM SN SO SR SS ST SV SY SZ "
        "TC TD TG TH TJ TL TM TN TO TR TT TV TW TZ UA UG US UY UZ VA VC VE VG VI VN VU WS XK YE YT ZA ZM "
        "ZW"
    ).split()
)


def _judge_swift(candidate: Candidate) -> float:
    return 0.9 if candidate.value[4:6] in _COUNTRIES and candidate.after(_SWIFT_WORDS, 32) else 0.0


def _judge_vin(candidate: Candidate) -> float:
    value = candidate.value.upper()
    if value.isdigit() or value.isalpha() or not vin(value):
        return 0.0
    return 0.95 if candidate.after(_VIN_WORDS) else 0.7


SWIFT = Kind(
    "swift",
    gate_by_shape({"A": UPPER, "0": DIGITS}, ("AAAAAA",)),
    lambda text: run_start(text, DIGITS + UPPER, 12),
    12,
    starts=starts_by(r"[A-Z](?<![0-9A-Za-z].)(?=[A-Z]{5}[A-Z0-9]{2})"),
)
VIN = Kind(
    "vin",
    gate_by_shape({"A": DIGITS + UPPER}, ("A" * 17,)),
    lambda text: run_start(text, DIGITS + UPPER, 18),
    18,
)
LICENCE = Kind(
    "licence",
    gate_by_shape({"0": DIGITS}, ("00000",)),
    lambda text: run_start(text, DIGITS + UPPER + "-", 20),
    20,
    digits=True,
    starts=starts_by(r"[0-9A-Z](?<![0-9A-Za-z-].)(?=[A-Z]{0,2}[0-9]{4})"),
)
NINO = Kind(
    "national insurance",
    gate_by_shape({"A": UPPER, "0": DIGITS}, ("AA000000A",), drop=" "),
    live_by(r"(?<![0-9A-Za-z])[A-Z](?:[A-Z](?: ?[0-9][0-9 ]{0,9}[A-D]?| )?)?", 14),
    14,
    digits=True,
)

RULES: tuple[tuple[Kind, Rule], ...] = (
    (IBAN, Rule("INTERNATIONAL_BANK_ACCOUNT_NUMBER", _find_iban, _judge_iban)),
    (
        SWIFT,
        Rule(
            "SWIFT_CODE",
            by_pattern(r"(?<![0-9A-Za-z])[A-Z]{6}[A-Z0-9]{2}(?:[A-Z0-9]{3})?(?![0-9A-Za-z])"),
            _judge_swift,
        ),
    ),
    (
        VIN,
        Rule(
            "VEHICLE_IDENTIFICATION_NUMBER",
            by_pattern(r"(?<![0-9A-Za-z])[A-HJ-NPR-Z0-9]{8}[0-9X][A-HJ-NPR-Z0-9]{8}(?![0-9A-Za-z])"),
            _judge_vin,
        ),
    ),
    (
        LICENCE,
        Rule(
            "DRIVER_ID",
            by_pattern(r"(?<![0-9A-Za-z-])[A-Z]{0,3}[0-9]{5,14}[A-Z]?(?![0-9A-Za-z-])"),
            lambda candidate: 0.85 if candidate.after(LICENCE_WORDS, 40) else 0.0,
        ),
    ),
    (
        NINO,
        Rule(
            "UK_NATIONAL_INSURANCE_NUMBER",
            by_pattern(
                r"(?<![0-9A-Za-z])(?!BG|GB|KN|NK|NT|TN|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z]"
                r" ?[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[A-D](?![0-9A-Za-z])"
            ),
            lambda _: 0.85,
        ),
    ),
)
