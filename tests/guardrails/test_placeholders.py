import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrails import Placeholders, compile_rails


def test_the_same_value_gets_the_same_number():
    names = Placeholders()
    assert names.name("EMAIL", "a@b.co") == "[EMAIL_1]"
    assert names.name("EMAIL", "c@d.co") == "[EMAIL_2]"
    assert names.name("EMAIL", "a@b.co") == "[EMAIL_1]"


def test_categories_are_counted_apart():
    names = Placeholders()
    assert [names.name("A", "x"), names.name("B", "x")] == ["[A_1]", "[B_1]"]


def test_a_number_is_one_value_however_it_is_spaced():
    names = Placeholders()
    assert names.name("KR_PHONE", "010-1234-5678") == names.name("KR_PHONE", "01012345678")


def test_dots_and_letters_tell_values_apart():
    names = Placeholders()
    assert names.name("IP_ADDRESS", "1.23.4.5") != names.name("IP_ADDRESS", "12.3.4.5")
    assert names.name("TOKEN", "a-b") != names.name("TOKEN", "ab")


def test_the_values_are_never_shown():
    names = filled()
    assert len(names) == 4
    for thing in (names, names.restorer(), names.restorer(in_json=True)):
        assert not any(value in f"{thing!r} {thing}" for value in VALUES.values())


VALUES = {
    "[EMAIL_1]": "a@b.co",
    "[KR_PHONE_1]": "０１０-1234-5678",
    "[EMAIL_2]": 'quo"te\\@b.co\n😀',
    "[NAME_1]": "[EMAIL_1] 김\ud800",
}


def filled() -> Placeholders:
    names = Placeholders()
    for name, value in VALUES.items():
        category = name[1:].rpartition("_")[0]
        assert names.name(category, f"read as {value}", value) == name
    return names


def test_a_value_comes_back_as_it_was_first_written():
    names = Placeholders()
    names.name("KR_PHONE", "010-1234-5678", "０１０-1234-5678")
    names.name("KR_PHONE", "01012345678")
    assert names.restore("Call [KR_PHONE_1]로.") == "Call ０１０-1234-5678로."


@pytest.mark.parametrize(
    "text", ["[EMAIL_3]", "[email_1]", "[EMAIL_1", "EMAIL_1]", "[EMAIL_01]", "[[", "", "[ EMAIL_1]"]
)
def test_what_was_not_handed_out_stays(text):
    assert filled().restore(text) == text


def test_a_value_that_looks_like_a_placeholder_is_not_read_again():
    assert filled().restore("[NAME_1]") == VALUES["[NAME_1]"]


def test_what_already_stands_in_the_text_is_never_handed_out():
    names = Placeholders()
    names.reserve("what does [EMAIL_1] mean, and [EMAIL_3]?")
    assert [names.name("EMAIL", value) for value in "abc"] == ["[EMAIL_2]", "[EMAIL_4]", "[EMAIL_5]"]
    assert names.restore("[EMAIL_1]") == "[EMAIL_1]"


def test_a_value_hidden_after_the_restorer_was_made_is_not_put_back():
    names = filled()
    restorer = names.restorer()
    later = names.name("EMAIL", "late@b.co")
    assert restorer.feed(later) == later


def test_json_stays_json_and_says_the_same():
    names = filled()
    for name, value in VALUES.items():
        arguments = json.dumps({"to": f"<{name}>", "n": [1]})
        assert json.loads(names.restore(arguments, in_json=True)) == {"to": f"<{value}>", "n": [1]}


PIECES = st.lists(
    st.sampled_from(
        [*VALUES, *"[]_E1 가😀\u200b", "[EMAIL", "_1]", "[KR_", "[EMAIL_3]", "[NAME_1", "[[EMAIL_1]]", "１"]
    ),
    max_size=12,
)


@given(PIECES, st.randoms(use_true_random=False), st.booleans())
def test_in_pieces_as_in_one_and_nothing_else_changes(pieces, chance, in_json):
    names, text = filled(), "".join(pieces)
    whole = names.restore(text, in_json=in_json)
    assert whole == by_hand(names, text, in_json)
    cuts = sorted(chance.sample(range(len(text) + 1), min(len(text), chance.randint(0, 6))))
    restorer = names.restorer(in_json=in_json)
    sent = ""
    for begin, end in itertools.pairwise([0, *cuts, len(text)]):
        sent += restorer.feed(text[begin:end])
        assert whole.startswith(sent)
        assert restorer.held < max(map(len, VALUES))
    assert sent + restorer.finish() == whole


def by_hand(names: Placeholders, text: str, in_json: bool) -> str:
    """Character by character, the slow and plain way."""
    done, at = "", 0
    while at < len(text):
        name = next((name for name in VALUES if text.startswith(name, at)), text[at])
        done += names.restore(name, in_json=in_json)
        at += len(name)
    return done


@given(st.integers(0, 60))
def test_every_single_cut_changes_nothing(cut):
    names = filled()
    text = "😀[EMAIL_1]로 [KR_PHONE_1][EMAIL_[EMAIL_2] [EMAIL_3]\u200b[NAME_1"
    restorer = names.restorer()
    assert restorer.feed(text[:cut]) + restorer.feed(text[cut:]) + restorer.finish() == names.restore(text)


@pytest.mark.parametrize(
    "text", ["전화 ０１０-1234-5678로", "010\u200b-1234-5678 and a@example.com", "a@example.com😀"]
)
def test_what_a_check_masks_comes_back_exactly(text):
    rails = compile_rails([{"pii": None}])
    for cut in range(len(text) + 1):
        names = Placeholders()
        stream = rails.stream(names)
        masked = stream.feed(text[:cut]) + stream.feed(text[cut:]) + stream.finish()
        assert masked != text
        assert names.restore(masked) == text
    names = Placeholders()
    assert names.restore(rails.check(text, names).text) == text


def test_hiding_undoes_restoring_and_takes_the_longer_value_first():
    held = Placeholders()
    for value in ("Ann", "Ann Lee"):
        held.name("NAME", value)
    said = "[NAME_2] and [NAME_1] met."
    assert held.restore(said) == "Ann Lee and Ann met."
    assert held.hide(held.restore(said)) == said
    assert Placeholders().hide(said) == said
