"""Text into a strict model, or everything that is wrong with it."""

import re
from typing import Annotated, Any, Literal, Self

import pytest
from pydantic import Field, model_validator

from policies.mistakes import Mistakes, Problem, refuse
from policies.schema import Strict
from policies.yaml import load_strict, read_text


class Inner(Strict):
    share: Annotated[float, Field(ge=0, le=1)] = 0.5
    words: tuple[str, ...] = ()
    size: Annotated[int, Field(gt=0)] | None = None
    api_key: Annotated[str, Field(pattern="^env:[A-Z]+$")] | None = None


class Outer(Strict):
    version: Literal[1]
    name: Annotated[str, Field(pattern=r"^[a-z][a-z-]*$")] = "none"
    colour: Literal["red", "green"] = "red"
    flag: bool = False
    inner: Inner = Inner()
    many: tuple[Inner, ...] = ()
    by_name: dict[str, Inner] = {}
    anything: dict[str, Any] = {}
    low: int = 0
    high: int = 10

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        problems = []
        if self.low > self.high:
            problems.append(Problem(("low",), "is above high", "swap them"))
        if self.flag and self.colour == "green":
            problems.append(Problem(("colour",), "must be red with flag"))
        refuse(problems)
        return self


def wrong(text):
    with pytest.raises(Mistakes) as error:
        load_strict(text, Outer, file="f.yaml")
    return error.value.mistakes


def only(text):
    (mistake,) = wrong("version: 1\n" + text)
    return mistake


def test_a_right_file_becomes_the_model_with_tuples():
    loaded = load_strict("version: 1\nmany: [{words: [a, no, '1']}]\nby_name: {x: {size: 3}}\n", Outer, file="f")
    assert loaded == Outer(version=1, many=(Inner(words=("a", "no", "1")),), by_name={"x": Inner(size=3)})


def test_bytes_are_read_as_utf_8():
    assert load_strict(b"\xef\xbb\xbfversion: 1", Outer, file="f").version == 1
    with pytest.raises(Mistakes, match="UTF-8"):
        load_strict(b"version: \xff", Outer, file="f")


def test_free_form_values_keep_lists_and_numbers():
    loaded = load_strict("version: 1\nanything: {a: [1, 2.5, true, null, no]}", Outer, file="f")
    assert loaded.anything == {"a": [1, 2.5, True, None, "no"]}


@pytest.mark.parametrize(
    ("text", "path", "place", "message", "hint"),
    [
        ("nmae: x", "nmae", (2, 1), "unknown key", "did you mean 'name'?"),
        ("share: 1", "share", (2, 1), "unknown key", "it belongs under 'inner'"),
        ("inner: {shrae: 1}", "inner.shrae", (2, 9), "unknown key", "did you mean 'share'?"),
        ("inner: {zzz: 1}", "inner.zzz", (2, 9), "unknown key", "known keys: share, words, size, api_key"),
        ("many:\n  - {}\n  - {wrods: []}", "many[1].wrods", (4, 6), "unknown key", "did you mean 'words'?"),
        ("by_name: {a b: {shrae: 1}}", "by_name['a b'].shrae", (2, 17), "unknown key", "did you mean 'share'?"),
        ("name: 1.10", "name", (2, 7), "expected text, found a number (1.10)", 'quote it to make it text: "1.10"'),
        ("name: true", "name", (2, 7), "expected text, found the boolean true", 'quote it to make it text: "true"'),
        ("name:", "name", (2, 6), "expected text, found nothing", ""),
        ("name: My Team", "name", (2, 7), "'My Team' is not in the form that is allowed here", "write my-team"),
        ("name: '7'", "name", (2, 7), "'7' is not in the form that is allowed here", "it must match ^[a-z][a-z-]*$"),
        ("flag: no", "flag", (2, 7), "expected true or false, found text (no)", "write false"),
        ("flag: On", "flag", (2, 7), "expected true or false, found text (On)", "write true"),
        ("flag: 1", "flag", (2, 7), "expected true or false, found a number (1)", "write true"),
        ("flag: maybe", "flag", (2, 7), "expected true or false, found text (maybe)", "write true or false"),
        ("colour: grene", "colour", (2, 9), "expected 'red' or 'green', found 'grene'", "did you mean 'green'?"),
        ("colour: 7", "colour", (2, 9), "expected 'red' or 'green', found a number (7)", ""),
        ("inner: {share: 95}", "inner.share", (2, 16), "must be at most 1, found 95",
         "a share runs from 0 to 1: write 0.95"),
        ("inner: {share: -1}", "inner.share", (2, 16), "must be at least 0, found -1", ""),
        ("inner: {share: 95%}", "inner.share", (2, 16), "expected a number, found text (95%)",
         "numbers have no '%': as a share, 95% is 0.95"),
        ("inner: {share: '0,95'}", "inner.share", (2, 16), "expected a number, found text (0,95)", "write 0.95"),
        ("inner: {size: 1_000}", "inner.size", (2, 15), "expected a whole number, found text (1_000)", "write 1000"),
        ("inner: {size: 010}", "inner.size", (2, 15), "expected a whole number, found text (010)", "write 10"),
        ("inner: {size: '3'}", "inner.size", (2, 15), "expected a whole number, found text (3)", "write 3"),
        ("inner: {size: 10k}", "inner.size", (2, 15), "expected a whole number, found text (10k)",
         "write a plain number, without a unit"),
        ("inner: {size: 1.5}", "inner.size", (2, 15), "expected a whole number, found a number (1.5)", ""),
        ("inner: {size: 0}", "inner.size", (2, 15), "must be more than 0, found 0", ""),
        ("inner: {words: abc}", "inner.words", (2, 16), "expected a list, found text (abc)", "write [abc]"),
        ("inner: {words: {a: b}}", "inner.words", (2, 9), "expected a list, found settings",
         "write one item a line, each after '- '"),
        ("inner: {words: [a, 2]}", "inner.words[1]", (2, 20), "expected text, found a number (2)",
         'quote it to make it text: "2"'),
        ("inner: 3", "inner", (2, 8), "expected settings, found a number (3)",
         "write 'key: value' lines below it, indented"),
        ("inner: [{}]", "inner", (2, 1), "expected settings, found a list", "remove the '- '"),
        ("low: 11", "low", (2, 6), "is above high", "swap them"),
    ],
)  # fmt: skip
def test_a_mistake_has_its_place_and_plain_words(text, path, place, message, hint):
    mistake = only(text)
    assert (mistake.path, (mistake.line, mistake.column), mistake.message, mistake.hint) == (path, place, message, hint)


