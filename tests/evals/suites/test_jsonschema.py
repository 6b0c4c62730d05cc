"""The schema that editors read is current and agrees with the loader."""

import jsonschema
import pytest
import yaml

from evals.suites.grammar import Suite
from evals.suites.jsonschema import SCHEMA, suite_schema
from evals.suites.read import FOLDER, load, names
from policies.jsonschema import render

VALIDATOR = jsonschema.Draft202012Validator(suite_schema())
ASKED = [name for name in names() if isinstance(load(FOLDER / f"{name}.yaml"), Suite)]
HEAD = {
    "suite": "s",
    "about": "a",
    "data": {"file": "a.csv"},
    "targets": [{"name": "t", "tier": "small"}],
    "scorers": ["exact"],
}


def test_the_written_schema_is_current():
    assert SCHEMA.read_text("utf-8") == render(suite_schema()), "run: python -m evals.suites.jsonschema"
    jsonschema.Draft202012Validator.check_schema(suite_schema())


@pytest.mark.parametrize("name", ASKED)
def test_suites_that_ship_pass_and_name_it(name):
    text = (FOLDER / f"{name}.yaml").read_text("utf-8")
    assert text.splitlines()[0] == "# yaml-language-server: $schema=schema.json"
    VALIDATOR.validate(yaml.safe_load(text))


@pytest.mark.parametrize(
    "wrong",
    [
        {"scorers": ["exat"]},
        {"scorers": [{"exact": {}, "wieght": 1}]},
        {"data": {"importer": "nobody"}},
        {"targets": [{"name": "t", "teir": "small"}]},
        {"assert": [{"taht": "quality >= 1"}]},
        {"repeat": 0},
    ],
)
def test_common_slips_are_seen_while_typing(wrong):
    assert VALIDATOR.is_valid(HEAD)
    assert not VALIDATOR.is_valid(HEAD | wrong)


def test_both_ways_of_writing_are_known():
    assert VALIDATOR.is_valid(HEAD | {"scorers": ["exact", {"exact": {"strict": True}, "weight": 2}]})
    assert VALIDATOR.is_valid(HEAD | {"assert": ["quality >= 0.5", {"that": "errors <= 0%"}]})
