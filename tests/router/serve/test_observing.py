"""Observing over real sockets: what is sent and what is answered are those of a direct call, and the decision is kept."""

import asyncio
import json

import httpx
import pytest

from router.registry.keys import KeyStore
from router.serve.doors import beside
from router.serve.http.exchange import Exchange
from router.serve.settings import ServerSettings, Settings, TierSettings, UpstreamSettings
from tests.support.upstream import CLOSE, RESET, Answer, chunk, comment, error, finish, tool, usage

GUARDED = """
stillhouse: 1
name: guarded
tiers: [small, large]
fallback_tier: small
guards:
  input:
    - words: {words: [forbidden], action: block}
    - pii: {entities: [EMAIL], action: mask}
  output:
    - words: {words: [secretword], action: block}
rules:
  - {name: patients, when: {findings: [pii]}, pin: large}
"""
JSON = {"content-type": "application/json"}
ODD = b'{ "seed":123456789012345678901234567890,\n "model":"m-large","temperature":1.0, "messages":[{"role":"user","content":"hi \\u00e9","x":1e0}] }'
OURS = {"server", "date", "x-request-id", "x-stillhouse-reason", "x-stillhouse-tier", "x-stillhouse-model"}
PATH = "/v1/chat/completions"


async def direct(up, body):
    """The same request without a gateway."""
    async with httpx.AsyncClient(trust_env=False) as http:
        return await http.post(up.base_url + "/chat/completions", content=body, headers=JSON)


async def both(gw, up, body, answer):
    """A direct call and one through the gateway, each given the same answer."""
    up.script(answer, answer)
    plain = await direct(up, body)
    observed = await gw.http.post(PATH, content=body, headers=JSON)
    return plain, observed


def streamed(**fields):
    return json.dumps(
        {"model": "m-large", "stream": True, "messages": [{"role": "user", "content": "hi"}], **fields}
    ).encode()


@pytest.mark.parametrize(
    "answer",
    [
        Answer.raw(b'{"id":"x", "choices":[{"index":0,"message":{"content":"Hi \\u00e9","v":1.0}}],\n"big":123456789012345678901234567890}'),
        Answer.raw(b'{"not":"a completion"}'),
        Answer.raw(b"plainly not JSON", content_type="text/plain"),
        Answer.raw(b"{}", status=202),
        Answer.error(400, "max_tokens is too large", code="invalid_request_error", param="max_tokens"),
        Answer.error(429, "slow down", retry_after=7),
        Answer.error(500, "oops"),
        Answer.html(502),
    ],
    ids=["odd bytes", "no completion", "no json", "202", "400", "429", "500", "a page"],
)  # fmt: skip
async def test_both_sides_see_the_bytes_of_a_direct_call(serve, up, answer):
    gw = await serve(observe=True)
    plain, observed = await both(gw, up, ODD, answer)
    first, second = up.requests
    assert first.body == second.body == ODD
    assert (observed.status_code, observed.content) == (plain.status_code, plain.content)
    assert {k: v for k, v in observed.headers.items() if k not in OURS} == dict(plain.headers)
    assert observed.headers["x-stillhouse-reason"] == "observed"


@pytest.mark.parametrize(
    "answer",
    [
        Answer.stream(chunk("Hi", role="assistant"), chunk(" there"), finish(), usage()),
        Answer.stream(comment("ping"), chunk("안녕"), finish(), split=1),
        Answer.stream(chunk("Hi"), finish(), newline="\r\n", space=False),
        Answer.stream(b"event: odd\ndata: {}\n\n", chunk("Hi"), b"id: 7\n\n", done=False),
        Answer.stream(error("in the middle")),
    ],
    ids=["usual", "every byte alone", "other newlines", "odd events", "an error event"],
)
async def test_a_stream_is_that_of_a_direct_call_byte_for_byte(serve, up, answer):
    gw = await serve(observe=True)
    body = streamed()
    plain, observed = await both(gw, up, body, answer)
    assert [seen.body for seen in up.requests] == [body, body]
    assert observed.content == plain.content
    assert observed.headers["content-type"] == plain.headers["content-type"]


