"""The page's bytes: small, closed, inert."""

import base64
import hashlib
import json
import re
import subprocess
import sys
import zlib
from html.parser import HTMLParser
from pathlib import Path

import pytest

from evals.reports import html, told
from evals.reports.load import load
from evals.reports.rows import pack
from evals.reports.summary import summarise
from tests.support.runs import answers, by_hardness, replaced, world, write_items, write_pair

EVIL = "<img src=x onerror=alert(1)></script><script>alert(2)</script>\u2028\u202eevil<!-- ]]> &amp; '\" 서울"


def rows_of(page):
    block = re.search(r"<script type='text/plain' id='data'>([^<]*)</script>", page)[1]
    return json.loads(zlib.decompress(base64.b64decode(block), -15))


def column(data, key):
    return next(column for column in data["columns"] if column["key"] == key)


class Tags(HTMLParser):
    def __init__(self, page):
        super().__init__()
        self.found = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


def test_ten_thousand_items_are_one_megabyte_at_most(runs, page):
    assert len(page.encode()) <= 1_000_000
    data = rows_of(page)
    assert data["n"] == 10_000
    items = load(runs[0]).items
    assert column(data, "id")["values"] == [item.id for item in items]
    assert column(data, "cost")["values"] == [item.cost_nano for item in items]
    tier = column(data, "tier")
    assert [tier["names"][code] for code in tier["values"]] == [item.tier for item in items]
    assert column(data, "quality")["values"][:3] == [item.quality for item in items[:3]]


def test_long_texts_are_cut_until_they_fit_and_the_page_says_so(tmp_path):
    import numpy as np

    letters = np.array(list("abcdefghijklmnopqrstuvwxyz "))
    rng = np.random.default_rng(1)
    items = answers(world(2000), "gateway", by_hardness)
    noise = ["".join(row) for row in letters[rng.integers(27, size=(2000, 900))]]
    items = [replaced(item, prompt=text, answer=text[::-1]) for item, text in zip(items, noise, strict=True)]
    page = html.page(write_items(tmp_path, items))
    assert 500_000 < len(page.encode()) <= 1_000_000
    length = int(re.search(r"prompts are cut at (\d+) characters", page)[1])
    prompts = column(rows_of(page), "prompt")["values"]
    assert all(len(text) == length and text[:-1] == noise[i][: length - 1] for i, text in enumerate(prompts))


def test_rows_that_do_not_fit_even_without_texts_are_taken_evenly(runs):
    loaded = load(runs[1])
    summary = summarise(loaded)
    packed = pack(loaded.items, summary, 12_000)
    assert (packed.rows, packed.of) == (625, 2500)
    assert len(packed.block) <= 12_000
    assert told.rows_note(packed).startswith("625 of 2,500 rows, taken evenly")
    with pytest.raises(ValueError, match="not one of 2500 rows fits in 100 bytes"):
        pack(loaded.items, summary, 100)


def test_only_the_page_s_own_script_and_style_may_run(page):
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)[1].replace("&#x27;", "'")
    assert policy.startswith("default-src 'none'; ")
    for tag, rule in (("script", "script-src"), ("style", "style-src")):
        inside = re.search(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)[1]
        hashed = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert f"{rule} 'sha256-{hashed}'" in policy
    assert "unsafe" not in policy


def test_nothing_is_fetched_and_no_handler_stands_in_a_tag(page):
    for tag, attributes in Tags(page).found:
        assert not [name for name in attributes if name.startswith("on") or name == "style"], tag
        assert tag not in {"iframe", "object", "embed", "img", "base"}
        for name in ("src", "href", "action", "xlink:href"):
            assert attributes.get(name, "#").startswith(("#", "data:,")), (tag, attributes)
    assert "http://" not in page
    assert "https://" not in page
    assert "@import" not in page


def test_texts_of_the_run_are_inert_wherever_they_stand(tmp_path):
    items = answers(world(60), "gateway", by_hardness)
    items = [
        replaced(
            item, target=EVIL, id=f"{EVIL}{number}", prompt=EVIL, answer=EVIL, reference=EVIL, error=EVIL, model=EVIL,
            slices={EVIL: EVIL}, reason=EVIL, stem=EVIL + str(number), quality=float(number % 2),
        )
        for number, item in enumerate(items)
    ]  # fmt: skip
    before = write_items(tmp_path / "before", [replaced(item, quality=1.0) for item in items])
    folder = write_items(tmp_path / "now", items, suite=EVIL, about=EVIL, slices=(EVIL,), command=EVIL, machine=EVIL)
    page = html.page(folder, before)
    tags = Tags(page).found
    assert not [tag for tag, _ in tags if tag == "img"]
    assert sum(tag == "script" for tag, _ in tags) == 2
    assert page.count("&lt;img src=x onerror=alert(1)&gt;") > 20
    assert "\u202e" not in page
    assert "\u2028" not in page
    assert column(rows_of(page), "prompt")["values"][0] == EVIL.replace("\u2028", "⟨U+2028⟩").replace(
        "\u202e", "⟨U+202E⟩"
    )


def test_the_verdict_comes_before_any_figure(page):
    assert page.index("Failed</p>") < page.index("Quality and cost") < page.index("Targets") < page.index("Slices")
    assert page.index("Slices") < page.index("Worst regressions") < page.index("All rows")


def test_every_drawing_has_the_page_s_colours(page):
    drawings = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    assert len(drawings) > 5
    assert not [found for found in drawings if re.search(r"#[0-9a-fA-F]{6}", found)]
    main = next(found for found in drawings if "Quality against cost" in found)
    for name in ("gateway", "always small", "always large", "gateway, before"):
        assert f">{name}</text>" in main
    assert main.count("<polyline") == 3


def test_an_empty_run_is_a_page_too(tmp_path):
    page = html.page(write_items(tmp_path, [], targets=("gateway",)))
    assert "This run holds no answers" in page
    assert "How it was measured" in page
    assert "id='data'" not in page


def test_the_same_run_gives_the_same_bytes(tmp_path):
    folder = write_pair(tmp_path, 100)[0]
    assert html.page(folder) == html.page(folder)


def test_the_command_writes_both_files(tmp_path):
    command = [sys.executable, "-m", "evals.reports", str(write_pair(tmp_path, 60)[0])]
    out, comment = tmp_path / "report.html", tmp_path / "report.md"
    subprocess.run([*command, "--html", str(out), "--markdown", str(comment)], check=True)
    assert out.read_text("utf-8").startswith("<!doctype html>")
    assert comment.read_text("utf-8").startswith("## ")
    missing = subprocess.run([*command[:3], str(Path("no-such-run"))], capture_output=True, text=True, check=False)
    assert missing.returncode == 2
    assert "is not there" in missing.stderr
