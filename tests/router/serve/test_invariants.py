"""Whatever goes wrong, in whatever protocol: everything that was taken is given back, and what was used is told once."""

import asyncio
import random
from datetime import UTC, datetime

import httpx
import pytest

from router.core.cost import cost_of
from router.ledger.read import Reader
from router.registry.keys import KeyStore
from router.serve.limits.account import Hold
from router.serve.limits.settings import LimitSettings
from router.serve.settings import BreakerSettings, EmbeddingSettings, PriceSettings
from router.types import Usage
from tests.router.serve.test_cascade import judging
from tests.router.serve.test_limits import settled, used
from tests.support.upstream import HOLD, RESET, Answer, Wait, chunk, finish, usage

TIMES = "timeouts: {connect: 1.0, first_byte: 0.3, gap: 0.2, total: 0.8}\n"
PLAIN = f"stillhouse: 1\nname: plain\nquality: {{keep: 0.9}}\nat_limit: cheaper\n{TIMES}"
GUARDED = (
    f"stillhouse: 1\nname: guarded\nquality: {{keep: 0.9}}\n{TIMES}"
    "guards:\n  input: [{pii: {entities: [EMAIL], action: block}}]\n  output: [{pii: {entities: [EMAIL], action: block}}]\n"
)
CHECKED = (
    f"stillhouse: 1\nname: checked\nquality: {{keep: 1.0}}\nstream: checked\n{TIMES}"
    "cascade: {start: small, checks: [finish, refusal], deadline: 0.6}\n"
)
SAMPLED = CHECKED.replace("checked\nquality", "sampled\nquality").replace(
    "[finish, refusal]", "[agreement], samples: 2, accept: 0.8"
)
POLICIES = ("plain", "guarded", "checked", "sampled")


def answers(dice, stream):
    """What a server may do to a call."""
    text = dice.choice(["Four.", "I'm sorry, but I can't help.", "Write to ann@example.org now.", ""])
    begun = [chunk("", role="assistant"), *(chunk(word) for word in text.split())]
    kinds = ["good", "good", "good", "slow", 500, 503, 429, 400, 401, "nonsense", "reset", "silence", "cut", "page"]
    match dice.choice(kinds):
        case "good" if stream:
            return Answer.stream(*begun, finish(), usage())
        case "good":
            return Answer.completion(text)
        case "slow":
            return Answer((Wait(dice.uniform(0.01, 0.4)), *answers(dice, stream).steps))
        case int(status):
            return Answer.error(status, retry_after=dice.choice([None, 1]))
        case "nonsense" if stream:
            return Answer.stream(*begun, {"choices": "none"}, finish())
        case "nonsense":
            return Answer.json({"choices": [{"index": 0}]})
        case "cut" if stream:
            return Answer.stream(*begun, dice.choice([RESET, HOLD]))
        case "page":
            return Answer.raw(b"<html>", content_type="text/html")
        case "silence":
            return Answer.silence()
    return Answer((RESET,))


def bodies(dice, policy):
    """A request: its path and its body."""
    words = dice.choice(["What is 2 + 2?", "My address is ann@example.org.", "x" * 300_000])
    model = dice.choice([policy, policy, policy, "small", "large", "m-medium"])
    many = {"max_tokens": dice.choice([5, 32_000]), "stream": dice.random() < 0.5}
    said = [{"role": "user", "content": words}]
    return dice.choice(
        [
            ("/v1/chat/completions", {"model": model, "messages": said, **many}),
            ("/v1/chat/completions", {"model": model, "messages": said, **many}),
            ("/v1/messages", {"model": model, "messages": said, **many}),
            ("/v1/responses", {"model": model, "input": words, "stream": many["stream"]}),
            ("/v1/responses", {"model": model, "input": [{"type": "reasoning", "summary": []}]}),
            ("/v1/completions", {"model": model, "prompt": words, **many}),
            ("/v1/messages/count_tokens", {"model": model, "messages": said}),
            ("/v1/embeddings", {"model": "embed", "input": words[:100]}),
            ("/v1/route", {"model": model, "messages": said}),
            ("/v1/moderations", {"model": policy, "input": words[:100]}),
            (f"/v1/guardrails/{policy}/apply", {"source": "INPUT", "content": [{"text": {"text": words[:100]}}]}),
            ("/v1/chat/completions", {"model": model}),
        ]
    )


async def one(gate, dice, tokens):
    """One request of somebody who may leave in the middle of it; its answer, if he stayed."""
    path, body = bodies(dice, dice.choice(POLICIES))
    headers = {"authorization": f"Bearer {dice.choice(tokens)}"}
    if dice.random() < 0.3:
        headers["x-stillhouse-timeout"] = str(dice.choice([0.01, 0.1, 0.5]))
    patience = dice.choice([30, 30, dice.uniform(0.001, 0.4)])
    try:
        return await asyncio.wait_for(gate.http.post(path, json=body, headers=headers), patience)
    except (TimeoutError, httpx.HTTPError):
        return None