@pytest.mark.parametrize("ending", [RESET, CLOSE], ids=["reset", "closed"])
async def test_a_stream_that_breaks_off_breaks_off_here_without_a_word_of_ours(serve, up, ending):
    gw = await serve(observe=True)
    up.script(Answer.stream(chunk("Hi"), ending, done=False))
    got = b""
    with pytest.raises(httpx.RemoteProtocolError):
        async with gw.http.stream("POST", PATH, content=streamed(), headers=JSON) as answer:
            async for part in answer.aiter_bytes():
                got += part
    assert b"Hi" in got
    assert b"error" not in got
    record = await gw.record(answer)
    assert (record["outcome"], record["mode"]) == ("upstream_error", "observed")


async def test_only_the_models_name_is_replaced_where_the_caller_gave_another(serve, up):
    gw = await serve(observe=True)
    for name, model in (("auto", "m-large"), ("plain", "m-large"), ("small", "m-small")):
        body = ODD.replace(b"m-large", name.encode())
        answer = await gw.http.post(PATH, content=body, headers=JSON)
        assert up.requests[-1].body == ODD.replace(b"m-large", model.encode())
        assert answer.headers["x-stillhouse-model"] == model


async def test_the_tier_that_stands_for_auto_can_be_named(serve, up):
    gw = await serve(observe=True, observe_tier="medium")
    assert (await gw.chat()).headers["x-stillhouse-tier"] == "medium"
    assert (await gw.chat(headers={"x-stillhouse-tier": "small"})).headers["x-stillhouse-tier"] == "small"


def test_a_tier_for_auto_that_nobody_serves_is_refused():
    with pytest.raises(ValueError, match="observe_tier is 'large'"):
        Settings(
            server=ServerSettings(observe=True, observe_tier="large"),
            upstreams={"a": UpstreamSettings(kind="litellm")},
            tiers=(TierSettings(tier="small", upstream="a", model="x"),),
        )


async def test_the_decision_is_recorded_beside_what_was_done(serve, up):
    always_small = "stillhouse: 1\nname: always-small\ntiers: [small]\nfallback_tier: small\n"
    gw = await serve(always_small, observe=True)
    answer = await gw.chat(model="m-large")
    record = await gw.record(answer)
    assert (record["mode"], record["tier_served"], record["tier_wanted"]) == ("observed", "large", "small")
    assert record["reasons"][0]["id"] == "observed"
    assert [r["id"] for r in record["reasons"]] == ["observed", "only-tier"]
    assert set(record["p_right"]) == set(record["predicted_cost"]) == {"small", "medium", "large"}
    assert record["cost_nano"] == record["baseline_nano"] > 0
    assert record["propensity"] == 1.0
    [attempt] = record["attempts"]
    assert (attempt["deployment"], attempt["outcome"], attempt["kind"]) == ("m-large", "ok", "first")
    assert record["total_ms"] >= attempt["ended_ms"] >= attempt["started_ms"]


async def test_tokens_are_estimated_where_a_stream_was_not_asked_for_them(serve, up):
    gw = await serve(observe=True)
    without = await gw.record(await gw.http.post(PATH, content=streamed(), headers=JSON))
    told = await gw.record(
        await gw.http.post(PATH, content=streamed(stream_options={"include_usage": True}), headers=JSON)
    )
    assert (without["tokens_source"], told["tokens_source"]) == ("estimated", "upstream")
    assert without["tokens_out"] > 0
    assert without["cost_nano"] > 0


@pytest.mark.parametrize("stream", [False, True])
async def test_the_opinion_is_formed_when_the_answer_has_left(serve, up, monkeypatch, stream):
    order = []

    def noted(name, of=lambda *_, **__: True):
        true = getattr(Exchange, name)

        async def send(self, *given, **named):
            await true(self, *given, **named)
            if of(*given, **named):
                order.append("answered")

        monkeypatch.setattr(Exchange, name, send)

    noted("straight")
    noted("straight_part", lambda *_, last=False: last)
    gw = await serve(observe=True)
    true = gw.cell.scorer.score
    monkeypatch.setattr(type(gw.cell.scorer), "score", lambda _, *given: order.append("scored") or true(*given))
    answer = await gw.http.post(PATH, content=streamed(stream=stream), headers=JSON)
    assert (await gw.record(answer))["tier_wanted"]
    assert order[0] == "answered"
    assert "scored" in order[1:]


# --- guards do not act


