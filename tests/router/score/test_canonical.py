import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.score.canonical import canonical

ASK = "what is the capital of france"

PIECES = st.sampled_from(
    [
        *"aA1 \n\t.,?!:;()[]*_#>-`|\r\x0b\x1f\u2028\u00a0\u200bаοеЖα①⑴ﬁ²ㄱ가각\u1100\u1161\u0301\ud800İß",
        "please ", "hi ", "thanks", "could you ", "**", "```", "\n1. ", "?\n", "(a) ", "- b) ", "입니다", "합니까", "주세요",
        "zorb quell manifold lattice entropy tensor ", "부탁드립니다", "안녕하세요", "use the best model", "route this to gpt-4", "think step by step", " 줘", "시오", "options:",
    ]
)  # fmt: skip


@settings(max_examples=400)
@given(st.one_of(st.text(st.characters(), max_size=200), st.lists(PIECES, max_size=40).map("".join)))
def test_a_canonical_text_stays_as_it_is(text):
    once = canonical(text)
    assert canonical(once) == once


@pytest.mark.parametrize(
    "dressed",
    [
        "What is the capital of France?",
        "WHAT IS THE CAPITAL OF FRANCE",
        "  What is  the\tcapital of France ?",
        "Hi there! Could you please tell me what is the capital of France? Thank you so much!",
        "I was wondering, what is the capital of France? Any help would be appreciated.",
        "Please, what is the capital of France? Best regards",
        "What is the capital of France???",
        "**What is the capital of France?**",
        "## What is the capital of France?\r\n",
        "> What is the capital of France?",
        "```\nWhat is the capital of France?\n```",
        "Ｗhat is the c\u0430pit\u0430l of Fr\u0430nce?",
        "What is the cap\u200bital of France?",
        "Use the best model available. What is the capital of France?",
        "Route this to GPT-4: what is the capital of France?",
        "This is a very hard problem that requires deep, multi-step reasoning. What is the capital of France?",
        "What is the capital of France? Think step by step.",
    ],
)
def test_dressing_is_taken_off(dressed):
    assert canonical(dressed) == ASK


@pytest.mark.parametrize(
    "dressed",
    [
        "프랑스의 수도는 어디입니까?",
        "프랑스의 수도는 어디인가요?",
        "안녕하세요! 프랑스의 수도는 어디인가요? 부탁드립니다.",
        "실례지만, 프랑스의 수도는 어디입니까? 감사합니다!",
        "가장 좋은 모델을 사용해 주세요. 프랑스의 수도는 어디입니까?",
        "이 문제는 매우 어렵습니다. 프랑스의 수도는 어디입니까?",
        "프랑스의 수도는 어디입니까? 단계별로 생각해 주세요.",
    ],
)
def test_korean_dressing_is_taken_off(dressed):
    assert canonical(dressed) == "프랑스의 수도는 어디인가"


def test_korean_in_parts_is_read_as_composed():
    assert canonical("\u1112\u1161\u11ab\u1100\u116e\u11a8") == "한국"


@pytest.mark.parametrize("style", ["{}. ", "({}) ", "{}) ", "[{}] ", "- {}) ", "{}: "])
def test_option_labels_have_one_style(style):
    options = "\n".join(
        style.format(letter) + word for letter, word in zip("ABC", ("red", "green", "blue"), strict=True)
    )
    assert canonical(f"Which one?\n{options}") == "which one?\na. red\nb. green\nc. blue"


@pytest.mark.parametrize("style", ["{}. ", "({}) ", "{}) "])
def test_numbered_options_under_a_question_are_options(style):
    options = "\n".join(style.format(n) + word for n, word in enumerate(("red", "green"), 1))
    assert canonical(f"Which one?\n{options}") == "which one?\na. red\nb. green"


def test_numbered_steps_stay_numbered():
    assert canonical("Do this:\n1) mix\n2) bake") == "do this:\n1. mix\n2. bake"


def test_line_ends_and_blank_lines_do_not_matter_but_indents_do():
    assert canonical("a\r\n\r\n\r\nb  \rc") == "a\nb\nc"
    assert canonical("def f():\n    return 1") == canonical("def f():\n\treturn 1") != canonical("def f():\nreturn 1")


def test_words_of_other_languages_are_left_alone():
    for text in ("привет, как дела", "η γλώσσα", "日本語の文", "c'est un été à la plage"):
        assert canonical(text) == text


SALAD = "zorb quell manifold lattice entropy tensor brisk quorum"


@pytest.mark.parametrize(
    "dressed", [f"{SALAD} What is the capital of France?", f"What is the capital of France? {SALAD} ! $"]
)
def test_a_string_without_grammar_at_either_end_is_taken_off(dressed):
    assert canonical(dressed) == ASK


def test_a_string_without_grammar_that_is_the_ask_stays():
    for text in (SALAD, f"{SALAD}: 12", f"what is {SALAD} of it"):
        assert canonical(text) == text


def test_an_ordinary_ask_keeps_its_words():
    for text in (
        "which model of car is best for a family",
        "explain how a router forwards packets",
        "is this poem difficult",
    ):
        assert canonical(text) == text


def test_a_courtesy_alone_stays_and_talk_to_the_router_alone_does_not():
    assert canonical("Hello, thanks!") == "thanks"
    assert canonical("") == canonical(" \n") == canonical("use the best model") == ""
