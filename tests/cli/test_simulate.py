"""``stillhouse simulate`` as a person meets it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from router.ledger.feedback import Feedback
from router.ledger.rows import INSERT_REQUEST, request_row
from router.ledger.store import open_writer
from router.types import Features
from stillhouse.cli.simulate import command
from tests.support.records import NOON, request

OURS = "stillhouse: 1\nname: ours\nquality: {keep: 0.97}\n"
CHEAP = "stillhouse: 1\nname: cheap\nquality: {keep: 0.9}\n"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(command, [str(a) for a in arguments], catch_exceptions=False)


@pytest.fixture
def policy(tmp_path: Path):
    """Write a policy; gives its path."""

    def write(text: str = OURS, name: str = "ours") -> Path:
        path = tmp_path / f"{name}.yaml"
        path.write_text(text, "utf-8")
        return path

    return write


@pytest.fixture
def outcomes(tmp_path: Path) -> Path:
    rng = np.random.default_rng(1)
    path = tmp_path / "rows.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for n in range(120):
            right = rng.random(3) < (0.5, 0.7, 0.9)
            row = {
                "id": str(n),
                "prompt": f"What is {n} times {n + 3}, and why does it matter to number {n % 7}?",
                "scores": dict(zip(("a", "b", "c"), map(float, right), strict=True)),
                "output_tokens": {"a": 90, "b": 100, "c": 110},
                "task": ("sums", "why")[n % 2],
                "meta": {"tenant": ("acme", "회사")[n % 2]},
            }
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    return path


MODELS = ("--small", "a", "--medium", "b", "--large", "c")


def serve(path: Path, rows: int, explored: float, judged: bool = True) -> None:
    """Put requests into a ledger, their tiers drawn now and then."""
    rng = np.random.default_rng(3)
    db = open_writer(path)
    db.execute("BEGIN")
    features = Features(language="en", input_tokens=50, ask_chars=9, turns=1, tools=False, images=False)
    for n in range(rows):
        hard = rng.random()
        p = {"small": 0.93 - 0.15 * hard, "medium": 0.92 - 0.1 * hard, "large": 0.95 - 0.05 * hard}
        wanted = "small" if p["small"] >= 0.95 * max(p.values()) else "large"
        drawn = rng.random() < explored
        tier = {"small": "large", "large": "small"}[wanted] if drawn else wanted
        record = request(
            f"r{n}", at_ms=NOON + n, tenant=("acme", "globex")[n % 2], features=features, p_right=p, novelty=0.1, family="generic",
            predicted_cost={"small": 1_000, "medium": 3_000, "large": 9_000}, tier_wanted=tier, tier_served=tier,
            propensity=explored if drawn else 1 - explored, cost_nano={"small": 1_000, "large": 9_000}[tier], policy_hash="h",
        )  # fmt: skip
        db.execute(INSERT_REQUEST, request_row(record, ()))
        if judged:
            score = float(rng.random() < p[tier])
            given = Feedback(request_id=f"r{n}", at_ms=NOON + n, who="person", score=score, given_ms=NOON + n)
            columns = given.__struct_fields__
            db.execute(
                f"INSERT INTO feedback ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})",
                [getattr(given, c) for c in columns],
            )
    db.execute("COMMIT")
    db.close()


def test_outcome_rows_show_what_a_policy_would_cost_and_keep(policy, outcomes) -> None:
    shown = run(policy(), "--on", outcomes, *MODELS, "--by", "tenant")
    assert shown.exit_code == 0, shown.output
    for words in ("compared with always-large", "quality", "saves", "asked first", "every tier's outcome is recorded"):
        assert words in shown.output
    assert "tenant 회사" in shown.output


def test_json_holds_every_figure_with_its_interval(policy, outcomes) -> None:
    found = json.loads(run(policy(), "--on", outcomes, *MODELS, "--against", "balanced", "--json").output)
    assert found["reference"] == "balanced"
    assert found["rows"] == 120
    for said in (found["quality"], found["change"], found["money"]["cost"], found["money"]["saving_current"]):
        assert said["low"] <= said["value"] <= said["high"]
    assert len(found["fingerprint"]) == 64


def test_a_file_of_families_names_the_models(policy, outcomes, tmp_path) -> None:
    families = tmp_path / "families.json"
    prices = {tier: {"input": 1.0, "output": 1.0} for tier in ("small", "large")}
    families.write_text(
        json.dumps({"families": {"pair": {"tiers": {"small": "a", "large": "c"}, "prices_per_million": prices}}})
    )
    found = json.loads(run(policy(), "--on", outcomes, "--families", families, "--family", "pair", "--json").output)
    assert set(found["tiers"]) == {"small", "large"}
    unknown = run(policy(), "--on", outcomes, "--families", families, "--family", "none")
    assert unknown.exit_code == 2
    assert "there is no family 'none'; it has pair" in unknown.output


def test_an_exploring_ledger_shows_another_policy(policy, home) -> None:
    serve(home / "ledger.db", 3_000, 0.2)
    shown = run(policy(CHEAP), "--on", "ledger")
    assert shown.exit_code == 0, shown.output
    assert "compared with what was logged" in shown.output
    assert "estimated doubly robustly from 3,000 judged answers: effective sample size" in shown.output
    assert "self-normalised" in shown.output


def test_a_ledger_that_never_explored_is_refused_with_exit_code_1(policy, home) -> None:
    serve(home / "ledger.db", 600, 0.0)
    shown = run(policy(CHEAP), "--on", "ledger")
    assert shown.exit_code == 1
    assert "asked first" in shown.output
    assert "quality cannot be told from these rows" in shown.output
    assert "let the policy in force explore" in shown.output


def test_a_ledger_without_judgements_says_so(policy, home) -> None:
    serve(home / "ledger.db", 600, 0.2, judged=False)
    shown = run(policy(), "--on", "ledger")
    assert shown.exit_code == 1
    assert "no row's outcome is known" in shown.output


def test_policies_of_two_families_cannot_share_a_ledger(policy, home) -> None:
    serve(home / "ledger.db", 100, 0.2)
    other = policy("stillhouse: 1\nname: other\nfamily: llama-3.1\n", "other")
    shown = run(policy(), "--on", "ledger", "--against", other)
    assert shown.exit_code == 2
    assert "compare policies of one family" in shown.output


def test_recorded_answers_let_a_cascade_climb(policy) -> None:
    text = OURS + "stream: checked\ncascade: {start: small, checks: [refusal, finish]}\n"
    recorded = Path(__file__).parents[2] / "evals" / "results" / "cascade-outcomes.jsonl"
    shown = run(policy(text), "--on", recorded)
    assert shown.exit_code == 0, shown.output
    assert "answers turned down, a request: 0." in shown.output


BAD = [
    (("--on", "nowhere.jsonl"), "there is no such file"),
    (("--on", "ledger"), "there is no such file. 'stillhouse serve' creates the ledger."),
    (("--on", "ROWS", "--by", "planet"), "there is no dimension 'planet'"),
    (("--on", "ROWS"), "no row has the scores of small, medium, large"),
    (("--on", "ROWS", *MODELS, "--since", "7d"), "--since and --tenant choose among a ledger's requests"),
    (("--on", "ROWS", *MODELS, "--against", "balancd"), "did you mean 'balanced'?"),
]


@pytest.mark.parametrize(("arguments", "words"), BAD)
def test_bad_input_is_refused_in_words(policy, outcomes, arguments, words) -> None:
    shown = run(policy(), *[outcomes if a == "ROWS" else a for a in arguments])
    assert shown.exit_code == 2
    assert words in shown.output


def test_an_empty_ledger_and_too_few_rows_are_refused(policy, home, outcomes, tmp_path) -> None:
    open_writer(home / "ledger.db").close()
    assert "0 rows can be used, and at least 30 are needed" in run(policy(), "--on", "ledger").output
    few = tmp_path / "few.jsonl"
    few.write_text("".join(outcomes.read_text("utf-8").splitlines(keepends=True)[:7]), "utf-8")
    shown = run(policy(), "--on", few, *MODELS)
    assert shown.exit_code == 2
    assert "7 rows can be used" in shown.output


@pytest.mark.parametrize("score", ["NaN", "1.5", '"a"'])
def test_rows_that_are_no_numbers_are_refused_by_name(policy, tmp_path, score) -> None:
    path = tmp_path / "odd.jsonl"
    path.write_text('{"id": "x1", "prompt": "hi", "scores": {"a": ' + score + "}}\n")
    shown = run(policy(), "--on", path, *MODELS)
    assert shown.exit_code == 2
    assert "odd.jsonl:1" in shown.output


def test_a_pattern_cannot_be_asked_of_a_ledger(policy, home) -> None:
    serve(home / "ledger.db", 100, 0.2)
    text = OURS + 'rules: [{name: code, when: {pattern: "def "}, pin: large}]\n'
    shown = run(policy(text), "--on", "ledger")
    assert shown.exit_code == 2
    assert "rule 'code' asks for pattern" in shown.output
    assert "a ledger keeps no text" in shown.output


def test_a_policy_with_mistakes_is_shown_with_its_line(policy, outcomes) -> None:
    shown = run(policy("stillhouse: 1\nname: ours\nqualty: 1\n"), "--on", outcomes)
    assert shown.exit_code == 2
    assert "ours.yaml:3:1" in shown.output
