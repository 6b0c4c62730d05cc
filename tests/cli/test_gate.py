"""``stillhouse gate`` as a person or a script sees it."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from stillhouse.cli.gate import command
from tests.support.answers import item, write_run

SAMPLE = Path(__file__).parents[2] / "evals" / "gate" / "samples" / "nova-citations.yaml"


IDS = {name: f"2026112{i}T000000Z-everyday-{name}" for i, name in enumerate(("old", "same", "bad"))}


def run(*arguments: str) -> Result:
    arguments = tuple(IDS.get(word, word.replace("same#", f"{IDS['same']}#")) for word in arguments)
    return CliRunner().invoke(command, arguments, catch_exceptions=False)


@pytest.fixture
def runs(home: Path) -> Path:
    """Three runs: an old one, an equal one and a bad one."""
    for name, share in (("old", 0.7), ("same", 0.7), ("bad", 0.3)):
        rng = np.random.default_rng(1)
        write_run(home / "runs" / IDS[name], [item(i, float(rng.random() < share), name) for i in range(500)])
    return home / "runs"


def test_the_citation_sample_ends_in_a_no_that_names_the_three() -> None:
    result = run(f"{SAMPLE}#nova_lite_distilled", "--against", f"{SAMPLE}#nova_premier")
    assert result.exit_code == 1
    assert result.stdout.startswith("NO: worse in completeness, helpfulness, faithfulness.\n")


@pytest.mark.parametrize(
    ("candidate", "more", "code", "word"),
    [
        ("same", ("--ignore", "latency_p95"), 0, "YES: no worse in any of 4 figures."),
        ("bad", (), 1, "NO: worse in exact"),
        ("same", ("--margin", "exact=0.001"), 3, "CANNOT BE TOLD: too little is known of exact."),
        ("same", ("--improves", "--ignore", "latency_p95"), 1, "NO: no metric is better"),
    ],
)
def test_the_exit_code_is_the_verdict(runs: Path, candidate: str, more: tuple[str, ...], code: int, word: str) -> None:
    result = run(candidate, "--against", "old", *more)
    assert result.exit_code == code
    assert result.stdout.startswith(word)


def test_the_evidence_says_what_was_judged_and_by_what(runs: Path, tmp_path: Path) -> None:
    out = tmp_path / "evidence.json"
    result = run("bad", "--against", "old", "--json", "--out", str(out))
    told = json.loads(result.stdout)
    assert json.loads(out.read_text()) == told
    assert (told["kind"], told["verdict"]) == ("gate", "no")
    assert set(told["data"]) == {IDS["bad"], IDS["old"]}
    assert told["candidate"] == {"kind": "run", "name": IDS["bad"], "digest": told["data"][IDS["bad"]]}
    assert all(len(digest) == 64 for digest in told["data"].values())
    exact = next(entry for entry in told["metrics"] if entry["metric"] == "exact")
    assert exact["low"] < exact["gain"] < exact["high"] < -exact["margin"]


def test_the_same_question_gives_the_same_answer(runs: Path) -> None:
    first, second = (json.loads(run("bad", "--against", "old", "--json").stdout) for _ in range(2))
    assert first == second


def test_a_policy_without_rows_is_told_what_it_lacks(tmp_path: Path) -> None:
    path = tmp_path / "ours.yaml"
    path.write_text("stillhouse: 1\nname: ours\n")
    result = run(str(path), "--against", str(path))
    assert result.exit_code == 2
    assert "add --on ROWS" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nothing", "--against", "old"), "there is no run 'nothing'"),
        (("same", "--against", "old", "--margin", "exact"), "is no margin"),
        (("same", "--against", "old", "--margin", "exakt=0.1"), "matches no metric"),
        (("same", "--against", "old", "--ignore", "exakt"), "matches no metric"),
        (("same", "--against", "old", "--ignore", "*"), "no metric"),
        (("same", "--against", "old", "--also", "same"), "they come in pairs"),
        (("same#x", "--against", "old"), "has no target 'x'"),
    ],
)
def test_bad_input_is_refused_and_never_a_verdict(runs: Path, arguments: tuple[str, ...], said: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert said in result.stderr
