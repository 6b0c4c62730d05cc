"""Embeddings in the encoding that was asked for, and only where they fit the request."""

import json
import struct
from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core.embeddings import read_embed, told
from router.errors import BadRequest


def asked(**fields):
    return read_embed(json.dumps({"model": "m", "input": "a", **fields}).encode())


def packed(numbers):
    return b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()


def answer(*vectors):
    data = [{"object": "embedding", "index": i, "embedding": v} for i, v in enumerate(vectors)]
    return json.dumps({"object": "list", "data": data, "model": "m", "usage": {"prompt_tokens": 1}}).encode()


NUMBERS = st.floats(-1e6, 1e6, width=32, allow_nan=False)


@given(st.integers(1, 4).flatmap(lambda n: st.lists(st.lists(NUMBERS, min_size=n, max_size=n), min_size=1, max_size=3)))
def test_one_encoding_becomes_the_other_and_nothing_else_changes(vectors):
    texts = [packed(v) for v in vectors]
    names = ["x"] * len(vectors)
    floats, base64 = asked(input=names), asked(input=names, encoding_format="base64")
    assert json.loads(told(answer(*texts), floats)) == json.loads(answer(*vectors))
    assert json.loads(told(answer(*vectors), base64)) == json.loads(answer(*texts))
    assert told(answer(*vectors), floats) == answer(*vectors)
    assert told(answer(*texts), base64) == answer(*texts)


@pytest.mark.parametrize(
    ("given_", "texts"),
    [("a", ["a"]), (["a", "b"], ["a", "b"]), ([1, 2, 3], []), ([[1, 2], [3]], []), (["a", [1]], ["a"])],
)
def test_texts_are_found_among_tokens(given_, texts):
    assert [site.text for site in asked(input=given_).sites] == texts


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": []}, "input"),
        ({"input": {}}, "input"),
        ({"input": [1, "a"]}, "input"),
        ({"input": [True]}, "input[0]"),
        ({"encoding_format": "hex"}, "encoding_format"),
        ({"encoding_format": []}, "encoding_format"),
        ({"dimensions": 0}, "dimensions"),
        ({"dimensions": "many"}, "dimensions"),
        ({"model": 5}, "model"),
    ],
)
def test_a_field_at_fault_is_named(fields, param):
    with pytest.raises(BadRequest) as refused:
        asked(**fields)
    assert refused.value.param == param


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        answer([], []),
        answer("!!", "!!"),
        answer("AAA=", "AAA="),
        answer(packed([float("nan")]), packed([1.0])),
    ],
    ids=["none", "empty", "no base64", "half a number", "NaN"],
)
def test_an_answer_without_vectors_is_no_answer(body):
    with pytest.raises(ValueError, match=r"not|other"):
        told(body, asked(input=["a", "b"]))


def test_how_many_and_how_long_is_between_the_caller_and_his_model():
    for body in (answer([1.0, 2.0]), answer([1.0], [1.0, 2.0], [3.0])):
        assert told(body, asked(input=["a", "b"], dimensions=3)) == body
