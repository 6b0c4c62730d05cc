"""Patterns compile in linear time or say why not."""

import pytest

from policies.patterns import PatternError, compile_pattern


@pytest.mark.parametrize(
    ("pattern", "text"), [("계약", "이 계약서를"), ("(?i)nda", "the NDA"), (r"^\d+$", "12"), (".", "😀")]
)
def test_a_pattern_is_found_anywhere_in_the_text(pattern, text):
    assert compile_pattern(pattern).search(text) is not None


def test_a_pattern_that_is_not_there_gives_none():
    assert compile_pattern("x").search("abc") is None


@pytest.mark.parametrize(
    ("pattern", "words", "hint"),
    [
        ("(", "missing )", ""),
        ("*a", "no argument", "write .*"),
        ("a(?=b)", "(?=", "look-around"),
        (r"(a)\1", r"\1", "back-references"),
        ("(a{900}){900}", "repetition", ""),
        ("a" * 2_001, "2,001 characters", ""),
    ],
)
def test_a_pattern_that_cannot_be_is_refused_in_words(pattern, words, hint, capfd):
    with pytest.raises(PatternError) as error:
        compile_pattern(pattern)
    assert words in str(error.value)
    assert error.value.hint.startswith(hint)
    assert capfd.readouterr() == ("", "")


def test_a_pattern_made_to_run_away_does_not():
    assert compile_pattern("(a+)+$").search("a" * 50_000 + "b") is None
