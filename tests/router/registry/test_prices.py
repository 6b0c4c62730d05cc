"""The price book: exact figures, honest gaps, a hash that names it."""

import json

import msgspec
import pytest

from router.registry.prices import SHIPPED, PriceBook
from router.serve.settings import PROVIDERS
from router.types import Price

GOOD = {
    "date": "2026-11-24",
    "unit": "nano-dollars per million tokens",
    "source": "a test",
    "license": "none",
    "prices": {
        "Maker/Model-A": {"input": 2_500_000_000, "output": 10_000_000_000, "cached_input": 1_250_000_000},
        "gemini/flash": {"input": 1, "output": 2},
        "mistral/twin": {"input": 3, "output": 4},
        "xai/twin": {"input": 5, "output": 6},
        "model-b": {"input": 7, "output": 8},
    },
}


@pytest.fixture
def book(tmp_path):
    path = tmp_path / "book.json"
    path.write_text(json.dumps(GOOD))
    return PriceBook.load(path)


@pytest.mark.parametrize(
    ("asked", "input_price"),
    [
        ("Maker/Model-A", 2_500_000_000),
        ("maker/model-a", 2_500_000_000),
        ("model-b", 7),
        ("openai/model-b", 7),
        ("bedrock/converse/model-b", 7),
        ("flash", 1),
        ("gemini/flash", 1),
        ("twin", None),
        ("azure/model-b", None),
        ("model-b-2026-01-01", None),
        ("model", None),
        ("", None),
    ],
)
def test_finds_a_price_by_the_documented_spellings_only(book, asked, input_price):
    assert book.price(asked).input == input_price


def test_an_unknown_model_has_no_price_rather_than_zero(book):
    assert book.price("nobody/knows") == Price()
    assert book.price("nobody/knows").output is None


def test_a_missing_cached_price_stays_unknown(book):
    assert book.price("model-b").cached_input is None


def test_each_price_names_its_book(book):
    assert book.price("model-b").source == "book:2026-11-24"


def test_an_overlay_wins_and_changes_the_hash(book):
    own = book.overlay({"model-b": Price(input=0, output=0), "mine": Price(input=1, output=1, source="contract")})
    assert own.price("model-b") == Price(input=0, output=0, source="config")
    assert own.price("mine").source == "contract"
    assert own.price("flash") == book.price("flash")
    assert own.hash != book.hash
    assert book.price("model-b").input == 7


def test_the_hash_follows_the_content_and_not_the_spelling_of_the_file(book, tmp_path):
    other = tmp_path / "other.json"
    turned = {**GOOD, "prices": dict(reversed(GOOD["prices"].items())), "source": "elsewhere"}
    other.write_text(json.dumps(turned, indent=3))
    assert PriceBook.load(other).hash == book.hash
    other.write_text(json.dumps({**GOOD, "date": "2026-11-25"}))
    assert PriceBook.load(other).hash != book.hash


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"unit": "USD"}, "unit"),
        ({"date": "yesterday"}, "date"),
        ({"prices": {"m": {"input": -1, "output": 1}}}, "input"),
        ({"prices": {"m": {"input": 1.5, "output": 1}}}, "input"),
        ({"prices": {"m": {"input": 1}}}, "output"),
        ({"prices": {"m": {"input": 1, "output": 1, "outptu": 2}}}, "outptu"),
        ({"extra": 1}, "extra"),
    ],
)
def test_a_wrong_book_is_refused_with_its_place(tmp_path, change, words):
    path = tmp_path / "book.json"
    path.write_text(json.dumps(GOOD | change))
    with pytest.raises(ValueError, match=words) as error:
        PriceBook.load(path)
    assert "book.json is not a price book" in str(error.value)


@pytest.mark.parametrize("raw", [b"", b"[]", b"{", b"\xff\xfe"])
def test_a_file_that_is_no_book_is_refused(tmp_path, raw):
    path = tmp_path / "book.json"
    path.write_bytes(raw)
    with pytest.raises(ValueError, match="not a price book"):
        PriceBook.load(path)


class TestTheShippedBook:
    book = PriceBook.load()

    @pytest.mark.parametrize("model", [model for *_, models in PROVIDERS for model in models])
    def test_prices_every_model_we_choose_by_ourselves(self, model):
        price = self.book.price(model)
        assert price.input
        assert price.output

    def test_prices_are_positive_and_ordered_sensibly(self):
        for model, price in self.book.prices.items():
            assert price.input, model
            assert price.output, model
            assert price.cached_input is None or 0 < price.cached_input <= price.input, model

    def test_names_its_source_and_licence(self):
        head = msgspec.json.decode(SHIPPED.read_bytes())
        assert "litellm" in head["source"]
        assert head["license"].startswith("MIT")
        assert head["date"] == self.book.date

    def test_holds_known_figures(self):
        assert self.book.price("gpt-4o") == Price(
            input=2_500_000_000,
            output=10_000_000_000,
            cached_input=1_250_000_000,
            source=f"book:{self.book.date}",
        )
