"""Real clients, unmodified. Libraries that fit into one environment run here; see ``test_apart.py`` for the rest."""

import asyncio
import json
import shutil

import pytest
from pydantic import BaseModel

from tests.support.upstream import Answer, chunk, completion, finish, tool, usage

pytestmark = [
    pytest.mark.clients,
    # connections that the libraries themselves leave to the garbage collector
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
]


class Person(BaseModel):
    """What structured answers are read into."""

    name: str
    age: int


ANN = '{"name": "Ann", "age": 30}'


def tool_answer(name, arguments):
    call = {"id": "call_1", "type": "function", "function": {"name": name, "arguments": arguments}}
    body = completion(None)
    body["choices"][0]["message"] = {"role": "assistant", "content": None, "tool_calls": [call]}
    body["choices"][0]["finish_reason"] = "tool_calls"
    return Answer.json(body)


async def test_openai_python(serve, up):
    import openai

    gw = await serve()

    def use():
        with openai.OpenAI(base_url=gw.base_url, api_key="none", max_retries=0) as client:
            whole = client.chat.completions.create(model="auto", messages=[{"role": "user", "content": "hi"}])
            assert whole.choices[0].message.content == "Hello from upstream."
            assert whole._request_id.startswith("req_")
            events = list(client.chat.completions.create(
                model="auto", messages=[{"role": "user", "content": "hi"}], stream=True, stream_options={"include_usage": True}
            ))  # fmt: skip
            assert "".join(e.choices[0].delta.content or "" for e in events if e.choices) == "Hello from upstream."
            assert events[-1].usage.total_tokens > 0
            assert "auto" in [m.id for m in client.models.list()]
            assert client.models.retrieve("m-small").id == "m-small"
            assert len(client.embeddings.create(model="embed", input=["a", "b"]).data) == 2
            with pytest.raises(openai.NotFoundError) as missing:
                client.chat.completions.create(model="nope", messages=[{"role": "user", "content": "hi"}])
            assert missing.value.code == "model_not_found"
            assert missing.value.request_id.startswith("req_")
            with pytest.raises(openai.BadRequestError):
                client.chat.completions.create(model="auto", messages=[])

    await asyncio.to_thread(use)


async def test_openai_python_async_stream_helper(serve, up):
    import openai

    gw = await serve()
    async with openai.AsyncOpenAI(base_url=gw.base_url, api_key="none") as client:
        async with client.chat.completions.stream(model="auto", messages=[{"role": "user", "content": "hi"}]) as stream:
            final = await stream.get_final_completion()
        assert final.choices[0].message.content == "Hello from upstream."
        up.script(Answer.completion(ANN))
        parsed = await client.chat.completions.parse(
            model="auto", messages=[{"role": "user", "content": "x"}], response_format=Person
        )
        assert parsed.choices[0].message.parsed == Person(name="Ann", age=30)


async def test_openai_python_sees_a_rate_limit_and_its_retry_after(serve, up):
    import openai

    gw = await serve()
    up.always(Answer.error(429, retry_after=17))
    async with openai.AsyncOpenAI(base_url=gw.base_url, api_key="none", max_retries=0) as client:
        with pytest.raises(openai.RateLimitError) as limited:
            await client.chat.completions.create(model="large", messages=[{"role": "user", "content": "x"}])
    assert limited.value.response.headers["retry-after"] == "17"


async def test_langchain(serve, up):
    from langchain_core.tools import tool as as_tool
    from langchain_openai import ChatOpenAI, OpenAIEmbeddings

    gw = await serve()

    @as_tool
    def weather(city: str) -> str:
        """Tell the weather."""
        return city

    model = ChatOpenAI(model="auto", base_url=gw.base_url, api_key="none", max_retries=0, stream_usage=True)
    assert (await model.ainvoke("hi")).content == "Hello from upstream."
    parts = [part async for part in model.astream("hi")]
    assert "".join(p.content for p in parts) == "Hello from upstream."
    assert sum((p.usage_metadata or {}).get("total_tokens", 0) for p in parts) > 0
    up.script(tool_answer("weather", '{"city": "서울"}'))
    assert (await model.bind_tools([weather]).ainvoke("x")).tool_calls[0]["args"] == {"city": "서울"}
    up.script(Answer.completion(ANN))
    assert await model.with_structured_output(Person).ainvoke("x") == Person(name="Ann", age=30)
    vectors = OpenAIEmbeddings(model="embed", base_url=gw.base_url, api_key="none", check_embedding_ctx_length=False)
    assert len(await vectors.aembed_documents(["a", "b"])) == 2


