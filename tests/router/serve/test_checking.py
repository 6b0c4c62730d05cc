"""Guards that look at a whole answer, inside the gateway: proved, written again, or failed."""

import asyncio
import json

import pytest
import yaml

from policies.mistakes import Mistakes
from tests.router.serve.test_endpoint import events_of, said
from tests.support.rulebooks import READINGS, RULES, VARIABLES
from tests.support.upstream import Answer, chunk, finish

ASK = "My laptop was delivered 45 days ago. Can I return it?"
WRONG = "Yes, you can get a refund."
RIGHT = "No refund, sorry: it has been too long."


def policy(stream="checked", **settings):
    rules = {"variables": VARIABLES, "rules": RULES, "readings": READINGS} | settings
    return yaml.safe_dump(
        {
            "stillhouse": 1,
            "name": "proved",
            "quality": {"keep": 0.9},
            "stream": stream,
            "timeouts": {"connect": 1.0, "first_byte": 2.0, "gap": 1.0, "total": 5.0},
            "guards": {"output": [{"reasoning": rules}]},
        },
        allow_unicode=True,
    )


def answers(up, *texts, stream):
    """The first as the answer; others, asked for by a check, are whole."""
    first = Answer.stream(chunk(texts[0][:9]), chunk(texts[0][9:]), finish()) if stream else Answer.completion(texts[0])
    up.script(first, *(Answer.completion(text) for text in texts[1:]))


def text_of(answer, stream):
    return said(events_of(answer)[0]) if stream else answer.json()["choices"][0]["message"]["content"]


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_that_breaks_a_rule_is_blocked_with_the_rule_on_record(serve, up, stream):
    gw = await serve(policy(on_invalid="block"))
    answers(up, WRONG, stream=stream)
    answer = await gw.chat(ASK, stream=stream)
    assert text_of(answer, stream) == "The answer was stopped by the gateway's policy."
    record = await gw.record(answer)
    assert [(f["reason"], f["action"]) for f in record["findings"]] == [("reasoning.invalid", "block")]
    assert record["outcome"] == "blocked_output"


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_that_keeps_the_rules_travels_as_it_came(serve, up, stream):
    gw = await serve(policy(on_invalid="block"))
    answers(up, RIGHT, stream=stream)
    answer = await gw.chat(ASK, stream=stream)
    assert text_of(answer, stream) == RIGHT
    assert [f["reason"] for f in (await gw.record(answer))["findings"]] == ["reasoning.valid"]


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_is_written_again_once_and_paid_for(serve, up, stream):
    gw = await serve(policy(on_invalid="rewrite", rewrite={"tier": "large"}))
    answers(up, WRONG, RIGHT, stream=stream)
    answer = await gw.chat(ASK, stream=stream)
    assert text_of(answer, stream) == RIGHT
    assert WRONG not in answer.text
    asked = up.requests[1].json
    assert asked["model"] == "m-large"
    assert "Returns within 30 days only." in json.dumps(asked)
    record = await gw.record(answer)
    assert [(f["reason"], f["action"]) for f in record["findings"]] == [
        ("reasoning.invalid", "detect"),
        ("reasoning.valid", "none"),
    ]
    assert [a["kind"] for a in record["attempts"]].count("check") == 1


async def test_a_rewrite_that_is_no_better_leaves_the_block(serve, up):
    gw = await serve(policy(on_invalid="rewrite", rewrite={"tier": "large"}))
    answers(up, WRONG, WRONG, stream=False)
    answer = await gw.chat(ASK)
    assert answer.json()["choices"][0]["finish_reason"] == "content_filter"


async def test_a_model_that_does_not_answer_the_check_is_an_error_and_no_pass(serve, up):
    gw = await serve(policy(on_invalid="rewrite", rewrite={"tier": "large"}))
    up.script(Answer.completion(WRONG), Answer.error(500))
    answer = await gw.chat(ASK)
    assert answer.json()["choices"][0]["finish_reason"] == "content_filter"
    assert [f["reason"] for f in (await gw.record(answer))["findings"]] == ["reasoning.error"]


async def test_a_solver_that_died_is_an_error_and_no_pass(serve, up):
    def kill(cell):
        cell.prover._command = ("false",)

    gw = await serve(policy(on_invalid="block"), cell=kill)
    answers(up, RIGHT, stream=False)
    answer = await gw.chat(ASK)
    assert answer.json()["choices"][0]["finish_reason"] == "content_filter"
    assert [f["reason"] for f in (await gw.record(answer))["findings"]] == ["reasoning.error"]


async def test_what_only_reports_does_not_hold_a_stream(serve, up):
    gw = await serve(policy(stream="guarded", on_invalid="detect", on_error="pass"))
    answers(up, WRONG, stream=True)
    answer = await gw.chat(ASK, stream=True)
    assert text_of(answer, True) == WRONG
    record = None
    while record is None:  # it is judged after the caller has all of it
        await asyncio.sleep(0.01)
        record = await asyncio.to_thread(gw.cell.ledger.get, answer.headers["x-request-id"])
    assert [f["reason"] for f in record["findings"]] == ["reasoning.invalid"]


async def test_what_blocks_needs_a_stream_that_waits(serve):
    with pytest.raises(Mistakes) as caught:
        await serve(policy(stream="guarded", on_invalid="block"))
    assert "stream: checked" in str(caught.value)


def test_a_check_that_writes_again_has_no_verdict_on_a_stream_that_has_left():
    from guardrails import Action
    from guardrails.run import Checked
    from guardrails.views import Rewritten, View
    from router.serve.guards.checking import judge_now

    class Writes:
        guard, scope, actions = "writes", "calls", frozenset({Action.BLOCK})

        def run(self, view):
            yield from ()
            return Rewritten(view.text, (), ())

    [finding] = judge_now([Checked(Writes(), Action.BLOCK)], View("text"))
    assert (finding.reason, finding.action) == ("writes.error", Action.BLOCK)
