"""A candidate is asked what callers asked, and nobody is served by it."""

import asyncio
import json
import random

import pytest
from click.testing import CliRunner

from evals.distill.example import Example, Message, prompt_id
from evals.distill.folder import Folder
from evals.distill.registering import find_student, register
from router.registry import weights
from stillhouse.cli.distill import command
from tests.evals.distill import made, students
from tests.support.upstream import Answer, ScriptedUpstream

SETTINGS = """\
stillhouse: 1
upstreams: {{up: {{kind: openai, base_url: "{url}"}}}}
tiers:
  - {{tier: small, upstream: up, model: m-small, price: {{input: 1, output: 2}}}}
  - {{tier: small, upstream: up, model: m-student, candidate: true, price: {{input: 1, output: 2}}}}
"""


def said(n, tier="small", answer="yes", route="r"):
    messages = (Message("system", students.SYSTEM), Message("user", made.text(random.Random(n), "refund", words=6)))
    return Example(id=prompt_id(messages), messages=messages, answer=answer, tier=tier, route=route, at_ms=n)


@pytest.fixture
async def up():
    async with ScriptedUpstream() as server:
        server.always(Answer.completion("yes"), model="m-student")
        yield server


@pytest.fixture
def folder(home, up, monkeypatch):
    monkeypatch.setattr(weights, "_BUILT_IN_PACKAGE", "a-package-that-is-not-installed")
    folder = Folder.of(home, "loop")
    folder.rows("captures").parent.mkdir(parents=True)
    rows = [said(n, answer="yes" if n % 4 else "no", route=f"r{n % 4 > 0}") for n in range(40)]
    made.write(folder.train, rows[:4])
    made.write(folder.rows("captures"), [*rows, said(90, tier="large"), said(91, answer=None)])
    (home / "stillhouse.yaml").write_text(SETTINGS.format(url=up.base_url))
    return folder


async def run(home, *words):
    line = ["shadow", "loop", *words, "--config", str(home / "stillhouse.yaml"), "--json"]
    result = await asyncio.to_thread(lambda: CliRunner().invoke(command, line, catch_exceptions=False))
    return result, json.loads(result.output) if result.exit_code < 2 else {}


async def test_answers_are_compared_by_route_and_no_text_is_kept_in_the_figures(folder, home, up):
    result, told = await run(home, "m-student")
    assert result.exit_code == 0, result.output
    assert (told["rows"], told["answered"], told["errors"]) == (36, 36, 0)
    assert told["left_out"] == {"no answer": 1, "learned from": 4, "other tier": 1}
    agreed = told["agreement"]
    assert agreed["value"] == 0.75
    assert agreed["low"] < 0.75 < agreed["high"]
    assert {route: found["value"] for route, found in told["routes"].items()} == {"rFalse": 0.0, "rTrue": 1.0}
    left = (folder.root / "shadow" / "m-student.json").read_text()
    assert json.loads(left)["agreement"] == agreed
    assert "refund" not in left
    assert {seen.json["model"] for seen in up.requests} == {"m-student"}
    _, wider = await run(home, "m-student", "--any-tier")
    assert wider["rows"] == 37
    _, latest = await run(home, "m-student", "--limit", "8")
    assert latest["rows"] == 8


async def test_a_candidate_that_fails_costs_nobody_anything_and_is_counted(folder, home, up):
    up.always(Answer.error(400), model="m-student")
    result, told = await run(home, "m-student", "--limit", "6")
    assert result.exit_code == 1, result.output
    assert (result.exit_code, told["errors"], told["answered"], told["agreement"]) == (1, 6, 0, None)


async def test_what_a_head_leaves_to_others_is_no_disagreement(folder, home, up):
    digest = students.digest("head")
    students.head(folder, digest, {said(9).messages[-1].content: "yes", said(8).messages[-1].content: "yes"})
    register(folder, home, find_student(folder, digest), "small", "2026-11-25")
    _, told = await run(home, digest)
    assert (told["rows"], told["answered"], told["abstained"], told["errors"]) == (36, 2, 34, 0)
    assert told["agreement"]["value"] == 0.5
    assert up.requests == []


@pytest.mark.parametrize("words", [("m-student", "--source", "elsewhere"), ("nobody",)])
async def test_where_there_is_nothing_to_compare_nothing_is_asked(folder, home, up, words):
    result, _ = await run(home, *words)
    assert result.exit_code == 2
    made.write(folder.rows("captures"), [said(50, tier="large")])
    result, _ = await run(home, "m-student")
    assert "another tier answered" in result.output
    assert up.requests == []
