"""Policy versions in running gateways over loopback: shares, roll-backs, restarts, and two gateways with one store."""

import asyncio
import contextlib
import json
import sqlite3

import pytest

from router.core.rollout import WATCHES, Plan, cell_by_cell
from router.registry import counts, proposals, versions
from router.serve import app
from router.serve.cell import Cell
from tests.support.gateway import gateway
from tests.support.upstream import Answer

from .conftest import settings_for

OURS = "stillhouse: 1\nname: ours\nquality: {keep: 0.9}\nrules:\n  - {name: all, when: {}, pin: small}\n"
NEXT = OURS.replace("small", "large")
QUICK = Plan(steps=(0.5, 1.0), unit="request", min_requests=20, watches=WATCHES[1:3])


PAUSE = 0.1


@pytest.fixture(autouse=True)
def often(monkeypatch):
    """Gateways look as often as a test can wait."""
    monkeypatch.setattr(app, "RELOAD_SECONDS", PAUSE)
    monkeypatch.setattr(app, "JUDGE_SECONDS", PAUSE)


def proposed(home, text=NEXT, *, by="ana", **given):
    file = home / "next.yaml"
    file.write_text(text)
    given = {"against": home / "policy0.yaml", "evidence": b'{"rows": 1}', **given}
    return proposals.propose(home, file, by=by, now_ms=1, **given)


def approved(home, plan=QUICK, **given):
    return proposals.approve(home, proposed(home, **given).id, plan, by="bo", why="looks fine", now_ms=2)


def state(home, it):
    return proposals.standing(home).proposals[it.id]


async def until(true, seconds=20.0):
    """Wait for something that gateways do by themselves; a wait that is too long fails the test."""
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.05)


async def rolling(home, it, *gateways):
    await until(lambda: all(_share(gw) > 0 for gw in gateways))


def _share(gw):
    trial = gw.cell.taken.trials.get("ours")
    return trial.proposal.share if trial else 0


async def ask(gw, n, **headers):
    return await asyncio.gather(*(gw.chat(f"What is {i} and {i}?", headers=headers or None) for i in range(n)))


def arms(answers):
    return [answer.headers.get("x-stillhouse-arm", "").partition(":")[0] for answer in answers]


async def test_a_proposal_changes_nothing_until_a_person_approves(serve, home):
    gw = await serve(OURS)
    it = proposed(home)
    await asyncio.sleep(5 * PAUSE)
    assert set(arms(await ask(gw, 5))) == {""}
    assert state(home, it).state == "proposed"


async def test_the_arm_is_in_header_reason_route_and_ledger(serve, home):
    gw = await serve(OURS)
    it = approved(home)
    await rolling(home, it, gw)
    answers = await ask(gw, 30)
    assert {"canary", "incumbent"} == set(arms(answers))
    for answer in answers:
        canary = answer.headers["x-stillhouse-arm"] == f"canary:{it.id}"
        assert (answer.headers["x-stillhouse-model"] == "m-large") == canary
        assert answer.headers["x-stillhouse-reason"].startswith("canary,") == canary
        record = await gw.record(answer)
        assert record["variant"] == answer.headers["x-stillhouse-arm"]
        assert record["policy_hash"] == (it.version if canary else it.base)
    body = {"model": "auto", "messages": [{"role": "user", "content": "hi"}]}
    said = [(await gw.http.post("/v1/route", json=body)).json() for _ in range(20)]
    assert {each["arm"].partition(":")[0] for each in said} == {"canary", "incumbent"}
    assert {each["reasons"][0]["id"] == "canary" for each in said if each["arm"].startswith("canary")} == {True}


async def test_a_session_keeps_its_arm_from_turn_to_turn_and_over_gateways(serve, up, home):
    gw = await serve(OURS)
    it = approved(home, Plan(steps=(0.5, 1.0), unit="session", min_requests=10_000))
    async with gateway(settings_for(up, (str(home / "policy0.yaml"),)), home / "home2") as other:
        await rolling(home, it, gw, other)
        kept = []
        for i in range(12):
            first = {"role": "user", "content": f"talk {i}"}
            later = [first, {"role": "assistant", "content": "yes"}, {"role": "user", "content": "go on"}]
            seen = [
                (await one.http.post("/v1/chat/completions", json={"model": "auto", "messages": messages}))
                for one in (gw, other)
                for messages in ([first], later)
            ]
            kept.append(set(arms(seen)))
        assert all(len(each) == 1 for each in kept)
        assert set.union(*kept) == {"canary", "incumbent"}


