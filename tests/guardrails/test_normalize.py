import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrails.normalize import normalize


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("plain ASCII", "plain ASCII"),
        ("한글과 漢字, ひらがな", "한글과 漢字, ひらがな"),
        ("０１０－１２３４", "010-1234"),
        ("٠١٢", "012"),
        ("①②", "12"),
        ("ａ＠ｂ．ｃｏｍ", "a@b.com"),
        ("010\u200b-12\u00ad34", "010-1234"),
        ("a–b—c−d", "a-b-c-d"),
        ("ﬁne ㎏", "fine kg"),
        ("\ud800x", "\ufffdx"),
        ("", ""),
    ],
)
def test_folds(text, folded):
    assert normalize(text)[0] == folded


def test_text_in_place_needs_no_map():
    assert normalize("０１０ 한글")[1] is None


def test_every_folded_character_knows_where_it_came_from():
    text = "a\u200bﬁb"
    folded, origins = normalize(text)
    assert folded == "afib"
    assert origins == [0, 2, 2, 3]


@given(st.lists(st.text(max_size=6), max_size=5))
def test_pieces_fold_as_the_whole_does(pieces):
    assert "".join(normalize(piece)[0] for piece in pieces) == normalize("".join(pieces))[0]


@given(st.text())
def test_the_map_is_as_long_as_the_text_and_never_runs_back(text):
    folded, origins = normalize(text)
    if origins is None:
        assert len(folded) == len(text)
    else:
        assert len(origins) == len(folded)
        assert origins == sorted(origins)
        assert all(0 <= origin < len(text) for origin in origins)
