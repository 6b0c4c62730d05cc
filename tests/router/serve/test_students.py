"""Candidates in a running gateway: taken up by themselves, served where a policy names them, left out where faulty."""

import msgspec
import numpy as np
import pytest

from router.registry import weights
from router.types import Lineage
from router.upstream.nano_head import BUCKETS, features, save, task_of

SYSTEM = "Say yes or no."
NAMED = "stillhouse: 1\nname: plain\nrules:\n  - {name: all, when: {}, pin: small}\n"


@pytest.fixture
def listed(home):
    """Lists a head that knows one text; made by hand."""

    def listing(name="student", tier="small"):
        buckets, values = features("is water wet")
        arrays, seen = np.zeros((2 * BUCKETS, 2), np.float32), np.zeros(2 * BUCKETS, np.bool_)
        arrays[buckets, 0], seen[buckets] = 8 * values, True
        folder = home / f"made-{name}"
        folder.mkdir()
        tasks = [task_of([SYSTEM]), task_of([name])]
        card = {"labels": ["yes", "no"], "tasks": tasks, "threshold": 0.9, "familiar": 0.9}
        sha256 = save(folder, card, arrays, np.zeros(2, np.float32), seen)
        lineage = Lineage(family="nano", teacher="big", generation=3)
        return weights.candidate(
            home, tier, folder, sha256, kind="nano", name=name, today="2026-11-25", lineage=lineage
        )

    return listing


async def ask(gw, model="auto"):
    messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": "is water wet"}]
    return await gw.chat(model=model, messages=messages)


async def test_a_candidate_is_taken_up_while_it_runs_and_served_only_where_a_policy_names_it(serve, home, listed):
    gw = await serve(NAMED)
    listed()
    gw.cell.reload()
    assert (await ask(gw)).headers["x-stillhouse-model"] == "m-small"
    assert (await ask(gw, "student")).json()["error"]["code"] == "model_not_found"
    (home / "policy0.yaml").write_text(NAMED + "models: {small: [student, m-small]}\n")
    gw.cell.reload()
    answer = await ask(gw)
    assert answer.headers["x-stillhouse-model"] == "student"
    assert answer.json()["choices"][0]["message"]["content"] == "yes"
    assert (await gw.record(answer))["attempts"][0]["deployment"] == "student"
    assert (await ask(gw, "student")).headers["x-stillhouse-model"] == "student"
    (home / "policy0.yaml").write_text(NAMED)
    gw.cell.reload()
    assert (await ask(gw)).headers["x-stillhouse-model"] == "m-small"


async def test_a_policy_that_names_what_is_not_there_is_not_taken_up(serve, home, caplog):
    gw = await serve(NAMED)
    before = gw.cell.policies["plain"].hash
    (home / "policy0.yaml").write_text(NAMED + "models: {small: [nobody]}\n")
    gw.cell.reload()
    assert gw.cell.policies["plain"].hash == before
    assert "names the model 'nobody'" in caplog.text
    assert (await ask(gw)).headers["x-stillhouse-model"] == "m-small"


async def test_a_candidate_that_was_changed_or_lost_is_left_out_and_said_and_the_rest_is_served(
    serve, home, listed, caplog
):
    there = listed("good")
    bad = listed("bad", "large")
    path = home / "models" / f"{bad.sha256}.nano" / "nano.json"
    path.write_text(path.read_text().replace("0.9", "0.8"))
    gw = await serve(NAMED)
    assert "the candidate bad is left out" in caplog.text
    assert {d.name for d in gw.cell.deployments if d.candidate} == {there.name}
    weights.list_path(home).write_text("{")
    gw.cell.reload()
    assert {d.name for d in gw.cell.deployments if d.candidate} == {there.name}
    assert (await ask(gw)).status_code == 200


async def test_what_the_settings_call_so_is_theirs(serve, listed, caplog):
    listed("m-small")
    gw = await serve(NAMED)
    assert "the settings have a deployment of that name" in caplog.text
    assert not [d for d in gw.cell.deployments if d.candidate]


def test_what_a_gate_said_is_written_to_a_candidate_and_to_no_other(home, listed):
    one, other = listed("one"), listed("other", "large")
    weights.judged(home, "one", "passed", "e" * 64)
    weights.judged(home, "nobody", "failed", "f" * 64)
    first, second = weights.candidates(home)
    assert (first.lineage.gate, first.evidence, first.lineage.generation) == ("passed", "e" * 64, 3)
    assert (second, msgspec.structs.replace(first, lineage=one.lineage, evidence="")) == (other, one)
