"""The endpoint over real sockets: answers, headers, errors, streams, who may what."""

import asyncio
import json

import pytest

from policies.mistakes import Mistakes
from tests.support.upstream import CLOSE, HOLD, RESET, Answer, Wait, chunk, error, finish, logprobs, tool, usage


def events_of(answer):
    lines = [line[6:] for line in answer.text.split("\n") if line.startswith("data: ")]
    done = bool(lines) and lines[-1] == "[DONE]"
    return [json.loads(line) for line in (lines[:-1] if done else lines)], done


def said(events, field="content"):
    return "".join(c["delta"].get(field) or "" for e in events for c in e.get("choices", ()))


async def test_a_whole_answer_travels_byte_for_byte_with_the_decision_beside_it(serve, up):
    raw = b'{"id":"x", "choices":[{"index":0,"message":{"role":"assistant","content":"Hi","vendor":1.0},"finish_reason":"stop"}],"usage":{"prompt_tokens":10,"completion_tokens":5},"big":123456789012345678901234567890}'
    up.script(Answer.raw(raw))
    gw = await serve()
    answer = await gw.chat("What is 2 + 2?")
    assert answer.status_code == 200
    assert answer.content == raw
    head = answer.headers
    assert head["x-stillhouse-tier"] in {"small", "medium", "large"}
    assert head["x-stillhouse-tier"] == head["x-stillhouse-wanted"]
    assert head["x-stillhouse-model"] == f"m-{head['x-stillhouse-tier']}"
    assert 0 <= float(head["x-stillhouse-score"]) <= 1
    assert head["x-stillhouse-reason"]
    assert head["x-stillhouse-policy"].startswith("plain@")
    assert head["x-stillhouse-lineage"].startswith("family=unknown")
    assert head["x-request-id"].startswith("req_")
    record = await gw.record(answer)
    assert record["cost_nano"] == int(head["x-stillhouse-cost"]) > 0
    assert record["tokens_in"] == 10
    assert record["tokens_source"] == "upstream"


async def test_the_body_travels_byte_for_byte_but_for_the_model(serve, up):
    gw = await serve()
    body = b'{ "seed":123456789012345678901234567890, "model":"small","temperature":1.0, "messages":[{"role":"user","content":"hi","x":1e0}] }'
    await gw.http.post("/v1/chat/completions", content=body, headers={"content-type": "application/json"})
    assert up.requests[0].body == body.replace(b'"small"', b'"m-small"')


@pytest.mark.parametrize("tier", ["small", "medium", "large"])
async def test_a_tier_can_be_named_as_model_or_header(serve, up, tier):
    gw = await serve()
    by_model = await gw.chat(model=tier)
    by_header = await gw.chat(headers={"x-stillhouse-tier": tier})
    by_name = await gw.chat(model=f"m-{tier}")
    for answer in (by_model, by_header, by_name):
        assert answer.headers["x-stillhouse-tier"] == tier
        assert "caller-tier" in answer.headers["x-stillhouse-reason"]
    assert (await gw.record(by_model))["mode"] == "direct"


async def test_a_policy_can_be_named_as_model_or_header(serve):
    other = "stillhouse: 1\nname: always-large\ntiers: [large]\nfallback_tier: large\n"
    gw = await serve("stillhouse: 1\nname: always-small\ntiers: [small]\nfallback_tier: small\n", other)
    assert (await gw.chat()).headers["x-stillhouse-tier"] == "small"
    assert (await gw.chat(model="always-large")).headers["x-stillhouse-tier"] == "large"
    assert (await gw.chat(headers={"x-stillhouse-policy": "always-large"})).headers["x-stillhouse-tier"] == "large"


# --- errors


