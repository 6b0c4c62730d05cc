"""Every kind of target: the whole gateway, a running one, a policy, guards, recorded outcomes."""

import json

import pytest

from evals.runs.asking import ConfigError
from router.serve.settings import load_settings
from tests.evals.runs.conftest import PLAIN
from tests.support.gateway import gateway
from tests.support.upstream import Answer

POLICY = """\
stillhouse: 1
name: guarding
quality: {keep: 0.5}
guards:
  input: [{pii: {action: mask}}, {words: {words: [forbidden], action: block}}]
"""
GUARDED = """\
suite: ours
about: A suite of a test.
data: {file: rows.jsonl}
config: stillhouse.yaml
params: {max_tokens: 10}
targets: [{name: gw, gateway: {policy: policy.yaml}}]
scorers: [contains, {verdict: {}, weight: 0}]
"""


async def test_the_whole_gateway_guards_decides_and_answers(bench):
    bench.write("policy.yaml", POLICY)
    bench.suite(GUARDED)
    bench.rows(
        {"id": "plain", "prompt": "say hello", "reference": "hello", "label": False},
        {"id": "mail", "prompt": "write to jo@example.org", "reference": "EMAIL 1", "label": True},
        {"id": "stop", "prompt": "this is forbidden", "reference": "stopped", "label": True},
    )
    done = await bench.run()
    item = {item.id: item for item in done.items}
    assert "jo@example.org" not in json.dumps(bench.asked)
    assert len(bench.up.requests) == 2  # what was blocked asked nobody
    assert [item[name].scores["verdict"] for name in ("plain", "mail", "stop")] == [1, 1, 1]
    assert item["plain"].quality == 1
    assert (item["plain"].tier, item["plain"].model) == ("small", "m-small")
    assert item["plain"].cost_nano > 0
    assert item["plain"].p_right.keys() == {"small", "medium", "large"}
    assert item["stop"].quality == 1
    assert (item["stop"].cost_nano, item["stop"].tier) == (0, None)
    assert (await bench.run()).run.calls == 0


async def test_another_policy_another_answer(bench):
    bench.write("policy.yaml", POLICY)
    bench.suite(GUARDED)
    bench.rows({"id": "a", "prompt": "say hello", "reference": "hello"})
    await bench.run()
    bench.write("policy.yaml", POLICY.replace("0.5", "1.0"))
    assert (await bench.run()).run.calls == 1


async def test_the_operator_s_pin_does_not_reach_an_evaluation(bench, home):
    (home / "pin.json").write_text('{"tier": "large"}')
    bench.write("policy.yaml", POLICY)
    bench.suite(GUARDED)
    bench.rows({"id": "a", "prompt": "say hello", "reference": "hello"})
    assert [item.tier for item in (await bench.run()).items] == ["small"]


async def test_two_gateways_share_their_models_and_can_be_compared(bench):
    bench.write("policy.yaml", POLICY)
    bench.write("dear.yaml", POLICY.replace("quality: {keep: 0.5}", "tiers: [large]"))
    bench.suite(
        GUARDED.replace("}}]", "}}, {name: dear, gateway: {policy: dear.yaml}}]") + 'assert: ["errors <= 0%"]\n'
    )
    bench.rows({"id": "a", "prompt": "say hello", "reference": "hello"})
    done = await bench.run()
    assert [(item.target, item.model) for item in done.items] == [("gw", "m-small"), ("dear", "m-large")]


async def test_an_error_of_the_gateway_is_tried_again_or_said(bench):
    bench.write("policy.yaml", POLICY)
    bench.suite(GUARDED)
    bench.rows({"id": "a", "prompt": "say hello", "reference": "hello"})
    bench.up.always(Answer.error(400, "too long", code="context_length_exceeded"))
    done = await bench.run()
    assert done.items[0].error.startswith("context_length_exceeded")
    assert done.exit_code == 3


async def test_a_running_gateway_is_asked_over_http(bench, home):
    settings = load_settings(bench.folder / "stillhouse.yaml")
    async with gateway(settings, home) as running:
        bench.suite(
            PLAIN.replace("config: stillhouse.yaml\n", "").replace(
                "{name: small, tier: small}", f"{{name: there, gateway: {{base_url: '{running.base_url}'}}}}"
            )
        )
        done = await bench.run()
        assert (done.run.calls, done.run.errors, done.exit_code) == (6, 0, 0)
        item = done.items[0]
        assert item.tier in {"small", "large"}
        assert item.cost_nano > 0
        assert item.reason
        assert (await bench.run()).run.calls == 0
        with_budget = await bench.run(fresh=True, budget_usd=2 * item.cost_nano / 1e9)
        assert with_budget.run.spent_nano <= 2 * max(i.cost_nano for i in done.items)
        assert with_budget.stopped


