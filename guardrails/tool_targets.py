"""The ``tool_targets`` guard: untrusted text may not say where a tool call goes.

The first line against injected instructions, and a deterministic one: whatever a web page, a mail or a tool's
result talks a model into, the address, account, path or command of a side-effecting call may not come from there.
A target that the system prompt or the user named is good; one that only untrusted text named is a finding; one
that nobody named was made by the model, and the policy says what that means. The same idea as taint tracking
(Denning 1976) and as CaMeL's capabilities (Debenedetti et al. 2025), reduced to what can be seen from outside a model.
"""

from __future__ import annotations

import json
import re
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import re2
from pydantic import Field

from guardrails.config import Strict, Words, action_of
from guardrails.normalize import normalize
from guardrails.types import Action, Finding
from guardrails.views import Origin, Passage, ToolCall, View

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

GUARD: Final = "tool_targets"
TAINTED: Final = "UNTRUSTED_TARGET"
UNSEEN: Final = "UNSEEN_TARGET"
BROKEN: Final = "UNREADABLE_ARGUMENTS"

#: Names of arguments that say where a call goes or what it does there, as whole words of the name.
_TARGET_WORDS: Final = frozenset(
    """
    to cc bcc recipient recipients receiver address addresses email emails mail url urls uri link href endpoint
    webhook host hostname domain server ip path paths file files filename folder directory dir dest destination
    target account iban payee beneficiary amount price sum quantity command commands cmd script shell code sql
    phone number channel user username member members invitee attendees participants repo repository branch package
    bucket table database wallet
    """.split()  # noqa: SIM905 -- a table
)
_WORDS: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+")
#: Inside a longer value (a command, a query): the parts that name a place.
_PLACES: Final = (
    r"([A-Za-z][A-Za-z0-9+.-]{1,20}://[^\s\"'<>|;`)\]}]+)",
    r"([A-Za-z0-9_.+-]+@[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)+)",
    r"(?:^|[^A-Za-z0-9_./~])((?:~|\.{1,2})?/[A-Za-z0-9_.@~/+-]{3,})",
    r"\b((?:[A-Za-z0-9_-]+\.)+[a-z]{2,12})\b",
)
_SPOKEN: Final = (
    (re.compile(r"\s*[(\[{<]?\s*\b(?:at|골뱅이)\b\s*[)\]}>]?\s*"), "@"),
    (re.compile(r"\s*[(\[{<]?\s*\b(?:dot|점)\b\s*[)\]}>]?\s*"), "."),
)
_NOT_WORD: Final = re.compile(r"[\W_]+")
#: A squeezed value shorter than this occurs by chance.
_TELLING: Final = 6

Pattern = Annotated[str, Field(min_length=1, max_length=200)]


class ToolTargetsConfig(Strict):
    """Which calls have side effects, and who may name their targets.

    Attributes:
        tools: names of tools that have side effects, as shell patterns; ``read_only`` ones have none.
        arguments: tool pattern -> names of the arguments that are targets, instead of the table of usual names.
        trusted: who may name a target. The origins not listed are untrusted.
        allow: targets that anybody may name, as shell patterns, e.g. ``https://docs.example.com/*``.
        unseen: about a target that stands nowhere in the conversation: the model made it.
    """

    tools: Annotated[tuple[Pattern, ...], Field(min_length=1, strict=False)] = ("*",)
    read_only: Annotated[tuple[Pattern, ...], Field(strict=False)] = ()
    arguments: dict[Pattern, Words] = Field(default_factory=dict)
    trusted: Annotated[tuple[Origin, ...], Field(strict=False)] = ("system", "user")
    allow: Annotated[tuple[Pattern, ...], Field(strict=False)] = ()
    unseen: Literal["none", "detect", "block"] = "none"
    action: Literal["detect", "block"] = "block"


