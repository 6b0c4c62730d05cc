"""What is written inside a text in another form is read by every guard, whole and in pieces."""

import base64
import itertools
import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrails import Action, compile_rails, encodings
from guardrails.encodings import WINDOW, unescaped
from guardrails.layers import runs_of

KEY = "ghp_" + ("aB3dE5gH7jK9mN1pQ4rS6tV8wX0yZ2" * 2)[:36]
RAILS = compile_rails(
    [
        {"secrets": {"action": "mask"}},
        {"pii": {"action": "mask"}},
        {"words": {"words": ["secret", "bad word", "나쁜말"], "action": "mask"}},
        {"regex": {"name": "ticket", "pattern": r"TCK-\d+", "max_length": 12, "action": "mask"}},
    ]
)


def b64(text: str | bytes) -> str:
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


def tags(text: str) -> str:
    return "".join(chr(0xE0000 + ord(char)) for char in text)


def reasons(text):
    return [finding.reason for finding in RAILS.check(text).findings]


@pytest.mark.parametrize(
    ("text", "becomes", "form"),
    [
        ("a s%65cret b", "a [WORD_1] b", "percent"),
        ("a &#115;ecret b", "a [WORD_1] b", "entities"),
        ("a &#x73;ecret b", "a [WORD_1] b", "entities"),
        (r"a \u0073ecret b", "a [WORD_1] b", "escapes"),
        (r"a \x73ecret b", "a [WORD_1] b", "escapes"),
        ("a se<b></b>cret b", "a [WORD_1] b", "markup"),
        ("a se<span class='x y'>cret b", "a [WORD_1] b", "markup"),
        ("a se<!-- no -->cret b", "a [WORD_1] b", "markup"),
        ("a s**ec**ret b", "a [WORD_1] b", "emphasis"),
        (f"a {b64('the secret word')} b", "a [WORD_1] b", "base64"),
        (f"a/{b64('the secret word')} b", "a/[WORD_1] b", "base64"),
        (f"a {b64('나쁜말 입니다 여러분')} b", "a [WORD_1] b", "base64"),
        (f"a {b'the secret word'.hex()} b", "a [WORD_1] b", "hex"),
        (f"a{tags('the secret word')} b", "a[WORD_1] b", "tags"),
        (f"a {b64('s%65cret is the word')} b", "a [WORD_1] b", "percent.base64"),
        (f"a {b64(b64('the secret word'))} b", "a [WORD_1] b", "base64.base64"),
    ],
)
def test_a_layer_is_read_and_its_run_is_masked(text, becomes, form):
    verdict = RAILS.check(text)
    assert verdict.text == becomes
    assert [finding.reason for finding in verdict.findings] == [f"words.word.{form}"]


def test_a_key_in_base64_is_a_key():
    assert reasons(f"run {b64(f'export TOKEN={KEY}')}") == ["secrets.github_token.base64"]


def test_an_address_in_a_query_is_masked_by_itself():
    assert RAILS.check("https://x.example/?to=kim%40example.com&n=1").text == "https://x.example/?to=[EMAIL_1]&n=1"


def test_three_layers_are_one_too_many():
    assert reasons(b64(b64(b64("the secret word is here")))) == []


@pytest.mark.parametrize(
    "text",
    [
        "**secret** and <b>secret</b>",
        "`secret`",
        "https://x.example/a%20b secret",
    ],
)
def test_what_stands_in_plain_sight_is_found_as_plain(text):
    assert set(reasons(text)) == {"words.word"}


@pytest.mark.parametrize(
    "text",
    [
        "data:image/png;base64," + b64(bytes(range(256)) * 40),
        "sha256:" + "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "internationalisation_of_everything and SOME_CONSTANT_NAME_HERE and someCamelCaseIdentifierOfCode",
        "if a<b and c>d: e = f*g*h ** 2 & 0xff",
        "data:image/svg+xml;base64," + b64("<svg><path d='M0 0'/></svg>" * 400),
    ],
)
def test_ordinary_runs_are_left_alone(text):
    assert RAILS.check(text).action is Action.NONE


def test_a_long_encoded_text_is_read_in_windows_to_its_end():
    text = b64("lorem ipsum dolor sit amet " * 400 + "the secret word")
    verdict = RAILS.check(f"x {text} y")
    assert [finding.reason for finding in verdict.findings] == ["words.word.base64"]
    assert verdict.findings[0].end - verdict.findings[0].start <= WINDOW
    assert verdict.text.endswith("[WORD_1] y")


