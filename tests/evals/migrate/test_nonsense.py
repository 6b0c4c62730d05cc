"""Whatever stands in a foreign file, it is read or refused in words: never a traceback."""

import copy
import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from evals.migrate.bedrock_logs import bedrock_calls
from evals.migrate.calls import LogError
from evals.migrate.litellm_logs import litellm_calls
from evals.migrate.openai_evals import openai_export
from evals.migrate.places import ForeignError
from tests.evals.migrate import test_litellm, test_logs, test_openai_evals, test_promptfoo

HERE = Path(__file__).parent
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=5), below, max_size=3),
    max_leaves=6,
)


def places(value, path=()):
    yield path
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, below in entries:
        yield from places(below, (*path, key))


def spoiled(value, data):
    """The value with something else at one place."""
    value = copy.deepcopy(value)
    path = data.draw(st.sampled_from([p for p in places(value) if p]))
    node = value
    for part in path[:-1]:
        node = node[part]
    node[path[-1]] = data.draw(ANYTHING)
    return value


@pytest.mark.parametrize("name", test_litellm.CONFIGS)
@given(data=st.data())
@settings(max_examples=20, deadline=None)
def test_a_spoiled_litellm_configuration(name, data):
    whole = yaml.safe_load((HERE / "litellm" / f"{name}.yaml").read_text())
    try:
        made = test_litellm.carry(yaml.safe_dump(spoiled(whole, data), allow_unicode=True))
    except ForeignError as refused:
        assert "config.yaml" in str(refused)
    else:
        assert yaml.safe_load(made.settings)["tiers"]


@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_a_spoiled_dump_of_keys(data):
    keys = spoiled({"keys": [test_litellm.key(team_id="t", expires="2027-01-01T00:00:00Z")]}, data)
    try:
        made = test_litellm.carry((HERE / "litellm/balanced.yaml").read_text(), keys=keys)
    except ForeignError as refused:
        assert "keys.json" in str(refused)
    else:
        assert made.keys[0].id == "litellm-master"


@given(data=st.data())
@settings(max_examples=30, deadline=None)
def test_a_spoiled_promptfoo_configuration(data):
    whole = yaml.safe_load(test_promptfoo.CONFIG.read_text())
    try:
        made, _ = test_promptfoo.carry(yaml.safe_dump(spoiled(whole, data), allow_unicode=True))
    except ForeignError as refused:
        assert "promptfooconfig.yaml" in str(refused)
    else:
        assert all(one.rows for one in made)


@pytest.mark.parametrize("shape", test_logs.SHAPES)
@given(data=st.data())
@settings(max_examples=15, deadline=None)
def test_a_spoiled_invocation(tmp_path_factory, shape, data):
    import json

    path = test_logs.packed(
        tmp_path_factory.mktemp("log") / "a.json.gz", [spoiled(json.loads(json.dumps(test_logs.SHAPES[shape])), data)]
    )
    try:
        assert len(bedrock_calls([path]).found) <= 1
    except LogError as refused:
        assert "a.json.gz:1: " in str(refused)


@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_a_spoiled_row_of_spend(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("log") / "a.jsonl"
    test_logs.as_lines(path, [spoiled(test_logs.spend(messages=test_logs.ASKED), data)])
    try:
        assert len(litellm_calls([path]).found) <= 1
    except LogError as refused:
        # a spoiled line may be what the API's listing looks like; then its rows are counted instead of lines
        assert re.search(r"a\.jsonl(:1|: row 1): ", str(refused))


@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_a_spoiled_output_item(tmp_path_factory, data):
    import json

    path = tmp_path_factory.mktemp("log") / "a.jsonl"
    path.write_text(json.dumps(spoiled(test_openai_evals.output(1), data)) + "\n")
    try:
        export = openai_export(path, name="x", prompt=None, reference=None, config="s.yaml")
    except LogError as refused:
        assert "a.jsonl" in str(refused)
    else:
        assert len(export.suite.rows) == 1
