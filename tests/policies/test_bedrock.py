"""A guardrail of Bedrock's becomes a policy that does the same, or says in words where it does not."""

import json

import pytest
import yaml
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from guardrails import Action, check
from guardrails.catalog import CATALOG
from policies.bedrock import ImportProblem, import_guardrail
from policies.load import load_policy

MESSAGES = {"blockedInputMessaging": "Not here.", "blockedOutputsMessaging": "Not from here."}
CREATE = {
    "name": "Support_Desk",
    "description": "For the desk.",
    **MESSAGES,
    "wordPolicyConfig": {
        "wordsConfig": [{"text": "apex"}, {"text": "zephyr", "inputAction": "NONE", "outputEnabled": False}],
        "managedWordListsConfig": [{"type": "PROFANITY", "inputEnabled": False}],
    },
    "sensitiveInformationPolicyConfig": {
        "piiEntitiesConfig": [
            {"type": "EMAIL", "action": "ANONYMIZE"},
            {"type": "PHONE", "action": "BLOCK", "outputAction": "NONE"},
            {"type": "AWS_ACCESS_KEY", "action": "BLOCK"},
        ],
        "regexesConfig": [{"name": "Ticket No.", "pattern": "TK-[0-9]{4}", "action": "ANONYMIZE"}],
    },
}


def guards(value, direction="input"):
    return yaml.safe_load(import_guardrail(value).text)["guards"].get(direction, [])


@pytest.fixture
def loaded(tmp_path):
    def load(value):
        path = tmp_path / "imported.yaml"
        path.write_text(import_guardrail(value).text, encoding="utf-8")
        return load_policy(path)

    return load


def test_the_policy_loads_and_does_what_the_guardrail_did(loaded):
    policy = loaded(CREATE)
    assert (policy.name, policy.body.description) == ("support-desk", "For the desk.")
    assert (policy.body.refusal.input, policy.body.refusal.output) == ("Not here.", "Not from here.")
    inwards, outwards = policy.rails["input"], policy.rails["output"]
    assert check("a@example.com TK-1234", inwards).text == "[EMAIL_1] [TICKET_NO__1]"
    assert check("apex", inwards).action is check("apex", outwards).action is Action.BLOCK
    assert check("zephyr", inwards).action is Action.DETECT
    assert check("zephyr", outwards).action is Action.NONE
    assert check("call 555-867-5309", inwards).action is Action.BLOCK
    assert check("call 555-867-5309", outwards).action is Action.DETECT
    assert check("shit", inwards).action is Action.NONE
    assert check("shit", outwards).action is Action.BLOCK
    assert check("AKIAQ7RT2LMNOP34XYZ5", inwards).action is Action.BLOCK


def test_what_get_guardrail_gives_means_the_same():
    got = {
        "name": CREATE["name"], "description": CREATE["description"], **MESSAGES,
        "guardrailId": "abc", "guardrailArn": "arn:aws:bedrock:us-east-1:123456789012:guardrail/abc", "version": "3",
        "status": "READY", "createdAt": "2026-01-01", "updatedAt": "2026-01-01", "ResponseMetadata": {},
        "wordPolicy": {
            "words": CREATE["wordPolicyConfig"]["wordsConfig"],
            "managedWordLists": CREATE["wordPolicyConfig"]["managedWordListsConfig"],
        },
        "sensitiveInformationPolicy": {
            "piiEntities": CREATE["sensitiveInformationPolicyConfig"]["piiEntitiesConfig"],
            "regexes": CREATE["sensitiveInformationPolicyConfig"]["regexesConfig"],
        },
    }  # fmt: skip
    one, other = import_guardrail(CREATE), import_guardrail(got)
    assert yaml.safe_load(one.text) == yaml.safe_load(other.text)
    assert one.lost == other.lost
    assert "version 3" in other.text.splitlines()[0]


def test_content_filters_keep_their_names_strengths_and_directions():
    value = {
        "name": "x", **MESSAGES,
        "contentPolicyConfig": {
            "filtersConfig": [
                {"type": "HATE", "inputStrength": "HIGH", "outputStrength": "LOW"},
                {"type": "SEXUAL", "inputStrength": "NONE", "outputStrength": "MEDIUM", "outputAction": "NONE"},
                {"type": "VIOLENCE", "inputStrength": "HIGH", "outputStrength": "HIGH", "inputEnabled": False},
            ]
        },
    }  # fmt: skip
    made = import_guardrail(value)
    if "content" in CATALOG:
        assert guards(value) == [{"content": {"strength": "none", "filters": {"HATE": "high"}, "action": "block"}}]
        [outwards] = guards(value, "output")
        assert outwards["content"]["filters"] == {"HATE": "low", "SEXUAL": "medium", "VIOLENCE": "high"}
        assert outwards["content"]["actions"] == {"SEXUAL": "detect"}
    else:
        assert any("content of the input (HATE): unknown guard" in line for line in made.lost)