async def test_a_canary_that_fails_is_rolled_back_by_itself_and_the_trail_says_why(serve, up, home):
    up.always(Answer.error(500), model="m-large")
    gw = await serve(OURS)
    it = approved(home)
    await rolling(home, it, gw)
    async with asyncio.timeout(30):
        while state(home, it).state == "rolling":
            await ask(gw, 10)
    done = state(home, it)
    assert (done.state, done.said[0]) == ("rolled_back", "canary-worse")
    assert "errors" in done.said[1]
    await until(lambda: not gw.cell.taken.trials)
    assert set(arms(await ask(gw, 3))) == {""}
    assert "rolled_back" in (home / "registry" / "audit.jsonl").read_text()


async def test_a_good_canary_steps_up_to_live_and_goes_back_on_a_persons_word(serve, home):
    gw = await serve(OURS)
    it = approved(home, Plan(steps=(0.3, 0.6, 1.0), unit="request", min_requests=12, watches=WATCHES[2:3]))
    await rolling(home, it, gw)
    async with asyncio.timeout(30):
        while state(home, it).state == "rolling":
            await ask(gw, 4)
    assert state(home, it).state == "live"
    await until(lambda: gw.cell.policies["ours"].hash == it.version)
    assert {a.headers["x-stillhouse-model"] for a in await ask(gw, 3)} == {"m-large"}
    proposals.roll_back(home, "ours", by="ana", why="too dear", now_ms=9)
    await until(lambda: gw.cell.policies["ours"].hash == it.base, seconds=1.5)
    assert "m-large" not in {a.headers["x-stillhouse-model"] for a in await ask(gw, 3)}


async def test_without_a_quality_signal_it_stays_and_says_so(serve, home):
    gw = await serve(OURS)
    it = approved(home, Plan(steps=(0.5, 1.0), unit="request", min_requests=5, watches=WATCHES[:1]))
    await rolling(home, it, gw)
    await ask(gw, 30)
    await until(lambda: state(home, it).said[0] == "canary-unseen")
    assert state(home, it).state == "rolling"
    assert "no quality signal" in state(home, it).said[1]
    by_hand = proposals.step_by_hand(home, it.id, by="ana", why="read fifty answers", now_ms=9)
    assert by_hand.state == "live"
    assert by_hand.said[0] == "canary-by-hand"


async def test_feedback_on_the_arms_is_counted_once_a_request(serve, home):
    gw = await serve(OURS)
    it = approved(home, Plan(steps=(0.5, 1.0), unit="request", min_requests=10_000, watches=WATCHES[:1]))
    await rolling(home, it, gw)
    answers = await ask(gw, 20)
    for answer in answers:
        for who in ("judge", "person"):
            given = {"request_id": answer.headers["x-request-id"], "score": 1, "who": who}
            assert (await gw.http.post("/v1/feedback", json=given)).status_code == 201

    def seen():
        bodies = [json.loads(body)["counts"]["quality"] for body in counts.bodies(home, it.id)]
        return sum(body.get("canary", 0) for body in bodies), sum(body.get("incumbent", 0) for body in bodies)

    await until(lambda: sum(seen()) == 20)
    assert seen() == (arms(answers).count("canary"), arms(answers).count("incumbent"))


async def test_a_canary_whose_answers_are_judged_worse_is_rolled_back(serve, home):
    gw = await serve(OURS)
    it = approved(home, Plan(steps=(0.5, 1.0), unit="request", min_requests=10_000, watches=WATCHES[:1]))
    await rolling(home, it, gw)
    async with asyncio.timeout(30):
        while state(home, it).state == "rolling":
            for answer in await ask(gw, 4):
                arm = answer.headers.get("x-stillhouse-arm", "")
                given = {
                    "request_id": answer.headers["x-request-id"],
                    "score": float(not arm.startswith("canary")),
                    "who": "judge",
                }
                await gw.http.post("/v1/feedback", json=given)
    assert state(home, it).said[0] == "canary-worse"
    assert state(home, it).said[1].startswith("quality is worse")


