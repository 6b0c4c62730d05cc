"""``stillhouse distill status``: all that a loop has come to, and no text of it."""

import json

import msgspec
import pytest
from click.testing import CliRunner

from evals.distill.folder import Folder, write_json
from evals.distill.state import curve
from evals.distill.trainers.base import Student
from stillhouse.cli.distill import command
from tests.evals.distill import made


def run(*arguments):
    return CliRunner().invoke(command, ["status", *arguments], catch_exceptions=False)


@pytest.fixture
def folder(home):
    return made.curated(home)


def student(folder, digest, **more):
    given = {
        "kind": "nano", "name": "head", "base": "words", "teacher": "big-1", "dataset_hash": "d" * 32,
        "recipe_hash": "r" * 32, "seconds": 1.0, "rows": 60,
    }  # fmt: skip
    path = folder.student(digest) / "student.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(msgspec.json.encode(Student(**{**given, **more})))


def test_a_loop_is_shown_from_its_rows_to_what_the_gate_said(folder):
    student(folder, "a1" * 8, losses=((1, 2.0), (2, 1.0), (3, 0.5)))
    student(folder, "b2" * 8, name="writer", kind="gguf", base="words", teacher="")
    losing = {"metric": "cost", "verdict": "no"}
    told = {"verdict": "no", "says": "it costs more", "student": {"digest": "a1" * 8}, "candidate": {"name": "x"}}
    write_json(folder.root / "gate" / "0123456789abcdef.json", {**told, "metrics": [losing, {"verdict": "yes"}]})
    shown = run("loop").output
    assert "60 rows to learn from" in shown
    assert "where the small tier failed" in shown
    lines = shown.splitlines()
    at = lines.index("words")
    assert lines[at + 1 : at + 6] == [
        "├─ head (nano, a1a1a1a1a1a1): no",
        "│  taught by big-1, 60 rows of dddddddddddd",
        "│  loss █▃▁ 2 → 0.5",
        "└─ writer (gguf, b2b2b2b2b2b2): not judged",
        "   taught by people, 60 rows of dddddddddddd",
    ]
    assert "gate 0123456789abcdef.json: no: it costs more" in shown
    assert "✓ train    2 students" in shown
    assert shown.endswith("Next: have a student judged: stillhouse distill gate loop writer --against small\n")
    state = json.loads(run("loop", "--json").output)
    assert state["gates"][0]["losses"] == [losing]
    rates = [each["failure_rate"] * each["rows"] for each in state["failing"]]
    assert rates == sorted(rates, reverse=True)


def test_no_text_is_shown(folder):
    shown = run("loop").output + run("loop", "--json").output
    assert not [word for word in made.SUBJECTS if word in shown]


def test_loops_are_listed_and_what_has_not_been_done_is_said(home, folder):
    Folder.of(home, "new").root.mkdir()
    listed = run().output
    assert "not curated" in listed
    assert "60" in listed
    told = run("new").output
    assert "· curate   not yet: nothing is held out and nothing chosen" in told
    assert told.endswith("Next: bring texts into it: stillhouse distill import new --from captures\n")
    assert [state["name"] for state in json.loads(run("--json").output)] == ["loop", "new"]


def test_without_a_loop_it_says_how_one_begins(home):
    assert "'stillhouse distill import' begins one" in run().output
    missing = run("none")
    assert missing.exit_code == 2
    assert "there is no loop 'none'" in missing.output


@pytest.mark.parametrize("name", ["manifest.json", "gate/x.json", "students/s/student.json"])
def test_a_damaged_file_is_named(folder, name):
    path = folder.root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("[")
    result = run("loop")
    assert result.exit_code == 2
    assert str(path) in result.output.replace("\n", "")


def test_a_curve_has_no_line_without_losses_and_a_flat_one_is_flat():
    assert curve([]) == ""
    assert curve([[1, 0.5], [2, 0.5]]) == "▁▁ 0.5 → 0.5"
