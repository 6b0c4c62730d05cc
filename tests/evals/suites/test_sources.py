"""Importers of suites, on what ships."""

from pathlib import Path

import pytest

from evals.suites.sources import IMPORTERS, NEEDS_NO_PATH, QUESTIONS
from policies.load import PRESETS, preset_names


@pytest.mark.parametrize("name", sorted(NEEDS_NO_PATH))
def test_own_rows_have_ids_texts_and_what_they_expect(name):
    rows = IMPORTERS[name](QUESTIONS)
    assert len({row.id for row in rows}) == len(rows) > 50
    assert all(row.text and row.stem for row in rows)
    assert {row.fields["language"] for row in rows} >= {"en", "ko"}
    assert all(row.reference for row in rows) or all(row.wanted.found is not None for row in rows)


def test_a_pair_of_twins_is_one_question():
    rows = IMPORTERS["own-content"](QUESTIONS)
    twins = {}
    for row in rows:
        twins.setdefault(row.stem, []).append(row.wanted.found)
    assert all(found == [True, False] for found in twins.values())


@pytest.mark.parametrize("preset", preset_names())
def test_probes_of_every_preset_become_rows(preset):
    rows = IMPORTERS["probes"](PRESETS / preset / "probes.yaml")
    decisions = [row for row in rows if not row.guarded]
    assert decisions
    assert all(row.messages and row.wanted != type(row.wanted)() for row in decisions)
    assert all(row.wanted.action for row in rows if row.guarded)


def test_outcome_rows_keep_what_models_scored(tmp_path: Path):
    path = tmp_path / "rows.jsonl"
    path.write_text(
        '{"id":"a","prompt":"p","scores":{"m":0.5},"output_tokens":{"m":7},"language":"ko","stem_hash":"s"}\n'
    )
    [row] = IMPORTERS["outcomes"](path)
    assert (row.scores, row.tokens, row.stem, row.fields["language"]) == ({"m": 0.5}, {"m": 7}, "s", "ko")
