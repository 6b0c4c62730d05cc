"""A hostile caller, a talkative upstream and a curious neighbour: what none of them gets."""

import json
import logging
import sqlite3
import threading
from datetime import UTC, datetime

import pytest

from guardrails import Placeholders, compile_rails
from router.core.embeddings import read_embed
from router.core.surfaces.responses_request import read_responses
from router.core.wire import read_chat
from router.errors import BadJSON, BadRequest, UpstreamInvalid
from router.registry.keys import KeyStore
from router.serve.guards.stream import EventGuard
from router.serve.http.respond import EventMaker
from router.serve.limits.settings import LimitSettings
from router.serve.settings import MediaSettings, UpstreamSettings
from tests.support.messages import message, text
from tests.support.raw import Wire, post
from tests.support.upstream import Answer, chunk

CANARY = "Zebrafinch-77 sings at dawn"
OPEN = "stillhouse: 1\nname: open\nunguarded: accepted\ntimeouts: {first_byte: 2.0, total: 5.0}\n"
GUARDED = """
stillhouse: 1
name: guarded
guards:
  input: [{words: {words: [geheim], action: mask}}, {words: {words: [verboten], action: block}}]
"""


def with_media(settings):
    return settings.model_copy(update={"media": (MediaSettings(serves=("audio", "images", "files"), upstream="up"),)})


# --- media


async def test_a_length_without_its_body_is_not_passed_on(serve, up):
    gw = await serve(OPEN, change=with_media)
    up.always(Answer.json({"id": "file-1"}))
    async with Wire(gw.url) as wire:
        await wire.send(b"GET /v1/files/file-1 HTTP/1.1\r\nHost: g\r\nContent-Length: 30\r\n\r\n" + b"x" * 30)
        assert (await wire.hear("GET")).status == 200
    assert "content-length" not in up.requests[0].headers, "the next caller's request would be read as this body"


async def test_a_header_sent_twice_passes_no_media(serve, up):
    gw = await serve(OPEN, change=with_media)
    async with Wire(gw.url) as wire:
        await wire.send(post(b"{}", "Content-Type: text/plain", path="/v1/images/generations"))
        assert (await wire.hear()).status == 400
    assert not up.requests


@pytest.mark.parametrize(
    ("limits", "statuses"), [({"requests_per_minute": 2}, [200, 200, 429]), ({"tokens_per_minute": 9}, [503])]
)
async def test_media_pass_no_limit_by(serve, up, limits, statuses):
    limited = LimitSettings.model_validate({"tenants": {"default": limits}})
    gw = await serve(OPEN, change=lambda settings: with_media(settings).model_copy(update={"limits": limited}))
    up.always(Answer.json({"data": []}))
    answers = [await gw.http.post("/v1/images/generations", json={"prompt": "a cat"}) for _ in statuses]
    assert [answer.status_code for answer in answers] == statuses
    assert len(up.requests) == statuses.count(200)


@pytest.mark.parametrize(
    "path",
    [
        "/v1/files/../models", "/v1/files/%2e%2e/models", "/v1/files/a%2Fb/content", "/v1/files/a/../../admin",
        "/v1//files/a", "/v1/files/a%00", "/v1/files/a%0d%0aX:y", "/v1/audio/speech/../../keys", "/v1/files/a;b",
    ],
)  # fmt: skip
async def test_no_path_reaches_another_place_of_the_upstream(serve, up, path):
    gw = await serve(OPEN, change=with_media)
    async with Wire(gw.url) as wire:
        await wire.send(f"GET {path} HTTP/1.1\r\nHost: g\r\n\r\n".encode())
        assert (await wire.hear("GET")).status in {400, 404, 405}
    assert not up.requests


async def test_a_query_is_not_passed_on(serve, up):
    gw = await serve(OPEN, change=with_media)
    up.always(Answer.json({"id": "f"}))
    await gw.http.get("/v1/files/f?purpose=x&api_key=y")
    assert up.requests[0].path == "/v1/files/f"


# --- keys


