"""Limits at work: a real gateway, real calls, and what the server behind it really did."""

import asyncio
from datetime import UTC, datetime

import msgspec

from router.core.limits import Allowance, Book, Cap, state_of
from router.registry.keys import KeyStore
from router.serve.limits.settings import LimitSettings
from router.serve.settings import PriceSettings
from router.state.store import StoreAway
from tests.support.upstream import HOLD, Answer, Wait, chunk, finish, tokens, usage

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
    slow = Answer((Wait(0.3), *Answer.completion().steps))
    up.always(slow)
    answers = await asyncio.gather(*(gate.chat() for _ in range(8)))
    assert [a.status_code for a in answers].count(200) == 2
    up.always(Answer.completion())
    for _ in range(3):
        assert (await gate.chat()).status_code == 200
    assert gate.cell.limits.limiter.purse(Cap("tenant:default", "parallel", 2)).reserved == 0


async def test_a_hundred_at_once_spend_what_the_day_has_and_no_more(serve, up):
    """Each asks for 32,000 tokens and uses few: nobody is refused who could have been served, nothing is overspent."""
    gate = await serve(change=limited(usd_per_day=0.003, wait=20))
    answers = await asyncio.gather(*(gate.chat(f"hello {i}", max_tokens=32_000, model="large") for i in range(100)))
    codes = [a.status_code for a in answers]
    state = await settled(gate)
    spent = sum([(await gate.record(a))["cost_nano"] for a in answers if a.status_code == 200])
    assert spent == state.used <= 0.003 * NANO
    assert state.forfeited == 0
    one = spent // codes.count(200)
    assert codes.count(200) >= 65  # of the 78 that it pays
    assert {a.json()["error"]["code"] for a in answers if a.status_code != 200} == {"budget_exceeded"}
    assert one == 38_000


async def test_what_the_money_left_does_not_pay_is_bound_at_the_models_server(serve, up):
    gate = await serve(change=limited(usd_per_day=0.02))
    answer = await gate.chat("hi", max_tokens=32_000, model="large")
    assert answer.status_code == 200
    sent = up.requests[-1].json["max_tokens"]
    assert 32 <= sent < 0.02 * NANO / 6_000
    await gate.chat("hi", max_tokens=40, model="large")
    assert up.requests[-1].json["max_tokens"] == 40
    await gate.chat("hi", model="large")
    assert 32 <= up.requests[-1].json["max_tokens"] < 0.02 * NANO / 6_000


async def test_an_answer_that_costs_more_than_is_left_ends_the_day_at_its_limit(serve, up):
    """The server honours the bound that it is sent, so the sum stays below the limit whatever was asked for."""
    up.always(lambda seen: Answer.completion("x", used=tokens(20, seen.json["max_tokens"])))
    gate = await serve(change=limited(usd_per_day=0.01, wait=0.5))
    answers = await asyncio.gather(*(gate.chat("write", max_tokens=32_000, model="large") for _ in range(20)))
    assert {a.status_code for a in answers} == {200, 429}
    refused = [a for a in answers if a.status_code == 429][-1]
    assert refused.headers.get("x-should-retry", "false") == "false"  # left out while money may still come back
    assert int(refused.headers["retry-after"]) > 1
    state = await settled(gate)
    assert 0 < state.used <= 0.01 * NANO
    assert state.used == sum([(await gate.record(a))["cost_nano"] for a in answers if a.status_code == 200])


async def test_tokens_count_as_used_whatever_the_caller_asks_for(serve, up):
    up.always(Answer.completion(used=tokens(60, 40)))
    gate = await serve(change=limited(tokens_per_minute=100_000, wait=10))
    answers = await asyncio.gather(*(gate.chat("hi", max_tokens=32_000) for _ in range(100)))
    assert {a.status_code for a in answers} == {200}
    assert (await settled(gate, "tokens")).used == 100 * 100
    assert answers[0].headers["x-ratelimit-limit-tokens"] == "100000"


async def test_a_hundred_at_once_stay_within_the_tokens_of_a_minute(serve, up):
    up.always(Answer.completion(used=tokens(60, 40)))
    gate = await serve(change=limited(tokens_per_minute=3_000, wait=3))
    answers = await asyncio.gather(*(gate.chat("hi") for _ in range(100)))
    good = [a for a in answers if a.status_code == 200]
    assert (await settled(gate, "tokens")).used == 100 * len(good) <= 3_000
    assert len(good) >= 25
    assert {a.json()["error"]["code"] for a in answers if a.status_code != 200} == {"rate_limit_exceeded"}


async def test_a_stream_is_settled_at_its_end_and_when_its_caller_leaves(serve, up):
    gate = await serve(change=limited(usd_per_day=1.0))
    up.script(Answer.stream(chunk("Hi"), finish(), usage(1000, 500)))
    assert (await gate.chat(stream=True, model="large")).status_code == 200
    assert (await settled(gate)).used == 1000 * 2000 + 500 * 6000
    up.script(Answer.stream(chunk("Hi there, this goes on"), HOLD))
    body = {"model": "large", "stream": True, "messages": [{"role": "user", "content": "hi"}]}
    async with gate.http.stream("POST", "/v1/chat/completions", json=body) as answer:
        async for _ in answer.aiter_lines():
            break
    seen = await up.wait_for(2)
    await seen.gone.wait()
    while gate.cell.active:
        await asyncio.sleep(0.01)
    purse = gate.cell.limits.limiter.purse(Cap("tenant:default", "day", NANO))
    assert (purse.reserved, purse.flying) == (0, 0)
    assert 5_000_000 < (await settled(gate)).used < 6_000_000


