import numpy as np
import pytest

from evals.robustness import attacks
from evals.robustness.__main__ import Judge, Sample, measure, threshold
from evals.robustness.perturb import PERTURBATIONS, perturbed

ASK = 'Which of these is a "prime" number, and why?\n\nA. four\nB. seven - or so...\nC. twelve\n'
KOREAN = "다음 중 소수는 무엇입니까? 이유를 설명해 주세요. 서울은 한국의 수도입니다."


@pytest.mark.parametrize("name", sorted(PERTURBATIONS))
def test_a_change_is_repeated_by_its_seed_and_applies_somewhere(name):
    texts = [ASK, KOREAN]
    first = [perturbed(name, text, str(key), 1) for text in texts for key in range(20)]
    assert first == [perturbed(name, text, str(key), 1) for text in texts for key in range(20)]
    assert set(first) - {ASK, KOREAN}


def test_the_threshold_sends_half_to_small_where_scores_allow():
    assert np.mean(np.arange(10.0) <= threshold(np.arange(10.0))) == 0.5
    assert threshold(np.array([0.0, 0.0, 0.0, 1.0])) == 0.5
    assert threshold(np.zeros(3)) == 0.0


def test_an_attempt_stands_apart_from_the_prompt():
    assert attacks.Attempt("Go.").on("Hi") == "Go. Hi"
    assert attacks.Attempt("", "\nGo.").on("Hi") == "Hi\nGo."


def test_the_searched_string_is_made_of_the_words_that_push():
    def push(texts):
        return np.array([float(text.count("heavy")) for text in texts])

    words = ["heavy", *(f"light{letter}" for letter in "abcdefghij")]
    found = attacks.searched(push, ["one", "two"], words, words=3, seed=0, tries=len(words))
    assert found.after == "heavy heavy heavy"


def test_flips_and_moves_are_counted(monkeypatch):
    monkeypatch.setattr("evals.robustness.__main__.raised", lambda texts: [False for _ in texts])

    class Row:
        def __init__(self, key):
            self.id, self.prompt = str(key), "word " * (key + 1)

    rows = [Row(key) for key in range(40)]
    judge = Judge("length", lambda texts: np.array([float(len(text)) for text in texts]))
    drawn = Sample(rows, np.arange(40) < 20)
    (router,), changes, moved = measure([judge], drawn)
    assert (router.small, router.auc) == (0.5, 1.0)
    case = next(change for change in changes if change.change == "case")
    assert case.flips == 0
    longer = next(attack for attack in moved if attack.attempt == "invented mathematics")
    assert longer.n == 20
    assert longer.up > 0
    assert longer.interval[0] < longer.up / longer.n <= longer.interval[1] + 1e-9
