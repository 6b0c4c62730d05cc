"""``stillhouse explain`` for a prompt and for a conversation."""

import json

from click.testing import CliRunner

from stillhouse.cli.explain import command

TALK = [
    {"role": "user", "content": "Port the scheduler to asyncio without changing the order of equal deadlines."},
    {"role": "assistant", "content": "Done."},
    {"role": "user", "content": "commit it"},
]


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
