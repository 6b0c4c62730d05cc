"""``python -m evals.pictures``: draw docs/pictures/*.svg from evals/results/*.json, and nothing else.

A picture whose results are not there is not drawn, and the command says so. No figure is computed here.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from evals import drawing
from evals.drawing import BLUE, GREEN, GREY, INK, ORANGE, PURPLE, RED, Look, Panel
from evals.importers.outcomes import OutcomeError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

RESULTS: Final = Path(__file__).parent / "results"
OUT: Final = Path(__file__).parents[1] / "docs" / "pictures"
LOOKS: Final = {
    "ours": Look(BLUE, width=2.6),
    "prompt length": Look(ORANGE, "7 3"),
    "LiteLLM v1": Look(PURPLE, "2 2"),
    "LiteLLM v2": Look(RED, "9 3 2 3"),
    "random": Look(GREY, "1 3"),
    "oracle": Look(GREEN, "5 2"),
}
TITLES: Final = {
    "llama-3.1": "Llama-3.1 8B / 70B / 405B",
    "gemma-2": "Gemma-2 2B / 9B / 27B",
    "qwen2.5": "Qwen2.5 3B / 7B / 72B",
    "mixed-2026": "Logic puzzles (haerae), three vendors",
}
#: Protocol of routing.json -> heading, the kindest first.
PROTOCOLS: Final = {
    "in distribution": "in distribution: same sources, new questions",
    "source left out": "left out: the whole source unseen",
    "trained elsewhere": "trained elsewhere: the RouteLLM benchmark",
}


def quality_cost(results: Mapping[str, Any]) -> str:
    """Four panels: share of always-large's quality against share of its cost."""
    families = results["families"]
    width, height, parts = 420, 320, []
    for index, (name, found) in enumerate(families.items()):
        panel = Panel(index % 2 * width, index // 2 * height, width, height, (0, 1.05), _quality_range(found))
        ticks = _round_ticks(*panel.y_range)
        panel.frame(
            f"{TITLES.get(name, name)}, n = {found['n']}",
            "cost, share of always-large",
            "quality, share of always-large",
            [0, 0.25, 0.5, 0.75, 1],
            ticks,
            _percent,
        )
        for router, points in found["curves"].items():
            ordered = sorted(points, key=lambda point: point["cost"])
            if router == "ours":
                panel.band([(p["cost"], p["low"]) for p in ordered], [(p["cost"], p["high"]) for p in ordered], BLUE)
            panel.line([(p["cost"], p["quality"]) for p in ordered], LOOKS[router])
        for tier in found["tiers"]:
            panel.dot((tier["cost"], tier["quality"]), INK, hollow=True)
            at_end = tier["cost"] > 0.8
            panel.note(
                (tier["cost"], tier["quality"]), tier["tier"], "end" if at_end else "start", -7 if at_end else 7, 14
            )
        parts += panel.parts
    rows = (len(families) + 1) // 2
    parts += drawing.legend(30, rows * height + 16, list(LOOKS.items()), 132)
    words = "Band: 95 %, bootstrap by question, ours. Circles: one tier for everything. Settings chosen on other folds."
    parts.append(drawing.text(30, rows * height + 38, words))
    return drawing.picture(2 * width, rows * height + 50, parts, title="Quality against cost, per family")


def _quality_range(found: Mapping[str, Any]) -> tuple[float, float]:
    values = [p["quality"] for points in found["curves"].values() for p in points]
    values += [tier["quality"] for tier in found["tiers"]]
    return int(min(values) * 10) / 10, (int(max(values) * 10) + 1) / 10


def _round_ticks(low: float, high: float) -> list[float]:
    """Multiples of 10 % between two of them, of 5 % where there would be few."""
    step = 10 if high - low > 0.35 else 5
    return [percent / 100 for percent in range(round(low * 100), round(high * 100) + 1, step)]


def reliability(results: Mapping[str, Any]) -> str:
    """Stated chance against share right."""
    found = results["reliability"]
    panel = Panel(0, 0, 460, 400, (0, 1), (0, 1))
    ticks = [0, 0.2, 0.4, 0.6, 0.8, 1]
    panel.frame(
        f"Stated chance and truth, n = {found['n']} outcomes",
        "stated chance of a right answer",
        "share really right",
        ticks,
        ticks,
        _percent,
    )
    panel.line([(0, 0), (1, 1)], Look(GREY, "1 3"))
    for point in found["bins"]:
        panel.bar((point["said"], point["low"]), (point["said"], point["high"]), BLUE)
        panel.dot((point["said"], point["right"]), BLUE)
    panel.line([(point["said"], point["right"]) for point in found["bins"]], LOOKS["ours"])
    panel.note(
        (0.52, 0.12), f"ECE {found['ece']:.3f}; a perfect forecaster shows {found['perfect']:.3f}", "middle", 0, 0
    )
    panel.note((0.52, 0.06), "in distribution; left out it is worse: see the page", "middle", 0, 0)
    return drawing.picture(460, 400, panel.parts, title="Reliability of stated chances, in distribution")


def in_and_out(results: Mapping[str, Any]) -> str:
    """APGR of ours and of prompt length, one line a target, kindest protocol first."""
    lines = [
        line
        for part in results["parts"].values()
        for line in part["lines"]
        if line["metric"] == "APGR" and line["router"] in ("ours", "prompt length")
    ]
    groups = {
        title: sorted({line["target"] for line in lines if line["protocol"] == protocol})
        for protocol, title in PROTOCOLS.items()
    }
    rows = sum(len(targets) + 1 for targets in groups.values())
    height = 26 * rows + drawing.TOP + drawing.BOTTOM
    panel = Panel(180, 0, 560, height, (0.2, 0.85), (-0.7, rows))
    ticks = [0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8]
    panel.frame(
        "Ranking prompts by need (APGR; 0.5 is random)", "APGR, 95 % interval", "", ticks, [], lambda v: f"{v:.1f}"
    )
    panel.line([(0.5, -0.7), (0.5, rows)], Look(GREY, "1 3"))
    level = float(rows)
    for protocol, title in PROTOCOLS.items():
        level -= 1
        panel.parts.append(drawing.text(12, panel.at((0, level))[1] + 4, title, bold=True))
        for target in groups[title]:
            level -= 1
            here = [line for line in lines if (line["protocol"], line["target"]) == (protocol, target)]
            n = here[0]["n"]
            panel.parts.append(drawing.text(226, panel.at((0, level))[1] + 4, f"{target} (n = {n})", anchor="end"))
            for line in here:
                ours = line["router"] == "ours"
                y = level + (0.16 if ours else -0.16)
                colour = BLUE if ours else ORANGE
                if line["low"] is not None:
                    panel.bar((line["low"], y), (line["high"], y), colour)
                panel.dot((line["value"], y), colour, hollow=not ours)
    entries = [("ours", Look(BLUE)), ("prompt length (hollow)", Look(ORANGE)), ("random", Look(GREY, "1 3"))]
    parts = panel.parts + drawing.legend(215, height + 12, entries, 175)
    return drawing.picture(750, height + 26, parts, title="APGR in and out of distribution")


def _medians(curves: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Of each router and number of own rows, the median over sources; before any rows the adapted one is the start."""
    found: dict[tuple[str, int], list[float]] = {}
    for point in curves:
        for router in ("start", "adapted") if point["router"] == "start" else (point["router"],):
            found.setdefault((router, point["size"]), []).append(point["value"])
    if not found:
        raise KeyError("no curves")
    return [{"router": router, "rows": size, "value": median(values)} for (router, size), values in found.items()]


def learning(results: Mapping[str, Any]) -> str:
    """APGR against own rows, the median over sources left out in turn."""
    lines = _medians(results["curves"])
    looks = {"adapted": LOOKS["ours"], "from nothing": LOOKS["LiteLLM v2"], "empty start": LOOKS["LiteLLM v1"]}
    values = [line["value"] for line in lines]
    top = max(line["rows"] for line in lines)
    panel = Panel(0, 0, 620, 380, (0, top), (int(min(values) * 20) / 20, (int(max(values) * 20) + 1) / 20))
    low, high = panel.y_range
    panel.frame(
        "What own rows are worth, median over sources left out",
        "own rows learned from",
        "APGR",
        sorted({line["rows"] for line in lines if line["rows"] not in (50, 100)}),
        [low + (high - low) * k / 5 for k in range(6)],
        lambda v: f"{v:.0f}",
        lambda v: f"{v:.2f}",
    )
    shown = []
    for router, look in looks.items():
        mine = sorted((line for line in lines if line["router"] == router), key=lambda line: line["rows"])
        if not mine:
            continue
        shown.append((router, look))
        panel.line([(m["rows"], m["value"]) for m in mine], look)
    for router, look in (("prompt length", LOOKS["prompt length"]), ("in distribution", LOOKS["oracle"])):
        flat = [line["value"] for line in lines if line["router"] == router]
        if flat:
            shown.append((router, look))
            panel.line([(0, flat[0]), (top, flat[0])], look)
    parts = panel.parts + drawing.legend(30, 396, shown, 118)
    return drawing.picture(620, 410, parts, title="Learning curve on own rows")


def cascade(results: Mapping[str, Any]) -> str:
    """Share wrong among the answers that are kept, against the share kept."""
    colours = (BLUE, ORANGE, GREEN, PURPLE, RED, GREY)
    dashes = ("", "7 3", "5 2", "2 2", "9 3 2 3", "1 3")
    panel = Panel(0, 0, 620, 380, (0, 1), (0, 1))
    ticks = [0, 0.2, 0.4, 0.6, 0.8, 1]
    n = results["about"].get("questions", "?")
    panel.frame(
        f"Keeping the small tier's answer, n = {n} questions",
        "share kept",
        "share wrong among those kept",
        ticks,
        ticks,
        _percent,
    )
    shown = []
    for index, (name, points) in enumerate(list(results["coverage"].items())[: len(colours)]):
        look = Look(colours[index], dashes[index], 2.4 if not index else 1.6)
        panel.line([(share, risk) for share, risk in points], look)
        shown.append((name, look))
    parts = panel.parts + [part for k, entry in enumerate(shown) for part in drawing.legend(30, 396 + 16 * k, [entry])]
    return drawing.picture(620, 404 + 16 * len(shown), parts, title="Risk and coverage of the cascade")


#: Picture -> the results it is drawn from, and how.
PICTURES: Final[Mapping[str, tuple[str, Callable[[Mapping[str, Any]], str]]]] = {
    "quality-cost": ("curves.json", quality_cost),
    "reliability": ("curves.json", reliability),
    "in-and-out": ("routing.json", in_and_out),
    "learning": ("own-traffic.json", learning),
    "cascade": ("cascade.json", cascade),
}


def draw(results: Path, out: Path) -> list[str]:
    """Draw what can be drawn; returns what was not, with the reason.

    Raises:
        OutcomeError: results are there but not of the form a picture needs.
    """
    out.mkdir(parents=True, exist_ok=True)
    missing = []
    for name, (file, make) in PICTURES.items():
        path = results / file
        if not path.exists():
            missing.append(f"{name}.svg: {path} is not there yet")
            continue
        try:
            drawn = make(json.loads(path.read_text("utf-8")))
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise OutcomeError(f"{path}: not what {name}.svg is drawn from: {type(error).__name__} {error}") from error
        (out / f"{name}.svg").write_text(drawn, "utf-8")
    return missing


def _percent(value: float) -> str:
    return f"{100 * value:.0f} %"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m evals.pictures", description="Draw the pictures of the docs.")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args(argv)
    try:
        for line in draw(options.results, options.out):
            print(f"not drawn: {line}", file=sys.stderr)
    except OutcomeError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
