"""Who can be asked: the one Protocol that every target keeps, and how an asking goes wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from evals.runs.reply import Reply
    from evals.suites.rows import Row
    from router.errors import StillhouseError


class ConfigError(ValueError):
    """The suite cannot run as it is written: what, and how to mend it (exit status 2)."""

    def __init__(self, words: str, hint: str = "") -> None:
        super().__init__(words)
        self.hint = hint


class AskError(Exception):
    """There is no answer. The words never repeat a prompt.

    Attributes:
        words: what went wrong.
        retryable: another try may succeed.
        limited: the other side asks for fewer requests (429, 503).
        retry_after: seconds it wants to be left alone, where it says so.
    """

    def __init__(
        self, words: str, *, retryable: bool = False, limited: bool = False, retry_after: float | None = None
    ) -> None:
        super().__init__(words)
        self.words = words
        self.retryable = retryable
        self.limited = limited
        self.retry_after = retry_after


class Asker(Protocol):
    """One target, ready to be asked.

    Attributes:
        name: the suite's.
        calls: whether a model is asked, so that repeats, limits and budgets mean something.
        learns: what it costs is only known from its answers.
    """

    name: str
    calls: bool
    learns: bool

    async def open(self) -> None:
        """Find out who is there, so that ``key`` can name it.

        Raises:
            ConfigError: nobody is.
        """
        ...

    def key(self, row: Row, sample: int) -> str:
        """Names the answer by everything that decides it; equal keys, equal answers."""
        ...

    def foretell(self, row: Row) -> int | None:
        """Nano-dollars that asking may cost, rather too much than too little; None where no price is known."""
        ...

    async def ask(self, row: Row, sample: int) -> Reply:
        """Ask once. Raises ``AskError``."""
        ...

    def priced(self, reply: Reply) -> Reply:
        """A kept reply at today's price."""
        ...

    async def close(self) -> None:
        """Let go of what ``open`` and ``ask`` took."""
        ...


def seconds(retry_after: str | None) -> float | None:
    """Retry-After as seconds; dates and nonsense count as not said."""
    try:
        found = float(retry_after or "")
    except ValueError:
        return None
    return found if 0 <= found < 1e6 else None


def ask_error(error: StillhouseError) -> AskError:
    """An error of ours as one of an asking."""
    retryable = bool(getattr(error, "retryable", error.status in {429, 503}))
    limited = error.status in {429, 503}
    words = f"{error.code}: {error.message}"
    return AskError(words, retryable=retryable, limited=limited, retry_after=seconds(error.retry_after))
