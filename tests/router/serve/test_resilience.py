"""One fault stays one fault: breakers, deadlines, budgets of tries and places, through a real gateway."""

import asyncio
import contextlib
import time
from datetime import UTC, datetime

import pytest

from router.core.resilience.breaker import QUIET
from router.registry.keys import KeyStore
from router.serve.settings import BreakerSettings, BulkheadSettings, RetrySettings
from tests.support.upstream import HOLD, RESET, Answer, chunk, error, finish

PLAIN = "stillhouse: 1\nname: plain\nquality: {keep: 0.9}\ntimeouts: {connect: 1.0, first_byte: 3.0, gap: 1.0, total: 5.0}\n"


def with_settings(tiers=slice(None), **more):
    def change(settings):
        return settings.model_copy(update={"tiers": settings.tiers[tiers], **more})

    return change


class Clock:
    """The real one, and it can be put forward."""

    ahead = 0.0

    def __call__(self):
        return time.perf_counter() + self.ahead


async def trip(gw, up, model="small", failures=5):
    """Let calls fail until the deployment rests."""
    up.always(Answer.error(500), model=f"m-{model}")
    while gw.cell.shield.guard("", f"m-{model}").breaker.cause == "":
        await gw.chat(model=model)
    return up


@contextlib.asynccontextmanager
async def looking(gw, up):
    """Somebody who is alone looks at ``m-large`` while it rests: while he waits, nobody else may."""
    seen = len(up.requests)
    up.always(Answer.silence(), model="m-large")
    await asyncio.sleep(2 * QUIET)
    alone = asyncio.create_task(gw.chat(model="large"))
    await up.wait_for(seen + 1)
    yield
    alone.cancel()
    await asyncio.gather(alone, return_exceptions=True)


# --- breakers at work


async def test_a_lone_deployment_rests_and_callers_learn_at_once_when_to_come_back(serve, up):
    clock = Clock()
    gw = await serve(change=with_settings(slice(2, 3)), cell=lambda cell: setattr(cell, "clock", clock))
    await trip(gw, up, "large")
    async with looking(gw, up):
        asked = len(up.requests)
        answer = await gw.chat(model="large")
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "upstream_resting")
        assert 1 <= int(answer.headers["retry-after"]) <= 3
        assert "breaker-open" in answer.headers["x-stillhouse-reason"]
        assert len(up.requests) == asked
    assert (await gw.http.get("/readyz")).json() | {"policy": "", "scorer": 1} == {
        "ready": True, "faults": [], "resting": ["m-large"], "policy": "", "scorer": 1,
    }  # fmt: skip
    up.always(Answer.completion("well again"), model="m-large")
    clock.ahead = 60
    assert (await gw.chat(model="large")).status_code == 200
    assert (await gw.http.get("/readyz")).json()["resting"] == []


async def test_who_is_alone_is_told_what_the_server_says_and_takes_it_back_at_once(serve, up):
    gw = await serve(change=with_settings(slice(2, 3)))
    await trip(gw, up, "large")
    up.always(Answer.error(500), model="m-large")
    for _ in range(3):
        await asyncio.sleep(2 * QUIET)
        answer = await gw.chat(model="large")
        assert (answer.status_code, answer.json()["error"]["code"]) == (502, "upstream_unavailable")
        assert "breaker-look" in [reason["id"] for reason in (await gw.record(answer))["reasons"]]
    assert gw.cell.shield.guard("", "m-large").breaker.cause  # it still rests for all others
    up.always(Answer.completion("well again"), model="m-large")
    await asyncio.sleep(2 * QUIET)
    answers = [await gw.chat(model="large")]
    answers += await asyncio.gather(*(gw.chat(model="large") for _ in range(5)))
    assert {answer.status_code for answer in answers} == {200}


async def test_a_resting_tier_is_replaced_upwards_and_the_record_says_which_was_skipped(serve, up):
    gw = await serve()
    await trip(gw, up)
    answer = await gw.chat(model="small")
    assert answer.headers["x-stillhouse-tier"] == "medium"
    record = await gw.record(answer)
    reasons = {reason["id"]: reason["text"] for reason in record["reasons"]}
    assert reasons["breaker-open"] == "Left alone after failures: m-small."
    assert [a["deployment"] for a in record["attempts"]] == ["m-medium"]


