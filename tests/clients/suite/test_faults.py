"""Every fault of an upstream is told honestly: an HTTP status while that is possible, an error event later.

Never a made-up end, never the upstream's page, address or key, and never one caller's fault for another.
"""

import asyncio
import gzip
import json
import zlib

import pytest

from tests.support.upstream import (
    CLOSE,
    HOLD,
    RESET,
    Answer,
    Repeat,
    Wait,
    chunk,
    comment,
    completion,
    dump,
    error,
    finish,
    sse,
    usage,
)

pytestmark = [pytest.mark.clients, pytest.mark.asyncio(loop_scope="module")]

PATIENT = (
    "stillhouse: 1\nname: patient\nquality: {keep: 0.9}\ntimeouts: {connect: 60, first_byte: 60, gap: 60, total: 60}\n"
)
PAGE = "<html><head><title>Sign in</title></head><body>internal.example.corp nginx/1.2</body></html>"
TAIL = (finish(), usage())


def told(answer):
    """Events of a stream, and whether it said that it was done."""
    lines = [line[6:] for line in answer.text.split("\n") if line.startswith("data: ")]
    done = bool(lines) and lines[-1] == "[DONE]"
    return [json.loads(line) for line in (lines[:-1] if done else lines)], done


def page(status, **more):
    return Answer.raw(PAGE.encode(), status=status, content_type="text/html", **more)


