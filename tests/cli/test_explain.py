"""``stillhouse explain`` for a prompt and for a conversation."""

import json

import pytest
from click.testing import CliRunner

from stillhouse.cli.explain import command

TALK = [
    {"role": "user", "content": "Port the scheduler to asyncio without changing the order of equal deadlines."},
    {"role": "assistant", "content": "Done."},
    {"role": "user", "content": "commit it"},
]


@pytest.mark.parametrize("prompt", ["What is 2 + 2?", "대한민국의 수도는 어디인가요?", ""])
def test_a_prompt_is_explained_in_words_and_as_json(prompt):
    words = CliRunner().invoke(command, [prompt], catch_exceptions=False)
    assert words.exit_code == 0
    assert "how the policy decided" in words.output
    found = json.loads(CliRunner().invoke(command, ["--json", prompt], catch_exceptions=False).output)
    assert found["tier"] in {"small", "medium", "large"}
    assert found["reasons"][-1]["id"]


def test_a_prompt_too_long_for_a_command_line_comes_by_standard_input():
    result = CliRunner().invoke(command, ["--json", "-"], input="word " * 200_000, catch_exceptions=False)
    assert json.loads(result.output)["tier"] in {"small", "medium", "large"}


def test_bytes_that_are_no_text_are_named_and_not_shown():
    for options, given in ((["secret \udcff"], None), (["-"], b"secret \xff")):
        result = CliRunner().invoke(command, options, input=given, catch_exceptions=False)
        assert (result.exit_code, "secret" in result.output) == (2, False)
        assert "the prompt is not UTF-8" in result.output


def run(*arguments):
    return CliRunner().invoke(command, list(arguments))


def test_a_prompt_is_explained_with_parts_that_add_up():
    got = json.loads(run("What is 2 + 2?", "--json").stdout)
    assert got["reason"] == "dial"
    assert got["moved"]


def test_a_conversation_is_explained_as_a_turn(tmp_path):
    path = tmp_path / "talk.json"
    for said in (TALK, {"model": "auto", "messages": TALK}):
        path.write_text(json.dumps(said))
        got = json.loads(run("--messages", str(path), "--json").stdout)
        assert "turn-continues" in [r["id"] for r in got["reasons"]]
        assert got["moved"] == []
        words = run("--messages", str(path)).stdout
        assert "continues the one before" in words
        assert "what moved" not in words


def test_what_is_missing_or_wrong_is_said(tmp_path):
    path = tmp_path / "talk.json"
    path.write_text("[{]")
    assert run().exit_code != 0
    assert run("hi", "--messages", str(path)).exit_code != 0
    bad = run("--messages", str(path))
    assert bad.exit_code != 0
    assert "not JSON" in bad.output
    path.write_text("[]")
    assert "at least one message" in run("--messages", str(path)).output
