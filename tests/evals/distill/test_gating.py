"""A student is judged on what was held out and on other work, by every metric, beside a control."""

import asyncio
import json
import random

import pytest
from click.testing import CliRunner

from evals.distill.apart import Overlap
from evals.distill.example import Example, Message, prompt_id
from evals.distill.folder import Folder
from evals.distill.gating import GateError, judge
from evals.runs.asking import ConfigError
from evals.runs.execute import Wishes
from stillhouse.cli import distill_gate
from stillhouse.cli.distill import command
from tests.evals.distill import made
from tests.support.upstream import Answer, ScriptedUpstream

SETTINGS = """\
stillhouse: 1
upstreams: {{up: {{kind: openai, base_url: "{url}"}}}}
tiers:
  - {{tier: small, upstream: up, model: m-student, price: {{input: 1, output: 2}}}}
  - {{tier: small, upstream: up, model: m-small, price: {{input: 1, output: 2}}}}
  - {{tier: small, upstream: up, model: m-nano, price: {{input: 0, output: 0}}}}
"""


def asked(n, word, seed):
    said = f"{made.text(random.Random(seed + n), word)} {n}"
    messages = (Message("user", said),)
    return Example(id=prompt_id(messages), messages=messages, answer=str(n), route="r", failure="escalated")


def right(*wrong):
    """A server that repeats the last word, but for prompts that hold one of some words."""

    def answer(seen):
        if not seen.path.endswith("/chat/completions"):
            return Answer.error(404, "no such page")
        said = seen.json["messages"][-1]["content"]
        bad = any(word in said for word in wrong) and int(said.split()[-1]) % 2
        return Answer.completion("wrong" if bad else said.split()[-1])

    return answer


@pytest.fixture
async def up():
    async with ScriptedUpstream() as server:
        server.always(right(), model="m-student")
        server.always(right("refund"), model="m-small")
        server.always(right(), model="m-nano")
        yield server


@pytest.fixture
def folder(home, up):
    folder = Folder.of(home, "loop")
    folder.root.mkdir(parents=True)
    made.write(folder.holdout, [asked(n, "refund", 1_000) for n in range(120)])
    made.write(folder.general, [asked(n, "delivery", 9_000) for n in range(60)])
    made.write(folder.train, [asked(n, "invoice", 50_000) for n in range(60)])
    (home / "stillhouse.yaml").write_text(SETTINGS.format(url=up.base_url))
    return folder


async def judged(folder, *models, **wishes):
    given = Wishes(runs=folder.root / "gate" / "runs", config=folder.root.parents[1] / "stillhouse.yaml", **wishes)
    student, current, control = (*models, None, None, None)[:3]
    return await judge(folder, student or "m-student", current or "m-small", control, ("exact",), given)


async def test_a_student_that_is_better_and_forgot_nothing_is_said_yes(folder):
    done = await judged(folder, "m-student", "m-small", "m-nano")
    quality = next(f for f in done.ruling.findings if f.estimate.metric.name == "exact")
    assert (quality.verdict, quality.estimate.candidate, quality.estimate.current) == ("yes", 1.0, 0.5)
    assert not [f for f in done.ruling.findings if f.verdict == "no" and "latency" not in f.estimate.metric.name]
    assert any("general" in f.estimate.metric.name for f in done.ruling.findings)
    assert done.control is not None
    assert all("control" not in f.estimate.against for f in done.ruling.findings)


async def test_a_student_that_forgot_other_work_is_said_no(folder, up):
    up.always(right("delivery"), model="m-student")
    done = await judged(folder)
    assert done.ruling.verdict == "no"
    assert any(f.verdict == "no" and "general" in f.estimate.metric.name for f in done.ruling.findings)


async def test_a_student_that_saw_what_judges_it_is_refused_before_anything_is_asked(folder, up):
    made.write(folder.train, [asked(n, "refund", 1_000) for n in range(100, 160)])
    with pytest.raises(Overlap, match="must not see what judges it"):
        await judged(folder)
    assert not up.requests


async def test_rows_without_an_answer_are_counted_and_a_holdout_of_them_is_refused(folder):
    rows = [asked(n, "refund", 1_000) for n in range(60)]
    bare = [Example(id=row.id, messages=row.messages) for row in rows[:20]]
    made.write(folder.holdout, [*bare, *rows[20:]])
    assert (await judged(folder)).left_out == {"holdout": 20, "general": 0}
    made.write(folder.holdout, bare)
    with pytest.raises(GateError, match="label the holdout first"):
        await judged(folder)


async def test_a_model_that_is_not_there_or_twice_is_refused(folder):
    with pytest.raises(ConfigError, match="m-other"):
        await judged(folder, "m-other")
    with pytest.raises(GateError, match="against itself"):
        await judged(folder, "m-small", "m-small")


async def test_the_command_leaves_evidence_and_its_exit_code_is_the_verdict(folder, home, monkeypatch):
    done = await judged(folder, "m-small", "m-student", "m-nano")  # the worse one as the candidate
    student = folder.student("abc")
    student.mkdir(parents=True)
    (student / "student.json").write_text(json.dumps({
        "kind": "gguf", "name": "m-small", "base": "b", "teacher": "t", "dataset_hash": "d", "recipe_hash": "r",
        "seconds": 1.0, "rows": 60,
    }))  # fmt: skip

    async def known(*_arguments, **_more):
        return done

    monkeypatch.setattr("evals.distill.gating.judge", known)
    run = ["gate", "loop", "m-small", "--against", "m-student", "--config", str(home / "stillhouse.yaml")]
    result = await asyncio.to_thread(lambda: CliRunner().invoke(command, run, catch_exceptions=False))
    assert result.exit_code == 1
    assert result.output.startswith("NO: ")
    assert "does not decide" in result.output
    (left,) = (folder.root / "gate").glob("????????????????.json")
    told = json.loads(left.read_text())
    assert (told["kind"], told["verdict"], told["student"]["digest"]) == ("gate", "no", "abc")
    assert told["control"]["verdict"] in {"yes", "no", "untold"}
    assert len(told["data"]) == 4
    assert distill_gate.command.name == "gate"


def test_a_loop_that_is_not_there_is_said(home):
    result = CliRunner().invoke(command, ["gate", "none", "a", "--against", "b"], catch_exceptions=False)
    assert result.exit_code == 2
    assert "holdout" in result.output or "train" in result.output