def test_what_cannot_be_carried_is_said_in_words_and_at_the_policys_head():
    value = {
        "name": "x", **MESSAGES, "kmsKeyId": "k", "tags": [{"key": "a", "value": "b"}], "futurePolicyConfig": {},
        "crossRegionConfig": {"guardrailProfileIdentifier": "us.guardrail.v1:0"},
        "contentPolicyConfig": {
            "filtersConfig": [
                {"type": "HATE", "inputStrength": "HIGH", "outputStrength": "HIGH", "inputModalities": ["TEXT", "IMAGE"]}
            ],
            "tierConfig": {"tierName": "STANDARD"},
        },
        "automatedReasoningPolicyConfig": {"policies": ["arn:aws:bedrock:x"], "confidenceThreshold": 0.8},
        "sensitiveInformationPolicyConfig": {
            "piiEntitiesConfig": [{"type": "SHOE_SIZE", "action": "BLOCK"}],
            "regexesConfig": [{"name": "behind", "pattern": "(?<=x)y", "action": "BLOCK"}],
        },
    }  # fmt: skip
    made = import_guardrail(value)
    said = "\n".join(made.lost)
    for words in ("KMS", "tags", "futurePolicy", "cross-region", "images (HATE)", "STANDARD", "arn:aws:bedrock:x",
                  "SHOE_SIZE", "regex of the input (behind)"):  # fmt: skip
        assert words in said, words
    assert made.text.count("# Not carried over:") == len(made.lost)


def test_words_that_look_like_comments_or_numbers_stay_words(loaded):
    value = {
        "name": "x", "blockedInputMessaging": "# no: 1", "blockedOutputsMessaging": "금지된 요청입니다.",
        "wordPolicyConfig": {"wordsConfig": [{"text": "no"}, {"text": "010"}, {"text": "a: b # c"}]},
    }  # fmt: skip
    policy = loaded(value)
    assert list(policy.body.guards.input[0]["words"]["words"]) == ["no", "010", "a: b # c"]
    assert policy.body.refusal.output == "금지된 요청입니다."


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ([], "JSON object"),
        ({}, "name"),
        ({"name": "x"}, "blockedInputMessaging"),
        ({"name": 5, **MESSAGES}, "name"),
        ({"name": "x", **MESSAGES, "topicPolicyConfig": {"topicsConfig": [{"name": "t"}]}}, "definition"),
        ({"name": "x", **MESSAGES, "wordPolicyConfig": {"wordsConfig": [{"text": 5}]}}, "wordPolicy.words[0].text"),
        ({"name": "x", **MESSAGES, "wordPolicyConfig": 5}, "wordPolicy"),
    ],
)
def test_what_is_no_guardrail_is_refused_naming_the_field(value, said):
    with pytest.raises(ImportProblem, match=said.replace("[", r"\[").replace("]", r"\]")):
        import_guardrail(value)


ITEMS = st.fixed_dictionaries(
    {"text": st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=20)},
    optional={
        "inputAction": st.sampled_from(["BLOCK", "NONE"]),
        "outputAction": st.sampled_from(["BLOCK", "NONE"]),
        "inputEnabled": st.booleans(),
        "outputEnabled": st.booleans(),
    },
)


@given(words=st.lists(ITEMS, max_size=6), name=st.text(st.sampled_from("aZ09-_"), min_size=1, max_size=50))
def test_every_word_is_either_carried_or_told(words, name):
    made = import_guardrail({"name": name, **MESSAGES, "wordPolicyConfig": {"wordsConfig": words}})
    carried = yaml.safe_load(made.text)["guards"]
    for way in ("input", "output"):
        wanted = {word["text"] for word in words if word.get(f"{way}Enabled") is not False}
        got = {word for guard in carried.get(way, []) for word in guard["words"]["words"]}
        assert got == wanted or any(f"words of the {way}" in line for line in made.lost)


# --- the command


def run(*arguments, **given):
    from stillhouse.cli.guard import command

    return CliRunner().invoke(command, ["import", *map(str, arguments)], catch_exceptions=False, **given)


def test_the_command_writes_a_policy_that_loads(tmp_path):
    source, target = tmp_path / "guardrail.json", tmp_path / "policy.yaml"
    source.write_text(json.dumps(CREATE))
    result = run(source, "--out", target)
    assert result.exit_code == 0
    assert load_policy(target).name == "support-desk"
    assert "max_length" in result.stderr
    assert run(source, "--out", target).exit_code == 2


def test_the_command_speaks_to_standard_output_and_refuses_what_is_no_guardrail(tmp_path):
    assert yaml.safe_load(run("-", input=json.dumps(CREATE)).stdout)["name"] == "support-desk"
    for text in ("{", "[]", "{}"):
        result = run("-", input=text)
        assert result.exit_code == 2
        assert "Traceback" not in result.output
    assert run(tmp_path / "absent.json").exit_code == 2
