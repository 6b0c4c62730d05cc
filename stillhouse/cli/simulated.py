"""A simulation as a person reads it: what would come of it, where it is worst, and how far to trust it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from stillhouse.cli import show

if TYPE_CHECKING:
    from evals.tuning.result import Evidence, Said, Simulation, Slice, Slices

_HASH = 12


def picture(found: Simulation, by: str) -> None:
    """Print it."""
    show.line(f"{found.policy}@{found.hash[:_HASH]} on {found.source}, compared with {found.reference}")
    show.line(f"it decides otherwise in {_share(found.moved)} of the requests")
    show.line()
    show.table(["figure", "this policy", "reference", "difference"], _figures(found), "What would come of it")
    show.line()
    show.table(["asked first", "share"], [[tier, _share(mix)] for tier, mix in found.tiers.items()])
    show.line(_sentence("latency", _latency(found)))
    show.line(_sentence("answers turned down, a request", _plain(found.escalations)))
    show.line(_sentence("guards", _guards(found)))
    show.line()
    _slices(found, by)
    for words in _evidence(found.evidence):
        show.line(words)
    for why, count in found.left_out.items():
        show.line(f"left out: {count:,} rows ({why})")
    for note in found.notes:
        show.line(f"note: {note}")


# --- the figures --------------------------------------------------------------------------------------


def _figures(found: Simulation) -> list[Sequence[str]]:
    large = found.reference == "always-large"
    money = found.money
    reference, cost = (found.large, money.large) if large else (found.current, money.current)
    saving = money.saving_large if large else money.saving_current
    rows: list[Sequence[str]] = [
        ["quality", _share(found.quality), _share(reference), _points(found.change)],
        ["cost a request", _usd(money.cost), _usd(cost), _saved(saving)],
    ]
    if not large:
        rows.append(["cost, against always-large", _usd(money.cost), _usd(money.large), _saved(money.saving_large)])
        if found.large.value is not None:
            rows.append(["quality of always-large", "", _share(found.large), ""])
    if all(money_or.value is None for money_or in (money.cost, found.quality)) and money.cost.why == found.quality.why:
        return [["quality and cost", found.quality.why, "", ""]]
    return rows


def _latency(found: Simulation) -> str:
    median, high = found.latency["p50"], found.latency["p95"]
    if median.value is None or high.value is None:
        return median.why or high.why
    return f"half within {_ms(median)}, 95 % within {_ms(high)}"


def _guards(found: Simulation) -> str:
    if found.guards.found.value is None:
        return found.guards.found.why
    return f"find something in {_share(found.guards.found)}, block {_share(found.guards.blocked)}"


def _slices(found: Simulation, by: str) -> None:
    rows = [_slice(part.worst) for part in found.slices if part.worst is not None]
    columns = ["slice", "rows", "quality", f"against {found.reference}"]
    if rows:
        show.table(columns, rows, "Where it is worst (intervals hold for all slices together)")
    for part in found.slices:
        if part.dimension == by and part.each:
            show.table(columns, [_slice(each) for each in part.each], f"By {by}")
        if part.thin:
            show.line(_thin(part))
    if rows or any(part.thin for part in found.slices):
        show.line()


def _slice(part: Slice) -> Sequence[str]:
    quality = "-" if part.quality is None else f"{part.quality:.1%}"
    return [f"{part.dimension} {part.name}", f"{part.n:,}", quality, _points(part.change)]


def _thin(part: Slices) -> str:
    noun = f"slice by {part.dimension} is" if part.thin == 1 else f"slices by {part.dimension} are"
    return f"{part.thin:,} {noun} too thin to say anything ({part.thin_share:.1%} of the rows)"


def _evidence(about: Evidence) -> Iterable[str]:
    if about.method == "recorded":
        yield f"every tier's outcome is recorded, of {about.rows:,} rows"
        return
    yield (
        f"estimated doubly robustly from {about.rows:,} judged answers: effective sample size {about.ess or 0:,.0f}, "
        f"{about.changed or 0:.1%} of the decisions changed, {about.unsupported or 0:.1%} without support, "
        f"{about.explored or 0:,} explored answers show the change"
    )
    if about.ips is not None and about.snips is not None:
        yield f"other estimators of the quality: IPS {_share(about.ips)}, self-normalised {_share(about.snips)}"
    if about.refused_money:
        yield f"money cannot be told: {about.refused_money}"


# --- words ---------------------------------------------------------------------------------------------


def _sentence(what: str, said: str) -> str:
    return f"{what}: {said}"


def _share(said: Said) -> str:
    if said.value is None or said.low is None or said.high is None:
        return _unknown(said)
    return f"{said.value:.1%} ({said.low:.1%} to {said.high:.1%})"


def _points(said: Said) -> str:
    if said.value is None or said.low is None or said.high is None:
        return _unknown(said)
    value, low, high = (100 * v for v in (said.value, said.low, said.high))
    return f"{value:+.1f} points ({low:+.1f} to {high:+.1f})"


def _saved(said: Said) -> str:
    if said.value is None or said.low is None or said.high is None:
        return _unknown(said)
    if said.value < 0:
        return f"costs {-said.value:.1%} more ({-said.high:+.1%} to {-said.low:+.1%})"
    return f"saves {said.value:.1%} ({said.low:.1%} to {said.high:.1%})"


def _usd(said: Said) -> str:
    if said.value is None or said.low is None or said.high is None:
        return _unknown(said)
    from stillhouse.cli.report import usd

    value, low, high = (usd(round(v * 1e9)) for v in (said.value, said.low, said.high))
    return f"{value} ({low} to {high})"


def _ms(said: Said) -> str:
    return f"{said.value:,.0f} ms ({said.low:,.0f} to {said.high:,.0f})"


def _plain(said: Said) -> str:
    if said.value is None or said.low is None or said.high is None:
        return said.why
    return "none" if said.value == 0 == said.high else f"{said.value:.2f} ({said.low:.2f} to {said.high:.2f})"


def _unknown(said: Said) -> str:
    return "unknown" if said.why else "-"
