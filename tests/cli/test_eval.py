"""``stillhouse eval`` as a person meets it."""

import json
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner

from evals.suites.read import names
from stillhouse.cli.eval import command

GOOD = """\
suite: mine
about: A suite of a test.
data: {file: rows.csv, fields: {tier: intent}}
targets: [{name: p, policy: balanced}]
scorers: [tier]
slices: [language]
assert: ["errors <= 0%", "tier >= 0%"]
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "rows.csv").write_text("id,prompt,intent,language\na,What is 2 + 2?,small,en\nb,안녕하세요?,small,ko\n")
    (tmp_path / "mine.yaml").write_text(GOOD)
    return tmp_path


def call(*arguments):
    return CliRunner().invoke(command, list(map(str, arguments)), catch_exceptions=False)


def test_without_a_suite_it_lists_those_that_ship():
    said = call()
    assert said.exit_code == 0
    assert all(re.search(rf"\b{name}\b", said.output) for name in names())


def test_a_suite_that_holds_ends_with_0_and_writes_its_run(folder, home):
    said = call(folder / "mine.yaml")
    assert said.exit_code == 0, said.output
    assert "mine: pass; 2 answers, 0 of them known, 0 calls" in said.output
    assert "the smallest difference of quality" in said.stderr or "can show no difference" in said.stderr
    [run] = (home / "runs").iterdir()
    assert {path.name for path in run.iterdir()} == {"run.json", "items.jsonl"}
    assert "2 of them known" in call(folder / "mine.yaml").output


def test_an_assertion_that_fails_ends_with_1(folder):
    (folder / "mine.yaml").write_text(GOOD.replace("tier >= 0%", "saving >= 100%"))
    said = call(folder / "mine.yaml", "--junit", folder / "j.xml")
    assert said.exit_code == 1
    assert ET.parse(folder / "j.xml").getroot()[0].get("failures") == "1"


def test_what_cannot_be_decided_ends_with_3(folder):
    (folder / "mine.yaml").write_text(GOOD.replace("tier >= 0%", "recall@fpr 1% >= 0%"))
    assert call(folder / "mine.yaml").exit_code == 3


def test_a_run_that_cannot_be_kept_ends_with_3(folder):
    said = call(folder / "mine.yaml", "--runs", folder / "rows.csv" / "runs")
    assert said.exit_code == 3
    assert "rows.csv" in said.stderr


def test_every_mistake_of_every_file_comes_at_once_with_2(folder):
    (folder / "mine.yaml").write_text(GOOD.replace("[tier]", "[teir]").replace("about", "abuot"))
    said = call(folder / "mine.yaml", "routing-familes")
    assert said.exit_code == 2
    assert re.search(r"mine\.yaml:2:1: abuot: unknown key", said.stderr)
    assert re.search(r"mine\.yaml:5:11: scorers\[0\]: there is no scorer 'teir'", said.stderr)
    assert "did you mean 'routing-families'" in said.stderr


@pytest.mark.parametrize(
    "arguments",
    [["mine.yaml", "--against", "nope"], ["mine.yaml", "--config", "none.yaml"], ["routing-families"]],
    ids=["run", "settings", "data"],
)
def test_what_is_not_there_ends_with_2_and_a_hint(folder, arguments):
    (folder / "mine.yaml").write_text(
        GOOD.replace("policy: balanced", "gateway: {}")
        .replace("[tier]", "[regex: {pattern: a}]")
        .replace("tier >= 0%", "quality >= 0%")
    )
    said = call(*(folder / part if part == "mine.yaml" else part for part in arguments))
    assert said.exit_code == 2
    assert said.stderr.startswith("error: ") or "\nerror: " in said.stderr
    assert "Traceback" not in said.output


def test_json_is_one_line_and_reports_are_written(folder):
    said = call(folder / "mine.yaml", "--json", "--html", folder / "r.html", "--markdown", folder / "r.md")
    assert said.exit_code == 0
    told = json.loads(said.stdout)
    assert (told["verdict"], told["exit_code"], told["rows"]) == ("pass", 0, 2)
    assert (folder / "r.html").read_text().startswith("<!doctype html>")
    assert "mine" in (folder / "r.md").read_text()


def test_the_whole_report_can_be_printed(folder):
    said = call(folder / "mine.yaml", "--report")
    assert "Targets" in said.stdout
    assert "language: ko" in said.stdout


def test_a_dry_run_checks_everything_and_asks_nothing(folder, home):
    said = call(folder / "mine.yaml", "routing-direction", "--dry-run")
    assert said.exit_code == 0
    assert said.stdout == "-m evals.routing.direction\n"
    assert "mine: 2 rows, 1 targets" in said.stderr
    assert not (home / "runs").exists()


def test_protocols_run_by_the_same_command(monkeypatch):
    from evals.runs import protocols

    monkeypatch.setattr(
        protocols, "run", lambda lines, tell: [line[1:] for line in lines] == [["-m", "evals.routing.direction"]]
    )
    assert call("routing-direction").exit_code == 0
    monkeypatch.setattr(protocols, "run", lambda lines, tell: False)
    assert call("routing-direction").exit_code == 3


@pytest.mark.parametrize(
    "name", ["probes-korean", "probes-guarded", "probes-private", "probes-balanced", "probes-demo"]
)
def test_the_probes_of_every_preset_hold(name):
    said = call(name)
    assert said.exit_code == 0, said.output


def test_suites_that_ship_have_their_data_beside_them():
    from evals.runs.execute import read_rows
    from evals.suites.grammar import Suite
    from evals.suites.read import FOLDER, load

    for name in names():
        path = FOLDER / f"{name}.yaml"
        suite = load(path)
        if isinstance(suite, Suite) and suite.data.importer != "outcomes":  # its rows are rebuilt by importers
            rows = read_rows(suite, path)
            assert all(row.slices(suite.slices) for row in rows), name
    assert Path(FOLDER / "schema.json").exists()


def test_half_of_our_own_requests_are_korean_with_tools_and_turns():
    from evals.suites.grammar import Fields
    from evals.suites.read import FOLDER
    from evals.suites.rows import read_file

    rows = read_file(FOLDER / "own-prompts.jsonl", Fields(tier="intent"))
    talks = read_file(FOLDER / "own-conversations.jsonl", Fields(tier="intent"))
    assert len(rows) >= 300
    for every in (rows, talks):
        korean = sum(row.fields["language"] == "ko" for row in every)
        assert 0.45 <= korean / len(every) <= 0.55
        assert {row.tier for row in every} == {"small", "medium", "large"}
    assert sum(bool(row.tools) for row in talks) >= 16
    assert sum(len(row.messages) > 2 for row in talks) >= 12
    assert any(message["role"] == "tool" for row in talks for message in row.messages)


def test_progress_moves_on_a_terminal_and_is_silent_elsewhere(monkeypatch, capsys):
    import sys

    from evals.runs.runner import Progress
    from stillhouse.cli.eval import _progress

    at = Progress("gw", 40, 100, 35, 5, 2, 1_200_000_000, 20.0, 3725.0)
    _progress(at)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    _progress(at)
    said = capsys.readouterr().err
    assert said.endswith("gw  40 of 100, 2 without a score, 35 calls, 1.2000 usd, 1:02:05 left")
