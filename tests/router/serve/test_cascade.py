"""A cascade at the endpoint: what the caller gets, what the ledger keeps, what upstreams are asked."""

import asyncio
import json

import pytest

from router.core.checks import Calibration, Head, evidence_names
from tests.router.serve.test_endpoint import events_of, said
from tests.support.upstream import HOLD, Answer, Wait, chunk, finish, usage

PLAIN = """
stillhouse: 1
name: tries
quality: {{keep: 1.0}}
stream: checked
timeouts: {{connect: 1.0, first_byte: 3.0, gap: 2.0, total: 10.0}}
cascade: {{start: small, checks: [{checks}]{more}}}
"""


def policy(checks="finish, refusal", more=""):
    return PLAIN.format(checks=checks, more=f", {more}" if more else "")


def tokens(*pairs):
    """A logprobs object: (token, log-probability) pairs."""
    return {"content": [{"token": t, "logprob": p, "bytes": None, "top_logprobs": []} for t, p in pairs]}


def likely(kind, name, bias=-4.0, slope=8.0):
    weights = tuple(slope if each == name else 0.0 for each in evidence_names(kind))
    return Head(bias=bias, weights=weights)


def judging(kind, name):
    """A cell change: chances follow one number; what is above is right nine times in ten."""
    kind += "+score"  # the shipped scorer's chances are evidence, too
    above = Head(bias=2.2, weights=(0.0,) * len(evidence_names(kind)))
    heads = {
        "small": {kind: {"small": likely(kind, name), "medium": above, "large": above}},
        "medium": {kind: {"medium": likely(kind, name), "large": above}},
    }

    def change(cell):
        cell.calibration = Calibration(name="test", digest="", heads=heads)

    return change


def reasons(answer):
    return [r for r in answer.headers["x-stillhouse-reason"].split(",") if r.startswith("cascade")]


def tried(record):
    return [(a["tier"], a["kind"], a["outcome"]) for a in record["attempts"]]


# --- whole answers


async def test_a_good_answer_of_the_small_tier_is_kept(serve, up):
    gw = await serve(policy())
    up.script(Answer.completion("Four."))
    answer = await gw.chat("What is 2 + 2?")
    assert answer.json()["choices"][0]["message"]["content"] == "Four."
    assert answer.headers["x-stillhouse-tier"] == "small"
    assert answer.headers["x-stillhouse-wanted"] != "small"
    assert reasons(answer) == ["cascade-kept"]
    record = await gw.record(answer)
    assert tried(record) == [("small", "first", "ok")]
    assert record["attempts"][0]["signals"]["refusal"] == 0.0
    assert len(up.requests) == 1


async def test_a_bad_answer_is_escalated_and_every_try_is_paid_for(serve, up):
    gw = await serve(policy())
    up.script(Answer.completion("I'm sorry, but I can't help."), Answer.completion("Fo", reason="length"))
    up.script(Answer.completion("Four."))
    answer = await gw.chat("What is 2 + 2?")
    assert answer.json()["choices"][0]["message"]["content"] == "Four."
    assert answer.headers["x-stillhouse-tier"] == "large"
    assert reasons(answer) == ["cascade-escalated", "cascade-escalated"]
    record = await gw.record(answer)
    assert tried(record) == [
        ("small", "first", "not_good_enough"),
        ("medium", "escalation", "not_good_enough"),
        ("large", "escalation", "ok"),
    ]
    costs = [a["cost_nano"] for a in record["attempts"]]
    assert all(costs)
    assert record["cost_nano"] == sum(costs) == int(answer.headers["x-stillhouse-cost"])
    words = [r["text"] for r in record["reasons"] if r["id"] == "cascade-escalated"]
    assert "refusal (it refuses)" in words[0]
    assert "finish (it was cut off (length))" in words[1]
    assert record["tier_served"] == "large"
    assert (
        'stillhouse_cascade_verdicts_total{tier="small",verdict="turned_down",check="refusal"} 1'
        in gw.cell.metrics.render().decode()
    )


