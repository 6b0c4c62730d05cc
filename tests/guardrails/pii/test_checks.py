import pytest

from guardrails.pii import checks


@pytest.mark.parametrize("digits", ["4111111111111111", "378282246310005", "5555555555554444", "0"])
def test_luhn_holds(digits):
    assert checks.luhn(digits)


@pytest.mark.parametrize("digits", ["4111111111111112", "4111111111111121"])
def test_luhn_sees_a_slip(digits):
    assert not checks.luhn(digits)


@pytest.mark.parametrize("value", ["GB82WEST12345698765432", "DE89370400440532013000", "NO9386011117947"])
def test_iban_holds(value):
    assert checks.iban(value)


@pytest.mark.parametrize("value", ["GB82WEST12345698765431", "GB82WEST123456987654", "ZZ82WEST12345698765432"])
def test_iban_sees_a_slip_a_wrong_length_and_a_stranger(value):
    assert not checks.iban(value)


def test_routing_number_needs_range_and_sum():
    assert checks.aba_routing("021000021")
    assert not checks.aba_routing("021000022")
    assert not checks.aba_routing("990000009")


@pytest.mark.parametrize(
    ("digits", "possible"),
    [("000229", True), ("990230", False), ("991301", False), ("990100", False), ("991231", True)],
)
def test_birthdays(digits, possible):
    assert checks.date_yymmdd(digits) is possible


def test_korean_check_digits():
    assert checks.rrn("9001011234568")
    assert not checks.rrn("9001011234567")
    assert checks.frn("9001015234561")
    assert checks.brn("1208147521")
    assert not checks.brn("1208147522")


def test_one_last_digit_in_ten_is_right():
    for check, stem in ((checks.rrn, "900101123456"), (checks.frn, "900101523456"), (checks.brn, "120814752")):
        assert sum(check(f"{stem}{last}") for last in range(10)) == 1


def test_british_health_number():
    assert checks.nhs("9434765919")
    assert not checks.nhs("9434765918")


def test_vehicle_number():
    assert checks.vin("1M8GDM9AXKP042788")
    assert not checks.vin("1M8GDM9A1KP042788")


def test_british_taxpayer_reference():
    assert sum(checks.utr(f"{first}123456789") for first in range(10)) == 1
