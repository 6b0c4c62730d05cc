import json

import pytest
from click.testing import CliRunner

from stillhouse.cli.guard import command

POLICY = """\
stillhouse: 1
name: guarded
quality: {keep: 0.95}
guards:
  input:
    - pii: {entities: [EMAIL, KR_PHONE], action: mask}
    - words: {words: [saboteur], roles: [tool], action: block}
  output:
    - words: {words: [blueprint], action: block}
"""


@pytest.fixture
def run(tmp_path):
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY, encoding="utf-8")

    def guard(data: bytes) -> list[dict]:
        source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
        source.write_bytes(data)
        result = CliRunner().invoke(
            command,
            ["--policy", str(policy), "--in", str(source), "--out", str(target)],
            catch_exceptions=False,
        )
        assert result.exit_code == 0, result.output
        return [json.loads(line) for line in target.read_bytes().split(b"\n") if line]

    return guard


def row(**fields) -> bytes:
    return json.dumps(fields, ensure_ascii=False).encode() + b"\n"


def test_a_row_is_masked_with_offsets_of_its_own_text(run):
    text = "메일 kim@example.co.kr로"
    (out,) = run(row(id="a", text=text, direction="input"))
    assert out["action"] == "mask"
    assert out["text"] == "메일 [EMAIL_1]로"
    (finding,) = out["findings"]
    assert list(finding) == ["guard", "category", "score", "start", "end", "reason"]
    assert text[finding["start"] : finding["end"]] == "kim@example.co.kr"


def test_each_direction_has_its_own_guards(run):
    outs = run(row(id=1, text="the blueprint", direction="input") + row(id=2, text="the blueprint", direction="output"))
    assert [out["action"] for out in outs] == ["none", "block"]


def test_every_row_has_its_own_placeholders(run):
    one = row(id=1, text="a@example.com", direction="input")
    two = row(id=2, text="b@example.com", direction="input")
    assert [out["text"] for out in run(one + two)] == ["[EMAIL_1]", "[EMAIL_1]"]


@pytest.mark.parametrize(
    ("bad", "name", "said"),
    [
        (b"not json\n", None, "not JSON"),
        (b'{"id": 7, "text": "\xff", "direction": "input"}\n', None, "not JSON"),
        (b"[]\n", None, "JSON object"),
        (row(id=7, text=5, direction="input"), 7, "'text'"),
        (row(id=7, direction="input"), 7, "'text'"),
        (row(id=7, text="x"), 7, "'direction'"),
        (row(id=7, text="x", direction="sideways"), 7, "'direction'"),
        (b'{"id": 7, "text": "\\ud800", "direction": "input"}\n', None, "not JSON"),
        (b"[" * 100_000 + b"\n", None, "not JSON"),
    ],
)
def test_a_bad_row_yields_an_error_and_the_next_one_its_verdict(run, bad, name, said):
    first, second = run(bad + row(id="next", text="fine", direction="input"))
    assert first["id"] == name
    assert said in first["error"]["message"]
    assert first["error"]["line"] == 1
    assert second == {"id": "next", "action": "none", "text": "fine", "findings": []}


def test_only_the_newline_ends_a_row(run):
    text = "one\u2028two\u0085three\x0bfour"
    (out,) = run(row(id=1, text=text, direction="input"))
    assert out["text"] == text


def test_standard_streams_are_the_default(tmp_path):
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY, encoding="utf-8")
    result = CliRunner().invoke(
        command,
        ["--policy", str(policy)],
        input=row(id=1, text="hi", direction="input"),
        catch_exceptions=False,
    )
    assert json.loads(result.stdout) == {"id": 1, "action": "none", "text": "hi", "findings": []}


def test_a_missing_file_is_named(tmp_path):
    result = CliRunner().invoke(command, ["--in", str(tmp_path / "absent.jsonl")])
    assert result.exit_code == 2
    assert "absent.jsonl" in result.stderr


def test_a_file_is_not_overwritten_while_it_is_read(tmp_path):
    rows = tmp_path / "rows.jsonl"
    rows.write_bytes(row(id=1, text="hi", direction="input"))
    result = CliRunner().invoke(command, ["--in", str(rows), "--out", str(rows)])
    assert result.exit_code == 2
    assert rows.read_bytes()


def test_a_policy_with_mistakes_ends_with_words(tmp_path):
    policy = tmp_path / "policy.yaml"
    policy.write_text("stillhouse: 1\nname: x\nguards: {input: [{pii: {entities: [EMIAL]}}]}\n", encoding="utf-8")
    result = CliRunner().invoke(command, ["--policy", str(policy)], input="")
    assert result.exit_code == 2
    assert "EMAIL" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_byte_order_mark_is_no_part_of_the_first_row(run):
    outs = run(b"\xef\xbb\xbf" + row(id=1, text="a", direction="input") + row(id=2, text="b", direction="input"))
    assert [out["id"] for out in outs] == [1, 2]


def test_a_text_is_the_users_unless_the_row_says_whose(run):
    text = "a saboteur"
    answers = run(
        row(id=1, text=text, direction="input")
        + row(id=2, text=text, direction="input", role="tool")
        + row(id=3, text=text, direction="input", role="nobody")
    )
    assert [answer.get("action") for answer in answers] == ["none", "block", None]
    assert "'role' must be one of system," in answers[2]["error"]["message"]