@pytest.mark.parametrize(
    ("send", "status", "code"),
    [
        ({"content": b"{"}, 400, "invalid_json"),
        ({"content": b"[]"}, 400, "invalid_json"),
        ({"content": b"null"}, 400, "invalid_json"),
        ({"content": b"\xff\xfe"}, 400, "invalid_json"),
        ({"content": b'{"model":NaN,"messages":[]}'}, 400, "invalid_json"),
        ({"content": b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"}, 400, "invalid_json"),
        ({"content": b'{"model":"auto","messages":[{"role":"user","content":"\\udc00"}]}'}, 400, "invalid_json"),
        ({"json": {"model": "auto"}}, 400, "invalid_request_error"),
        ({"json": {"model": "auto", "messages": []}}, 400, "invalid_request_error"),
        ({"json": {"model": "nope", "messages": [{"role": "user", "content": "x"}]}}, 404, "model_not_found"),
        ({"content": b"{}", "headers": {"content-type": "text/plain"}}, 415, "unsupported_media_type"),
        ({"content": b"{}", "headers": {"content-encoding": "gzip"}}, 415, "unsupported_media_type"),
        ({"content": b" " * 1_200_000}, 413, "request_too_large"),
        ({"json": {"model": "auto", "messages": [{"role": "user", "content": "x"}]}, "headers": {"x-stillhouse-tier": "huge"}}, 400, "invalid_request_error"),
        ({"json": {"model": "auto", "messages": [{"role": "user", "content": "x"}]}, "headers": {"x-stillhouse-policy": "none"}}, 400, "invalid_request_error"),
    ],
    ids=lambda v: str(v)[:50],
)  # fmt: skip
async def test_what_cannot_be_read_is_refused_in_one_shape(serve, up, send, status, code):
    gw = await serve(max_body_mb=1)
    headers = {"content-type": "application/json", **send.pop("headers", {})}
    answer = await gw.http.post("/v1/chat/completions", headers=headers, **send)
    body = answer.json()["error"]
    assert (answer.status_code, body["code"]) == (status, code)
    assert set(body) == {"message", "type", "param", "code", "request_id"}
    assert body["request_id"] == answer.headers["x-request-id"]
    assert not up.requests


async def test_a_chunked_body_beyond_the_limit_is_refused(serve):
    gw = await serve(max_body_mb=1)

    async def parts():
        for _ in range(40):
            yield b" " * 50_000

    answer = await gw.http.post("/v1/chat/completions", content=parts(), headers={"content-type": "application/json"})
    assert answer.status_code == 413


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/chat/completions", 405),
        ("DELETE", "/v1/route", 405),
        ("POST", "/v1/models", 405),
        ("GET", "/nowhere", 404),
        ("GET", "/v1/models/nope", 404),
        ("GET", "/v1/stillhouse/requests/req_nope", 404),
    ],
)
async def test_wrong_paths_and_methods_have_the_same_shape(serve, method, path, status):
    gw = await serve()
    answer = await gw.http.request(method, path)
    assert answer.status_code == status
    assert answer.json()["error"]["code"]
    assert answer.headers["x-request-id"].startswith("req_")


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    ("script", "status", "code"),
    [
        ([Answer.error(400, "too long", code="context_length_exceeded")], 400, "context_length_exceeded"),
        ([Answer.error(401, "key sk-secret is bad")] * 3, 502, "upstream_auth"),
        ([Answer.error(429, retry_after=30)] * 3, 429, "rate_limit_exceeded"),
        ([Answer.error(500)] * 3, 502, "upstream_unavailable"),
        ([Answer.html(200)] * 3, 502, "upstream_invalid"),
        ([Answer.reset()] * 3, 502, "upstream_unavailable"),
        ([Answer.raw(b'{"x":1}')] * 3, 502, "upstream_invalid"),
    ],
    ids=lambda v: str(v)[:20],
)
async def test_an_upstreams_fault_becomes_one_error(serve, up, script, status, code, streamed):
    gw = await serve()
    up.script(*script)
    answer = await gw.chat(model="large", stream=streamed)
    body = answer.json()["error"]
    assert (answer.status_code, body["code"]) == (status, code)
    assert "sk-secret" not in answer.text
    assert "<html" not in answer.text
    assert "127.0.0.1" not in answer.text
    if status == 429:
        assert answer.headers["retry-after"] == "30"
    record = await gw.record(answer)
    assert record["outcome"] == ("bad_request" if status == 400 else "upstream_error")
    assert len(record["attempts"]) == len(up.requests) <= 3


