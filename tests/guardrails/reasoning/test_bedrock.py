import pytest

from guardrails.reasoning.bedrock import from_bedrock
from guardrails.types import GuardConfigErrors
from tests.support.rulebooks import check, judged

DEFINITION = {
    "version": "1.0",
    "types": [
        {"name": "LeaveType", "description": "kinds of leave", "values": [{"value": "PARENTAL", "description": "x"}, {"value": "OTHER"}]}
    ],
    "variables": [
        {"name": "leaveType", "type": "LeaveType", "description": "The leave that is asked for."},
        {"name": "months", "type": "INT", "description": "Months in the company."},
        {"name": "share", "type": "REAL", "description": "Share of the salary."},
        {"name": "eligible", "type": "BOOL", "description": ""},
    ],
    "rules": [
        {"id": "A1B2C3D4E5F6", "expression": "(=> (and (= leaveType PARENTAL) (< months 12)) (not eligible))", "alternateExpression": "Parental leave after a year."},
        {"id": "B1B2C3D4E5F6", "expression": "(=> eligible (> share 0.5))"},
    ],
}  # fmt: skip


def test_an_exported_policy_becomes_a_policy():
    made = check(**from_bedrock(DEFINITION), readings=["{months}"])
    [one] = judged(made.book, ["leaveType = PARENTAL", "months = 3"], ["eligible"])
    assert (one["finding"], one["contradicting"]) == ("INVALID", ["A1B2C3D4E5F6"])
    assert made.book.rules[0].words == "Parental leave after a year."


@pytest.mark.parametrize(
    ("part", "path", "message"),
    [
        ({"variables": [{"name": "x", "type": "LeaveTyp"}]}, ("variables", 0, "type"), "unknown type 'LeaveTyp'"),
        ({"variables": [{"type": "INT"}]}, ("variables", 0), "not a part"),
        ({"rules": [{"id": "x"}]}, ("rules", 0), "not a part"),
        ({"rules": ["x"]}, ("rules", 0), "not a part"),
        ({"types": [{"name": "x", "values": ["y"]}]}, ("types", 0), "not a part"),
    ],
)
def test_what_is_no_definition_is_refused_at_its_place(part, path, message):
    with pytest.raises(GuardConfigErrors) as caught:
        from_bedrock(DEFINITION | part)
    assert any(error.path == path and message in error.message for error in caught.value.errors)
