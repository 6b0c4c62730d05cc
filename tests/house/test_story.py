"""The story in the docs happens as it is told: its commands, what they say, how they end."""

import json
import sys

import pytest

from evals.tuning import example
from tests.house import story


@pytest.mark.local_model
def test_the_story_happens_as_it_is_told(tmp_path, home, monkeypatch):
    """Figures and hashes aside, line for line; what depends on the day's traffic must only end well."""
    monkeypatch.chdir(tmp_path)
    for name in story.WITHOUT_RICH:
        monkeypatch.setitem(sys.modules, name, None)
    with story.Walk(tmp_path, requests=2) as walk:
        for told in walk.told(story.PAGE.read_text("utf-8")):
            if told.page.startswith("error:"):
                assert told.code == 2, told
            else:
                assert told.code == (1 if told.page.startswith("NO") else 0), told
            assert told.live or story.masked(told.said) == story.masked(told.page), told.command
    assert walk.proposal
    assert walk.url


def test_made_rows_are_the_same_for_the_same_seed_and_share_no_question_with_other_seeds(tmp_path):
    made = {seed: list(example.rows(500, seed)) for seed in (1, 2, 3)}
    assert made[1] == list(example.rows(500, 1))
    stems = [{row["stem_hash"] for row in rows} for rows in made.values()]
    assert not stems[0] & stems[1] | stems[0] & stems[2] | stems[1] & stems[2]


def test_made_rows_are_read_as_outcomes(tmp_path):
    from evals.importers.outcomes import read_outcomes

    path = tmp_path / "rows.jsonl"
    assert example.main(["--out", str(path), "--rows", "40", "--seed", "5"]) == 0
    rows = read_outcomes(path)
    assert len(rows) == 40
    assert {*rows[0].scores} == {"small", "medium", "large"}
    assert json.loads(path.read_text("utf-8").splitlines()[0])["id"] == "made-5-0"
