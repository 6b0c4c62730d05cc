"""Pictures come from result files alone, equal bytes each time, and are well formed."""

import json
import xml.etree.ElementTree as ET

import pytest

from evals import drawing, pictures
from evals.importers.outcomes import OutcomeError

POINTS = [{"cost": c, "quality": 0.8 + c / 5, "low": 0.75 + c / 5, "high": 0.85 + c / 5} for c in (0.1, 0.5, 1.0)]
CURVES = {
    "families": {
        "llama-3.1": {
            "n": 10,
            "tiers": [{"tier": "small", "cost": 0.1, "quality": 0.8}, {"tier": "large", "cost": 1.0, "quality": 1.0}],
            "curves": dict.fromkeys(pictures.LOOKS, POINTS),
        }
    },
    "reliability": {
        "n": 20, "ece": 0.03, "perfect": 0.02,
        "bins": [{"said": k / 10, "right": k / 10, "low": k / 10 - 0.05, "high": k / 10 + 0.05} for k in range(1, 10)],
    },
}  # fmt: skip
ROUTING = {
    "parts": {
        protocol: {
            "lines": [
                {
                    "protocol": protocol,
                    "target": "a & b",
                    "metric": "APGR",
                    "router": router,
                    "value": 0.6,
                    "low": 0.5,
                    "high": 0.7,
                    "n": 9,
                }
                for router in ("ours", "prompt length", "oracle")
            ]
        }
        for protocol in pictures.PROTOCOLS
    }
}
OWN = {
    "curves": [
        {"source": source, "router": router, "size": size, "value": value}
        for source, value in (("a", 0.5), ("b", 0.6), ("c", 0.9))
        for router, size in (
            ("start", 0),
            ("prompt length", 0),
            ("adapted", 50),
            ("adapted", 500),
            ("from nothing", 500),
        )
    ]
}
CASCADE = {
    "about": {"questions": 300},
    "coverage": {"with log-probabilities": [[0.1, 0.05], [1.0, 0.4]], "random": [[0.1, 0.4], [1.0, 0.4]]},
}
ALL = {"curves.json": CURVES, "routing.json": ROUTING, "own-traffic.json": OWN, "cascade.json": CASCADE}


@pytest.fixture
def results(tmp_path):
    folder = tmp_path / "results"
    folder.mkdir()
    for name, body in ALL.items():
        (folder / name).write_text(json.dumps(body))
    return folder


def test_every_picture_is_drawn_and_well_formed(results, tmp_path):
    assert pictures.draw(results, tmp_path / "out") == []
    drawn = {path.stem: path.read_text("utf-8") for path in (tmp_path / "out").glob("*.svg")}
    assert set(drawn) == set(pictures.PICTURES)
    for words in drawn.values():
        root = ET.fromstring(words)
        assert root.find("{http://www.w3.org/2000/svg}title").text
        assert "nan" not in words


def test_equal_results_give_equal_bytes(results, tmp_path):
    pictures.draw(results, tmp_path / "a")
    pictures.draw(results, tmp_path / "b")
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_every_baseline_is_named_on_the_picture(results):
    words = pictures.quality_cost(CURVES)
    assert all(f">{name}<" in words for name in pictures.LOOKS)
    assert "n = 10" in words


def test_results_that_are_not_there_are_said_to_be_missing(results, tmp_path, capsys):
    (results / "cascade.json").unlink()
    assert pictures.main(["--results", str(results), "--out", str(tmp_path / "out")]) == 0
    assert "not drawn: cascade.svg" in capsys.readouterr().err
    assert not (tmp_path / "out" / "cascade.svg").exists()


def test_results_of_another_form_are_an_error(results, tmp_path, capsys):
    (results / "own-traffic.json").write_text('{"lines": []}')
    assert pictures.main(["--results", str(results), "--out", str(tmp_path / "out")]) == 2
    assert "own-traffic.json: not what learning.svg is drawn from" in capsys.readouterr().err
    with pytest.raises(OutcomeError):
        pictures.draw(results, tmp_path / "out")


def test_in_distribution_never_stands_without_the_others():
    words = pictures.in_and_out(ROUTING)
    assert [words.index(title) for title in pictures.PROTOCOLS.values()] == sorted(
        words.index(t) for t in pictures.PROTOCOLS.values()
    )


def test_values_outside_the_scales_lie_on_the_edge():
    panel = drawing.Panel(0, 0, 200, 200, (0, 1), (0, 1))
    assert panel.at((-5, 9)) == panel.at((0, 1))
    assert panel.at((0, 0))[0] == drawing.LEFT


def test_words_are_escaped():
    assert "a &lt; b" in drawing.text(0, 0, "a < b")
