import numpy as np
import pytest

from evals.importers.outcomes import Outcome
from evals.korean import Tier, _calibration, _gap, _tier_auc, shared_tasks


def row(key, task, language, source="haerae-logic"):
    return Outcome(id=str(key), prompt="p", scores={"m": 1.0}, source=source, task=task, language=language)


def test_only_tasks_in_both_languages_are_compared():
    rows = [row(1, "a", "en"), row(2, "a", "ko"), row(3, "b", "ko"), row(4, "c", "en"), row(5, "a", "en", "other")]
    assert [r.id for r in shared_tasks(rows)] == ["1", "2"]


def test_the_gap_is_english_minus_korean():
    rng = np.random.default_rng(0)
    outcome = rng.integers(0, 2, 400).astype(float)
    korean = np.arange(400) >= 200
    chance = np.where(korean, rng.random(400), outcome * 0.5 + 0.25)
    line = _gap("AUC", "f", _tier_auc(Tier("f", "small", chance, outcome)), korean, [str(i) for i in range(400)], 50)
    assert line.english == 1.0
    assert line.gap == pytest.approx(line.english - line.korean)
    assert line.low < line.gap < line.high
    assert line.low > 0.3


def test_calibration_is_told_per_language():
    outcome = np.tile([0.0, 1.0], 200)
    korean = np.arange(400) >= 200
    chance = np.where(korean, 0.9, 0.5)
    measured, _ = _calibration([Tier("f", "small", chance, outcome)], korean)
    assert measured.english == pytest.approx(0.0, abs=0.01)
    assert measured.korean == pytest.approx(0.4, abs=0.01)
