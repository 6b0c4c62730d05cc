"""LangChain: chat, streams, tools, structured answers, embeddings; over chat and over Responses."""

from case import URL, about, run, same
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import BaseModel

HELLO = "Hello from upstream."
OPTIONS = {"model": "auto", "base_url": URL, "api_key": "none", "max_retries": 0, "stream_usage": True}
chat = ChatOpenAI(**OPTIONS)
responses = ChatOpenAI(**OPTIONS, use_responses_api=True)


class Person(BaseModel):
    """Somebody."""

    name: str
    age: int


@tool
def weather(city: str) -> str:
    """Tell the weather."""
    return city


def whole():
    same(chat.invoke("hi").content, HELLO)


def streamed_with_usage():
    parts = list(chat.stream("hi"))
    same("".join(p.content for p in parts), HELLO)
    assert sum((p.usage_metadata or {}).get("total_tokens", 0) for p in parts) > 0


def tools():
    same(chat.bind_tools([weather]).invoke("hi").tool_calls[0]["args"], {"city": "서울"})


def structured():
    for method in ("json_schema", "function_calling"):
        same(chat.with_structured_output(Person, method=method).invoke("hi").age, 3)


def embeddings():
    made = OpenAIEmbeddings(model="embed", base_url=URL, api_key="none", check_embedding_ctx_length=False)
    same(len(made.embed_documents(["a", "b"])), 2)


def over_responses():
    same(responses.invoke("hi").text, HELLO)


def over_responses_streamed():
    same("".join(part.text for part in responses.stream("hi")), HELLO)


def over_responses_with_tools():
    same(responses.bind_tools([weather]).invoke("hi").tool_calls[0]["args"], {"city": "서울"})


about("langchain-openai")
run(
    whole,
    streamed_with_usage,
    tools,
    structured,
    embeddings,
    over_responses,
    over_responses_streamed,
    over_responses_with_tools,
)
