"""Budgets: never passed by what was set aside, whatever calls cost in the end."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from evals.runs.budget import Budget


@given(st.integers(1, 100), st.lists(st.tuples(st.integers(0, 40), st.floats(0, 1)), max_size=25))
def test_what_is_spent_never_passes_the_limit(limit, calls):
    async def spend():
        budget = Budget(limit)

        async def call(predicted, share):
            if await budget.take(predicted):
                await asyncio.sleep(0)
                await budget.settle(predicted, int(predicted * share))

        await asyncio.gather(*(call(*each) for each in calls))
        return budget

    budget = asyncio.run(spend())
    assert budget.spent <= limit
    if sum(predicted for predicted, _ in calls) <= limit:
        assert not budget.over


async def test_what_does_not_fit_waits_for_calls_that_may_cost_less():
    budget = Budget(100)
    assert await budget.take(80)
    second = asyncio.create_task(budget.take(50))
    await asyncio.sleep(0)
    assert not second.done()
    await budget.settle(80, 10)
    assert await second
    await budget.settle(50, None)
    assert (budget.spent, budget.over) == (60, False)
    assert not await budget.take(50)
    assert budget.over
    assert not await budget.take(1)


async def test_a_call_of_unknown_cost_is_made_alone():
    budget = Budget(100)
    assert await budget.take(None)
    second = asyncio.create_task(budget.take(None))
    await asyncio.sleep(0)
    assert not second.done()
    await budget.settle(None, 100)
    assert not await second


async def test_without_a_limit_it_only_counts():
    budget = Budget(None)
    assert await budget.take(None)
    assert await budget.take(10**15)
    await budget.settle(10**15, 3)
    assert (budget.spent, budget.over) == (3, False)