async def test_of_a_session_only_the_first_outcome_counts(serve, home):
    gw = await serve(OURS)
    it = approved(home, Plan(steps=(0.5, 1.0), unit="session", min_requests=10_000, watches=WATCHES[1:2]))
    await rolling(home, it, gw)
    for session in ("a", "b", "a", "a", "b"):
        await gw.chat("hi", headers={"x-stillhouse-session": session})
    await asyncio.to_thread(gw.cell.ledger.flush)

    def seen():
        bodies = [json.loads(body)["counts"]["errors"] for body in counts.bodies(home, it.id)]
        return sum(body.get("canary", 0) + body.get("incumbent", 0) for body in bodies)

    await until(lambda: seen() == 2)
    await asyncio.sleep(5 * PAUSE)
    assert seen() == 2


async def test_a_restart_goes_on_where_it_was_and_counts_nothing_twice(serve, up, home):
    settings = settings_for(up, (_written(home, OURS),))
    async with gateway(settings, home) as gw:
        it = approved(home, Plan(steps=(0.5, 1.0), unit="request", min_requests=10_000, watches=WATCHES[1:3]))
        await rolling(home, it, gw)
        before = arms(await ask(gw, 10))
    async with gateway(settings, home) as gw:
        assert _share(gw) == 0.5
        after = arms(await ask(gw, 10))
        served = (before + after).count("canary")

        def counted():
            return sum(json.loads(body).get("exposed", 0) for body in counts.bodies(home, it.id))

        await until(lambda: counted() == served)
        await asyncio.sleep(5 * PAUSE)
        assert counted() == served


def _written(home, text):
    path = home / "policy0.yaml"
    path.write_text(text)
    return str(path)


async def test_two_gateways_share_the_store_and_both_go_back_at_once(serve, up, home):
    gw = await serve(OURS)
    it = approved(home, Plan(steps=(0.5, 1.0), unit="request", min_requests=10_000, watches=WATCHES[1:3]))
    (home / "home2").mkdir()
    async with gateway(settings_for(up, (str(home / "policy0.yaml"),)), home / "home2") as other:
        await rolling(home, it, gw, other)
        await ask(gw, 8)
        await ask(other, 8)
        await until(lambda: len(counts.bodies(home, it.id)) == 2)
        proposals.roll_back(home, it.id, by="ana", why="a bad feeling", now_ms=9)
        await until(lambda: not gw.cell.taken.trials and not other.cell.taken.trials, seconds=1.5)
        assert set(arms([*await ask(gw, 3), *await ask(other, 3)])) == {""}


def by_cell(min_requests=10):
    steps, cells = cell_by_cell((0.5, 1.0), ("c0",))
    return Plan(steps=steps, cells=cells, unit="request", min_requests=min_requests, watches=WATCHES[2:3])


@contextlib.asynccontextmanager
async def two_cells(up, home):
    """Two cells that share a registry and nothing else."""
    policies = (_written(home, OURS),)
    async with contextlib.AsyncExitStack() as stack:
        cells = []
        for name in ("c0", "c1"):
            (home / name).mkdir()
            settings = settings_for(up, policies, cell=name)
            cells.append(await stack.enter_async_context(gateway(settings, home / name)))
        yield cells


async def test_a_canary_cell_goes_first_and_the_others_follow_on_the_judges_word(up, home):
    async with two_cells(up, home) as (first, other):
        it = approved(home, by_cell())
        await rolling(home, it, first, other)
        assert set(arms(await ask(first, 12))) == {"canary", "incumbent"}
        assert set(arms(await ask(other, 12))) == {""}  # its own step has not come
        async with asyncio.timeout(20):
            while state(home, it).step == 0:
                await ask(first, 4)
        assert state(home, it).share == 0.5
        await until(lambda: other.cell.taken.trials["ours"].proposal.step == 1)
        assert "canary" in arms(await ask(other, 12))
        async with asyncio.timeout(20):
            while state(home, it).state != "live":
                await ask(first, 4)
                await ask(other, 4)
        await until(lambda: other.cell.policies["ours"].hash == it.version == first.cell.policies["ours"].hash)


