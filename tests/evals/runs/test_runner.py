"""The runner against a real server: it asks once, keeps, scores, waits when told to, and stops in time."""

import asyncio
import os
import signal

import pytest

from evals.runs.asking import ConfigError
from evals.runs.execute import execute
from evals.runs.record import Item
from evals.runs.runner import BY_BUDGET
from evals.runs.store import read_items, read_run
from tests.evals.runs.conftest import PLAIN, echo
from tests.support.upstream import Answer


async def test_every_row_is_asked_once_scored_and_written(bench):
    done = await bench.run()
    assert sorted(bench.asked) == [f"say {n}" for n in range(6)]
    assert (done.run.calls, done.run.cached, done.run.errors, done.exit_code) == (6, 0, 0, 0)
    assert read_run(done.folder) == done.run
    items = read_items(done.folder)
    assert [item.id for item in items] == [f"r{n}" for n in range(6)]
    first = items[0]
    assert isinstance(first, Item)
    assert (first.quality, first.scores, first.tier, first.model) == (1.0, {"exact": 1.0}, "small", "m-small")
    assert first.cost_nano == first.tokens_in * 1_000 + first.tokens_out * 2_000
    assert first.baseline_nano == 10 * first.cost_nano
    assert done.run.spent_nano == sum(item.cost_nano for item in items)


async def test_a_finished_suite_makes_no_call_and_costs_nothing(bench):
    first = await bench.run()
    second = await bench.run()
    assert len(bench.up.requests) == 6
    assert (second.run.calls, second.run.cached, second.run.spent_nano) == (0, 6, 0)
    plain = [(item.id, item.answer, item.quality, item.cost_nano, item.latency_ms) for item in second.items]
    assert sorted(plain) == sorted((i.id, i.answer, i.quality, i.cost_nano, i.latency_ms) for i in first.items)
    assert all(item.cached for item in second.items)


async def test_each_sample_is_an_answer_of_its_own(bench):
    bench.suite(PLAIN.replace("max_tokens: 10", "max_tokens: 10, seed: 5"))
    await bench.run()
    done = await bench.run(repeat=3)
    assert len(bench.up.requests) == 18  # the first sample of each was known
    assert sorted({seen.json["seed"] for seen in bench.up.requests}) == [5, 6, 7]
    assert sorted((item.id, item.sample) for item in done.items) == [(f"r{n}", k) for n in range(6) for k in range(3)]
    assert (await bench.run(repeat=3)).run.calls == 0


@pytest.mark.parametrize(
    "change",
    [
        lambda b: b.suite(PLAIN.replace("max_tokens: 10", "max_tokens: 11")),
        lambda b: b.suite(PLAIN.replace("params:", "system: Be brief.\nparams:")),
        lambda b: b.write("stillhouse.yaml", (b.folder / "stillhouse.yaml").read_text().replace("m-small", "m-other")),
        lambda b: b.write(
            "stillhouse.yaml",
            (b.folder / "stillhouse.yaml")
            .read_text()
            .replace("model: m-small,", "model: m-small, lineage: {generation: 2},"),
        ),
    ],
    ids=["parameters", "system", "model", "generation"],
)
async def test_what_decides_an_answer_is_part_of_its_name(bench, change):
    await bench.run()
    change(bench)
    assert (await bench.run()).run.calls == 6


async def test_a_new_price_asks_nothing_again_and_counts_at_once(bench):
    before = await bench.run()
    text = (bench.folder / "stillhouse.yaml").read_text()
    bench.write("stillhouse.yaml", text.replace("{input: 1, output: 2}", "{input: 2, output: 4}"))
    after = await bench.run()
    assert after.run.calls == 0
    assert sum(item.cost_nano for item in after.items) == 2 * sum(item.cost_nano for item in before.items)


async def test_fresh_asks_again_and_keeps_the_new_answers(bench):
    await bench.run()
    bench.up.always(Answer.completion("other"))
    fresh = await bench.run(fresh=True)
    assert fresh.run.calls == 6
    again = await bench.run()
    assert (again.run.calls, {item.answer for item in again.items}) == (0, {"other"})


async def test_never_more_calls_at_once_than_the_suite_says(bench):
    held = []
    most = 0

    def slow(seen):
        nonlocal most
        most = max(most, bench.up.open_connections)
        held.append(seen)
        return echo(seen).after(0.02)

    bench.up.always(slow)
    await bench.run(parallel=2)
    assert len(held) == 6
    assert most <= 2


async def test_a_limit_is_waited_out_and_nothing_is_lost(bench):
    bench.up.script(Answer.error(429, retry_after=0.05), Answer.error(429, retry_after=0.05), Answer.error(503))
    done = await bench.run()
    assert len(bench.up.requests) == 9
    assert (done.run.calls, done.run.errors, done.exit_code) == (6, 0, 0)


