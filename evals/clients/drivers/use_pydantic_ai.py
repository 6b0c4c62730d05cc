"""pydantic-ai: text, streams, structured output, tools; over chat and over Responses."""

from case import URL, about, run, same
from pydantic import BaseModel
from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.openai import OpenAIProvider

HELLO = "Hello from upstream."
provider = OpenAIProvider(base_url=URL, api_key="none")
chat = OpenAIChatModel("auto", provider=provider)
responses = OpenAIResponsesModel("auto", provider=OpenAIProvider(base_url=URL, api_key="none"))


class Person(BaseModel):
    """Somebody."""

    name: str
    age: int


async def whole():
    same((await Agent(chat).run("hi")).output, HELLO)


async def streamed():
    async with Agent(chat).run_stream("hi") as stream:
        same(await stream.get_output(), HELLO)


async def structured():
    same((await Agent(chat, output_type=Person).run("hi")).output.age, 3)


async def tools():
    agent = Agent(chat)

    @agent.tool_plain
    def weather(city: str) -> str:
        """Tell the weather."""
        return city

    assert "sunny" in (await agent.run("hi")).output


async def over_responses():
    same((await Agent(responses).run("hi")).output, HELLO)


async def over_responses_structured():
    same((await Agent(responses, output_type=Person).run("hi")).output.age, 3)


about("pydantic-ai-slim")
run(whole, streamed, structured, tools, over_responses, over_responses_structured)
