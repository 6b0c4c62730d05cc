"""A cascade over real weights: log-probabilities of the embedded model arrive, whole and streamed."""

import pytest

from router.registry.weights import BUILT_IN_NAME
from router.serve.settings import PriceSettings, TierSettings, UpstreamSettings
from tests.router.serve.test_endpoint import events_of, said
from tests.support.upstream import Answer

pytestmark = pytest.mark.local_model

POLICY = """
stillhouse: 1
name: tries
tiers: [small, large]
quality: {{keep: 1.0}}
stream: checked
cascade: {{start: small, checks: [logprobs], accept: {accept}, hold: 4, deadline: 110}}
"""
ASK = {"content": "Say hello.", "max_tokens": 8, "temperature": 0}


def embedded(settings):
    """The built-in model as small; large is the scripted server."""
    small = TierSettings(tier="small", upstream="here", model=BUILT_IN_NAME, price=PriceSettings(input=0.1, output=0.2))
    return settings.model_copy(
        update={
            "upstreams": {**settings.upstreams, "here": UpstreamSettings(kind="local")},
            "tiers": (small, *(t for t in settings.tiers if t.tier == "large")),
        }
    )


async def test_real_log_probabilities_decide_and_reach_the_ledger(serve, up):
    gw = await serve(POLICY.format(accept=0.0), change=embedded)
    answer = await gw.chat(**ASK)
    assert answer.headers["x-stillhouse-tier"] == "small"
    assert "cascade-kept" in answer.headers["x-stillhouse-reason"]
    assert answer.json()["choices"][0]["logprobs"] is None
    signals = (await gw.record(answer))["attempts"][0]["signals"]
    assert signals["logprob_least"] <= signals["logprob_mean"] < 0
    assert 0 < signals["chance"] < 1
    streamed = await gw.chat(**ASK, stream=True)
    events, done = events_of(streamed)
    assert done
    assert said(events) == answer.json()["choices"][0]["message"]["content"]
    assert not any(c.get("logprobs") for e in events for c in e["choices"])
    held = (await gw.record(streamed))["attempts"][0]["signals"]
    assert held["logprob_first"] == signals["logprob_first"]
    assert not up.requests


async def test_a_real_answer_that_is_not_sure_enough_is_escalated(serve, up):
    gw = await serve(POLICY.format(accept=1.0), change=embedded)
    up.always(Answer.completion("Hello!"))
    answer = await gw.chat(**ASK)
    assert answer.json()["choices"][0]["message"]["content"] == "Hello!"
    attempts = (await gw.record(answer))["attempts"]
    assert [(a["tier"], a["outcome"]) for a in attempts] == [("small", "not_good_enough"), ("large", "ok")]
    assert attempts[0]["signals"]["logprob_mean"] < 0
    assert attempts[0]["cost_nano"] > 0
