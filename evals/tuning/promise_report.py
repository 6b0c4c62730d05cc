"""``promise.json`` as Markdown and as a picture. No figure is computed here."""

from __future__ import annotations

from collections.abc import Mapping
from math import log10
from typing import Any, Final

from evals import drawing
from evals.drawing import BLUE, GREEN, ORANGE, Look, Panel

_DIGITS: Final = 4
_HEAD: Final = """# Promises, kept and broken

Made by `{command}`; do not edit. {date}, commit {commit}, {machine}, seed {seed}.

Rows: those of the training and the validation split that every tier of a family answered with known tokens.
Scores: {scores}.
Where *left out* is said: by one that saw nothing of the row's source (or fifth of the puzzle kinds), nor of its
questions. One row of each question is drawn. Confidence 95 %, against the large tier. *loss* never lets a gain make
up for a loss, *net* does. Intervals hold 95 % of the resamples: half of the questions are evidence, the other half is
scored, so doubt about both halves is in them. Tokens of the haerae ladder are estimated, the others measured.
"""
_LOOKS: Final = {
    "loss 2 %": Look(BLUE, width=2.2),
    "loss 5 %": Look(GREEN, "5 2"),
    "net 2 %": Look(ORANGE, "7 3"),
}


def rounded(value: Any) -> Any:
    """Four digits after the point are what such figures carry."""
    if isinstance(value, float):
        return round(value, _DIGITS)
    if isinstance(value, Mapping):
        return {key: rounded(item) for key, item in value.items()}
    return [rounded(item) for item in value] if isinstance(value, list | tuple) else value


def markdown(found: Mapping[str, Any]) -> str:
    """The tables."""
    parts = [_HEAD.format(**found)]
    for title, table in (
        ("Is it kept?", _kept),
        ("What is saved", _saved),
        ("How near to hindsight", _curve),
        ("When the traffic changes", _streams),
        ("Which form of thresholds", _forms),
    ):
        lines = table(found["families"])
        if lines:
            parts += [f"## {title}\n", *lines, ""]
    return "\n".join(parts).rstrip("\n") + "\n"


def _each(families: Mapping[str, Any]) -> list[tuple[str, str, Mapping[str, Any], Mapping[str, Any]]]:
    return [
        (family["title"], promise, family, found)
        for family in families.values()
        for promise, found in family["promises"].items()
    ]


def _kept(families: Mapping[str, Any]) -> list[str]:
    lines = [
        "*In truth*: the mean over all of a family's questions is within the promise. *On the rest*: that over the",
        "half that was not evidence is; that half is a sample too, and its mean strays as the evidence's did. *For the",
        "rest*: the same where the promise was made for as many requests as the rest has. *Left out* as said above.\n",
        _row("family", "promise", "questions, evidence", "in truth", "on the rest", "for the rest", "loss on the rest",
             "left out: in truth", "left out: on the rest"),
        _line(9),
    ]  # fmt: skip
    for title, promise, _, found in _each(families):
        if "kept" in found:
            here, left = found["kept"], found["kept_left_out"]
            lines.append(
                _row(
                    title, promise, f"{here['rows']:,}, {here['evidence']:,}", f"{here['kept_in_truth']:.1%}",
                    f"{here['kept_on_the_rest']:.1%}", f"{here['kept_if_for_the_rest']:.1%}", f"{here['loss']:.2%}",
                    f"{left['kept_in_truth']:.1%}", f"{left['kept_on_the_rest']:.1%}",
                )
            )  # fmt: skip
    return lines if len(lines) > 5 else []


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _line(columns: int) -> str:
    return "|---" * columns + "|"


def _saved(families: Mapping[str, Any]) -> list[str]:
    names = ("ours", "prompt length", "LiteLLM v1", "random")
    lines = [
        "Certified saving, scored on the rest; every router is tuned in the same way on the same evidence.\n",
        _row("family", "promise", "scorer", *names, "oracle", "ours less length", "ours less LiteLLM"),
        _line(10),
    ]
    for title, promise, _, found in _each(families):
        for which, word in (("known", "knows the source"), ("left", "source left out")):
            routers = found.get(f"savings_{which}")
            if routers is not None:
                cells = [_interval(routers[name]) for name in names] + [f"{routers['oracle']['saving']:.0%}"]
                cells += [_interval(routers[name]["ours_less_this"]) for name in names[1:3]]
                lines.append(_row(title, promise, word, *cells))
    lines += [
        "",
        "As peers choose: the cheapest setting whose mean net loss on the evidence is within a limit, with no bound.\n",
    ]
    lines += [_row("family", "limit", "saving", "loss on the rest", "limit kept on the rest"), _line(5)]
    for title, _, _, found in _each(families):
        lines += [
            _row(
                title, f"{each['limit']:.0%}", _interval(each), f"{each['loss']:.2%}", f"{each['kept_on_the_rest']:.0%}"
            )
            for each in found.get("by_estimate", ())
        ]
    return lines if len(lines) > 7 else []


def _interval(found: Mapping[str, float]) -> str:
    return f"{100 * found['saving']:.1f} % ({100 * found['low']:.0f} to {100 * found['high']:.0f})"


