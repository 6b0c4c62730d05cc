"""Two runs of a suite through the gate."""

import numpy as np
import pytest

from evals.gate import margins
from evals.gate.weigh import load, weigh
from evals.runs.store import RunError
from tests.support.answers import item, write_run


def scored(n, share, seed, target, **changes):
    rng = np.random.default_rng(seed)
    return [item(i, float(rng.random() < share), target, **changes) for i in range(n)]


def pair(folder, new, old, **changes):
    write_run(folder / "new", new, **changes)
    write_run(folder / "old", old)
    return load(str(folder / "new"), folder), load(str(folder / "old"), folder)


def ruling_of(folder, new, old, **changes):
    mine, theirs = pair(folder, new, old)
    return weigh(mine, [theirs], **changes)


def verdicts(ruling):
    return {finding.estimate.metric.name: finding.verdict for finding in ruling.findings}


def test_the_same_answers_pass_on_every_metric(tmp_path):
    new, old = scored(500, 0.7, 1, "new"), scored(500, 0.7, 1, "old")
    ruling = ruling_of(tmp_path, new, old, ignore=["latency_p95"])
    assert ruling.verdict == "yes"
    assert set(verdicts(ruling)) == {"exact", "errors", "cost", "latency"}
    assert "left out as asked: latency_p95" in ruling.notes


def test_a_better_quality_does_not_pay_for_a_dearer_answer(tmp_path):
    new = scored(400, 0.95, 2, "new", cost_nano=2_000)
    ruling = ruling_of(tmp_path, new, scored(400, 0.6, 3, "old"))
    assert ruling.verdict == "no"
    assert verdicts(ruling)["exact"] == "yes"
    assert "cost" in ruling.says
    allowed = weigh(*_again(tmp_path), said=[margins.read_margin("cost=150%")])
    assert verdicts(allowed)["cost"] == "yes"


def _again(folder):
    return load(str(folder / "new"), folder), [load(str(folder / "old"), folder)]


def test_where_no_model_was_asked_the_time_it_took_is_no_metric(tmp_path):
    sides = [scored(300, 0.7, 6, target, model="") for target in ("new", "old")]
    assert set(verdicts(ruling_of(tmp_path, *sides))) == {"exact", "errors", "cost"}


def test_an_id_that_names_another_question_is_no_pair(tmp_path):
    new, old = scored(100, 0.7, 1, "new"), scored(100, 0.7, 1, "old", prompt="something else")
    with pytest.raises(RunError, match="100 rows ask something else"):
        ruling_of(tmp_path, new, old)


def test_every_scorer_is_a_metric_and_one_that_fell_is_named(tmp_path):
    def two(target, polite):
        rng = np.random.default_rng(4)
        return [item(i, 0.5, target, scores={"exact": 1.0, "polite": float(rng.random() < polite)}) for i in range(300)]

    ruling = ruling_of(tmp_path, two("new", 0.4), two("old", 0.9))
    assert ruling.says == "worse in polite"
    assert verdicts(ruling)["quality"] == "yes"


def test_a_metric_that_one_run_lacks_cannot_be_told(tmp_path):
    new = scored(300, 0.7, 5, "new", cost_nano=None)
    ruling = ruling_of(tmp_path, new, scored(300, 0.7, 5, "old"))
    assert verdicts(ruling)["cost"] == "untold"
    assert ruling.verdict == "untold"


def test_what_nobody_measured_is_no_metric_and_is_said(tmp_path):
    sides = [scored(300, 0.7, 6, target, cost_nano=None, latency_ms=None) for target in ("new", "old")]
    ruling = ruling_of(tmp_path, *sides)
    assert set(verdicts(ruling)) == {"exact", "errors"}
    assert any("cost and latency unknown on both sides" in note for note in ruling.notes)


def test_a_run_that_stopped_early_cannot_pass(tmp_path):
    new, old = scored(200, 0.7, 7, "new"), scored(500, 0.7, 7, "old")
    mine, theirs = pair(tmp_path, new, old, ended="")
    ruling = weigh(mine, [theirs])
    assert ruling.verdict == "untold"
    assert any("300 of 500 rows are in one run only" in note for note in ruling.notes)
    assert any("not finished" in note for note in ruling.notes)