async def test_no_key_travels_to_whom_it_is_not_for(serve, up, home, monkeypatch, caplog):
    monkeypatch.setenv("ONE", "key-of-the-one-server")
    monkeypatch.setenv("OTHER", "key-of-the-other-server")
    token = KeyStore(home / "keys.json").add(
        tenant="a", scopes=("chat", "embeddings", "media"), now=datetime(2026, 11, 1, tzinfo=UTC)
    )[1]

    def two(settings):
        other = UpstreamSettings(kind="anthropic", base_url=up.base_url, api_key="env:OTHER")
        one = settings.upstreams["up"].model_copy(update={"api_key": "env:ONE"})
        tiers = [t.model_copy(update={"upstream": "other"}) if t.tier == "large" else t for t in settings.tiers]
        found = with_media(settings).model_copy(
            update={"upstreams": {"up": one, "other": other}, "tiers": tuple(tiers)}
        )
        assert "key-of" not in repr(found) + found.model_dump_json()
        return found

    gw = await serve(OPEN, change=two, keys="required")
    up.always(Answer.json(message(text("x"))), model="m-large")
    said = []
    for head in ({"authorization": f"Bearer {token}"}, {"x-api-key": token}):
        up.script(Answer.completion("x"))
        said.append(await gw.chat(headers=head, model="m-small"))
        said.append(await gw.chat(headers=head, model="m-large"))
        up.script(Answer.json({"data": []}))
        said.append(await gw.http.post("/v1/images/generations", json={"prompt": "x"}, headers=head))
        for status in (400, 401, 404, 429, 302):  # a server that says which key it was sent
            words = "Incorrect key-of-the-one-server (Bearer key-of-the-one-server) of org-abcdef123456"
            said_so = {"error": {"message": words, "code": words}}
            up.script(Answer.json(said_so, status=status, headers={"location": "http://127.0.0.1:1/"}))
            said.append(await gw.chat(headers=head, model="m-small"))
        said += [await gw.http.get(path, headers=head) for path in ("/v1/models", "/metrics", "/readyz", "/v1/limits")]
    for seen in up.requests:
        assert token not in str(seen.headers) + seen.body.decode()
        wrong = "key-of-the-one" if seen.headers.get("x-api-key") else "key-of-the-other"
        assert wrong not in str(seen.headers)
    assert {"x-api-key", "authorization"} <= {name for seen in up.requests for name in seen.headers}
    heard = "".join(answer.text + str(answer.headers) for answer in said) + caplog.text
    assert token not in heard
    assert "key-of" not in heard
    assert "org-abcdef" not in heard


# --- words of a prompt

FIELDS = ("user", "metadata", "stop", "tools", "tool_choice", "response_format", "unknown_member", "model", "n", "seed")


def asked(path):
    """Bodies with the canary in one field after the other, right and wrong."""
    inside = {"role": "user", "content": CANARY}
    usual = {
        "/v1/chat/completions": {"messages": [inside]},
        "/v1/responses": {"input": [inside], "instructions": CANARY},
        "/v1/messages": {"messages": [inside], "system": CANARY, "max_tokens": 9},
        "/v1/messages/count_tokens": {"messages": [inside], "system": CANARY},
        "/v1/completions": {"prompt": CANARY},
        "/v1/embeddings": {"input": CANARY},
        "/v1/images/generations": {"prompt": CANARY},
    }[path]
    body = {"model": "embed" if "embed" in path else "auto", **usual}
    yield body
    yield {**body, "stream": True}
    for field in FIELDS:
        yield {**body, field: CANARY}
        if field in {"metadata", "tools", "n"}:
            yield {**body, field: {CANARY: [CANARY]}}
    for field in usual:
        yield {**body, field: {"type": CANARY}}
        yield {**body, field: [{"type": CANARY, CANARY: CANARY}]}
    yield {**body, "previous_response_id": CANARY}


PATHS = (
    "/v1/chat/completions", "/v1/responses", "/v1/messages", "/v1/messages/count_tokens", "/v1/completions",
    "/v1/embeddings", "/v1/images/generations",
)  # fmt: skip


