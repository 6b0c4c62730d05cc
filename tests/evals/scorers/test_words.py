"""Answers read as words: the laws of likeness."""

from hypothesis import given
from hypothesis import strategies as st

from evals.scorers.words import holds, letter_f1, same, word_f1

TEXTS = st.text("ab 가나.", max_size=20)


@given(TEXTS, TEXTS)
def test_likeness_is_symmetric_and_between_0_and_1(one, two):
    for like in (word_f1(one, two), letter_f1(one, two, 3)):
        assert 0 <= like <= 1
    assert word_f1(one, two) == word_f1(two, one)
    assert letter_f1(one, two, 2) == letter_f1(two, one, 2)


@given(TEXTS)
def test_a_text_is_wholly_like_itself(text):
    assert word_f1(text, text) == letter_f1(text, text, 3) == 1
    assert same(text, [text], strict=True)
    assert same(text.upper() + "!", [text], strict=False)


def test_a_word_counts_only_by_itself():
    assert holds("au is gold", ["au"])
    assert not holds("an auction", ["au"])
    assert not holds("1200", ["120"])
    assert holds("120개", ["120"])