async def test_a_running_server_that_does_not_say_what_it_costs_has_no_budget(bench):
    bench.suite(PLAIN.replace("tier: small", f"gateway: {{base_url: '{bench.up.base_url}', model: m}}"))
    with pytest.raises(ConfigError, match="'small' does not say what its answers cost"):
        await bench.run(budget_usd=1)
    done = await bench.run()
    assert (done.run.calls, done.run.errors, {item.cost_nano for item in done.items}) == (5, 0, {None})


async def test_what_a_running_gateway_stops_costs_nothing(bench, home):
    bench.write("policy.yaml", POLICY)
    settings = load_settings(bench.folder / "stillhouse.yaml")
    settings = settings.model_copy(update={"policies": (str(bench.folder / "policy.yaml"),)})
    async with gateway(settings, home) as running:
        bench.suite(PLAIN.replace("tier: small", f"gateway: {{base_url: '{running.base_url}'}}"))
        bench.rows({"id": "stop", "prompt": "this is forbidden", "reference": "x"})
        done = await bench.run(budget_usd=1)
    assert not bench.asked
    assert (done.items[0].cost_nano, done.items[0].tier, done.run.spent_nano) == (0, None, 0)


async def test_nobody_at_the_address_is_a_mistake_of_the_suite(bench):
    bench.suite(PLAIN.replace("tier: small", "gateway: {base_url: 'http://127.0.0.1:9/v1'}"))
    with pytest.raises(ConfigError, match="target 'small'"):
        await bench.run()


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("tier: medium", "no model here is 'medium'"),
        ("model: nobody", "no model here is 'nobody'"),
        ("gateway: {model: nobody}", "nothing here is called 'nobody'"),
        ("gateway: {policy: none.yaml}", "the policy has mistakes"),
        ("gateway: {base_url: 'http://127.0.0.1:9/v1', api_key: 'env:NOT_SET_HERE'}", "NOT_SET_HERE is not set"),
    ],
)
async def test_whom_nobody_knows_is_a_mistake_of_the_suite(bench, target, words):
    bench.suite(PLAIN.replace("tier: small", target))
    with pytest.raises(ConfigError, match=words):
        await bench.run()
    assert not bench.up.requests


DECIDING = """\
suite: ours
about: A suite of a test.
data: {file: rows.jsonl}
targets: [{name: p, policy: policy.yaml}]
scorers: [tier]
slices: [language]
"""


async def test_a_policy_decides_without_asking_anybody(bench):
    bench.suite(DECIDING + 'assert: ["saving >= 0%", {that: tier >= 0%, each: language}]\n')
    bench.write("policy.yaml", POLICY.replace("quality: {keep: 0.5}", "tiers: [medium, large]"))
    bench.rows(
        {"id": "a", "prompt": "What is 2 + 2?", "tier": "small", "language": "en"},
        {"id": "b", "prompt": "증명해 주세요.", "tier": "large", "language": "ko"},
    )
    done = await bench.run()
    assert not bench.up.requests
    item = {item.id: item for item in done.items}
    assert item["a"].scores == {"tier": 1.0}
    assert item["a"].cost_nano <= item["a"].baseline_nano
    assert (done.run.calls, done.run.verdict) == (0, "pass")
    assert [check.says for check in done.run.checks] == [
        "saving >= 0%",
        "tier >= 0%, language en",
        "tier >= 0%, language ko",
    ]
    assert (await bench.run(repeat=3)).run.cached == 2  # the same decision every time is asked once


async def test_guards_read_texts_and_their_alarms_are_ranked(bench):
    bench.suite(
        "suite: ours\nabout: A suite of a test.\ndata: {file: rows.jsonl}\n"
        "targets: [{name: g, guards: policy.yaml}]\nscorers: [verdict]\n"
        'assert: ["recall@fpr 0% >= 60%", "quality >= 70%"]\n'
    )
    bench.write("policy.yaml", POLICY)
    bench.rows(
        {"id": "a", "prompt": "jo@example.org", "label": True},
        {"id": "b", "prompt": "it is forbidden", "label": True},
        {"id": "c", "prompt": "nothing here", "label": True},
        {"id": "d", "prompt": "a fine day", "label": False},
    )
    done = await bench.run()
    assert (done.run.verdict, done.exit_code) == ("pass", 0)
    assert done.run.checks[0].value == pytest.approx(2 / 3)
    assert done.run.checks[0].n == 3
    assert done.run.checks[1].value == 0.75


