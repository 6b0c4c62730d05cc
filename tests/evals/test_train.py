import gzip
import json

import numpy as np
import pytest

from evals import targets as learn
from evals import train
from evals.importers.outcomes import read_outcomes
from evals.routing import familiarity
from router.score import load
from router.score.artefact import Artefact
from router.score.estimator import OutcomeModel, design
from router.score.features import read
from router.score.project import KNOTS, Bends
from router.score.scorer import Scorer
from router.score.unknown import REACH, Known

MODELS = ("tiny", "mid", "big")


def rows(count=900):
    """Two sources; the tiny model fails whatever mentions integrals."""
    rng = np.random.default_rng(7)
    for k in range(count):
        hard = k % 2
        text = f"Evaluate the integral number {k} carefully" if hard else f"Say hello to person {k}"
        chance = (0.15, 0.5, 0.9) if hard else (0.85, 0.9, 0.95)
        yield {
            "id": f"row/{k}",
            "source": "calculus" if hard else "manners",
            "language": "en",
            "prompt": text,
            "stem_hash": f"stem{k // 2 * 2 + hard}",
            "scores": {m: float(rng.random() < p) for m, p in zip(MODELS, chance, strict=True)},
            "output_tokens": dict.fromkeys(MODELS, 100 if hard else 10),
        }


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    text = "".join(json.dumps(row) + "\n" for row in rows())
    (folder / "train.jsonl.gz").write_bytes(gzip.compress(text.encode()))
    family = {
        "tiers": dict(zip(("small", "medium", "large"), MODELS, strict=True)),
        "prices_per_million": {t: {"input": 1, "output": 2} for t in ("small", "medium", "large")},
    }
    (folder / "families.json").write_text(json.dumps({"families": {"trio": family}}))
    return folder


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "artefact"
    assert train.main(["--data", str(data), "--out", str(out)]) == 0
    return out


def test_the_artefact_loads_and_has_learned(trained):
    scorer = load(trained)
    assert scorer.families == ("generic", "trio")
    easy, hard = (scorer.score(p, "trio") for p in ("Say hello to person 5", "Evaluate the integral number 5"))
    # 900 rows against the penalties of 20,000: the direction is learned, the size stays modest.
    assert hard.complexity > easy.complexity + 0.05
    assert hard.p_right["large"] > hard.p_right["medium"] > hard.p_right["small"]
    assert hard.output_tokens["small"] > 1.5 * easy.output_tokens["small"]


def test_strange_words_are_more_novel_than_known_ones(trained):
    scorer = load(trained)
    assert scorer.score("zyx wvu tsr qpo").novelty > scorer.score("Say hello to person 5").novelty


def test_the_same_data_gives_the_same_bytes(data, trained, tmp_path):
    train.train(data, tmp_path / "again")
    for name in ("weights.npz", "manifest.json", "MODEL_CARD.md"):
        assert (tmp_path / "again" / name).read_bytes() == (trained / name).read_bytes()


def test_serving_agrees_with_the_estimator(data):
    outcomes = read_outcomes(data / "train.jsonl.gz")
    goal = learn.targets(outcomes, learn.learnable_models(outcomes))
    texts, weights = [row.prompt for row in outcomes], learn.row_weights(goal.scores)
    model = OutcomeModel(seed=train.SEED).fit(design(texts), goal.scores, weights)
    built = train.fit(outcomes, learn.read_families(data / "families.json"))
    prompts = ["Say hello to person 3", "Evaluate the integral", "", "한국어"]
    scorer = Scorer(Artefact("0" * 64, built.manifest, built.arrays))
    served = np.array([scorer._parts(read(p)).sum(axis=0)[:-1] for p in prompts])
    assert np.allclose(served, model.transform(prompts), atol=5e-3)


def test_questions_shared_with_the_valid_split_are_refused(data, tmp_path, capsys):
    for name in ("train.jsonl.gz", "families.json"):
        (tmp_path / name).write_bytes((data / name).read_bytes())
    (tmp_path / "valid.jsonl.gz").write_bytes((data / "train.jsonl.gz").read_bytes())
    assert train.main(["--data", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    assert "share their question" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_missing_file_is_named(tmp_path, capsys):
    assert train.main(["--data", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    assert "train.jsonl.gz: cannot be read" in capsys.readouterr().err


def test_calibration_moves_biased_logits_onto_the_outcomes():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(4000, 1)).astype(np.float32)
    outcome = (rng.random((4000, 1)) < 1 / (1 + np.exp(-(0.5 * logits - 1)))).astype(np.float32)
    offset, slope = train.calibrations(logits, outcome)
    assert offset[0] == pytest.approx(-1, abs=0.15)
    assert slope[0] == pytest.approx(0.5, abs=0.15)


def test_one_source_alone_gives_a_flat_novelty():
    texts = [f"word{k}" for k in range(4)]
    alone = np.array(["own"] * 4)
    learned, known, unknown = familiarity.fit(design(texts), alone, np.array(texts), np.array([0, 1, 0, 1]), seed=1)
    assert not learned.weights.any()
    assert not known.any()
    assert not unknown.any()


def test_a_source_left_out_looks_stranger_than_known_ground(data):
    outcomes = read_outcomes(data / "train.jsonl.gz")
    inputs = design([row.prompt for row in outcomes])
    source, stem = (np.array([getattr(row, name) for row in outcomes]) for name in ("source", "stem"))
    fold = learn.folds(outcomes, 5, 1)
    learned, known, unknown = familiarity.fit(inputs, source, stem, fold, seed=1)
    assert np.median(unknown) > np.quantile(known, 0.9)
    assert learned.quantiles.tolist() == sorted(learned.quantiles.tolist())


def test_novelty_judged_in_bulk_is_the_novelty_served(data):
    outcomes = read_outcomes(data / "train.jsonl.gz")
    inputs = design([row.prompt for row in outcomes])
    source, stem = (np.array([getattr(row, name) for row in outcomes]) for name in ("source", "stem"))
    learned, _, _ = familiarity.fit(inputs, source, stem, learn.folds(outcomes, 5, 1), seed=1)
    prompts = ["Say hello to person 3, hello", "Evaluate what nobody wrote", "", "한국어"]
    readings = [read(prompt) for prompt in prompts]
    known = Known(learned)
    bends = Bends(learned.mean, learned.scale, np.array(KNOTS, np.float32), REACH)
    served = [known.novelty(each.grams[: each.sizes[0]], bends.of(each.structure)[0]) for each in readings]
    assert familiarity.judge(learned, design(prompts)) == pytest.approx(served, abs=1e-3)
