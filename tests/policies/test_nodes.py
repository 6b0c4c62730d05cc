"""The form of a file: what YAML means here, and where each fault stands."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.mistakes import Mistakes
from policies.nodes import MAX_NODES, decode, parse, resolve


def faults(text):
    """All mistakes of the form as (line, column, message, hint)."""
    try:
        _, mistakes = parse(text, file="f.yaml")
    except Mistakes as error:
        mistakes = error.mistakes
    return [(m.line, m.column, m.message, m.hint) for m in mistakes]


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ("", None), ("~", None), ("null", None), ("Null", "Null"),
        ("true", True), ("false", False), ("True", "True"), ("yes", "yes"), ("no", "no"), ("on", "on"), ("off", "off"),
        ("0", 0), ("-7", -7), ("+7", 7), ("1.10", 1.1), (".5", 0.5), ("1.", 1.0), ("1e3", 1000.0), ("-1.5e-3", -0.0015),
        ("010", "010"), ("0x1f", "0x1f"), ("0o7", "0o7"), ("1_000", "1_000"), (".inf", ".inf"), (".nan", ".nan"),
        ("1e999", "1e999"), ("12345678901234567890123", "12345678901234567890123"), ("12:30", "12:30"),
        ("2026-11-24", "2026-11-24"), (".", "."), ("-", "-"), ("e5", "e5"), ("1e", "1e"), ("95%", "95%"),
    ],
)  # fmt: skip
def test_an_unquoted_scalar_means_what_it_looks_like(raw, value):
    found = resolve(raw)
    assert found == value
    assert type(found) is type(value)


def test_quotes_make_text_of_anything():
    root, mistakes = parse("a: '1'\nb: \"true\"\nc: |\n  no\n", file="f")
    assert root.data() == {"a": "1", "b": "true", "c": "no\n"}
    assert not mistakes


@given(st.integers(min_value=-(10**18), max_value=10**18) | st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_come_back_as_they_were_written(number):
    root, _ = parse(f"a: {number!r}", file="f")
    assert root.data() == {"a": number}


@given(st.text())
def test_any_text_gives_a_tree_or_mistakes_with_places(text):
    for line, column, message, _ in faults(text):
        assert line >= 1
        assert column >= 1
        assert message


@given(st.binary(max_size=200))
def test_any_bytes_are_text_or_a_mistake(raw):
    try:
        assert isinstance(decode(raw, file="f"), str)
    except Mistakes as error:
        assert len(error.mistakes) == 1


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("", (1, 1), "empty"),
        ("# only a comment\n", (1, 1), "empty"),
        ("- a\n- b\n", (1, 1), "not a list"),
        ("just words", (1, 1), "not text"),
        ("a: 1\n\tb: 2\n", (2, 1), "a tab indents"),
        ("a: b: c\n", (1, 5), "second ': '"),
        ("a: [1, 2\nb: 3", (1, 4), "'[' opens here"),
        ("a: 1\nword\n\n\n", (2, 5), "does not fit"),
        ("a: 1\nword", (2, 5), "does not fit"),
        ("a: [", (1, 4), "never closed"),
        ("a: {\n", (1, 4), "never closed"),
        ("x:\n  y: {a: 1\n", (2, 6), "'{' opens here"),
        ("a: 'x\nb: 2\n", (1, 4), "never closed"),
        ("a: @here\n", (1, 4), "cannot begin with '@'"),
        ('a: "\\d+"\n', (1, 5), "escape"),
        ("a:\n  - b\n - c\n", (3, 2), "does not fit"),
        ("a: \x07\n", (1, 4), "U+0007"),
        ("a: x\n\x00", (2, 1), "U+0000"),
        ("a: \ud800\n", (1, 4), "U+D800"),
        ("a: 1\nb: 2\na: 3\n", (3, 1), "line 1 has it already"),
        ("a:\n  b: 1\n  b: 2\n", (3, 3), "line 2 has it already"),
        ("a: !!python/object:os.system x\n", (1, 4), "tag"),
        ("a: !mine x\n", (1, 4), "tag"),
        ("a: 1\n---\nb: 2\n", (2, 1), "second document"),
        ("a: *nobody\n", (1, 4), "does not exist"),
        ("a: &x [*x]\n", (1, 8), "contains itself"),
        ("b: &z {c: 1}\na:\n  <<: *z\n", (3, 3), "merge keys"),
        ("{a: 1}: b\n", (1, 1), "plain word"),
        ("a: {{x}}\n", (1, 5), "plain word"),
        ("a: " + "[" * 60 + "]" * 60, (1, 44), "nested deeper"),
    ],
)
def test_a_fault_of_form_is_named_at_its_place(text, place, words):
    line, column, message, _ = faults(text)[0]
    assert (line, column) == place
    assert words in message


def test_columns_count_characters_not_bytes():
    assert faults("이름: [가, 나\n다: 1")[0][:2] == (1, 5)
    assert faults("'가나': 1\n'가나': 2\n")[0][:2] == (2, 1)


def test_aliases_may_be_used():
    root, mistakes = parse("a: &x [1, 2]\nb: *x\nc: {d: *x}\n", file="f")
    assert root.data() == {"a": [1, 2], "b": [1, 2], "c": {"d": [1, 2]}}
    assert not mistakes


def test_an_alias_bomb_is_refused_before_it_grows():
    layers = ["a0: &a0 [" + ", ".join(["x"] * 10) + "]"]
    layers += [f"a{i}: &a{i} [" + ", ".join([f"*a{i - 1}"] * 10) + "]" for i in range(1, 12)]
    assert f"{MAX_NODES:,}" in faults("\n".join(layers))[0][2]


def test_faults_that_leave_a_tree_are_all_told():
    assert [f[0] for f in faults("a: 1\na: 2\nb: !x y\nc: *n\na: 3\n")] == [2, 3, 4, 5]


@pytest.mark.parametrize(
    ("raw", "place"), [(b"a: \xff\n", (1, 4)), ("가: 나\n".encode() + b"b: \xea\xb0", (2, 4)), (b"\xff\xfea", (1, 1))]
)
def test_bytes_that_are_not_utf_8_are_named(raw, place):
    with pytest.raises(Mistakes, match="not UTF-8") as error:
        decode(raw, file="f")
    assert (error.value.mistakes[0].line, error.value.mistakes[0].column) == place


def test_a_byte_order_mark_is_no_part_of_the_text():
    assert parse(decode(b"\xef\xbb\xbfa: 1", file="f"), file="f")[0].data() == {"a": 1}


def test_a_file_too_long_is_refused():
    with pytest.raises(Mistakes, match="at most"):
        decode(b"a" * (4 * 1024 * 1024 + 1), file="f")
    with pytest.raises(Mistakes, match="at most"):
        parse("a" * (4 * 1024 * 1024 + 1), file="f")


class TestPlaces:
    root, _ = parse("a: 1\nlist:\n  - x\n  - {y: 2}\nbox: {in: out}\n", file="f")

    @pytest.mark.parametrize(
        ("path", "place"),
        [
            (("a",), (1, 4)),
            (("list",), (2, 1)),
            (("list", 0), (3, 5)),
            (("list", 1, "y"), (4, 9)),
            (("list", 7, "y"), (2, 1)),
            (("box",), (5, 1)),
            (("box", "missing"), (5, 1)),
            (("box", "union-tag", "in"), (5, 11)),
            ((), (1, 1)),
        ],
    )
    def test_a_path_leads_to_a_place(self, path, place):
        assert self.root.place(path) == place

    def test_a_key_can_be_pointed_at(self):
        assert self.root.place(("a",), on_key=True) == (1, 1)
