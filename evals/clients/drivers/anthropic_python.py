"""Anthropic's SDK: messages, streams, tools, counting."""

import anthropic
from case import URL, about, run, same

client = anthropic.Anthropic(base_url=URL.removesuffix("/v1"), api_key="none", max_retries=0)
HI = [{"role": "user", "content": "hi"}]
HELLO = "Hello from upstream."
WEATHER = {
    "name": "weather",
    "description": "Tell the weather.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


def whole():
    answer = client.messages.create(model="auto", max_tokens=100, messages=HI, system="Be kind.")
    same(answer.content[0].text, HELLO)
    same(answer.stop_reason, "end_turn")
    assert answer.usage.output_tokens > 0


def streamed():
    with client.messages.stream(model="auto", max_tokens=100, messages=HI) as stream:
        same("".join(stream.text_stream), HELLO)
        same(stream.get_final_message().stop_reason, "end_turn")


def tools():
    answer = client.messages.create(model="auto", max_tokens=100, messages=HI, tools=[WEATHER])
    (call,) = [block for block in answer.content if block.type == "tool_use"]
    same((call.name, call.input, answer.stop_reason), ("weather", {"city": "서울"}, "tool_use"))
    told = {"type": "tool_result", "tool_use_id": call.id, "content": "sunny"}
    messages = [*HI, {"role": "assistant", "content": answer.content}, {"role": "user", "content": [told]}]
    assert (
        "sunny"
        in client.messages.create(model="auto", max_tokens=9, messages=messages, tools=[WEATHER]).content[0].text
    )


def tools_streamed():
    with client.messages.stream(model="auto", max_tokens=100, messages=HI, tools=[WEATHER]) as stream:
        (call,) = [block for block in stream.get_final_message().content if block.type == "tool_use"]
    same(call.input, {"city": "서울"})


def count_tokens():
    assert client.messages.count_tokens(model="auto", messages=HI).input_tokens > 0


def unknown_model():
    try:
        client.messages.create(model="nope", max_tokens=9, messages=HI)
    except anthropic.NotFoundError as error:
        same(error.body["type"], "error")
    else:
        raise AssertionError("no error")


def bad_request():
    try:
        client.messages.create(model="auto", max_tokens=9, messages=[])
    except anthropic.BadRequestError:
        return
    raise AssertionError("no error")


about("anthropic")
run(whole, streamed, tools, tools_streamed, count_tokens, unknown_model, bad_request)