@pytest.mark.parametrize("seed", [3])
async def test_after_any_storm_everything_is_given_back_and_told_once(serve, up, home, monkeypatch, seed):
    dice, stored = random.Random(seed), KeyStore(home / "keys.json")
    born = datetime(2026, 11, 1, tzinfo=UTC)
    tokens = [
        stored.add(tenant=tenant, scopes=("chat", "embeddings", "route", "guard"), now=born)[1] for tenant in "abc"
    ]
    guessed, unknown = [], Hold.unknown  # calls of whose end nobody knows

    def noted(hold):
        if hold._open:
            guessed.append(hold)
        unknown(hold)

    monkeypatch.setattr(Hold, "unknown", noted)
    limits = {"requests_per_minute": 60, "parallel": 8, "tokens_per_minute": 400_000, "usd_per_day": 0.05}
    said = {"each_tenant": limits, "wait": 0.2}

    def change(settings):
        return settings.model_copy(
            update={
                "limits": LimitSettings.model_validate(said),
                "breaker": BreakerSettings(pause=0.1, longest=0.2),
                "embeddings": (
                    EmbeddingSettings(model="embed", upstream="up", price=PriceSettings(input=0, output=0)),
                ),
                "tiers": tuple(t.model_copy(update={"max_concurrent": 4}) for t in settings.tiers),
            }
        )

    up.always(lambda seen: answers(dice, bool(seen.json.get("stream"))) if "messages" in seen.json else up._usual(seen))
    gate = await serve(
        PLAIN, GUARDED, CHECKED, SAMPLED, change=change, cell=judging("agreement", "agreement"),
        keys="required", max_concurrent=10, queue=6, queue_seconds=0.3,
    )  # fmt: skip
    cell, came = gate.cell, []
    for _ in range(7):
        came += await asyncio.gather(*(one(gate, dice, tokens) for _ in range(14)))
    for _ in range(200):
        if not cell.active:
            break
        await asyncio.sleep(0.02)
    _nothing_is_held(cell)
    assert not [answer.text for answer in came if answer is not None and answer.status_code == 500]
    await asyncio.to_thread(cell.ledger.flush)
    with Reader(cell.ledger.place) as reader:
        records = list(reader.requests())
    _all_is_told(cell, came, records)
    asked = [seen for seen in up.requests if seen.path == "/v1/chat/completions"]
    tried = [attempt for record in records for attempt in record["attempts"]]
    assert len(asked) <= len(tried), "a call that is on no record"
    exact = sum(attempt["cost_nano"] or 0 for attempt in tried)
    booked = sum([(await settled_of(gate, tenant)).used for tenant in "abc"])
    assert booked == exact + sum(cost_of_guess(hold) for hold in guessed)
    assert {attempt["outcome"] for attempt in tried} >= {"ok", "error", "timeout"}


async def settled_of(gate, tenant):
    await settled(gate)
    return await asyncio.to_thread(used, gate, "day", f"tenant:{tenant}")


def cost_of_guess(hold):
    """What a call is charged whose end nobody knows."""
    given, made = hold._size.probably()
    return cost_of(Usage(input_tokens=given, output_tokens=made, source="estimated"), hold._price) or 0


def _nothing_is_held(cell):
    assert (cell.active, cell.bodies.held, cell.bodies._whose) == (0, 0, {})
    for gate in cell.shield.gates.values():
        assert (gate.inside, gate.waiting, gate._held, gate._queued) == (0, 0, {}, {})
    for place, guard in cell.shield.guards.items():
        assert (guard.inside, guard.breaker._waiting, guard.breaker._looks) == (0, {}, {}), place
        assert 0 <= guard.budget.tokens <= guard.budget._burst
    limiter = cell.limits.limiter
    for purse in (*limiter._purses.values(), *limiter._old):
        assert (purse.reserved, purse.flying, purse.waiting) == (0, 0, 0), purse.cap


def _all_is_told(cell, came, records):
    by_id = {record["id"]: record for record in records}
    assert len(by_id) == len(records)
    for answer in came:
        if answer is not None and (record := by_id.get(answer.headers["x-request-id"])):
            if "event-stream" not in answer.headers["content-type"]:  # a stream may fail after its head has left
                assert record["status"] == answer.status_code, (record, answer.text)
            if answer.status_code in (429, 503) and record["attempts"] == []:
                assert "retry-after" in answer.headers, answer.text
    for record in records:
        attempts = record["attempts"]
        assert [attempt["n"] for attempt in attempts] == list(range(len(attempts)))
        costs = [attempt["cost_nano"] for attempt in attempts if attempt["tokens_out"] is not None]
        assert record["cost_nano"] == (sum(costs) if costs else None)
    assert sum(cell.metrics.requests.values.values()) == len(records)