async def test_no_word_of_a_prompt_stays_anywhere(serve, up, home, caplog):
    caplog.set_level(logging.DEBUG, "stillhouse")
    gw = await serve(OPEN + "guards: {input: [{words: {words: [Zebrafinch-77], action: detect}}]}\n", change=with_media)
    echo = {"error": {"message": CANARY, "code": CANARY, "type": CANARY, "param": CANARY}}
    faults = [
        Answer.json(echo, status=400), Answer.json(echo, status=500), Answer.json(echo), Answer.raw(CANARY.encode()),
        Answer.json({"choices": [{"index": 0, "message": {"content": "x"}, "finish_reason": CANARY}]}),
        Answer.stream(chunk(CANARY), {"error": echo["error"]}),
    ]  # fmt: skip
    answers = 0
    for path in PATHS:
        for k, body in enumerate(asked(path)):
            up.always(faults[k % len(faults)])
            answer = await gw.http.post(path, json=body, headers={"anthropic-version": "2023-06-01"})
            assert answer.status_code != 500, (path, body, answer.text)
            answers += 1
    await gw.http.post("/v1/chat/completions", content=CANARY, headers={"content-type": "application/json"})
    await gw.record(answer)
    with sqlite3.connect(home / "ledger.db") as db:
        db.row_factory = sqlite3.Row
        tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        kept = [str(tuple(row)) for table in tables for row in db.execute(f"SELECT * FROM {table}")]
    assert len(kept) > answers
    assert not [row for row in kept if "ebrafinch" in row]
    assert "ebrafinch" not in caplog.text
    assert "ebrafinch" not in (await gw.http.get("/metrics")).text


# --- guards

SECRET_PLACES = {
    "/v1/chat/completions": [
        {"user": "a WORD b"}, {"metadata": {"x": "a WORD b"}}, {"stop": ["a WORD b"]},
        {"documents": [{"text": "a WORD b"}]}, {"chat_template_kwargs": {"x": "a WORD b"}},
        {"messages": [{"role": "user", "name": "WORD", "content": "x"}]},
        {"tools": [{"type": "function", "function": {"name": "f", "parameters": {"properties": {"a": {"description": "a WORD b"}}}}}]},
        {"tools": [{"type": "function", "function": {"name": "f", "parameters": {"enum": [["WORD"]]}}}]},
        {"tools": [{"type": "custom", "custom": {"name": "f", "format": {"grammar": {"definition": "WORD"}}}}]},
        {"tools": [{"type": "function", "function": {"name": "WORD", "description": "WORD"}}]},
        {"tool_choice": {"type": "function", "function": {"name": "WORD"}}},
        {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "description": "a WORD b"}}},
    ],
    "/v1/responses": [
        {"metadata": {"x": "a WORD b"}, "user": "WORD"}, {"tools": [{"type": "unknown", "deep": [{"x": "a WORD b"}]}]},
        {"tools": [{"type": "function", "name": "f", "parameters": {"title": "WORD"}}]},
        {"text": {"format": {"type": "json_schema", "name": "n", "schema": {"title": "WORD"}}}},
        {"input": [{"type": "mystery", "inside": {"x": "a WORD b"}}, {"role": "user", "content": "x"}]},
        {"instructions": "WORD"}, {"reasoning": {"effort": "WORD"}}, {"unknown_member": ["WORD"]},
    ],
    "/v1/messages": [
        {"tools": [{"name": "f", "input_schema": {"type": "object", "title": "a WORD b"}}]},
        {"metadata": {"user_id": "a WORD b"}}, {"stop_sequences": ["WORD"]},
        {"tools": [{"name": "f", "input_schema": {"type": "object"}}], "tool_choice": {"type": "tool", "name": "WORD"}},
    ],
    "/v1/completions": [{"prompt": "a WORD b"}, {"user": "WORD"}, {"stop": "WORD"}, {"unknown_member": ["WORD"]}],
}  # fmt: skip
USUAL = {
    "/v1/chat/completions": {"messages": [{"role": "user", "content": "x"}]}, "/v1/responses": {"input": "x"},
    "/v1/messages": {"messages": [{"role": "user", "content": "x"}], "max_tokens": 9}, "/v1/completions": {"prompt": "x"},
}  # fmt: skip