async def test_where_an_escalation_fails_the_first_answer_is_kept(serve, up):
    gw = await serve(policy(more="max_escalations: 1"))
    up.script(Answer.completion("cut", reason="length"), Answer.error(500), Answer.error(500), Answer.error(500))
    answer = await gw.chat("What is 2 + 2?")
    assert answer.status_code == 200
    assert answer.json()["choices"][0]["message"]["content"] == "cut"
    assert answer.headers["x-stillhouse-tier"] == "small"
    assert reasons(answer) == ["cascade-escalated", "cascade-escalation-failed"]
    record = await gw.record(answer)
    assert [a["outcome"] for a in record["attempts"]] == ["not_good_enough", "error", "error", "error"]
    assert record["outcome"] == "ok"
    assert record["cost_nano"] == record["attempts"][0]["cost_nano"]


async def test_the_deadline_ends_an_escalation_and_the_first_answer_is_kept(serve, up):
    gw = await serve(policy(more="max_escalations: 1, deadline: 0.6"))
    up.script(Answer.completion("cut", reason="length"), Answer.silence())
    answer = await gw.chat("What is 2 + 2?")
    assert answer.json()["choices"][0]["message"]["content"] == "cut"
    assert reasons(answer) == ["cascade-escalated", "cascade-deadline"]


async def test_a_small_tier_that_is_down_is_replaced_upwards(serve, up):
    gw = await serve(policy())
    up.always(Answer.error(503), model="m-small")
    answer = await gw.chat("What is 2 + 2?")
    assert answer.headers["x-stillhouse-tier"] == "medium"
    assert reasons(answer) == ["cascade-kept"]


async def test_a_request_that_is_at_fault_is_refused_once(serve, up):
    gw = await serve(policy())
    up.script(Answer.error(400, "too long", code="context_length_exceeded"))
    answer = await gw.chat("What is 2 + 2?")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "context_length_exceeded")
    assert len(up.requests) == 1


@pytest.mark.parametrize("fields", [{"model": "large"}, {"n": 2}], ids=str)
async def test_a_caller_s_own_choice_and_several_answers_are_not_cascaded(serve, up, fields):
    gw = await serve(policy())
    up.always(Answer.completion("x", reason="length", choices=fields.get("n", 1)))
    answer = await gw.chat("What is 2 + 2?", **fields)
    assert answer.status_code == 200
    assert len(up.requests) == 1
    assert "cascade-kept" not in reasons(answer)


async def test_the_format_that_the_caller_asked_for_is_checked(serve, up):
    gw = await serve(policy("format"))
    up.script(Answer.completion("Sure: {}"), Answer.completion('{"a": 1}'))
    answer = await gw.chat("What is 2 + 2?", response_format={"type": "json_object"})
    assert answer.headers["x-stillhouse-tier"] == "medium"
    assert reasons(answer) == ["cascade-escalated", "cascade-kept"]


async def test_guards_read_the_answer_that_is_kept(serve, up):
    guarded = policy() + "guards: {output: [{words: {words: [classified], action: block}}]}\nrefusal: {output: No.}\n"
    gw = await serve(guarded)
    up.script(Answer.completion("classified", reason="length"), Answer.completion("It is classified."))
    answer = await gw.chat("hi")
    assert answer.json()["choices"][0]["message"]["content"] == "No."
    assert (await gw.record(answer))["outcome"] == "blocked_output"


# --- log-probabilities