async def test_who_wants_to_be_left_alone_for_an_hour_is_given_up(bench):
    bench.up.always(Answer.error(429, retry_after=3600))
    done = await bench.run()
    assert len(bench.up.requests) == 6
    assert (done.run.errors, done.run.verdict, done.exit_code) == (6, "error", 3)
    assert all(item.error.startswith("rate_limit_exceeded") and item.quality is None for item in done.items)


async def test_what_is_refused_is_asked_once_and_never_kept(bench):
    bench.up.script(Answer.error(400, "no", code="context_length_exceeded"))
    done = await bench.run()
    assert done.run.errors == 1
    assert len(bench.up.requests) == 6
    assert done.stopped == "1 answers are missing"
    again = await bench.run()
    assert (again.run.calls, again.run.errors, again.exit_code) == (1, 0, 0)


async def test_missing_answers_may_be_allowed_in_so_many_words(bench):
    bench.suite(PLAIN + 'assert: ["errors <= 20%", "quality >= 100%"]\n')
    bench.up.script(Answer.error(400, "no"))
    done = await bench.run()
    assert (done.run.errors, done.run.verdict, done.exit_code) == (1, "pass", 0)
    assert done.run.checks[1].n == 5


async def test_answers_missing_from_one_target_are_not_excused_by_a_bound_on_another(bench):
    two = PLAIN.replace("targets: [", "targets: [{name: other, tier: large}, ")
    bench.suite(two + 'assert: [{that: "errors <= 20%", of: [other]}, {that: "quality >= 100%", of: [small]}]\n')
    bench.up.script(Answer.error(400, "no"), model="m-small")
    done = await bench.run()
    assert (done.stopped, done.exit_code) == ("1 answers are missing", 3)


async def test_a_budget_is_never_passed_and_what_stands_is_written(bench):
    """A call reserves ten output tokens and its input; two fit."""
    whole = await bench.run()
    each = max(item.cost_nano for item in whole.items)
    done = await bench.run(fresh=True, budget_usd=2.9 * each / 1e9, parallel=4)
    assert done.stopped == BY_BUDGET
    assert (done.exit_code, done.run.ended) == (3, "")
    assert 0 < done.run.spent_nano <= 2.9 * each
    assert 1 <= len(done.items) <= 2
    assert len(read_items(done.folder)) == len(done.items)


async def test_a_used_up_budget_still_counts_what_is_known(bench):
    bench.rows({"id": "r5", "prompt": "say 5", "reference": "5"})
    await bench.run()
    bench.rows(*({"id": f"r{n}", "prompt": f"say {n}", "reference": f"{n}"} for n in range(6)))
    done = await bench.run(budget_usd=1e-9)
    assert (len(bench.up.requests), [item.id for item in done.items]) == (1, ["r5"])
    assert done.stopped == BY_BUDGET


async def test_a_budget_without_prices_is_refused_before_anything_is_asked(bench):
    text = (bench.folder / "stillhouse.yaml").read_text()
    bench.write("stillhouse.yaml", text.replace(", price: {input: 1, output: 2}", ""))
    with pytest.raises(ConfigError, match="price of a model that 'small' asks is not known"):
        await bench.run(budget_usd=1)
    assert not bench.up.requests


async def test_progress_says_how_many_how_much_and_how_long(bench):
    seen = []
    await bench.run(seen.append)
    assert [at.done for at in seen] == [1, 2, 3, 4, 5, 6]
    last = seen[-1]
    assert (last.total, last.calls, last.cached, last.errors, last.left) == (6, 6, 0, 0, 0)
    assert last.spent_nano > 0


async def test_a_signal_ends_the_run_with_what_stands(bench):
    gate = asyncio.Event()

    def first_then_hold(seen):
        return echo(seen) if len(bench.up.requests) < 3 else Answer.silence()

    bench.up.always(first_then_hold)

    def leave(at):
        if at.done == 2:
            gate.set()

    made = await asyncio.to_thread(bench.plan, parallel=2)
    task = asyncio.create_task(execute(made, bench.wishes, leave))
    await gate.wait()
    os.kill(os.getpid(), signal.SIGINT)
    done = await task
    assert (done.stopped, done.exit_code, len(done.items)) == ("it was interrupted", 3, 2)
    bench.up.always(echo)
    assert (await bench.run()).run.calls == 4


async def test_a_tool_call_is_an_answer(bench):
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    bench.up.always(Answer.completion(None, tools=(call,), reason="tool_calls"))
    tool = {"type": "function", "function": {"name": "f", "parameters": {}}}
    bench.rows({"id": "a", "prompt": "go", "tools": [tool], "reference": '{"name": "f", "arguments": "{}"}'})
    done = await bench.run()
    assert bench.up.requests[0].json["tools"] == [tool]
    assert done.items[0].quality == 1.0
