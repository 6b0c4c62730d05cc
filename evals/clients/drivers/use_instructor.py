"""instructor: a model's answer read into a class, by tools, by JSON, in parts."""

import instructor
import openai
from case import URL, about, run, same
from pydantic import BaseModel

HI = [{"role": "user", "content": "hi"}]


class Person(BaseModel):
    """Somebody."""

    name: str
    age: int


def made(mode):
    return instructor.from_openai(openai.OpenAI(base_url=URL, api_key="none", max_retries=0), mode=mode)


def by_tools():
    same(made(instructor.Mode.TOOLS).chat.completions.create(model="auto", messages=HI, response_model=Person).age, 3)


def by_json():
    same(made(instructor.Mode.JSON).chat.completions.create(model="auto", messages=HI, response_model=Person).age, 30)


def in_parts():
    parts = made(instructor.Mode.TOOLS).chat.completions.create_partial(
        model="auto", messages=HI, response_model=Person
    )
    same(list(parts)[-1].age, 3)


about("instructor")
run(by_tools, by_json, in_parts)
