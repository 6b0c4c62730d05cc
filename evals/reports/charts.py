"""The pictures of a report: SVG in the page's own colours, so that they follow light and dark."""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import ceil, floor, log10
from typing import Final

from evals import drawing
from evals.drawing import BLUE, GREEN, GREY, GRID, INK, ORANGE, PURPLE, RED, Look, Panel
from evals.metrics import Interval
from evals.reports import words
from evals.reports.frontier import Frontier, Point
from evals.reports.reliability import Reliability

#: What a drawing's colours are called in the page's style.
_THEME: Final = {
    INK: "var(--ink)",
    GRID: "var(--line)",
    BLUE: "var(--blue)",
    ORANGE: "var(--orange)",
    GREEN: "var(--green)",
    PURPLE: "var(--purple)",
    RED: "var(--copper)",
    GREY: "var(--soft)",
    "#ffffff": "var(--card)",
}
LOOKS: Final = {
    "oracle": Look(GREEN, "6 3", 1.8),
    "prompt length": Look(ORANGE, "8 3 2 3", 1.8),
    "random": Look(GREY, "2 4", 1.8),
}
#: The page has its own ground.
_GROUND: Final = re.compile(r"<rect [^>]*fill='#ffffff'/>\n")
_PER: Final = 1000


def quality_cost(found: Frontier) -> str:
    """Every target with both intervals, and the lines to beat."""
    high_cost = max(point.cost.high for point in found.points if point.cost.high < float("inf")) * _PER * 1.06
    panel = Panel(0, -26, 760, 420, (0, high_cost), _quality_range(found))
    panel.frame(
        "",
        "cost of 1,000 answers",
        "quality",
        ticks(0, high_cost),
        ticks(*panel.y_range),
        _price,
        _whole_percent,
    )
    for line in found.lines:
        panel.line([(cost * _PER, quality) for cost, quality in line.points], LOOKS[line.name])
    # targets last: nothing lies over them
    for point in sorted(found.points, key=lambda point: point.kind == "target"):
        _draw(panel, point, high_cost)
    return themed(drawing.picture(760, 394, panel.parts, title="Quality against cost"))


def _draw(panel: Panel, point: Point, high_cost: float) -> None:
    colour = RED if point.kind == "target" else PURPLE if point.kind == "before" else INK
    cost, quality = _scaled(point.cost), point.quality
    panel.bar((cost.low, quality.value), (cost.high, quality.value), colour)
    panel.bar((cost.value, quality.low), (cost.value, quality.high), colour)
    panel.dot((cost.value, quality.value), colour, hollow=point.kind != "target")
    late = cost.value > 0.7 * high_cost
    anchor, shift = ("end", -9) if late else ("start", 9)
    drop = (24 if late else 17) if point.kind == "tier" else -9
    panel.note((cost.value, quality.value), words.cut(point.name, 40), anchor, shift, drop)


def _scaled(cost: Interval) -> Interval:
    low, high = (cost.value if abs(end) == float("inf") else end for end in (cost.low, cost.high))
    return Interval(cost.value * _PER, max(low, 0.0) * _PER, high * _PER)


def _quality_range(found: Frontier) -> tuple[float, float]:
    values = [end for point in found.points for end in (point.quality.low, point.quality.high)]
    values += [quality for line in found.lines for _, quality in line.points]
    low, high = floor(min(values) * 20) / 20, ceil(max(values) * 20) / 20
    return max(0.0, low), min(1.0, high) if high > low else low + 0.05


def reliability(found: Reliability) -> str:
    """Stated chance against share right, with a mark for each bin of equal mass."""
    panel = Panel(0, -26, 420, 400, (0, 1), (0, 1))
    ticks = [0, 0.2, 0.4, 0.6, 0.8, 1]
    panel.frame("", "stated chance of a right answer", "really right", ticks, ticks, _whole_percent)
    panel.line([(0, 0), (1, 1)], Look(GREY, "2 4"))
    panel.line([(part.said, part.right.value) for part in found.bins], Look(RED, width=1.6))
    for part in found.bins:
        panel.bar((part.said, part.right.low), (part.said, part.right.high), RED)
        panel.dot((part.said, part.right.value), RED)
    return themed(drawing.picture(420, 374, panel.parts, title="Stated chances and truth"))


def swatch(look: Look) -> str:
    """A short sample of a line, for a legend."""
    parts = [drawing.rule((0, 6), (28, 6), look)]
    return themed(drawing.picture(28, 12, parts, title=""))


def interval_bar(low: float, value: float, high: float, reach: float, *, shown: bool) -> str:
    """A difference with its interval about 0, as wide as ``reach`` to either side; for table cells."""
    middle, half = 60.0, 54.0

    def at(share: float) -> float:
        return middle + max(-1.0, min(1.0, share / reach)) * half

    colour = GREY if not shown else RED if value < 0 else GREEN
    parts = [
        drawing.rule((middle, 2), (middle, 16), Look(GRID, width=1)),
        drawing.rule((at(low), 9), (at(high), 9), Look(colour, width=2)),
        f"<circle cx='{at(value):.1f}' cy='9' r='3.5' fill='{colour}'/>",
    ]
    return themed(drawing.picture(120, 18, parts, title=""))


def _price(nano: float) -> str:
    """Round dollars as a scale writes them: ``$0.05``."""
    shown = words.money(nano)
    return shown.rstrip("0").rstrip(".") if "." in shown else shown


def _whole_percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def ticks(low: float, high: float) -> Sequence[float]:
    """Round numbers between two, four to eight of them."""
    rough = (high - low) / 5
    power = 10 ** floor(log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
    first = ceil(low / step - 1e-9)
    return [round(k * step, 12) for k in range(first, floor(high / step + 1e-9) + 1)]


def themed(svg: str) -> str:
    """A drawing in the page's colours and letters; what it is of stands beside it, so readers skip the picture."""
    svg = _GROUND.sub("", svg)
    for colour, name in _THEME.items():
        svg = svg.replace(colour, name)
    empty = "<title></title>" in svg
    svg = (
        svg.replace(f"{drawing.FONT} ", "")
        .replace("<title></title>\n", "")
        .replace("xmlns='http://www.w3.org/2000/svg' ", "")
    )
    return svg.replace("role='img'", "aria-hidden='true'" if empty else "role='img'").strip()
