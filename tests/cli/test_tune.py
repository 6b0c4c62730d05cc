"""``stillhouse tune`` as a person meets it."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from policies.load import load_policy
from stillhouse.cli.tune import command

HEAD = "# ours, with care\nstillhouse: 1\nname: ours\n"
PROMISE = "promise: {max_quality_loss: 8%, measure: net}  # agreed in May\n"
MODELS = ("--small", "a", "--medium", "b", "--large", "c")


def run(*arguments):
    return CliRunner().invoke(command, [str(a) for a in arguments], catch_exceptions=False)


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    """Sums that every tier does, and proofs that only the large one does."""
    rng = np.random.default_rng(1)
    path = tmp_path_factory.mktemp("rows") / "rows.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for n in range(500):
            easy = n % 2
            chances = (0.97, 0.98, 0.98) if easy else (0.5, 0.8, 0.9)
            right = (rng.random() < np.array(chances)).astype(float).tolist()
            prompt = (
                f"What is {n} + {n * 3}?" if easy else f"Prove for n = {n}: " + "if p divides q, then " * (10 + n % 9)
            )
            row = {"id": str(n), "prompt": prompt, "scores": dict(zip("abc", right, strict=True)),
                   "output_tokens": {"a": 90, "b": 100, "c": 110}, "task": ("proof", "sum")[easy]}  # fmt: skip
            file.write(json.dumps(row) + "\n")
    return path


@pytest.fixture
def policy(tmp_path):
    path = tmp_path / "ours.yaml"
    path.write_text(HEAD + "cost_quality: 0.9  # dial\n" + PROMISE, "utf-8")
    return path


def test_a_proposal_is_a_diff_of_one_line_with_its_reasons(policy, rows, tmp_path):
    before = policy.read_bytes()
    done = run(policy, "--on", rows, *MODELS, "--evidence", tmp_path / "evidence.json")
    assert done.exit_code == 0, done.output
    assert policy.read_bytes() == before
    minus, plus = (line for line in done.output.split("\n") if line.startswith(("-cost", "+quality")))
    assert minus == "-cost_quality: 0.9  # dial"
    assert plus.startswith("+quality: {lose: {small: ")
    assert plus.endswith("}}  # dial")
    assert "knee" in done.output
    assert "Promised: a net loss of at most 0.08" in done.output
    bundle = json.loads((tmp_path / "evidence.json").read_bytes())
    assert bundle["verdict"] == "proposed"
    assert bundle["proposed"]["upper"] <= 0.08
    assert bundle["diff"] in done.output


def test_a_written_policy_loads_as_proposed_and_nothing_else_changed(policy, rows):
    before = policy.read_text().split("\n")
    assert run(policy, "--on", rows, *MODELS, "--write").exit_code == 0
    after = policy.read_text().split("\n")
    assert [line for line in before if not line.startswith("cost")] == [
        line for line in after if not line.startswith("quality")
    ]
    assert load_policy(policy).body.quality.kind == "lose"
    again = run(policy, "--on", rows, *MODELS)
    assert "+quality" not in again.output  # it is what would be proposed


def test_the_same_rows_give_the_same_bytes(policy, rows):
    first, second = (run(policy, "--on", rows, *MODELS, "--json").output for _ in range(2))
    assert first == second
    assert json.loads(first)["kind"] == "tuning"


def test_out_writes_elsewhere(policy, rows, tmp_path):
    before, target = policy.read_bytes(), tmp_path / "new.yaml"
    assert run(policy, "--on", rows, *MODELS, "--out", target).exit_code == 0
    assert policy.read_bytes() == before
    assert load_policy(target).body.promise == load_policy(policy).body.promise


def test_thin_evidence_ends_with_code_1_and_a_number_of_rows(tmp_path, rows):
    path = tmp_path / "strict.yaml"
    path.write_text(HEAD + "promise: {max_quality_loss: 0.5%}\n", "utf-8")
    done = run(path, "--on", rows, *MODELS)
    assert done.exit_code == 1
    assert "598 held-out questions without a loss are the least" in done.output
    assert "more rows would be needed" in done.output


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (HEAD, "promises nothing"),
        (HEAD + PROMISE + "tiers: [large]\n", "one tier"),
        (HEAD + PROMISE.replace("net}", "net, slices: [team]}"), "no column 'team'"),
        (HEAD + PROMISE + "rules: [{name: a, when: {images: maybe}, pin: small}]\n", "mistakes"),
    ],
)
def test_what_cannot_be_tuned_is_refused_with_words(tmp_path, rows, text, words):
    path = tmp_path / "p.yaml"
    path.write_text(text, "utf-8")
    done = run(path, "--on", rows, *MODELS)
    assert done.exit_code == 2
    assert words in done.output


def test_a_floor_that_promises_another_aim_stands(tmp_path, rows):
    (tmp_path / "floor.yaml").write_text("stillhouse: 1\nname: org\nquality: {keep: 0.9}\n", "utf-8")
    path = tmp_path / "p.yaml"
    path.write_text(HEAD + "extends: ./floor.yaml\n" + PROMISE, "utf-8")
    done = run(path, "--on", rows, *MODELS)
    assert done.exit_code == 2
    assert "the floor 'org' promises quality: {keep: 0.9}" in done.output


def test_a_ledger_is_refused_by_name_and_a_folder_is_called_one(policy, tmp_path):
    assert "knows only the tier that answered" in run(policy, "--on", "ledger").output
    assert "that is a folder" in run(policy, "--on", tmp_path).output


def test_it_is_said_whose_prices_count(policy, rows):
    done = run(policy, "--on", rows, *MODELS, "--family", "nobody")
    assert "no reference prices are known for family 'nobody'; those of 'generic' are taken" in done.output


def test_a_preset_is_not_written_to_and_a_missing_file_is_said(rows, policy):
    assert "there is no such file" in run(policy, "--on", "nowhere.jsonl").output
    done = run("balanced", "--on", rows, *MODELS, "--write")
    assert done.exit_code == 2
    assert "promises nothing" in done.output
