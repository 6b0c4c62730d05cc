"""What the ``keys`` commands say and read of limits: options, and the table of what is used and left."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from router.core.limits import Allowance
    from router.registry.keys import Key

_OPTIONS: Final = {
    "requests_per_minute": ("--rpm", int, "Requests a minute."),
    "tokens_per_minute": ("--tpm", int, "Tokens a minute, input and output, as they were used."),
    "parallel": ("--parallel", int, "Requests in progress at once."),
    "usd_per_day": ("--usd-per-day", float, "US dollars a calendar day (UTC)."),
    "usd_per_month": ("--usd-per-month", float, "US dollars a calendar month (UTC)."),
}
NONE: Final = "none"


class Amount(click.ParamType[float]):
    """A positive number, or ``none`` where a limit may be taken away."""

    name = "amount"

    def __init__(self, kind: type[int | float], *, clears: bool) -> None:
        self._kind, self._clears = kind, clears

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read it."""
        if value == NONE and self._clears:
            return NONE
        try:
            read = self._kind(value)
        except ValueError:
            read = self._kind(0)
        if not 0 < read < float("inf"):
            words = f" or {NONE!r}" if self._clears else ""
            self.fail(f"{value!r} is no limit: write a number above zero{words}.", param, ctx)
        return read


def limit_options(*, clears: bool) -> Callable[[Any], Any]:
    """The five options. ``clears``: ``none`` takes a limit away."""

    def decorate(command: Any) -> Any:
        for name, (option, kind, words) in reversed(_OPTIONS.items()):
            command = click.option(option, name, type=Amount(kind, clears=clears), help=words)(command)
        return command

    return decorate


def allowance_of(said: Mapping[str, Any], before: Allowance | None = None) -> Allowance | None:
    """The limits that options say, over those there were; None where none is left."""
    from router.core.limits import Allowance

    values = {name: getattr(before, name) if before else None for name in _OPTIONS}
    for name, value in said.items():
        if value is not None:
            values[name] = None if value == NONE else value
    return Allowance(**values) if any(value is not None for value in values.values()) else None


def words_of(key: Key) -> str:
    """A key's limits in a few words."""
    if key.limits is None:
        return "none"
    said = ((name, getattr(key.limits, name)) for name in _OPTIONS)
    return " ".join(f"{_OPTIONS[name][0].removeprefix('--')}={value:g}" for name, value in said if value is not None)


def lines_of(usage: list[dict[str, Any]]) -> list[list[str]]:
    """The table of what is used and left; money in US dollars. What died with a gateway counts as held."""
    rows: list[list[str]] = []
    for line in usage:
        held = line["held"] + line["forfeited"]
        amounts = [line["allowed"], line["used"], held, line["left"]]
        words = [line["limit"].replace("_per_", "/").replace("_", " ")]
        rows.append([f"{line['of']} {line['name']}", *words, *(_amount(each, line["unit"]) for each in amounts)])
    return rows


def _amount(value: int, unit: str) -> str:
    return f"{value / 1e9:.4f}" if unit == "nanodollars" else f"{value:,}"
