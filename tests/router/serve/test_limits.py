"""Limits at work: a real gateway, real calls, and what the server behind it really did."""

import asyncio
import json

import pytest

from router.core.limits import Allowance, Book, Cap, state_of
from router.registry.keys import KeyStore
from router.serve.limit_settings import LimitSettings
from router.serve.settings import PriceSettings
from tests.support.upstream import Answer, ScriptedUpstream, chunk, finish, usage
from tests.support.wire import completion

PLAIN = """
stillhouse: 1
name: plain
quality: {keep: 0.9}
"""
CHEAPER = PLAIN + "at_limit: cheaper\n"
NANO = 10**9


def limited(**limits):
    """Settings with limits of the tenant that everybody is where keys are off."""
    rest = {name: limits.pop(name) for name in ("wait", "when_away", "store") if name in limits}
    said = LimitSettings.model_validate({"tenants": {"default": limits}, **rest})
    return lambda settings: settings.model_copy(update={"limits": said})


def used(gate, kind, subject="tenant:default"):
    """What the store has booked, once everything is reported."""
    now, kept = gate.cell.limits.limiter.store.books([subject])
    return next((state_of(each.book, kind, now) for each in kept if each.kind == kind), state_of(Book(), kind, now))


async def settled(gate, kind="day"):
    for _ in range(3):
        await gate.cell.limits.limiter._round()
    return await asyncio.to_thread(used, gate, kind)


async def test_without_limits_there_is_nothing(serve):
    gate = await serve()
    assert (await gate.chat()).status_code == 200
    assert gate.cell.limits is None


async def test_a_tenant_without_limits_never_meets_the_store(serve):
    said = LimitSettings.model_validate(
        {"tenants": {"other": {"parallel": 1}}, "store": "postgresql://127.0.0.1:1/nobody", "when_away": "refuse"}
    )
    gate = await serve(change=lambda settings: settings.model_copy(update={"limits": said}))
    for _ in range(3):
        answer = await gate.chat()
        assert answer.status_code == 200
        assert not [name for name in answer.headers if name.startswith("x-ratelimit")]
    assert gate.cell.limits.limiter.away is None


async def test_requests_a_minute_are_exact_and_the_refused_do_not_count(serve, up):
    gate = await serve(change=limited(requests_per_minute=10))
    answers = await asyncio.gather(*(gate.chat() for _ in range(100)))
    good = [a for a in answers if a.status_code == 200]
    bad = [a for a in answers if a.status_code == 429]
    assert (len(good), len(bad), len(up.requests)) == (10, 90, 10)
    error = bad[0].json()["error"]
    assert (error["code"], error["type"]) == ("rate_limit_exceeded", "rate_limit_error")
    assert "tenant 'default'" in error["message"]
    assert 1 <= int(bad[0].headers["retry-after"]) <= 65
    assert bad[0].headers["x-ratelimit-limit-requests"] == "10"
    assert bad[-1].headers["x-ratelimit-remaining-requests"] == "0"
    assert (await settled(gate, "requests")).used == 10


async def test_places_for_requests_in_progress_come_back(serve, up):
    gate = await serve(change=limited(parallel=2))
    up.always(Answer.json(completion("hi")).after(0.2) if hasattr(Answer.json(completion("hi")), "after") else Answer.json(completion("hi")))
    answers = await asyncio.gather(*(gate.chat() for _ in range(8)))
    codes = sorted(a.status_code for a in answers)
    assert codes.count(200) >= 2
    for _ in range(3):
        assert (await gate.chat()).status_code == 200
    assert gate.cell.limits.limiter.purse(Cap("tenant:default", "parallel", 2)).reserved == 0


async def test_a_hundred_at_once_never_spend_more_than_the_day_has(serve, up):
    """Each asks for 32,000 tokens and uses few: nobody is refused who could have been served, nothing is overspent."""
    gate = await serve(change=limited(usd_per_day=0.01, wait=20))
    answers = await asyncio.gather(*(gate.chat(f"hello {i}", max_tokens=32_000, model="large") for i in range(100)))
    codes = [a.status_code for a in answers]
    state = await settled(gate)
    spent = sum((await gate.record(a))["cost_nano"] for a in answers if a.status_code == 200)
    assert spent == state.used <= 0.01 * NANO
    assert state.forfeited == 0
    one = spent / codes.count(200)
    if codes.count(200) < 100:  # whoever was refused could not have been paid
        assert 0.01 * NANO - spent < 20 * one
    refused = [a.json()["error"]["code"] for a in answers if a.status_code != 200]
    assert set(refused) <= {"budget_exceeded"}
