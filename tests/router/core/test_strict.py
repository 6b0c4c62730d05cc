"""Large bodies are checked in pieces, and refused in the very words of the whole."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.core.wire import strict
from router.errors import BadJSON

WRITTEN = st.sampled_from(
    ["a", "word ", '\\"', "\\\\", "\\u00e9", "\\ud83d\\ude00", "한", "\\n"] * 3 + ["\\", "\n", "\\u1", '"']
)
STRING = st.lists(WRITTEN, max_size=14).map(lambda parts: f'"{"".join(parts)}"')
VALUE = st.recursive(
    STRING | st.sampled_from(["1", "null", "NaN"]),
    lambda inner: st.lists(inner, max_size=3).map(lambda items: f"[{','.join(items)}]"),
    max_leaves=4,
)
MEMBER = st.tuples(st.sampled_from(['"k"', '"j"']) | STRING, st.sampled_from([":", " : "]), VALUE).map("".join)
BODY = st.lists(MEMBER, max_size=4).map(lambda members: f"{{{','.join(members)}}}".encode())


def said_of(body):
    try:
        strict.check_json(body)
    except BadJSON as error:
        return str(error)
    return None


@settings(max_examples=100, deadline=None)
@given(BODY)
def test_pieces_are_judged_as_the_whole(body):
    whole = said_of(body)
    with pytest.MonkeyPatch.context() as patch:
        for name, size in (("_LARGE", 0), ("_LONG", 10), ("_PIECE", 7)):
            patch.setattr(strict, name, size)
        assert said_of(body) == whole


def test_a_fault_deep_inside_a_long_string_is_named_by_its_place():
    body = b'{"a":"%b\n%b"}' % (b"word " * 300_000, b"word " * 10)
    with pytest.raises(BadJSON, match="line 1 column 1500007"):
        strict.check_json(body)
    strict.check_json(body.replace(b"\n", b"\\n"))