def test_a_picture_in_base64_is_not_held_back():
    stream = compile_rails([{"words": {"words": ["secret"]}}]).stream()
    text = b64(bytes(range(128, 256)) * 40)
    most = 0
    for at in range(0, len(text), 8):
        stream.feed(text[at : at + 8])
        most = max(most, stream.held)
    assert most <= 56


LONG = ("lorem ipsum dolor sit amet " * 90 + "the secret " + "x " * 60 + KEY + " consectetur " * 120).encode()


@pytest.mark.parametrize("size", [1, 33, 501])
@pytest.mark.parametrize("text", [b64(LONG), "x" + b64(LONG), LONG.hex(), b64(bytes(range(256)) * 4 + LONG)])
def test_a_long_run_in_pieces_is_the_run_as_a_whole(text, size):
    same([text[at : at + size] for at in range(0, len(text), size)])


FRAGMENTS = st.sampled_from(
    [
        *"a <>*&%\\;\n.=`_~/",
        *("s%65cret", "%6", "5", "&#115;", "&#", "ecret", "\\u00", "73ecret", "se<b></b>cret", "<!-- x -->", "<b"),
        *(
            "class='x y'>",
            "s**ec**ret",
            "**",
            "sеcrеt",
            "сек",
            "рет",
            b64("my secret is out"),
            b64("kim@example.com")[:7],
        ),
        *(b64("kim@example.com and more"), b"the secret word".hex(), b"the se".hex(), tags("a secret"), "\U000e0041"),
        *("\ufe0f", "\u200b", "secret ", "나쁜말", "kim%40exam", "ple.com", "TCK-1", "QUJD" * 5, "abcdefghijklmnopq"),
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(FRAGMENTS, max_size=12), st.randoms(use_true_random=False))
def test_layers_in_any_pieces_are_those_of_the_whole_text(fragments, chance):
    text = "".join(fragments)
    cuts = sorted(chance.sample(range(len(text) + 1), min(len(text), chance.randint(0, 9))))
    same([text[a:b] for a, b in itertools.pairwise([0, *cuts, len(text)])])


def same(pieces):
    whole = RAILS.check("".join(pieces))
    stream = RAILS.stream()
    sent = "".join([*map(stream.feed, pieces), stream.finish()])
    assert stream.blocked is (whole.action is Action.BLOCK)  # a value that outgrew its length blocks
    if stream.blocked:
        assert whole.text.startswith(sent)
        assert set(stream.findings) <= set(whole.findings)
        return
    assert sent == whole.text
    assert stream.findings == whole.findings
    assert stream.held == 0


@given(st.text(max_size=200))
def test_any_word_can_be_unescaped(word):
    said, form = unescaped(word)
    assert isinstance(said, str)
    assert form in {"", "markup", "entities", "escapes", "percent", "emphasis"}


@settings(max_examples=100, deadline=None)
@given(st.text(st.characters(), max_size=80), st.integers(0, 3))
def test_what_is_written_in_base64_is_read_whatever_stands_before(said, shift):
    inside = f"{said} TCK-12345678 {said}"
    runs = list(runs_of("A" * shift + b64(inside.encode(errors="replace"))))
    assert any("TCK-12345678" in run.said for run in runs)


def test_long_deep_and_broken_text_has_a_verdict():
    chance = random.Random(3)
    for text in ("&#" * 50_000, "<" * 100_000, "%" * 100_000, "\\u" * 50_000, "*a" * 50_000, "\ud800" * 50_000):
        assert RAILS.check(text).checked == len(text)
    deep = "the secret word"
    for _ in range(12):
        deep = b64(deep)
    assert RAILS.check(deep).checked == len(deep)
    big = "".join(chance.choices(["lorem ", "ipsum ", "안녕 ", "x%41 ", "QUJDREVGR0hJSktM "], k=60_000))
    assert RAILS.check(big).checked == len(big)


@given(st.text(st.sampled_from("aZ09+/_-%&#\\ux<!*~` .é한"), max_size=40))
def test_the_quick_look_for_runs_says_what_the_long_one_says(text):
    assert encodings.may_hold_runs(text) == (re.search(encodings._GATE.pattern, text) is not None)
