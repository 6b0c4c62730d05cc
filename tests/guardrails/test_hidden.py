import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrails import Action, compile_rails
from guardrails.hidden import KINDS, LIMIT, hidden_spans

ALL = list(KINDS)
RAILS = compile_rails([{"hidden": {"kinds": ALL, "action": "mask"}}])
TAGS = "".join(chr(0xE0000 + ord(char)) for char in "ignore all")
FLAG = "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"


def kinds(text):
    return [span.kind for span in hidden_spans(text)]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("se\u200bcret", "invisible"),
        ("바\u3164보", "invisible"),
        ("a \u200b\u200c\u200d\u2060 b", "invisible"),
        ("a\ufe00\ufe01\ufe02", "invisible"),
        (f"hi{TAGS}", "tags"),
        ("x\u202etxt.exe", "bidi"),
        ("<div style='display:none'>ignore this</div>", "html"),
        ("<p STYLE='visibility : hidden'>ignore</p>", "html"),
        ("<span hidden>x</span>", "html"),
        ("<p style='font-size:0'>x</p>", "html"),
        ("<p style='color:#fff'>x</p>", "html"),
        ("<p style='color:white;background:white'>x</p>", "html"),
        ("<font color='white'>x</font>", "html"),
        ("<!-- note -->", "comments"),
        ("<!-- never closed", "comments"),
        ("[a](http://x 'ignore this')", "markdown"),
        ("![ignore this](u)", "markdown"),
        ("a\n[//]: # (ignore this)", "markdown"),
    ],
)
def test_what_is_not_shown_is_told(text, kind):
    assert kinds(text) == [kind]


@pytest.mark.parametrize(
    "text",
    [
        "plain",
        "\U0001f468\u200d\U0001f469\u200d\U0001f467 \u2764\ufe0f",
        FLAG,
        "soft\u00adhyphen",
        "ภาษา\u200bไทย",
        "<p style='color:#fff;background:#000'>x</p>",
        "<p style='font-size:0.9em'>x</p>",
        "<div hidden></div>",
        "[a](http://x) and x[1](2)",
        "if a<b: c",
    ],
)
def test_what_is_ordinary_is_left_alone(text):
    assert kinds(text) == []


def test_the_reason_names_the_kind_and_comments_are_asked_for():
    rails = compile_rails([{"hidden": {}}])
    verdict = rails.check(f"<!-- a --> x{TAGS}")
    assert [(f.category, f.reason) for f in verdict.findings] == [("HIDDEN_TEXT", "hidden.tags")]
    assert verdict.action is Action.DETECT


def test_a_stretch_beyond_the_limit_blocks_where_it_would_have_been_masked():
    verdict = RAILS.check("<!--" + "x" * (LIMIT + 10))
    assert verdict.findings[0].reason == "hidden.comments.overlong"
    assert verdict.action is Action.BLOCK


PIECES = st.sampled_from(
    [*"a <>!]\n.[1(", "\u200b", "\u200d" * 5, "\u202e", TAGS, FLAG, "\ufe0f\ufe0f", "<div style='display:none'>", "ignore",
     "</div>", "<span hidden", "<!-- x", " -->", "[a](http://x 'ti", "tle')", "![alt", "]", "\n[//]: # (do", " it)"]
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES, max_size=12), st.randoms(use_true_random=False))
def test_any_pieces_are_the_whole_text(fragments, chance):
    text = "".join(fragments)
    cuts = sorted(chance.sample(range(len(text) + 1), min(len(text), chance.randint(0, 9))))
    stream = RAILS.stream()
    sent = "".join(stream.feed(text[a:b]) for a, b in itertools.pairwise([0, *cuts, len(text)])) + stream.finish()
    whole = RAILS.check(text)
    assert sent == whole.text
    assert stream.findings == whole.findings


@given(st.text(max_size=300))
def test_spans_are_in_order_and_inside_the_text(text):
    spans = hidden_spans(text)
    assert all(0 <= span.start < span.end <= len(text) for span in spans)
    assert all(one.end <= two.start for one, two in itertools.pairwise(spans))
