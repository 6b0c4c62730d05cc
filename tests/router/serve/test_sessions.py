"""Sessions over real sockets: who is remembered, what is kept apart, what is mended on the way."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.core.affinity import Memory, Warm
from router.core.wire import read_chat
from router.serve.memory.sessions import Sessions, client_session, session_name
from router.serve.settings import PriceSettings, TierSettings, UpstreamSettings

HARD = "Port the scheduler to asyncio without changing the order in which equal deadlines run, and prove it."
EASY = "What colour is the sky?"
# Tiers by rule, so that the test does not lean on the scorer.
BY_TAG = """
stillhouse: 1
name: by-words
quality: {keep: 0.0}
session: {hysteresis: 0.0}
rules:
  - {name: hard, when: {pattern: 'prove it'}, at_least: large}
"""


def talk(*texts):
    return [{"role": ("user", "assistant")[i % 2], "content": text} for i, text in enumerate(texts)]


async def ask(gw, *texts, headers=None, **fields):
    return await gw.chat(headers=headers, messages=talk(*texts), **fields)


async def test_a_conversation_is_remembered_by_its_beginning_and_rises_and_falls_with_its_words(serve):
    gw = await serve(BY_TAG)
    first = await ask(gw, EASY)
    assert first.headers["x-stillhouse-tier"] == "small"
    up = await ask(gw, EASY, "Blue.", HARD)
    assert up.headers["x-stillhouse-tier"] == "large"
    assert (
        (await ask(gw, EASY, "Blue.", HARD, "Done.", EASY)).headers["x-stillhouse-reason"].startswith("session-falls")
    )
    assert len(gw.cell.sessions) == 1


async def test_work_with_tools_stays_on_its_tier(serve):
    gw = await serve(BY_TAG)
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    begun = talk(HARD)
    assert (await gw.chat(messages=begun, model="large")).headers["x-stillhouse-tier"] == "large"
    worked = [
        {"role": "user", "content": HARD},
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "ok"},
    ]
    worked[0]["content"] = HARD.replace("prove it", "explain")
    await gw.chat(messages=worked[:1], model="large")
    answer = await gw.chat(messages=worked)
    assert answer.headers["x-stillhouse-tier"] == "large"
    assert "session-stays" in answer.headers["x-stillhouse-reason"]


async def test_affinity_can_be_off(serve):
    gw = await serve(BY_TAG + "\n", BY_TAG.replace("by-words", "off").replace("{hysteresis: 0.0}", "{affinity: off}"))
    for policy in ("by-words", "off"):
        await ask(gw, EASY, model=policy)
        reasons = (await ask(gw, EASY, "Blue.", HARD, model=policy)).headers["x-stillhouse-reason"]
        assert ("session-rises" in reasons) == (policy == "by-words")


async def test_the_ledger_joins_the_turns_of_a_conversation_without_its_words(serve):
    gw = await serve(BY_TAG)
    first, second = await ask(gw, EASY), await ask(gw, EASY, "Blue.", "why?")
    other = await ask(gw, "Who wrote Don Quixote?")
    named = await ask(gw, EASY, headers={"x-stillhouse-session": "mine"})
    sessions = [(await gw.record(a))["session"] for a in (first, second, other, named)]
    assert sessions[0] == sessions[1] != sessions[2]
    assert sessions[0].startswith("~")
    assert "sky" not in sessions[0]
    assert sessions[3] == "mine"


async def test_the_decision_alone_sees_the_session_and_does_not_change_it(serve):
    gw = await serve(BY_TAG)
    await ask(gw, EASY)
    body = {"model": "auto", "messages": talk(EASY, "Blue.", HARD)}
    for _ in range(2):
        got = (await gw.http.post("/v1/route", json=body)).json()
        assert "session-rises" in [r["id"] for r in got["reasons"]]
    assert next(iter(gw.cell.sessions._held.values())).last.tier == "small"


async def test_a_conversation_that_moves_to_another_upstream_is_mended_and_one_that_stays_is_not(serve, up):
    def two(settings):
        upstreams = {**settings.upstreams, "other": UpstreamSettings(kind="openai", base_url=up.base_url)}
        tiers = tuple(t.model_copy(update={"upstream": "other"}) if t.tier == "large" else t for t in settings.tiers)
        return settings.model_copy(update={"upstreams": upstreams, "tiers": tiers})

    gw = await serve(BY_TAG, change=two)
    said = [{"role": "user", "content": EASY}, {"role": "assistant", "content": "Blue.", "reasoning_content": "hm"}]
    await gw.chat(messages=said[:1])
    await gw.chat(messages=[*said, {"role": "user", "content": "Who wrote Don Quixote?"}])
    await gw.chat(
        messages=[
            *said,
            {"role": "user", "content": "x"},
            {"role": "assistant", "content": "y"},
            {"role": "user", "content": HARD},
        ]
    )
    kept, mended = (json.loads(up.requests[i].body)["messages"][1] for i in (1, 2))
    assert kept["reasoning_content"] == "hm"
    assert mended == {"role": "assistant", "content": "Blue."}


async def test_a_session_meets_the_same_generation_of_a_tier(serve):
    def twins(settings):
        small = settings.tiers[0]
        other = TierSettings(
            tier="small", upstream="up", model="m-twin", share=1.0, price=PriceSettings(input=0.1, output=0.2)
        )
        return settings.model_copy(update={"tiers": (small, other, *settings.tiers[1:])})

    gw = await serve(BY_TAG, change=twins)
    for i in range(8):
        texts = [f"What colour is fruit {i}?"]
        models = set()
        for _ in range(4):
            models.add((await ask(gw, *texts)).headers["x-stillhouse-model"])
            texts += ["Red.", "And now?"]
        assert len(models) == 1


async def test_tools_and_the_output_asked_for_count_for_the_window(serve):
    def narrow(settings):
        tiers = tuple(t.model_copy(update={"context_window": 2000}) if t.tier == "small" else t for t in settings.tiers)
        return settings.model_copy(update={"tiers": tiers})

    gw = await serve(BY_TAG, change=narrow)
    tools = [{"type": "function", "function": {"name": "f", "description": "x" * 8000}}]
    assert (await ask(gw, EASY)).headers["x-stillhouse-tier"] == "small"
    assert (await ask(gw, EASY, tools=tools)).headers["x-stillhouse-tier"] == "medium"
    assert (await ask(gw, EASY, max_tokens=1999)).headers["x-stillhouse-tier"] == "medium"


async def test_more_output_than_any_window_holds_is_no_reason_to_refuse(serve):
    def narrow(settings):
        return settings.model_copy(
            update={"tiers": tuple(t.model_copy(update={"context_window": 2000}) for t in settings.tiers)}
        )

    gw = await serve(BY_TAG, change=narrow)
    assert (await ask(gw, EASY, max_tokens=32_000)).headers["x-stillhouse-tier"] == "small"
    refused = await ask(gw, "word " * 9000)
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "context_length_exceeded")


# --- names and the holder


def name(messages, tenant="t", policy="p", sent=None, salt=b"s", **fields):
    body = json.dumps({"model": "auto", "messages": messages, **fields}).encode()
    return session_name(read_chat(body), tenant, policy, sent, salt)


def test_a_session_is_named_by_who_asks_and_how_the_conversation_began():
    one = talk("hi")
    assert name(one) == name(talk("hi", "hello", "more"))
    assert name(one) != name(talk("hj"))
    assert name(one) != name([{"role": "system", "content": "s"}, *one])
    for change in ({"tenant": "u"}, {"policy": "q"}, {"sent": "id"}, {"salt": b"z"}, {"prompt_cache_key": "k"}):
        assert name(one, **change) != name(one)
    assert name(one, sent="id", prompt_cache_key="k") == name(one, sent="id")
    assert name(one, user="u1") == name(one, user="u2")  # a person has many conversations


@given(st.lists(st.text(max_size=2000), min_size=1, max_size=4), st.integers(0, 3))
@settings(max_examples=60, deadline=None)
def test_what_comes_later_does_not_rename_a_session(texts, more):
    messages = talk("begin", *texts)
    assert name(messages) == name(messages[: 1 + more])


def test_the_client_s_own_headers_are_read_and_nonsense_in_them_is_not():
    assert client_session({b"x-session-id": b"a"}) == "a"
    assert client_session({b"x-session-affinity": b"b", b"other": b"c"}) == "b"
    assert client_session({b"x-session-id": "é".encode()}) is None
    assert client_session({b"x-session-id": b"x" * 300}) is None
    assert client_session({}) is None


def test_the_holder_is_bounded_and_forgets_the_silent_first():
    held = Sessions(most=2)
    memory = Memory((Warm("small", "s", "u", 1, 0.0),), 1)
    for key in (b"a", b"b"):
        held.put(key, memory)
    assert held.get(b"a") is memory  # looking does not make it younger
    held.put(b"c", memory)
    assert (len(held), held.get(b"a"), held.get(b"b")) == (2, None, memory)


@pytest.mark.parametrize(("header", "status"), [("x-session-id", 200), ("x-stillhouse-session", 400)])
async def test_a_garbled_header_of_ours_is_refused_and_one_of_a_client_is_passed_over(serve, header, status):
    gw = await serve(BY_TAG)
    assert (await ask(gw, EASY, headers={header: "é".encode()})).status_code == status