async def test_a_failed_tier_is_tried_again_and_then_its_fallback(serve, up):
    gw = await serve()
    up.script(Answer.error(500), Answer.error(503))
    answer = await gw.chat(model="small")
    assert answer.status_code == 200
    assert answer.headers["x-stillhouse-tier"] == "medium"
    attempts = (await gw.record(answer))["attempts"]
    assert [(a["kind"], a["outcome"]) for a in attempts] == [("first", "error"), ("retry", "error"), ("fallback", "ok")]


async def test_silence_is_a_504(serve, up):
    gw = await serve("stillhouse: 1\nname: quick\ntimeouts: {first_byte: 0.2, total: 0.5}\n")
    up.always(Answer.silence())
    answer = await gw.chat(model="large")
    assert (answer.status_code, answer.json()["error"]["code"]) == (504, "upstream_timeout")


# --- streams


async def test_a_stream_travels_with_usage_only_when_asked(serve, up):
    gw = await serve()
    plain, done = events_of(await gw.chat(stream=True))
    asked, _ = events_of(await gw.chat(stream=True, stream_options={"include_usage": True}))
    assert done
    assert said(plain) == said(asked) == "Hello from upstream."
    assert not any(e.get("usage") for e in plain)
    assert asked[-1]["choices"] == []
    assert asked[-1]["usage"]["completion_tokens"] > 0
    assert all(r.json["stream_options"]["include_usage"] for r in up.requests)


async def test_usage_beside_the_last_text_is_moved_to_where_it_belongs(serve, up):
    last = {**finish(), "usage": usage()["usage"]}
    up.always(Answer.stream(chunk("a"), last))
    gw = await serve()
    plain, _ = events_of(await gw.chat(stream=True))
    assert not any(e.get("usage") for e in plain)
    asked, _ = events_of(await gw.chat(stream=True, stream_options={"include_usage": True}))
    assert [bool(e.get("usage")) for e in asked] == [False, False, True]
    assert asked[-1]["choices"] == []


async def test_an_upstream_without_usage_is_estimated_and_says_so(serve, up):
    up.script(Answer.stream(chunk("Hello there, you."), finish()))
    gw = await serve()
    answer = await gw.chat(stream=True, stream_options={"include_usage": True})
    events, _ = events_of(answer)
    assert events[-1]["usage"]["completion_tokens"] > 0
    assert (await gw.record(answer))["tokens_source"] == "estimated"


@pytest.mark.parametrize("split", [1, 2, 3, 7])
async def test_bytes_cut_anywhere_arrive_whole(serve, up, split):
    up.script(Answer.stream(chunk("한글과 🙂 "), chunk("끝"), finish(), usage(), split=split))
    gw = await serve()
    events, done = events_of(await gw.chat(stream=True))
    assert said(events) == "한글과 🙂 끝"
    assert done


@pytest.mark.parametrize(
    "broken",
    [
        Answer.stream(chunk("a"), chunk("b"), RESET),
        Answer.stream(chunk("a"), chunk("b"), CLOSE, framing="close"),
        Answer.stream(chunk("a"), chunk("b"), done=False),
        Answer.stream(chunk("a"), chunk("b"), error("boom at http://internal.example")),
        Answer.stream(chunk("a"), chunk("b"), b"data: <html>\n\n"),
        Answer.stream(chunk("a"), chunk("b"), HOLD),
    ],
    ids=["reset", "closed", "no done", "error event", "garbage", "silence"],
)
async def test_a_fault_inside_a_stream_is_an_error_event_and_no_end(serve, up, broken):
    up.script(broken)
    gw = await serve()
    answer = await gw.chat(model="large", stream=True)
    events, done = events_of(answer)
    assert answer.status_code == 200
    assert not done
    assert events[-1]["error"]["code"].startswith("upstream_")
    assert "internal.example" not in answer.text
    assert not any(c.get("finish_reason") for e in events for c in e.get("choices", ()))
    record = await gw.record(answer)
    assert record["outcome"] == "upstream_error"
    assert record["tokens_source"] == "estimated"


async def test_fields_we_do_not_know_travel_in_streams(serve, up):
    odd = chunk("a")
    odd["vendor"] = {"x": [1, 2]}
    odd["choices"][0]["delta"]["extra"] = "y"
    up.script(Answer.stream(odd, finish()))
    gw = await serve()
    events, _ = events_of(await gw.chat(stream=True))
    assert events[0] == odd


