"""Tables from outcome rows say what the rows say."""

from __future__ import annotations

import numpy as np
import pytest

from evals.importers.outcomes import Outcome, OutcomeError
from evals.routing.parts import costs_of
from evals.targets import Family
from evals.tuning.choose import tiers_of
from evals.tuning.rows import from_outcomes
from router.score import load
from stillhouse.cli.offline import bench, request_of
from tests.evals.tuning.worlds import policy_of

FAMILY = Family(
    "llama-3.1",
    {"small": "a", "medium": "b", "large": "c"},
    {"small": (0.2, 0.2), "medium": (0.7, 0.7), "large": (2.4, 2.4)},
)


def outcome(number: int, prompt: str, **changes: object) -> Outcome:
    given = {
        "id": str(number),
        "prompt": prompt,
        "scores": {"a": 0.0, "b": 1.0, "c": 1.0},
        "output_tokens": {"a": 100, "b": 120, "c": 140},
    }
    return Outcome(**{**given, **changes})  # type: ignore[arg-type]


ROWS = [
    outcome(1, "What is 2 + 2?", meta={"tenant": "acme", "tag": "batch"}, task="sum"),
    outcome(2, "What is 2 + 2?", scores={"a": 1.0, "b": 1.0, "c": 1.0}),
    outcome(3, "대한민국의 수도는 어디인가요?", output_tokens={"a": 5, "b": None, "c": 6}),
    outcome(4, "Prove that there are infinitely many primes.", scores={"a": 1.0, "c": 1.0}),
    outcome(5, "Write to me at jo@example.com, def f(): pass"),
]


def test_rows_that_a_tier_did_not_answer_are_left_out_and_counted():
    table = from_outcomes(ROWS, FAMILY, load())
    assert len(table) == 4
    assert table.left_out == {"not answered by every tier": 1}
    assert table.quality[:, 0].tolist() == [0.0, 1.0, 0.0, 0.0]


def test_money_is_billed_as_every_other_figure_and_unknown_where_tokens_are():
    table = from_outcomes(ROWS, FAMILY, load())
    assert table.cost[0] == pytest.approx([micro * 1_000 for micro in costs_of(ROWS[0], FAMILY)])
    assert np.isnan(table.cost[2]).tolist() == [False, True, False]


def test_equal_questions_share_a_stem_and_words_become_slices():
    table = from_outcomes(ROWS, FAMILY, load())
    assert table.stem[0] == table.stem[1] != table.stem[2]
    names = {name: [column.names[code] for code in column.codes] for name, column in table.slices.items()}
    assert names["tenant"] == ["acme", "default", "default", "default"]
    assert names["language"] == ["en", "en", "ko", "en"]


def test_the_table_decides_as_explain_does():
    guards = {"input": [{"pii": {"entities": ["EMAIL"], "action": "detect"}}]}
    written = policy_of(
        family="llama-3.1",
        rules=[
            {"name": "code", "when": {"pattern": "def "}, "at_least": "medium"},
            {"name": "post", "when": {"findings": ["EMAIL"]}, "pin": "large"},
        ],
        guards=guards,
    )
    table = from_outcomes(ROWS, FAMILY, load(), policy=written)
    ready = bench("balanced", None)
    ready = type(ready)(written, ready.scorer, ready.fleet)
    asked = [ROWS[0], ROWS[1], ROWS[2], ROWS[4]]
    from router.core.decide import Caller

    said = [ready.judge(request_of(row.prompt), Caller()).decision for row in asked]
    assert [table.tiers[tier] for tier in tiers_of(written, table)] == [one.wanted for one in said]
    prices = ready.fleet.prices
    assert prices["small"].input == 220_000_000  # the shipped list; the table's own prices differ, so costs do
    assert np.all(table.guess > 0)


def test_equal_rows_have_equal_fingerprints_and_others_do_not():
    one, same = from_outcomes(ROWS, FAMILY, load()), from_outcomes(ROWS, FAMILY, load())
    other = from_outcomes([*ROWS[1:], outcome(6, "Hello")], FAMILY, load())
    assert one.fingerprint == same.fingerprint != other.fingerprint
    assert one.rows(np.array([0, 1])).fingerprint == one.fingerprint


def test_rows_of_other_models_are_refused_with_what_they_hold():
    with pytest.raises(OutcomeError, match=r"no row has the scores of a, b, c.*the rows score x"):
        from_outcomes([outcome(1, "hi", scores={"x": 1.0})], FAMILY, load())


def test_without_a_scorer_a_policy_sends_all_to_its_fallback_tier():
    table = from_outcomes(ROWS, FAMILY, None)
    assert set(tiers_of(policy_of(fallback_tier="medium"), table)) == {1}
