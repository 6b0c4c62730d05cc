"""docs/evals.md covers the grammar, and what it shows is right."""

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from evals.suites.claims import parse
from evals.suites.grammar import Budget, Data, Fields, Suite
from evals.suites.read import load, names
from evals.suites.scorer_kinds import (
    KINDS,
    Choice,
    Contains,
    Exact,
    JsonSchema,
    Judge,
    Numeric,
    Regex,
    Similarity,
    Tier,
)
from evals.suites.sources import IMPORTERS
from evals.suites.target_kinds import KINDS as TARGETS
from evals.suites.target_kinds import Gateway, Outcomes, Target
from stillhouse.cli.eval import command

PAGE = (Path(__file__).parents[3] / "docs/evals.md").read_text("utf-8")
MODELS = [
    Suite, Data, Fields, Budget, Target, Gateway, Outcomes, Exact, Contains, Numeric, Regex, Choice, JsonSchema, Similarity,
    Judge, Tier,
]  # fmt: skip


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_setting_is_explained(model: type[BaseModel]):
    words = [field.alias or name for name, field in model.model_fields.items()]
    assert not [word for word in words if not re.search(rf"`{word}[`:]", PAGE)]


@pytest.mark.parametrize("word", [*KINDS, *TARGETS, *IMPORTERS])
def test_every_kind_is_explained(word):
    assert f"`{word}`" in PAGE


def test_every_option_is_explained():
    options = [name for option in command.params for name in option.opts if name.startswith("--")]
    assert len(options) > 10
    assert not [name for name in options if f"`{name}" not in PAGE and f", `{name}" not in PAGE]


def test_every_assertion_in_the_table_reads():
    table = PAGE.split("### `assert`")[1].split("## What it can show")[0]
    shown = [
        text for cell in re.findall(r"^\| (`.*?`) \|", table, re.MULTILINE) for text in re.findall(r"`([^`]*)`", cell)
    ]
    assert len(shown) >= 10
    assert all(parse(text) for text in shown)


def test_the_example_reads_when_pasted(tmp_path):
    path = tmp_path / "support.yaml"
    path.write_text(re.search(r"```yaml\n(.*?)```", PAGE, re.DOTALL)[1], "utf-8")
    assert isinstance(load(path), Suite)


def test_every_suite_that_ships_is_named():
    for name in names():
        assert name in PAGE or name.startswith(("routing-", "probes-")), name
