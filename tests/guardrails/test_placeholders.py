from guardrails import Placeholders


def test_the_same_value_gets_the_same_number():
    names = Placeholders()
    assert names.name("EMAIL", "a@b.co") == "[EMAIL_1]"
    assert names.name("EMAIL", "c@d.co") == "[EMAIL_2]"
    assert names.name("EMAIL", "a@b.co") == "[EMAIL_1]"


def test_categories_are_counted_apart():
    names = Placeholders()
    assert [names.name("A", "x"), names.name("B", "x")] == ["[A_1]", "[B_1]"]


def test_a_number_is_one_value_however_it_is_spaced():
    names = Placeholders()
    assert names.name("KR_PHONE", "010-1234-5678") == names.name("KR_PHONE", "01012345678")


def test_dots_and_letters_tell_values_apart():
    names = Placeholders()
    assert names.name("IP_ADDRESS", "1.23.4.5") != names.name("IP_ADDRESS", "12.3.4.5")
    assert names.name("TOKEN", "a-b") != names.name("TOKEN", "ab")


def test_the_values_are_never_shown():
    names = Placeholders()
    names.name("EMAIL", "a@b.co")
    assert "a@b.co" not in repr(names)
    assert len(names) == 1
