"""The published names of what guards find, beside Bedrock's and Presidio's.

Bedrock's name is used where Bedrock has one; Korean types that it lacks are ``KR_*``.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Category:
    """One type of personal data.

    Attributes:
        name: ours, in findings, placeholders and configuration.
        bedrock: the entity of Amazon Bedrock Guardrails that covers it, if any.
        presidio: the entity of Microsoft Presidio that covers it, if any.
        means: for people, the end of "This text holds ...".
        groups: names that stand for it in a configuration, besides ``all``: ``structured`` (told by its form,
            or by its form and a word near it), ``korean`` (those of them that are Korean), ``context`` (told by the
            words right before it), ``personal`` (who and where somebody is; told by likelihood), ``keys`` (what the
            ``secrets`` guard finds).
    """

    name: str
    bedrock: str | None
    presidio: str | None
    means: str
    groups: tuple[str, ...] = ("structured",)


_KOREAN = ("structured", "korean")
_CONTEXT = ("context",)
_PERSONAL = ("personal",)
_KEYS = ("keys",)

CATEGORIES: tuple[Category, ...] = (
    Category("EMAIL", "EMAIL", "EMAIL_ADDRESS", "an e-mail address"),
    Category("PHONE", "PHONE", "PHONE_NUMBER", "a telephone number"),
    Category("CREDIT_DEBIT_CARD_NUMBER", "CREDIT_DEBIT_CARD_NUMBER", "CREDIT_CARD", "a payment card number"),
    Category(
        "INTERNATIONAL_BANK_ACCOUNT_NUMBER",
        "INTERNATIONAL_BANK_ACCOUNT_NUMBER",
        "IBAN_CODE",
        "an international bank account number (IBAN)",
    ),
    Category("IP_ADDRESS", "IP_ADDRESS", "IP_ADDRESS", "an IP address"),
    Category("MAC_ADDRESS", "MAC_ADDRESS", "MAC_ADDRESS", "a network hardware address"),
    Category("SWIFT_CODE", "SWIFT_CODE", None, "a SWIFT (BIC) code"),
    Category("US_BANK_ROUTING_NUMBER", "US_BANK_ROUTING_NUMBER", "ABA_ROUTING_NUMBER", "a US bank routing number"),
    Category("US_SOCIAL_SECURITY_NUMBER", "US_SOCIAL_SECURITY_NUMBER", "US_SSN", "a US social security number"),
    Category(
        "US_INDIVIDUAL_TAX_IDENTIFICATION_NUMBER",
        "US_INDIVIDUAL_TAX_IDENTIFICATION_NUMBER",
        "US_ITIN",
        "a US individual taxpayer number",
    ),
    Category("DRIVER_ID", "DRIVER_ID", "US_DRIVER_LICENSE", "a driver's licence number"),
    Category("UK_NATIONAL_HEALTH_SERVICE_NUMBER", "UK_NATIONAL_HEALTH_SERVICE_NUMBER", "UK_NHS", "a UK NHS number"),
    Category(
        "UK_NATIONAL_INSURANCE_NUMBER",
        "UK_NATIONAL_INSURANCE_NUMBER",
        "UK_NINO",
        "a UK national insurance number",
    ),
    Category(
        "CA_SOCIAL_INSURANCE_NUMBER",
        "CA_SOCIAL_INSURANCE_NUMBER",
        "CA_SIN",
        "a Canadian social insurance number",
    ),
    Category(
        "VEHICLE_IDENTIFICATION_NUMBER",
        "VEHICLE_IDENTIFICATION_NUMBER",
        None,
        "a vehicle identification number",
    ),
    Category("CREDIT_DEBIT_CARD_CVV", "CREDIT_DEBIT_CARD_CVV", None, "the security code of a payment card", _CONTEXT),
    Category(
        "CREDIT_DEBIT_CARD_EXPIRY", "CREDIT_DEBIT_CARD_EXPIRY", None, "the expiry date of a payment card", _CONTEXT
    ),
    Category("PIN", "PIN", None, "a PIN", _CONTEXT),
    Category("PASSWORD", "PASSWORD", None, "a password", _CONTEXT),
    Category(
        "US_BANK_ACCOUNT_NUMBER", "US_BANK_ACCOUNT_NUMBER", "US_BANK_NUMBER", "a US bank account number", _CONTEXT
    ),
    Category("US_PASSPORT_NUMBER", "US_PASSPORT_NUMBER", "US_PASSPORT", "a US passport number", _CONTEXT),
    Category(
        "UK_UNIQUE_TAXPAYER_REFERENCE_NUMBER",
        "UK_UNIQUE_TAXPAYER_REFERENCE_NUMBER",
        None,
        "a UK unique taxpayer reference",
        _CONTEXT,
    ),
    Category("CA_HEALTH_NUMBER", "CA_HEALTH_NUMBER", None, "a Canadian health service number", _CONTEXT),
    Category("LICENSE_PLATE", "LICENSE_PLATE", None, "a vehicle's number plate", _CONTEXT),
    Category("URL", "URL", "URL", "a web address", ()),
    Category("NAME", "NAME", "PERSON", "a person's name", _PERSONAL),
    Category("ADDRESS", "ADDRESS", "LOCATION", "a postal address", _PERSONAL),
    Category("AGE", "AGE", None, "a person's age", _PERSONAL),
    Category("USERNAME", "USERNAME", None, "a user name", _PERSONAL),
    Category("AWS_ACCESS_KEY", "AWS_ACCESS_KEY", None, "an AWS access key", _KEYS),
    Category("AWS_SECRET_KEY", "AWS_SECRET_KEY", None, "an AWS secret key", _KEYS),
    Category("KR_RRN", None, "KR_RRN", "a Korean resident registration number", _KOREAN),
    Category("KR_FRN", None, "KR_FRN", "a Korean foreigner registration number", _KOREAN),
    Category("KR_BRN", None, "KR_BRN", "a Korean business registration number", _KOREAN),
    Category("KR_PASSPORT", None, "KR_PASSPORT", "a Korean passport number", _KOREAN),
    Category("KR_DRIVER_LICENSE", "DRIVER_ID", "KR_DRIVER_LICENSE", "a Korean driver's licence number", _KOREAN),
    Category("KR_PHONE", "PHONE", "PHONE_NUMBER", "a Korean telephone number", _KOREAN),
    Category("KR_BANK_ACCOUNT", None, None, "a Korean bank account number", _KOREAN),
    Category("KR_CARD", "CREDIT_DEBIT_CARD_NUMBER", "CREDIT_CARD", "a Korean domestic card number", _KOREAN),
)

BY_NAME = {category.name: category for category in CATEGORIES}


def groups() -> dict[str, tuple[str, ...]]:
    """Group name -> the categories it stands for."""
    named = ("structured", "korean", "context", "personal", "keys")
    return {"all": tuple(BY_NAME)} | {group: tuple(c.name for c in CATEGORIES if group in c.groups) for group in named}