async def test_guards_look_on_and_change_nothing(serve, up):
    gw = await serve(GUARDED, observe=True)
    text = "a forbidden word and kim@example.com"
    body = json.dumps({"model": "m-small", "messages": [{"role": "user", "content": text}]}).encode()
    plain, observed = await both(gw, up, body, Answer.completion("the secretword"))
    assert up.requests[1].body == body
    assert observed.content == plain.content
    record = await gw.record(observed)
    assert (record["guard_in"], record["guard_out"], record["outcome"]) == ("none", "none", "ok")
    assert {(f["direction"], f["guard"], f["action"]) for f in record["findings"]} == {
        ("input", "words", "block"),
        ("input", "pii", "mask"),
        ("output", "words", "block"),
    }
    assert all(f["shadow"] for f in record["findings"])
    assert [r["id"] for r in record["reasons"]] == ["observed", "rule.patients", "observed-block", "observed-block"]
    assert record["tier_wanted"] == "large"


async def test_guards_see_a_stream_that_has_passed(serve, up):
    gw = await serve(GUARDED, observe=True)
    up.script(Answer.stream(chunk("the secret"), chunk("word"), chunk(tools=(tool('{"a": 1}', name="f"),)), finish()))
    record = await gw.record(await gw.http.post(PATH, content=streamed(), headers=JSON))
    assert [(f["where"], f["guard"], f["shadow"]) for f in record["findings"]] == [
        ("choices[0].content", "words", True)
    ]


async def test_embeddings_pass_unread(serve, up):
    gw = await serve(GUARDED, observe=True)
    body = b'{"input":["forbidden"],  "model":"embed"}'
    answer = await gw.http.post("/v1/embeddings", content=body, headers=JSON)
    assert answer.status_code == 200
    assert up.requests[0].body == body
    record = await gw.record(answer)
    assert (record["mode"], record["findings"]) == ("observed", [])
    assert record["tokens_in"] > 0


# --- nothing that goes wrong beside it disturbs the request


@pytest.mark.parametrize("stream", [False, True])
async def test_a_scorer_that_fails_costs_the_opinion_and_nothing_else(serve, up, caplog, stream):
    class Broken:
        families, digest = ("generic",), "0" * 64

        def score(self, *_):
            raise RuntimeError("the text of a prompt")

    gw = await serve(observe=True, cell=lambda cell: setattr(cell, "scorer", Broken()))
    body = streamed(stream=stream)
    plain, observed = await both(gw, up, body, Answer.stream(chunk("Hi"), finish()) if stream else Answer.completion())
    assert (observed.status_code, observed.content) == (plain.status_code, plain.content)
    record = await gw.record(observed)
    assert (record["outcome"], record["mode"], record["tier_served"]) == ("ok", "observed", "large")
    assert record["tier_wanted"] is None
    assert "observing request" in caplog.text
    assert "the text of a prompt" not in caplog.text
    assert b'stillhouse_unobserved_total{reason="fault"} 1' in (await gw.http.get("/metrics")).content


async def test_a_guard_that_fails_costs_the_opinion_and_nothing_else(serve, up, monkeypatch):
    def broken(*_):
        raise RuntimeError

    monkeypatch.setattr(beside, "_output_findings", broken)
    gw = await serve(observe=True)
    answer = await gw.chat()
    assert answer.status_code == 200
    assert (await gw.record(answer))["mode"] == "observed"


async def test_a_body_that_we_cannot_read_is_its_own_servers_to_judge(serve, up):
    gw = await serve(observe=True)
    body = b'{"model": "m-large", "messages": "none"}'
    plain, observed = await both(gw, up, body, Answer.error(400, "messages must be a list"))
    assert (observed.status_code, observed.content) == (plain.status_code, plain.content)
    record = await gw.record(observed)
    assert (record["outcome"], record["status"], record["tier_wanted"]) == ("bad_request", 400, None)


async def test_without_a_scorer_the_policys_fallback_is_what_is_recorded(serve, up):
    gw = await serve(observe=True, cell=lambda cell: setattr(cell, "scorer", None))
    record = await gw.record(await gw.chat())
    assert (record["p_right"], record["reasons"][-1]["id"]) == (None, "no-score")


# --- upstreams that do not speak the wire themselves


class Adapter:
    """Another kind of upstream: it gives answers and events, and no bytes of a server's."""

    def __init__(self, inner):
        self.chat, self.chat_stream, self.embeddings, self.close = (
            inner.chat, inner.chat_stream, inner.embeddings, inner.close,
        )  # fmt: skip


def adapted(cell):
    cell.upstreams = {name: Adapter(upstream) for name, upstream in cell.upstreams.items()}


