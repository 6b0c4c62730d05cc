"""A head as a tier of its own: it answers its task, and whatever else comes goes on as if it were not there."""

import numpy as np
import pytest
from pydantic import ValidationError

from router.serve.settings import TierSettings, UpstreamSettings
from router.upstream.nano_head import BUCKETS, features, save, task_of

SYSTEM = "Say yes or no."


@pytest.fixture
def head(home):
    """It knows one text; made by hand, for how heads are trained is told elsewhere."""
    buckets, values = features("is water wet")
    weights, seen = np.zeros((2 * BUCKETS, 2), np.float32), np.zeros(2 * BUCKETS, np.bool_)
    weights[buckets, 0], seen[buckets] = 8 * values, True
    folder = home / "head"
    folder.mkdir()
    card = {"labels": ["yes", "no"], "tasks": [task_of([SYSTEM])], "threshold": 0.9, "familiar": 0.9}
    return folder / "nano.json", save(folder, card, weights, np.zeros(2, np.float32), seen)


def with_head(head, tier="small"):
    path, sha256 = head

    def change(settings):
        here = UpstreamSettings(kind="nano", path=str(path), sha256=sha256)
        tiers = (*settings.tiers, TierSettings(tier=tier, upstream="here", model="head"))
        return settings.model_copy(update={"upstreams": {**settings.upstreams, "here": here}, "tiers": tiers})

    return change


def ask(said):
    return [{"role": "system", "content": SYSTEM}, {"role": "user", "content": said}]


async def test_a_head_answers_before_the_others_of_its_tier_whatever_the_draw(serve, up, head):
    gw = await serve(change=with_head(head))
    for _ in range(8):
        answer = await gw.chat(model="small", messages=ask("Is water wet"))
        assert answer.json()["choices"][0]["message"]["content"] == "yes"
    record = await gw.record(answer)
    assert [(a["deployment"], a["outcome"], a["cost_nano"]) for a in record["attempts"]] == [("head", "ok", 0)]
    assert up.requests == []


async def test_what_it_is_not_sure_of_goes_to_the_next_of_its_tier_and_the_record_says_so(serve, up, head):
    gw = await serve(change=with_head(head))
    for said in ("Is the moon made of cheese?", "Where do whales sleep?") * 4:
        answer = await gw.chat(model="small", messages=ask(said))
        assert answer.headers["x-stillhouse-tier"] == "small"
        assert "abstained" in answer.headers["x-stillhouse-reason"]
    record = await gw.record(answer)
    assert [(a["deployment"], a["outcome"]) for a in record["attempts"]] == [("head", "abstained"), ("m-small", "ok")]
    assert record["outcome"] == "ok"
    assert next(r["text"] for r in record["reasons"] if r["id"] == "abstained").startswith("head was asked first.")
    assert len(up.requests) == 8


async def test_abstaining_is_no_failure_of_anyone(serve, up, head):
    gw = await serve(change=with_head(head))
    budget = gw.cell.shield.guard("", "m-small").budget
    for _ in range(40):  # many times what opens a breaker
        assert (await gw.chat(model="small", messages=ask("Another thing."))).status_code == 200
    assert gw.cell.shield.guard("", "head").breaker.cause == ""
    assert budget.refused == 0
    text = (await gw.http.get("/metrics")).text
    assert 'stillhouse_attempts_total{tier="small",outcome="abstained"} 40' in text
    assert 'tier="small",outcome="error"' not in text


async def test_a_head_alone_in_its_tier_leaves_it_to_the_tier_above(serve, up, head):
    def change(settings):
        wider = with_head(head)(settings)
        return wider.model_copy(update={"tiers": tuple(t for t in wider.tiers if t.model != "m-small")})

    gw = await serve(change=change)
    answer = await gw.chat(model="small", messages=ask("Another thing."))
    assert answer.headers["x-stillhouse-tier"] == "medium"
    assert (await gw.chat(model="small", messages=ask("is water wet"))).headers["x-stillhouse-tier"] == "small"


async def test_where_nobody_else_may_answer_the_caller_learns_it(serve, up, head):
    def change(settings):
        wider = with_head(head, "large")(settings)
        return wider.model_copy(update={"tiers": wider.tiers[-1:]})

    gw = await serve(change=change)
    answer = await gw.chat(model="large", messages=ask("Another thing."))
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "upstream_abstained")


async def test_a_stream_is_answered_by_the_head_or_by_the_next(serve, up, head):
    from tests.support.upstream import Answer, chunk, finish

    gw = await serve(change=with_head(head))
    up.always(Answer.stream(chunk("no", role="assistant"), finish()), model="m-small")
    own = await gw.chat(model="small", messages=ask("is water wet"), stream=True)
    assert '"content":"yes"' in own.text
    assert own.text.rstrip().endswith("[DONE]")
    other = await gw.chat(model="small", messages=ask("Another thing."), stream=True)
    assert '"content":"no"' in other.text


@pytest.mark.parametrize(
    "more",
    [{}, {"path": "x"}, {"path": "x", "sha256": "0" * 64, "base_url": "http://x"}, {"path": "x", "sha256": "zz"}],
)
def test_a_nano_upstream_needs_its_file_and_its_digest_and_nothing_else(more):
    with pytest.raises(ValidationError):
        UpstreamSettings(kind="nano", **more)
    with pytest.raises(ValidationError, match="belong to an upstream of kind nano"):
        UpstreamSettings(kind="local", path="x")
