"""A candidate is put forward where the gate says yes: the policy, what is expected of it, and all that was shown."""

import asyncio
import json
import random

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner

from evals.distill.example import Example, Message, prompt_id
from evals.distill.folder import Folder
from evals.distill.profiling import fitted, outcomes_of
from evals.distill.registering import find_student, register
from evals.runs.record import Item
from policies.load import load_policy
from router.core.models import profile_name
from router.registry import profiles, proposals, versions, weights
from router.registry.proposals import ProposalError
from router.score import load
from router.serve.fitting import Fits, Unfit, wearing
from stillhouse.cli.distill import command
from tests.evals.distill import made, students
from tests.support.upstream import Answer, ScriptedUpstream

SETTINGS = """\
stillhouse: 1
upstreams: {{up: {{kind: openai, base_url: "{url}"}}}}
policies: [ours.yaml]
tiers:
  - {{tier: small, upstream: up, model: m-small, price: {{input: 1, output: 2}}}}
  - {{tier: small, upstream: up, model: m-student, candidate: true, price: {{input: 1, output: 2}}}}
  - {{tier: large, upstream: up, model: m-large, price: {{input: 9, output: 9}}}}
"""
OURS = "# why it is so\nstillhouse: 1\nname: ours   # callers say this\nquality: {keep: 0.9}  # kept\n"
#: A loaded machine's haste says nothing of a candidate; and so few rows exclude no smaller loss.
LOOSE = ("--ignore=*latency*", "--margin=*=0.12", "--margin=*cost=12%")
STUDENT = students.digest("student")


def asked(n, word, seed):
    said = f"{made.text(random.Random(seed + n), word, words=6)} {n}"
    messages = (Message("system", students.SYSTEM), Message("user", said))
    return Example(
        id=prompt_id(messages), messages=messages, answer=str(n % 10), route=f"r{n % 2}", failure="escalated"
    )


def right(*wrong):
    """A server that says the last digit, but for prompts that hold one of some words."""

    def answer(seen):
        said = seen.json["messages"][-1]["content"]
        bad = any(word in said for word in wrong) and int(said.split()[-1]) % 2
        return Answer.completion("wrong" if bad else said[-1])

    return answer


@pytest.fixture
async def up():
    async with ScriptedUpstream() as server:
        server.always(right("refund"), model="m-small")
        server.always(right(), model="m-student")
        yield server


@pytest.fixture
def folder(home, up, monkeypatch):
    monkeypatch.setattr(weights, "_BUILT_IN_PACKAGE", "a-package-that-is-not-installed")
    folder = Folder.of(home, "loop")
    folder.root.mkdir(parents=True)
    made.write(folder.holdout, [asked(n, "refund", 1_000) for n in range(66)])
    made.write(folder.general, [asked(n, "delivery", 9_000) for n in range(36)])
    made.write(folder.train, [asked(n, "invoice", 50_000) for n in range(60)])
    (home / "stillhouse.yaml").write_text(SETTINGS.format(url=up.base_url))
    (home / "ours.yaml").write_text(OURS)
    place = folder.student(STUDENT)
    place.mkdir(parents=True)
    students.told(place, kind="remote", name="m-student", model="m-student", base="small-base")
    return folder


async def run(home, *words, policy="ours.yaml"):
    policy = str(home / policy) if policy.endswith(".yaml") else policy
    line = [
        "propose",
        "loop",
        *words,
        "--policy",
        policy,
        "--config",
        str(home / "stillhouse.yaml"),
        "--by",
        "ana",
        *LOOSE,
    ]
    return await asyncio.to_thread(lambda: CliRunner().invoke(command, line, catch_exceptions=False))


def live(home, it):
    """As a roll-out makes it, without a gateway."""
    return proposals.moved(
        home, it, "stepped", {"step": 1, "share": 1.0, "reason": ["x", "y"]}, by="gateway:t", now_ms=4
    )


