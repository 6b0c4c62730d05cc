"""The one table of the guards' figures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evals.guards.table import READERS, RESULTS, Line, commands, lines_of, markdown


def test_every_result_file_of_a_guard_is_in_the_table() -> None:
    lines = lines_of(RESULTS)
    assert {line.file for line in lines} == {f"guards-{name}.json" for name in READERS}
    there = {path.name for path in RESULTS.glob("guards-*.json")}
    assert {line.file for line in lines} == there


def test_every_figure_lies_in_its_interval_and_intervals_are_in_order() -> None:
    for line in lines_of(RESULTS):
        if line.low is not None and line.high is not None:
            assert line.low - 1e-9 <= line.value <= line.high + 1e-9, line
        assert line.n is None or line.n > 0, line


def test_a_missing_file_is_an_error_not_a_shorter_table(tmp_path: Path) -> None:
    for name in READERS:
        if name != "topics":
            (tmp_path / f"guards-{name}.json").write_text((RESULTS / f"guards-{name}.json").read_text("utf-8"), "utf-8")
    with pytest.raises(FileNotFoundError, match="guards-topics"):
        lines_of(tmp_path)


def test_the_page_has_a_row_for_each_figure() -> None:
    lines = [
        Line(
            guard="pii", what="EMAIL, recall", source="en", n=12, value=0.5, low=0.25, high=0.75, file="guards-pii.json"
        ),
        Line(guard="secrets", what="flagged", source="all", n=5_000_000, value=3.2e-6, file="guards-secrets.json"),
    ]
    page = markdown(lines, {"command": "c", "date": "d", "commit": "x", "machine": "m"})
    assert "| pii | EMAIL, recall | en | 12 | 0.500 | 0.250 to 0.750 |" in page
    assert "| secrets | flagged | all | 5,000,000 | 3.2e-06 |  |" in page


def test_measuring_again_runs_the_command_that_each_file_names() -> None:
    said = [" ".join(line[2:]) for line in commands(Path("D"), [Path("C")], None)]
    named = {json.loads((RESULTS / f"guards-{name}.json").read_text("utf-8")).get("command", "") for name in READERS}
    modules = {command.split()[2] for command in named if command}
    assert modules <= {line.split()[0] for line in said}
