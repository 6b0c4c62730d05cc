"""What one part does to another: money, tries, places, records and deadlines where two of them meet."""

import asyncio

import pytest

from router.ledger.db import LedgerError
from router.serve.settings import RetrySettings
from tests.router.serve.test_cascade import policy, reasons
from tests.router.serve.test_checking import ASK, WRONG
from tests.router.serve.test_checking import policy as proving
from tests.router.serve.test_limits import limited, settled
from tests.router.serve.test_media import OPEN, takes
from tests.support.upstream import HOLD, Answer, Wait, chunk, finish, tokens, usage

PLAIN = "stillhouse: 1\nname: plain\nquality: {keep: 0.9}\ntimeouts: {first_byte: 2, gap: 2, total: 5}\n"
REFUSAL = "I'm sorry, but I can't help."


def both(*changes):
    def change(settings):
        for each in changes:
            settings = each(settings)
        return settings

    return change


def priceless(*tiers):
    """Tiers without a price."""

    def change(settings):
        return settings.model_copy(
            update={
                "tiers": tuple(t.model_copy(update={"price": None}) if t.tier in tiers else t for t in settings.tiers)
            }
        )

    return change


async def test_a_try_that_no_money_was_left_for_gives_its_token_back(serve, up):
    """The first call is charged what it probably cost, and that is all there was."""
    gw = await serve(
        PLAIN.replace("first_byte: 2", "first_byte: 0.1"),
        change=both(limited(tokens_per_minute=70, wait=0.1), lambda s: s.model_copy(update={"retries": RetrySettings(burst=3)})),
    )  # fmt: skip
    up.always(Answer.silence())
    answer = await gw.chat("one two three four five six seven", max_tokens=60, model="large")
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "rate_limit_exceeded")
    assert len(up.requests) == 1
    assert gw.cell.shield.guard("", "m-large").budget.tokens == 3


async def test_who_stands_in_line_for_money_does_not_wait_longer_than_his_caller(serve, up):
    gw = await serve(PLAIN, change=limited(tokens_per_minute=400, wait=20))
    up.always(Answer.completion(used=tokens(300, 90)).after(1.5))
    first = asyncio.create_task(gw.chat("hi " * 300, max_tokens=5, model="large"))
    await up.wait_for(1)
    late = await gw.chat("hi " * 300, max_tokens=5, model="large", headers={"x-stillhouse-timeout": "0.2"})
    assert (late.status_code, late.json()["error"]["code"]) == (504, "deadline_exceeded")
    assert (await first).status_code == 200
    assert len(up.requests) == 1


async def test_when_the_callers_time_is_up_no_other_tier_is_asked(serve, up):
    gw = await serve(PLAIN)
    up.always(Answer.silence())
    answer = await gw.chat(model="small", headers={"x-stillhouse-timeout": "0.1"})
    assert answer.json()["error"]["code"] == "deadline_exceeded"
    assert len(up.requests) == 1


async def test_an_answer_is_kept_where_the_next_tier_has_no_price_under_a_budget(serve, up):
    gw = await serve(policy(), change=both(limited(usd_per_day=1), priceless("medium", "large")))
    up.always(Answer.completion(REFUSAL))
    answer = await gw.chat("What is 2 + 2?")
    assert answer.status_code == 200
    assert answer.headers["x-stillhouse-tier"] == "small"
    assert reasons(answer)[-1] == "cascade-escalation-failed"
    assert (await settled(gw)).used == (await gw.record(answer))["cost_nano"]


async def test_a_stream_that_is_held_for_a_check_is_no_silence(serve, up):
    gw = await serve(policy())
    up.always(Answer.stream(chunk("Fo"), Wait(0.3), chunk("ur."), finish(), usage()))
    asked = asyncio.create_task(gw.chat("What is 2 + 2?", stream=True))
    await up.wait_for(1)
    await asyncio.sleep(0.15)
    breaker = gw.cell.shield.guard("", "m-small").breaker
    assert not asked.done()
    assert breaker._waiting == {}
    assert (await asked).status_code == 200


async def test_who_leaves_while_his_answer_is_checked_pays_for_it_on_record(serve, up):
    gw = await serve(proving(on_invalid="rewrite", rewrite={"tier": "large"}), change=limited(usd_per_day=1))
    up.script(Answer.completion(WRONG, used=tokens(20, 5)), Answer((HOLD,)))
    asked = asyncio.create_task(gw.chat(ASK, model="medium"))
    await up.wait_for(2)
    asked.cancel()
    for _ in range(100):
        if not gw.cell.active:
            break
        await asyncio.sleep(0.02)
    await asyncio.to_thread(gw.cell.ledger.flush)
    [(record, attempts)] = stored(gw)
    assert record["outcome"] == "client_gone"
    assert [(a["tier"], a["kind"], a["outcome"], a["tokens_out"]) for a in attempts] == [
        ("large", "check", "cancelled", None), ("medium", "first", "cancelled", 5),
    ]  # fmt: skip
    assert record["cost_nano"] == 20 * 500 + 5 * 1_000


