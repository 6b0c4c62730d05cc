"""Drawing the price book from litellm's table."""

import pytest

from evals.pricebook import draw, nano_per_million, row_of

CHAT = {
    "litellm_provider": "openai",
    "mode": "chat",
    "input_cost_per_token": 2.5e-06,
    "output_cost_per_token": 1e-05,
}


@pytest.mark.parametrize(
    ("usd_per_token", "nano"),
    [
        (2.5e-06, 2_500_000_000),
        (1e-05, 10_000_000_000),
        (7.5e-08, 75_000_000),
        (1e-15, 1),
        (3.33e-07, 333_000_000),
    ],
)
def test_dollars_a_token_become_exact_nano_dollars_a_million(usd_per_token, nano):
    assert nano_per_million(usd_per_token) == nano


@pytest.mark.parametrize("entry", [{}, {"input_cost_per_token": 0, "output_cost_per_token": 1e-6}])
def test_zero_and_missing_prices_make_no_row(entry):
    assert row_of(entry) is None


@pytest.mark.parametrize(
    ("model", "change", "kept"),
    [
        ("gpt-x", {}, True),
        ("ft:gpt-x", {}, False),
        ("gpt-x-audio-preview", {}, False),
        ("embedder", {"mode": "embedding"}, False),
        ("azure/gpt-x", {"litellm_provider": "azure"}, False),
        ("us.meta.llama-v1:0", {"litellm_provider": "bedrock"}, True),
        ("bedrock/us-east-1/meta.llama-v1:0", {"litellm_provider": "bedrock"}, False),
        (
            "fireworks_ai/accounts/fireworks/models/llama-v3-instruct",
            {"litellm_provider": "fireworks_ai"},
            True,
        ),
        ("fireworks_ai/accounts/fireworks/models/starcoder", {"litellm_provider": "fireworks_ai"}, False),
    ],
)
def test_the_book_lists_chat_models_of_the_main_providers(model, change, kept):
    assert (model in draw({model: CHAT | change})) is kept


def test_cached_input_is_taken_where_it_is_known():
    assert draw({"m": CHAT | {"cache_read_input_token_cost": 1.25e-06}})["m"]["cached_input"] == 1_250_000_000
    assert "cached_input" not in draw({"m": CHAT})["m"]
