"""Responses over a real socket, by the real SDK: answers, streams, what is kept, and the guards of every text."""

import gc
import json
from datetime import UTC, datetime

import openai
import pytest
from pydantic import BaseModel

from router.registry.keys import KeyStore
from router.serve.settings import ResponsesSettings, UpstreamSettings
from tests.support.upstream import CLOSE, Answer, chunk, completion, finish, tool, usage

# connections that the SDK itself leaves to the garbage collector
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
GUARDED = """
stillhouse: 1
name: guarded
guards:
  input:
    - words: {words: [forbidden], action: block}
    - pii: {entities: [EMAIL], action: mask}
  output:
    - words: {words: [classified], action: block}
    - pii: {entities: [EMAIL], action: mask}
refusal: {input: "Not this.", output: "Not that."}
"""
EMAIL = "ann@example.com"
PATH = "/v1/responses"


class Person(BaseModel):
    """What structured answers are read into."""

    name: str
    age: int


@pytest.fixture
async def client(serve):
    """The real SDK in front of a gateway."""
    made = []

    async def make(*policies, key="none", **how):
        gw = await serve(*policies, **how)
        made.append(openai.AsyncOpenAI(base_url=gw.base_url, api_key=key, max_retries=0))
        return gw, made[-1]

    yield make
    for sdk in made:
        await sdk.close()
    gc.collect()


async def ask(gw, headers=None, **fields):
    return await gw.http.post(PATH, json={"model": "auto", "input": "hi", **fields}, headers=headers)


def events_of(answer):
    blocks = answer.text.split("\n\n")
    return [json.loads(block.split("\ndata: ")[1]) for block in blocks if block]


async def test_the_sdk_asks_streams_and_parses(client, up):
    gw, sdk = await client()
    whole = await sdk.responses.create(model="auto", input="hi", instructions="be kind")
    assert (whole.output_text, whole.status, whole.usage.total_tokens) == ("Hello from upstream.", "completed", 11)
    assert whole._request_id == whole.id.replace("resp_", "req_")
    assert up.requests[0].json["messages"][0] == {"role": "system", "content": "be kind"}
    async with sdk.responses.stream(model="auto", input="hi") as stream:
        assert (await stream.get_final_response()).output_text == "Hello from upstream."
    up.script(Answer.completion('{"name": "Ann", "age": 30}'))
    parsed = await sdk.responses.parse(model="auto", input="x", text_format=Person)
    assert parsed.output_parsed == Person(name="Ann", age=30)
    assert up.requests[-1].json["response_format"]["json_schema"]["name"] == "Person"
    record = await gw.http.get(f"/v1/stillhouse/requests/{whole._request_id}")
    assert record.json()["endpoint"] == PATH


async def test_a_tool_is_called_and_its_result_goes_on_by_reference(client, up):
    gw, sdk = await client()
    tools = [{"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": False}]
    up.script(Answer.stream(
        chunk(reasoning="hm"), chunk(tools=(tool("", name="f", id="c1"),)), chunk(tools=(tool('{"city":'),)),
        chunk(tools=(tool(' "서울"}'),)), finish("tool_calls"), usage(),
    ))  # fmt: skip
    async with sdk.responses.stream(model="auto", input="hi", tools=tools) as stream:
        first = await stream.get_final_response()
    call = next(item for item in first.output if item.type == "function_call")
    assert json.loads(call.arguments) == {"city": "서울"}
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "sunny"}
    said = [{"role": "user", "content": "hi"}, {"type": "item_reference", "id": call.id}, result]
    for continued in ({"input": said}, {"input": [result], "previous_response_id": first.id}):
        await sdk.responses.create(model="auto", tools=tools, **continued)
        roles = [(m["role"], m.get("tool_call_id")) for m in up.requests[-1].json["messages"]]
        assert roles == [("user", None), ("assistant", None), ("tool", "c1")]