async def test_log_probabilities_are_asked_only_where_checked_and_kept_from_the_caller(serve, up):
    gw = await serve(policy("logprobs", "accept: 0.8"), cell=judging("logprobs", "p_mean"))
    up.script(Answer.completion("4", logs=tokens(("4", -2.0))), Answer.completion("5", logs=tokens(("5", -2.0))))
    up.script(Answer.completion("6"))
    answer = await gw.chat("What is 2 + 2?")
    assert [r.json.get("logprobs") for r in up.requests] == [True, True, None]
    assert answer.json()["choices"][0]["logprobs"] is None
    attempts = (await gw.record(answer))["attempts"]
    assert attempts[0]["signals"]["logprob_mean"] == -2.0
    assert 0 < attempts[0]["signals"]["chance"] < 0.8
    assert "signals" not in attempts[2] or attempts[2]["signals"] is None


async def test_a_sure_answer_is_kept_and_its_log_probabilities_taken_out(serve, up):
    gw = await serve(policy("logprobs", "accept: 0.8"), cell=judging("logprobs", "p_mean"))
    up.script(Answer.completion("4", logs=tokens(("4", -0.01))))
    answer = await gw.chat("What is 2 + 2?")
    assert reasons(answer) == ["cascade-kept"]
    assert answer.json()["choices"][0]["logprobs"] is None


async def test_a_caller_who_asks_for_log_probabilities_gets_them(serve, up):
    gw = await serve(policy("logprobs", "accept: 0.8"), cell=judging("logprobs", "p_mean"))
    logs = tokens(("4", -0.01))
    up.script(Answer.completion("4", logs=logs))
    answer = await gw.chat("What is 2 + 2?", logprobs=True)
    assert answer.json()["choices"][0]["logprobs"] == logs


@pytest.mark.parametrize("refuses", [False, True], ids=["ignores", "refuses"])
async def test_a_server_without_log_probabilities_is_told_once_and_then_left_out(serve, up, refuses):
    gw = await serve(policy("logprobs", "accept: 0.8"), cell=judging("logprobs", "p_mean"))

    def blind(seen):
        if refuses and seen.json.get("logprobs"):
            return Answer.error(400, "no logprobs here", code="unsupported_parameter")
        return Answer.completion("4")

    up.always(blind)
    first = await gw.chat("What is 2 + 2?")
    assert first.status_code == 200
    assert first.headers["x-stillhouse-tier"] == "large"
    assert reasons(first) == ["cascade-check-missing"] * 2
    assert 'tier="small",verdict="missing",check="logprobs"' in gw.cell.metrics.render().decode()
    count = len(up.requests)
    second = await gw.chat("What is 2 + 2?")
    assert len(up.requests) == count + 1
    assert second.headers["x-stillhouse-tier"] == "large"
    assert reasons(second) == ["cascade-check-missing"]


async def test_without_a_calibration_no_answer_is_judged_good(serve, up):
    def none(cell):
        cell.calibration = None

    gw = await serve(policy("likelihood", "accept: 0.0"), cell=none)
    answer = await gw.chat("What is 2 + 2?")
    assert answer.headers["x-stillhouse-tier"] == "large"
    assert reasons(answer) == ["cascade-check-missing"] * 2


# --- self-agreement


async def test_samples_are_attempts_of_the_answer_they_are_compared_with(serve, up):
    gw = await serve(policy("agreement", "samples: 2, accept: 0.8"), cell=judging("agreement", "agreement"))
    up.script(*(Answer.completion("It is 4.") for _ in range(3)))
    answer = await gw.chat("What is 2 + 2?")
    assert reasons(answer) == ["cascade-kept"]
    assert [r.json.get("temperature") for r in up.requests] == [None, 0.7, 0.7]
    await asyncio.to_thread(gw.cell.ledger.flush)
    record = await gw.record(answer)
    assert sorted(tried(record)) == [("small", "first", "ok"), ("small", "sample", "ok"), ("small", "sample", "ok")]
    assert [a["n"] for a in record["attempts"]] == [0, 1, 2]  # what is stored is told apart by it
    assert record["cost_nano"] == sum(a["cost_nano"] for a in record["attempts"])


