import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrails import compile_rails
from guardrails.lookalikes import has_any, plain


def found(text, *words):
    rails = compile_rails([{"words": {"words": list(words), "action": "mask"}}])
    return [text[f.start : f.end] for f in rails.check(text).findings]


@pytest.mark.parametrize("text", ["pаypal", "раypal", "PАYPАL", "pαypal", "ᴘaypal", "pɑypal"])
def test_a_word_with_borrowed_letters_is_the_word(text):
    assert found(text, "paypal") == [text]


def test_a_word_of_look_alikes_alone_counts_after_latin_text():
    assert found("buy сосоа", "cocoa") == ["сосоа"]
    assert found("купить сосоа", "cocoa") == []


@pytest.mark.parametrize("text", ["нос и рот, сор и хор", "το κακό και το νερό", "Привет, как дела"])
def test_other_languages_are_left_alone(text):
    assert found(text, "hoc", "cop", "xop", "to", "kak", "pot") == []


def test_a_key_and_an_address_with_borrowed_letters_are_found():
    rails = compile_rails([{"secrets": {"action": "mask"}}, {"pii": {"action": "mask"}}])
    key = "ghp_" + "aB3dE5gH7jK9mN1pQ4rS6tV8wX0yZ2aB3dE5"
    assert rails.check(key.replace("a", "а")).text == "[GITHUB_TOKEN_1]"
    assert rails.check("kim@exаmple.com").text == "[EMAIL_1]"


@given(st.text())
def test_every_character_stays_in_its_place(text):
    assert len(plain(text)) == len(text)
    assert has_any(text) == (plain(text) != text)
