"""LlamaIndex's client for servers that speak as OpenAI does."""

from case import URL, about, run, same
from llama_index.core.llms import ChatMessage
from llama_index.core.tools import FunctionTool
from llama_index.llms.openai_like import OpenAILike

HELLO = "Hello from upstream."
llm = OpenAILike(
    model="auto", api_base=URL, api_key="none", is_chat_model=True, is_function_calling_model=True, max_retries=0
)
HI = [ChatMessage(role="user", content="hi")]


def weather(city: str) -> str:
    """Tell the weather."""
    return city


def whole():
    same(llm.chat(HI).message.content, HELLO)


def streamed():
    same(list(llm.stream_chat(HI))[-1].message.content, HELLO)


async def asynchronous():
    same((await llm.achat(HI)).message.content, HELLO)


def tools():
    made = FunctionTool.from_defaults(weather)
    answer = llm.chat(HI, tools=[made.metadata.to_openai_tool()])
    same(llm.get_tool_calls_from_response(answer)[0].tool_kwargs, {"city": "서울"})


def complete():
    same(llm.complete("hi").text, HELLO)


about("llama-index-llms-openai-like")
run(whole, streamed, asynchronous, tools, complete)
