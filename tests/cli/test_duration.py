from datetime import timedelta

import click
import pytest

from stillhouse.cli.duration import DURATION


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("90m", timedelta(minutes=90)),
        ("12h", timedelta(hours=12)),
        ("30d", timedelta(days=30)),
        ("8w", timedelta(weeks=8)),
    ],
)
def test_a_number_and_a_unit_are_a_span(text: str, span: timedelta) -> None:
    assert DURATION.convert(text, None, None) == DURATION.convert(span, None, None) == span


@pytest.mark.parametrize("text", ["", "7", "d", "0d", "-1d", "1.5h", "7x", "7 d", "7d ", "٧d", "9999999d", "1y"])
def test_all_else_is_refused_with_examples(text: str) -> None:
    with pytest.raises(click.BadParameter, match="Write for example 90m, 12h, 30d or 8w"):
        DURATION.convert(text, None, None)
