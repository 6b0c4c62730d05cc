"""openai-agents: over Responses, its default, and over chat."""

import os

os.environ["OPENAI_AGENTS_DISABLE_TRACING"] = "1"

import openai
from agents import Agent, OpenAIChatCompletionsModel, OpenAIResponsesModel, Runner, function_tool
from case import URL, about, run, same

HELLO = "Hello from upstream."


@function_tool
def weather(city: str) -> str:
    """Tell the weather."""
    return city


def agent(kind, **more):
    client = openai.AsyncOpenAI(base_url=URL, api_key="none", max_retries=0)
    return Agent(name="a", instructions="Be kind.", model=kind(model="auto", openai_client=client), **more)


async def over_responses():
    same((await Runner.run(agent(OpenAIResponsesModel), "hi")).final_output, HELLO)


async def over_responses_with_tools():
    assert "sunny" in (await Runner.run(agent(OpenAIResponsesModel, tools=[weather]), "hi")).final_output


async def over_responses_streamed():
    run_ = Runner.run_streamed(agent(OpenAIResponsesModel), "hi")
    async for _ in run_.stream_events():
        pass
    same(run_.final_output, HELLO)


async def over_chat():
    same((await Runner.run(agent(OpenAIChatCompletionsModel), "hi")).final_output, HELLO)


async def over_chat_with_tools_streamed():
    run_ = Runner.run_streamed(agent(OpenAIChatCompletionsModel, tools=[weather]), "hi")
    async for _ in run_.stream_events():
        pass
    assert "sunny" in run_.final_output


about("openai-agents")
run(over_responses, over_responses_with_tools, over_responses_streamed, over_chat, over_chat_with_tools_streamed)