async def test_samples_that_disagree_or_fail_escalate(serve, up):
    gw = await serve(
        policy("agreement", "samples: 2, accept: 0.8, max_escalations: 1"), cell=judging("agreement", "agreement")
    )
    up.script(Answer.completion("4"), Answer.completion("5"), Answer.completion("6"), Answer.completion("7"))
    disagreeing = await gw.chat("What is 2 + 2?")
    assert reasons(disagreeing) == ["cascade-escalated"]
    up.script(Answer.completion("4"), Answer.error(500), Answer.completion("4"), Answer.completion("7"))
    failing = await gw.chat("What is 2 + 2?")
    assert reasons(failing) == ["cascade-check-missing"]
    assert failing.json()["choices"][0]["message"]["content"] == "7"


async def test_no_samples_are_bought_for_an_answer_that_fails_anyway(serve, up):
    checks = policy("finish, agreement", "accept: 0.8, max_escalations: 1")
    gw = await serve(checks, cell=judging("agreement", "agreement"))
    up.script(Answer.completion("4", reason="length"), Answer.completion("4"))
    await gw.chat("What is 2 + 2?")
    assert len(up.requests) == 2


# --- streams


def streamed(*words, end="stop", logs=None):
    return Answer.stream(*(chunk(w, logs=logs and tokens((w, logs))) for w in words), finish(end), usage())


async def test_a_streamed_answer_is_kept_or_escalated(serve, up):
    gw = await serve(policy())
    up.script(streamed("Fo", "ur"), streamed("Fo", end="length"), streamed("It is ", "four."))
    kept = await gw.chat("What is 2 + 2?", stream=True)
    escalated = await gw.chat("What is 2 + 2?", stream=True)
    events, done = events_of(kept)
    assert (done, said(events), kept.headers["x-stillhouse-tier"]) == (True, "Four", "small")
    events, done = events_of(escalated)
    assert (done, said(events), escalated.headers["x-stillhouse-tier"]) == (True, "It is four.", "medium")
    record = await gw.record(escalated)
    assert tried(record) == [("medium", "escalation", "ok"), ("small", "first", "not_good_enough")] or tried(
        record
    ) == [
        ("small", "first", "not_good_enough"),
        ("medium", "escalation", "ok"),
    ]
    assert record["cost_nano"] == sum(a["cost_nano"] for a in record["attempts"])


async def test_only_the_first_tokens_are_held_and_then_the_stream_runs(serve, up):
    gw = await serve(policy("logprobs", "accept: 0.8, hold: 2"), cell=judging("logprobs", "p_mean"))
    words = [chunk(w, logs=tokens((w, -0.01))) for w in ("one ", "two ", "three ")]
    up.script(Answer.stream(*words, HOLD))
    body = {"model": "auto", "stream": True, "messages": [{"role": "user", "content": "Count."}]}
    heard = ""
    async with gw.http.stream("POST", "/v1/chat/completions", json=body) as answer:
        assert answer.headers["x-stillhouse-tier"] == "small"
        assert "cascade-kept" in answer.headers["x-stillhouse-reason"]
        async for line in answer.aiter_lines():
            if line.startswith("data: "):
                event = json.loads(line[6:])
                heard += said([event])
                assert not event["choices"][0].get("logprobs")
            if heard == "one two three ":
                break  # heard although the upstream has not ended
    assert heard == "one two three "


async def test_a_check_of_the_whole_answer_holds_the_stream_to_its_end(serve, up):
    gw = await serve(policy("finish"))
    up.script(Answer.stream(chunk("a "), chunk("b "), Wait(0.3), finish("length"), usage()), streamed("good"))
    events, _ = events_of(await gw.chat("Count.", stream=True))
    assert said(events) == "good"


