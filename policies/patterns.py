"""Patterns in linear time: google-re2, so that no text can make a pattern run away."""

from __future__ import annotations

from typing import Protocol

import re2

MAX_LENGTH = 2_000
_MEMORY = 8 * 1024 * 1024


class Pattern(Protocol):
    """A compiled pattern, as far as it is used here."""

    def search(self, text: str, /) -> object | None:
        """The first match anywhere in ``text``, or ``None``."""


class PatternError(ValueError):
    """The pattern cannot be compiled.

    Attributes:
        hint: how to mend it; may be empty.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


def compile_pattern(text: str) -> Pattern:
    """Compile a pattern in re2's syntax.

    Raises:
        PatternError: it is too long, not valid, not possible in linear time, or too big compiled.
    """
    if len(text) > MAX_LENGTH:
        raise PatternError(f"the pattern has {len(text):,} characters; at most {MAX_LENGTH:,} are allowed")
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MEMORY
    try:
        compiled: Pattern = re2.compile(text, options)
    except re2.error as error:
        raise PatternError(f"the pattern does not compile: {_words(error)}", _hint(text)) from None
    return compiled


def _words(error: Exception) -> str:
    reason = error.args[0] if error.args else error
    return reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)


def _hint(text: str) -> str:
    if any(look in text for look in ("(?=", "(?!", "(?<=", "(?<!")):
        return "look-around does not run in linear time; write two rules instead"
    if any(f"\\{digit}" in text for digit in range(1, 10)):
        return "back-references do not run in linear time"
    if text.startswith("*"):
        return "write .* for 'anything'"
    return ""