BEFORE = {
    "400": (Answer.error(400, "bad temperature", code="invalid_value", param="temperature"), 400, "invalid_value"),
    "400 context": (Answer.error(400, "too long", code="context_length_exceeded"), 400, "context_length_exceeded"),
    "400 filter": (Answer.error(400, "no", code="content_filter"), 400, "content_filter"),
    "400 without a body": (Answer.raw(b"", status=400), 400, "invalid_request_error"),
    "400 as text": (Answer.raw(b"at internal:8000", status=400, content_type="text/plain"), 400, "invalid_request_error"),
    "401": (Answer.error(401, "Incorrect API key provided: sk-operator"), 502, "upstream_auth"),
    "401 as a page": (page(401), 502, "upstream_auth"),
    "402": (Answer.error(402, "pay"), 502, "upstream_unavailable"),
    "403": (Answer.error(403, "sk-operator may not"), 502, "upstream_auth"),
    "404": (Answer.error(404, "no such model", code="model_not_found"), 404, "model_not_found"),
    "404 as a page": (page(404), 502, "upstream_invalid"),
    "405": (Answer.error(405, "no"), 502, "upstream_unavailable"),
    "408": (Answer.error(408, "slow"), 504, "upstream_timeout"),
    "409": (Answer.error(409, "conflict"), 409, None),
    "413": (Answer.error(413, "large"), 413, None),
    "415": (Answer.error(415, "media"), 415, None),
    "418": (Answer.error(418, "teapot"), 502, "upstream_unavailable"),
    "422": (Answer.error(422, "wrong"), 422, None),
    "429": (Answer.error(429, "slow down", code="rate_limit_exceeded"), 429, "rate_limit_exceeded"),
    "429 quota": (Answer.error(429, "no money", code="insufficient_quota"), 429, "insufficient_quota"),
    "429 as a page": (page(429), 429, "rate_limit_exceeded"),
    "500": (Answer.error(500, "at 10.0.0.7"), 502, "upstream_unavailable"),
    "500 as a page": (page(500), 502, "upstream_unavailable"),
    "500 without a body": (Answer.raw(b"", status=500, content_type=None), 502, "upstream_unavailable"),
    "502 as a page": (page(502), 502, "upstream_unavailable"),
    "503": (Answer.error(503, "busy"), 502, "upstream_unavailable"),
    "504": (Answer.error(504, "slow"), 504, "upstream_timeout"),
    "520": (Answer.error(520, "odd"), 502, "upstream_unavailable"),
    "529": (Answer.error(529, "overloaded"), 502, "upstream_unavailable"),
    "301": (Answer.raw(b"", status=301, headers={"location": "http://internal.example.corp/"}), 502, "upstream_invalid"),
    "307": (Answer.raw(b"", status=307, headers={"location": "http://internal.example.corp/"}), 502, "upstream_invalid"),
    "204": (Answer((b"HTTP/1.1 204 No Content\r\n\r\n",)), 502, "upstream_unavailable"),
    "a page with 200": (page(200), 502, "upstream_invalid"),
    "a page called JSON": (Answer.raw(PAGE.encode()), 502, "upstream_invalid"),
    "nothing with 200": (Answer.raw(b""), 502, "upstream_invalid"),
    "cut JSON with 200": (Answer.raw(dump(completion())[:-20]), 502, "upstream_invalid"),
    "an array with 200": (Answer.raw(b"[]"), 502, "upstream_invalid"),
    "null with 200": (Answer.raw(b"null"), 502, "upstream_invalid"),
    "a string with 200": (Answer.raw(b'"ok"'), 502, "upstream_invalid"),
    "an error with 200": (Answer.json(error("at 10.0.0.7")), 502, None),
    "an empty object with 200": (Answer.raw(b"{}"), 502, "upstream_invalid"),
    "choices null with 200": (Answer.json({**completion(), "choices": None}), 502, "upstream_invalid"),
    "bad UTF-8 with 200": (Answer.raw(dump(completion()).replace(b"Hello", b"\xff\xfe")), 502, "upstream_invalid"),
    "gzip unasked": (Answer.raw(gzip.compress(dump(completion())), headers={"content-encoding": "gzip"}), 502, "upstream_invalid"),
    "a bomb": (Answer.raw(zlib.compress(b"{" + b" " * 20_000_000 + b"}"), headers={"content-encoding": "deflate"}), 502, "upstream_invalid"),
    "a length that promises more": (Answer.raw(dump(completion()), length=5000), 502, "upstream_unavailable"),
    "no HTTP": (Answer((b"SSH-2.0-OpenSSH_9.6\r\n", CLOSE)), 502, "upstream_unavailable"),
    "a head without end": (Answer((b"HTTP/1.1 200 OK\r\n" + b"x: " + b"y" * 100_000 + b"\r\n\r\n", CLOSE)), 502, "upstream_unavailable"),
    "closed before the head": (Answer((CLOSE,)), 502, "upstream_unavailable"),
    "reset before the head": (Answer((RESET,)), 502, "upstream_unavailable"),
    "silence": (Answer((HOLD,)), 504, "upstream_timeout"),
    "silence after the head": (Answer((b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n", HOLD)), 504, "upstream_timeout"),
}  # fmt: skip

STREAMED = {
    "ends before it begins": (Answer.stream(done=False), 502, "upstream_invalid"),
    "done before it begins": (Answer.stream(), 502, "upstream_invalid"),
    "only comments": (Answer.stream(comment(), comment(), done=False), 502, "upstream_invalid"),
    "an error first": (Answer.stream(error("at 10.0.0.7"), done=False), 502, "upstream_unavailable"),
    "a context error first": (Answer.stream(error("too long", code="context_length_exceeded"), done=False), 400, "context_length_exceeded"),
    "a rate limit first": (Answer.stream(error("slow", code="rate_limit_exceeded"), done=False), 429, "rate_limit_exceeded"),
    "an error event first": (Answer.stream(sse(error("no"), name="error"), done=False), 502, "upstream_unavailable"),
    "no JSON first": (Answer.stream(b"data: hello\n\n", done=False), 502, "upstream_invalid"),
    "cut JSON first": (Answer.stream(b'data: {"choices":[{"del\n\n', done=False), 502, "upstream_invalid"),
    "an array first": (Answer.stream(b"data: []\n\n", done=False), 502, "upstream_invalid"),
    "a page as a stream": (Answer.raw(PAGE.encode(), content_type="text/event-stream"), 502, "upstream_invalid"),
    "a whole answer instead": (Answer.completion(), 502, "upstream_invalid"),
    "closed before the first": (Answer.stream(CLOSE, done=False), 502, "upstream_unavailable"),
    "reset before the first": (Answer.stream(RESET, done=False), 502, "upstream_unavailable"),
}  # fmt: skip


def shaped(answer, up, status, code):
    """An error in our shape that shows nothing of the upstream's."""
    assert answer.status_code == status, answer.text
    body = answer.json()["error"]
    assert set(body) == {"message", "type", "param", "code", "request_id"}
    assert code is None or body["code"] == code
    assert body["message"]
    assert body["request_id"] == answer.headers["x-request-id"]
    seen = answer.text + str(answer.headers)
    for word in ("<html", "nginx", "internal", "10.0.0.7", "sk-operator", "127.0.0.1", up.base_url.rsplit(":", 1)[1]):
        assert word not in seen
    assert answer.headers["content-type"] == "application/json"


def _is_whole(answer):
    first = answer.steps[0]
    return isinstance(first, bytes) and first.startswith(b"HTTP/1.1 200") and b"application/json" in first[:80]


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(("answer", "status", "code"), BEFORE.values(), ids=BEFORE)
async def test_a_fault_before_the_answer(gw, shared_up, answer, status, code, streamed):
    shared_up.always(answer)
    if streamed and _is_whole(answer):
        status, code = 502, "upstream_invalid"  # asked for a stream, whatever else is wrong with it
    shaped(await gw.chat(model="large", stream=streamed), shared_up, status, code)
    assert len(shared_up.requests) <= 3, "tries are bounded"
    if 400 <= status < 429:
        assert len(shared_up.requests) == 1, "what the caller did wrong is not tried again"


@pytest.mark.parametrize(("answer", "status", "code"), STREAMED.values(), ids=STREAMED)
async def test_a_fault_before_the_first_event(gw, shared_up, answer, status, code):
    shared_up.always(answer)
    shaped(await gw.chat(model="large", stream=True), shared_up, status, code)


@pytest.mark.parametrize("path", ["/v1/embeddings"])
@pytest.mark.parametrize("name", ["401", "429", "500 as a page", "a page with 200", "reset before the head", "404"])
async def test_a_fault_behind_the_other_endpoints(gw, shared_up, name, path):
    answer, status, code = BEFORE[name]
    shared_up.always(answer)
    shaped(await gw.http.post(path, json={"model": "embed", "input": "a"}), shared_up, status, code)


WITHIN = {
    "ends without finish or done": (chunk("b"),),
    "ends without done": (chunk("b"), finish()),
    "closed": (chunk("b"), CLOSE),
    "reset": (chunk("b"), Wait(0.02), RESET),
    "silence": (chunk("b"), HOLD),
    "an error": (chunk("b"), error("at 10.0.0.7")),
    "an error event": (sse(error("at 10.0.0.7"), name="error"),),
    "a context error": (error("too long", code="context_length_exceeded"),),
    "no JSON": (b"data: oops\n\n",),
    "cut JSON": (b'data: {"choices":[{"index":0,"delta":{"content":"b\n\n',),
    "cut JSON at the end": (b'data: {"choices":[{"index":0,"delta":{"content":"b',),
    "a page": (b"data: " + PAGE.encode() + b"\n\n",),
    "an array": (b"data: [1]\n\n",),
    "bad UTF-8": (b'data: {"choices":[{"index":0,"delta":{"content":"\xff"}}]}\n\n',),
}  # fmt: skip


@pytest.mark.parametrize("events", WITHIN.values(), ids=WITHIN)
async def test_a_fault_inside_a_stream_is_an_error_event(gw, shared_up, events):
    shared_up.always(Answer.stream(chunk("a", role="assistant"), *events, done=False))
    answer = await gw.chat(model="large", stream=True)
    assert answer.status_code == 200
    said, done = told(answer)
    assert not done
    assert said[0]["choices"][0]["delta"]["content"] == "a"
    assert "error" in said[-1]
    assert set(said[-1]["error"]) == {"message", "type", "param", "code", "request_id"}
    invented = [c for e in said[:-1] for c in e["choices"] if c.get("finish_reason") is not None]
    assert bool(invented) is (finish() in events), "no end is made up"
    for word in ("<html", "10.0.0.7", "internal", "127.0.0.1"):
        assert word not in answer.text
    assert len(shared_up.requests) == 1, "what has begun is not asked again"
    await asyncio.wait_for(_idle(shared_up), 1)


async def _idle(up):
    while any(not (seen.answered or seen.gone.is_set()) for seen in up.requests):
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("after", ["0.05", "120", "Wed, 21 Oct 2037 07:28:00 GMT"])
@pytest.mark.parametrize("streamed", [False, True])
async def test_retry_after_is_passed_on(gw, shared_up, after, streamed):
    shared_up.always(Answer.error(429, retry_after=after))
    answer = await gw.chat(model="large", stream=streamed)
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == after


async def test_one_callers_fault_is_nobody_elses(gw, shared_up):
    shared_up.script(*(Answer.error(400, "no") for _ in range(20)))
    for _ in range(20):
        assert (await gw.chat(model="large")).status_code == 400
    assert (await gw.chat(model="large")).status_code == 200


async def test_a_fault_goes_to_the_next_try(gw, shared_up):
    shared_up.script(Answer.error(500))
    assert (await gw.chat(model="large")).status_code == 200
    assert len(shared_up.requests) == 2


GOOD = {
    "comments": (comment("keep-alive"), chunk("a"), comment("OPENROUTER PROCESSING"), chunk("b"), *TAIL),
    "no space": None,
    "CRLF": None,
    "CR": None,
    "lines of one event": (sse(chunk("a"), multiline=True), sse(chunk("b"), multiline=True), *TAIL),
    "lines of one event with CRLF": (sse(chunk("a"), multiline=True, newline="\r\n"), chunk("b"), *TAIL),
    "event names": (sse(chunk("a"), name="message"), sse(chunk("b"), name="completion"), *TAIL),
    "ids and retries": (b"id: 1\nretry: 10\n" + sse(chunk("a")), chunk("b"), *TAIL),
    "blank lines": (b"\n\n\n", chunk("a"), b"\n\n", chunk("b"), *TAIL),
    "empty data": (b"data:\n\n", chunk("a"), b"data: \n\n", chunk("b"), *TAIL),
    "huge events": (chunk("a" * 1_000_000), chunk("b" * 1_000_000), *TAIL),
    "many small events": (*(chunk("a") for _ in range(500)), *TAIL),
    "usage before the end": (chunk("a"), chunk("b"), {**finish(), "usage": usage()["usage"]}),
    "an empty last choice": (chunk("a"), chunk("b"), finish(), {**chunk(), "choices": []}),
    "something after done": (chunk("a"), chunk("b"), *TAIL, b"data: [DONE]\n\n", b"data: late\n\n"),
    "done with a space": (chunk("a"), chunk("b"), *TAIL, b"data:  [DONE] \n\n"),
}  # fmt: skip
WRITTEN = {"no space": {"space": False}, "CRLF": {"newline": "\r\n"}, "CR": {"newline": "\r"}}


@pytest.mark.parametrize("split", [None, 1, 7])
@pytest.mark.parametrize("name", GOOD)
async def test_a_stream_is_read_however_it_is_written(gw, shared_up, name, split):
    if split and name in {"huge events", "many small events"}:
        split = 10_007
    events = GOOD[name] or (chunk("a"), chunk("b"), *TAIL)
    shared_up.script(Answer.stream(*events, split=split, **WRITTEN.get(name, {})))
    answer = await gw.chat(model="large", stream=True)
    said, done = told(answer)
    assert done, answer.text[-300:]
    text = "".join(c["delta"].get("content") or "" for e in said for c in e["choices"])
    assert text.strip("a").strip("b") == ""
    assert text.startswith("a")
    assert said[-1]["choices"][0]["finish_reason"] == "stop" if said[-1]["choices"] else True
    assert "error" not in answer.text
    assert answer.text.count("[DONE]") == 1


async def test_a_stream_that_only_keeps_alive_ends_with_its_time(gw, shared_up):
    shared_up.always(Answer.stream(Repeat(comment(), every=0.05), done=False))
    answer = await asyncio.wait_for(gw.chat(model="large", stream=True), 10)
    assert answer.status_code in {502, 504}


async def test_an_answer_that_trickles_without_end_ends_with_its_time(gw, shared_up):
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100000\r\n\r\n"
    shared_up.always(Answer((head, Repeat(b" ", every=0.05))))
    answer = await asyncio.wait_for(gw.chat(model="large"), 10)
    assert answer.status_code == 504


@pytest.mark.asyncio(loop_scope="function")
async def test_streams_side_by_side_are_never_crossed(serve, up):
    gw = await serve(PATIENT)  # forty at once on a busy machine take longer than one, which is no fault
    up.always(lambda seen: Answer.stream(*(chunk(f"{_word(seen)}.") for _ in range(20)), *TAIL, pace=0.001))

    async def one(i):
        said, done = told(await gw.chat(f"w{i}", stream=True))
        assert done
        assert "".join(c["delta"].get("content") or "" for e in said for c in e["choices"]) == f"w{i}." * 20

    await asyncio.gather(*(one(i) for i in range(40)))


def _word(seen):
    return seen.json["messages"][0]["content"]
