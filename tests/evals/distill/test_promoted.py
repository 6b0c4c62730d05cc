"""The whole way of a head to traffic and back: taught, listed, judged, on trial in one cell, live in all, rolled back."""

import asyncio
import contextlib
import json
import random

import pytest
from click.testing import CliRunner

from evals.distill.example import Example, Message, prompt_id
from evals.distill.folder import Folder
from evals.distill.trainers.choose import Options
from evals.distill.training import Choice, train
from router.registry import proposals, weights
from router.serve import app
from router.serve.settings import load_settings
from stillhouse.cli.main import cli
from tests.evals.distill import made
from tests.support.gateway import gateway
from tests.support.upstream import Answer, ScriptedUpstream

SETTINGS = """\
stillhouse: 1
server: {{cell: {cell}}}
upstreams: {{up: {{kind: openai, base_url: "{url}"}}}}
policies: [ours.yaml]
tiers:
  - {{tier: small, upstream: up, model: m-small, price: {{input: 1, output: 2}}}}
  - {{tier: large, upstream: up, model: m-large, price: {{input: 9, output: 9}}}}
"""
OURS = "stillhouse: 1\nname: ours\nquality: {floor: 0.85}  # sure enough, or a better one\n"
TASK = "Name the subject in one word."
SUBJECTS = ("refund", "invoice", "delivery", "password")
OPENINGS = ("Good morning, can you tell me where", "I still wait to hear about", "Who can help my mother with", "Please look into",
            "Last week I asked your colleague about", "Nobody seems to know what became of", "We are quite unhappy with")  # fmt: skip
THINGS = ("green lamp", "garden chair", "kitchen table", "wool blanket", "bicycle", "radio", "winter coat", "tent")
MIDDLES = ("that we bought in spring", "from your shop in town", "which was a present", "you sent to our office",
           "my brother asked for", "that broke on its first day")  # fmt: skip
ENDS = ("and will it be settled by", "or must I come again on", "and may I call you on", "or is it too late after")
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
NAMES = ("Anna", "Boris", "Clara", "David", "Emma", "Felix", "Greta", "Henry")
TOWNS = ("Oakford", "Millbridge", "Sandbury", "Ashcombe", "Fernhill", "Wexham", "Stonedale", "Marlow")
LOOSE = ("--ignore=*latency*", "--margin=*=0.15", "--margin=*cost=15%")


@pytest.fixture(autouse=True)
def often(monkeypatch):
    monkeypatch.setattr(app, "RELOAD_SECONDS", 0.1)
    monkeypatch.setattr(app, "JUDGE_SECONDS", 0.1)
    monkeypatch.setattr(weights, "_BUILT_IN_PACKAGE", "a-package-that-is-not-installed")


def said(seed, subject):
    """Plain English: what reads like nothing that is known goes to a larger tier whatever is expected."""
    rng = random.Random(seed)
    opening, middle, end = rng.choice(OPENINGS), rng.choice(MIDDLES), rng.choice(ENDS)
    asks = f"{opening} the {subject} of the {rng.choice(THINGS)} {middle}, {end} {rng.choice(DAYS)}?"
    return f"{asks} Thank you, {rng.choice(NAMES)} from {rng.choice(TOWNS)}, number {rng.randrange(10_000)}."


def row(system, text, answer):
    messages = (Message("system", system), Message("user", text))
    return Example(id=prompt_id(messages), messages=messages, answer=answer, teacher="t", licence="allowed")


def subjects(n, seed):
    return [row(TASK, said(seed + at, SUBJECTS[at % 4]), SUBJECTS[at % 4]) for at in range(n)]


def knows(*lost):
    """A model that says the subject, and gets some of them wrong."""

    def answer(seen):
        system, user = (message["content"] for message in seen.json["messages"])
        word = next((each for each in SUBJECTS if each in user), "")
        return Answer.completion("ok" if system != TASK else "no idea" if word in lost else word)

    return answer


@pytest.fixture
async def up():
    async with ScriptedUpstream() as server:
        server.always(knows("refund", "invoice", "delivery"), model="m-small")
        server.always(knows(), model="m-large")
        yield server


@pytest.fixture
def loop(home):
    folder = Folder.of(home, "loop")
    folder.root.mkdir(parents=True)
    made.write(folder.train, subjects(120, 1_000))
    made.write(folder.holdout, subjects(60, 50_000))
    made.write(folder.general, [row("Say ok.", said(90_000 + at, "warranty"), "ok") for at in range(32)])
    (home / "ours.yaml").write_text(OURS)
    return folder


@contextlib.asynccontextmanager
async def cells(home, up, *names):
    """Gateways that share a registry, each with a ledger of its own."""
    async with contextlib.AsyncExitStack() as stack:
        found = []
        for name in names:
            file = home / f"{name}.yaml"
            file.write_text(SETTINGS.format(url=up.base_url, cell=name))
            (home / name).mkdir()
            found.append(await stack.enter_async_context(gateway(load_settings(file), home / name)))
        yield found


