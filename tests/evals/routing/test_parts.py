import json

import numpy as np
import pytest

from evals import metrics
from evals.importers.outcomes import Outcome
from evals.metrics import Setting
from evals.routing import ensemble
from evals.routing.outside import abstention
from evals.routing.public import _group_mean, _neighbours
from evals.routing.report import Line, update


def outcomes(count, subset="s"):
    return [
        Outcome(
            id=f"r{k}",
            prompt=f"question {k}",
            scores={"m": 1.0},
            stem_hash=f"q{k}",
            meta={"subset": f"{subset}{k % 2}"},
        )
        for k in range(count)
    ]


def test_a_margin_chooses_a_dearer_setting_that_keeps_more():
    rng = np.random.default_rng(3)
    quality = np.column_stack([(rng.random(400) < 0.78), (rng.random(400) < 0.8)]).astype(float)
    cost = np.tile([1.0, 10.0], (400, 1))
    mixes = [Setting(f"{k}", np.tile([k / 20, 1 - k / 20], (400, 1))) for k in range(21)]
    fold = np.arange(400) % 5
    plain = metrics.held_out_saving(mixes, quality, cost, fold, 0.97)
    careful = metrics.held_out_saving(mixes, quality, cost, fold, 0.97, margin=1.0)
    assert careful.share < plain.share
    assert careful.shares[:, 1].mean() > plain.shares[:, 1].mean()
    assert careful.cost == pytest.approx((careful.shares * cost).sum(axis=1))


def test_an_impossible_margin_asks_the_large_tier_always():
    quality = np.array([[0.0, 1.0], [1.0, 1.0], [0.0, 0.0], [1.0, 0.0]] * 5)
    small = Setting("small", np.tile([1.0, 0.0], (20, 1)))
    found = metrics.held_out_saving([small], quality, np.ones((20, 2)), np.arange(20) % 2, 1.0, margin=100.0)
    assert found.shares[:, 1].all()


def test_abstaining_on_the_rows_that_routing_gets_wrong_beats_the_lot():
    rows = outcomes(100)
    strange = np.arange(100) / 100
    quality = np.ones((100, 3))
    quality[strange > 0.7, 0] = 0.0
    small = np.zeros(100, dtype=bool)
    lines = {(line.metric, line.router): line.value for line in abstention("p", "t", rows, quality, small, strange, 20)}
    assert lines["quality", "routed, none abstained"] == pytest.approx(0.71)
    assert lines["quality", "always large"] == 1.0
    assert lines["area, fallback large", "by lot"] == pytest.approx(0.5)
    assert lines["area, fallback large", "novelty"] > 0.8
    assert lines["quality at 20% abstained, fallback large", "novelty"] == pytest.approx(0.91)
    assert lines["quality at 20% abstained, fallback large", "by lot"] == pytest.approx(0.71 + 0.2 * 0.29)


def test_a_group_mean_is_of_the_other_folds_and_the_overall_mean_where_unseen():
    rows = outcomes(4)
    found = _group_mean(rows, np.array([1.0, 0.0, 0.5, 0.0]), np.array([0, 0, 1, 1]))
    assert found.tolist() == [0.5, 0.0, 1.0, 0.0]
    alone = _group_mean(rows, np.array([1.0, 0.0, 0.5, 0.0]), np.array([0, 1, 0, 1]))
    assert alone.tolist() == [0.0, 0.75, 0.0, 0.75]


def test_neighbours_are_taken_from_the_other_folds():
    vectors = np.eye(2, dtype=np.float32)[np.arange(40) % 2]
    gain = np.where(np.arange(40) % 2, 1.0, -1.0)
    assert _neighbours(vectors, gain, np.arange(40) // 8, count=3).tolist() == gain.tolist()


def test_the_ensemble_learns_a_gain_that_words_and_form_tell():
    rng = np.random.default_rng(0)
    hard = rng.random(300) < 0.5
    texts = [f"integrate the operator {k}" if h else f"name the colour {k}" for k, h in enumerate(hard)]
    structure = np.column_stack([hard + rng.normal(size=300) / 4, rng.normal(size=300)]).astype(np.float32)
    gain = np.where(hard, 0.6, 0.0) + rng.normal(size=300) * 0.2
    found = ensemble.out_of_fold(texts, structure, gain, np.arange(300) % 3)
    assert set(found) == {"ours", "words alone", "characters alone", "structure alone", "boosted structure alone"}
    assert all(np.corrcoef(score, gain)[0, 1] > 0.5 for score in found.values())
    members = [score for name, score in found.items() if name != "ours"]
    assert found["ours"] == pytest.approx(np.mean(members, axis=0))


def test_one_part_is_written_anew_and_the_others_stay(tmp_path):
    line = Line("p", "t", "APGR", "ours", 0.6, 0.5, 0.7, 10)
    update(tmp_path, "second", [line], "d1", 1, ["first", "second"])
    update(tmp_path, "first", [line._replace(value=float("nan"), low=None, high=None)], "d2", 1, ["first", "second"])
    stored = json.loads((tmp_path / "routing.json").read_text())["parts"]
    assert list(stored) == ["first", "second"]
    assert stored["first"]["about"]["artefact"] == "d2"
    assert stored["second"]["lines"][0]["value"] == 0.6
    page = (tmp_path / "routing.md").read_text()
    assert page.index("# first") < page.index("# second")
    assert "| APGR | ours | - |  | 10 |  |" in page
    assert "| APGR | ours | 0.600 | 0.500 to 0.700 | 10 |  |" in page


def test_form_is_learned_within_sources_not_between_them():
    rng = np.random.default_rng(2)
    structure = rng.normal(size=(2000, 2)).astype(np.float32)
    source = np.where(np.arange(2000) < 1000, "a", "b")
    structure[source == "b", 1] += 5
    gain = 0.2 * (structure[:, 0] > 0) + 0.7 * (source == "b")
    gain[::7] = np.nan
    asked = np.array([[-1, 0], [1, 0], [-1, 5], [1, 5]], dtype=np.float32)
    low, high, far_low, far_high = ensemble.within_sources(structure, gain, source, asked)
    assert high - low > 0.1
    assert far_high - far_low > 0.1
    assert abs(far_low - low) < 0.1