class ToolTargets:
    """The compiled guard; see ``views.Check``."""

    guard: Final = GUARD
    scope: Final = "calls"

    def __init__(self, config: ToolTargetsConfig) -> None:
        self._config = config
        self._action = action_of(config.action)
        self._unseen = action_of(config.unseen)
        self._allow = tuple(_plain(pattern) for pattern in config.allow)

    @property
    def actions(self) -> frozenset[Action]:
        """What its findings may ask for."""
        return frozenset((self._action, self._unseen)) - {Action.NONE}

    def run(self, view: View) -> Generator[Any, Any, tuple[Finding, ...]]:
        """A finding for every target that untrusted text supplied. Spans are 0..0: it is about a call, not a text."""
        yield from ()  # a generator like every check, though it asks nobody
        return tuple(self._judge(view))

    def _judge(self, view: View) -> Iterator[Finding]:
        calls = [call for call in view.calls if self._has_effects(call.name)]
        if not calls:
            return
        good = _Said(p for p in view.passages if p.origin in self._config.trusted)
        # An assistant's own words may repeat either side: they neither clear nor taint.
        bad = _Said(p for p in view.passages if p.origin not in self._config.trusted and p.origin != "assistant")
        for call in calls:
            try:
                arguments = json.loads(call.arguments or "{}")
            except (ValueError, RecursionError):
                yield self._found(BROKEN, self._action)
                continue
            for value in self._targets(call, arguments):
                for place in _places(value):
                    if good.holds(place) or any(fnmatchcase(place, pattern) for pattern in self._allow):
                        continue
                    if bad.holds(place):
                        yield self._found(TAINTED, self._action)
                    elif self._unseen is not Action.NONE:
                        yield self._found(UNSEEN, self._unseen)

    def _has_effects(self, name: str) -> bool:
        matches = [any(fnmatchcase(name, p) for p in some) for some in (self._config.tools, self._config.read_only)]
        return matches[0] and not matches[1]

    def _targets(self, call: ToolCall, arguments: object) -> Iterator[str]:
        named = [names for pattern, names in self._config.arguments.items() if fnmatchcase(call.name, pattern)]
        for key, value in _leaves(arguments, ""):
            if (key in named[0]) if named else _is_target(key):
                yield _plain(value)

    @staticmethod
    def _found(category: str, action: Action) -> Finding:
        return Finding(GUARD, category, 1.0, 0, 0, action, f"{GUARD}.{category.lower()}")


def compile_tool_targets(config: ToolTargetsConfig, item: int) -> ToolTargets:  # noqa: ARG001  (as every guard)
    """The one check of this guard."""
    return ToolTargets(config)


class _Said:
    """What some passages say, in the two forms that are searched."""

    def __init__(self, passages: Iterator[Passage]) -> None:
        text = "\n".join(_plain(passage.text) for passage in passages)
        for pattern, sign in _SPOKEN:
            text = pattern.sub(sign, text)
        self._text = text
        self._squeezed = _NOT_WORD.sub("", text)

    def holds(self, place: str) -> bool:
        """Whether ``place`` stands there by itself, or spelt with gaps and marks between its letters."""
        start = self._text.find(place)
        while start >= 0:
            end = start + len(place)
            if not (_joins(self._text, start - 1, start) or _joins(self._text, end - 1, end)):
                return True
            start = self._text.find(place, start + 1)
        squeezed = _NOT_WORD.sub("", place)
        return len(squeezed) >= _TELLING and squeezed in self._squeezed


def _joins(text: str, left: int, right: int) -> bool:
    """Whether two neighbours belong to one word or number. A Korean particle after a Latin word does not."""
    if left < 0 or right >= len(text):
        return False
    a, b = text[left], text[right]
    return a.isalnum() and b.isalnum() and a.isascii() == b.isascii()


def _plain(text: str) -> str:
    return " ".join(normalize(text)[0].casefold().split())


def _places(value: str) -> Iterator[str]:
    """The value itself and, where it is longer than one word, the places named inside it."""
    if value:
        yield value
    for pattern in _place_patterns() if " " in value or ";" in value else ():
        yield from dict.fromkeys(match.group(1).rstrip(".,") for match in pattern.finditer(value))


@lru_cache(maxsize=1)
def _place_patterns() -> tuple[Any, ...]:
    """Compiled once, on first use, in linear time: values are a model's words."""
    return tuple(re2.compile(pattern) for pattern in _PLACES)


def _is_target(name: str) -> bool:
    return any(word.lower() in _TARGET_WORDS for word in _WORDS.findall(name))


def _leaves(value: object, key: str) -> Iterator[tuple[str, str]]:
    """Every text and number with the name it stands under; lists keep their name. Iterative: depth is the caller's."""
    todo: list[tuple[str, object]] = [(key, value)]
    while todo:
        name, item = todo.pop()
        if isinstance(item, dict):
            todo.extend((str(inner), each) for inner, each in item.items())
        elif isinstance(item, list):
            todo.extend((name, each) for each in item)
        elif isinstance(item, str):
            yield name, item
        elif isinstance(item, int | float) and not isinstance(item, bool):
            yield name, repr(item)
