"""Arguments of tool calls stay JSON when a mask falls on a bare number."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core.json_masks import JsonMasks

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=12) | st.just('[EMAIL_1] in text \\ "'),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("masked", "valid"),
    [
        ('{"card": [CARD_1], "n": [1, 2]}', '{"card": "[CARD_1]", "n": [1, 2]}'),
        ("[[CARD_1], [PHONE_2]]", '["[CARD_1]", "[PHONE_2]"]'),
        ('{"a": "[CARD_1] \\" [CARD_2]"}', '{"a": "[CARD_1] \\" [CARD_2]"}'),
        ("[CARD_1]", '"[CARD_1]"'),
    ],
)
def test_a_bare_placeholder_gets_quotation_marks_and_one_in_a_string_does_not(masked, valid):
    assert JsonMasks().feed(masked) == valid
    json.loads(valid)


@given(JSON)
def test_json_without_bare_placeholders_is_left_alone(value):
    text = json.dumps(value, ensure_ascii=False)
    assert JsonMasks().feed(text) == text


@given(JSON, st.lists(st.integers(0, 200), max_size=5))
def test_pieces_give_what_the_whole_gives_and_it_is_json(value, cuts):
    text = json.dumps({"before": value, "card": 0}, ensure_ascii=False).replace(": 0}", ": [CARD_1]}")
    assert json.loads(JsonMasks().feed(text)) == {"before": value, "card": "[CARD_1]"}
    mark = text.rindex("[CARD_1]")
    places = [0, *sorted(c for c in cuts if c < mark or c >= mark + 8), len(text)]
    masks = JsonMasks()
    pieces = [masks.feed(text[a:b]) for a, b in zip(places, places[1:], strict=False)]
    assert "".join(pieces) == JsonMasks().feed(text)
