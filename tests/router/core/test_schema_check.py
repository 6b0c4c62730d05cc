"""The part of JSON Schema that structured outputs use; what is not known is said, never guessed."""

import pytest

from router.core.schema_check import Unsupported, meets

PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string", "minLength": 1}, "age": {"type": "integer", "minimum": 0}},
    "required": ["name"],
    "additionalProperties": False,
}
TREE = {
    "$ref": "#/$defs/node",
    "$defs": {
        "node": {"type": "object", "properties": {"next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}}}
    },
}


@pytest.mark.parametrize(
    ("value", "schema", "met"),
    [
        ({"name": "a", "age": 3}, PERSON, True),
        ({"name": "a", "age": 3.0}, PERSON, True),
        ({"name": "a", "age": 3.5}, PERSON, False),
        ({"name": "a", "age": True}, PERSON, False),
        ({"name": ""}, PERSON, False),
        ({"age": 3}, PERSON, False),
        ({"name": "a", "x": 1}, PERSON, False),
        ([], PERSON, False),
        ({"next": {"next": None}}, TREE, True),
        ({"next": {"next": 3}}, TREE, False),
        ([1, 2], {"type": "array", "items": {"type": "integer"}, "maxItems": 2}, True),
        ([1, "2"], {"type": "array", "items": {"type": "integer"}}, False),
        (1, {"enum": [True, "1"]}, False),
        (1.0, {"const": 1}, True),
        ("b", {"type": ["string", "null"], "enum": ["a", "b", None]}, True),
        (3, {"oneOf": [{"type": "integer"}, {"minimum": 2}]}, False),
        (3, {"allOf": [{"type": "integer"}, {"minimum": 2}]}, True),
        (object, True, True),
    ],
)
def test_a_value_meets_a_schema_or_not(value, schema, met):
    assert meets(value, schema) is met


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "not": {}},
        {"type": "text"},
        {"properties": {"a": {"patternProperties": {}}}, "type": "string"},
        {"$ref": "https://elsewhere.example/schema"},
        {"$ref": "#/$defs/none"},
        {"items": 3},
        {"$ref": "#"},
    ],
    ids=str,
)
def test_what_is_not_known_is_said(schema):
    with pytest.raises(Unsupported):
        meets({"a": 1}, schema)
