"""The suite command: it lists, refuses what cannot run, and runs each evaluation once."""

import sys

import pytest

from evals import suite
from evals.suites.read import FOLDER, load_suite, names


@pytest.fixture
def data(tmp_path):
    for name in ("train", "valid", "routellm"):
        (tmp_path / f"{name}.jsonl.gz").write_bytes(b"")
    return tmp_path


def test_without_a_name_it_lists_what_is_there(capsys):
    assert suite.main([]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(names())


def test_an_unknown_suite_is_refused_with_the_known_ones(capsys):
    assert suite.main(["routing-nothing"]) == 2
    assert "no suite routing-nothing; there are routing-cascade" in capsys.readouterr().err


def test_a_suite_without_its_data_says_how_to_make_it(tmp_path, capsys):
    assert suite.main(["routing-families"]) == 2
    assert suite.main(["routing-families", "--data", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert "give --data DIR" in said
    assert "train.jsonl.gz" in said
    assert "docs/importers.md" in said


def test_parts_of_one_evaluation_run_together(data):
    suites = [
        load_suite(FOLDER / f"{name}.yaml") for name in ("routing-families", "routing-elsewhere", "routing-direction")
    ]
    assert suite.commands(suites, data) == [
        [sys.executable, "-m", "evals.routing", "--data", str(data), "--only", "families", "elsewhere"],
        [sys.executable, "-m", "evals.direction"],
    ]


def test_a_dry_run_prints_the_commands_and_runs_nothing(data, capsys):
    assert suite.main(["routing-families", "--data", str(data), "--dry-run"]) == 0
    assert capsys.readouterr().out == f"-m evals.routing --data {data} --only families\n"


def test_an_evaluation_that_is_not_here_is_named(monkeypatch, data, capsys):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert suite.main(["routing-families", "--data", str(data)]) == 2
    assert "there is no evals.routing in this version" in capsys.readouterr().err


def test_a_failed_evaluation_is_an_error(monkeypatch, data, capsys):
    monkeypatch.setattr(suite, "commands", lambda suites, data: [[sys.executable, "-c", "raise SystemExit(3)"]])
    assert suite.main(["routing-direction"]) == 2
    assert "failed" in capsys.readouterr().err
