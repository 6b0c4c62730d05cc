"""A flame graph from sampled stacks: plain SVG, no script, no paths of the machine that made it.

Width is time (processor time in the thread that serves), height is depth of the stack; the root is at the bottom.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_WIDTH, _ROW, _LETTER = 1200.0, 15, 6.2
_LEAST = 1.5  # pixels: narrower frames, and what lies on them, are not drawn
_COLOURS = {
    "router/score": "#e9a23b",
    "router/core": "#d9b44a",
    "router": "#e8c87a",
    "guardrails": "#c9705a",
    "aiohttp": "#6f9fc4",
    "asyncio": "#93b5cf",
    "evals": "#c8c8c8",
}


@dataclass
class Frame:
    """One function at one place of the stacks."""

    name: str
    count: int = 0
    above: dict[str, Frame] = field(default_factory=dict)


def tree(stacks: Mapping[tuple[str, ...], int]) -> Frame:
    """The stacks, outermost function first, put together."""
    root = Frame("all")
    for stack, count in stacks.items():
        at = root
        at.count += count
        for name in stack:
            at = at.above.setdefault(name, Frame(name))
            at.count += count
    return root


def svg(stacks: Mapping[tuple[str, ...], int], title: str) -> str:
    """The picture."""
    root = tree(stacks)
    drawn = list(_boxes(root, 0.0, _WIDTH, 0))
    height = (max(depth for _, _, _, depth in drawn) + 3) * _ROW
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH:.0f} {height}" font-family="monospace" '
    parts = [head + f'font-size="10"><text x="4" y="12">{escape(title)}</text>']
    for frame, x, width, depth in drawn:
        y = height - (depth + 1) * _ROW
        share = f"{frame.name}: {frame.count / root.count:.1%}"
        parts.append(
            f'<g><title>{escape(share)}</title><rect x="{x:.1f}" y="{y}" width="{max(width - 0.4, 0.4):.1f}" '
            f'height="{_ROW - 1}" fill="{_colour(frame.name)}"/>'
        )
        if (letters := int((width - 4) / _LETTER)) > 3:
            short = frame.name.rpartition(" ")[2]
            parts.append(f'<text x="{x + 2:.1f}" y="{y + 10}">{escape(short[:letters])}</text>')
        parts.append("</g>")
    return "".join([*parts, "</svg>\n"])


def _boxes(frame: Frame, x: float, width: float, depth: int) -> Iterator[tuple[Frame, float, float, int]]:
    yield frame, x, width, depth
    for child in sorted(frame.above.values(), key=lambda one: one.name):
        share = width * child.count / frame.count
        if share >= _LEAST:
            yield from _boxes(child, x, share, depth + 1)
        x += share


def _colour(name: str) -> str:
    return next((colour for start, colour in _COLOURS.items() if name.startswith(start)), "#b8b8b8")
