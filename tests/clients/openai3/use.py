"""openai-python 3 (on httpx2) against the gateway whose base URL is the first argument."""

import sys

import openai

with openai.OpenAI(base_url=sys.argv[1], api_key="none", max_retries=0) as client:
    messages = [{"role": "user", "content": "hi"}]
    whole = client.chat.completions.with_raw_response.create(model="auto", messages=messages)
    assert whole.parse().choices[0].message.content == "Hello from upstream."
    assert whole.headers["x-stillhouse-tier"]
    events = list(
        client.chat.completions.create(
            model="auto", messages=messages, stream=True, stream_options={"include_usage": True}
        )
    )
    assert "".join(e.choices[0].delta.content or "" for e in events if e.choices) == "Hello from upstream."
    assert events[-1].usage.total_tokens > 0
    assert "auto" in [m.id for m in client.models.list()]
    assert len(client.embeddings.create(model="embed", input=["a", "b"]).data) == 2
    try:
        client.chat.completions.create(model="nope", messages=messages)
    except openai.NotFoundError as error:
        assert error.code == "model_not_found"
        assert error.request_id
    else:
        raise AssertionError("an unknown model was served")
print("ok", openai.__version__)