def test_a_missing_key_is_named_where_it_should_stand():
    (mistake,) = wrong("name: x\n")
    assert (mistake.path, mistake.line, mistake.column, mistake.message) == ("version", 1, 1, "is required")


def test_all_mistakes_come_at_once_in_order_of_place():
    text = "version: 1\nname: A B\nflag: no\nflag: yes\ncolour: blu\nlow: 11\ninner:\n  share: 7\n  zzz: 1\n"
    assert [m.path for m in wrong(text)] == ["name", "flag", "flag", "colour", "low", "inner.share", "inner.zzz"]


def test_a_check_across_settings_is_told_with_the_mistakes_it_hides_behind():
    assert [m.path for m in wrong("version: 1\nname: 3\nlow: 11\nflag: true\ncolour: green\n")] == [
        "name", "low", "colour",
    ]  # fmt: skip


def test_no_mistake_is_an_echo_of_another():
    # high is wrong by itself; low is only above the default that would stand in for it
    assert [m.path for m in wrong("version: 1\nhigh: lots\nlow: 5\n")] == ["high"]
    assert [m.path for m in wrong("version: 2\nlow: 5\n")] == ["version"]


def test_stand_ins_let_the_rest_be_checked():
    with pytest.raises(Mistakes) as error:
        load_strict("low: 11\n", Outer, file="f", stand_ins={"version": 1})
    assert [m.path for m in error.value.mistakes] == ["version", "low"]


def test_a_mistake_reads_as_file_line_column_path_message_hint():
    assert str(only("flag: no")) == ("f.yaml:2:7: flag: expected true or false, found text (no) (hint: write false)")
    assert str(only("colour: x")) == "f.yaml:2:9: colour: expected 'red' or 'green', found 'x'"


def test_the_exception_prints_every_mistake_on_its_line():
    with pytest.raises(Mistakes) as error:
        load_strict("version: 1\nflag: no\nname: 3\n", Outer, file="f.yaml")
    lines = str(error.value).split("\n")
    assert len(lines) == 2
    assert all(re.match(r"f\.yaml:\d+:\d+: ", line) for line in lines)


@pytest.mark.parametrize("value", ["sk-live-abcdef0123456789", "12345678901", "[a, b]"])
def test_what_may_be_a_credential_is_never_repeated(value):
    mistake = only(f"inner: {{api_key: {value}}}")
    assert mistake.path.startswith("inner.api_key")
    assert value not in str(mistake)


def test_long_values_are_cut():
    assert len(str(only("flag: " + "x" * 10_000))) < 200


@pytest.mark.parametrize(("make", "words"), [(None, "no such file"), ("folder", "a folder")])
def test_a_file_that_cannot_be_read_is_a_mistake(tmp_path, make, words):
    path = tmp_path / "x.yaml"
    if make:
        path.mkdir()
    with pytest.raises(Mistakes, match=words):
        read_text(path)
