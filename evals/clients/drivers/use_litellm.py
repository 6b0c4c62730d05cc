"""litellm as a client of the gateway."""

import os

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import litellm
from case import URL, about, run, same

HI = [{"role": "user", "content": "hi"}]
HELLO = "Hello from upstream."
OPTIONS = {"model": "openai/auto", "api_base": URL, "api_key": "none", "num_retries": 0, "max_retries": 0}


def whole():
    same(litellm.completion(messages=HI, **OPTIONS).choices[0].message.content, HELLO)


def streamed_with_usage():
    events = list(litellm.completion(messages=HI, stream=True, stream_options={"include_usage": True}, **OPTIONS))
    same("".join(e.choices[0].delta.content or "" for e in events if e.choices), HELLO)


def embeddings():
    made = litellm.embedding(model="openai/embed", input=["a"], api_base=URL, api_key="none")
    same(len(made.data), 1)


def unknown_model():
    try:
        litellm.completion(messages=HI, **{**OPTIONS, "model": "openai/nope"})
    except litellm.NotFoundError:
        return
    raise AssertionError("no error")


about("litellm")
run(whole, streamed_with_usage, embeddings, unknown_model)
