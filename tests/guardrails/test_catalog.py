from pathlib import Path

import pytest

from guardrails import compile_rails
from guardrails.catalog import CATALOG, names
from guardrails.checks import CHECKS
from guardrails.sentences import sentence

DOCS = Path(__file__).parents[2] / "docs" / "guards"


GUARDS = {**CATALOG, **CHECKS}


@pytest.mark.parametrize("name", sorted(GUARDS))
def test_every_guard_has_a_page_that_names_its_settings(name):
    page = (DOCS / f"{name}.md").read_text(encoding="utf-8")
    for setting in GUARDS[name].config.model_fields:
        assert f"`{setting}`" in page


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("pii.kr_rrn", "This text holds a Korean resident registration number."),
        ("secrets.github_token", "This text holds a secret (GITHUB_TOKEN)."),
        ("words.word", "This text holds a listed word (WORD)."),
        ("regex.ticket", "This text matches a pattern of the policy (TICKET)."),
        ("words.word.base64", "It is written in base64."),
        ("secrets.jwt.percent.base64", "with percent signs, inside text in base64"),
        ("hidden.html", "not shown"),
        ("canary.canary", "planted"),
        ("leak.system_prompt", "repeats a part of the system prompt"),
        ("regex.ticket.overlong", "longer than such a value may be"),
        ("pii.error", "The guard pii could not be run."),
        ("pii.timeout", "could not be run in time."),
        ("tool_targets.untrusted_target", "only untrusted text named"),
        ("grounding.ungrounded", "The sources do not bear this sentence."),
        ("secrets.github_token.base64", "It is written in base64."),
        ("reasoning.invalid", "rule"),
    ],
)
def test_a_reason_has_a_sentence_for_people(reason, said):
    assert said in sentence(reason)


def test_the_reasons_of_real_findings_have_sentences():
    (finding,) = compile_rails([{"pii": {"entities": ["EMAIL"]}}]).check("a@example.com").findings
    assert sentence(finding.reason) == "This text holds an e-mail address."


def test_rules_may_name_what_was_found_and_how_sure_a_learned_guard_is():
    seen = [("pii", "EMAIL", "HIGH"), ("attacks", "JAILBREAK", "HIGH"), ("attacks", "PROMPT_LEAKAGE", "LOW")]
    assert names(seen) == ("attacks.HIGH", "attacks.JAILBREAK", "attacks.LOW", "attacks.PROMPT_LEAKAGE", "pii.EMAIL")
