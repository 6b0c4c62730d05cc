"""``stillhouse check`` as a person and as a program see it."""

import json

import pytest
from click.testing import CliRunner

from stillhouse.cli.check import command

FIVE = """\
stillhouse: 1
name: Support Team
tiers: [small, huge]
rules:
  - name: 계약
    when: {langage: [ko]}
    at_least: medium
stream: no
"""


@pytest.fixture
def check(tmp_path, monkeypatch):
    """Run the command in a folder of its own; give back exit status, output and notes."""
    monkeypatch.chdir(tmp_path)

    def check(*arguments, **files):
        for name, text in files.items():
            (tmp_path / f"{name}.yaml").write_text(text, "utf-8")
        result = CliRunner().invoke(command, list(arguments))
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return result.exit_code, result.stdout, result.stderr

    return check


def test_five_mistakes_are_shown_where_they_stand(check):
    code, out, notes = check("five.yaml", five=FIVE)
    assert code == 2
    assert notes == "5 mistakes in 1 file\n"
    assert (
        out
        == """\
five.yaml:2:7: error: name: 'Support Team' is not in the form that is allowed here
    |
  2 | name: Support Team
    |       ^^^^^^^^^^^^
    = hint: write support-team

five.yaml:3:16: error: tiers[1]: expected 'small', 'medium' or 'large', found 'huge'
    |
  3 | tiers: [small, huge]
    |                ^^^^

five.yaml:5:11: error: rules[0].name: '계약' is not in the form that is allowed here
    |
  5 |   - name: 계약
    |           ^^^^
    = hint: it must match ^[a-z0-9][a-z0-9-]{0,63}$

five.yaml:6:12: error: rules[0].when.langage: unknown key
    |
  6 |     when: {langage: [ko]}
    |            ^^^^^^^
    = hint: did you mean 'language'?

five.yaml:8:9: error: stream: expected 'immediate', 'guarded' or 'checked', found 'no'
    |
  8 | stream: no
    |         ^^

"""
    )


def test_a_right_file_gets_one_line(check):
    code, out, notes = check("p.yaml", p="stillhouse: 1\nname: ours\nextends: balanced\n")
    assert (code, notes) == (0, "")
    assert out.startswith("ok  p.yaml  policy ours@")
    assert "over balanced: 1 rule, 2 input guards, 2 output guards" in out


def test_presets_may_be_checked_by_name(check):
    assert check("balanced", "korean")[0] == 0


def test_a_warning_is_shown_and_passes(check):
    code, out, notes = check(
        "p.yaml", p="stillhouse: 1\nname: p\ntiers: [small]\nrules: [{name: a, when: {}, pin: large}]\n"
    )
    assert (code, notes) == (0, "1 warning in 1 file\n")
    assert "p.yaml:4:34: warning: rules[0].pin" in out
    assert "ok  p.yaml" in out


def test_one_wrong_file_among_right_ones_fails(check):
    code, out, _ = check("p.yaml", "five.yaml", "balanced", p="stillhouse: 1\nname: p\n", five=FIVE)
    assert code == 2
    assert "ok  p.yaml" in out
    assert "ok  balanced" in out


@pytest.mark.parametrize("name", ["nobody.yaml", "balancd"])
def test_a_file_that_is_not_there_is_said_plainly(check, name):
    code, out, _ = check(name)
    assert code == 2
    assert f"{name}:1:1: error: there is no" in out


def test_json_carries_everything(check):
    code, out, _ = check("--json", "five.yaml", "balanced", five=FIVE)
    result = json.loads(out)
    assert code == 2
    assert result["ok"] is False
    wrong, right = result["files"]
    assert [m["path"] for m in wrong["mistakes"]] == [
        "name",
        "tiers[1]",
        "rules[0].name",
        "rules[0].when.langage",
        "stream",
    ]
    assert wrong["mistakes"][0] | {"message": ""} == {
        "file": "five.yaml", "line": 2, "column": 7, "path": "name", "message": "", "hint": "write support-team",
    }  # fmt: skip
    assert (right["ok"], right["policy"], right["layers"]) == (True, "balanced", ["balanced"])
    assert len(right["hash"]) == 64


SETTINGS = """\
stillhouse: 1
upstreams:
  here: {kind: local}
tiers:
  - {tier: small, upstream: here, model: smollm2-135m-instruct}
"""


def test_settings_are_known_by_their_keys_and_lead_to_their_policies(check):
    code, out, _ = check("s.yaml", s=SETTINGS + "policies: [balanced, ./five.yaml]\n", five=FIVE)
    assert code == 2
    assert "ok  s.yaml  settings: 1 upstream, 1 deployment" in out
    assert "five.yaml:2:7: error" in out


def test_a_file_named_twice_is_spoken_of_once(check):
    _, out, notes = check("s.yaml", "five.yaml", s=SETTINGS + "policies: [./five.yaml]\n", five=FIVE)
    assert out.count("five.yaml:2:7:") == 1
    assert "5 mistakes in 2 files" in notes


def test_a_key_in_settings_is_never_printed(check):
    secret = "sk-live-0123456789abcdef"
    text = f"upstreams:\n  o: {{kind: openai, base_url: 'https://x.example/v1', api_key: {secret}}}\ntiers: []\n"
    code, out, notes = check("s.yaml", s=text)
    assert code == 2
    assert "api_key: (not shown)" in out
    assert secret not in out + notes
    assert secret not in check("--json", "s.yaml")[1]


def test_an_unknown_family_is_a_mistake(check):
    code, out, _ = check("p.yaml", p="stillhouse: 1\nname: p\nfamily: nobody\n")
    assert code == 2
    assert "no profile of 'nobody'" in out


def test_text_cannot_command_the_terminal(check):
    _, out, _ = check("p.yaml", p='stillhouse: 1\nname: "\\e[31mred"\n"\\e[2J": 1\n')
    assert "\x1b" not in out


def test_long_lines_are_cut_around_the_mistake(check):
    _, out, _ = check(
        "p.yaml",
        p="stillhouse: 1\nname: p\ndescription: [" + "가" * 300 + "]\nrefusal: {input: " + "a" * 200 + ", zzz: 1}\n",
    )
    assert all(len(line) < 130 for line in out.splitlines() if " | " in line)
    assert "zzz" in out


def test_probes_are_checked_too(check):
    assert check("p.yaml", p="stillhouse: 1\nprobes: [{id: a, guard: {text: x, action: none}}]\n")[0] == 0
    code, out, _ = check("q.yaml", q="stillhouse: 1\nprobes: [{id: a, gaurd: {}}]\n")
    assert code == 2
    assert "did you mean 'guard'?" in out


@pytest.mark.parametrize("text", ["", "- a", "a: [", "\x00", "42"])
def test_what_is_no_settings_at_all_gets_words(check, text):
    code, out, _ = check("p.yaml", p=text)
    assert code == 2
    assert "p.yaml:1:" in out