def test_a_slice_that_fell_is_named_though_the_whole_holds(tmp_path):
    def sliced(target, korean):
        rng = np.random.default_rng(8)
        return [
            item(i, float(rng.random() < (korean if i % 10 == 0 else 0.8)), target, slices={"language": "ko" if i % 10 == 0 else "en"})
            for i in range(900)
        ]  # fmt: skip

    ruling = ruling_of(
        tmp_path, sliced("new", 0.2), sliced("old", 0.9), said=[margins.read_margin("exact=0.15")], ignore=["lat*", "cost"]
    )  # fmt: skip
    assert verdicts(ruling)["exact"] == "yes"
    assert ruling.says == "worse in exact where language=ko"


def test_forgetting_shows_on_the_general_set(tmp_path):
    mine, theirs = pair(tmp_path, scored(400, 0.9, 9, "new"), scored(400, 0.5, 10, "old"))
    write_run(tmp_path / "g-new", scored(400, 0.4, 11, "new"), suite="general")
    write_run(tmp_path / "g-old", scored(400, 0.8, 12, "old"), suite="general")
    general = load(str(tmp_path / "g-new"), tmp_path), load(str(tmp_path / "g-old"), tmp_path)
    ruling = weigh(mine, [theirs], also=[general])
    assert ruling.says == "worse in general/exact"


def test_a_control_is_judged_beside_the_current_one(tmp_path):
    mine, theirs = pair(tmp_path, scored(400, 0.7, 13, "new"), scored(400, 0.4, 14, "old"))
    write_run(tmp_path / "control", scored(400, 0.95, 15, "control"))
    ruling = weigh(mine, [theirs, load(str(tmp_path / "control"), tmp_path)])
    told = {(f.estimate.metric.name, f.estimate.against): f.verdict for f in ruling.findings}
    assert told["exact", "old#old"] == "yes"
    assert told["exact", "control#control"] == "no"
    assert ruling.verdict == "no"


def test_two_targets_of_one_run_are_compared_by_name(tmp_path):
    write_run(tmp_path / "both", [*scored(300, 0.2, 16, "a"), *scored(300, 0.9, 17, "b")])
    assert weigh(load(str(tmp_path / "both#a"), tmp_path), [load(str(tmp_path / "both#b"), tmp_path)]).verdict == "no"
    with pytest.raises(RunError, match="no target 'c'; it has a, b"):
        load(str(tmp_path / "both#c"), tmp_path)


def test_repeats_of_a_row_count_as_one_question(tmp_path):
    def thrice(target, seed):
        rng = np.random.default_rng(seed)
        return [item(i, float(rng.random() < 0.6), target, sample=k) for i in range(100) for k in range(3)]

    ruling = ruling_of(tmp_path, thrice("new", 18), thrice("old", 19))
    assert {finding.estimate.stems for finding in ruling.findings} == {100}


def test_damaged_runs_are_refused_with_their_place(tmp_path):
    write_run(tmp_path / "new", [item(1, 1.0), item(1, 1.0)])
    with pytest.raises(RunError, match="row 'row-1', sample 0, is there twice"):
        load(str(tmp_path / "new"), tmp_path)
    (tmp_path / "new" / "items.jsonl").write_text('{"target": 1}\n')
    with pytest.raises(RunError, match=r"items\.jsonl:1"):
        load(str(tmp_path / "new"), tmp_path)
    (tmp_path / "new" / "run.json").unlink()
    with pytest.raises(RunError, match=r"run\.json: is not there"):
        load(str(tmp_path / "new"), tmp_path)


def test_runs_of_other_data_share_nothing(tmp_path):
    mine, theirs = pair(tmp_path, [item(1, 1.0)], [item(2, 1.0, "old")])
    with pytest.raises(RunError, match="share no row"):
        weigh(mine, [theirs])


def test_a_run_is_not_compared_with_a_table_of_means(tmp_path):
    mine, _ = pair(tmp_path, [item(1, 1.0)], [item(1, 1.0, "old")])
    (tmp_path / "means.yaml").write_text("rows: 9\nmetrics: {m: {}}\nsystems: {a: {values: {m: {mean: 1.0}}}}\n")
    with pytest.raises(ValueError, match="different kinds"):
        weigh(mine, [load(str(tmp_path / "means.yaml"), tmp_path)])
