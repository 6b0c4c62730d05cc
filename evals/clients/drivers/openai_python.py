"""openai-python, 2 and 3: every endpoint that a newcomer tries."""

import openai
from case import URL, about, run, same

client = openai.OpenAI(base_url=URL, api_key="none", max_retries=0)
HI = [{"role": "user", "content": "hi"}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
HELLO = "Hello from upstream."


def whole():
    answer = client.chat.completions.create(model="auto", messages=HI)
    same(answer.choices[0].message.content, HELLO)
    assert answer._request_id.startswith("req_")


def stream_with_usage():
    options = {"include_usage": True}
    events = list(client.chat.completions.create(model="auto", messages=HI, stream=True, stream_options=options))
    same("".join(e.choices[0].delta.content or "" for e in events if e.choices), HELLO)
    assert events[-1].usage.total_tokens > 0
    same(events[-1].choices, [])


def stream_without_usage():
    events = list(client.chat.completions.create(model="auto", messages=HI, stream=True))
    assert all(e.usage is None and e.choices for e in events)


def stream_helper():
    with client.chat.completions.stream(model="auto", messages=HI) as stream:
        same(stream.get_final_completion().choices[0].message.content, HELLO)


def tools():
    answer = client.chat.completions.create(model="auto", messages=HI, tools=[WEATHER])
    (call,) = answer.choices[0].message.tool_calls
    same((call.function.name, call.function.arguments), ("weather", '{"city": "서울"}'))
    messages = [*HI, answer.choices[0].message, {"role": "tool", "tool_call_id": call.id, "content": "sunny"}]
    answer = client.chat.completions.create(model="auto", messages=messages, tools=[WEATHER])
    assert "sunny" in answer.choices[0].message.content


def tools_streamed():
    with client.chat.completions.stream(model="auto", messages=HI, tools=[WEATHER]) as stream:
        (call,) = stream.get_final_completion().choices[0].message.tool_calls
    same(call.function.arguments, '{"city": "서울"}')


def json_schema():
    form = {
        "type": "json_schema",
        "json_schema": {
            "name": "n",
            "schema": {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]},
        },
    }
    answer = client.chat.completions.create(model="auto", messages=HI, response_format=form)
    same(answer.choices[0].message.content, '{"a": 3}')


def embeddings():
    same(len(client.embeddings.create(model="embed", input=["a", "b"]).data), 2)
    same(client.embeddings.create(model="embed", input="a", dimensions=8).data[0].embedding, [0.5] * 8)


def models():
    assert "auto" in [m.id for m in client.models.list()]
    same(client.models.retrieve("auto").id, "auto")


def unknown_model():
    try:
        client.chat.completions.create(model="nope", messages=HI)
    except openai.NotFoundError as error:
        same(error.code, "model_not_found")
        assert error.request_id.startswith("req_")
    else:
        raise AssertionError("no error")


def bad_request():
    try:
        client.chat.completions.create(model="auto", messages=[])
    except openai.BadRequestError as error:
        same(error.param, "messages")
    else:
        raise AssertionError("no error")


def moderations():
    assert client.moderations.create(input="hi").results[0].flagged is False


def completions_of_before_chat():
    same(client.completions.create(model="auto", prompt="hi").choices[0].text, HELLO)
    events = list(client.completions.create(model="auto", prompt="hi", stream=True))
    same("".join(e.choices[0].text for e in events if e.choices), HELLO)


def responses():
    answer = client.responses.create(model="auto", input="hi")
    same(answer.output_text, HELLO)
    assert answer.usage.total_tokens > 0
    again = client.responses.create(model="auto", input="and now?", previous_response_id=answer.id)
    same(again.output_text, HELLO)


def responses_streamed():
    events = list(client.responses.create(model="auto", input="hi", stream=True))
    same("".join(e.delta for e in events if e.type == "response.output_text.delta"), HELLO)
    same((events[0].type, events[-1].type), ("response.created", "response.completed"))
    with client.responses.stream(model="auto", input="hi") as stream:
        same(stream.get_final_response().output_text, HELLO)


def responses_with_tools():
    tool = {"type": "function", **WEATHER["function"], "strict": False}
    answer = client.responses.create(model="auto", input="hi", tools=[tool])
    (call,) = [item for item in answer.output if item.type == "function_call"]
    same(call.arguments, '{"city": "서울"}')
    told = {"type": "function_call_output", "call_id": call.call_id, "output": "sunny"}
    again = client.responses.create(model="auto", input=[told], previous_response_id=answer.id, tools=[tool])
    assert "sunny" in again.output_text


about("openai")
run(
    whole, stream_with_usage, stream_without_usage, stream_helper, tools, tools_streamed, json_schema, embeddings,
    models, unknown_model, bad_request, moderations, completions_of_before_chat, responses, responses_streamed,
    responses_with_tools,
)  # fmt: skip