def stored(gw):
    from router.ledger.read import Reader

    with Reader(gw.cell.ledger.place) as reader:
        return [(record, record["attempts"]) for record in reader.requests()]


async def test_a_body_that_cannot_be_made_for_a_server_costs_nothing(serve, up):
    """All that this request holds is understood by servers of its own protocol only."""
    gw = await serve(PLAIN, change=limited(usd_per_day=1))
    body = {"model": "small", "input": [{"type": "reasoning", "summary": []}]}
    answer = await gw.http.post("/v1/responses", json=body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "input")
    assert not up.requests
    assert (await settled(gw)).used == 0


@pytest.mark.parametrize("path", ["/v1/messages/count_tokens", "/v1/route", "/v1/images/generations"])
async def test_every_hot_route_counts_as_a_request_and_finds_its_gate(serve, up, path):
    gw = await serve(OPEN, change=both(limited(requests_per_minute=1), takes("images")))
    up.always(Answer.json({"data": []}))
    body = {"model": "auto", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 3}
    answers = [await gw.http.post(path, json=body) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 429]
    assert "retry-after" in answers[1].headers
    assert answers[0].headers["x-ratelimit-limit-requests"] == "1"
    if "messages" in path:
        assert answers[0].headers["anthropic-ratelimit-requests-limit"] == "1"
    [gate] = gw.cell.shield.gates.values()
    assert gate.inside == 0
    gate.places = 0
    gate._queue = 0
    assert (await gw.http.post(path, json=body)).status_code in (429, 503)
    assert sum(gw.cell.shield.shed.values()) == 1


async def test_a_budget_refuses_what_nobody_can_count(serve, up):
    gw = await serve(OPEN, change=both(limited(usd_per_day=1), takes("audio", "files")))
    refused = await gw.http.post("/v1/audio/speech", json={"model": "x", "input": "hi"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "price_unknown")
    up.always(Answer.json({"data": []}))
    assert (await gw.http.get("/v1/files")).status_code == 200


async def test_who_only_looks_on_limits_nobody(serve):
    gw = await serve(PLAIN, change=limited(requests_per_minute=1), observe=True)
    assert [(await gw.chat(model="large")).status_code for _ in range(3)] == [200] * 3
    said = [await gw.http.post("/v1/moderations", json={"input": "hi"}) for _ in range(3)]
    assert [answer.status_code for answer in said] == [200] * 3


async def test_a_ledger_that_cannot_be_read_is_said_to_be_so(serve, monkeypatch):
    gw = await serve(PLAIN)
    judged = {"request_id": "req_x", "score": 1, "who": "person"}
    odd = await gw.http.post("/v1/feedback", json={**judged, "request_id": "a\0b"})
    assert odd.status_code == (await gw.http.get("/v1/stillhouse/requests/a%00b")).status_code == 404

    def away(_):
        raise LedgerError("away")

    monkeypatch.setattr(gw.cell.ledger, "get", away)
    for answer in (
        await gw.http.post("/v1/feedback", json=judged),
        await gw.http.get("/v1/stillhouse/requests/req_x"),
    ):
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "overloaded")
        assert answer.headers["retry-after"] == "1"


ODD = ('"user": "\\ud800"', '"temperature": 1e999', f'"seed": 1{"0" * 400}')


def speaking(**how):
    """Settings whose server speaks another protocol."""

    def change(settings):
        up = {name: each.model_copy(update=how) for name, each in settings.upstreams.items()}
        return settings.model_copy(update={"upstreams": up})

    return change


@pytest.mark.parametrize("how", [{"wire": "chat"}, {"wire": "responses"}, {"kind": "anthropic"}], ids=str)
async def test_what_no_reader_can_hold_is_the_callers_fault_wherever_it_is_read(serve, up, how):
    gw = await serve(policy(), change=speaking(**how))
    up.always(Answer.completion("Four."))
    said = {
        "/v1/chat/completions": '"messages": [{"role": "user", "content": "hi"}]',
        "/v1/responses": '"input": [{"type": "reasoning", "summary": []}, {"role": "user", "content": "hi"}]',
        "/v1/messages": '"max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]',
        "/v1/completions": '"prompt": "hi"',
        "/v1/embeddings": '"input": "hi", "dimensions": 1e999',
    }
    for path, words in said.items():
        for odd in ODD:
            body = f'{{"model": "{"embed" if "embed" in path else "auto"}", {odd}, {words}}}'
            answer = await gw.http.post(path, content=body, headers={"content-type": "application/json"})
            assert answer.status_code != 500, (path, odd, answer.text)
