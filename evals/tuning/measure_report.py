"""``simulate.json`` as tables."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def write(whole: Mapping[str, Any], out: Path) -> None:
    """Write ``simulate.json`` and ``simulate.md``."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "simulate.json").write_text(json.dumps(_rounded(whole), indent=1) + "\n", "utf-8")
    (out / "simulate.md").write_text("\n".join(_page(whole)) + "\n", "utf-8")


def _page(whole: Mapping[str, Any]) -> list[str]:
    page = ["# Simulations: how far they can be trusted, and how fast they are", ""]
    if "estimators" in whole:
        page += _estimators(whole)
    if "recorded" in whole:
        page += _recorded(whole["recorded"])
    if "speed" in whole:
        page += _speed(whole["speed"])
    return page


def _made_by(part: Mapping[str, Any]) -> str:
    return f"`{part['command']}`, {part['date']}, commit {part['commit']}, {part['machine']}."


def _estimators(whole: Mapping[str, Any]) -> list[str]:
    world = whole["world"]
    words = (
        f"A made world whose truth is known (quality {world['truth']:.4f}): a log under threshold {world['old']}, "
        f"asked about threshold {world['new']:.2f}. Bias (with the 95 % error of its own mean over the logs), mean "
        "half-width of the 95 % interval, in points of quality, and the share of intervals that hold the truth. Its "
        "numbers were chosen, not measured: they show the method, not a router. Refused logs (effective sample below "
        f"{whole['limits']['least_ess']:.0f}, or fewer than {whole['limits']['least_explored']} explored answers that "
        "show the change) are counted and not averaged."
    )
    head = [
        "explored",
        "rows",
        "logs",
        "refused",
        "ESS",
        "agreeing rows only",
        "IPS",
        "self-normalised",
        "doubly robust",
    ]
    lines = [
        [f"{line['explored']:.0%}", f"{line['rows']:,}", str(line["logs"]), str(line["refused"]), f"{line['ess']:,.0f}"]
        + [_cell(line.get(name)) for name in ("agreeing", "ips", "snips", "dr")]
        for line in whole["estimators"]["lines"]
    ]
    return ["## Estimators", "", words, "", *_table(head, lines), "", _made_by(whole["estimators"]), ""]


def _recorded(part: Mapping[str, Any]) -> list[str]:
    words = (
        "Logs drawn from outcome rows of which every tier's outcome is recorded (valid split): the log follows "
        "`keep: 0.95` and draws any tier in the explored share, the candidate is `keep: 0.85`. Rows are repeated to "
        "make a log; what is random is which tier was taken. Points, as above."
    )
    head = ["family", "questions", "rows", "explored", "logs", "truth", "agreeing rows only", "IPS", "doubly robust"]
    lines = [
        [
            line["family"], f"{line['questions']:,}", f"{line['rows']:,}", f"{line['explored']:.0%}", str(line["logs"]),
            f"{line['truth']:.1%}", *[_cell(line.get(name)) for name in ("agreeing", "ips", "dr")],
        ]
        for line in part["lines"]
    ]  # fmt: skip
    return ["## On recorded outcomes", "", words, "", *_table(head, lines), "", _made_by(part), ""]


def _speed(part: Mapping[str, Any]) -> list[str]:
    words = (
        "One policy against another, sliced by tenant. Processor time counts child processes; the machine served "
        "others at the same time, as the load before each run says."
    )
    head = ["from", "rows", "wall s", "CPU s", "load before", "peak MB"]
    lines = [
        [
            line["what"],
            f"{line['rows']:,}",
            *[f"{line[key]:,}" for key in ("wall_s", "cpu_s", "load_before", "peak_mb")],
        ]
        for line in part["lines"]
    ]
    return ["## Speed", "", words, "", *_table(head, lines), "", _made_by(part), ""]


def _cell(figure: Mapping[str, float] | None) -> str:
    if figure is None:
        return "refused"
    bias, error, half = (figure[name] for name in ("bias", "bias_error", "half_width"))
    return f"{bias:+.2f} (± {error:.2f}), ± {half:.2f}, holds {figure['covers']:.0%}"


def _table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> list[str]:
    return [
        "| " + " | ".join(head) + " |",
        "|" + "---|" * len(head),
        *["| " + " | ".join(line) + " |" for line in lines],
    ]


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 5)
    if isinstance(value, Mapping):
        return {key: _rounded(item) for key, item in value.items()}
    return [_rounded(item) for item in value] if isinstance(value, (list, tuple)) else value
