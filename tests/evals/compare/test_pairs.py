"""Rows of two runs side by side."""

from evals.compare.pairs import pair
from tests.support.answers import item


def test_a_pair_asks_the_same():
    mine = [item(1, 1.0, prompt="2 + 2?"), item(2, 1.0, prompt="3 + 3?"), item(3, 1.0)]
    theirs = [item(1, 0.0, prompt="2 + 2?"), item(2, 0.0, prompt="4 + 4?")]
    found = pair(mine, theirs)
    assert [each.id for each in found.candidate] == [each.id for each in found.incumbent] == ["row-1"]
    assert (found.only_candidate, found.only_incumbent) == (2, 1)
