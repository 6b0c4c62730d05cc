"""Keeping texts to learn from, where a policy says so: what a request and its answers said, noted on the way.

The request's path only keeps hold of bytes that it has anyway. They are read, masked and written by the captures' own
thread. Kept are requests in text alone that asked for one answer and got it, whole and unblocked.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

from guardrails import Placeholders, Rails, compile_rails
from router.core.captures import MOST, PERSONAL, Capture, Rejected, Said, Unchecked, drawn, redacted, size_of
from router.core.peek import Opening, reading_of
from router.core.wire import read_chunk
from router.ledger.captures import Captures, captures_path
from router.ledger.sealing import Seal
from router.registry.home import home
from router.registry.salt import capture_salt
from router.serve.settings import Settings, read_secret

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from policies.policy import Policy
    from router.core.plan import Try
    from router.core.wire import ChatRequest, TextSite
    from router.ledger.place import Place
    from router.serve.accept import Order
    from router.serve.cell import Cell
    from router.serve.story import Story


class Hearing:
    """What is said in one request that is to be kept. ``events`` are those that left, in order."""

    __slots__ = ("_body", "_held", "_masks", "_output", "_rejected", "_request", "events")

    def __init__(
        self, request: ChatRequest, masks: Sequence[tuple[TextSite, str]], held: Placeholders,
        output: Callable[[], Rails],
    ) -> None:  # fmt: skip
        self._request = request
        self._masks = masks
        self._held = held
        self._output = output
        self._body = b""
        self._rejected: list[tuple[Try, str, bool]] = []
        self.events: list[bytes] = []

    def whole(self, body: bytes) -> None:
        """The answer as the caller gets it."""
        self._body = body

    def turned_down(self, step: Try, text: str, *, whole: bool = True) -> None:
        """An answer that did not satisfy the checks."""
        self._rejected.append((step, text, whole))

    def told(self, story: Story, keep_days: int, personal: Rails) -> Capture:
        """The capture, masked. For the captures' thread.

        Raises:
            Unchecked: a guard did not run, or there is too much to read.
            ValueError: the answer is none.
        """
        deployment = story.deployment
        assert deployment is not None
        reading = self._reading()
        capture = Capture(
            id=story.id,
            at_ms=story.at_ms,
            until_ms=story.at_ms + int(timedelta(days=keep_days).total_seconds() * 1000),
            tenant=story.tenant,
            policy=story.policy.name if story.policy else "",
            tag=story.tag,
            messages=self._messages(),
            answer=reading[0],
            finish=reading[1],
            tier=deployment.tier,
            model=deployment.model,
            rejected=tuple(
                Rejected(
                    tier=step.tier, model=step.deployment.model, text=text, whole=whole,
                    kept=step.deployment.name == deployment.name,
                )
                for step, text, whole in self._rejected
            ),
        )  # fmt: skip
        if size_of(capture) > MOST:
            raise Unchecked
        return redacted(capture, personal, self._held, self._output)

    def _reading(self) -> tuple[str, str | None]:
        if self._body:
            reading, _ = reading_of(self._body)
        else:
            opening = Opening()
            for event in self.events:
                opening.feed(read_chunk(event))
            reading = opening.reading()
        return reading.text, reading.finish

    def _messages(self) -> tuple[Said, ...]:
        """What the model got: the caller's texts with the policy's masks in them."""
        masked = {site.path: text for site, text in self._masks}
        parts: dict[int, list[str]] = {}
        for site in self._request.sites:
            if ".content" in site.path:
                index = int(site.path[site.path.index("[") + 1 : site.path.index("]")])
                parts.setdefault(index, []).append(masked.get(site.path, site.text))
        roles = self._request.roles
        return tuple(Said(roles[index], "\n".join(texts)) for index, texts in sorted(parts.items()))


def hear(
    cell: Cell, request: ChatRequest, wish: Order, masks: Sequence[tuple[TextSite, str]], held: Placeholders,
    story: Story, output: Callable[[], Rails],
) -> None:  # fmt: skip
    """Note what is said from here on, where the policy keeps it and the lot falls on this request."""
    rule = wish.policy.body.capture
    assert rule is not None
    plain = not request.images and not request.tools and request.n == 1 and len(request.body) <= MOST
    if plain and story.tenant in rule.tenants and drawn(cell.capture_salt, story.id, rule.share):
        story.hearing = Hearing(request, masks, held, output)


def hand_over(cell: Cell, story: Story) -> None:
    """Give a request that went well to the captures. Never waits and never raises."""
    hearing, policy = story.hearing, story.policy
    rule = policy.body.capture if policy is not None else None
    if hearing is None or rule is None or story.outcome != "ok" or story.deployment is None:
        return
    cell.captures.record(lambda: hearing.told(story, rule.keep_days, _personal()))


@lru_cache(maxsize=1)
def _personal() -> Rails:
    return compile_rails(PERSONAL)


# --- opening


def open_captures(settings: Settings, place: Place) -> Captures:
    """The captures of a cell.

    Raises:
        ValueError: the key is missing or none, or cannot be used for want of a library.
    """
    if settings.capture_key is None:
        return Captures(captures_path(place))
    try:
        return Captures(captures_path(place), Seal(read_secret(settings.capture_key)))
    except ValueError as error:
        raise ValueError(f"capture_key: {error}") from None


def salt_where_captured(policies: Mapping[str, Policy]) -> bytes:
    """The kept salt where a policy captures; no file is made for those that do not.

    Raises:
        SaltError: its file cannot be used.
    """
    return capture_salt(home()) if any(policy.body.capture for policy in policies.values()) else b""
