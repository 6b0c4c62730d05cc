"""``stillhouse report --observe``: what following the policy would have saved and changed. A forecast."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stillhouse.cli import show
from stillhouse.cli.report import count, numbers, usd

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evals.observed.forecast import Figure, Line, Outlook

_SHOWN = 12  # tenants and policies a table
_NONE = """\
Nothing was observed {scope}. Start the gateway with 'stillhouse serve --observe' and point your traffic at it."""


def print_outlook(outlook: Outlook, scope: str, pruned: int) -> None:
    """The whole picture on standard output."""
    if not outlook.observed:
        show.line(_NONE.format(scope=scope))
        _pruned(pruned)
        return
    show.line(f"{count(outlook.observed, 'request')} observed {scope}; nothing was changed for any of them")
    if outlook.total is None:
        show.line("None of them could be judged, so nothing can be forecast.")
    else:
        _headline(outlook.total)
        show.line()
        _lines("What the policy would have done", "asked → instead", outlook.moves)
        _lines("By tenant", "tenant", outlook.tenants)
        _lines("By policy", "policy", outlook.policies)
        _worst(outlook)
        _feedback(outlook.feedback)
        show.line()
    _apart(outlook)
    _pruned(pruned)


def _headline(total: Line) -> None:
    show.line(f"tier     {_share(total.differ)} would have been answered by another tier")
    if total.saved is None:
        show.line("saving   unknown: no request has both a known cost and a forecast of the other tier's")
    else:
        word = "saved" if total.saved_nano >= 0 else "lost"
        money = f"{usd(abs(total.saved_nano))} {word} of {usd(total.paid_nano)} paid"
        show.line(f"saving   {_share(total.saved)}, {money}, net of what dearer tiers would have cost more")
    if total.quality is None:
        show.line("quality  unknown: there is no scorer's chance for both tiers")
    else:
        show.line(f"quality  {_points(total.quality)} points expected, by the scorer's own chances: a forecast")


def _lines(title: str, key: str, lines: Sequence[Line]) -> None:
    columns = [key, "requests", "other tier", "paid", "saved", "of paid", "points"]
    rows = [
        [
            " → ".join(line.key),
            f"{line.requests:,}",
            f"{line.differ.value:.1%}",
            usd(line.paid_nano) if line.known else "unknown",
            usd(line.saved_nano) if line.known else "unknown",
            "unknown" if line.saved is None else f"{line.saved.value:.1%}{_reach(line.saved)}",
            "unknown" if line.quality is None else f"{100 * line.quality.value:+.1f}{_reach(line.quality)}",
        ]
        for line in lines[:_SHOWN]
    ]
    numbers(title, columns, rows)
    if len(lines) > _SHOWN:
        show.line(f"and {len(lines) - _SHOWN} more; --json has them all")
    show.line()


def _reach(figure: Figure) -> str:
    """Half the 95 % interval, in points."""
    return "" if figure.high is None else f" ±{100 * (figure.high - figure.value):.1f}"


def _worst(outlook: Outlook) -> None:
    worst = outlook.worst
    if len(outlook.tenants) < 2:
        return
    if worst is None or worst.quality is None:
        show.line("worst tenant: cannot be told; none has 20 conversations yet")
        return
    among = sum(1 for line in outlook.tenants if line.quality is not None and line.quality.low is not None)
    allows = f", its interval allowing for the choice among {among}" if among > 1 else ""
    show.line(f"worst tenant: {worst.key[0]}, {_points(worst.quality)} points, n = {worst.quality.n:,}{allows}")


def _feedback(figure: Figure | None) -> None:
    if figure is None:
        show.line("feedback: none, so the scorer's chances are unchecked on this traffic (POST /v1/feedback)")
        return
    words = f"feedback on {count(figure.n, 'answer')} lies {_points(figure)} points from the chances of the tiers asked"
    if figure.low is None or figure.high is None:
        verdict = "too few to judge by"
    elif figure.high < 0:
        verdict = "the scorer is too hopeful here: expect less than forecast"
    elif figure.low > 0:
        verdict = "the scorer is too wary here"
    else:
        verdict = "no difference can be seen"
    show.line(f"{words}: {verdict}")


def _apart(outlook: Outlook) -> None:
    """What stands in no figure above, or rests on less than the rest."""
    for n, words in (
        (outlook.failed, "got no answer from a model: in no figure"),
        (outlook.unjudged, "could not be judged (see stillhouse_unobserved_total): in no figure"),
        (outlook.blocked, "a guard would have stopped, or their answer: in no figure, and not counted as saved"),
        (outlook.cascaded, "would have begun a cascade below the chosen tier, which cannot be forecast: in no figure"),
        (outlook.masked, "would have had a part masked by a guard"),
        (outlook.missing, "want a tier that has no model here: counted as if it had one"),
        (outlook.unknown_money, "have an unknown price, paid or forecast: in no sum of money"),
        (outlook.estimated, "rest on reference prices or estimated tokens: hypothetical money"),
    ):  # fmt: skip
        if n:
            show.line(f"{count(n, 'request')}: {words}")
    show.line("± and brackets: 95 %, over conversations and prompts that begin alike; below 20 of them none is given.")
    show.line(
        "points: change of the expected share of right answers. No interval covers the scorer's own error, which may"
    )
    show.line("be larger: docs/observe.md says how large it was measured, and feedback checks it on your traffic.")


def _pruned(pruned: int) -> None:
    if pruned:
        show.line(
            f"Of {count(pruned, 'observed request')} only daily sums are left, from which nothing can be forecast."
        )


def _share(figure: Figure) -> str:
    return f"{figure.value:.1%}" + _interval(figure, "{:.1%}")


def _points(figure: Figure) -> str:
    return f"{100 * figure.value:+.1f}" + _interval(figure, "{:+.1f}", 100)


def _interval(figure: Figure, shape: str, by: float = 1) -> str:
    if figure.low is None or figure.high is None:
        return ""
    return f" ({shape.format(by * figure.low)} to {shape.format(by * figure.high)})"
