"""Values that look like a person's, made up and seeded; and what carries them."""

import random


def _luhn(digits):
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return str(-total % 10)


def _card(rng):
    digits = "4" + "".join(rng.choices("0123456789", k=14))
    return digits + _luhn(digits)


def _iban(rng):
    account = "".join(rng.choices("0123456789", k=18))
    check = 98 - int(account + "131400") % 97  # DE00
    return f"DE{check:02d}{account}"


KINDS = {
    "My mail is {}.": lambda rng: f"user{rng.randrange(10**6):06d}@mail{rng.randrange(100)}.example.com",
    "Call me at {}.": lambda rng: f"010-{rng.randrange(2000, 9999)}-{rng.randrange(1000, 9999)}",
    "Charge the card {}.": _card,
    "Pay to the IBAN {}.": _iban,
    "The host is at 203.0.113.7 and its token is {}.": lambda rng: "ghp_" + "".join(
        rng.choices("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", k=36)
    ),
}  # fmt: skip


def seeded(count, seed=7):
    """``count`` sentences, each with the value in it that must not be kept."""
    rng = random.Random(seed)
    kinds = list(KINDS.items())
    found = {}
    while len(found) < count:
        sentence, make = kinds[len(found) % len(kinds)]
        value = make(rng)
        found[value] = sentence.format(value)
    return [(said, value) for value, said in found.items()]
