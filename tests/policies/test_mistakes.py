"""Mistakes keep their order and speak plainly."""

import pytest
from pydantic import BaseModel, ValidationError, field_validator

from policies.mistakes import Mistake, Mistakes, Problem, holds_secret, problems_of, refuse, show_path


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ((), "(root)"),
        (("a",), "a"),
        (("rules", 2, "when", "pattern"), "rules[2].when.pattern"),
        (("by", "a b", 0), "by['a b'][0]"),
        (("x.y",), "['x.y']"),
        ((0, "a"), "[0].a"),
        (("법무",), "법무"),
    ],
)
def test_a_path_reads_as_people_write_it(path, shown):
    assert show_path(path) == shown


def test_mistakes_come_sorted_and_once():
    late, early = Mistake("f", 9, 1, "b", "late"), Mistake("f", 2, 5, "a", "early", "mend it")
    both = Mistakes([late, early, late])
    assert both.mistakes == (early, late)
    assert str(both) == "f:2:5: a: early (hint: mend it)\nf:9:1: b: late"


def test_a_mistake_as_json():
    assert Mistake("f", 2, 5, "a", "early").as_dict() == {
        "file": "f", "line": 2, "column": 5, "path": "a", "message": "early", "hint": "",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("path", "secret"),
    [
        (("upstreams", "x", "api_key"), True), (("token",), True), (("db", "password"), True), (("client_secret", 0), True),
        (("keys",), False), (("context_tokens_over",), False), (("monkey",), False), (("tokens",), False),
    ],
)  # fmt: skip
def test_names_tell_what_may_be_a_credential(path, secret):
    assert holds_secret(path) is secret


def test_a_validator_can_refuse_several_things_at_once():
    class Model(BaseModel):
        value: int

        @field_validator("value")
        @classmethod
        def _check(cls, value: int) -> int:
            refuse(Problem((i,), f"wrong {i}") for i in range(value))
            return value

    assert Model(value=0).value == 0
    with pytest.raises(ValidationError, match=r"\[0\]: wrong 0; \[1\]: wrong 1") as error:
        Model(value=2)
    assert [p.path for p in problems_of(error.value.errors()[0])] == [(0,), (1,)]