async def test_a_resting_tier_is_replaced_downwards_only_where_the_policy_allows_it(serve, up):
    gw = await serve(PLAIN, PLAIN.replace("name: plain", "name: lenient\nallow_degrade: true"))
    await trip(gw, up, "large")
    async with looking(gw, up):
        assert (await gw.chat(model="large")).status_code == 503
    lower = await gw.chat(model="large", headers={"x-stillhouse-policy": "lenient"})
    assert lower.headers["x-stillhouse-tier"] == "medium"


@pytest.mark.parametrize("status", [400, 404, 422])
async def test_a_callers_own_fault_never_makes_a_deployment_rest(serve, up, status):
    gw = await serve()
    up.always(Answer.error(status))
    for _ in range(8):
        assert (await gw.chat(model="small")).status_code == status
    up.always(Answer.completion())
    assert (await gw.chat(model="small")).headers["x-stillhouse-tier"] == "small"


async def test_a_poisonous_tenant_closes_a_deployment_to_nobody_else(serve, up, home):
    store = KeyStore(home / "keys.json")
    keys = [store.add(tenant=t, now=datetime(2026, 11, 1, tzinfo=UTC))[1] for t in ("poison", "good")]
    poison, good = ({"authorization": f"Bearer {token}"} for token in keys)
    gw = await serve(keys="required", change=with_settings(retries=RetrySettings(burst=0, per_second=0)))
    up.always(lambda seen: Answer.error(500) if b"poison" in seen.body else Answer.completion())
    for _ in range(4):
        assert (await gw.chat("hi", model="small", headers=good)).headers["x-stillhouse-tier"] == "small"
        for _ in range(4):
            await gw.chat("poison", model="small", headers=poison)
    assert (await gw.chat("hi", model="small", headers=good)).headers["x-stillhouse-tier"] == "small"


async def test_streams_that_break_off_count_though_they_began_well(serve, up):
    gw = await serve()
    up.always(Answer.stream(chunk("Hel"), RESET), model="m-small")
    for _ in range(5):
        await gw.chat(model="small", stream=True)
    assert (await gw.chat(model="small")).headers["x-stillhouse-tier"] == "medium"


async def test_an_error_as_the_first_event_is_taken_to_the_next_tier(serve, up):
    gw = await serve()
    up.always(Answer.stream(error("overloaded", code="overloaded")), model="m-small")
    answer = await gw.chat(model="small", stream=True)
    assert answer.status_code == 200
    assert answer.headers["x-stillhouse-tier"] == "medium"
    assert "Hello" in answer.text


async def test_an_upstreams_rate_limit_closes_it_for_the_time_it_asked_for(serve, up):
    gw = await serve(change=with_settings(slice(2, 3)))
    up.always(Answer.error(429, retry_after=17), model="m-large")
    for _ in range(3):
        assert (await gw.chat(model="large")).status_code == 429
    async with looking(gw, up):
        answer = await gw.chat(model="large")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "17")
    assert len(up.requests) == 4


async def test_callers_who_wait_for_a_black_hole_are_answered_by_the_next_tier(serve, up):
    """Four requests wait for a server that has fallen silent; they are taken over, long before their time is up."""
    gw = await serve("stillhouse: 1\nname: patient\ntimeouts: {first_byte: 60, total: 60}\n")
    breaker, now = gw.cell.shield.guard("", "m-small").breaker, gw.cell.clock()
    for i in range(200):
        call = breaker.begin(now - 100 + i / 10)
        breaker.end(call, "ok", now - 100 + i / 10 + 0.05)
    up.always(Answer.silence(), model="m-small")
    answers = await asyncio.gather(*(gw.chat(model="small") for _ in range(4)))
    assert {answer.headers["x-stillhouse-tier"] for answer in answers} == {"medium"}
    record = await gw.record(answers[0])
    assert [(a["deployment"], a["outcome"]) for a in record["attempts"]] == [("m-small", "timeout"), ("m-medium", "ok")]
    metrics = (await gw.http.get("/metrics")).text
    assert 'stillhouse_breaker_state{bulkhead="",deployment="m-small"} ' in metrics
    assert 'stillhouse_breaker_trips_total{deployment="m-small",cause="silence"} 1' in metrics