async def test_an_unsure_opening_is_escalated_before_anything_leaves(serve, up):
    gw = await serve(policy("logprobs", "accept: 0.8, hold: 2"), cell=judging("logprobs", "p_mean"))
    unsure = [chunk(w, logs=tokens((w, -3.0))) for w in ("um ", "well ", "maybe ")]
    up.script(Answer.stream(*unsure, HOLD), streamed("sure ", "thing", logs=-0.01))
    answer = await gw.chat("Count.", stream=True)
    events, done = events_of(answer)
    assert (done, said(events)) == (True, "sure thing")
    await asyncio.wait_for(up.requests[0].gone.wait(), 5)
    small = next(a for a in (await gw.record(answer))["attempts"] if a["tier"] == "small")
    assert (small["outcome"], small["tokens_source"]) == ("not_good_enough", "estimated")
    assert small["cost_nano"] > 0


async def test_a_stream_is_kept_where_its_escalation_fails(serve, up):
    gw = await serve(policy("logprobs", "accept: 0.8, hold: 2, max_escalations: 1"), cell=judging("logprobs", "p_mean"))
    unsure = [chunk(w, logs=tokens((w, -3.0))) for w in ("um ", "well ", "maybe ")]
    up.script(Answer.stream(*unsure, finish(), usage()), *[Answer.error(500)] * 3)
    answer = await gw.chat("Count.", stream=True)
    events, done = events_of(answer)
    assert (done, said(events)) == (True, "um well maybe ")
    assert answer.headers["x-stillhouse-tier"] == "small"
    record = await gw.record(answer)
    assert record["reasons"][-1]["id"] == "cascade-escalation-failed"
    assert record["tokens_source"] == "upstream"


async def test_output_guards_still_see_the_whole_answer_under_checked(serve, up):
    guarded = (
        policy("logprobs", "accept: 0.8, hold: 1")
        + "guards: {output: [{words: {words: [classified], action: block}}]}\n"
    )
    gw = await serve(guarded, cell=judging("logprobs", "p_mean"))
    up.script(streamed("this is ", "classified", logs=-0.01))
    answer = await gw.chat("Count.", stream=True)
    assert "this is" not in answer.text
    assert (await gw.record(answer))["outcome"] == "blocked_output"


async def test_nothing_is_held_under_guarded_so_streams_are_not_cascaded(serve, up):
    gw = await serve(policy().replace("checked", "guarded"))
    up.script(streamed("cut", end="length"), Answer.completion("whole"))
    answer = await gw.chat("Count.", stream=True)
    assert said(events_of(answer)[0]) == "cut"
    assert reasons(answer) == ["cascade-not-held"]
    whole = await gw.chat("Count.")
    assert reasons(whole) == ["cascade-kept"]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_a_caller_who_leaves_stops_the_cascade(serve, up, stream):
    gw = await serve(policy())
    up.script(Answer.silence())
    task = asyncio.create_task(gw.chat("Count.", stream=stream))
    seen = await up.wait_for(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.wait_for(seen.gone.wait(), 5)


async def test_route_tells_the_tiers_that_would_be_tried(serve, up):
    gw = await serve(policy())
    body = {"model": "auto", "messages": [{"role": "user", "content": "What is 2 + 2?"}]}
    told = (await gw.http.post("/v1/route", json=body)).json()
    assert told["cascade"] == ["small", "medium", "large"]
    assert told["tier"] != "small"
    direct = (await gw.http.post("/v1/route", json=body | {"model": "large"})).json()
    assert direct["cascade"] == []
    assert not up.requests


async def test_without_a_measure_of_its_own_the_policy_s_aim_is_asked_again(serve, up):
    text = policy("logprobs").replace("quality: {keep: 1.0}", "cost_quality: 1.0")
    gw = await serve(text, cell=judging("logprobs", "p_mean"))
    up.script(Answer.completion("4", logs=tokens(("4", -0.5))), Answer.completion("4", logs=tokens(("4", -0.01))))
    answer = await gw.chat("What is 2 + 2?")
    # At a dial of 1 only chances count: the first answer's is 0.70 and the tier above reaches 0.90.
    assert reasons(answer) == ["cascade-escalated", "cascade-kept"]
    assert answer.headers["x-stillhouse-tier"] == "medium"