_CURVE: Final = (
    "Rows are drawn with replacement from the family's questions, which stand for all traffic: from their number up,\n"
    "draws repeat questions. *Hindsight*: the cheapest thresholds whose true loss is within the promise.\n"
    "*Certifiable*: the cheapest that so many rows could certify, were their figures the true ones.\n"
)
_STREAMS: Final = (
    "*By time*: the first 30 to 70 % of the rows in the files' order (source after source) are evidence, the rest the\n"
    "stream. *By source*: evidence and 500 requests of all sources but one, then that one, unseen by the scorer.\n"
    "*Void in time*: declared within 500 requests of the shift; *needless*: of those, the loss stayed within the\n"
    "promise; *by losses*: the watch of losses alone was in time; *broken*: neither kept nor declared; *refused*: too\n"
    "little evidence to promise. A false alarm comes before the shift; *unchanged*: in 500 requests without any.\n"
)
_WORDS: Final = (
    "streams",
    "kept",
    "void in time",
    "void late",
    "broken",
    "false alarm",
    "needless",
    "by losses",
    "refused",
)


def _curve(families: Mapping[str, Any]) -> list[str]:
    heads = ("family", "promise", "questions", "rows", "saving", "hindsight", "share of it", "certifiable", "in truth")
    lines = [_CURVE, _row(*heads), _line(len(heads))]
    for title, promise, _, found in _each(families):
        for each in found.get("curve", ()):
            shares = (f"{each['hindsight']:.1%}", f"{each['share']:.0%}", f"{each['certifiable']:.1%}")
            counts = (f"{each['questions']:,}", f"{each['rows']:,}", _interval(each))
            lines.append(_row(title, promise, *counts, *shares, f"{each['kept_in_truth']:.1%}"))
    return lines if len(lines) > 3 else []


def _streams(families: Mapping[str, Any]) -> list[str]:
    heads = ("family", "promise", "stream", *_WORDS, "unchanged: false alarms", "median requests", "loss after")
    lines = [_STREAMS, _row(*heads), _line(len(heads))]
    for title, promise, _, found in _each(families):
        for which in ("by_time", "by_source"):
            each, still = found.get(which), found.get("unchanged")
            if each is not None and still is not None:
                median = "" if each["median_requests"] is None else f"{each['median_requests']:.0f}"
                cells = [str(each[name.replace("by losses", "by_losses")]) for name in _WORDS]
                quiet = f"{still['false alarm']} of {still['streams']}"
                lines.append(
                    _row(title, promise, which.replace("_", " "), *cells, quiet, median, f"{each['loss_after']:.2%}")
                )
    return lines if len(lines) > 3 else []


def _forms(families: Mapping[str, Any]) -> list[str]:
    lines = [
        "What the best thresholds in hindsight save, as `lose` and as `keep` by tier.\n",
        _row("family", "promise", "lose", "keep"),
        _line(4),
    ]
    lines += [
        _row(title, promise, f"{found['forms']['lose']:.1%}", f"{found['forms']['keep']:.1%}")
        for title, promise, _, found in _each(families)
        if "forms" in found
    ]
    return lines if len(lines) > 3 else []


def picture(found: Mapping[str, Any]) -> str:
    """Saving against rows of evidence, beside hindsight: a panel a family."""
    width, height, parts = 420, 300, []
    for place, family in enumerate(found["families"].values()):
        curves = {word: each["curve"] for word, each in family["promises"].items() if "curve" in each}
        if not curves:
            continue
        top = max(max(point["hindsight"], point["high"]) for points in curves.values() for point in points)
        panel = Panel(place % 2 * width, place // 2 * height, width, height, (2.6, 4.4), (0.0, _above(top)))
        panel.frame(
            f"{family['title']}, {family['questions']:,} questions",
            "rows of evidence",
            "saved against always-large",
            [2.7, 3.0, 3.3, 3.7, 4.0, 4.3],
            [step / 10 for step in range(int(_above(top) * 10) + 1)],
            lambda value: f"{round(10**value / 100) * 100:,}",
            lambda value: f"{value:.0%}",
        )
        for word, points in curves.items():
            panel.line([(_log(p["rows"]), p["hindsight"]) for p in points], Look(_LOOKS[word].colour, "1 4", 1.2))
            if word == "loss 2 %":
                ends = [[(_log(p["rows"]), p[end]) for p in points] for end in ("low", "high")]
                panel.band(ends[0], ends[1], BLUE)
            panel.line([(_log(p["rows"]), p["saving"]) for p in points], _LOOKS[word])
        parts += panel.parts
    rows = (len(found["families"]) + 1) // 2
    parts += drawing.legend(30, rows * height + 16, list(_LOOKS.items()), 120)
    parts.append(drawing.text(30, rows * height + 38, "Dotted: the best thresholds in hindsight. Band: 95 % of draws."))
    return drawing.picture(2 * width, rows * height + 50, parts, title="Saving at a promise, by rows of evidence")


def _log(rows: float) -> float:

    return log10(rows)


def _above(top: float) -> float:
    return (int(top * 10) + 1) / 10