# --- callers who leave


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])
async def test_a_caller_who_leaves_before_the_first_byte_stops_the_upstream(serve, up, streamed):
    gw = await serve("stillhouse: 1\nname: patient\n")
    up.script(Answer.silence())
    task = asyncio.create_task(gw.chat(model="small", stream=streamed))
    seen = await up.wait_for(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.wait_for(seen.gone.wait(), 5)
    await _outcome(gw, "client_gone")


async def test_a_caller_who_leaves_a_stream_stops_the_upstream(serve, up):
    gw = await serve("stillhouse: 1\nname: patient\n")
    up.script(Answer.stream(chunk("a"), chunk("b"), HOLD))
    body = {"model": "small", "stream": True, "messages": [{"role": "user", "content": "x"}]}
    async with gw.http.stream("POST", "/v1/chat/completions", json=body) as answer:
        async for _ in answer.aiter_bytes():
            break
    await asyncio.wait_for(up.requests[0].gone.wait(), 5)
    await _outcome(gw, "client_gone")


async def _outcome(gw, expected):
    """The one record there is; the handler may need a moment to end."""
    import sqlite3

    for _ in range(100):
        await asyncio.to_thread(gw.cell.ledger.flush)
        with sqlite3.connect(gw.cell.ledger.place) as db:
            rows = db.execute("select outcome from requests").fetchall()
        db.close()
        if rows:
            assert rows == [(expected,)]
            return
        await asyncio.sleep(0.05)
    raise AssertionError("no record was kept")


# --- guards at the endpoint

GUARDED = """
stillhouse: 1
name: guarded
guards:
  input:
    - words: {words: [forbidden], action: block}
    - pii: {entities: [EMAIL], action: mask}
  output:
    - words: {words: [classified], action: block}
    - pii: {entities: [EMAIL, KR_RRN], action: mask}
refusal: {input: "Not this.", output: "Not that."}
"""


async def test_a_blocked_request_is_a_completion_with_the_policys_words(serve, up):
    gw = await serve(GUARDED)
    answer = await gw.chat("this is forbidden")
    choice = answer.json()["choices"][0]
    assert (answer.status_code, choice["finish_reason"], choice["message"]["content"]) == (
        200,
        "content_filter",
        "Not this.",
    )
    events, done = events_of(await gw.chat("this is forbidden", stream=True))
    assert done
    assert said(events) == "Not this."
    assert events[-1]["choices"][0]["finish_reason"] == "content_filter"
    assert not up.requests
    assert (await gw.record(answer))["outcome"] == "blocked_input"


async def test_a_masked_request_reaches_the_model_masked(serve, up):
    gw = await serve(GUARDED)
    answer = await gw.chat("write to ann@example.com and bob@example.com")
    sent = up.requests[0].json["messages"][0]["content"]
    assert "example.com" not in sent
    assert "[EMAIL_1]" in sent
    assert "[EMAIL_2]" in sent
    record = await gw.record(answer)
    assert record["guard_in"] == "mask"
    assert "ann@" not in json.dumps(record)


async def test_every_text_of_an_answer_is_masked_and_its_logprobs_dropped(serve, up):
    body = {
        "choices": [{
            "index": 0,
            "message": {
                "role": "assistant", "content": "mail a@b.co.kr", "reasoning_content": "think a@b.co.kr", "refusal": "no a@b.co.kr",
                "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"to":"a@b.co.kr"}'}}],
            },
            "logprobs": {"content": [{"token": "a@b.co.kr"}]}, "finish_reason": "stop",
        }],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1},
    }  # fmt: skip
    up.script(Answer.json(body))
    gw = await serve(GUARDED)
    answer = await gw.chat()
    assert "a@b.co.kr" not in answer.text
    message = answer.json()["choices"][0]["message"]
    assert json.loads(message["tool_calls"][0]["function"]["arguments"]) == {"to": "[EMAIL_1]"}
    assert answer.json()["choices"][0]["logprobs"] is None


