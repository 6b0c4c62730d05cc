import json

import pytest
from click.testing import CliRunner

from guardrails import Finding
from guardrails.types import Action
from router.ledger.record import Found
from router.ledger.writer import Ledger
from stillhouse.cli.guard import command
from tests.support.records import request

BEFORE = """\
stillhouse: 1
name: before
guards:
  input:
    - pii: {entities: [EMAIL], action: mask}
    - words: {words: [apex], action: detect}
"""
AFTER = """\
stillhouse: 1
name: after
guards:
  input:
    - words: {words: [apex], action: block}
    - pii: {entities: [KR_RRN], action: mask}
"""


@pytest.fixture
def run(tmp_path):
    for name, text in (("before", BEFORE), ("after", AFTER)):
        (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")
    policies = [str(tmp_path / f"{name}.yaml") for name in ("before", "after")]

    def diff(rows, *more):
        source = tmp_path / "rows.jsonl"
        lines = (row if isinstance(row, str) else json.dumps({"direction": "input", **row}) for row in rows)
        source.write_text("\n".join(lines), encoding="utf-8")
        return CliRunner().invoke(command, ["diff", *policies, "--in", str(source), *more], catch_exceptions=False)

    return diff


ROWS = [
    {"id": "a", "text": "to a@example.com"},
    {"id": "b", "text": "about Apex"},
    {"id": 3, "text": "Apex, b@example.com"},
    {"id": "d", "text": "nothing"},
    {"text": "900101-1234568"},
]


def test_what_would_change_is_counted_by_guard_and_category_with_ids_only(run):
    result = run(ROWS, "--json")
    assert result.exit_code == 0
    said = json.loads(result.stdout)
    assert (said["rows"], said["changed"], said["rows_unread"]) == (5, 4, [])
    assert said["actions"] == {
        "before": {"mask": 2, "detect": 1, "none": 2},
        "after": {"none": 2, "block": 2, "mask": 1},
    }
    assert [tuple(line.values()) for line in said["guards"]] == [
        ("pii", "EMAIL", "mask", "none", 2, ["a", "3"]),
        ("pii", "KR_RRN", "none", "mask", 1, ["line 5"]),
        ("words", "WORD", "detect", "block", 2, ["b", "3"]),
    ]
    assert "example.com" not in result.output


def test_the_tables_speak_plainly(run):
    said = " ".join(run(ROWS).stdout.split())
    assert "4 of 5 rows would end otherwise (80.0%)" in said
    for words in ("no longer masked", "newly masked", "blocked instead of flagged"):
        assert words in said


def test_a_policy_does_not_differ_from_itself(tmp_path):
    (tmp_path / "p.yaml").write_text(BEFORE)
    rows = tmp_path / "rows.jsonl"
    rows.write_text(json.dumps({"id": 1, "text": "Apex a@example.com", "direction": "input"}))
    result = CliRunner().invoke(command, ["diff", *[str(tmp_path / "p.yaml")] * 2, "--in", str(rows), "--json"])
    said = json.loads(result.stdout)
    assert (said["changed"], said["whole"], said["guards"]) == (0, [], [])


def test_rows_that_cannot_be_read_are_counted_and_end_badly(run):
    result = run([ROWS[0], "not json", {"id": 1, "text": 5}], "--json")
    assert result.exit_code == 2
    assert [error["line"] for error in json.loads(result.stdout)["rows_unread"]] == [2, 3]
    assert "lines 2, 3" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "two policies and --in"),
        (["balanced", "private"], "two policies and --in"),
        (["balanced", "--in", "-"], "two policies and --in"),
        (["balanced", "private", "--in", "-", "--since", "1d"], "--ledger"),
        (["balanced", "private", "--in", "absent.jsonl"], "absent.jsonl"),
        (["--in", "-", "--ledger", "x.db"], "neither"),
    ],
)
def test_what_does_not_fit_together_is_said(arguments, said):
    result = CliRunner().invoke(command, ["diff", *arguments])
    assert result.exit_code == 2
    assert said in result.stderr


# --- the ledger


def found(category, action, *, shadow, direction="input", guard="pii"):
    finding = Finding(guard, category, 1.0, 0, 5, action, f"{guard}.{category.lower()}")
    return Found.of(finding, direction, "messages[0].content", shadow=shadow)


@pytest.fixture
def recorded(tmp_path):
    """Runs the diff over a ledger of these records."""

    def diff(*records, more=("--json",)):
        path = tmp_path / "ledger.db"
        ledger = Ledger(path)
        for record in records:
            ledger.record(record, ())
        ledger.close()
        return CliRunner().invoke(command, ["diff", "--ledger", str(path), *more], catch_exceptions=False)

    return diff


def test_shadow_findings_are_held_against_those_in_force(recorded):
    mask, block = Action.MASK, Action.BLOCK
    shadowed = {"policy": "watched", "policy_hash": "a" * 64}
    result = recorded(
        request("r1", **shadowed, findings=(found("EMAIL", mask, shadow=False), found("EMAIL", block, shadow=True))),
        request("r2", **shadowed, findings=(found("EMAIL", mask, shadow=False),)),
        request("r3", **shadowed),
        request("r4", policy="other", policy_hash="b" * 64, findings=(found("EMAIL", mask, shadow=False),)),
    )
    said = json.loads(result.stdout)
    assert (said["policies"], said["rows"], said["changed"]) == ([f"watched@{'a' * 12}"], 3, 2)
    assert [tuple(line.values()) for line in said["guards"]] == [
        ("pii", "EMAIL", "mask", "block", 1, ["r1"]),
        ("pii", "EMAIL", "mask", "none", 1, ["r2"]),
    ]


def test_a_ledger_without_shadow_findings_says_so(recorded):
    result = recorded(request("r1", findings=(found("EMAIL", Action.MASK, shadow=False),)), more=())
    assert result.exit_code == 0
    assert "nothing to compare" in result.stdout


def test_records_are_chosen_by_policy_and_tenant(recorded):
    shadow = (found("EMAIL", Action.BLOCK, shadow=True),)
    records = [
        request("r1", policy="p", policy_hash="a" * 64, tenant="x", findings=shadow),
        request("r2", policy="q", policy_hash="b" * 64, tenant="y", findings=shadow),
    ]
    assert json.loads(recorded(*records, more=("--json", "--policy", "q")).stdout)["rows"] == 1


def test_a_missing_ledger_is_named(tmp_path):
    result = CliRunner().invoke(command, ["diff", "--ledger", str(tmp_path / "absent.db")])
    assert result.exit_code == 2
    assert "absent.db" in result.stderr
