"""The lists of names: readable, without doubles, and free of what the other lists deny."""

import pytest

from guardrails.pii.lists import load

LISTS = ["first-names", "surnames", "given-names-ko", "common-words"]


@pytest.mark.parametrize("name", LISTS)
def test_a_list_is_plain_and_nothing_is_both_sure_and_doubtful(name):
    sure, doubtful = load(name)
    assert len(sure) > 500
    assert not sure & doubtful
    assert all(entry == entry.lower() and "?" not in entry for entry in sure | doubtful)


def test_korean_given_names_have_two_syllables():
    assert all(len(name) == 2 and name.isalpha() for name in load("given-names-ko")[0])


def test_a_sure_first_name_is_no_common_word():
    assert not load("first-names")[0] & {"will", "mark", "grace", "may", "paris", "jordan"}