async def test_content_in_parts_is_masked(serve, up):
    parts = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "a@b.co.kr"}]},
        {"type": "text", "text": "to a@b.co.kr"},
    ]
    up.script(Answer.json({"choices": [{"index": 0, "message": {"role": "assistant", "content": parts}}]}))
    answer = await (await serve(GUARDED)).chat()
    assert answer.json()["choices"][0]["message"]["content"] == [
        {"type": "thinking", "thinking": [{"type": "text", "text": "[EMAIL_1]"}]},
        {"type": "text", "text": "to [EMAIL_1]"},
    ]


async def test_a_value_split_across_parts_of_events_never_leaves(serve, up):
    cut = ("mail ann@exam", "ple.com")
    up.script(
        Answer.stream(*[chunk("") | {"choices": [{"index": 0, "delta": {"content": [{"type": "text", "text": t}]}}]} for t in cut], finish())
    )  # fmt: skip
    answer = await (await serve(GUARDED)).chat(stream=True)
    events, done = events_of(answer)
    assert done
    texts = [p["text"] for e in events for c in e["choices"] for p in c["delta"].get("content") or ()]
    assert "".join(texts) == "mail [EMAIL_1]"


@pytest.mark.parametrize(
    "message", [{"content": "hi", "tool_calls": [1]}, {"content": "hi", "function_call": "x"}, None]
)
async def test_an_answer_that_cannot_be_read_is_the_upstreams_fault_and_kept_as_such(serve, up, message):
    up.always(Answer.json({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}))
    for policy in (None, GUARDED):
        gw = await serve(policy) if policy else await serve()
        answer = await gw.chat()
        assert (answer.status_code, answer.json()["error"]["code"]) == (502, "upstream_invalid")
        record = await gw.record(answer)
        assert [a["error_code"] for a in record["attempts"]] == ["upstream_invalid"]


async def test_odd_words_of_an_upstream_cost_no_record(serve, up):
    gw = await serve()
    for reason in ({"a": [1]}, 5):
        choice = {"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": reason}
        up.script(Answer.json({"choices": [choice], "usage": []}))
        answer = await gw.chat()
        assert answer.status_code == 200
        assert await asyncio.to_thread(gw.cell.ledger.flush)
        record = await gw.record(answer)
        assert (record["tokens_source"], record["attempts"][0]["finish_reason"]) == ("estimated", None)
    assert gw.cell.ledger.dropped == 0


async def test_a_blocked_choice_is_replaced_and_others_stay(serve, up):
    choices = [
        {"index": i, "message": {"role": "assistant", "content": t}, "finish_reason": "stop"}
        for i, t in enumerate(("fine", "classified"))
    ]
    up.script(Answer.json({"choices": choices, "usage": {"prompt_tokens": 1, "completion_tokens": 2}}))
    gw = await serve(GUARDED)
    answer = await gw.chat(n=2)
    first, second = answer.json()["choices"]
    assert first == choices[0]
    assert (second["message"]["content"], second["finish_reason"]) == ("Not that.", "content_filter")
    assert (await gw.record(answer))["outcome"] == "blocked_output"


STREAMED = "Call 900101-1234568 or mail ann@example.com today, 감사합니다."


@pytest.mark.parametrize("mode", ["guarded", "checked"])
async def test_a_value_split_across_events_never_leaves(serve, up, mode):
    gw = await serve(GUARDED + f"stream: {mode}\n")
    for cut in range(1, len(STREAMED)):
        up.script(Answer.stream(chunk(STREAMED[:cut]), chunk(STREAMED[cut:]), finish()))
        events, done = events_of(await gw.chat(stream=True))
        assert done
        assert said(events) == "Call [KR_RRN_1] or mail [EMAIL_1] today, 감사합니다.", cut


async def test_logprobs_do_not_tell_what_is_held_or_masked(serve, up):
    parts = [chunk(t, logs=logprobs(t)) for t in ("mail ann", "@exam", "ple.com", " now")]
    up.script(Answer.stream(*parts, finish()))
    gw = await serve(GUARDED)
    answer = await gw.chat(stream=True)
    assert said(events_of(answer)[0]) == "mail [EMAIL_1] now"
    assert "ple.com" not in answer.text
    assert "@exam" not in answer.text


