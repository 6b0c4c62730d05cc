"""Bedrock's words for our findings, and its request as we read it."""

import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrails import Action, Finding
from router.core.bedrock import Application, Seen, assessment_of, confidence, read_application, usage_of
from router.errors import BadRequest

BLOCK, MASK, DETECT = Action.BLOCK, Action.MASK, Action.DETECT


def seen(guard, category, action=BLOCK, score=0.9, text="the words", kind=Finding, **more):
    return Seen(kind(guard, category, score, 4, 9, action, f"{guard}.{category.lower()}", **more), text, "content[0]")


@dataclass(frozen=True, slots=True)
class Proved(Finding):
    """What the guard of rules finds."""

    told: dict[str, Any] = field(default_factory=dict)


def assess(*found, items=(), full=False):
    return assessment_of(found, items, full=full)


def test_attacks_of_every_kind_are_one_filter_and_the_strictest_counts():
    found = seen("attacks", "JAILBREAK", DETECT, 0.99), seen("attacks", "PROMPT_LEAKAGE", BLOCK, 0.76)
    items = [{"attacks": {"strength": "medium"}}]
    assert assess(*found, items=items)["contentPolicy"]["filters"] == [
        {
            "type": "PROMPT_ATTACK",
            "confidence": "MEDIUM",
            "filterStrength": "MEDIUM",
            "action": "BLOCKED",
            "detected": True,
        }
    ]


def test_content_carries_its_filters_strength():
    items = [{"content": {"strength": "none", "filters": {"HATE": "low"}}}]
    [entry] = assess(seen("content", "HATE", DETECT, 0.95), items=items)["contentPolicy"]["filters"]
    assert (entry["confidence"], entry["filterStrength"], entry["action"]) == ("HIGH", "LOW", "NONE")


@pytest.mark.parametrize(
    ("score", "word"), [(1.0, "HIGH"), (0.9, "HIGH"), (0.89, "MEDIUM"), (0.75, "MEDIUM"), (0.5, "LOW")]
)
def test_scores_become_bedrocks_confidence(score, word):
    assert confidence(score) == word


def test_a_topic_has_its_own_name_and_full_lists_the_others():
    items = [{"topics": {"topics": [{"name": "Tax advice"}, {"name": "Bets"}]}}]
    found = seen("topics", "Tax advice")
    assert [t["name"] for t in assess(found, items=items)["topicPolicy"]["topics"]] == ["Tax advice"]
    full = assess(found, items=items, full=True)["topicPolicy"]["topics"]
    assert [(t["name"], t["detected"]) for t in full] == [("Tax advice", True), ("Bets", False)]


def test_full_lists_every_filter_of_content_and_attacks():
    items = [{"content": {}}, {"attacks": None}]
    filters = assess(seen("content", "HATE"), items=items, full=True)["contentPolicy"]["filters"]
    assert {f["type"]: f["detected"] for f in filters} == {
        "HATE": True, "SEXUAL": False, "VIOLENCE": False, "INSULTS": False, "MISCONDUCT": False, "PROMPT_ATTACK": False,
    }  # fmt: skip


def test_words_of_the_managed_list_are_told_from_ones_own():
    both = [{"words": {"words": ["words"]}}, {"words": {"lists": ["profanity-en"]}}]
    assert "match" in assess(seen("words", "WORD"), items=both)["wordPolicy"]["customWords"][0]
    curse = Seen(Finding("words", "WORD", 1.0, 0, 4, BLOCK, "words.word"), "SHIT", "")
    assert assess(curse, items=both)["wordPolicy"]["managedWordLists"][0]["match"] == "SHIT"


def test_a_masked_word_is_no_blocked_word():
    policy = assess(seen("words", "CODENAME", MASK))
    assert policy["sensitiveInformationPolicy"]["regexes"][0]["action"] == "ANONYMIZED"
    assert "wordPolicy" not in policy


@pytest.mark.parametrize(
    ("guard", "category", "place", "name"),
    [
        ("pii", "EMAIL", "piiEntities", "EMAIL"),
        ("pii", "KR_PHONE", "piiEntities", "PHONE"),
        ("pii", "KR_RRN", "regexes", "KR_RRN"),
        ("secrets", "AWS_ACCESS_KEY", "piiEntities", "AWS_ACCESS_KEY"),
        ("secrets", "GITHUB_TOKEN", "regexes", "GITHUB_TOKEN"),
        ("regex", "EMAIL", "regexes", "EMAIL"),
    ],
)
def test_personal_data_and_secrets_by_bedrocks_names_where_it_has_them(guard, category, place, name):
    [entry] = assess(seen(guard, category, MASK))["sensitiveInformationPolicy"][place]
    assert (entry.get("type") or entry["name"], entry["match"], entry["action"]) == (name, "words", "ANONYMIZED")


