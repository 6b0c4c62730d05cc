"""The command: write, check, refuse."""

import json

import pytest

from evals.importers import expected
from evals.importers.__main__ import main
from evals.importers.catalog import CATALOG
from evals.importers.grade_school_math import MODELS, SOLUTIONS
from evals.importers.outcomes import read_outcomes
from evals.importers.tokens import o200k


@pytest.fixture
def clone(put, tmp_path):
    questions = [f"How many is {k} and {k}?" for k in range(12)]
    put(
        SOLUTIONS,
        [
            {"question": q, "ground_truth": f"A: {2 * k}"}
            | {field: {"is_correct": bool(k % 2), "solution": "words"} for field in MODELS}
            for k, q in enumerate(questions)
        ],
    )
    return tmp_path


@pytest.fixture
def recorded(monkeypatch, tmp_path):
    path = tmp_path / "expected.json"
    monkeypatch.setattr(expected, "EXPECTED", path)
    monkeypatch.setattr(expected.read_expected, "__defaults__", (path,))
    return path


def run(*arguments):
    return main(["grade-school-math", *map(str, arguments), "--no-tokens"])


def test_train_and_valid_are_written_and_test_is_kept_back(clone, tmp_path, capsys):
    assert run(clone, "--out", tmp_path / "rows.jsonl.gz") == 0
    rows = read_outcomes(tmp_path / "rows.jsonl.gz")
    assert {row.split for row in rows} == {"train", "valid"}
    assert len(rows) < 12
    assert "gsm-openai-6b-175b" in capsys.readouterr().out


def test_a_clone_checks_against_what_was_recorded_of_it(clone, recorded, capsys):
    assert run(clone, "--record") == 0
    assert run(clone, "--check") == 0
    assert "grade-school-math: as recorded" in capsys.readouterr().out
    assert "How many" not in recorded.read_text()


def test_another_version_of_a_clone_is_found_out(clone, recorded, put, capsys):
    assert run(clone, "--record") == 0
    changed = (clone / SOLUTIONS).read_text().replace('"is_correct": true', '"is_correct": false')
    put(SOLUTIONS, changed)
    assert run(clone, "--check") == 1
    said = capsys.readouterr().err
    assert "but other ids or scores" in said
    assert "this clone is not openai/grade-school-math at 3101c7d50724" in said


def test_fewer_rows_are_counted(clone, recorded, put, capsys):
    assert run(clone, "--record") == 0
    put(SOLUTIONS, "".join(line + "\n" for line in (clone / SOLUTIONS).read_text().splitlines()[:4]))
    assert run(clone, "--check") == 1
    assert "rows, expected" in capsys.readouterr().err


def test_a_model_whose_file_is_missing_is_said_to_be_unchecked():
    one = {"rows": 1, "digest": "a"}
    found = {"s": {"splits": {"train": one}, "models": {"here": one, "new": one}}}
    known = {"s": {"splits": {"train": one}, "models": {"here": one, "gone": one}}}
    wrong, unchecked = expected.differences(found, known)
    assert wrong == []
    assert unchecked == [
        "s: no outcomes of gone; its file is not in this clone",
        "s: new was not there when expected.json was made",
    ]


def test_nothing_recorded_is_an_error_and_never_a_pass(clone, recorded, capsys):
    assert run(clone, "--check") == 2
    assert "nothing to check 'grade-school-math' against" in capsys.readouterr().err


def test_a_missing_clone_says_what_to_clone(tmp_path, capsys):
    assert run(tmp_path / "gone") == 2
    assert "git clone openai/grade-school-math" in capsys.readouterr().err


def test_mending_is_refused_where_no_mistake_is_known(clone, capsys):
    assert run(clone, "--mended") == 2
    assert "no mistake is known" in capsys.readouterr().err


def test_every_importer_has_recorded_counts_and_a_licence_in_the_docs():
    from pathlib import Path

    page = (Path(__file__).resolve().parents[3] / "docs/importers.md").read_text("utf-8")
    stored = json.loads(expected.EXPECTED.read_text("utf-8"))
    for name, importer in CATALOG.items():
        assert stored[name], name
        assert f"`{name}`" in page
        assert importer.repository in page
        assert importer.commit[:7] in page
        assert importer.licence in page


def test_tokens_are_counted_without_the_network():
    count = o200k()
    assert count("hello world") == 2
    assert count("<|endoftext|>") > 1
