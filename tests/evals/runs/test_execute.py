"""Before a run starts: what cannot be shown is refused, what is missing is said."""

import pytest

from evals.runs.asking import ConfigError
from evals.runs.record import Item, Run
from evals.runs.store import write_run
from tests.evals.runs.conftest import PLAIN
from tests.support.upstream import Answer

CLAIM = PLAIN + 'assert: ["no worse than RUN by > 20%"]\n'


def many(bench, count):
    bench.rows(
        *(
            {"id": f"r{n:03}", "prompt": f"say {n}", "reference": f"{n}", "language": "ko" if n % 4 else "en"}
            for n in range(count)
        )
    )


async def test_no_regression_is_refused_where_the_rows_could_not_show_one(bench):
    bench.suite(CLAIM)
    assert bench.plan(against="none").rows  # nothing is compared, so nothing is refused
    run = Run(id="20260101T000000Z-ours-aaaa", suite="ours", suite_hash="", targets=("small",), started="s", ended="e")
    write_run(bench.folder / "runs", run, [Item(target="small", id="r0", quality=1.0)])
    with pytest.raises(
        ConfigError, match="'no worse than RUN by > 20%' is refused: 6 questions cannot show"
    ) as refused:
        bench.plan(against="last")
    assert "take more rows or a larger difference" in refused.value.hint
    assert not bench.up.requests


async def test_a_comparison_needs_a_run(bench):
    bench.suite(CLAIM)
    with pytest.raises(ConfigError, match="compares with a run, and none is named") as refused:
        bench.plan()
    assert "--against none" in refused.value.hint
    with pytest.raises(ConfigError, match="there is no finished run of the suite 'ours'"):
        bench.plan(against="last")


async def test_a_run_is_compared_with_an_earlier_one(bench):
    many(bench, 60)
    bench.suite(CLAIM)
    first = await bench.run(against="none")
    assert (first.run.checks, first.exit_code) == ((), 0)
    same = await bench.run(against="last")
    assert (same.run.against, same.run.checks[0].verdict, same.exit_code) == (first.run.id, "pass", 0)
    bench.up.always(Answer.completion("wrong"))
    worse = await bench.run(against=first.run.id, fresh=True)
    assert (worse.run.checks[0].verdict, worse.run.checks[0].value, worse.exit_code) == ("fail", -1.0, 1)


async def test_the_smallest_visible_difference_falls_with_rows_and_rises_with_discord(bench):
    many(bench, 60)
    few = bench.plan().sees
    many(bench, 240)
    assert bench.plan().sees < few
    bench.suite(PLAIN + "discordant: 0.6\n")
    assert bench.plan().sees > 0
    noisy = bench.plan().sees
    bench.suite(PLAIN + "discordant: 0.1\n")
    assert bench.plan().sees < noisy


async def test_discord_is_measured_where_the_other_run_asked_twice(bench):
    many(bench, 60)
    bench.suite(PLAIN)
    twice = await bench.run(repeat=2)
    assert (
        bench.plan(against=twice.run.id).discordant == 1 / 120
    )  # no row differed; fewer than one of them cannot be told


async def test_kin_count_as_one_question(bench):
    bench.rows(*({"id": f"r{n}", "prompt": f"say {n}", "reference": "1", "stem": str(n // 10)} for n in range(60)))
    kin = bench.plan().sees
    many(bench, 60)
    alone = bench.plan().sees
    assert alone is not None
    assert kin is None or kin > alone


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (PLAIN.replace("file: rows.jsonl", "file: none.jsonl"), "none.jsonl: not there"),
        (PLAIN.replace("file: rows.jsonl", "importer: outcomes"), "the importer 'outcomes' has no path"),
        (PLAIN.replace("file: rows.jsonl", "file: rows.jsonl, where: {kind: [x]}"), "no row is left"),
    ],
)
async def test_data_that_cannot_be_read_is_a_mistake_of_the_suite(bench, text, words):
    bench.suite(text)
    with pytest.raises(ConfigError, match=words):
        bench.plan()


async def test_settings_with_mistakes_are_named(bench):
    bench.write("stillhouse.yaml", "stillhouse: 2\n")
    with pytest.raises(ConfigError, match=r"stillhouse\.yaml:1:"):
        await bench.run()


async def test_a_run_says_what_was_measured_on_what(bench):
    done = await bench.run()
    run = done.run
    assert (run.suite, run.rows, run.samples, run.scorers) == ("ours", 6, 1, ("exact",))
    assert run.machine
    assert run.started <= run.ended
    bench.suite(PLAIN.replace("max_tokens: 10", "max_tokens: 12"))
    assert (await bench.run()).run.suite_hash != run.suite_hash
