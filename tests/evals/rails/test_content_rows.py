"""Our own pairs of texts, and how rows say what is known of them."""

import gzip
import json

import yaml

from evals.rails.content.public import main as read_public
from evals.rails.content.rows import ALL, QUESTIONS, key_of
from guardrails.content import CATEGORIES


def told():
    return [yaml.safe_load(path.read_text("utf-8")) for path in sorted(QUESTIONS.glob("*.yaml"))]


def test_each_category_has_forty_pairs_in_each_language():
    assert {(one["category"], one["language"]) for one in told()} == {
        (category, language) for category in CATEGORIES for language in ("en", "ko")
    }
    assert all(len(one["pairs"]) >= 40 for one in told())


def test_no_text_stands_twice():
    keys = [key_of(text) for one in told() for pair in one["pairs"] for text in pair]
    assert len(keys) == len(set(keys))


def test_public_clones_become_rows(tmp_path):
    clone = tmp_path / "clones" / "surge"
    clone.mkdir(parents=True)
    (clone / "toxicity_en.csv").write_text("text,is_toxic\nGood day,Not Toxic\nBad day,Toxic\n", encoding="utf-8")
    out = tmp_path / "rows.jsonl.gz"
    assert read_public([str(tmp_path / "clones"), "--out", str(out)]) == 0
    rows = [json.loads(line) for line in gzip.decompress(out.read_bytes()).decode().splitlines()]
    assert [(row["text"], row["label"], row["source"]) for row in rows] == [
        ("Good day", 0, "surge"),
        ("Bad day", 1, "surge"),
    ]
    before = out.read_bytes()
    read_public([str(tmp_path / "clones"), "--out", str(out)])
    assert out.read_bytes() == before


def test_all_names_every_category():
    assert frozenset(CATEGORIES) == ALL
