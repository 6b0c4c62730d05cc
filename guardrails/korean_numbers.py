"""Korean numbers in words, as the guards read them: ``3만5천``, ``이십오``, ``열두``."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final

SINO: Final = {"영": 0, "공": 0, "일": 1, "이": 2, "삼": 3, "사": 4, "오": 5, "육": 6, "칠": 7, "팔": 8, "구": 9}
SMALL: Final = {"십": 10, "백": 100, "천": 1000}
LARGE: Final = {"만": 10**4, "억": 10**8, "조": 10**12}
NATIVE: Final = {
    "하나": 1, "한": 1, "둘": 2, "두": 2, "셋": 3, "세": 3, "석": 3, "넷": 4, "네": 4, "넉": 4, "다섯": 5, "여섯": 6,
    "일곱": 7, "여덟": 8, "아홉": 9, "열": 10, "스물": 20, "스무": 20, "서른": 30, "마흔": 40, "쉰": 50, "예순": 60,
    "일흔": 70, "여든": 80, "아흔": 90,
}  # fmt: skip


def sino_korean(text: str) -> Fraction | None:
    """``3만5천``, ``이십오``, ``1.5억``: digits and the words of tens, hundreds, thousands and myriads.

    None where a character is no number.
    """
    total = section = Fraction(0)
    digit: Fraction | None = None
    for token in re.findall(r"[0-9]+(?:\.[0-9]+)?|.", text):
        if token[0] in "0123456789":
            digit = Fraction(token)
        elif token in SINO:
            digit = (digit or Fraction(0)) * 10 + SINO[token]
        elif token in SMALL:
            section, digit = section + (1 if digit is None else digit) * SMALL[token], None
        elif token in LARGE:
            section += digit or 0
            total, section, digit = total + (section or 1) * LARGE[token], Fraction(0), None
        else:
            return None
    return total + section + (digit or 0)


def native_korean(text: str) -> Fraction | None:
    """``하나`` to ``아흔아홉``; None for anything else."""
    for tens, ten in NATIVE.items():
        if ten >= 10 and text.startswith(tens):
            rest = text[len(tens) :]
            return Fraction(ten + NATIVE.get(rest, 0)) if not rest or NATIVE.get(rest, 10) < 10 else None
    return Fraction(NATIVE[text]) if text in NATIVE else None