def test_the_worst_grounding_counts_once():
    found = seen("grounding", "GROUNDING", BLOCK, 0.6), seen("grounding", "GROUNDING", BLOCK, 0.9)
    items = [{"grounding": {"grounding": 0.5}}]
    assert assess(*found, items=items)["contextualGroundingPolicy"]["filters"] == [
        {"type": "GROUNDING", "threshold": 0.5, "score": 0.1, "action": "BLOCKED", "detected": True}
    ]


TOLD = {
    "finding": "INVALID", "confidence": 1.0, "premises": ["days = 45"], "claims": ["a refund is given: yes"],
    "contradicting_rules": ["late"], "claims_false_scenario": "days = 45; a refund is given: no",
    "logic_warning": "ALWAYS_FALSE",
}  # fmt: skip


def test_a_proof_is_told_in_bedrocks_union():
    [finding] = assess(seen("reasoning", "INVALID", kind=Proved, told=TOLD))["automatedReasoningPolicy"]["findings"]
    [(name, shape)] = finding.items()
    assert name == "invalid"
    assert shape["contradictingRules"] == [{"identifier": "late"}]
    assert shape["translation"]["claims"] == [{"naturalLanguage": "a refund is given: yes"}]
    assert "claimsFalseScenario" not in shape


def test_a_guard_that_was_not_run_is_in_no_list():
    assert assess(seen("pii", "ERROR"), seen("content", "ERROR")) == {}


def test_every_kind_has_the_shape_of_the_service_model():
    session = pytest.importorskip("botocore.session").Session()
    model = session.get_service_model("bedrock-runtime").operation_model("ApplyGuardrail").output_shape
    shape = model.members["assessments"].member
    told = {**TOLD, "options": [{"share": 0.5, "premises": [], "claims": ["x"]}], "difference": "days = 1"}
    proofs = ("VALID", "INVALID", "SATISFIABLE", "IMPOSSIBLE", "TRANSLATION_AMBIGUOUS", "TOO_COMPLEX", "NO_TRANSLATION")
    found = [
        seen("topics", "Bets"), seen("content", "HATE"), seen("attacks", "JAILBREAK"), seen("words", "WORD"),
        seen("pii", "EMAIL", MASK), seen("regex", "N", DETECT), seen("grounding", "RELEVANCE"),
        *(seen("reasoning", proof, kind=Proved, told=told) for proof in proofs),
    ]  # fmt: skip
    items = [
        {"topics": {"topics": [{"name": "Tax"}]}},
        {"content": {}},
        {"pii": {"entities": ["korean"]}},
        {"attacks": {}},
    ]
    assert list(misfits(assess(*found, items=items, full=True), shape, "$")) == []


def misfits(value, shape, where):
    """Where ``value`` departs from a shape of a service model."""
    if shape.type_name == "structure":
        yield from (f"{where}.{name} is missing" for name in shape.required_members if name not in value)
        for name, inner in value.items():
            if name in shape.members:
                yield from misfits(inner, shape.members[name], f"{where}.{name}")
            else:
                yield f"{where}.{name} is unknown"
    elif shape.type_name == "list":
        for index, inner in enumerate(value):
            yield from misfits(inner, shape.member, f"{where}[{index}]")
    elif getattr(shape, "enum", None) and value not in shape.enum:
        yield f"{where} is {value!r}"


def test_units_are_counted_for_the_guards_there_are():
    items = [{"regex": {}}, {"reasoning": {}}, {"reasoning": {}}, {"grounding": {}}]
    counted = usage_of(items, 1_500, 1_000)
    assert counted["contextualGroundingPolicyUnits"] == 3
    assert (counted["automatedReasoningPolicyUnits"], counted["automatedReasoningPolicies"]) == (2, 2)
    assert (counted["sensitiveInformationPolicyUnits"], counted["sensitiveInformationPolicyFreeUnits"]) == (0, 2)


@pytest.mark.parametrize(
    ("source", "qualifiers", "role"),
    [
        ("INPUT", [], "user"),
        ("OUTPUT", [], "assistant"),
        ("OUTPUT", ["guard_content"], "assistant"),
        ("OUTPUT", ["query", "guard_content"], "user"),
        ("INPUT", ["grounding_source", "guard_content"], "document"),
    ],
)
def test_a_block_has_the_role_of_what_it_is(source, qualifiers, role):
    body = {"source": source, "content": [{"text": {"text": "x", "qualifiers": qualifiers}}]}
    asked = read_application(json.dumps(body).encode())
    assert asked.role(asked.blocks[0]) == role


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
NEAR = st.fixed_dictionaries(
    {
        "source": st.sampled_from(["INPUT", "OUTPUT"]) | JSON,
        "content": st.lists(st.fixed_dictionaries({"text": JSON}) | JSON),
    }
)


@given(JSON | NEAR)
def test_whatever_is_sent_is_read_or_refused(value):
    try:
        asked = read_application(json.dumps(value).encode())
    except BadRequest as wrong:
        assert wrong.status == 400
    else:
        assert isinstance(asked, Application)
        assert any(block.guarded for block in asked.blocks)