async def test_a_canary_that_fails_in_its_cell_never_reaches_another(up, home):
    up.always(Answer.error(400), model="m-large")  # nothing is asked again, so this is quick
    async with two_cells(up, home) as (first, other):
        steps, cells = cell_by_cell((0.5, 1.0), ("c0",))
        it = approved(home, Plan(steps=steps, cells=cells, unit="request", min_requests=20, watches=WATCHES[1:2]))
        await rolling(home, it, first, other)
        async with asyncio.timeout(30):
            while state(home, it).state != "rolled_back":
                await ask(first, 4)
                assert {answer.status_code for answer in await ask(other, 2)} == {200}
        assert "errors is worse" in state(home, it).said[1]


async def test_a_version_whose_file_was_changed_is_not_taken_up(serve, home, caplog):
    gw = await serve(OURS)
    it = approved(home)
    [file] = [path for path in (versions.folder(home) / it.version).iterdir() if path.suffix == ".yaml"]
    file.write_text(NEXT.replace("large}", "medium}"))
    gw.cell.reload()
    assert not gw.cell.taken.trials
    assert "not as it was kept" in caplog.text
    assert set(arms(await ask(gw, 2))) == {""}


async def test_a_changed_log_keeps_what_is_running_and_says_so(serve, home, caplog):
    gw = await serve(OURS)
    it = approved(home)
    await rolling(home, it, gw)
    log = home / "registry" / "audit.jsonl"
    log.write_text(log.read_text().replace('"share": 0.5', '"share": 0.9'))
    await until(lambda: "not as it was written" in caplog.text)
    assert _share(gw) == 0.5


async def test_a_gateway_that_serves_something_else_does_not_take_part(serve, home, caplog):
    gw = await serve(OURS)
    approved(home)
    (home / "policy0.yaml").write_text(OURS.replace("0.9", "0.8"))
    gw.cell.reload()
    gw.cell.reload()
    assert not gw.cell.taken.trials
    assert "it shall replace" in caplog.text


async def test_what_a_gateway_failed_to_take_up_is_offered_again(serve, home, monkeypatch):
    """A roll-back that met a bad moment must not wait for the next change of the log."""
    gw = await serve(OURS)
    it = approved(home)
    await rolling(home, it, gw)
    with monkeypatch.context() as patch:
        patch.setattr(Cell, "_reload_registry", _fails)
        proposals.roll_back(home, it.id, by="bo", why="complaints", now_ms=5)
        await asyncio.sleep(5 * PAUSE)
        assert _share(gw) == 0.5
    await until(lambda: _share(gw) == 0)


def _fails(_cell, _taken):
    raise OSError("no room")


async def test_an_edited_file_does_not_move_a_live_version(serve, home, caplog):
    gw = await serve(OURS)
    it = approved(home, Plan(steps=(1.0,)))
    await until(lambda: gw.cell.policies["ours"].hash == it.version)
    (home / "policy0.yaml").write_text(OURS.replace("0.9", "0.8"))
    await until(lambda: "was edited, but version" in caplog.text)
    assert gw.cell.policies["ours"].hash == it.version
    proposals.roll_back(home, "ours", by="ana", why="file first", now_ms=9)
    await until(lambda: gw.cell.policies["ours"].body.quality.keep == 0.8)


@pytest.mark.parametrize("unit", ["request", "session", "tenant"])
async def test_direct_and_pinned_requests_are_no_outcomes(serve, home, unit):
    gw = await serve(OURS)
    it = approved(home, Plan(steps=(0.5, 1.0), unit=unit, min_requests=10_000, watches=WATCHES[1:2]))
    await rolling(home, it, gw)
    for _ in range(4):
        await gw.chat("hi", model="small")
    await asyncio.to_thread(gw.cell.ledger.flush)
    await asyncio.sleep(5 * PAUSE)
    counted = [json.loads(body)["counts"]["errors"] for body in counts.bodies(home, it.id)]
    assert all(each.get("canary", 0) == each.get("incumbent", 0) == 0 for each in counted)
    with sqlite3.connect(gw.cell.ledger.place) as db:
        assert db.execute("SELECT count(*) FROM requests WHERE variant <> ''").fetchone()[0] == 4
    db.close()
