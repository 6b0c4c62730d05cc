"""Spans of time as people write them: ``90m``, ``12h``, ``30d``, ``8w``."""

from __future__ import annotations

import re
from datetime import timedelta

import click

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_FORM = re.compile(r"([0-9]{1,6})([mhdw])")


class Duration(click.ParamType[timedelta]):
    """A click parameter that becomes a ``timedelta``."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Read ``value``; refuse what is not a whole number and one unit, or is zero."""
        if isinstance(value, timedelta):
            return value
        form = _FORM.fullmatch(str(value))
        if form is None or int(form[1]) == 0:
            self.fail(f"{value!r} is not a span of time. Write for example 90m, 12h, 30d or 8w.", param, ctx)
        return timedelta(**{_UNITS[form[2]]: int(form[1])})


DURATION = Duration()
