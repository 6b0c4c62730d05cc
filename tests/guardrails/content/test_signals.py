import numpy as np
import pytest

from guardrails.content.signals import content_signals
from guardrails.normalize import normalize

SIGNALS = content_signals()


def counted(text):
    folded = normalize(text)[0]
    counts = SIGNALS.count(folded, [0], len(folded))[0]
    return {name for name, count in zip(SIGNALS.names, counts, strict=False) if count}


@pytest.mark.parametrize(
    "text", ["시1발", "씨.발놈", "개-새끼", "개 새 끼 야", "ㅅㅂ", "ᄉᄇ", "병~신", "ＦＵＣＫ", "f*ck"]
)
def test_a_curse_is_seen_through_what_is_put_into_it(text):
    assert counted(text) & {"curse", "broken curse", "spaced curse", "latin curse"}


@pytest.mark.parametrize("text", ["다시 발표", "날씨 발표", "개 새 사료", "Scunthorpe", "assess the class", "shiitake"])
def test_words_that_only_look_like_curses_are_not(text):
    assert not counted(text) & {"curse", "broken curse", "spaced curse", "latin curse"}


def test_concepts_that_meet_are_told_together():
    names = list(SIGNALS.names)
    folded = "immigrants are vermin"
    row = SIGNALS.features(SIGNALS.count(folded, [0], len(folded)))[0]
    assert row[names.index("group+lower")] == 1
    assert row[names.index("sex+crime")] == 0


def test_counts_of_windows_do_not_depend_on_their_neighbours():
    text = "You idiot! 시1발 진짜. Thank you very much. RT @you: shut up!! "
    cuts = [0, 11, 21, 42]
    together = SIGNALS.count(text, cuts, len(text))
    for row, (begin, end) in enumerate(zip(cuts, [*cuts[1:], len(text)], strict=True)):
        alone = SIGNALS.count(text[begin:end], [0], end - begin)
        assert np.array_equal(together[row], alone[0])