async def test_litellm_client(serve, up):
    from router.upstream.litellm import LiteLLMUpstream

    upstream = LiteLLMUpstream("client", "none")
    litellm = await upstream._load()
    gw = await serve()
    options = {"model": "openai/auto", "api_base": gw.base_url, "api_key": "none", "num_retries": 0, "max_retries": 0}
    messages = [{"role": "user", "content": "hi"}]
    assert (await litellm.acompletion(messages=messages, **options)).choices[
        0
    ].message.content == "Hello from upstream."
    stream = await litellm.acompletion(
        messages=messages, stream=True, stream_options={"include_usage": True}, **options
    )
    events = [e async for e in stream]
    assert "".join(e.choices[0].delta.content or "" for e in events if e.choices) == "Hello from upstream."
    up.script(Answer.error(400, "This model's maximum context length is 10 tokens.", code="context_length_exceeded"))
    with pytest.raises(litellm.ContextWindowExceededError):
        await litellm.acompletion(messages=messages, **options)
    await upstream.close()


async def test_instructor(serve, up):
    import instructor
    import openai

    gw = await serve()
    async with openai.AsyncOpenAI(base_url=gw.base_url, api_key="none") as plain:
        client = instructor.from_openai(plain)
        up.script(tool_answer("Person", ANN))
        person = await client.chat.completions.create(
            model="auto", messages=[{"role": "user", "content": "Ann is 30"}], response_model=Person
        )
    assert (person.name, person.age) == ("Ann", 30)  # it is of a class that instructor makes from ours


async def test_pydantic_ai(serve, up):
    from pydantic_ai import Agent
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    gw = await serve()
    model = OpenAIChatModel("auto", provider=OpenAIProvider(base_url=gw.base_url, api_key="none"))
    assert (await Agent(model).run("hi")).output == "Hello from upstream."
    async with Agent(model).run_stream("hi") as stream:
        assert await stream.get_output() == "Hello from upstream."
    up.script(tool_answer("final_result", ANN))
    assert (await Agent(model, output_type=Person).run("x")).output == Person(name="Ann", age=30)


async def test_tool_calls_stream_through_openai_python(serve, up):
    import openai

    gw = await serve()
    up.script(Answer.stream(
        chunk(tools=(tool("", name="f", id="call_1"),)), chunk(tools=(tool('{"city":'),)), chunk(tools=(tool(' "서울"}'),)),
        finish("tool_calls"), usage(),
    ))  # fmt: skip
    async with openai.AsyncOpenAI(base_url=gw.base_url, api_key="none") as client:
        stream = await client.chat.completions.create(
            model="auto", messages=[{"role": "user", "content": "x"}], stream=True
        )
        events = [e async for e in stream]
    calls = [c for e in events if e.choices for c in e.choices[0].delta.tool_calls or ()]
    assert calls[0].id == "call_1"
    assert json.loads("".join(c.function.arguments for c in calls)) == {"city": "서울"}


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
async def test_curl(serve):
    gw = await serve()
    process = await asyncio.create_subprocess_exec(
        "curl", "-sS", "-N", "--fail-with-body", gw.base_url + "/chat/completions", "-H", "Content-Type: application/json",
        "-d", '{"model": "auto", "stream": true, "messages": [{"role": "user", "content": "hi"}]}',
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, _ = await process.communicate()
    assert process.returncode == 0
    assert out.endswith(b"data: [DONE]\n\n")
