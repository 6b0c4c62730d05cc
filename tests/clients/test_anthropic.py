"""Anthropic's SDK, unmodified, in front of servers that speak chat and of one that speaks Messages."""

import pytest
from pydantic import BaseModel

from tests.router.serve.test_messages import native
from tests.support import messages as m
from tests.support.upstream import Answer, chunk, finish, tool, usage

pytestmark = [
    pytest.mark.clients,
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
]
PATIENT = "stillhouse: 1\nname: patient\n"
ASK = {"model": "auto", "max_tokens": 2000, "messages": [{"role": "user", "content": "hi"}]}
TOOLS = [{"name": "weather", "description": "Tell the weather.", "input_schema": {"type": "object"}}]


class Person(BaseModel):
    """What structured answers are read into."""

    name: str
    age: int


@pytest.fixture
def client():
    """Makes a client of a gateway."""
    import anthropic

    return lambda gw, **more: anthropic.AsyncAnthropic(base_url=gw.url, api_key="none", max_retries=0, **more)


async def test_create_stream_and_count(serve, client):
    gw = await serve(PATIENT)
    async with client(gw) as sdk:
        whole = await sdk.messages.create(**ASK)
        assert whole.content[0].text == "Hello from upstream."
        assert (whole.stop_reason, whole.usage.input_tokens) == ("end_turn", 7)
        assert whole._request_id.startswith("req_")
        async with sdk.messages.stream(**ASK) as stream:
            texts = [text async for text in stream.text_stream]
            final = await stream.get_final_message()
        assert "".join(texts) == final.content[0].text == "Hello from upstream."
        assert final.usage.output_tokens == 4
        raw = [event.type async for event in await sdk.messages.create(**ASK, stream=True)]
        assert (raw[0], raw[-1]) == ("message_start", "message_stop")
        counted = await sdk.messages.count_tokens(model="auto", messages=ASK["messages"])
        assert counted.input_tokens > 0


async def test_every_failure_is_of_the_class_that_users_catch(serve, up, client):
    import anthropic

    gw = await serve(PATIENT)
    up.always(Answer.error(429, retry_after=3))
    async with client(gw) as sdk:
        for more, error in (
            ({"model": "nope"}, anthropic.NotFoundError),
            ({"messages": []}, anthropic.BadRequestError),
            ({"model": "large"}, anthropic.RateLimitError),
        ):
            with pytest.raises(error) as caught:
                await sdk.messages.create(**{**ASK, **more})
            assert caught.value.request_id.startswith("req_")
            assert caught.value.body["type"] == "error"
        up.always(Answer.error(500))
        with pytest.raises(anthropic.InternalServerError):
            await sdk.messages.create(**ASK)
        up.always(Answer.stream(chunk("a"), {"error": {"message": "no", "code": "x"}}))
        with pytest.raises(anthropic.APIStatusError):
            async with sdk.messages.stream(**ASK) as stream:
                await stream.get_final_message()


async def test_structured_outputs(serve, up, client):
    gw = await serve(PATIENT)
    up.script(Answer.completion('{"name": "Ann", "age": 30}'))
    async with client(gw) as sdk:
        got = await sdk.messages.parse(**ASK, output_format=Person)
    assert got.parsed_output == Person(name="Ann", age=30)
    assert up.requests[0].json["response_format"]["type"] == "json_schema"


@pytest.mark.parametrize("behind", ["chat", "messages"])
async def test_an_agents_loop_with_cache_marks_and_thinking(serve, up, client, behind):
    """Three turns as a coding agent takes them: streamed, tools, a cache mark that moves on, thinking sent back."""
    gw = await serve(PATIENT, change=native if behind == "messages" else lambda s: s)
    turns = [
        {
            "role": "user",
            "content": [{"type": "text", "text": "Look at Seoul.", "cache_control": {"type": "ephemeral"}}],
        }
    ]
    system = [{"type": "text", "text": "You are an agent.", "cache_control": {"type": "ephemeral"}}]
    headers = {"anthropic-beta": "fine-grained-tool-streaming-2025-05-14"}
    more = {
        "max_tokens": 4000,
        "system": system,
        "tools": TOOLS,
        "thinking": {"type": "enabled", "budget_tokens": 1024},
    }
    async with client(gw) as sdk:
        for turn in range(3):
            last = turn == 2
            up.script(_turn(behind, turn, last=last))
            async with sdk.messages.stream(model="auto", messages=turns, extra_headers=headers, **more) as stream:
                said = await stream.get_final_message()
            turns.append(said.to_param())
            calls = [block for block in said.content if block.type == "tool_use"]
            assert said.stop_reason == ("end_turn" if last else "tool_use")
            assert [call.input for call in calls] == ([] if last else [{"city": "서울", "turn": turn}])
            results = [
                {"type": "tool_result", "tool_use_id": c.id, "content": "4°", "cache_control": {"type": "ephemeral"}}
                for c in calls
            ]
            turns.append({"role": "user", "content": results or "thanks"})
    sent = up.requests[-1].json
    if behind == "chat":
        assert [message["role"] for message in sent["messages"]] == [
            "system",
            "user",
            "assistant",
            "tool",
            "assistant",
            "tool",
        ]
        assert "cache_control" not in str(sent)
        assert "thinking" not in str(sent)
    else:
        assert sent["messages"][1]["content"][0] == {"type": "thinking", "thinking": "Hm 0.", "signature": "sig-0"}
        assert str(sent).count("cache_control") == 4
        assert up.requests[-1].headers["anthropic-beta"] == headers["anthropic-beta"]


def _turn(behind, turn, *, last):
    written = f'{{"city": "서울", "turn": {turn}}}'
    if behind == "chat":
        if last:
            return Answer.stream(chunk("Warm."), finish(), usage())
        call = tool("", name="weather", id=f"call_{turn}")
        pieces = [chunk(tools=(tool(written[i : i + 5]),)) for i in range(0, len(written), 5)]
        return Answer.stream(
            chunk(reasoning=f"Hm {turn}."), chunk("Look."), chunk(tools=(call,)), *pieces, finish("tool_calls"), usage()
        )
    begun = [m.start(), *m.thinking_block(0, f"Hm {turn}.", signature=f"sig-{turn}")]
    if last:
        return m.stream(*begun, *m.text_block(1, "Warm."), *m.stop())
    return m.stream(*begun, *m.tool_block(1, "weather", *written, id=f"toolu_{turn}"), *m.stop("tool_use"))


async def test_a_refusal_of_a_guard_is_a_refusal(serve, up, client):
    policy = "stillhouse: 1\nname: g\nguards: {input: [words: {words: [verboten]}]}\n"
    gw = await serve(policy)
    async with client(gw) as sdk:
        got = await sdk.messages.create(**{**ASK, "messages": [{"role": "user", "content": "verboten"}]})
    assert got.stop_reason == "refusal"
    assert not up.requests
