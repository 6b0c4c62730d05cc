"""A kind that says it needs digits is skipped in a text without one, so it must be true."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrails.pii import banking, korean, network, numbers

RULES = (*network.RULES, *numbers.RULES, *korean.RULES, *banking.RULES)
KINDS = {kind.name: kind for kind, _ in RULES if kind.digits}
WITHOUT = st.text(st.characters(codec="utf-8", exclude_characters="0123456789"))
ALMOST = st.text(st.sampled_from("aMGBDEX @.:-+()/_ 가"), max_size=80)


@pytest.mark.parametrize("name", KINDS)
@given(text=WITHOUT | ALMOST)
def test_what_needs_a_digit_finds_nothing_where_there_is_none(name, text):
    assert not KINDS[name].gate(text, 0)
    assert not [span for kind, rule in RULES if kind.name == name for span in rule.find(text, 0)]


def test_most_kinds_need_a_digit():
    assert sorted(KINDS) == ["iban", "ipv4", "kr passport", "kr plate", "licence", "national insurance", "number"]
