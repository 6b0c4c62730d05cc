"""``train`` and ``scorer`` as a person uses them."""

import json

import pytest
from click.testing import CliRunner

from router.ledger.feedback import Feedback, give
from router.ledger.writer import Ledger
from router.registry import scorers
from router.score import load
from stillhouse.cli import scorer as scorer_command
from stillhouse.cli import train as train_command
from tests.support.own import own_rows, write_rows
from tests.support.records import NOON, request


def run(command, *arguments):
    return CliRunner().invoke(command, [str(a) for a in arguments])


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    return write_rows(tmp_path_factory.mktemp("rows") / "rows.jsonl", own_rows())


def test_training_keeps_uses_lists_and_rolls_back(home, rows):
    done = run(train_command.command, "--data", rows, "--family", "ours")
    assert done.exit_code == 0, done.output
    assert "Better than the scorer in use" in done.output
    now = scorers.active(home)
    assert now.before == ("shipped",)
    assert load(scorers.place(home, now.active)).digest == now.active
    listed = run(scorer_command.command, "list", "--json")
    entries = [json.loads(line) for line in listed.output.splitlines()]
    assert [(e["scorer"], e["in_use"]) for e in entries] == [("shipped", False), (now.active, True)]
    assert entries[1]["own"]["ours"]["rows"] == 120
    assert "ours" in run(scorer_command.command, "list").output
    assert run(scorer_command.command, "rollback").exit_code == 0
    assert scorers.active(home).active == "shipped"
    again = run(scorer_command.command, "rollback")
    assert again.exit_code == 2
    assert "nothing to return to" in again.output


def test_explain_and_check_know_the_family_once_it_is_in_use(home, rows):
    from stillhouse.cli import check

    policy = home / "ours.yaml"
    policy.write_text("stillhouse: 1\nname: ours\nfamily: ours\nquality: {keep: 0.9}\n")
    assert run(check.command, policy).exit_code == 2
    assert run(train_command.command, "--data", rows, "--family", "ours").exit_code == 0
    assert run(check.command, policy).exit_code == 0


def test_out_writes_a_folder_and_leaves_the_one_in_use(home, rows, tmp_path):
    out = tmp_path / "artefact"
    done = run(train_command.command, "--data", rows, "--from", "shipped", "--out", out, "--json")
    assert done.exit_code == 0, done.output
    said = json.loads(done.output)
    assert said["digest"] == load(out).digest
    assert len(said["data"]["rows.jsonl"]) == 64
    assert scorers.active(home).active == "shipped"
    assert run(scorer_command.command, "use", out).exit_code == 0
    assert scorers.active(home).active == said["digest"]


def certain(rows):
    """Outcomes without chance: who learned from more rows of them is surer, and rightly."""
    for row in rows:
        hard = "torque" in row["prompt"]
        yield {**row, "scores": {"small": float(not hard), "medium": float(not hard), "large": float(hard)}}


def test_a_worse_candidate_is_refused_and_nothing_changes(home, tmp_path):
    many = write_rows(tmp_path / "many.jsonl", list(certain(own_rows(300))))
    assert run(train_command.command, "--data", many).exit_code == 0
    used = scorers.active(home).active
    fresh = list(certain(own_rows(400)[350:]))
    refused = run(train_command.command, "--data", write_rows(tmp_path / "few.jsonl", fresh))
    assert refused.exit_code == 2, refused.output
    assert f"not better than the scorer in use ({used[:12]}, 'own'): on 50 held-out rows" in refused.output
    assert "higher (95 %" in refused.output
    assert scorers.active(home).active == used
    assert scorers.kept(home) == (used,)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"id": "a", "prompt": "p", "scores": {"small": 1}}\n' * 2, "id 'a' was already used on line 1"),
        ('{"id": "a", "prompt": "p", "scores": {"small": NaN}}\n', "rows.jsonl:1: not an outcome row"),
        ('{"id": "a", "prompt": "p", "scores": {"small": 2}}\n', "row 'a': score of 'small' is 2.0"),
        ("", "no rows"),
    ],
)
def test_bad_rows_are_named_and_the_scorer_in_use_stays(home, tmp_path, text, words):
    path = tmp_path / "rows.jsonl"
    path.write_text(text)
    done = run(train_command.command, "--data", path)
    assert done.exit_code == 2
    assert words in done.output
    assert scorers.kept(home) == ()


def test_a_damaged_start_is_refused(rows, tmp_path):
    (tmp_path / "start").mkdir()
    done = run(train_command.command, "--data", rows, "--from", tmp_path / "start")
    assert done.exit_code == 2
    assert "not a scorer artefact" in done.output
    done = run(train_command.command, "--data", rows, "--from", "abc")
    assert "no kept scorer begins with 'abc'" in done.output


def test_exactly_one_kind_of_rows_must_be_named(rows):
    for arguments in ((), ("--data", rows, "--from-ledger")):
        done = run(train_command.command, *arguments)
        assert done.exit_code == 2
        assert "name one of --data FILE and --from-ledger" in done.output


def test_feedback_in_the_ledger_teaches(home):
    import base64

    scorer, ledger = load(), Ledger(home / "ledger.db")
    for k, row in enumerate(own_rows(150)):
        tier = ("small", "large")[k % 3 == 0]
        place = base64.b64encode(scorer.score(row["prompt"]).place).decode()
        ledger.record(request(f"req-{k}", artefact_hash=scorer.digest, place=place, tier_served=tier))
        given = Feedback(request_id=f"req-{k}", at_ms=NOON, who="judge", score=row["scores"][tier], given_ms=NOON)
        ledger.flush()
        give(ledger.place, given)
    ledger.close()
    done = run(train_command.command, "--from-ledger", "--family", "ours")
    assert done.exit_code == 0, done.output
    assert "ours" in load(scorers.place(home, scorers.active(home).active)).families
    none = run(train_command.command, "--from-ledger", "--tenant", "nobody")
    assert none.exit_code == 2
    assert "0 judged answers" in none.output


def test_an_unknown_scorer_cannot_be_used(home):
    done = run(scorer_command.command, "use", "123")
    assert done.exit_code == 2
    assert "no kept scorer begins with '123'" in done.output