async def test_a_call_that_fails_gives_its_money_back(serve, up):
    gate = await serve(change=limited(usd_per_day=1.0, requests_per_minute=100))
    up.always(Answer.error(400, "no"))
    assert (await gate.chat(model="large")).status_code == 400
    assert (await settled(gate)).used == 0
    assert (await settled(gate, "requests")).used == 1


async def test_embeddings_count_and_an_unknown_price_is_no_price_of_zero(serve, up):
    gate = await serve(change=limited(tokens_per_minute=1000, requests_per_minute=2))
    body = {"model": "embed", "input": "some text"}
    for code in (200, 200, 429):
        assert (await gate.http.post("/v1/embeddings", json=body)).status_code == code
    paid = await serve(change=limited(usd_per_day=1.0))
    answer = await paid.http.post("/v1/embeddings", json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "price_unknown")


async def test_a_priced_embedding_costs_what_it_says(serve):
    def change(settings):
        priced = settings.embeddings[0].model_copy(update={"price": PriceSettings(input=1.0, output=0)})
        return limited(usd_per_day=1.0)(settings.model_copy(update={"embeddings": (priced,)}))

    gate = await serve(change=change)
    answer = await gate.http.post("/v1/embeddings", json={"model": "embed", "input": "some text"})
    assert (await settled(gate)).used == answer.json()["usage"]["prompt_tokens"] * 1000


async def test_a_cheaper_tier_answers_where_the_policy_lets_it(serve, up):
    policy = CHEAPER + "tiers: [small, large]\nfallback_tier: large\nrules: []\nquality: {keep: 1.0}\n"
    gate = await serve(
        policy.replace("quality: {keep: 0.9}\n", "", 1),
        change=limited(usd_per_day=0.0008),
        cell=lambda cell: setattr(cell, "scorer", None),
    )
    answer = await gate.chat("prove it")
    assert answer.status_code == 200
    assert answer.headers["x-stillhouse-tier"] == "small"
    assert "limit-cheaper" in answer.headers["x-stillhouse-reason"]
    strict = await serve(
        policy.replace("quality: {keep: 0.9}\n", "", 1).replace("cheaper", "refuse"),
        change=limited(usd_per_day=0.0008),
        cell=lambda cell: setattr(cell, "scorer", None),
    )
    refused = await strict.chat("prove it")
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "budget_exceeded")
    assert refused.json()["error"]["type"] == "insufficient_quota"


async def with_keys(serve, home, settings=None, **key):
    """A gateway with keys on and one key of its own."""
    store = KeyStore(home / "keys.json")
    made, token = store.add("acme", now=datetime.now(UTC), **key)
    said = LimitSettings.model_validate(settings or {})
    gate = await serve(change=lambda s: s.model_copy(update={"limits": said}), keys="required")
    gate.http.headers["authorization"] = f"Bearer {token}"
    return gate, made


async def test_a_request_must_fit_its_key_its_team_and_its_tenant(serve, home):
    settings = {
        "each_key": {"requests_per_minute": 50},
        "tenants": {"acme": {"requests_per_minute": 40, "teams": {"search": {"requests_per_minute": 2}}}},
    }
    gate, key = await with_keys(serve, home, settings, team="search")
    codes = [(await gate.chat()).status_code for _ in range(3)]
    assert codes == [200, 200, 429]
    listed = (await gate.http.get("/v1/limits")).json()["data"]
    assert {(line["of"], line["name"], line["allowed"]) for line in listed} == {
        ("key", key.id, 50), ("team", "acme/search", 2), ("tenant", "acme", 40),
    }  # fmt: skip


async def test_a_key_is_given_a_limit_while_the_gateway_runs(serve, home):
    gate, key = await with_keys(serve, home)
    assert (await gate.chat()).status_code == 200
    assert gate.cell.limits is None
    limits = Allowance(requests_per_minute=1)
    KeyStore.load(home / "keys.json").edit(key.id, lambda k: msgspec.structs.replace(k, limits=limits))
    gate.cell.reload()
    assert [(await gate.chat()).status_code for _ in range(2)] == [200, 429]


async def test_while_the_store_is_away_leases_are_spent_and_then_the_settings_decide(serve, up):
    before = 0
    for word, codes in (("refuse", {503}), ("serve", {200})):
        gate = await serve(change=limited(requests_per_minute=1_000, usd_per_day=1.0, when_away=word))
        assert (await gate.chat()).status_code == 200
        limiter = gate.cell.limits.limiter
        real = limiter.store.turn

        def away(asks):
            raise StoreAway("away")

        limiter.store.turn = away
        answers = [await gate.chat() for _ in range(6)]
        assert {a.status_code for a in answers[-3:]} == codes
        if word == "refuse":
            assert answers[-1].json()["error"]["code"] == "limits_unavailable"
        assert b"stillhouse_limits_away 1" in (await gate.http.get("/metrics")).content
        limiter.store.turn = real
        limiter._retry_at = 0.0
        assert (await gate.chat()).status_code == 200
        good = 2 + sum(a.status_code == 200 for a in answers)
        assert (await settled(gate, "requests")).used == before + good
        before += good


async def test_the_samples_of_a_cascade_and_the_tries_it_turned_down_are_paid_for(serve, up):
    policy = PLAIN + "cascade: {start: small, checks: [agreement], samples: 2}\nstream: checked\nfallback_tier: large\n"
    gate = await serve(policy, change=limited(usd_per_day=1.0), cell=lambda cell: setattr(cell, "scorer", None))
    answer = await gate.chat("which one?")
    assert answer.status_code == 200
    record = await gate.record(answer)
    assert len(up.requests) == len(record["attempts"]) >= 3
    assert (await settled(gate)).used == sum(a["cost_nano"] for a in record["attempts"])
