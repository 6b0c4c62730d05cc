"""The page's policies load, their tests pass, and every setting is on the page."""

import re
from pathlib import Path

import pytest
import yaml

from guardrails.reasoning import ReasoningConfig, compile_reasoning, run_cases
from guardrails.reasoning.config import (
    CaseConfig,
    ReadingConfig,
    RewriteConfig,
    RuleConfig,
    TranslatorsConfig,
    VariableConfig,
)
from guardrails.reasoning.outcome import ORDER

PAGE = (Path(__file__).resolve().parents[3] / "docs/guards/reasoning.md").read_text("utf-8")
POLICIES = [
    yaml.safe_load(block)["guards"]["output"][0]["reasoning"]
    for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
]


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy["name"])
def test_a_policy_of_the_page_loads_and_its_tests_pass(policy):
    made = compile_reasoning(ReasoningConfig.model_validate(policy), 0)
    results = run_cases(made)
    assert len(results) >= 3
    assert not [(one.name, one.message) for one in results if not one.passed]
    assert {one.kind for one in made.warnings} <= {"unused-value", "clashing"}


def test_there_is_one_policy_in_each_language():
    assert [policy["name"] for policy in POLICIES] == ["refunds", "hwanbul"]


def test_every_setting_and_finding_is_on_the_page():
    models = (ReasoningConfig, VariableConfig, RuleConfig, ReadingConfig, TranslatorsConfig, RewriteConfig, CaseConfig)
    names = {name for model in models for name in model.model_fields} | set(ORDER)
    assert not {name for name in names if f"`{name}`" not in PAGE}


def test_the_scenario_that_the_page_tells_is_the_one_that_comes():
    from guardrails.reasoning import settle
    from guardrails.views import View

    made = compile_reasoning(ReasoningConfig.model_validate(POLICIES[0]), 0)
    case = made.cases[3]
    [finding] = settle(made.judge(View(case.answer, case.question)))
    flat = " ".join(PAGE.split())
    assert finding.told["claims_false_scenario"] in flat
    assert all(f"*{said}*" in flat for said in finding.told["because_of"])
