import json

import pytest
from click.testing import CliRunner

from stillhouse.cli.explain import command


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
