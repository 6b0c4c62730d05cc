"""The completions of before chat, by the real SDK."""

import openai
import pytest

from router.core.surfaces.completions import Completions
from router.errors import StillhouseError
from tests.router.serve.test_responses import EMAIL, GUARDED
from tests.support.upstream import CLOSE, Answer, chunk, completion, finish, usage

# connections that the SDK itself leaves to the garbage collector
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")


async def ask(gw, **fields):
    return await gw.http.post("/v1/completions", json={"model": "auto", "prompt": "hi", **fields})


async def test_the_sdk_asks_and_streams(serve, up):
    gw = await serve()
    async with openai.AsyncOpenAI(base_url=gw.base_url, api_key="none", max_retries=0) as sdk:
        up.script(Answer.json(completion("Hi", choices=2)))
        whole = await sdk.completions.create(model="auto", prompt=["hi"], n=2, stop=["x"], seed=1)
        assert [(c.index, c.text, c.finish_reason) for c in whole.choices] == [(0, "Hi", "stop"), (1, "Hi", "stop")]
        assert (whole.object, whole.usage.total_tokens) == ("text_completion", 11)
        sent = up.requests[0].json
        assert sent["messages"] == [{"role": "user", "content": "hi"}]
        assert (sent["stop"], sent["seed"], sent["n"], sent["max_completion_tokens"]) == (["x"], 1, 2, 16)
        up.script(Answer.stream(chunk("H"), chunk("i"), finish("length"), usage()))
        options = {"include_usage": True}
        stream = await sdk.completions.create(
            model="auto", prompt="hi", stream=True, max_tokens=5, stream_options=options
        )
        events = [event async for event in stream]
    assert "".join(c.text for e in events for c in e.choices) == "Hi"
    assert [c.finish_reason for e in events for c in e.choices][-1] == "length"
    assert (events[-1].choices, events[-1].usage.total_tokens) == ([], 11)
    assert up.requests[1].json["max_completion_tokens"] == 5


async def test_usage_that_was_not_asked_for_is_not_sent(serve, up):
    gw = await serve()
    answer = await ask(gw, stream=True)
    assert "usage" not in answer.text
    assert answer.text.endswith("data: [DONE]\n\n")


async def test_a_stream_that_breaks_off_ends_with_an_error(serve, up):
    gw = await serve()
    up.script(Answer.stream(chunk("Hal"), CLOSE))
    answer = await ask(gw, stream=True)
    assert "upstream_unavailable" in answer.text
    assert "[DONE]" not in answer.text


async def test_thoughts_have_no_place_and_that_is_said(serve, up):
    gw = await serve()
    up.script(Answer.completion("Hi", reasoning="hm"))
    answer = await ask(gw)
    assert "hm" not in answer.text
    assert answer.headers["x-stillhouse-dropped"] == "choices[].reasoning"


async def test_prompt_and_text_are_guarded(serve, up):
    gw = await serve(GUARDED)
    up.script(Answer.completion(f"to {EMAIL}"))
    answer = await ask(gw, prompt=f"I am {EMAIL}")
    assert EMAIL not in up.requests[0].body.decode() + answer.text
    told = (await ask(gw, prompt="forbidden")).json()["choices"][0]
    assert (told["text"], told["finish_reason"]) == ("Not this.", "content_filter")


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ("", "model"),
        ('"model":"m"', "prompt"),
        ('"model":"m","prompt":5', "prompt"),
        ('"model":"m","prompt":["a","b"]', "prompt"),
        ('"model":"m","prompt":[1,2]', "prompt"),
        ('"model":"m","prompt":[]', "prompt"),
        ('"model":"m","prompt":"a","suffix":"b"', "suffix"),
        ('"model":"m","prompt":"a","echo":true', "echo"),
        ('"model":"m","prompt":"a","echo":[]', "echo"),
        ('"model":"m","prompt":"a","logprobs":0', "logprobs"),
        ('"model":"m","prompt":"a","best_of":3', "best_of"),
        ('"model":"m","prompt":"a","best_of":[]', "best_of"),
        ('"model":"m","prompt":"a","stream":true,"stream_options":5', "stream_options"),
        ('"model":"m","prompt":"a","messages":[]', "messages"),
    ],
)
def test_what_cannot_be_carried_is_refused_by_name(fields, param):
    with pytest.raises(StillhouseError) as refused:
        Completions(f"{{{fields}}}".encode())
    assert (refused.value.status, refused.value.param) == (400, param)