async def test_errors_come_in_openais_shape(client, up):
    gw, sdk = await client()
    with pytest.raises(openai.NotFoundError) as missing:
        await sdk.responses.create(model="nope", input="hi")
    assert (missing.value.code, missing.value.param) == ("model_not_found", "model")
    with pytest.raises(openai.BadRequestError) as refused:
        await sdk.responses.create(model="auto", input="hi", background=True)
    assert (refused.value.code, refused.value.param) == ("unsupported_parameter", "background")
    up.script(Answer.error(400, "too long", code="context_length_exceeded"))
    with pytest.raises(openai.BadRequestError) as long:
        await sdk.responses.create(model="auto", input="hi")
    assert long.value.code == "context_length_exceeded"
    assert (await gw.http.get(PATH)).status_code == 405
    assert (await gw.http.post(PATH, content=b"[]", headers={"content-type": "application/json"})).status_code == 400


async def test_a_stream_that_breaks_off_fails_and_does_not_complete(client, up):
    gw, _ = await client()
    up.script(Answer.stream(chunk("Hal"), CLOSE))
    events = events_of(await ask(gw, stream=True))
    assert events[-1]["type"] == "response.failed"
    assert events[-1]["response"]["error"]["code"] == "upstream_unavailable"
    assert "response.completed" not in [e["type"] for e in events]


async def test_what_is_left_behind_is_said(client, up):
    gw, _ = await client()
    fields = {"tools": [{"type": "web_search"}, {"type": "function", "name": "f"}], "client_metadata": {"a": "b"}}
    for stream in (False, True):
        answer = await ask(gw, stream=stream, **fields)
        assert answer.headers["x-stillhouse-dropped"] == "client_metadata, tools[].web_search"
        assert [t["type"] for t in up.requests[-1].json["tools"]] == ["function"]
    assert "x-stillhouse-dropped" not in (await ask(gw)).headers


# --- what is kept


async def test_answers_are_kept_continued_listed_and_forgotten(client, up):
    gw, sdk = await client()
    first = await sdk.responses.create(model="auto", input="one")
    second = await sdk.responses.create(model="auto", input="two", previous_response_id=first.id)
    assert [m["content"] for m in up.requests[1].json["messages"]] == ["one", "Hello from upstream.", "two"]
    assert (await sdk.responses.retrieve(second.id)).output_text == second.output_text
    listed = await sdk.responses.input_items.list(second.id)
    assert [item.content[0].text for item in listed.data] == ["two"]
    await sdk.responses.delete(first.id)
    for again in (sdk.responses.retrieve(first.id), sdk.responses.delete(first.id)):
        with pytest.raises(openai.NotFoundError):
            await again
    with pytest.raises(openai.NotFoundError) as gone:
        await sdk.responses.create(model="auto", input="three", previous_response_id=second.id)
    assert gone.value.param == "previous_response_id"
    assert len(up.requests) == 2


async def test_nothing_is_kept_where_the_caller_or_a_guard_or_the_settings_say_so(client, up):
    gw, _ = await client(GUARDED)
    await ask(gw, store=False)
    await ask(gw, input="forbidden")
    up.script(Answer.completion("classified"))
    await ask(gw)
    assert len(gw.cell.answers) == 0
    off = ResponsesSettings(keep_mb=0)
    gw, _ = await client(change=lambda settings: settings.model_copy(update={"responses": off}))
    await ask(gw)
    assert len(gw.cell.answers) == 0


async def test_another_tenants_answer_is_not_there(client, home):
    store = KeyStore(home / "keys.json")
    now = datetime(2026, 11, 1, tzinfo=UTC)
    ann, bob = ({"authorization": f"Bearer {store.add(tenant=t, now=now)[1]}"} for t in "ab")
    gw, _ = await client(keys="required")
    first = (await ask(gw, ann)).json()
    answers = [
        await ask(gw, bob, previous_response_id=first["id"]),
        await ask(gw, bob, input=[{"type": "item_reference", "id": first["output"][0]["id"]}]),
        await gw.http.get(f"{PATH}/{first['id']}", headers=bob),
        await gw.http.get(f"{PATH}/{first['id']}/input_items", headers=bob),
        await gw.http.delete(f"{PATH}/{first['id']}", headers=bob),
    ]
    unknown = await ask(gw, bob, previous_response_id="resp_000000000000000000000000")
    assert [a.status_code for a in (*answers, unknown)] == [404] * 6
    assert (await gw.http.get(f"{PATH}/{first['id']}")).status_code == 401
    assert (await gw.http.get(f"{PATH}/{first['id']}", headers=ann)).status_code == 200


# --- guards

