"""How figures and texts are worded, the same in every kind of report."""

from __future__ import annotations

import re
from math import isfinite
from typing import Final

from evals.compare.paired import Difference
from evals.metrics import Interval

_NANO: Final = 1_000_000_000
#: Characters that turn text about, hide in it or end a line where none is seen; shown by their code point.
_HIDDEN: Final = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2069\u061c\ufeff\u2028\u2029\U000e0000-\U000e007f]")
_CONTROL: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
CUT: Final = "…"
VERDICTS: Final = {"pass": "Passed", "fail": "Failed", "error": "Not decided"}
#: Dashes as printed: no value, and minus.
NONE: Final = "\u2013"
MINUS: Final = "\u2212"


def inert(text: str) -> str:
    """A text whose characters all show: none turns its line about, hides, or rings a bell."""
    return _CONTROL.sub("\ufffd", _HIDDEN.sub(lambda found: f"⟨U+{ord(found[0]):04X}⟩", text.replace("\r\n", "\n")))


def cut(text: str, length: int) -> str:
    """The beginning of a text, made inert first; the cut is seen."""
    shown = inert(text[: 2 * length + 2])
    return shown if len(shown) <= length and len(text) <= length else shown[: max(length - 1, 0)] + CUT


def percent(share: float) -> str:
    """``82.1 %``."""
    return f"{100 * share:.1f} %"


def percent_interval(found: Interval | None) -> str:
    """``82.1 % (80.4 to 83.7)``."""
    if found is None:
        return NONE
    if not (isfinite(found.low) and isfinite(found.high)):
        return f"{percent(found.value)} (no interval)"
    return f"{percent(found.value)} ({100 * found.low:.1f} to {100 * found.high:.1f})"


def points(share: float) -> str:
    """A difference of shares in points, with its sign: ``-1.9``."""
    rounded = round(100 * share, 1)
    return f"{abs(rounded):.1f}" if not rounded else f"{rounded:+.1f}".replace("-", MINUS)


def points_interval(found: Difference) -> str:
    """``-1.9 points (-3.2 to -0.6)``."""
    return f"{points(found.value)} points ({points(found.low)} to {points(found.high)})"


def money(nano: float) -> str:
    """Dollars with three figures that count."""
    dollars = nano / _NANO
    if not dollars:
        return "$0"
    size = abs(dollars)
    digits = 2 if size >= 1 else 3 if size >= 0.1 else 4 if size >= 0.01 else 6
    return f"${dollars:,.{digits}f}"


def money_interval(found: Interval | None, times: int = 1) -> str:
    """``$0.42 ($0.40 to $0.44)``, of so many answers."""
    if found is None:
        return NONE
    if not (isfinite(found.low) and isfinite(found.high)):
        return money(found.value * times)
    low, high = money(max(found.low, 0.0) * times), money(found.high * times)
    return money(found.value * times) if low == high else f"{money(found.value * times)} ({low} to {high})"


def milliseconds(value: float) -> str:
    """``840 ms`` or ``2.4 s``."""
    return f"{value:,.0f} ms" if value < 1000 else f"{value / 1000:,.1f} s"


def latency_interval(found: Interval | None) -> str:
    """``840 ms (800 to 900)``; both ends in the value's unit."""
    if found is None:
        return NONE
    scale, digits = (1, 0) if found.value < 1000 else (1000, 1)
    return f"{milliseconds(found.value)} ({found.low / scale:,.{digits}f} to {found.high / scale:,.{digits}f})"


def p_value(p: float) -> str:
    """``0.03``, ``< 0.001``."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def count(n: int, one: str, many: str = "") -> str:
    """``1 row``, ``1,200 rows``."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"
