"""Draws the price book from the table that the installed litellm carries. No network.

``python -m evals.pricebook --date 2026-11-24 --out router/registry/prices-2026-11.json``
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
from collections.abc import Mapping
from decimal import Decimal
from importlib.metadata import distribution, version
from pathlib import Path
from typing import Any

from router.registry.prices import UNIT

TABLE = "model_prices_and_context_window_backup.json"
PROVIDERS = frozenset(
    {
        "openai", "anthropic", "gemini", "mistral", "groq", "deepseek", "xai", "bedrock", "bedrock_converse",
        "together_ai", "deepinfra", "fireworks_ai",
    }
)  # fmt: skip
# On Bedrock, the makers whose models are used as tiers; provisioned and per-region copies are left out.
_BEDROCK = re.compile(r"(?:(?:us|eu|apac|global)\.)?(?:meta|anthropic|amazon|mistral|deepseek)\.[^/]+")
# Left out: sound, size classes that are no model, fine-tunes; of Fireworks's catalogue, what is no chat model.
_LEFT_OUT = re.compile(r"ft:|together-ai-|.*(?:audio|realtime|transcribe|tts|guard|flux|vision-?preview)")
_FIREWORKS = re.compile(
    r"fireworks_ai/accounts/fireworks/models/"
    r"(?:.*(?:instruct|chat)|gpt-oss|kimi|glm|minimax|nemotron|qwen3-|deepseek-(?:v|r)\d).*"
)
_MODES = frozenset({"chat", "responses"})
_PER_MILLION_IN_NANO = Decimal(10) ** 15


def nano_per_million(usd_per_token: float) -> int:
    """USD per token as nano-dollars per million tokens, exact for every price with 15 decimals."""
    return int((Decimal(str(usd_per_token)) * _PER_MILLION_IN_NANO).to_integral_value())


def wanted(model: str, entry: Mapping[str, Any]) -> bool:
    """Whether the book lists this model."""
    provider = entry.get("litellm_provider", "")
    if provider not in PROVIDERS or entry.get("mode") not in _MODES or _LEFT_OUT.match(model.lower()):
        return False
    if provider == "fireworks_ai":
        return _FIREWORKS.fullmatch(model) is not None
    return not provider.startswith("bedrock") or _BEDROCK.fullmatch(model) is not None


def row_of(entry: Mapping[str, Any]) -> dict[str, int] | None:
    """One model's prices; ``None`` where the table lacks one or says zero, which there means unknown or free."""
    given, taken = entry.get("input_cost_per_token"), entry.get("output_cost_per_token")
    if not given or not taken:
        return None
    row = {"input": nano_per_million(given), "output": nano_per_million(taken)}
    cached = entry.get("cache_read_input_token_cost")
    if cached:
        row["cached_input"] = nano_per_million(cached)
    return row


def draw(table: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, int]]:
    """The rows of the book, by model id."""
    drawn = ((model, row_of(entry)) for model, entry in sorted(table.items()) if wanted(model, entry))
    return {model: row for model, row in drawn if row is not None}


def main() -> None:
    """Write the book."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--date", required=True, help="the day of the drawing, YYYY-MM-DD")
    parser.add_argument("--out", required=True, type=Path)
    chosen = parser.parse_args()
    raw = Path(str(distribution("litellm").locate_file(f"litellm/{TABLE}"))).read_bytes()
    head = {
        "date": chosen.date,
        "unit": UNIT,
        "source": f"litellm {version('litellm')}, {TABLE}, SHA-256 {hashlib.sha256(raw).hexdigest()}",
        "license": "MIT, Copyright (c) 2023 Berri AI",
    }
    rows = draw(json.loads(raw))
    # One line a model, so that a new book is a readable diff.
    lines = ",\n".join(f"  {json.dumps(model)}: {json.dumps(row)}" for model, row in rows.items())
    text = json.dumps(head, indent=1)[:-2] + f',\n "prices": {{\n{lines}\n }}\n}}\n'
    chosen.out.write_text(text, encoding="utf-8")
    print(f"{len(rows)} prices -> {chosen.out}")


if __name__ == "__main__":
    main()