LOOK = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
PATCH = {"type": "custom_tool_call", "call_id": "c", "name": "f", "input": "x"}


def user(content):
    return {"role": "user", "content": content}


FIELDS = {
    "input": lambda t: {"input": t},
    "instructions": lambda t: {"instructions": t},
    "input_text": lambda t: {"input": [user([{"type": "input_text", "text": t}])]},
    "two parts": lambda t: {"input": [user([{"type": "input_text", "text": "a"}, {"type": "input_text", "text": t}])]},
    "developer": lambda t: {"input": [{"role": "developer", "content": t}, user("hi")]},
    "output_text": lambda t: {"input": [user("hi"), {"role": "assistant", "content": [{"type": "output_text", "text": t}]}]},
    "refusal": lambda t: {"input": [user("hi"), {"role": "assistant", "content": [{"type": "refusal", "refusal": t}]}]},
    "arguments": lambda t: {"input": [user("hi"), {**LOOK, "arguments": json.dumps({"a": t})}]},
    "output": lambda t: {"input": [LOOK, {"type": "function_call_output", "call_id": "c", "output": t}]},
    "output parts": lambda t: {
        "input": [LOOK, {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_text", "text": t}]}]
    },
    "custom input": lambda t: {"input": [user("hi"), {**PATCH, "input": t}]},
    "custom output": lambda t: {"input": [PATCH, {"type": "custom_tool_call_output", "call_id": "c", "output": t}]},
    "thoughts": lambda t: {"input": [user("hi"), {"type": "reasoning", "summary": [{"type": "summary_text", "text": t}]}, LOOK]},
    "open thoughts": lambda t: {
        "input": [user("hi"), {"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": t}]}, LOOK]
    },
    "a tool's description": lambda t: {"tools": [{"type": "function", "name": "f", "description": t}]},
    "a custom tool's description": lambda t: {"tools": [{"type": "custom", "name": "f", "description": t}]},
    "a tool of a namespace": lambda t: {
        "tools": [{"type": "namespace", "name": "n", "tools": [{"type": "function", "name": "f", "description": t}]}]
    },
    "a tool that chat does not know": lambda t: {"tools": [{"type": "mcp", "server_description": t}]},
    "an item that chat does not know": lambda t: {"input": [user("hi"), {"type": "mcp_call", "output": t}]},
    "thoughts before such an item": lambda t: {
        "input": [
            user("hi"), {"type": "reasoning", "summary": [{"type": "summary_text", "text": t}]}, {"type": "mcp_call", "id": "m"}
        ]
    },
}  # fmt: skip


async def test_a_secret_in_any_text_of_a_request_is_masked_in_what_is_sent(client, up):
    gw, _ = await client(GUARDED)
    for name, fields in FIELDS.items():
        answer = await ask(gw, store=False, **fields(f"to {EMAIL}"))
        assert answer.status_code == 200, name
        assert EMAIL not in up.requests[-1].body.decode(), name
        record = await gw.record(answer)
        assert record["guard_in"] == "mask", name


async def test_a_word_in_any_text_of_a_request_stops_it(client, up):
    gw, _ = await client(GUARDED)
    for name, fields in FIELDS.items():
        told = (await ask(gw, **fields("forbidden"))).json()
        assert (told["status"], told["incomplete_details"]) == ("incomplete", {"reason": "content_filter"}), name
        assert told["output"][0]["content"][0]["text"] == "Not this.", name
    events = events_of(await ask(gw, stream=True, input="forbidden"))
    assert (events[-1]["type"], events[-1]["response"]["output"][0]["content"][0]["text"]) == (
        "response.incomplete",
        "Not this.",
    )
    assert not up.requests


async def test_what_an_earlier_turn_said_is_guarded_again(client, up):
    gw, _ = await client(GUARDED)
    first = (await ask(gw, input=f"I am {EMAIL}")).json()
    await ask(gw, previous_response_id=first["id"])
    assert "[EMAIL_1]" in up.requests[-1].json["messages"][0]["content"]
    assert EMAIL not in up.requests[-1].body.decode()


def said(kind, text):
    if kind == "arguments":
        return {"tools": (tool(json.dumps({"to": text}), name="f", id="c1"),)}
    return {kind: text}


