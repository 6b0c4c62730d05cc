import gzip
import json

import numpy as np
import pytest

from evals.routing import __main__ as routing
from router.score import load

FAMILY = {"small": "tiny", "medium": "mid", "large": "big"}


def rows(count, source, seed):
    """The tiny model fails whatever mentions integrals; tokens are measured."""
    rng = np.random.default_rng(seed)
    for k in range(count):
        hard = k % 2
        text = f"Evaluate the integral number {k} of {source}" if hard else f"Say hello to person {k} of {source}"
        chance = (0.15, 0.5, 0.9) if hard else (0.85, 0.9, 0.95)
        yield {
            "id": f"{source}/{seed}/{k}",
            "source": source,
            "task": "t",
            "language": "en",
            "prompt": text,
            "stem_hash": f"{source}-{seed}-{k}",
            "scores": {m: float(rng.random() < p) for m, p in zip(FAMILY.values(), chance, strict=True)},
            "output_tokens": dict.fromkeys(FAMILY.values(), 50),
            "token_method": "measured",
        }


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    for seed, name in enumerate(("train", "valid")):
        lines = [row for source in ("calculus", "manners") for row in rows(320 - 160 * seed, source, seed)]
        (folder / f"{name}.jsonl.gz").write_bytes(gzip.compress("".join(json.dumps(r) + "\n" for r in lines).encode()))
    body = {"tiers": FAMILY, "prices_per_million": {tier: {"input": 1, "output": 2} for tier in FAMILY}}
    (folder / "families.json").write_text(json.dumps({"families": dict.fromkeys(load().families[1:], body)}))
    return folder


def test_sources_left_out_are_learned_judged_and_written(data, tmp_path):
    arguments = ["--data", str(data), "--out", str(tmp_path), "--draws", "20", "--only", "sources"]
    assert routing.main(arguments) == 0
    part = json.loads((tmp_path / "routing.json").read_text())["parts"]["sources"]
    lines = {(line["protocol"], line["target"], line["metric"], line["router"]): line for line in part["lines"]}
    ours = lines["source left out", "calculus", "APGR", "ours"]
    assert ours["value"] > 0.6
    assert ours["note"] == "trained on 320 rows, 0 dropped for shared questions"
    assert lines["source left out", "manners", "APGR", "random"]["value"] == 0.5


def test_a_missing_file_is_an_error_that_names_it(data, tmp_path, capsys):
    assert routing.main(["--data", str(data), "--out", str(tmp_path), "--only", "elsewhere"]) == 2
    assert "routellm.jsonl.gz: cannot be read" in capsys.readouterr().err