async def test_a_secret_slips_past_in_no_field_of_any_protocol(serve, up):
    gw = await serve(GUARDED)
    for path, places in SECRET_PLACES.items():
        for more in places:
            body = {"model": "auto", **USUAL[path], **more}
            before = len(up.requests)
            for _ in range(2):  # the second time, what was clean is remembered
                await gw.http.post(path, json=json.loads(json.dumps(body).replace("WORD", "geheim")))
            assert b"geheim" not in b"".join(seen.body for seen in up.requests[before:]), (path, more)
            before = len(up.requests)
            for _ in range(2):
                await gw.http.post(path, json=json.loads(json.dumps(body).replace("WORD", "verboten")))
            assert not up.requests[before:], (path, more)


async def test_what_was_clean_beside_a_conversation_travels_as_it_came(serve, up):
    gw = await serve(GUARDED)
    tools = [{"type": "function", "function": {"name": "f", "parameters": {"title": "a fine tool"}}}]
    for _ in range(2):
        assert (await gw.chat(tools=tools)).status_code == 200
    assert all(seen.json["tools"] == tools for seen in up.requests)
    assert len(gw.cell.verdicts) == 1


# --- neighbours


async def test_a_neighbour_sees_and_counts_nothing_of_another_tenant(serve, up, home):
    store, now = KeyStore(home / "keys.json"), datetime(2026, 11, 1, tzinfo=UTC)
    a, b = ({"authorization": f"Bearer {store.add(tenant=name, now=now)[1]}"} for name in "ab")
    said = LimitSettings.model_validate({"tenants": {name: {"requests_per_minute": 3} for name in "ab"}})
    gw = await serve(change=lambda settings: settings.model_copy(update={"limits": said}), keys="required")
    first = await gw.http.post("/v1/responses", json={"model": "auto", "input": CANARY}, headers=a)
    answer_id, request_id = first.json()["id"], first.headers["x-request-id"]
    for method, path in (
        ("GET", f"/v1/responses/{answer_id}"),
        ("GET", f"/v1/responses/{answer_id}/input_items"),
        ("DELETE", f"/v1/responses/{answer_id}"),
        ("GET", f"/v1/stillhouse/requests/{request_id}"),
    ):
        assert (await gw.http.request(method, path, headers=b)).status_code == 404, path
    more = {"model": "auto", "input": "and?", "previous_response_id": answer_id}
    assert (await gw.http.post("/v1/responses", json=more, headers=b)).status_code == 404
    judged = {"request_id": request_id, "score": 0, "who": "person"}
    assert (await gw.http.post("/v1/feedback", json=judged, headers=b)).status_code == 404
    for _ in range(2):
        assert (await gw.chat(headers=a)).status_code == 200
    assert (await gw.chat(headers=a)).status_code == 429
    assert (await gw.chat(headers=b)).status_code == 200, "b is not limited by what a used"
    whose = json.dumps((await gw.http.get("/v1/limits", headers=b)).json())
    assert "tenant:b" in whose.replace('": "', ":").replace('tenant", "', "tenant:") or '"b"' in whose
    assert '"a"' not in whose
    assert (await gw.http.get(f"/v1/responses/{answer_id}", headers=a)).status_code == 200


# --- a talkative upstream


def guarded_stream(choices=1, rails=(), blocks=False):
    return EventGuard(
        compile_rails(list(rails)), "guarded", Placeholders(), "refused", EventMaker("req_1", "m", 1),
        choices=choices, include_usage=False, on_findings=lambda findings, where: None, blocks=blocks,
    )  # fmt: skip


def said(index=0, **delta):
    return json.dumps({"choices": [{"index": index, "delta": delta, "finish_reason": None}]}).encode()


@pytest.mark.parametrize("index", [-1, 128, 10**6])
def test_a_choice_that_nobody_asked_for_ends_the_stream(index):
    with pytest.raises(UpstreamInvalid):
        guarded_stream().feed(said(index, content="x"))
    assert guarded_stream().feed(said(127, content="x"))


def test_a_block_ends_before_the_next_begins_also_where_their_events_come_together():
    events = [said(role="assistant", content="")] + [said(reasoning_content=c) for c in "t geheim u"]
    events += [said(content=c) for c in "a geheim b"]
    heard = []
    for size in (1, 3, len(events)):
        guard, sent = guarded_stream(rails=[{"words": {"words": ["geheim"], "action": "mask"}}], blocks=True), []
        for at in range(0, len(events), size):
            guard.feed_all(events[at : at + size], sent)
        sent += guard.finish(1)
        deltas = [choice["delta"] for data in sent for choice in json.loads(data)["choices"]]
        spoken = [name for delta in deltas for name, word in delta.items() if word and name != "role"]
        assert spoken == sorted(spoken, reverse=True), "reasoning_content, then content"
        heard.append({n: "".join(d.get(n, "") for d in deltas) for n in ("reasoning_content", "content")})
    assert heard == [{"reasoning_content": "t [WORD_1] u", "content": "a [WORD_1] b"}] * 3