@pytest.mark.parametrize("kind", ["text", "refusal", "reasoning", "arguments"])
async def test_a_secret_in_any_text_of_an_answer_is_masked(client, up, kind):
    gw, _ = await client(GUARDED)
    up.script(Answer.json(completion(**{"text": None, **said(kind, f"to {EMAIL} now")})))
    whole = await ask(gw)
    assert EMAIL not in whole.text
    assert "[EMAIL_1]" in json.dumps(whole.json()["output"])
    up.script(Answer.completion(**{"text": None, **said(kind, "classified")}))
    assert (await ask(gw)).json()["output"][0]["content"][0]["text"] == "Not that."


def pieces(kind, text):
    """One character an event."""
    if kind == "arguments":
        yield chunk(tools=(tool("", name="f", id="c1"),))
        yield from (chunk(tools=(tool(c),)) for c in json.dumps({"to": text}))
    else:
        yield from (chunk(**{kind: c}) for c in text)


@pytest.mark.parametrize("kind", ["text", "refusal", "reasoning", "arguments"])
async def test_a_secret_cut_into_characters_is_masked_in_every_event(client, up, kind):
    gw, _ = await client(GUARDED)
    up.script(Answer.stream(*pieces(kind, f"to {EMAIL} now"), finish(), usage()))
    events = events_of(await ask(gw, stream=True))
    told = "".join(e["delta"] for e in events if e["type"].endswith(".delta"))
    assert "[EMAIL_1]" in told
    assert EMAIL not in told + json.dumps(events)
    assert "[EMAIL_1]" in json.dumps(events[-1]["response"]["output"])
    up.script(Answer.stream(*pieces(kind, "it is classified now"), finish(), usage()))
    events = events_of(await ask(gw, stream=True))
    assert events[-1]["response"]["incomplete_details"] == {"reason": "content_filter"}
    assert "classified" not in json.dumps(events)
    assert "Not that." in json.dumps(events[-1]["response"]["output"])


# --- a model that lives behind Responses alone

SEALED = {
    "type": "reasoning",
    "id": "rs_1",
    "summary": [{"type": "summary_text", "text": "hm"}],
    "encrypted_content": "S",
}
USED = {
    "input_tokens": 9, "input_tokens_details": {"cached_tokens": 2}, "output_tokens": 5,
    "output_tokens_details": {"reasoning_tokens": 3}, "total_tokens": 14,
}  # fmt: skip


def response(*output, status="completed", **more):
    fields = {
        "id": "resp_x",
        "object": "response",
        "created_at": 1,
        "model": "m",
        "status": status,
        "output": list(output),
    }
    return {**fields, "usage": USED, **more}


def spoken(text):
    return {"type": "message", "id": "m1", "role": "assistant", "content": [{"type": "output_text", "text": text}]}


def as_responses(settings):
    only = UpstreamSettings(kind="openai", base_url=settings.upstreams["up"].base_url, wire="responses")
    return settings.model_copy(update={"upstreams": {"up": only}})


def test_only_a_server_of_openais_wire_may_speak_responses():
    with pytest.raises(ValueError, match="kind openai"):
        UpstreamSettings(kind="litellm", wire="responses")


async def test_a_chat_caller_reaches_a_model_behind_responses(client, up):
    gw, _ = await client(change=as_responses)
    up.script(Answer.json(response(SEALED, spoken("Hi"))))
    answer = await gw.chat("hi", max_tokens=30)
    choice = answer.json()["choices"][0]
    assert (choice["message"]["content"], choice["message"]["reasoning_content"]) == ("Hi", "hm")
    assert answer.json()["usage"]["completion_tokens_details"] == {"reasoning_tokens": 3}
    assert up.requests[0].path == "/v1/responses"
    assert up.requests[0].json["max_output_tokens"] == 30
    assert (await gw.record(answer))["tokens_in"] == 9


def events(*items):
    """What a server of Responses sends: the text of messages in two deltas, calls in two."""
    yield {"type": "response.created", "response": {**response(status="in_progress"), "usage": None}}
    for at, item in enumerate(items):
        yield {
            "type": "response.output_item.added",
            "output_index": at,
            "item": {**item, "content": [], "arguments": ""},
        }
        if item["type"] == "message":
            text = item["content"][0]["text"]
            for part in (text[:1], text[1:]):
                yield {"type": "response.output_text.delta", "output_index": at, "item_id": "m1", "delta": part}
        elif item["type"] == "function_call":
            for part in (item["arguments"][:3], item["arguments"][3:]):
                yield {"type": "response.function_call_arguments.delta", "output_index": at, "delta": part}
        yield {"type": "response.output_item.done", "output_index": at, "item": item}
    yield {"type": "response.completed", "response": response(*items)}