async def test_logprobs_without_text_are_dropped_too(serve, up):
    """A server that holds text back, for a stop word, tells its tokens first."""
    ahead = [chunk("", logs=logprobs(t)) for t in ("ann@", "example.com")]
    up.script(Answer.stream(*ahead, chunk("ann@example.com"), finish()))
    answer = await (await serve(GUARDED)).chat(stream=True)
    assert said(events_of(answer)[0]) == "[EMAIL_1]"
    assert "example.com" not in answer.text


async def test_a_block_ends_the_stream_with_the_policys_words_and_stops_the_upstream(serve, up):
    up.script(Answer.stream(chunk("this is "), chunk("class"), chunk("ified"), chunk(" stuff"), HOLD))
    gw = await serve(GUARDED)
    answer = await gw.chat(stream=True)
    events, done = events_of(answer)
    assert done
    assert "classified" not in answer.text
    assert said(events).endswith("Not that.")
    assert events[-1]["choices"][0]["finish_reason"] == "content_filter"
    await asyncio.wait_for(up.requests[0].gone.wait(), 5)
    assert (await gw.record(answer))["outcome"] == "blocked_output"


async def test_a_checked_stream_loses_only_the_choice_that_is_blocked(serve, up):
    both = chunk("this is class") | {
        "choices": [
            {"index": i, "delta": {"content": t}, "finish_reason": None} for i, t in enumerate(("fine", "clas"))
        ]
    }
    up.script(
        Answer.stream(both, chunk("sified", index=1), chunk(" day", index=0), finish(index=1), finish(index=0), usage())
    )
    answer = await (await serve(GUARDED + "stream: checked\n")).chat(stream=True, n=2)
    events, done = events_of(answer)
    assert done
    assert "clas" not in answer.text
    texts, ends = {0: "", 1: ""}, {}
    for choice in (c for e in events for c in e["choices"]):
        texts[choice["index"]] += choice["delta"].get("content") or ""
        if choice["finish_reason"]:
            ends[choice["index"]] = choice["finish_reason"]
    assert (texts, ends) == ({0: "fine day", 1: "Not that."}, {0: "stop", 1: "content_filter"})


async def test_tool_arguments_are_guarded_in_streams(serve, up):
    up.script(
        Answer.stream(
            chunk(tools=(tool('{"to":"ann@ex', name="send"),)),
            chunk(tools=(tool('ample.com"}'),)),
            finish("tool_calls"),
        )
    )
    gw = await serve(GUARDED)
    events, _ = events_of(await gw.chat(stream=True))
    arguments = "".join(
        t["function"].get("arguments", "")
        for e in events
        for c in e["choices"]
        for t in c["delta"].get("tool_calls") or ()
    )
    assert json.loads(arguments) == {"to": "[EMAIL_1]"}