# --- deadlines


@pytest.mark.parametrize("header", ["x-stillhouse-timeout", "x-stainless-read-timeout", "x-stainless-timeout"])
async def test_a_callers_deadline_ends_a_request_and_is_no_fault_of_the_server(serve, up, header):
    gw = await serve()
    up.always(Answer.silence())
    for _ in range(6):
        answer = await gw.chat(model="large", headers={header: "0.1"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (504, "deadline_exceeded")
    assert len(up.requests) == 6
    assert gw.cell.shield.guard("", "m-large").breaker.cause == ""


async def test_a_cascade_ends_with_its_callers_deadline(serve, up):
    gw = await serve(PLAIN + "cascade: {start: small, checks: [refusal], deadline: 20}\n")
    up.always(Answer.silence())
    answer = await gw.chat("What is the capital of France?", headers={"x-stillhouse-timeout": "0.3"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (504, "deadline_exceeded")


async def test_a_deadline_leaves_no_room_for_a_pause_beyond_it(serve, up):
    gw = await serve(change=with_settings(slice(2, 3)))
    up.always(Answer.error(500, retry_after=4))
    answer = await gw.chat(model="large", headers={"x-stillhouse-timeout": "2"})
    assert answer.status_code == 502
    assert len(up.requests) == 1


async def test_a_stream_that_trickles_ends_with_its_callers_deadline(serve, up):
    gw = await serve()
    up.always(Answer.stream(chunk("a"), *[HOLD]))
    answer = await gw.chat(model="large", stream=True, headers={"x-stillhouse-timeout": "0.3"})
    assert answer.status_code == 200
    assert answer.text.endswith("}}\n\n")
    assert (await gw.record(answer))["error_code"] == "upstream_timeout"


@pytest.mark.parametrize("value", ["soon", "0", "-1", "nan"])
async def test_a_deadline_that_is_none_is_refused_by_name(serve, value):
    gw = await serve()
    answer = await gw.chat(headers={"x-stillhouse-timeout": value})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "x-stillhouse-timeout")


# --- tries


async def test_further_calls_stop_when_their_budget_is_spent(serve, up):
    never = BreakerSettings(failures=1000, calls=1000)
    change = with_settings(slice(2, 3), retries=RetrySettings(share=0, burst=2, per_second=0), breaker=never)
    gw = await serve(change=change)
    up.always(Answer.error(500))
    answers = [await gw.chat(model="large") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [502] * 4
    assert len(up.requests) == 4 + 2
    assert "retries-spent" in answers[-1].headers["x-stillhouse-reason"]
    assert (
        'stillhouse_retries_refused_total{bulkhead="",deployment="m-large"} 3' in (await gw.http.get("/metrics")).text
    )


async def test_a_failover_that_works_goes_on_for_ever(serve, up):
    never = BreakerSettings(failures=1000, calls=1000)
    gw = await serve(change=with_settings(retries=RetrySettings(share=0, burst=1, per_second=0), breaker=never))
    up.always(Answer.error(401), model="m-small")
    answers = [await gw.chat(model="small") for _ in range(12)]
    assert {answer.headers["x-stillhouse-tier"] for answer in answers} == {"medium"}


# --- places


async def held(gw, up, many=1, **more):
    """Requests that wait for their model, and hold their places."""
    seen = len(up.requests)
    tasks = [asyncio.create_task(gw.chat(model="large", **more)) for _ in range(many)]
    await up.wait_for(seen + many)
    return tasks


async def test_a_full_gateway_says_so_at_once(serve, up):
    gw = await serve(max_concurrent=1, queue=0)
    up.script(Answer.completion().after(0.5))
    (first,) = await held(gw, up)
    answer = await gw.chat()
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "overloaded")
    assert answer.headers["retry-after"] == "1"
    assert (await first).status_code == 200
    assert (await gw.chat()).status_code == 200
    assert gw.cell.shield.gates[""].inside == 0
    assert 'stillhouse_shed_total{bulkhead="",class="default"} 1' in (await gw.http.get("/metrics")).text


async def test_who_waits_is_served_next_and_the_critical_first(serve, up):
    gw = await serve(max_concurrent=1, queue=2)
    up.script(Answer.completion().after(0.5))
    (first,) = await held(gw, up)
    waiting = [asyncio.create_task(gw.chat("slow", headers={"x-stillhouse-priority": "batch"}))]
    while gw.cell.shield.gates[""].waiting < 1:
        await asyncio.sleep(0.01)
    waiting.append(asyncio.create_task(gw.chat("now", headers={"x-stillhouse-priority": "critical"})))
    assert [answer.status_code for answer in await asyncio.gather(first, *waiting)] == [200] * 3
    assert [seen.json["messages"][0]["content"] for seen in up.requests[1:]] == ["now", "slow"]


async def test_nobody_waits_longer_than_the_queue_or_he_himself_allows(serve, up):
    gw = await serve(max_concurrent=1, queue=9, queue_seconds=0.2)
    up.script(Answer.silence())
    (first,) = await held(gw, up)
    assert (await gw.chat()).status_code == 503
    assert gw.cell.shield.gates[""].waiting == 0
    first.cancel()


async def test_a_caller_who_leaves_gives_his_place_back(serve, up):
    gw = await serve(max_concurrent=1, queue=0)
    up.script(Answer.silence())
    (first,) = await held(gw, up)
    first.cancel()
    await up.requests[0].gone.wait()
    while gw.cell.active:
        await asyncio.sleep(0.01)
    assert (await gw.chat()).status_code == 200


async def test_a_bulkhead_fills_up_without_anybody_else_noticing(serve, up, home):
    store = KeyStore(home / "keys.json")
    keys = [store.add(tenant=t, now=datetime(2026, 11, 1, tzinfo=UTC))[1] for t in ("heavy", "light")]
    heavy, light = ({"authorization": f"Bearer {token}"} for token in keys)
    bulkheads = {"big": BulkheadSettings(tenants=("heavy",), max_concurrent=1)}
    gw = await serve(change=with_settings(bulkheads=bulkheads), keys="required", max_concurrent=3, queue=0)
    up.script(Answer.silence())
    (first,) = await held(gw, up, headers=heavy)
    answer = await gw.chat(headers=heavy)
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "too_many_at_once")
    assert (await gw.chat(headers=light)).status_code == 200
    up.always(Answer.error(500), model="m-small")
    first.cancel()
    while gw.cell.active:
        await asyncio.sleep(0.01)
    while gw.cell.shield.guard("big", "m-small").breaker.cause == "":
        await gw.chat(model="small", headers=heavy)
    up.always(Answer.completion(), model="m-small")
    assert (await gw.chat(model="small", headers=heavy)).headers["x-stillhouse-tier"] == "medium"
    assert (await gw.chat(model="small", headers=light)).headers["x-stillhouse-tier"] == "small"


async def test_one_tenant_may_not_take_every_place_and_priority_is_a_right(serve, up, home):
    store = KeyStore(home / "keys.json")
    keys = [store.add(tenant=t, now=datetime(2026, 11, 1, tzinfo=UTC))[1] for t in ("greedy", "modest")]
    greedy, modest = ({"authorization": f"Bearer {token}"} for token in keys)
    gw = await serve(keys="required", max_concurrent=2, queue=0)
    up.script(Answer.silence())
    (first,) = await held(gw, up, headers=greedy)
    assert (await gw.chat(headers=greedy)).json()["error"]["code"] == "too_many_at_once"
    assert (await gw.chat(headers=modest)).status_code == 200
    assert (await gw.chat(headers=modest | {"x-stillhouse-priority": "batch"})).status_code == 200
    assert (await gw.chat(headers=modest | {"x-stillhouse-priority": "critical"})).status_code == 403
    assert (await gw.chat(headers=modest | {"x-stillhouse-priority": "urgent"})).status_code == 400
    first.cancel()


async def test_bodies_beyond_what_may_be_held_are_refused_by_their_head(serve, up):
    gw = await serve(max_held_mb=0.01)
    assert (await gw.chat("x" * 5000)).status_code == 200
    assert (await gw.chat("x" * 20_000)).json()["error"]["code"] == "overloaded"
    assert (await gw.chat("x" * 5000)).status_code == 200
    assert gw.cell.bodies.held == 0


async def test_one_tenants_big_bodies_leave_room_for_others(serve, up, home):
    store = KeyStore(home / "keys.json")
    keys = [store.add(tenant=t, now=datetime(2026, 11, 1, tzinfo=UTC))[1] for t in ("huge", "modest")]
    huge, modest = ({"authorization": f"Bearer {token}"} for token in keys)
    gw = await serve(PLAIN, keys="required", max_held_mb=1)
    up.script(Answer.silence())
    (first,) = await held(gw, up, content="x" * 300_000, headers=huge)
    assert (await gw.chat("x" * 300_000, headers=huge)).json()["error"]["code"] == "too_many_at_once"
    assert (await gw.chat("x" * 300_000, headers=modest)).status_code == 200
    first.cancel()
    while gw.cell.active:
        await asyncio.sleep(0.01)
    assert gw.cell.bodies.held == 0


async def test_a_deployments_own_limit_sends_what_is_more_to_the_next_tier(serve, up):
    def change(settings):
        tiers = (settings.tiers[0].model_copy(update={"max_concurrent": 1}), *settings.tiers[1:])
        return settings.model_copy(update={"tiers": tiers})

    gw = await serve(change=change)
    up.script(Answer.silence(), model="m-small")
    first = asyncio.create_task(gw.chat(model="small"))
    await up.wait_for(1)
    assert (await gw.chat(model="small")).headers["x-stillhouse-tier"] == "medium"
    first.cancel()
    while gw.cell.active:
        await asyncio.sleep(0.01)
    assert (await gw.chat(model="small")).headers["x-stillhouse-tier"] == "small"


async def test_a_wall_clock_that_jumps_changes_neither_times_nor_breakers(serve, up):
    jumps = iter([0, 86_400_000, -86_400_000, 3_600_000] * 50)
    gw = await serve(cell=lambda cell: setattr(cell, "now_ms", lambda: max(0, 1_790_000_000_000 + next(jumps))))
    up.script(Answer.error(500), model="m-small")
    answers = [await gw.chat(model="small", headers={"x-stillhouse-timeout": "4"}) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200] * 4
    assert {answer.headers["x-stillhouse-tier"] for answer in answers} == {"small"}
    for answer in answers:
        record = await gw.record(answer)
        assert 0 <= record["total_ms"] < 3_600_000


def test_bulkheads_that_leave_no_room_or_share_a_tenant_are_refused():
    from pydantic import ValidationError

    from router.serve.settings import ServerSettings, Settings

    def built(*bulks):
        named = {f"b{i}": BulkheadSettings(tenants=t, max_concurrent=n) for i, (t, n) in enumerate(bulks)}
        return Settings(server=ServerSettings(max_concurrent=10), upstreams={}, tiers=(), bulkheads=named)

    assert built((("a",), 4), (("b",), 5)).bulkheads
    with pytest.raises(ValidationError, match="leave some"):
        built((("a",), 4), (("b",), 6))
    with pytest.raises(ValidationError, match="two bulkheads"):
        built((("a",), 1), (("b", "a"), 1))


async def test_a_finished_stream_leaves_nothing_behind(serve, up):
    gw = await serve()
    up.always(Answer.stream(chunk("a"), finish()))
    await gw.chat(model="large", stream=True)
    assert not gw.cell.shield.guard("", "m-large").breaker._waiting
    assert gw.cell.shield.gates[""].inside == 0
