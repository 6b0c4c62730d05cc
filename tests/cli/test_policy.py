"""``stillhouse policy``, from a proposal to its end, as a person types it."""

import json
import sys

import pytest

from router.registry import proposals
from stillhouse.cli.main import main

OURS = "stillhouse: 1\nname: ours\nquality: {keep: 0.95}\n"


@pytest.fixture
def run(home, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ours.yaml").write_text(OURS)
    (tmp_path / "next.yaml").write_text(OURS.replace("0.95", "0.9") + "timeouts: {total: 60.0}\n")
    (tmp_path / "evidence.json").write_text('{"rows": 5000}')
    (tmp_path / "refused.json").write_text('{"verdict": "no"}')

    def call(*words, code=0):
        monkeypatch.setattr(sys, "argv", ["stillhouse", "policy", *words])
        with pytest.raises(SystemExit) as left:
            main()
        said = capsys.readouterr()
        assert left.value.code == code, said.err
        return said.out if code == 0 else said.err

    return call


def propose(run, *more):
    said = run("propose", "next.yaml", "--against", "ours.yaml", "--by", "ana", "--evidence", "evidence.json", *more)
    return said.split(":")[0]


def begin(home, name):
    now = proposals.standing(home).one(name)
    data = {"step": 0, "share": 0.05, "reason": ("canary-begins", "it begins")}
    assert proposals.moved(home, now, "stepped", data, by="gateway:0", now_ms=5)


def test_a_diff_names_settings_values_and_layers(run):
    said = run("diff", "ours.yaml", "next.yaml")
    for words in ("quality.keep", "0.95", "0.9", "timeouts.total", "default -> ours", "2 settings changed"):
        assert words in said
    found = json.loads(run("diff", "ours.yaml", "next.yaml", "--json"))
    assert {change["path"] for change in found["changes"]} == {"quality.keep", "timeouts.total"}
    assert "decide alike" in run("diff", "ours.yaml", "ours.yaml")


def test_a_diff_takes_presets_versions_and_proposals(run):
    name = propose(run)
    it = json.loads(run("status", name, "--json"))
    assert "quality.keep" in run("diff", name)
    assert "quality.keep" in run("diff", it["base"][:10], it["version"][:10])
    assert "cost_quality" in run("diff", "balanced", name)


def test_from_a_proposal_to_live_and_back(run, home):
    name = propose(run, "--why", "cheaper at equal quality")
    assert "proposed" in run("status")
    said = run("approve", name, "--by", "bo", "--why", "evidence is good", "--steps", "5,25,100", "--without", "cost")
    assert "5 % -> 25 % -> 100 % of the sessions" in said
    assert "Not watched: cost" in said
    begin(home, name)
    assert "rolling 5%" in run("status")
    assert "rolling 5%" in run("status", "ours")
    assert "is rolling with 25%" in run("step", name, "--by", "bo", "--why", "read fifty answers")
    assert "is live with 100%" in run("step", name, "--by", "bo", "--why", "read fifty more")
    assert "the file in the settings again" in run("rollback", "ours", "--by", "ana", "--why", "complaints")
    assert "no version of 'ours' is rolling or live" in run("rollback", "ours", "--by", "ana", "--why", "again", code=2)
    assert "every policy is served from its file" in run("status")
    assert "rolled back" in run("status", "--all")
    told = run("history", name)
    for words in ("cheaper at equal quality", "evidence is good", "without the test", "complaints", "unbroken"):
        assert words in told


def test_what_was_shown_is_printed_as_it_was_kept(run):
    name = propose(run)
    assert json.loads(run("status", name, "--evidence")) == {"rows": 5000}
    bare = run("propose", "next.yaml", "--against", "ours.yaml", "--by", "ana").split(":")[0]
    assert "nothing was shown" in run("status", bare, "--evidence", code=2)


def test_a_refused_gate_needs_an_override_and_the_reason_is_on_record(run):
    name = propose(run, "--gate", "refused.json")
    assert "the gate refused it" in run("approve", name, "--by", "bo", "--why", "x", code=2)
    run("approve", name, "--by", "bo", "--why", "x", "--override", "the suite was wrong")
    assert "overriding: the suite was wrong" in run("history")


def test_the_rule_of_two_people_is_on_until_somebody_takes_it_off(run):
    name = propose(run)
    assert "second person" in run("approve", name, "--by", "Ana", "--why", "x", code=2)
    run("rules", "--two-people", "off", "--by", "ana", "--why", "I am alone")
    run("approve", name, "--by", "ana", "--why", "x")
    assert "does not have to approve: I am alone" in run("history")


def test_a_rejected_proposal_stays_rejected(run):
    name = propose(run)
    run("reject", name, "--by", "bo", "--why", "too risky")
    assert "is rejected" in run("approve", name, "--by", "bo", "--why", "x", code=2)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--steps", "5,x,100"), "no percentage"),
        (("--steps", "5,50"), "last step must be 100"),
        (("--steps", "50,5,100"), "steps must grow"),
        (("--accept-drop", "3", "--max-drop", "3"), "no step could ever be taken"),
        (("--max-drop", "200"), "not between 0 and 100"),
    ],
)
def test_a_wrong_plan_is_said_in_words(run, words, said):
    assert said in run("approve", propose(run), "--by", "bo", "--why", "x", *words, code=2)


def test_bad_input_is_said_in_words(run, tmp_path):
    (tmp_path / "bad.yaml").write_text("stillhouse: 1\nname: ours\nspeed: 1\n")
    assert "bad.yaml:3:1" in run("propose", "bad.yaml", "--against", "ours.yaml", "--by", "ana", code=2)
    assert "--against" in run("propose", "next.yaml", "--by", "ana", code=2)
    for command in (("approve", "p-0", "--by", "a", "--why", "x"), ("status", "p-0"), ("diff", "p-0")):
        assert "no proposal begins" in run(*command, code=2)


def test_a_cut_log_is_found_by_a_hash_that_was_noted(run, home):
    name = propose(run)
    run("reject", name, "--by", "bo", "--why", "no")
    noted = json.loads(run("history", "--json").splitlines()[-1])["hash"]
    run("history", "--verify", noted)
    log = proposals.log_path(home)
    log.write_text(log.read_text().splitlines(keepends=True)[0])
    assert "the log was cut" in run("history", "--verify", noted, code=1)
    log.write_text(log.read_text().replace("ana", "eve"))
    assert "not as it was written" in run("history", code=2)


def test_a_version_is_restored_as_it_was(run, tmp_path):
    name = propose(run)
    (tmp_path / "next.yaml").unlink()
    assert "next.yaml" in run("restore", name, "out")
    assert "total: 60.0" in (tmp_path / "out" / "next.yaml").read_text()
    assert "is there already" in run("restore", name, "out", code=2)
