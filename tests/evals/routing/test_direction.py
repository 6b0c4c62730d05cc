"""Our own prompts: what they are, and how the smoke test reads them."""

import json
from collections import Counter

import pytest

from evals.importers.outcomes import OutcomeError
from evals.importers.rows import prompt_hash
from evals.routing import direction
from router.score import load

PROMPTS = direction.read_prompts()


def test_there_are_three_hundred_prompts_half_of_them_korean():
    counts = Counter((prompt.language, prompt.intent) for prompt in PROMPTS)
    assert len(PROMPTS) >= 300
    assert len(counts) == 6
    assert min(counts.values()) >= 50
    assert {prompt.kind for prompt in PROMPTS} == {"everyday", "code", "maths", "law", "multi-turn", "tools"}


def test_no_two_prompts_are_the_same():
    whole = [prompt_hash("\n".join(message.content for message in prompt.messages)) for prompt in PROMPTS]
    assert len(set(whole)) == len(whole)


def test_korean_prompts_hold_hangul_and_english_ones_none():
    for prompt in PROMPTS:
        assert any("가" <= letter <= "힣" for letter in prompt.ask) is (prompt.language == "ko"), prompt.id


def test_the_ask_is_the_last_message():
    talk = next(prompt for prompt in PROMPTS if prompt.kind == "multi-turn")
    assert talk.ask == talk.messages[-1].content != talk.messages[0].content


def test_every_figure_has_an_interval_and_its_n():
    chosen = [p for k, p in enumerate(PROMPTS) if k % 5 == 0]
    figures = direction.measure(load(), chosen, draws=20)
    assert {(f.language, f.router) for f in figures if f.metric == "AUC small against large"} == {
        (language, router)
        for language in ("en", "ko")
        for router in ("ours", "prompt length", "LiteLLM v1", "LiteLLM v2")
    }
    assert all(f.low <= f.value <= f.high and f.n > 0 for f in figures)


def test_results_are_written_for_machines_and_people(tmp_path):
    figures = [direction.Figure("en", "AUC small against large", "ours", 0.75, 0.5, 0.9, 12)]
    direction.write(figures, "abc", tmp_path)
    stored = json.loads((tmp_path / "direction.json").read_text())
    assert stored["figures"] == [figures[0]._asdict()]
    assert {"command", "commit", "date", "machine", "artefact"} <= stored.keys()
    assert (
        "| en | AUC small against large | ours | 0.750 | 0.500 to 0.900 | 12 |"
        in (tmp_path / "direction.md").read_text()
    )


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('{"id": "a"}', "1: Object missing required field"),
        ('{"id": "a", "intent": "huge", "language": "en", "kind": "law", "messages": []}', "Invalid enum value 'huge'"),
        (
            '{"id": "a", "intent": "small", "language": "en", "kind": "law", "messages": []}',
            "1: the last message must be",
        ),
    ],
)
def test_a_malformed_line_is_named(tmp_path, line, problem):
    path = tmp_path / "own.jsonl"
    path.write_text(line + "\n")
    with pytest.raises(OutcomeError, match=problem):
        direction.read_prompts(path)