async def test_embeddings_travel_guarded(serve, up):
    gw = await serve(GUARDED)
    good = await gw.http.post("/v1/embeddings", json={"model": "embed", "input": ["a", "ann@example.com"]})
    assert good.status_code == 200
    assert up.requests[0].json["input"] == ["a", "[EMAIL_1]"]
    bad = await gw.http.post("/v1/embeddings", json={"model": "embed", "input": "forbidden"})
    assert (bad.status_code, bad.json()["error"]["code"]) == (400, "content_filter")
    assert (await gw.http.post("/v1/embeddings", json={"model": "other", "input": "x"})).status_code == 404


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b'{"model":"embed","input":["a",{"text":"ann@example.com"}]}', "input[1]"),
        (b'{"model":"embed","input":[["ann@example.com"]]}', "input[0]"),
        (b'{"model":"embed","input":"\\ud800"}', None),
        (b'{"model":"\\ud800","input":"x"}', None),
    ],
)
async def test_embeddings_of_what_no_guard_could_read_are_refused(serve, up, body, param):
    gw = await serve(GUARDED)
    answer = await gw.http.post("/v1/embeddings", content=body, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
    assert not up.requests


async def test_route_decides_without_asking(serve, up):
    gw = await serve()
    answer = await gw.http.post("/v1/route", json={"model": "auto", "messages": [{"role": "user", "content": "hi"}]})
    body = answer.json()
    assert body["tier"] in {"small", "medium", "large"}
    assert body["reasons"]
    assert set(body["cost"]) == {"small", "medium", "large"}
    assert not up.requests


# --- keys


@pytest.fixture
async def keyed(serve, home):
    """A gateway that requires keys, and one key of each kind."""
    from datetime import UTC, datetime

    from router.registry.keys import KeyStore

    store = KeyStore(home / "keys.json")
    now = datetime(2026, 11, 1, tzinfo=UTC)
    plain = store.add(tenant="a", now=now)[1]
    other = store.add(tenant="b", headers=("tier",), models=("small",), now=now)[1]
    narrow = store.add(tenant="c", scopes=("route",), now=now)[1]
    return await serve(keys="required"), {"plain": plain, "other": other, "narrow": narrow}


def bearer(token):
    return {"authorization": f"Bearer {token}"}


async def test_keys_are_checked(keyed):
    gw, keys = keyed
    assert (await gw.chat()).status_code == 401
    assert (await gw.chat()).headers["www-authenticate"] == "Bearer"
    assert (await gw.chat(headers=bearer("sk-stillhouse-nope-nope"))).json()["error"]["code"] == "invalid_api_key"
    answer = await gw.chat(headers=bearer(keys["plain"]))
    assert answer.status_code == 200
    assert (await gw.record(answer))["tenant"] == "a"
    assert (await gw.http.get("/v1/models")).status_code == 401
    assert (await gw.http.get("/v1/models", headers=bearer(keys["plain"]))).status_code == 200


async def test_scopes_headers_and_models_are_checked(keyed):
    gw, keys = keyed
    assert (await gw.chat(headers=bearer(keys["narrow"]))).status_code == 403
    assert (await gw.chat(headers={**bearer(keys["plain"]), "x-stillhouse-tier": "small"})).status_code == 403
    assert (
        await gw.chat(model="small", headers={**bearer(keys["other"]), "x-stillhouse-tier": "small"})
    ).status_code == 200
    assert (await gw.chat(model="large", headers=bearer(keys["other"]))).status_code == 404


async def test_a_record_is_shown_to_its_own_tenant_only(keyed):
    gw, keys = keyed
    answer = await gw.chat(headers=bearer(keys["plain"]))
    path = f"/v1/stillhouse/requests/{answer.headers['x-request-id']}"
    assert (await gw.http.get(path, headers=bearer(keys["plain"]))).status_code == 200
    assert (await gw.http.get(path, headers=bearer(keys["other"]))).status_code == 404


# --- what changes while running


async def test_a_pin_sends_all_to_one_tier(serve, home):
    from router.serve.places import pin_path
    from stillhouse.cli.pin import write_pin

    gw = await serve()
    write_pin(pin_path(), "large")
    gw.cell.reload()
    answer = await gw.chat("hi")
    assert answer.headers["x-stillhouse-tier"] == "large"
    assert "operator-pin" in answer.headers["x-stillhouse-reason"]
    pin_path().unlink()
    gw.cell.reload()
    assert "operator-pin" not in (await gw.chat("hi")).headers["x-stillhouse-reason"]


async def test_an_edited_policy_is_taken_up_and_a_bad_edit_is_not(serve, home):
    gw = await serve("stillhouse: 1\nname: live\ntiers: [small]\nfallback_tier: small\n")
    path = home / "policy0.yaml"
    assert (await gw.chat()).headers["x-stillhouse-tier"] == "small"
    path.write_text("stillhouse: 1\nname: live\ntiers: [large]\nfallback_tier: large\n")
    gw.cell.reload()
    assert (await gw.chat()).headers["x-stillhouse-tier"] == "large"
    path.write_text("stillhouse: 1\nname: live\ntiers: [medium]\nnonsense: true\n")
    gw.cell.reload()
    assert (await gw.chat()).headers["x-stillhouse-tier"] == "large"
    assert b'stillhouse_reloads_total{result="refused"} 1' in (await gw.http.get("/metrics")).content


# --- the cool routes


async def test_a_renamed_default_policy_stays_the_default(serve, home):
    gw = await serve()
    path = home / "policy0.yaml"
    path.write_text(path.read_text().replace("name: plain", "name: renamed"))
    gw.cell.reload()
    answer = await gw.chat()
    assert answer.headers["x-stillhouse-policy"].startswith("renamed@")
    assert (await gw.chat(model="plain")).status_code == 404


async def test_an_edit_that_takes_the_named_default_away_is_not_taken_up(serve, home):
    gw = await serve(change=lambda settings: settings.model_copy(update={"default_policy": "plain"}))
    path = home / "policy0.yaml"
    path.write_text(path.read_text().replace("name: plain", "name: renamed"))
    gw.cell.reload()
    assert (await gw.chat()).headers["x-stillhouse-policy"].startswith("plain@")


async def test_two_policies_of_one_name_are_refused(serve):
    with pytest.raises(Mistakes, match="has the name 'plain' already"):
        await serve(*["stillhouse: 1\nname: plain\n"] * 2)


async def test_a_failing_look_for_edits_is_not_the_last(serve, home, monkeypatch, caplog):
    gw = await serve()
    looks = iter([OSError("no"), None])

    def reload(_cell, _fresh):
        if error := next(looks, None):
            raise error
        looked.set()

    looked = asyncio.Event()
    monkeypatch.setattr(type(gw.cell), "reload", reload)
    await asyncio.wait_for(looked.wait(), 5)
    assert "OSError" in caplog.text


async def test_what_cannot_be_a_pin_is_none(serve, home):
    gw = await serve()
    (home / "pin.json").mkdir()
    gw.cell.reload()
    assert gw.cell.pin is None


async def test_models_are_listed_with_lineage(serve):
    gw = await serve()
    data = (await gw.http.get("/v1/models")).json()["data"]
    ids = [m["id"] for m in data]
    assert ids == ["auto", "plain", "small", "medium", "large", "m-small", "m-medium", "m-large"]
    assert all(m["object"] == "model" for m in data)
    one = (await gw.http.get("/v1/models/m-small")).json()
    assert one["stillhouse"]["lineage"]["teacher"] == "unknown"


async def test_health_readiness_metrics_and_schema(serve):
    gw = await serve()
    await gw.chat()
    assert (await gw.http.get("/healthz")).text == "ok\n"
    assert (await gw.http.get("/readyz")).json()["ready"] is True
    metrics = (await gw.http.get("/metrics")).text
    assert 'stillhouse_requests_total{tier="' in metrics
    document = (await gw.http.get("/openapi.json")).json()
    chat = document["paths"]["/v1/chat/completions"]["post"]
    assert chat["requestBody"]["content"]["application/json"]["schema"]["required"] == ["model", "messages"]
    gw.cell.draining = True
    assert (await gw.http.get("/readyz")).status_code == 503
    assert (await gw.chat()).status_code == 503


async def test_a_bug_of_ours_is_a_500_without_the_prompt(serve, caplog):
    def broken(cell):
        class Scorer:
            families = ("generic",)

            def score(self, text, family):
                raise RuntimeError(text)

        cell.scorer = Scorer()

    gw = await serve(cell=broken)
    answer = await gw.chat("my secret prompt")
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal_error")
    assert "my secret prompt" not in answer.text
    assert "my secret prompt" not in caplog.text
    assert (await gw.record(answer))["outcome"] == "internal_error"


async def test_without_a_scorer_the_fallback_tier_answers_and_says_so(serve):
    def without(cell):
        cell.scorer = None

    gw = await serve("stillhouse: 1\nname: p\nfallback_tier: medium\n", cell=without)
    answer = await gw.chat()
    assert answer.headers["x-stillhouse-tier"] == "medium"
    assert answer.headers["x-stillhouse-reason"] == "no-score"
    assert "x-stillhouse-score" not in answer.headers


async def test_slow_events_are_not_held_back(serve, up):
    up.script(Answer.stream(chunk("one "), Wait(0.3), chunk("two"), finish()))
    gw = await serve()
    seen = []
    body = {"model": "small", "stream": True, "messages": [{"role": "user", "content": "x"}]}
    async with gw.http.stream("POST", "/v1/chat/completions", json=body) as answer:
        async for part in answer.aiter_bytes():
            seen.append((part, up.requests[0].answered))
            break
    assert b"one" in seen[0][0]
    assert seen[0][1] is False, "the first event came before the upstream had finished"
