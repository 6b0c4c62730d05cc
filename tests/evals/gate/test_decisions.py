"""Policies and scorers on recorded outcomes, through the gate."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from evals.gate import margins
from evals.gate.recorded import Outcomes, deciders, kind_of
from evals.gate.verdict import label
from evals.gate.weigh import load_decisions, weigh
from policies.mistakes import Mistakes
from router.ledger.writer import Ledger
from router.score import artefact
from tests.support.records import attempt, request


def policy(folder: Path, name: str, **settings) -> str:
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump({"stillhouse": 1, "name": name, **settings}))
    return str(path)


@pytest.fixture(scope="module")
def rows(tmp_path_factory) -> Path:
    """400 questions of ours: large is always right, small on every other one, medium on three of four."""
    path = tmp_path_factory.mktemp("rows") / "rows.jsonl"
    lines = [
        {
            "id": f"r{i}", "prompt": f"Add {i} and {i * 7 % 31}, then say whether the sum is even.", "task": "sum" if i % 3 else "odd",
            "scores": {"small": float(i % 2), "medium": float(i % 4 != 0), "large": 1.0},
            "output_tokens": {"small": 40, "medium": 60, "large": 80},
        }
        for i in range(400)
    ]  # fmt: skip
    path.write_text("\n".join(json.dumps(line) for line in lines))
    return path


def on(rows: Path, **changes) -> Outcomes:
    return Outcomes(rows, "generic", None, {}, **changes)


def ruling_of(candidate: str, current: str, given: Outcomes, **changes):
    mine, theirs = load_decisions(candidate, [current], given)
    return weigh(mine, theirs, **changes)


def verdicts(ruling):
    return {finding.estimate.metric.name: finding.verdict for finding in ruling.findings}


def test_a_cheaper_policy_that_answers_worse_is_turned_down_by_quality(tmp_path, rows):
    cheap, dear = policy(tmp_path, "cheap", quality={"keep": 0.3}), policy(tmp_path, "dear", quality={"keep": 1.0})
    ruling = ruling_of(cheap, dear, on(rows))
    told = verdicts(ruling)
    if all(finding.estimate.gain == 0 for finding in ruling.findings):
        pytest.fail("the two policies decide alike; the test shows nothing")
    assert (ruling.verdict, told["quality"], told["cost"]) == ("no", "no", "yes")
    back = ruling_of(dear, cheap, on(rows))
    assert verdicts(back) == {"quality": "yes", "refused": "yes", "cost": "no"}
    allowed = ruling_of(dear, cheap, on(rows), said=[margins.read_margin("cost=100000%")])
    assert allowed.verdict == "yes"


def test_a_policy_that_decides_as_before_passes(tmp_path, rows):
    one, same = policy(tmp_path, "one", quality={"keep": 0.9}), policy(tmp_path, "same", quality={"keep": 0.9})
    ruling = ruling_of(one, same, on(rows))
    assert ruling.verdict == "yes"
    assert {finding.estimate.gain for finding in ruling.findings} == {0.0}


def test_two_scorers_are_judged_by_choice_loss_calibration_and_saving_too(rows):
    ruling = ruling_of("shipped", str(artefact.SHIPPED), on(rows, policy="balanced"))
    assert set(verdicts(ruling)) == {
        "quality", "refused", "cost", "choice", "log_loss", "calibration_error", "saving",
    }  # fmt: skip
    assert all(abs(finding.estimate.gain) < 1e-9 for finding in ruling.findings)
    assert not any(finding.worse for finding in ruling.findings)
    found = {finding.estimate.metric.name: finding.estimate for finding in ruling.findings}
    assert 0 < found["log_loss"].candidate < 7
    assert 0 <= found["choice"].candidate <= 1


def test_a_log_that_cannot_show_a_policy_is_untold(tmp_path, home):
    book = Ledger(home / "ledger.db")
    for i in range(300):
        chances = {"small": 0.5, "medium": 0.7, "large": 0.9}
        book.record(request(f"r{i}", at_ms=i, p_right=chances, novelty=0.5, family="generic"), [attempt()])
    book.close()
    one, other = policy(tmp_path, "one", quality={"keep": 0.5}), policy(tmp_path, "other", quality={"keep": 1.0})
    ruling = ruling_of(one, other, Outcomes(home / "ledger.db", None, None, {}))
    assert ruling.verdict == "untold"
    assert verdicts(ruling)["quality"] == "untold"
    assert any("estimated" in note for note in ruling.notes)


def test_a_scorer_is_not_compared_with_a_policy(rows):
    with pytest.raises(ValueError, match="a policy is compared with a policy"):
        deciders("shipped", ["balanced"], on(rows))


def test_scorers_are_not_judged_on_a_ledger(home):
    Ledger(home / "ledger.db").close()
    with pytest.raises(ValueError, match="judge scorers on outcome rows"):
        deciders("shipped", ["shipped"], Outcomes(home / "ledger.db", None, None, {}))


def test_names_tell_what_they_are():
    assert [kind_of(name) for name in ("shipped", str(artefact.SHIPPED), "balanced", "ours.yaml")] == [
        "scorer", "scorer", "policy", "policy",
    ]  # fmt: skip


def test_a_policy_with_mistakes_is_refused_with_their_places(tmp_path, rows):
    with pytest.raises(Mistakes, match="keep"):
        deciders(policy(tmp_path, "bad", quality={"keep": 3}), ["balanced"], on(rows))


def test_slices_of_outcome_rows_are_looked_at(tmp_path, rows):
    cheap, dear = policy(tmp_path, "cheap", quality={"keep": 0.3}), policy(tmp_path, "dear", quality={"keep": 1.0})
    ruling = ruling_of(cheap, dear, on(rows))
    assert ruling.slices_seen >= 2
    assert any("task=" in label(finding.estimate) for finding in ruling.slices)
    assert all(np.isfinite(finding.estimate.low) for finding in ruling.slices)
