import json

import numpy as np
import pytest

from evals.own import __main__ as own
from evals.own import report as own_report
from evals.own.report import Curve
from router.score.adapt import Sample
from router.score.estimator import Design
from router.score.features import STRUCTURE
from router.score.project import KNOTS, hinges


def source(rows=160, held=200, seed=0):
    """Small fails where the second direction and one word say so; the start knows nothing of it."""
    from scipy import sparse

    rng = np.random.default_rng(seed)

    def part(n):
        place, raw = rng.normal(size=(n, 3)), rng.normal(size=(n, len(STRUCTURE))).astype(np.float32)
        structure = hinges(raw, np.float32(0), np.float32(1), np.array(KNOTS, dtype=np.float32)).astype(float)
        word = rng.integers(0, 2, n)
        grams = sparse.csr_array(np.column_stack([word, 1 - word, rng.random((n, 4))]).astype(np.float32))
        hard = place[:, 1] + 2.0 * word - 1.0
        chance = 1 / (1 + np.exp(-np.column_stack([0.5 - 2 * hard, np.full(n, 1.5)])))
        scores = (rng.random((n, 2)) < chance).astype(float)
        return Sample(place, np.zeros((n, 2)), scores, structure, grams), Design(grams, grams, raw)

    (mine, texts), (asked, asked_texts) = part(rows), part(held)
    known = np.column_stack([-asked.place[:, 1], np.zeros(held)])
    return own.Source(
        "made up", mine, asked, texts, asked_texts, [str(k) for k in range(held)], rng.random(held), known, "note"
    )


@pytest.fixture(scope="module")
def curve():
    return own.curve(source(), repeats=2, draws=40)


def test_own_rows_beat_the_start_and_more_of_them_more_so(curve):
    start = curve.of("start", 50)[0]
    assert start == pytest.approx(0.5, abs=0.02)
    assert curve.of("adapted", 50)[0] > start
    assert curve.of("adapted", 500)[0] > curve.of("adapted", 50)[0] - 0.02


def test_sizes_beyond_the_source_use_all_it_has(curve):
    assert curve.used == {50: 50, 100: 100, 200: 160, 500: 160}


def test_every_router_meets_the_same_draws(curve):
    assert {len(values) for values in curve.values.values()} == {41}
    assert ("prompt length", 0) in curve.values
    for router in ("from nothing", "recipes alone", "empty start", "empty start, recipes alone"):
        assert (router, 200) in curve.values


def test_the_report_says_medians_lifts_and_every_curve(curve, tmp_path):
    own_report.write([curve, curve], own.JUDGED, own.SEED, "python -m evals.own", tmp_path)
    body = json.loads((tmp_path / "own-traffic.json").read_text())
    assert {(m["size"], m["router"], m["rival"]) for m in body["medians"]} == {
        (s, a, b) for s in (50, 200, 500) for a, b in own_report.PAIRS
    }
    assert body["lift"]["500"]["sources"] == 2
    text = (tmp_path / "own-traffic.md").read_text()
    assert "| 50 | adapted | start | +0." in text
    losses = {(line["size"], line["router"]): line for line in body["losses"]}
    assert losses[200, "adapted"]["mean"] < losses[200, "start"]["mean"]
    assert losses[200, "recipes alone"]["value"] == 0
    assert losses[50, "adapted"]["value"] == pytest.approx(
        losses[50, "adapted"]["mean"] - losses[50, "recipes alone"]["mean"], abs=1.1e-4
    )
    assert "## made up (n = 200; note)" in text


def test_the_median_is_taken_within_each_draw():
    def one(name, value, noise):
        values = {("adapted", 50): np.array([value, value + noise]), ("start", 0): np.array([0.5, 0.5])}
        return Curve(name, 10, "", values, {50: 50}, {})

    found = own_report.median_difference(
        [one("a", 0.6, 0.1), one("b", 0.7, 0), one("c", 0.9, 0)], "adapted", "start", 50
    )
    assert found == pytest.approx((0.2, 0.2, 0.2))


def test_the_command_leaves_each_source_out_and_writes_both_files(tmp_path):
    import gzip

    rng = np.random.default_rng(3)
    for split, first, count in (("train", 0, 800), ("valid", 5000, 200)):
        lines = []
        for k in range(first, first + count):
            hard = rng.random() < 0.5
            source = ("sums", "letters")[k % 2]
            prompt = f"{source} number {k}: " + ("prove the lemma" if hard else "say hello there")
            chance = (0.2, 0.5, 0.9) if hard else (0.8, 0.85, 0.9)
            scores = {m: float(rng.random() < p) for m, p in zip(("a", "b", "c"), chance, strict=True)}
            lines.append(json.dumps({"id": str(k), "source": source, "prompt": prompt, "scores": scores}) + "\n")
        (tmp_path / f"{split}.jsonl.gz").write_bytes(gzip.compress("".join(lines).encode()))
    out = tmp_path / "out"
    arguments = ["--data", tmp_path, "--out", out, "--sizes", "50", "--repeats", "1", "--draws", "10"]
    assert own.main([str(a) for a in arguments]) == 0
    body = json.loads((out / "own-traffic.json").read_text())
    assert {line["source"] for line in body["curves"]} == {"sums", "letters"}
    assert "--sizes 50 --repeats 1 --draws 10" in body["about"]["command"]
    by = {(line["source"], line["router"]): line["value"] for line in body["curves"]}
    assert by["sums", "adapted"] > by["sums", "prompt length"]
    assert own.main(["--data", str(tmp_path / "nowhere")]) == 2