async def test_a_yes_proposes_a_version_that_names_the_student_with_all_that_was_shown(folder, home, up):
    result = await run(home, "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.output)
    it = proposals.standing(home).one(told["proposal"])
    assert (it.state, it.gate, it.policy, it.by) == ("proposed", "passed", "ours", "ana")
    proposed = versions.read(home, it.version)
    assert proposed.body.models == {"small": ("m-student",)}
    profile = profiles.read(home, proposed.body.profile)
    assert profile.models == {"small": ("m-student",)}
    assert (profile.about["rows"], profile.about["mean"]) == (102, 1.0)
    shown = json.loads(proposals.bundle(home, it.evidence))
    assert (shown["kind"], shown["gate"]["verdict"]) == ("distillation", "yes")
    assert shown["profile"]["digest"] == proposed.body.profile
    assert shown["gate"]["student"]["digest"] == STUDENT
    assert {"exact", "errors", "cost", "general/exact"} <= {each["metric"] for each in shown["gate"]["metrics"]}
    assert shown["gate"]["slices_seen"] > 0
    assert not [row for row in (*made_rows(folder),) if row.messages[-1].content in json.dumps(shown)]
    text = versions.manifest(home, it.version).layers[-1]
    kept = (versions.folder(home) / it.version / text.file).read_text()
    assert kept.startswith("# why it is so\n")
    assert "name: ours   # callers say this\n" in kept
    assert "quality: {keep: 0.9}  # kept\n" in kept
    assert (home / "ours.yaml").read_text() == OURS
    before = len(up.requests)
    again = json.loads((await run(home, "--json")).output)
    assert (told["version"], told["profile"]) == (again["version"], again["profile"])
    assert len(up.requests) == before  # answers are kept


def made_rows(folder):
    from evals.distill.example import read_examples

    return [row for path in (folder.holdout, folder.general) for row in read_examples(path)]


async def test_a_no_proposes_nothing_and_is_written_down(folder, home, up):
    up.always(right("refund", "delivery"), model="m-student")
    result = await run(home)
    assert result.exit_code == 1
    assert result.output.startswith("NO: ")
    assert "Nothing is proposed." in result.output
    assert not proposals.log_path(home).exists()


async def test_what_cannot_be_told_is_no_yes(folder, home):
    made.write(folder.holdout, [asked(n, "refund", 1_000) for n in range(20)])
    assert (await run(home)).exit_code == 3
    assert not proposals.log_path(home).exists()


async def test_a_student_nobody_registered_is_sent_to_register_before_anything_is_asked(folder, home, up):
    students.head(folder, students.digest("other"), {"is water wet": "yes"}, name="other")
    result = await run(home, "other")
    assert result.exit_code == 2
    assert "stillhouse distill register loop" in result.output
    assert (await run(home, "nobody")).exit_code == 2
    assert up.requests == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (OURS + "tiers: [large]\n", "does not use the tier small"),
        (OURS + "models: {small: [m-student]}\n", "already"),
        (OURS + "extends: org.yaml\n", "is not among the models that"),
    ],
)
async def test_a_policy_that_cannot_name_the_student_is_refused_before_anything_is_asked(folder, home, up, text, words):
    (home / "org.yaml").write_text("stillhouse: 1\nname: org\nmodels: {small: [m-small]}\n")
    (home / "ours.yaml").write_text(text)
    result = await run(home)
    assert result.exit_code == 2
    assert words in " ".join(result.output.split())
    assert up.requests == []


