"""The schemas beside the models are current and agree with the loader."""

import jsonschema
import pytest
import yaml

from guardrails.catalog import CATALOG
from guardrails.checks import CHECKS
from policies.jsonschema import files, policy_schema, probes_schema
from policies.load import PRESETS, preset_names

POLICY = jsonschema.Draft202012Validator(policy_schema())
HEAD = {"stillhouse": 1, "name": "p"}


@pytest.mark.parametrize(("path", "text"), [pytest.param(p, t, id=p.name) for p, t in files().items()])
def test_the_written_schema_is_current(path, text):
    assert path.read_text("utf-8") == text, "run: python -m policies.jsonschema"


@pytest.mark.parametrize("schema", [policy_schema(), probes_schema()], ids=["policy", "probes"])
def test_the_schema_is_valid(schema):
    jsonschema.Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("name", preset_names())
def test_presets_and_their_probes_pass(name):
    POLICY.validate(yaml.safe_load((PRESETS / name / "policy.yaml").read_text("utf-8")))
    probes = yaml.safe_load((PRESETS / name / "probes.yaml").read_text("utf-8"))
    jsonschema.validate(probes, probes_schema(), cls=jsonschema.Draft202012Validator)


def test_every_guard_of_the_catalogue_can_be_completed():
    assert set(policy_schema()["$defs"]["Guard"]["properties"]) == {*CATALOG, *CHECKS}


@pytest.mark.parametrize(
    "wrong",
    [
        {"tiers": ["huge"]},
        {"nmae": 1},
        {"quality": {"keep": 2}},
        {"guards": {"input": [{"nope": {}}]}},
        {"guards": {"input": [{"pii": {"acton": "mask"}}]}},
        {"guards": {"input": [{"pii": {}, "words": {}}]}},
        {"rules": [{"name": "a", "when": {"langage": ["ko"]}, "pin": "small"}]},
    ],
)
def test_common_slips_are_seen_while_typing(wrong):
    assert not POLICY.is_valid(HEAD | wrong)
    assert POLICY.is_valid(HEAD)
