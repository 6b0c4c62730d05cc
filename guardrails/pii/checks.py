"""Check digits and dates of numbers that carry them. Pure; digits in, truth out."""

# ruff: noqa: SIM905 -- the numbers are those of the formats; a table reads better as one

from __future__ import annotations

from itertools import cycle

_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_RRN_WEIGHTS = (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)
_BRN_WEIGHTS = (1, 3, 7, 1, 3, 7, 1, 3, 5)
_UTR_WEIGHTS = (6, 7, 8, 9, 10, 5, 4, 3, 2)
_VIN_WEIGHTS = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
_VIN_VALUES = dict(zip("ABCDEFGHJKLMNPRSTUVWXYZ", (*range(1, 9), 1, 2, 3, 4, 5, 7, 9, *range(2, 10)), strict=True))

# Length of an IBAN by country (SWIFT's IBAN registry).
IBAN_LENGTHS = {
    country: int(length)
    for country, length in (
        item.split(":")
        for item in (
            "AD:24 AE:23 AL:28 AT:20 AZ:28 BA:20 BE:16 BG:22 BH:22 BI:27 BR:29 BY:28 CH:21 CR:22 CY:28 CZ:24 "
            "DE:22 DJ:27 DK:18 DO:28 EE:20 EG:29 ES:24 FI:18 FK:18 FO:18 FR:27 GB:22 GE:22 GI:23 GL:18 GR:27 "
            "GT:28 HN:28 HR:21 HU:28 IE:22 IL:23 IQ:23 IS:26 IT:27 JO:30 KW:30 KZ:20 LB:28 LC:32 LI:21 LT:20 "
            "LU:20 LV:21 LY:25 MC:27 MD:24 ME:22 MK:19 MN:20 MR:27 MT:31 MU:30 NI:28 NL:18 NO:15 OM:23 PK:24 "
            "PL:28 PS:29 PT:25 QA:29 RO:24 RS:22 RU:33 SA:24 SC:31 SD:18 SE:24 SI:19 SK:24 SM:27 SO:23 ST:25 "
            "SV:28 TL:23 TN:24 TR:26 UA:29 VA:22 VG:24 XK:20 YE:30"
        ).split()
    )
}


def digits_of(value: str) -> str:
    """Only the digits."""
    return "".join(filter(str.isdigit, value))


def luhn(digits: str) -> bool:
    """ISO/IEC 7812-1 annex B: every second digit from the right doubled, sum divisible by ten."""
    total = 0
    for digit, double in zip(reversed(digits), cycle((False, True)), strict=False):
        number = int(digit)
        if double:
            number = number * 2 - 9 * (number > 4)
        total += number
    return total % 10 == 0


def iban(value: str) -> bool:
    """ISO 13616: length by country, then the number with its head moved to the end is 1 modulo 97."""
    if IBAN_LENGTHS.get(value[:2]) != len(value):
        return False
    return int("".join(str(int(char, 36)) for char in value[4:] + value[:4])) % 97 == 1


def aba_routing(digits: str) -> bool:
    """American Bankers Association: weights 3, 7, 1; the first two digits name a Federal Reserve range."""
    head = int(digits[:2])
    if not (head <= 12 or 21 <= head <= 32 or 61 <= head <= 72 or head == 80):
        return False
    total = sum(int(digit) * weight for digit, weight in zip(digits, cycle((3, 7, 1)), strict=False))
    return total % 10 == 0


def date_yymmdd(digits: str) -> bool:
    """Whether the first six digits can be a birthday; the century is unknown, so 29 February passes."""
    month, day = int(digits[2:4]), int(digits[4:6])
    return 1 <= month <= 12 and 1 <= day <= _DAYS[month - 1]


def rrn(digits: str) -> bool:
    """Korean resident registration number: weights 2..9, 2..5, modulo 11 (numbers issued before 2020-10)."""
    total = sum(int(digit) * weight for digit, weight in zip(digits, _RRN_WEIGHTS, strict=False))
    return (11 - total % 11) % 10 == int(digits[12])


def frn(digits: str) -> bool:
    """Korean foreigner registration number: as the resident number, shifted by two."""
    total = sum(int(digit) * weight for digit, weight in zip(digits, _RRN_WEIGHTS, strict=False))
    return (13 - total % 11) % 10 == int(digits[12])


def brn(digits: str) -> bool:
    """Korean business registration number: weights 1, 3, 7; the ninth digit also carries its tens."""
    total = sum(int(digit) * weight for digit, weight in zip(digits, _BRN_WEIGHTS, strict=False))
    total += int(digits[8]) * 5 // 10
    return (10 - total % 10) % 10 == int(digits[9])


def nhs(digits: str) -> bool:
    """British National Health Service number: weights 10..2, modulo 11."""
    total = sum(int(digit) * weight for digit, weight in zip(digits, range(10, 1, -1), strict=False))
    return (11 - total % 11) % 11 == int(digits[9])


def vin(value: str) -> bool:
    """Vehicle identification number (49 CFR 565): transliterated, weighted, modulo 11; 10 is an X."""
    numbers = (int(char) if char.isdigit() else _VIN_VALUES[char] for char in value)
    total = sum(number * weight for number, weight in zip(numbers, _VIN_WEIGHTS, strict=True))
    return "0123456789X"[total % 11] == value[8]


def utr(digits: str) -> bool:
    """British unique taxpayer reference: the first digit checks the other nine, weights 6..10, 5..2, modulo 11."""
    total = sum(int(digit) * weight for digit, weight in zip(digits[1:], _UTR_WEIGHTS, strict=True))
    return "21987654321"[total % 11] == digits[0]
