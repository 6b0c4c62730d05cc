"""The attack rail's figures as a page."""

from __future__ import annotations

from statistics import median
from typing import Any


def markdown(result: dict[str, Any]) -> str:
    """The page of ``guards-attacks.json``; parts that were not measured are left out."""
    lines = [
        "# Attacks on instructions",
        "",
        f"`{result['command']}`, {result['date']}, commit {result['commit']}, {result['machine']}.",
        "Intervals are 95 % (bootstrap). Recall is at 1 % false positives.",
    ]
    if "sources" in result:
        lines += _table(
            "Sources left out of training",
            [
                (f"{source}, {name}, {against}", entry[against])
                for source, ways in result["sources"].items()
                for name, entry in ways.items()
                for against in entry
            ],
        )
        lines += _summary(result["sources"])
    if "korean" in result:
        lines += _table(
            "Korean, ideas never fitted on",
            [
                (f"{kind}, {name}, against {against}", entry[against])
                for kind, ways in result["korean"].items()
                for name, entry in ways.items()
                for against in entry
            ],
        )
    if "documents" in result:
        lines += _table(
            "Orders in documents",
            [(f"{name}, {head}", entry) for name, ways in result["documents"].items() for head, entry in ways.items()],
        )
    if "alarms" in result:
        lines += ["", "## Texts flagged", "", "| texts | n | low | medium | high |", "|---|---|---|---|---|"]
        lines += [
            f"| {name} | {e['n']} | {e['low']:.1%} | {e['medium']:.1%} | {e['high']:.1%} |"
            for name, e in result["alarms"].items()
        ]
    if "speed" in result:
        spent = result["speed"]
        lines += ["", f"CPU on 4,000 characters: {spent['p50_us']:.0f} µs p50, {spent['p99_us']:.0f} µs p99."]
    return "\n".join([*lines, ""])


def _summary(sources: dict[str, Any]) -> list[str]:
    """Over all sources: the median and the worst recall of each way, and what the default strength flags."""
    ways = next(iter(sources.values()))
    lines = ["", "| over sources, against texts from elsewhere | median recall | worst |", "|---|---|---|"]
    for way in ways:
        found = sorted((entry[way]["elsewhere"]["recall"], source) for source, entry in sources.items())
        middle = median([caught for caught, _ in found])
        lines.append(f"| {way} | {middle:.3f} | {found[0][0]:.3f} ({found[0][1]}) |")
    flagged = ", ".join(f"{name} {entry['ours']['elsewhere']['flagged']:.2f}" for name, entry in sources.items())
    return [*lines, "", f"Share of each that the default strength flags: {flagged}."]


def _table(title: str, rows: list[tuple[str, dict[str, Any]]]) -> list[str]:
    lines = ["", f"## {title}", "", "| what | attacks | harmless | AUC | recall |", "|---|---|---|---|---|"]
    for name, entry in rows:
        area, (low, high) = entry["auc"], entry["auc_interval"]
        caught, (least, most) = entry["recall"], entry["recall_interval"]
        lines.append(
            f"| {name} | {entry['attacks']} | {entry['harmless']} | {area:.3f} ({low:.3f} to {high:.3f}) "
            f"| {caught:.3f} ({least:.3f} to {most:.3f}) |"
        )
    return lines
