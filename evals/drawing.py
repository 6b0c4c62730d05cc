"""A small writer of charts as SVG: axes, lines, bands, dots, a legend. Equal input, equal bytes.

Colours are Okabe and Ito's, told apart by people with any colour vision; every series also has a dash or
a mark of its own. Lengths are in pixels of the picture's own size.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Points = Sequence[tuple[float, float]]

INK: Final = "#222222"
GRID: Final = "#dddddd"
BLUE, ORANGE, GREEN = "#0072B2", "#E69F00", "#009E73"
PURPLE, RED, GREY = "#CC79A7", "#D55E00", "#777777"
FONT: Final = "font-family='Helvetica, Arial, sans-serif'"
LEFT, RIGHT, TOP, BOTTOM = 58, 26, 40, 48


class Look(NamedTuple):
    """How a series is drawn."""

    colour: str
    dash: str = ""
    width: float = 1.6


@dataclass
class Panel:
    """One chart: a box in the picture and two scales."""

    x: float
    y: float
    width: float
    height: float
    x_range: tuple[float, float]
    y_range: tuple[float, float]
    parts: list[str] = field(default_factory=list)

    def at(self, point: tuple[float, float]) -> tuple[float, float]:
        """Where a value lies in the picture; values outside the scales lie on the edge."""
        return self._across(point[0]), self._up(point[1])

    def _across(self, value: float) -> float:
        low, high = self.x_range
        share = min(max((value - low) / (high - low), 0.0), 1.0)
        return self.x + LEFT + share * (self.width - LEFT - RIGHT)

    def _up(self, value: float) -> float:
        low, high = self.y_range
        share = min(max((value - low) / (high - low), 0.0), 1.0)
        return self.y + self.height - BOTTOM - share * (self.height - TOP - BOTTOM)

    def frame(
        self,
        title: str,
        x_label: str,
        y_label: str,
        x_ticks: Sequence[float],
        y_ticks: Sequence[float],
        show: Callable[[float], str],
        show_y: Callable[[float], str] | None = None,
    ) -> None:
        """Title, labels, grid and numbers."""
        left, right = self.x + LEFT, self.x + self.width - RIGHT
        top, bottom = self.y + TOP, self.y + self.height - BOTTOM
        for value in y_ticks:
            level = self._up(value)
            self.parts.append(rule((left, level), (right, level), Look(GRID, width=1)))
            self.parts.append(text(left - 6, level + 4, (show_y or show)(value), anchor="end"))
        for value in x_ticks:
            place = self._across(value)
            self.parts.append(rule((place, bottom), (place, bottom + 4), Look(INK, width=1)))
            self.parts.append(text(place, bottom + 17, show(value), anchor="middle"))
        self.parts.append(rule((left, bottom), (right, bottom), Look(INK, width=1)))
        self.parts.append(text(left, self.y + 20, title, size=13, bold=True))
        self.parts.append(text((left + right) / 2, bottom + 36, x_label, anchor="middle"))
        middle = (top + bottom) / 2
        turn = f" transform='rotate(-90 {_n(self.x + 13)} {_n(middle)})'"
        self.parts.append(text(self.x + 13, middle, y_label, anchor="middle", extra=turn))

    def line(self, points: Points, look: Look) -> None:
        """A polyline."""
        path = " ".join(f"{_n(x)},{_n(y)}" for x, y in map(self.at, points))
        dash = f" stroke-dasharray='{look.dash}'" if look.dash else ""
        self.parts.append(
            f"<polyline points='{path}' fill='none' stroke='{look.colour}' stroke-width='{look.width}'{dash}/>"
        )

    def band(self, lower: Points, upper: Points, colour: str) -> None:
        """The area between two lines."""
        path = " ".join(f"{_n(x)},{_n(y)}" for x, y in map(self.at, [*lower, *reversed(upper)]))
        self.parts.append(f"<polygon points='{path}' fill='{colour}' fill-opacity='0.16'/>")

    def dot(self, point: tuple[float, float], colour: str, *, hollow: bool = False) -> None:
        """A mark."""
        x, y = self.at(point)
        inside = "#ffffff" if hollow else colour
        self.parts.append(
            f"<circle cx='{_n(x)}' cy='{_n(y)}' r='4' fill='{inside}' stroke='{colour}' stroke-width='1.6'/>"
        )

    def bar(self, one: tuple[float, float], other: tuple[float, float], colour: str) -> None:
        """A thin line between two values, for intervals."""
        self.parts.append(rule(self.at(one), self.at(other), Look(colour, width=1.6)))

    def note(
        self, point: tuple[float, float], words: str, anchor: str = "start", dx: float = 6, dy: float = -6
    ) -> None:
        """Words beside a value."""
        x, y = self.at(point)
        self.parts.append(text(x + dx, y + dy, words, anchor=anchor))


def legend(x: float, y: float, entries: Sequence[tuple[str, Look]], step: float = 120) -> list[str]:
    """Named samples of lines, in one row."""
    parts = []
    for index, (name, look) in enumerate(entries):
        place = x + index * step
        parts.append(rule((place, y - 4), (place + 26, y - 4), look))
        parts.append(text(place + 32, y, name))
    return parts


def picture(width: float, height: float, parts: Sequence[str], *, title: str) -> str:
    """The whole SVG; ``title`` is what a screen reader says."""
    size = f"viewBox='0 0 {_n(width)} {_n(height)}' width='{_n(width)}' height='{_n(height)}'"
    return "\n".join(
        [
            f"<svg xmlns='http://www.w3.org/2000/svg' {size} role='img'>",
            f"<title>{escape(title)}</title>",
            f"<rect width='{_n(width)}' height='{_n(height)}' fill='#ffffff'/>",
            *parts,
            "</svg>",
            "",
        ]
    )


def text(
    x: float, y: float, words: str, *, anchor: str = "start", size: int = 11, bold: bool = False, extra: str = ""
) -> str:
    """Words at a place."""
    weight = " font-weight='bold'" if bold else ""
    return (
        f"<text x='{_n(x)}' y='{_n(y)}' {FONT} font-size='{size}' fill='{INK}' text-anchor='{anchor}'{weight}{extra}>"
        f"{escape(words)}</text>"
    )


def rule(one: tuple[float, float], other: tuple[float, float], look: Look) -> str:
    """A straight line in the picture's own lengths."""
    dash = f" stroke-dasharray='{look.dash}'" if look.dash else ""
    return (
        f"<line x1='{_n(one[0])}' y1='{_n(one[1])}' x2='{_n(other[0])}' y2='{_n(other[1])}' "
        f"stroke='{look.colour}' stroke-width='{look.width}'{dash}/>"
    )


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
