"""The forecast beside the truth, on a few rows of our own."""

import gzip
import json

import pytest

from evals.observed.truth import PAIR, Seen, Trial, judge, lines_of, look_on, markdown, trials
from evals.targets import Family
from policies.load import load_policy
from router.ledger.observed import Observed
from router.score import load

MODELS = {"small": "llama-s", "medium": "llama-m", "large": "llama-l"}


def outcome(number, models=tuple(MODELS.values()), **changes):
    given = {
        "id": f"r{number}", "prompt": f"How many are {number} and {number * 7}? Explain each step.", "source": "own",
        "language": "en", "scores": {m: float((number + k) % 3 > 0) for k, m in enumerate(models)},
        "output_tokens": {m: 50 + 10 * k + number % 5 for k, m in enumerate(models)},
        "token_method": "o200k_base on the stored output",
    }  # fmt: skip
    return {**given, **changes}


@pytest.fixture
def data(tmp_path):
    def write(name, rows):
        (tmp_path / f"{name}.jsonl.gz").write_bytes(gzip.compress("".join(json.dumps(r) + "\n" for r in rows).encode()))

    prices = {t: {"input": i, "output": 2 * i} for t, i in (("small", 0.1), ("medium", 0.5), ("large", 3.0))}
    pair = {
        "tiers": {"small": "weak", "large": "strong"},
        "prices_per_million": {t: prices[t] for t in ("small", "large")},
    }
    three = {"tiers": MODELS, "prices_per_million": prices}
    families = {"llama-3.1": three, "gemma-2": three, "qwen2.5": three, PAIR: pair}
    (tmp_path / "families.json").write_text(json.dumps({"families": families}))
    write("valid", [*(outcome(k) for k in range(40)), outcome(99, token_method="estimated")])
    write("train", [outcome(500)])
    write("routellm", [outcome(k, models=("weak", "strong")) for k in (*range(100, 140), 500)])
    return tmp_path


def test_only_whole_rows_with_measured_tokens_have_a_price_and_shared_questions_are_dropped(data):
    found = list(trials(data))
    assert [len(trial.rows) for trial in found] == [40] * 8
    assert [trial.money for trial in found] == [True] * 6 + [False] * 2
    assert [trial.profile for trial in found[:2]] == ["llama-3.1", "generic"]


def test_every_line_has_forecast_truth_and_error_and_the_same_rows_give_the_same(data):
    scorer, policy = load(), load_policy("balanced")
    lines = lines_of(data, [policy], scorer)
    assert [line["what"] for line in lines] == ["saved", "quality"] * 6 + ["quality"] * 2
    for line in lines:
        assert line["error"][0] == pytest.approx(line["forecast"][0] - line["truth"][0], abs=2e-4)
    assert lines == lines_of(data, [policy], scorer)
    about = {"command": "c", "date": "d", "commit": "e", "machine": "m", "artefact": "a"}
    assert markdown(about, lines).count("\n| balanced |") == len(lines)


def test_what_is_wanted_is_what_the_truth_is_told_of(data):
    trial = next(trials(data))
    seen = look_on(trial, load_policy("balanced"), load())
    for row, observed, change in zip(trial.rows, seen.observed, seen.change, strict=True):
        assert change == row.scores[MODELS[observed.wanted]] - row.scores[MODELS["large"]]


def test_a_forecast_that_is_the_truth_has_no_error():
    rows = [
        Observed(
            group=f"g{k}", tenant="t", policy="p", outcome="ok", served="large", wanted="small", cost_nano=1000 + k,
            estimated=False, predicted={"small": 1, "large": 4}, p_right={"small": 0.25 * (k % 4), "large": 1.0},
            blocked=False, masked=False, cascaded=False, missing=False, feedback=None,
        )
        for k in range(30)
    ]  # fmt: skip
    seen = Seen(rows, [0.75 * (1000 + k) for k in range(30)], [0.25 * (k % 4) - 1 for k in range(30)])
    for forecast, truth, error in judge(seen).values():
        assert (error.value, error.high) == pytest.approx((0, 0), abs=1e-12)
        assert forecast.value == pytest.approx(truth.value)


def test_without_prices_there_is_no_money():
    family = Family("f", MODELS, dict.fromkeys(MODELS, (1.0, 2.0)))
    from evals.importers.outcomes import Outcome

    row = Outcome(id="a", prompt="Say hello.", scores=dict.fromkeys(MODELS.values(), 1.0))
    seen = look_on(Trial([row], family, "generic", False, ""), load_policy("balanced"), load())
    assert list(judge(seen)) == ["quality"]