async def until(true, seconds=30.0):
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.05)


async def run(*words):
    result = await asyncio.to_thread(lambda: CliRunner().invoke(cli, [str(w) for w in words], catch_exceptions=False))
    assert result.exit_code == 0, result.output
    return result.output


async def ask(gw, seed=7, **more):
    messages = [{"role": "system", "content": TASK}, {"role": "user", "content": said(seed, "refund")}]
    return await gw.chat(messages=messages, **more)


def served(answer):
    return answer.headers["x-stillhouse-model"], answer.json()["choices"][0]["message"]["content"]


async def test_a_head_comes_to_traffic_cell_by_cell_and_goes_back_with_what_is_expected_of_it(home, up, loop):
    async with cells(home, up, "c0", "c1") as (first, other):
        assert served(await ask(first)) == ("m-large", "refund")  # nobody expects the small tier to know

        await asyncio.to_thread(train, loop, "nano", Options(), Choice(), lambda *_: None)
        name = json.loads(await run("distill", "register", "loop", "--tier", "small", "--json"))["name"]
        await until(lambda: all(name in {d.name for d in gw.cell.deployments} for gw in (first, other)))
        assert served(await ask(first)) == ("m-large", "refund")
        assert (await ask(first, model=name)).status_code == 404

        told = json.loads(await run(
            "distill", "propose", "loop", "--policy", home / "ours.yaml", "--config", home / "c0.yaml", "--by", "ana",
            "--json", *LOOSE,
        ))  # fmt: skip
        await asyncio.sleep(0.3)
        assert served(await ask(first)) == ("m-large", "refund")  # a proposal serves nobody

        await run(
            "policy", "approve", told["proposal"], "--by", "bo", "--why", "read it", "--steps", "50,100", "--by-unit",
            "request", "--min-requests", "14", "--canary-cell", "c0",
            *(part for signal in ("quality", "errors", "cost", "latency") for part in ("--without", signal)),
        )  # fmt: skip
        await until(lambda: "ours" in first.cell.taken.trials and first.cell.taken.trials["ours"].proposal.share == 0.5)
        seen = [await ask(first, seed) for seed in range(20, 30)]
        arms = {(a.headers["x-stillhouse-arm"].partition(":")[0], *served(a)) for a in seen}
        assert arms == {("canary", name, "refund"), ("incumbent", "m-large", "refund")}
        assert {served(await ask(other, seed))[0] for seed in range(20, 26)} == {"m-large"}

        async with asyncio.timeout(60):  # the test takes the steps, as far as it was allowed to
            while proposals.standing(home).one(told["proposal"]).state != "live":
                await asyncio.gather(*(ask(gw, seed) for seed in range(4) for gw in (first, other)))
        await until(lambda: all(gw.cell.policies["ours"].hash == told["version"] for gw in (first, other)))
        before = len(up.requests)
        assert [served(await ask(gw, seed)) for seed in (40, 41) for gw in (first, other)] == [(name, "refund")] * 4
        assert len(up.requests) == before  # the head answers alone
        record = await first.record(await ask(first, 42))
        assert [(each["deployment"], each["outcome"]) for each in record["attempts"]] == [(name, "ok")]
        assert record["policy_hash"] == told["version"]

        await run("policy", "rollback", "ours", "--by", "ana", "--why", "complaints")
        await until(lambda: all(gw.cell.policies["ours"].hash == told["base"] for gw in (first, other)))
        assert {served(await ask(gw, 43)) for gw in (first, other)} == {("m-large", "refund")}
        assert (await ask(first, model=name)).status_code == 404


async def test_a_gateway_that_starts_later_serves_what_is_live_with_its_profile_or_says_why_not(home, up, loop, caplog):
    """A lost profile is no reason to decide by another model's figures: what the file says is served, and it is said."""
    await asyncio.to_thread(train, loop, "nano", Options(), Choice(), lambda *_: None)
    name = json.loads(await run("distill", "register", "loop", "--tier", "small", "--json"))["name"]
    (home / "c0.yaml").write_text(SETTINGS.format(url=up.base_url, cell="c0"))
    told = json.loads(await run(
        "distill", "propose", "loop", "--policy", home / "ours.yaml", "--config", home / "c0.yaml", "--by", "ana",
        "--json", *LOOSE,
    ))  # fmt: skip
    await run("policy", "approve", told["proposal"], "--by", "bo", "--why", "read it", "--steps", "100")
    async with cells(home, up, "c0") as (gw,):
        await until(lambda: gw.cell.policies["ours"].hash == told["version"])
    (home / "c0").rename(home / "gone")
    async with cells(home, up, "c0") as (gw,):
        assert served(await ask(gw)) == (name, "refund")
    (home / "c0").rename(home / "gone2")
    proposals.bundle_path(home, told["profile"]["digest"]).unlink()
    async with cells(home, up, "c0") as (gw,):
        assert served(await ask(gw))[0] == "m-large"
    assert "the live version stays out" in caplog.text