async def test_recorded_outcomes_cost_nothing_and_name_their_model(bench):
    bench.suite(
        "suite: ours\nabout: A suite of a test.\ndata: {importer: outcomes, path: outcomes.jsonl}\n"
        "targets:\n"
        "  - {name: m, outcomes: {model: big}}\n"
        "  - {name: p, outcomes: {policy: policy.yaml, family: {small: tiny, large: big}, "
        "prices: {small: {input: 1, output: 1}, large: {input: 9, output: 9}}}}\n"
        "scorers: [recorded]\nslices: [task]\n"
    )
    bench.write("policy.yaml", POLICY.replace("quality: {keep: 0.5}", "tiers: [small]"))
    row = {
        "prompt": "x y z",
        "scores": {"tiny": 0.0, "big": 1.0},
        "output_tokens": {"tiny": 10, "big": 20},
        "task": "t",
    }
    bench.write("outcomes.jsonl", "\n".join(json.dumps({"id": str(n), **row}) for n in range(3)))
    done = await bench.run()
    by = {name: [item for item in done.items if item.target == name] for name in ("m", "p")}
    assert [item.quality for item in by["m"]] == [1, 1, 1]
    assert [(item.quality, item.model, item.tier) for item in by["p"]] == [(0, "tiny", "small")] * 3
    assert by["p"][0].cost_nano == by["p"][0].tokens_in * 1_000 + 10_000
    assert by["p"][0].baseline_nano == by["p"][0].tokens_in * 9_000 + 180_000
    assert done.run.calls == 0


async def test_rows_without_an_outcome_of_every_model_are_left_out_and_counted(bench):
    suite = (
        "suite: ours\nabout: A suite of a test.\ndata: {importer: outcomes}\n"
        "targets: [{name: a, outcomes: {model: one}}, {name: b, outcomes: {model: two}}]\nscorers: [recorded]\n"
    )
    bench.suite(suite)
    path = bench.folder / "o.jsonl"
    path.write_text('{"id":"x","prompt":"p","scores":{"one":1,"two":0}}\n{"id":"y","prompt":"q","scores":{"one":1}}\n')
    done = await bench.run(data=path)
    assert [(item.target, item.id, item.quality) for item in done.items] == [("a", "x", 1), ("b", "x", 0)]
    assert bench.plan(data=path).left_out == 1
    bench.suite(suite.replace("model: two", "model: absent"))
    with pytest.raises(ConfigError, match="no row has recorded outcomes of absent, one"):
        bench.plan(data=path)


JUDGED = PLAIN.replace("scorers: [exact]", "scorers: [{judge: {by: large}}]")


@pytest.mark.parametrize(
    ("replies", "quality"),
    [(("RIGHT", "NO"), 1.0), (("WRONG", "YES"), 0.0), (("RIGHT", "YES"), None)],
)
async def test_a_judge_is_asked_twice_and_must_agree_with_itself(bench, replies, quality):
    bench.suite(JUDGED)
    bench.rows({"id": "a", "prompt": "say 1", "reference": "1"})
    bench.up.script(*map(Answer.completion, replies), model="m-large")
    done = await bench.run()
    [item] = done.items
    assert item.quality == quality
    assert ("did not agree with itself" in item.error) == (quality is None)
    assert [seen.json["model"] for seen in bench.up.requests] == ["m-small", "m-large", "m-large"]
    assert (done.run.calls, done.run.errors, done.exit_code) == (3, 0, 0)
    again = await bench.run()
    assert (again.run.calls, again.items[0].quality) == (0, quality)


async def test_a_judge_who_cannot_be_asked_leaves_the_run_undecided(bench):
    bench.suite(JUDGED + 'assert: ["quality >= 100%"]\n')
    bench.rows({"id": "a", "prompt": "say 1"}, {"id": "b", "prompt": "say 2"})
    bench.up.script(*map(Answer.completion, ("RIGHT", "NO")), Answer.error(400, "no"), model="m-large")
    suite = bench.folder / "suite.yaml"
    done = await bench.run(parallel=1)
    assert (done.stopped, done.exit_code) == ("the judge did not answer about 1 answers", 3)
    assert done.run.checks[0].verdict == "pass"  # of the one that was judged
    suite.write_text(suite.read_text().replace('100%"]', '100%", "unjudged <= 50%"]'))
    bench.up.script(Answer.error(400, "no"), model="m-large")
    assert (await bench.run(parallel=1)).exit_code == 0


async def test_what_judging_costs_is_part_of_the_budget(bench):
    bench.suite(JUDGED)
    bench.rows({"id": "a", "prompt": "say 1", "reference": "1"})
    bench.up.always(Answer.completion("RIGHT"), model="m-large")
    done = await bench.run(budget_usd=1e-4)
    assert done.run.spent_nano <= 100_000
    assert done.stopped


@pytest.mark.local_model
async def test_the_embedded_model_answers_through_the_whole_gateway(bench):
    bench.suite(
        "suite: ours\nabout: A suite of a test.\ndata: {file: rows.jsonl}\n"
        "params: {temperature: 0, max_tokens: 16, seed: 1}\n"
        "targets: [{name: gw, gateway: {policy: demo}}, {name: small, tier: small}]\nscorers: [contains]\n"
    )
    bench.rows({"id": "a", "prompt": "What is the capital of Japan?", "reference": "Tokyo"})
    done = await bench.run()
    assert (done.run.calls, done.run.errors, done.exit_code) == (2, 0, 0)
    assert len({item.answer for item in done.items}) == 1
    assert [item.quality for item in done.items] == [1.0, 1.0]
    assert {item.cost_nano for item in done.items} == {0}
    assert (await bench.run()).run.calls == 0