# --- bombs


@pytest.mark.parametrize("key", ["content", "summary", "text"])
def test_parts_in_parts_end_somewhere(key):
    def nested(depth):
        return b'{"model":"m","messages":[{"role":"user","content":[{"type":"text","content":%b"x"%b}]}]}' % (
            b'[{"%b":' % key.encode() * depth, b"}]" * depth,
        )  # fmt: skip

    assert [site.text for site in read_chat(nested(3)).sites] == ["x"]
    with pytest.raises(BadJSON, match="nested too deeply"):
        read_chat(nested(40))


def test_texts_without_end_are_refused():
    with pytest.raises(BadRequest, match="more than 20000"):
        read_chat(json.dumps({"model": "m", "messages": [{"role": "user", "content": "a"}] * 20_001}).encode())
    with pytest.raises(BadRequest, match="more than 20000"):
        read_embed(json.dumps({"model": "m", "input": ["a"] * 20_001}).encode())


def test_what_an_assistant_says_between_calls_is_joined_in_order():
    items = [{"role": "assistant", "content": "a"}]
    for k in range(3):
        items += [{"type": "function_call", "call_id": f"c{k}", "name": "f", "arguments": "{}"}]
        items += [{"role": "assistant", "content": f"b{k}"}]
    asked_for = read_responses(json.dumps({"model": "m", "input": items}).encode(), lambda _: [], lambda _: {})
    [one] = json.loads(asked_for.chat)["messages"]
    assert one["content"] == "a\n\nb0\n\nb1\n\nb2"
    assert [call["id"] for call in one["tool_calls"]] == ["c0", "c1", "c2"]


async def test_many_short_texts_are_looked_at_beside_the_loop(serve, up, monkeypatch):
    gw = await serve(GUARDED)
    here, seen = threading.get_ident(), []
    rails = gw.cell.policies["guarded"].rails["input"]
    real = type(rails).find
    monkeypatch.setattr(type(rails), "find", lambda *args: seen.append(threading.get_ident()) or real(*args))
    turns = [{"role": "user", "content": f"word {k}"} for k in range(600)]
    answer = await gw.chat(messages=[*turns, {"role": "user", "content": "geheim"}])
    assert answer.status_code == 200
    assert b"geheim" not in up.requests[0].body
    assert len(seen) > 600
    assert seen.count(here) < 10


async def test_findings_without_end_are_acted_on_and_not_all_kept(serve, up):
    gw = await serve(GUARDED)
    answer = await gw.chat("geheim " * 3_000)
    assert b"geheim" not in up.requests[0].body
    assert len((await gw.record(answer))["findings"]) == 1_000
    assert 'guard="words",direction="input",action="mask"} 3000' in (await gw.http.get("/metrics")).text


@pytest.mark.parametrize("tokens", [[1, 2, 3], [[1, 2], [3]]])
async def test_tokens_pass_no_guard(serve, up, tokens):
    for policy, passes in ((GUARDED, 0), (GUARDED + "unguarded: accepted\n", 1), (OPEN, 2)):
        gw = await serve(policy)
        answer = await gw.http.post("/v1/embeddings", json={"model": "embed", "input": tokens})
        assert passes or (answer.status_code, answer.json()["error"]["param"]) == (400, "input")
        assert len(up.requests) == passes


# --- pages of other origins


async def test_a_page_is_never_sent_credentials_headers(serve):
    gw = await serve(cors_origins=("*",))
    asks = {"origin": "https://page.example", "access-control-request-method": "POST"}
    for answer in (await gw.http.options("/v1/chat/completions", headers=asks), await gw.chat(headers=asks)):
        assert "access-control-allow-credentials" not in answer.headers
        assert answer.headers["access-control-allow-origin"] == "*"
