"""OpenAI's categories for our findings, and its request as we read it."""

import json

import pytest
from hypothesis import given

from guardrails import Action, Finding
from router.core.moderation import CATEGORIES, Moderation, covered, read_moderation, result_of
from router.errors import BadRequest
from tests.router.core.test_bedrock import JSON


def found(guard, category, score=0.8, action=Action.DETECT):
    return Finding(guard, category, score, 0, 1, action, f"{guard}.{category.lower()}")


@pytest.mark.parametrize(
    ("category", "theirs"),
    [
        ("SEXUAL", "sexual"),
        ("VIOLENCE", "violence"),
        ("HATE", "hate"),
        ("INSULTS", "harassment"),
        ("MISCONDUCT", "illicit"),
    ],
)
def test_each_category_of_content_has_one_of_openais(category, theirs):
    result = result_of([found("content", category)], Action.DETECT, [theirs])
    assert result["flagged"] is True
    assert [name for name, true in result["categories"].items() if true] == [theirs]
    assert result["category_scores"][theirs] == 0.8
    assert result["category_applied_input_types"] == {name: ["text"] if name == theirs else [] for name in CATEGORIES}


def test_the_surest_finding_gives_the_score():
    result = result_of([found("content", "HATE", 0.6), found("content", "HATE", 0.9)], Action.DETECT, ["hate"])
    assert result["category_scores"]["hate"] == 0.9


def test_an_attack_is_flagged_where_it_is_blocked_and_is_none_of_the_categories():
    for action, flagged in ((Action.DETECT, False), (Action.BLOCK, True)):
        result = result_of([found("attacks", "JAILBREAK", action=action)], action, [])
        assert (result["flagged"], any(result["categories"].values())) == (flagged, False)


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        (None, ["harassment", "hate", "illicit", "sexual", "violence"]),
        ({"strength": "none", "filters": {"HATE": "low"}}, ["hate"]),
        ({"filters": {"HATE": "none", "SEXUAL": "none"}}, ["harassment", "illicit", "violence"]),
    ],
)
def test_what_is_looked_for_follows_the_guards_settings(settings, names):
    assert list(covered([{"pii": {}}, {"content": settings}])) == names


def test_no_guard_no_category():
    assert covered([{"pii": {}}, {"words": {"words": ["x"]}}]) == ()


@given(JSON.map(lambda value: {"input": value}) | JSON)
def test_whatever_is_sent_is_read_or_refused(value):
    try:
        asked = read_moderation(json.dumps(value).encode())
    except BadRequest as wrong:
        assert wrong.status == 400
    else:
        assert isinstance(asked, Moderation)
        assert all(asked.inputs)
