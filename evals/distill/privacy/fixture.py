"""Requests as a gateway captured them, some of which hold personal data, and which value stands in which."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from evals.distill.privacy.kinds import Kind
from guardrails.pii.lists import load
from router.core.captures import Capture, Rejected, Said

_SYSTEM: Final = "You answer customers of a shop. Be brief, and say what happens next."
_UNTIL_MS: Final = 4_102_444_800_000  # 2100-01-01
_PLACES: Final = (
    "Berlin",
    "Seoul",
    "Monday",
    "Python",
    "Samsung",
    "Bluetooth",
    "Christmas",
    "Excel",
    "London",
    "Kafka",
)


class Seed(NamedTuple):
    """One value in one request.

    Attributes:
        kind, value: what it is.
        says: the sentence around it.
        mark: a word that no other request has.
    """

    kind: str
    value: str
    says: str
    mark: str

    @property
    def parts(self) -> tuple[str, ...]:
        """What tells of it when the rest is masked: the words of a name, the first line of an address."""
        if "name" in self.kind and self.kind != "user name":
            return tuple(word for word in self.value.split() if len(word) > 2)
        return (self.value.split(",")[0],)


def seeds(table: Mapping[str, Kind], seed: int = 17) -> list[Seed]:
    """All values of a table, each once."""
    rng = random.Random(seed)  # noqa: S311 - seeded, to be repeated
    made: list[Seed] = []
    known: set[str] = set()
    for name, kind in table.items():
        for _ in range(kind.number):
            value = kind.make(rng)
            while value in known:
                value = kind.make(rng)
            known.add(value)
            made.append(Seed(name, value, rng.choice(kind.says).format(value), _mark(rng)))
    rng.shuffle(made)
    return made


def captures(n: int, sown: list[Seed], seed: int = 23) -> Iterator[Capture]:
    """``n`` requests: ordinary English with seeds in the first of each ``n / len(sown)``, so that they lie everywhere.

    The value stands in the question, and in turn also in the answer, in a rejected answer, in an earlier turn, and in
    a system prompt of that request alone.
    """
    rng = random.Random(seed)  # noqa: S311 - seeded, to be repeated
    words = sorted(word for word in load("common-words")[0] if len(word) > 2)
    step = n / max(len(sown), 1)
    at_of = {int(at * step): one for at, one in enumerate(sown)}
    for number in range(n):
        yield _capture(number, at_of.get(number), rng, words)


def _capture(number: int, sown: Seed | None, rng: random.Random, words: list[str]) -> Capture:
    text = [_sentence(rng, words) for _ in range(rng.randint(3, 6))]
    answer, rejected, system, turns = _sentence(rng, words), _sentence(rng, words), _SYSTEM, []
    if sown is not None:
        text[0] += f" Reference {sown.mark}."
        text.insert(rng.randint(1, len(text)), sown.says)
        if number % 2:
            answer = f"I have noted it: {sown.value}. {answer}"
        if number % 3 == 0:
            rejected = f"{rejected} {sown.says}"
        if number % 5 == 0:
            turns = [Said("user", sown.says), Said("assistant", f"Thank you. {sown.value}, is that right?")]
        if number % 7 == 0:
            system = f"{_SYSTEM} You are talking about {sown.mark}. {sown.says}"
    failed = sown is not None or rng.random() < 0.2
    kept = failed and number % 4 == 0  # nothing better came: a teacher must be asked
    return Capture(
        id=f"req-{number}", at_ms=1_700_000_000_000 + number, until_ms=_UNTIL_MS, tenant="acme", policy="desk",
        messages=(Said("system", system), *turns, Said("user", " ".join(text))), answer=answer,
        tier="small" if kept else "medium", model="small-1" if kept else "teacher-1", finish="stop",
        rejected=(Rejected(tier="small", model="small-1", text=rejected, kept=kept),) if failed else (),
    )  # fmt: skip


def _sentence(rng: random.Random, words: list[str]) -> str:
    said = rng.choices(words, k=rng.randint(6, 14))
    if rng.random() < 0.3:
        said.insert(rng.randrange(1, len(said)), rng.choice(_PLACES))
    return f"{said[0].capitalize()} {' '.join(said[1:])}."


def _mark(rng: random.Random) -> str:
    return "q" + "".join(rng.choices("bcdfghjklmnpqrstvwxz", k=11))