async def test_a_head_stands_before_the_model_of_its_tier_and_is_judged_as_it_is_served(folder, home, up):
    """It is sure of the refunds that the model gets wrong, and leaves all else to it."""
    digest = students.digest("head")
    knows = {row.messages[-1].content: row.answer for row in made_rows(folder)[:66:3]}
    students.head(folder, digest, knows)
    name = register(folder, home, find_student(folder, digest), "small", "2026-11-25").name
    result = await run(home, digest[:8], "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.output)
    it = proposals.standing(home).one(told["proposal"])
    assert versions.read(home, it.version).body.models == {"small": (name, "m-small")}
    metric = {each["metric"]: each for each in json.loads(proposals.bundle(home, it.evidence))["gate"]["metrics"]}
    assert metric["exact"]["current"] == 0.5
    assert metric["exact"]["candidate"] == pytest.approx(0.5 + 11 / 66)
    assert metric["errors"]["candidate"] == 0
    assert metric["general/exact"]["gain"] == 0
    (listed,) = weights.candidates(home)
    assert (listed.lineage.gate, listed.student) == ("passed", digest)
    beside = json.loads((await run(home, "m-student", "--json")).output)  # the loop's head is the control of others
    shown = json.loads(proposals.bundle(home, proposals.standing(home).one(beside["proposal"]).evidence))
    assert shown["models"]["control"] == [name, "m-small"]
    assert shown["gate"]["control"]["metrics"]


async def test_over_a_live_version_the_next_student_is_proposed_on_top_of_it(folder, home):
    told = json.loads((await run(home, "--json")).output)
    from router.core.rollout import Plan

    it = proposals.approve(home, told["proposal"], Plan(), by="bo", why="seen", now_ms=3)
    live(home, it)
    other = students.digest("head")
    students.head(folder, other, {made_rows(folder)[0].messages[-1].content: "0"})
    name = register(folder, home, find_student(folder, other), "small", "2026-11-25").name
    result = await run(home, other, "--json", policy="ours")
    assert result.exit_code == 0, result.output
    second = proposals.standing(home).one(json.loads(result.output)["proposal"])
    assert second.base == it.version
    body = versions.read(home, second.version).body
    assert body.models == {"small": (name, "m-student")}
    assert body.profile != versions.read(home, it.version).body.profile


# --- what is expected of the models --------------------------------------------------------------------


def outcomes(rows, good):
    return [Item(target="c", id=row.id, quality=float(good(row)), tokens_out=3) for row in rows]


def profile_of(rows, good, scorer):
    return fitted(
        scorer, "generic", "generic", "small", {"small": ("s",)}, outcomes_of(scorer, rows, outcomes(rows, good))
    )


def test_a_profile_moves_its_tier_to_what_was_seen_and_no_other_by_a_bit(home):
    scorer = load()
    rows = [asked(n, "refund", 0) for n in range(60)]
    (home / "p.yaml").write_text(OURS)
    chances = []
    for good in (lambda _: True, lambda row: int(row.answer) < 5, lambda _: False):
        profile = profile_of(rows, good, scorer)
        assert good(rows[0]) != good(rows[9]) or profile.about["loss_after"] < profile.about["loss_before"]
        digest = profiles.keep(home, profile)
        (home / "p.yaml").write_text(OURS + f'models: {{small: [s]}}\nprofile: "{digest}"\n')
        policy = load_policy(home / "p.yaml")
        worn = wearing(scorer, [policy], home)
        text = rows[0].messages[-1].content
        mine, family = worn.score(text, profile_name(policy.body)), scorer.score(text)
        assert {t: p for t, p in mine.p_right.items() if t != "small"} == {
            t: p for t, p in family.p_right.items() if t != "small"
        }
        assert mine.place == family.place
        assert (worn.digest, worn.score(text)) == (scorer.digest, family)
        chances.append(mine.p_right["small"])
    assert chances[0] > 0.9 > chances[1] > 0.1 > chances[2]


def test_a_profile_of_another_scorer_or_of_other_models_or_a_lost_one_is_not_worn(home):
    scorer = load()
    profile = profile_of([asked(n, "refund", 0) for n in range(40)], lambda row: int(row.answer) < 5, scorer)
    digest = profiles.keep(home, profile)

    def check(models="{small: [s]}", digest=digest, artefact=scorer.digest, family="generic"):
        (home / "p.yaml").write_text(OURS + f'family: {family}\nmodels: {models}\nprofile: "{digest}"\n')
        from router.types import Deployment

        there = tuple(Deployment(name=name, tier="small", upstream="u", model=name) for name in "st")
        Fits(there, artefact, home).check(load_policy(home / "p.yaml"))

    check()
    for wrong, words in (
        ({"models": "{small: [t]}"}, "other models of small"),
        ({"models": "{small: [x]}"}, "names the model 'x'"),
        ({"artefact": "f" * 64}, "was made with the scorer"),
        ({"digest": "1" * 64}, "Restore it from a copy"),
        ({"family": "qwen2.5"}, "is of the family 'generic'"),
    ):
        with pytest.raises(Unfit, match=words):
            check(**wrong)
    path = proposals.bundle_path(home, digest)
    path.write_bytes(path.read_bytes().replace(b"0", b"1"))
    with pytest.raises(ProposalError, match="not as it was kept"):
        profiles.read(home, digest)


def test_equal_outcomes_make_equal_profiles_and_few_make_none(home):
    scorer = load()
    rows = [asked(n, "refund", 0) for n in range(40)]
    one, other = (profile_of(each, lambda row: int(row.answer) < 5, scorer) for each in (rows, rows[::-1]))
    assert msgspec.json.encode(one) == msgspec.json.encode(other)
    assert np.isfinite(one.tiers["small"].ability)
    with pytest.raises(ValueError, match="29 rows"):
        profile_of(rows[:29], lambda _: True, scorer)
