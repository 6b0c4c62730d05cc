import numpy as np
import pytest

from evals import targets as learn
from evals.importers.outcomes import Outcome, OutcomeError


def outcome(name, scores, source="s", stem="", tokens=None):
    return Outcome(id=name, prompt=name, scores=scores, source=source, stem_hash=stem, output_tokens=tokens or {})


def test_generic_tiers_are_thirds_by_measured_ability():
    abilities = {"worst": 0.1, "bad": 0.2, "fair": 0.4, "good": 0.6, "better": 0.8, "best": 0.9}
    rows = [outcome(str(k), abilities) for k in range(3)]
    goal = learn.targets(rows, sorted(abilities))
    assert goal.models[-3:] == ("generic/small", "generic/medium", "generic/large")
    assert goal.scores[0, -3:] == pytest.approx([0.15, 0.5, 0.85])


def test_models_that_fail_a_whole_source_are_left_out_of_the_generic_tiers():
    rows = [outcome("a", {"dead": 0.0, "low": 0.3, "mid": 0.5, "top": 0.7})]
    assert learn.targets(rows, ["dead", "low", "mid", "top"]).scores[0, -3:] == pytest.approx([0.3, 0.5, 0.7])


def test_unknown_tokens_stay_unknown():
    goal = learn.targets([outcome("a", {"m": 1.0}, tokens={"m": None}), outcome("b", {"m": 0.0})], ["m"])
    assert np.isnan(goal.tokens[:, 0]).all()


def test_nameless_rare_and_one_sided_models_are_not_learned():
    rows = [outcome(str(k), {"m": k % 2, "none": k % 2, "always": 1.0}) for k in range(10)]
    rows.append(outcome("x", {"rare": 1.0}))
    assert learn.learnable_models(rows, least=5) == ("m",)


def test_a_question_stays_in_one_fold_whatever_its_source():
    rows = [outcome(f"{s}{k}", {"m": 1.0}, source=s, stem=f"q{k}") for s in "ab" for k in range(50)]
    fold = learn.folds(rows, 5, seed=1)
    assert (fold[:50] == fold[50:]).all()
    assert set(fold) == {0, 1, 2, 3, 4}


def test_a_broken_family_file_is_refused(tmp_path):
    (tmp_path / "f.json").write_text('{"families": {"x": {}}}')
    with pytest.raises(OutcomeError, match="not a file of families"):
        learn.read_families(tmp_path / "f.json")
