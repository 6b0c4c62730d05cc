import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrails.reasoning.reading import latest, make_reader
from guardrails.reasoning.rulebook import read_rulebook, understand
from guardrails.types import GuardConfigErrors
from tests.support.rulebooks import config


def reader(*readings, **changes):
    given = config(readings=list(readings), **changes)
    book = read_rulebook(given)
    return make_reader(given, book), book


def terms(text, *readings, side="claim"):
    made, book = reader(*readings)
    return [said.term for said in made.read(text, side)], lambda *texts: [understand(book, one) for one in texts]


def test_a_slot_says_what_its_variable_is():
    found, said = terms("It was delivered within 2 weeks.", "delivered {days}")
    assert found == said("days <= 14")


def test_one_pattern_may_tell_several_variables():
    found, said = terms("a laptop for $30, 3 days old", "{category} for {price}, {days} old")
    assert found == said("category = electronics", "price = 30", "days = 3")


def test_an_enum_is_told_by_any_of_its_words():
    made, _ = reader("{category}")
    assert [said.term[2][2] for said in made.read("노트북은 되고 Groceries 는 안 됩니다. other", "claim")] == [
        "electronics", "food", "other",
    ]  # fmt: skip


def test_a_named_value_is_used_in_a_statement():
    found, said = terms(
        "Within 30 days it is free.",
        {"pattern": "within {limit:days} it is free", "says": "if days <= limit then refundable"},
    )
    assert found == said("if days <= 30 then refundable")


def test_a_branch_that_did_not_match_says_nothing():
    found, said = terms("since 5 days", "since {days}|costs {price}")
    assert found == said("days = 5")
    both = {"pattern": "since {n:days}|costs {price}", "says": "days = n"}
    assert terms("costs $5", both)[0] == said("price = 5")


def test_a_value_that_is_torn_or_foreign_says_nothing():
    assert terms("delivered 30 kg ago", "delivered {days}")[0] == []
    assert terms("delivered 10-30 days ago", "delivered {days}")[0] == []


def test_half_a_day_is_no_int():
    assert terms("delivered 1.5 days ago", "delivered {days} ago")[0] == []


def test_readings_belong_to_premises_or_claims():
    only = {"pattern": "opened", "says": "opened", "of": "premise"}
    assert terms("opened", only)[0] == []
    assert len(terms("opened", only, side="premise")[0]) == 1


def test_places_are_those_of_the_original_text():
    made, _ = reader("delivered {days} ago")
    text = "😀 It was ｄｅｌｉｖｅｒｅｄ ３\u200b days ago, yes."
    [said] = made.read(text, "claim")
    assert text[said.start : said.end] == "ｄｅｌｉｖｅｒｅｄ ３\u200b days ago"


def test_the_same_statement_counts_once_where_it_is_made_first():
    made, _ = reader("delivered {days} ago")
    found = made.read("delivered 3 days ago ... delivered 3 days ago", "claim")
    assert [(said.start, said.end) for said in found] == [(0, 20)]


def test_a_later_text_replaces_what_an_earlier_one_said_of_a_variable():
    made, book = reader("{days} ago", {"pattern": "opened", "says": "opened"})
    texts = [made.read(text, "premise") for text in ("45 days ago, opened", "sorry, 5 days ago")]
    assert list(latest(texts)) == [understand(book, "opened"), understand(book, "days = 5")]


def test_one_text_may_say_two_things_of_a_variable():
    made, book = reader("{days}")
    texts = [made.read("at least 3 days, at most 9 days", "premise")]
    assert list(latest(texts)) == [understand(book, "days >= 3"), understand(book, "days <= 9")]


@settings(deadline=None)
@given(st.text(max_size=80))
def test_any_text_can_be_read(text):
    for side in ("premise", "claim"):
        for said in READER.read(text, side):
            assert 0 <= said.start < said.end <= len(text)


READER, _ = reader("{days}", "{price}", "{category}", "{bought}", {"pattern": "o", "says": "opened"})


@pytest.mark.parametrize(
    ("reading", "path", "part", "hint"),
    [
        ("delivered {dayz}", ("readings", 0, "pattern"), "{dayz} names no variable", "did you mean days?"),
        ("opened {opened}", ("readings", 0, "pattern"), "is a bool", "says: opened"),
        ("nothing", ("readings", 0, "pattern"), "says nothing", "{days}"),
        ("{n:days} old", ("readings", 0, "pattern"), "says nothing", "says"),
        ("{days:price}", ("readings", 0, "pattern"), "name of a variable", "another name"),
        ({"pattern": "{n:days}{n:days}", "says": "days = n"}, ("readings", 0, "pattern"), "two values are named", ""),
        ({"pattern": "a(", "says": "opened"}, ("readings", 0, "pattern"), "RE2 refuses it", "look-around"),
        ({"pattern": "a*", "says": "opened"}, ("readings", 0, "pattern"), "empty text", ""),
        ({"pattern": "a", "says": "opend"}, ("readings", 0, "says"), "column 1: unknown variable 'opend'", "opened"),
        ({"pattern": "a", "says": "days = m"}, ("readings", 0, "says"), "column 8: unknown variable 'm'", ""),
    ],
)
def test_a_wrong_reading_is_refused_at_its_place(reading, path, part, hint):
    with pytest.raises(GuardConfigErrors) as caught:
        reader(reading)
    [error] = caught.value.errors
    assert error.path == path
    assert part in error.message
    assert hint in error.hint


def test_a_word_for_two_values_is_refused():
    from tests.support.rulebooks import VARIABLES

    values = {"a": ["same"], "b": ["Same"]}
    variables = VARIABLES | {"other_kind": {"type": "enum", "description": "x", "values": values}}
    with pytest.raises(GuardConfigErrors, match="the word 'same' stands for 'a' and for 'b'"):
        reader("{days}", variables=variables)