async def test_an_adapters_answer_goes_on_as_it_is(serve, up):
    gw = await serve(GUARDED, observe=True, cell=adapted)
    raw = b'{"id":"x",  "choices":[{"index":0,"message":{"content":"the secretword"}}],"usage":{"prompt_tokens":3,"completion_tokens":4}}'
    up.script(Answer.raw(raw))
    answer = await gw.chat(model="m-large")
    assert answer.content == raw
    record = await gw.record(answer)
    assert (record["mode"], record["tokens_out"], record["attempts"][0]["outcome"]) == ("observed", 4, "ok")
    assert [f["guard"] for f in record["findings"]] == ["words"]
    assert (await gw.http.post("/v1/embeddings", json={"model": "embed", "input": "x"})).status_code == 200


async def test_an_adapters_events_go_on_as_they_are_and_its_faults_are_told(serve, up):
    gw = await serve(observe=True, cell=adapted)
    up.script(
        Answer.stream(chunk("Hi"), finish(), usage()), Answer.stream(chunk("Hi"), RESET), Answer.error(503, "busy")
    )
    whole = await gw.http.post(PATH, content=streamed(), headers=JSON)
    assert whole.text.endswith("data: [DONE]\n\n")
    assert json.loads(whole.text.split("\n")[0].removeprefix("data: "))["choices"][0]["delta"]["content"] == "Hi"
    assert (await gw.record(whole))["tokens_source"] == "upstream"
    torn = await gw.http.post(PATH, content=streamed(), headers=JSON)
    assert "upstream_unavailable" in torn.text
    assert (await gw.record(torn))["outcome"] == "upstream_error"
    refused = await gw.http.post(PATH, content=streamed(), headers=JSON)
    assert refused.status_code == 502
    assert len((await gw.record(refused))["attempts"]) == 1


# --- nothing is tried again, and nobody sees the operator's key


async def test_a_failure_is_told_once_and_nobody_else_is_asked(serve, up):
    gw = await serve(observe=True)
    up.always(Answer.error(503, "busy"))
    answer = await gw.chat()
    assert answer.status_code == 503
    assert len(up.requests) == 1


async def test_a_refusal_of_the_operators_key_is_not_shown(serve, up):
    gw = await serve(observe=True)
    up.script(Answer.error(401, "Incorrect API key provided: sk-operator"))
    answer = await gw.chat()
    assert answer.status_code == 502
    assert "sk-operator" not in answer.text


async def test_a_repeated_key_is_refused_because_nobody_can_tell_who_was_asked(serve, up):
    gw = await serve(observe=True)
    answer = await gw.http.post(PATH, content=b'{"model":"m-small","model":"m-large"}', headers=JSON)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_json")
    assert not up.requests


async def test_keys_still_say_who_may_call_and_whom_they_may_ask(serve, up, home):
    from datetime import UTC, datetime

    _, token = KeyStore.load(home / "keys.json").add("acme", now=datetime.now(UTC), models=["m-small"])
    gw = await serve(observe=True, keys="required")
    assert (await gw.chat()).status_code == 401
    bearer = {"authorization": f"Bearer {token}"}
    assert (await gw.chat(model="m-large", headers=bearer)).status_code == 404
    answer = await gw.chat(model="m-small", headers=bearer)
    assert (await gw.record(answer))["tenant"] == "acme"


async def test_the_operators_pin_still_holds_and_is_recorded_as_a_pin(serve, up):
    gw = await serve(observe=True, cell=lambda cell: setattr(cell, "pin", "small"))
    answer = await gw.chat(model="m-large")
    record = await gw.record(answer)
    assert (record["tier_served"], record["mode"]) == ("small", "pinned")


async def test_a_caller_who_leaves_takes_the_models_work_along_and_is_recorded(serve, up):
    gw = await serve(observe=True)
    up.script(Answer.stream(chunk("Hi"), *[Answer.silence().steps[0]], done=False))
    async with gw.http.stream("POST", PATH, content=streamed(), headers=JSON) as answer:
        async for _ in answer.aiter_bytes():
            break
    await asyncio.wait_for(up.requests[0].gone.wait(), 5)
    record = await gw.record(answer)
    assert (record["outcome"], record["mode"], record["tier_wanted"] is not None) == ("client_gone", "observed", True)


async def test_a_session_remembers_what_the_policy_would_have_done(serve, up):
    gw = await serve(observe=True)
    await gw.chat("What is 2 + 2?")
    [memory] = gw.cell.sessions._held.values()
    record = await gw.record(await gw.chat("What is 2 + 2?"))
    assert memory.last.tier == record["tier_wanted"]
