"""Scores are remembered by text, family, artefact and tenant."""

from __future__ import annotations

import pytest

from router.score import Scorer, load
from router.serve.memory.scores import Scores

ASKS = (
    "What is the capital of Portugal?",
    "서울에서 부산까지 몇 시간 걸려?",
    "Prove that there are infinitely many primes.",
    "",
)


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    return load()


class Counting:
    """A scorer that counts how often it is asked."""

    def __init__(self, scorer: Scorer) -> None:
        self.scorer, self.digest, self.asked = scorer, scorer.digest, 0

    def score(self, text: str, family: str):
        self.asked += 1
        return self.scorer.score(text, family)


def test_a_remembered_score_is_the_score(scorer):
    scores, counting = Scores(b"salt" * 4), Counting(scorer)
    for _ in range(3):
        for ask in ASKS:
            assert scores.of(counting, "a", ask, "generic") == scorer.score(ask, "generic")
    assert counting.asked == len(ASKS) == len(scores)


def test_tenants_families_and_artefacts_do_not_share_a_score(scorer):
    scores, counting = Scores(b"salt" * 4), Counting(scorer)
    family = next(name for name in scorer.families if name != "generic")
    scores.of(counting, "a", ASKS[0], "generic")
    scores.of(counting, "b", ASKS[0], "generic")
    assert scores.of(counting, "a", ASKS[0], family).family == family
    counting.digest = "another artefact"
    scores.of(counting, "a", ASKS[0], "generic")
    assert counting.asked == 4


def test_what_was_not_asked_for_longest_is_forgotten(scorer):
    scores, counting = Scores(b"salt" * 4, tenants=2, texts=2), Counting(scorer)
    for ask in (ASKS[0], ASKS[1], ASKS[0], ASKS[2], ASKS[0]):
        scores.of(counting, "a", ask, "generic")
    assert counting.asked == 3
    scores.of(counting, "a", ASKS[1], "generic")
    assert counting.asked == 4
    for tenant in ("b", "c"):
        scores.of(counting, tenant, ASKS[0], "generic")
    assert len(scores) == 2


def test_no_text_is_kept(scorer):
    scores = Scores(b"salt" * 4)
    ask = "a sentence that nobody else would write: quince marmalade"
    scores.of(scorer, "a", ask, "generic")
    assert "quince" not in repr(vars(scores._memory))
