"""Exports of OpenAI's hosted evals: rows of a suite, outcomes of the models that were asked."""

import json

import pytest
import yaml
from click.testing import CliRunner

from evals.importers.outcomes import read_outcomes
from evals.migrate.calls import LogError
from evals.migrate.openai_evals import openai_export
from evals.migrate.suites import suite_text
from stillhouse.cli.migrate import command


def output(number, model="gpt-5-mini", passed=(True,), **changes):
    """One output item as the API gives it."""
    given = {
        "object": "eval.run.output_item",
        "id": f"outputitem_{model}_{number}",
        "created_at": 1763942400 + number,
        "run_id": f"evalrun_{model}",
        "eval_id": "eval_1",
        "status": "pass" if all(passed) else "fail",
        "datasource_item_id": number,
        "datasource_item": {"question": f"What is {number} + 1?", "ground_truth": str(number + 1)},
        "results": [
            {"name": f"Exact-{k}", "type": "string_check", "passed": one, "score": float(one), "sample": None}
            for k, one in enumerate(passed)
        ],
        "sample": {
            "input": [
                {"role": "developer", "content": "Answer with a number."},
                {"role": "user", "content": f"What is {number} + 1?"},
            ],
            "output": [{"role": "assistant", "content": str(number + 1)}],
            "finish_reason": "stop",
            "model": model,
            "usage": {"total_tokens": 30, "completion_tokens": 5 + number, "prompt_tokens": 25, "cached_tokens": 0},
            "error": None,
            "temperature": 1.0, "max_completion_tokens": 2048, "top_p": 1.0, "seed": 42,
        },
    }  # fmt: skip
    return {**given, **changes}


@pytest.fixture
def file(tmp_path):
    def write(*lines):
        path = tmp_path / "export.jsonl"
        path.write_text("".join(line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines))
        return path

    return write


def carry(path, prompt=None, reference=None):
    return openai_export(path, name="sums", prompt=prompt, reference=reference, config="stillhouse.yaml")


def test_an_output_item_is_a_row_and_an_outcome(file):
    export = carry(file(output(1), output(2, passed=(True, False)), output(1, model="gpt-5", passed=(False,))))
    assert [row["id"] for row in export.suite.rows] == ["item-1", "item-2"]
    assert export.suite.rows[0]["reference"] == "2"
    assert export.suite.rows[0]["messages"][0] == {"role": "developer", "content": "Answer with a number."}
    assert export.suite.suite["scorers"] == [{"exact": {"strict": True}}]
    first, second = export.outcomes
    assert first.scores == {"gpt-5-mini": 1.0, "gpt-5": 0.0}
    assert first.output_tokens == {"gpt-5-mini": 6, "gpt-5": 6}
    assert (second.scores, second.reference) == ({"gpt-5-mini": 0.5}, "3")


def test_several_runs_of_one_model_are_averaged(file):
    [outcome] = carry(file(output(1), output(1, passed=(False,)))).outcomes
    assert outcome.scores == {"gpt-5-mini": 0.5}


def test_data_items_are_rows_alone(file):
    export = carry(
        file({"item": {"input": "What is 1 + 1?", "ideal": 2}}, {"item": {"input": "And 2 + 2?", "ideal": 4}})
    )
    assert export.suite.rows[1]["messages"] == [{"role": "user", "content": "And 2 + 2?"}]
    assert export.suite.rows[1]["reference"] == 4
    assert export.suite.suite["scorers"] == ["exact"]
    assert not export.outcomes


def test_fields_can_be_named(file):
    path = file({"item": {"ask": "What is 1 + 1?", "right": "2", "label": "sums"}})
    export = carry(path, prompt="ask", reference="right")
    assert export.suite.rows[0]["reference"] == "2"
    with pytest.raises(LogError, match="no item has a field 'wrong'"):
        carry(path, prompt="ask", reference="wrong")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("not json\n", "export.jsonl:2: not JSON"),
        ([1], "export.jsonl:2: it is no object"),
        (output(2, datasource_item=None), "export.jsonl:2: an output item needs"),
        (output(2, results=[{"name": "x", "passed": "yes"}]), "'passed' must be true or false"),
        ({"item": {"nothing": 1}}, "no field holds the question"),
        ({"item": 7}, "'item' must be an object"),
    ],
    ids=lambda v: str(v)[:25],
)  # fmt: skip
def test_a_bad_row_is_named_and_nothing_is_made(file, line, words):
    with pytest.raises(LogError) as refused:
        carry(file(output(1), line))
    assert words in str(refused.value)


def test_an_item_that_no_model_answered_is_counted(file):
    broken = output(2)
    broken["sample"] = {**broken["sample"], "error": {"code": "rate_limit_exceeded", "message": "…"}}
    export = carry(file(output(1), broken))
    assert len(export.suite.rows) == 1
    assert any("1: the model did not answer" in told.words for told in export.tale.of("lost"))


def test_graders_that_run_code_are_named(file):
    export = carry(file(output(1, results=[{"name": "mine", "type": "python", "passed": True, "score": 1.0}])))
    assert any(told.what == "grader python" for told in export.tale.of("lost"))
    assert export.suite.suite["scorers"] == ["exact"]


def test_the_command_writes_a_suite_and_outcomes_that_can_be_read(file, tmp_path):
    out = tmp_path / "out"
    done = CliRunner().invoke(command, ["openai-evals", str(file(output(1), output(2))), "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert [row.scores for row in read_outcomes(out / "export-outcomes.jsonl")] == [{"gpt-5-mini": 1.0}] * 2
    assert yaml.safe_load((out / "export.yaml").read_text())["data"] == {"file": "export.jsonl"}


def test_the_suite_is_in_the_grammar_of_suites(file):
    grammar = pytest.importorskip("evals.suites.grammar")
    from policies.yaml import load_strict

    export = carry(file(output(1)))
    suite = load_strict(suite_text(export.suite), grammar.Suite, file="sums.yaml")
    assert suite.suite == "sums"
