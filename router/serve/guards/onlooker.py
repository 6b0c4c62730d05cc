"""Who looks on while a stream passes: shadow guards, and the guards that judge what a choice amounts to.

The choices are put together as they come: their content and their tool calls, with names. Nothing here changes an
event; ``router.serve.guards.stream`` asks what must be held and what must be stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from guardrails.views import ToolCall
from router.core.wire import ChunkChoice, delta_names, delta_sites

if TYPE_CHECKING:
    from guardrails import Finding, Rails, StreamRail


class Said(NamedTuple):
    """One choice of an answer, as checks see it. ``choice`` is its index."""

    choice: int
    text: str
    calls: tuple[ToolCall, ...] = ()


def is_call(path: str) -> bool:
    """Whether a running text is the arguments of a tool call."""
    return path.startswith(("tool_calls[", "custom[", "function_call"))


class Onlooker:
    """One a streamed answer.

    Args:
        shadow: guards that change nothing; ``on_shadow`` is told what they found, and where.
        judge_calls: whether a choice must be stopped for its tool calls; None where no guard judges them.
    """

    def __init__(
        self,
        shadow: Rails | None,
        on_shadow: Callable[[Sequence[Finding], str], None],
        judge_calls: Callable[[Said], bool] | None,
    ) -> None:
        self._shadow = shadow
        self._on_shadow = on_shadow
        self._judge_calls = judge_calls
        self._rails: dict[tuple[int, str], StreamRail] = {}
        self._texts: dict[int, dict[str, list[str]]] = {}
        self._names: dict[tuple[int, str], str] = {}

    def feed(self, choice: ChunkChoice) -> None:
        """One choice of an event."""
        texts = self._texts.setdefault(choice.index, {})
        for path, name in delta_names(choice):
            self._names[choice.index, path] = self._names.get((choice.index, path), "") + name
            texts.setdefault(path, [])
        for site in delta_sites(choice):
            texts.setdefault(site.path, []).append(site.text)
            if self._shadow is not None:
                self._rail(self._shadow, choice.index, site.path).feed(site.text)

    def finish(self) -> None:
        """No event comes any more."""
        for (choice, path), rail in self._rails.items():
            rail.finish()
            if rail.findings:
                self._on_shadow(rail.findings, f"choices[{choice}].{path}")

    def holds(self, path: str) -> bool:
        """Whether a running text must wait until its choice ends."""
        return self._judge_calls is not None and is_call(path)

    def stops(self, choice: int) -> bool:
        """Whether the tool calls of a choice, complete now, must not leave."""
        said = self._of(choice)
        return self._judge_calls is not None and bool(said.calls) and self._judge_calls(said)

    def answers(self) -> list[Said]:
        """All choices."""
        return [self._of(choice) for choice in self._texts]

    def _of(self, choice: int) -> Said:
        texts = self._texts.get(choice, {})
        calls = tuple(
            ToolCall(self._names.get((choice, path), ""), "".join(parts), path)
            for path, parts in texts.items()
            if is_call(path)
        )
        return Said(choice, "".join(texts.get("content", ())), calls)

    def _rail(self, shadow: Rails, choice: int, path: str) -> StreamRail:
        rail = self._rails.get((choice, path))
        if rail is None:
            rail = self._rails[choice, path] = shadow.stream(None, "assistant")
        return rail
