"""Which tier each model of a LiteLLM configuration is of.

LiteLLM has no tiers of models, but its complexity router names some; where it does not, prices tell, and where they do
not either, the size in a model's name. The last two are guesses and are told as such.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from router.types import TIER_NAMES, TierName

if TYPE_CHECKING:
    from evals.migrate.litellm_models import Model
    from evals.migrate.places import Tree
    from evals.migrate.told import Tale
    from router.registry.prices import PriceBook

#: Their tiers to ours. Only the first model of a list is taken to stand for the tier's level.
THEIRS: Final[Mapping[str, TierName]] = {
    "NON_REASONING": "small",
    "SIMPLE": "small",
    "MEDIUM": "medium",
    "COMPLEX": "large",
    "REASONING": "large",
}
_SIZE: Final = re.compile(r"(?<![a-z0-9.])(\d+(?:\.\d+)?)b(?![a-z])", re.IGNORECASE)
_SMALL_UP_TO, _MEDIUM_UP_TO = 15.0, 45.0  # billions of parameters


def tiers_of(
    models: Sequence[Model], routers: Sequence[tuple[str, Tree]], book: PriceBook, tale: Tale, file: str
) -> dict[str, list[TierName]]:
    """Public name -> its tiers, one but where a router puts a model into several."""
    said = _by_routers(routers, {model.public for model in models}, tale, file)
    left = [model for model in models if model.public not in said]
    for name, (tier, why, line) in _guessed(left, book).items():
        said[name] = [tier]
        tale.say("guess", file, line, f"tier of {name}", f"{tier}, {why}")
    return said


# --- routers


def _by_routers(
    routers: Sequence[tuple[str, Tree]], known: set[str], tale: Tale, file: str
) -> dict[str, list[TierName]]:
    said: dict[str, list[TierName]] = {}
    for public, entry in routers:
        tiers = entry.within("litellm_params", "complexity_router_config", "tiers")
        if tiers is not None:
            for name, listed in tiers.entries().items():
                _tier(name, listed, known, said, tale, file)
            words = f"callers who say {public!r} must say 'auto' or a policy's name: the policy decides, by the scorer"
        else:
            words = f"{public!r} routes by examples or by trying out; here the scorer and the policy decide. Say 'auto'"
        tale.say("lost", file, entry.line, entry.path, words)
        entry.account()
    return said


def _tier(name: str, listed: Tree, known: set[str], said: dict[str, list[TierName]], tale: Tale, file: str) -> None:
    ours = THEIRS.get(name.upper())
    if ours is None:
        tale.say(
            "lost", file, listed.line, listed.path, "no tier here has that meaning; there are small, medium, large"
        )
        return
    for item in listed if isinstance(listed.value, list) else (listed,):
        model = item.text("model_name") if isinstance(item.value, dict) else str(item.value)
        if model not in known:
            words = f"{model!r} is not a model of this file that was carried"
            tale.say("lost", file, item.line, item.path, words)
            continue
        if isinstance(item.value, dict) and item.get("litellm_params") is not None:
            words = "no setting adds parameters to a caller's request"
            tale.say("lost", file, item.line, f"{item.path}.litellm_params", words)
        held = said.setdefault(str(model), [])
        if ours not in held:
            held.append(ours)
            tale.say("carried", file, item.line, item.path, f"{model!r} serves {ours}")


# --- guesses


def _guessed(models: Sequence[Model], book: PriceBook) -> dict[str, tuple[TierName, str, int]]:
    lines: dict[str, int] = {}
    prices: dict[str, float] = {}
    for model in models:
        lines.setdefault(model.public, model.line)
        price = _price(model, book)
        if price is not None:
            prices[model.public] = max(price, prices.get(model.public, 0.0))
    steps = _by_price(prices)
    found: dict[str, tuple[TierName, str, int]] = {}
    for model in models:
        if model.public in found:
            continue
        if model.public in steps:
            words = f"by its price among the models here ({prices[model.public]:g} USD per million tokens, in and out)"
            found[model.public] = steps[model.public], words, lines[model.public]
        else:
            tier, why = _by_size(model)
            found[model.public] = tier, why, lines[model.public]
    return found


def _price(model: Model, book: PriceBook) -> float | None:
    """USD for a million tokens in and a million out; None where it is unknown."""
    own: dict[str, Any] | None = model.settings.get("price")
    if own is not None:
        return float(own["input"] + own["output"])
    names = [model.model, model.base_model or model.model]
    names += [name.partition("/")[2] or name for name in names]
    for name in (*names, f"gemini/{names[2]}"):
        listed = book.price(name)
        if listed.input is not None and listed.output is not None:
            return (listed.input + listed.output) / 1e9
    return None


def _by_price(prices: Mapping[str, float]) -> dict[str, TierName]:
    """The cheapest is small, the dearest large; between them, thirds of the way in the logarithm."""
    if not prices:
        return {}
    logs = {name: math.log(max(price, 1e-6)) for name, price in prices.items()}
    low, high = min(logs.values()), max(logs.values())
    if high - low < math.log(1.5):  # as good as one price
        return dict.fromkeys(prices, "large")
    return {name: TIER_NAMES[min(2, int(3 * (value - low) / (high - low)))] for name, value in logs.items()}


def _by_size(model: Model) -> tuple[TierName, str]:
    sizes = [float(size) for size in _SIZE.findall(model.model)]
    if not sizes:
        return "large", "for neither its price nor its size is known"
    size = max(sizes)
    tier: TierName = "small" if size <= _SMALL_UP_TO else "medium" if size <= _MEDIUM_UP_TO else "large"
    return tier, f"by the {size:g} billion parameters in its name"
