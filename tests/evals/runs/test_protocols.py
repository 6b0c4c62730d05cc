"""Protocols: what cannot run is refused beforehand, and each evaluation runs once."""

import sys

import pytest

from evals.runs import protocols
from evals.runs.asking import ConfigError
from evals.suites.read import FOLDER, load


@pytest.fixture
def data(tmp_path):
    for name in ("train", "valid", "routellm"):
        (tmp_path / f"{name}.jsonl.gz").write_bytes(b"")
    return tmp_path


def read(*names):
    return [load(FOLDER / f"{name}.yaml") for name in names]


def test_one_without_its_data_says_how_to_make_it(tmp_path):
    with pytest.raises(ConfigError, match="give --data DIR") as missing:
        protocols.commands(read("routing-families"), None)
    assert "docs/importers.md" in missing.value.hint
    with pytest.raises(ConfigError, match=r"train\.jsonl\.gz"):
        protocols.commands(read("routing-families"), tmp_path)


def test_parts_of_one_evaluation_run_together(data):
    assert protocols.commands(read("routing-families", "routing-elsewhere", "routing-direction"), data) == [
        [sys.executable, "-m", "evals.routing", "--data", str(data), "--only", "families", "elsewhere"],
        [sys.executable, "-m", "evals.routing.direction"],
    ]


def test_an_evaluation_that_is_not_here_is_named(monkeypatch, data):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"there is no evals\.routing in this version"):
        protocols.commands(read("routing-families"), data)


def test_a_failed_evaluation_ends_the_run_and_is_said():
    said = []
    fails = [sys.executable, "-c", "raise SystemExit(3)"]
    assert not protocols.run([fails, [sys.executable, "-c", "raise AssertionError"]], said.append)
    assert len(said) == 2
    assert said[-1].endswith("the results of what ran before it stand")
    assert protocols.run([[sys.executable, "-c", ""]], said.append)