async def test_streams_sealed_thoughts_and_unknown_tools_travel_between_two_who_speak_responses(client, up):
    gw, sdk = await client(change=as_responses)
    call = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": '{"a":1}'}
    up.script(Answer.stream(*events(SEALED, call), done=False))
    tools = [{"type": "function", "name": "f", "parameters": {}, "strict": True}, {"type": "web_search"}]
    wishes = {"tools": tools, "include": ["reasoning.encrypted_content"], "reasoning": {"effort": "low"}}
    async with sdk.responses.stream(model="auto", input="hi", store=False, **wishes) as stream:
        first = await stream.get_final_response()
    assert [t["type"] for t in up.requests[0].json["tools"]] == ["function", "web_search"]
    assert up.requests[0].json["include"] == ["reasoning.encrypted_content"]
    assert up.requests[0].json["store"] is False
    assert [item.type for item in first.output] == ["reasoning", "function_call"]
    up.script(Answer.json(response(spoken("done"))))
    back = [{"role": "user", "content": "hi"}, *(item.model_dump(exclude_none=True) for item in first.output)]
    back.append({"type": "function_call_output", "call_id": "c1", "output": "x"})
    raw = await sdk.responses.with_raw_response.create(model="auto", input=back, store=False, **wishes)
    assert "x-stillhouse-dropped" not in raw.headers
    sent = up.requests[1].json["input"]
    assert sent[1] == {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "S"}
    assert [item["type"] for item in sent] == ["message", "reasoning", "function_call", "function_call_output"]


@pytest.mark.parametrize(
    ("answer", "status", "code"),
    [
        (Answer.json({"object": "chat.completion", "choices": []}), 502, "upstream_invalid"),
        (Answer.json(response(status="failed", error={"code": "context_length_exceeded", "message": "long"})), 400, "context_length_exceeded"),
        (Answer.error(422, "no", code="bad_value"), 422, "bad_value"),
    ],
)  # fmt: skip
async def test_faults_of_a_server_of_responses_are_told_as_ours(client, up, answer, status, code):
    gw, _ = await client(change=as_responses)
    up.always(answer)
    told = await gw.chat("hi", model="large")
    assert (told.status_code, told.json()["error"]["code"]) == (status, code)


async def test_faults_inside_its_stream_are_told_as_ours(client, up):
    gw, _ = await client(change=as_responses)
    failed = {"type": "response.failed", "response": response(status="failed", error={"code": "x", "message": "m"})}
    up.always(Answer.stream({"type": "response.output_text.delta", "delta": "Hal"}, failed, done=False))
    assert "upstream_unavailable" in (await gw.chat("hi", stream=True, model="large")).text
    up.always(Answer.stream({"type": "response.output_text.delta", "delta": 5}, done=False))
    assert (await gw.chat("hi", stream=True, model="large")).json()["error"]["code"] == "upstream_invalid"
    assert (await gw.chat("hi", n=2, model="large")).json()["error"]["param"] == "n"


# --- observed


@pytest.mark.parametrize("stream", [False, True])
async def test_an_observed_request_passes_as_it_came_and_is_judged_beside(client, up, stream):
    gw, _ = await client(GUARDED, observe=True)
    items = (spoken("it is classified"),)
    up.script(Answer.stream(*events(*items), done=False) if stream else Answer.json(response(*items)))
    answer = await ask(gw, model="m-large", input=f"I am {EMAIL}", stream=stream)
    assert up.requests[0].path == "/v1/responses"
    assert up.requests[0].json == {"model": "m-large", "input": f"I am {EMAIL}", "stream": stream}
    assert "it is classified" in answer.text
    record = await gw.record(answer)
    assert (record["tokens_in"], record["tokens_out"]) == (9, 5)
    assert {"observed", "observed-mask", "observed-block"} <= {r["id"] for r in record["reasons"]}
