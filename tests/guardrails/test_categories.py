import re
from pathlib import Path

import pytest

from guardrails.categories import BY_NAME, CATEGORIES, groups
from guardrails.pii import _RULES, _WIDER
from guardrails.pii.cues import CUES
from guardrails.secrets import NAMES

PAGE = Path(__file__).parents[2] / "docs" / "guards" / "categories.md"

BEDROCK = set(  # as in its service model
    """ADDRESS AGE AWS_ACCESS_KEY AWS_SECRET_KEY CA_HEALTH_NUMBER CA_SOCIAL_INSURANCE_NUMBER CREDIT_DEBIT_CARD_CVV
    CREDIT_DEBIT_CARD_EXPIRY CREDIT_DEBIT_CARD_NUMBER DRIVER_ID EMAIL INTERNATIONAL_BANK_ACCOUNT_NUMBER IP_ADDRESS
    LICENSE_PLATE MAC_ADDRESS NAME PASSWORD PHONE PIN SWIFT_CODE UK_NATIONAL_HEALTH_SERVICE_NUMBER
    UK_NATIONAL_INSURANCE_NUMBER UK_UNIQUE_TAXPAYER_REFERENCE_NUMBER URL USERNAME US_BANK_ACCOUNT_NUMBER
    US_BANK_ROUTING_NUMBER US_INDIVIDUAL_TAX_IDENTIFICATION_NUMBER US_PASSPORT_NUMBER US_SOCIAL_SECURITY_NUMBER
    VEHICLE_IDENTIFICATION_NUMBER""".split()
)


@pytest.mark.parametrize("category", CATEGORIES, ids=lambda category: category.name)
def test_a_name_is_bedrocks_where_bedrock_has_one(category):
    assert category.bedrock is None or category.bedrock in BEDROCK
    assert category.name.startswith("KR_") or category.name == category.bedrock


def test_every_category_has_a_recogniser_and_every_recogniser_a_category():
    by_form = {rule.category for _, rule in _RULES}
    by_cue = {cue.category for cue in CUES}
    keys = set(groups()["keys"])
    assert by_form | by_cue | keys == set(BY_NAME)
    assert keys <= set(NAMES)


def test_every_entity_of_bedrock_has_its_own_name_here():
    assert set(BY_NAME) >= BEDROCK


def test_nothing_that_is_only_likely_is_looked_for_by_default():
    assert not set(groups()["structured"]) & {*groups()["personal"], *groups()["context"], *groups()["keys"], "URL"}
    assert set(groups()["personal"]) == {"NAME", "ADDRESS", "AGE", "USERNAME"}


def test_a_wider_category_is_the_one_of_bedrock():
    assert all(BY_NAME[narrow].bedrock == wide for narrow, wide in _WIDER.items())


def test_groups_hold_known_names_only():
    for names in groups().values():
        assert set(names) <= set(BY_NAME)
    assert "URL" not in groups()["structured"]


def test_the_page_is_the_table():
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \| ([^|]+) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    said = {name: (bedrock.strip(" `"), presidio.strip(" `")) for name, bedrock, presidio in rows}
    assert said == {c.name: (c.bedrock or "–", c.presidio or "–") for c in CATEGORIES}
