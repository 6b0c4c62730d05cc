import math
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.score import UnknownFamily, load

PROMPTS = [
    "",
    " ",
    "hello",
    "What is the capital of France?",
    "🦆🦆🦆 how many ducks? 👨‍👩‍👧",
    "lone \ud800 surrogate",
    "한국어 질문입니다. 3시에 출발한 기차는 언제 도착합니까?",
    "Which one?\nA. red\nB. green\n(C) blue\n- (D) none",
    "```python\ndef f(x):\n    return x ** 2\n```\nWhat does f(3) return?",
    "x" * 5000,
    "a\u0000b\r\n\tc\u2028d",
]


@pytest.fixture(scope="module")
def scorer():
    return load()


def fields(score):
    return [*score.p_right.values(), *score.output_tokens.values(), score.complexity, score.novelty]


@pytest.mark.parametrize("prompt", PROMPTS)
def test_any_prompt_gets_a_sane_score(scorer, prompt):
    score = scorer.score(prompt)
    assert list(score.p_right) == list(score.output_tokens) == ["small", "medium", "large"]
    assert all(0 < p < 1 for p in score.p_right.values())
    assert all(0 < tokens < 1e5 for tokens in score.output_tokens.values())
    assert score.complexity == pytest.approx(1 - score.p_right["small"])
    assert 0 <= score.novelty <= 1
    assert (score.family, score.artefact) == ("generic", scorer.digest)


@given(st.text(st.characters(), max_size=300))
def test_no_text_breaks_it(text):
    values = fields(load_once().score(text))
    assert all(math.isfinite(value) for value in values)


_LOADED = []


def load_once():
    if not _LOADED:
        _LOADED.append(load())
    return _LOADED[0]


def test_a_megabyte_is_read_in_part(scorer):
    long = scorer.score("word " * 200_000)
    assert all(math.isfinite(value) for value in fields(long))
    middle = "a" * 3000 + "IGNORED" * 1000 + "b" * 3000
    other = "a" * 3000 + "ignored" * 1000 + "b" * 3000
    assert scorer.score(middle) == scorer.score(other)


def test_many_at_once_are_the_same_as_one_by_one(scorer):
    assert scorer.score_many(PROMPTS, "llama-3.1") == [scorer.score(p, "llama-3.1") for p in PROMPTS]


def test_every_family_has_its_own_tiers_smallest_first(scorer):
    assert scorer.families[0] == "generic"
    assert {"llama-3.1", "gemma-2"} <= set(scorer.families)
    for family in scorer.families:
        tiers = scorer.tiers(family)
        assert set(tiers) <= {"small", "medium", "large"}
        assert list(scorer.score("Add 2 and 3.", family).p_right) == list(tiers)


def test_larger_generic_tiers_are_better_on_the_whole(scorer):
    scores = [scorer.score(p) for p in PROMPTS]
    means = [sum(s.p_right[tier] for s in scores) for tier in ("small", "medium", "large")]
    assert means == sorted(means)


def test_an_unknown_family_is_refused_with_the_list(scorer):
    with pytest.raises(UnknownFamily) as refusal:
        scorer.score("hi", "llama-9")
    assert "'llama-9'" in str(refusal.value)
    assert "generic" in str(refusal.value)
    with pytest.raises(KeyError):
        scorer.explain("hi", "llama-9")
    with pytest.raises(KeyError):
        scorer.tiers("llama-9")


@pytest.mark.parametrize("family", ["generic", "gemma-2"])
@pytest.mark.parametrize("prompt", PROMPTS)
def test_an_explanation_adds_up_to_the_complexity(scorer, prompt, family):
    complexity = scorer.score(prompt, family).complexity
    explanation = scorer.explain(prompt, family)
    total = sum(push for _, push in explanation)
    assert total == pytest.approx(math.log(complexity / (1 - complexity)), abs=1e-3)
    assert explanation[0][0] == "typical prompt"
    sizes = [abs(push) for _, push in explanation[1:]]
    assert sizes == sorted(sizes, reverse=True)


def test_korean_is_read_as_korean(scorer):
    groups = dict(scorer.explain("다음 중 옳은 것은 무엇입니까? 갑은 을보다 크고 을은 병보다 크다."))
    plain = dict(scorer.explain("Which of these is right? A is larger than B and B larger than C."))
    assert groups["language"] != pytest.approx(plain["language"])


def test_another_process_says_the_same_without_scientific_libraries(scorer):
    program = (
        "import sys\n"
        "from router.score import load\n"
        "s = load().score('How many primes are below 100? Answer briefly.', 'llama-3.1')\n"
        "print(s.p_right, s.output_tokens, s.complexity, s.novelty)\n"
        "print(sorted({'sklearn', 'scipy', 'torch', 'litellm'} & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": ".", "PYTHONHASHSEED": "77", "PATH": ""},
    )
    score = scorer.score("How many primes are below 100? Answer briefly.", "llama-3.1")
    said, modules = done.stdout.splitlines()
    assert said == f"{score.p_right} {score.output_tokens} {score.complexity} {score.novelty}"
    assert modules == "[]"


def test_case_and_spaces_hardly_move_it(scorer):
    plain = scorer.score("What is the capital of France, and how old is it?").complexity
    loud = scorer.score("what is the capital  of france, and how old is it?").complexity
    assert loud == pytest.approx(plain, abs=0.05)


@given(st.one_of(st.text(st.characters(), max_size=300), st.sampled_from(PROMPTS)))
def test_an_explanation_adds_up_for_every_text(text):
    scorer = load_once()
    complexity = scorer.score(text).complexity
    parts = dict(scorer.explain(text))
    assert sum(parts.values()) == pytest.approx(math.log(complexity / (1 - complexity)), abs=1e-3)
    words = scorer.wording(text)
    assert words[0][0] == "average wording"
    assert sum(push for _, push in words) == pytest.approx(parts["wording"], abs=1e-3)


def test_the_words_that_pushed_are_the_prompts_own(scorer):
    prompt = "Prove that there are infinitely many primes."
    words = dict(scorer.wording(prompt)[1:])
    assert {"prove", "primes", "many primes"} <= set(words)
    sizes = [abs(push) for push in words.values()]
    assert sizes == sorted(sizes, reverse=True)
