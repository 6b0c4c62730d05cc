"""What a prompt demands of an answer's form, and whether the answer keeps it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core.shapes import demanded_shape, gist, keeps_shape


@pytest.mark.parametrize(
    ("prompt", "shape"),
    [
        ("What is 2 + 2? Answer with the number only.", "number"),
        ("Give the final number only: 3 x 4", "number"),
        ("사과는 몇 개입니까? 숫자로만 답하세요.", "number"),
        ("Which is right? (A) one (B) two. Answer with the letter only.", "letter"),
        ("정답의 기호만 쓰세요.", "letter"),
        ("Reply with JSON only, with the keys name, age.", "json"),
        ("다음을 JSON으로 정리하세요.", "json"),
        ("Write a letter to my landlord.", None),
        ("How many people only read the news?", None),
        ("What is JSON?", None),
        ("", None),
    ],
)
def test_a_shape_is_seen_where_the_prompt_states_it(prompt, shape):
    assert demanded_shape(prompt) == shape


@pytest.mark.parametrize(
    ("answer", "shape", "kept"),
    [
        ("B", "letter", True),
        (" (C). ", "letter", True),
        ("The answer is B", "letter", False),
        ("Because", "letter", False),
        ("42", "number", True),
        ("1,234.50", "number", True),
        ("42개", "number", True),
        ("It is 42", "number", False),
        ("", "number", False),
        ('{"a": 1}', "json", True),
        ('```json\n{"a": 1}\n```', "json", True),
        ('Here it is: {"a": 1}', "json", False),
    ],
)
def test_an_answer_keeps_its_shape_or_not(answer, shape, kept):
    assert keeps_shape(answer, shape) is kept


@pytest.mark.parametrize(
    ("one", "other", "shape", "agree"),
    [
        ("B", "The answer is B.", "letter", True),
        ("B", "(C)", "letter", False),
        ("1,200", "so it is 1200", "number", True),
        ('{"a": 1, "b": 2}', '```\n{"b":2,"a":1}\n```', "json", True),
        ("Seoul.", "seoul", None, True),
        ("Seoul", "Busan", None, False),
    ],
)
def test_answers_agree_when_they_say_the_same(one, other, shape, agree):
    assert (gist(one, shape) == gist(other, shape)) is agree


@given(st.text(), st.sampled_from(["letter", "number", "json", None]))
def test_any_text_has_a_gist_and_a_shape(text, shape):
    assert isinstance(gist(text, shape), str)
    assert demanded_shape(text) in {"letter", "number", "json", None}
    if shape is not None:
        assert keeps_shape(text, shape) in {True, False}
