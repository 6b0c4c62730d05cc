"""Orders from building sites: a message in anybody's words becomes one line of four fields.

The line is composed, not copied: the amount in figures where the message has words or corrects itself, the weekday as
three letters, the site without what is said around it. Other numbers, days and sites stand beside them. There are more
than a hundred million different lines, so no head over a closed set can give them.
"""

from __future__ import annotations

from random import Random
from typing import Final

from evals.distill.demo.asked import Asked, filled

SYSTEM: Final = "Order line: DAY | SITE | AMOUNT | ARTICLE"

_DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_SITE_HEADS: Final = ("Ash", "Birch", "Cold", "Dun", "East", "Fern", "Glen", "Hazel", "Kirk", "Lark", "Marsh", "Nether",
                      "Oak", "Penn", "Raven", "Stone", "Thorn", "Upper", "West", "Wind")  # fmt: skip
_SITE_TAILS: Final = ("brook", "bury", "combe", "dale", "field", "ford", "gate", "ham", "hill", "hurst", "ley",
                      "mere", "mouth", "stead", "wick", "worth")  # fmt: skip
_KINDS: Final = ("blue", "brass", "cedar", "coarse", "copper", "double", "flat", "galvanised", "grey", "heavy",
                 "hollow", "insulated", "long", "narrow", "oak", "plain", "plastic", "round", "short", "slotted",
                 "square", "steel", "treated", "white", "wide")  # fmt: skip
_THINGS: Final = ("battens", "beams", "bolts", "brackets", "bricks", "cables", "clamps", "clips", "doors",
                  "fittings", "gutters", "hinges", "joists", "ladders", "latches", "nails", "panels", "pipes", "planks",
                  "plates", "posts", "rails", "screws", "sheets", "slabs", "sockets", "tiles",
                  "valves", "washers", "wedges")  # fmt: skip
_ONES: Final = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen",
                "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen")  # fmt: skip
_TENS: Final = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_PEOPLE: Final = ("the foreman", "the night crew", "the roofers", "the second team", "the apprentices", "the plumbers")

# {n} amount, {a} article, {s} site, {d} day; {m}, {x}, {t}, {e} another of each; {r} a reference, {p} people. A wording
# that is held back is asked about only when everything is over.
_WORDINGS: Final = (
    "Hi, {s} here. We need {n} {a} on {d}, please.",
    "Please send {n} {a} to {s}. {d} would be best.",
    "Could we have {n} {a} at the {s} site by {d}? Our reference is {r}.",
    "{p} at {s} have run out of {a}. Bring {n} on {d}.",
    "For {d}: {n} {a}, to {s}. Thanks!",
    "We ordered {m} {a} for {s} last week, but now it has to be {n}. Same day as always, {d}.",
    "Need {m}, sorry, {n} {a} at {s}. Not {e}, {d}.",
    "{s} again, reference {r}. The {x} arrived, thank you. Still missing are the {a}: {n} of them, on {d} if you can.",
    "Can you drop off {n} {a} on {d}? It is {s} and not {t} this time.",
    "Morning. {p} start at {s} on {d} and will want {n} {a} waiting for them.",
    "Forget the {x}. What we want at {s} is {n} {a}, on {d}.",
    "There are {m} {a} left at {s}, which will not do. Another {n} by {d}, please, on order {r}.",
    "{d}, {s}, {n} {a}. Ring at the gate, somebody is there from seven.",
    "About order {r}: make it {n} {a} rather than {m}, and send them to {s}, not {t}. {d} still stands.",
    "I promised {p} that {n} {a} would be at {s} on {d}; {e} is too late.",
    "Would {d} work for {n} {a}? The lorry can turn round in the yard at {s}.",
    "{t} does not need its {a} any more, so take the {n} of them to {s} on {d}.",
    "Small one today: {n} {a} for {s}, {d}. We are closed on {e}.",
    "The inspector comes to {s} on {e}, so we must have the {n} {a} on {d}.",
    "Same as {t} got, but {n} {a} instead of {m}. Deliver to {s}, {d}.",
)  # fmt: skip
_HELD_BACK: Final = (
    "Order {r} for {s} says {m} {a}. Please change that to {n}, coming on {d}.",
    "Let {p} know: {s} gets {n} {a} on {d}.",
    "We thought of {e}, but {d} suits {s} better. {n} {a}, as discussed.",
    "How soon can {n} {a} be at {s}? We had {d} in mind.",
    "Since {t} is finished, everything goes to {s} now: {n} {a}, {d}.",
)


def draw(rng: Random, *, held_back: bool = False) -> Asked:
    """One message and its line. ``held_back`` takes wordings that nobody learns from."""
    wording = rng.choice(_HELD_BACK if held_back else _WORDINGS)
    amount, other = rng.sample(range(2, 100), 2)
    day, later = rng.sample(_DAYS, 2)
    site, elsewhere = _site(rng), _site(rng)
    article, beside = _article(rng), _article(rng)
    text = filled(
        wording,
        n=_said(rng, amount), a=article, s=site, d=rng.choice(_ways(day)), m=_said(rng, other), x=beside, t=elsewhere,
        e=later, r=f"{rng.choice('ABKRT')}{rng.randint(100, 999)}", p=rng.choice(_PEOPLE),
    )  # fmt: skip
    return Asked(SYSTEM, text, f"{day[:3].upper()} | {site} | {amount} | {article}", wording)


def _site(rng: Random) -> str:
    return rng.choice(_SITE_HEADS) + rng.choice(_SITE_TAILS)


def _article(rng: Random) -> str:
    return f"{rng.choice(_KINDS)} {rng.choice(_THINGS)}"


def _said(rng: Random, amount: int) -> str:
    """In figures, or in words."""
    if amount == 12 and rng.random() < 0.5:
        return "a dozen"
    if rng.random() < 0.5:
        return str(amount)
    if amount < 20:
        return _ONES[amount - 2]
    tens, ones = divmod(amount, 10)
    small = ("", "one", *_ONES)[ones]
    return _TENS[tens - 2] + (f"-{small}" if small else "")


def _ways(day: str) -> tuple[str, ...]:
    return (day, day, f"{day} morning", f"{day} before noon", f"{day} at the latest", day[:3])
