"""What one call can cost at most, and what it will probably take: the amounts that limits set aside for it. Pure.

A byte-level tokenizer makes at most one token of a byte, so the bytes of a body bound its input tokens; a few more for
each message cover the chat template. Output is bound by ``max_tokens``, the caller's or the model's own. Where neither
says one, or where the money left does not reach so far, we send one: the bound must hold at the model's server.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from router.core.cost import PER_MILLION
from router.types import Price

UNKNOWN_OUTPUT: Final = 32_768  # the bound we send for a model that states none
USUAL_OUTPUT: Final = 400  # where no scorer says what to expect
LEAST_OUTPUT: Final = 32
IMAGE_TOKENS: Final = 16_384  # of all images of a request together
_PER_MESSAGE: Final = 16
_PER_BODY: Final = 64
_LIKELY: Final = 3  # so many times what the scorer expects; an answer longer than that is rare
_KNOWN: Final = 5  # answers, after which they tell better than the scorer what is to come
_FADES: Final = 0.98  # of the longest, an answer


class Seen:
    """How long the answers of somebody were: the longest of late, fading."""

    __slots__ = ("count", "peak")

    def __init__(self) -> None:
        self.count, self.peak = 0, 0.0

    def add(self, tokens: float) -> None:
        """One more answer, in output tokens of a choice."""
        self.count += 1
        self.peak = max(float(tokens), self.peak * _FADES)

    def likely(self) -> float | None:
        """Output tokens that an answer will hardly exceed; None while too few were seen."""
        return 1.5 * self.peak if self.count >= _KNOWN else None


class Size(NamedTuple):
    """One call.

    Attributes:
        input: estimated input tokens. input_most: their bound.
        expected: output tokens of one choice, as expected; None where nobody says.
        seen: what the answers so far hardly exceeded; None while too few are known.
        output: the bound of one choice that the caller's body states, 0 without one.
        choices: how many.
    """

    input: int
    input_most: int
    expected: float | None = None
    output: int = 0
    choices: int = 1
    seen: float | None = None

    def most(self, own: int | None) -> int:
        """The bound of one choice's output; ``own`` is the model's, where it is known."""
        if self.output:
            return self.output if own is None else min(self.output, own)
        return own or UNKNOWN_OUTPUT

    def likely(self, own: int | None) -> int:
        """Output tokens of one choice that an answer will hardly exceed."""
        expected = USUAL_OUTPUT if self.expected is None else self.expected
        likely = _LIKELY * expected if self.seen is None else self.seen
        return min(self.most(own), max(LEAST_OUTPUT, round(likely)))

    def tokens(self, own: int | None) -> int:
        """Tokens of the whole call that it will hardly exceed; a server's own count differs from our estimate."""
        given = min(self.input_most, self.input * 5 // 4 + _PER_BODY)
        return given + self.choices * self.likely(own)

    def probably(self) -> tuple[int, int]:
        """Input and output tokens of the whole call, as expected."""
        return self.input, self.choices * round(USUAL_OUTPUT if self.expected is None else self.expected)


def input_most(body: int, texts: int, messages: int, *, images: bool, window: int | None) -> int:
    """A bound on input tokens.

    Args:
        body: bytes of the whole body. texts: of its texts alone.
        messages: how many there are.
        images: whether there are any: their bytes say nothing of their tokens.
        window: the model's context window, if known.
    """
    most = (texts + IMAGE_TOKENS if images else body) + _PER_MESSAGE * messages + _PER_BODY
    return most if window is None else min(most, window)


class Money(NamedTuple):
    """Nano-dollars to set aside: at least, and so that nothing need be cut."""

    likely: int
    most: int


def money_of(size: Size, price: Price, own: int | None) -> Money | None:
    """What to set aside for a call; None where the price is unknown."""
    if price.input is None or price.output is None:
        return None
    given = size.input_most * max(price.input, price.cached_input or 0)
    return Money(
        -(-(given + size.choices * size.likely(own) * price.output) // PER_MILLION),
        -(-(given + size.choices * size.most(own) * price.output) // PER_MILLION),
    )


def output_for(granted: int, size: Size, price: Price) -> int | None:
    """Output tokens of one choice that ``granted`` nano-dollars pay; None where output costs nothing."""
    if not price.output or price.input is None or not size.choices:
        return None
    given = size.input_most * max(price.input, price.cached_input or 0)
    return max(1, (granted * PER_MILLION - given) // (price.output * size.choices))


def cap_for(granted: int, size: Size, price: Price, own: int | None) -> int | None:
    """The ``max_tokens`` to send; None where the body may travel as it is."""
    pays = output_for(granted, size, price)
    if pays is None:
        return None
    most = size.most(own)
    if pays < most:
        return pays
    stated = size.output or own
    return None if stated else most
