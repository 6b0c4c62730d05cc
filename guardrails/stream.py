"""The rails over a text that arrives in pieces. Same verdict, same text as over the whole.

Only what could still become part of a match is held back. How that is known: see ``matching``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guardrails.findings import Sieve, located, order
from guardrails.matching import Family, Hit
from guardrails.normalize import normalize
from guardrails.types import Action, Finding

if TYPE_CHECKING:
    from collections.abc import Sequence

    from guardrails.placeholders import Placeholders

# Released text is dropped from the window in steps, not at every piece.
_TRIM = 512
# A longer tail than this is looked at again only after it has grown by an eighth, so the work stays linear.
_LONG = 512


class StreamRail:
    """One text in the making. ``Rails.stream`` makes one; it serves one text and is not shared."""

    __slots__ = (
        "_base",
        "_blocked",
        "_done",
        "_ended",
        "_enforcing",
        "_findings",
        "_left",
        "_names",
        "_origins",
        "_pending",
        "_positions",
        "_raw",
        "_raw_base",
        "_sieve",
        "_text",
        "_wake",
        "_watching",
    )

    def __init__(self, enforcing: Sequence[Family], watching: Sequence[Family], names: Placeholders) -> None:
        self._enforcing = enforcing
        self._watching = watching
        self._names = names
        self._positions = [[0] * family.width for family in (*enforcing, *watching)]
        self._left = max((family.left for family in (*enforcing, *watching)), default=0)
        self._sieve = Sieve()
        self._text = ""  # the window, folded
        self._raw = ""  # the window, as it came
        self._origins: list[int] | None = None  # folded -> raw, inside the window
        self._base = 0  # where the window begins in the folded text
        self._raw_base = 0  # where the window begins in the text
        self._done = 0  # raw characters of the window that have left, or never will
        self._wake = 0  # window length below which a long tail is not looked at
        self._pending: list[Hit] = []  # hits right of what is settled; offsets in the window
        self._findings: list[tuple[tuple[int, float, int, int, str], Finding]] = []
        self._blocked = False
        self._ended = False

    @property
    def action(self) -> Action:
        """The strictest action so far."""
        return max((finding.action for _, finding in self._findings), default=Action.NONE)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All so far, in order of their start."""
        return tuple(finding for _, finding in sorted(self._findings, key=lambda pair: pair[0]))

    @property
    def blocked(self) -> bool:
        """Whether a guard stopped the text: nothing leaves any more."""
        return self._blocked

    @property
    def held(self) -> int:
        """Code points that came in and neither left nor were masked."""
        return len(self._raw) - self._done

    def feed(self, delta: str) -> str:
        """Take the next piece; return what is safe to send now (often without the last word)."""
        if self._blocked or self._ended or not delta:
            return ""
        self._append(delta)
        if len(self._text) < self._wake:
            return ""
        return self._advance(last=False)

    def finish(self) -> str:
        """No more text comes: judge what is left and return what may be sent of it."""
        if self._blocked or self._ended:
            return ""
        self._ended = True
        return self._advance(last=True)

    def _append(self, delta: str) -> None:
        folded, origins = normalize(delta)
        if origins is not None or self._origins is not None:
            shift = len(self._raw)
            if self._origins is None:
                self._origins = list(range(len(self._text)))
            came = range(len(folded)) if origins is None else origins
            self._origins.extend(shift + origin for origin in came)
        self._text += folded
        self._raw += delta

    def _advance(self, *, last: bool) -> str:
        text = self._text
        settled = len(text)
        for family, positions in zip(self._enforcing, self._positions, strict=False):
            hits, live = family.scan(text, positions, last)
            self._pending += hits
            settled = min(settled, live)
        watched = len(text)
        for family, positions in zip(self._watching, self._positions[len(self._enforcing) :], strict=True):
            hits, live = family.scan(text, positions, last)
            self._pending += hits
            watched = min(watched, live)
        sent = self._settle(settled, watched)
        if self._blocked:
            return sent
        sent += self._release(settled)
        self._trim(min(settled, watched))
        held = len(self._raw) - self._done
        self._wake = len(self._text) + held // 8 if held > _LONG else 0
        return sent

    def _settle(self, settled: int, watched: int) -> str:
        """Decide the hits that begin before what is still open; return the text up to the last of them."""
        if not self._pending:
            return ""
        sent: list[str] = []
        waiting: list[Hit] = []
        for hit in sorted(self._pending, key=order):
            if hit.start >= (settled if hit.action >= Action.MASK else watched):
                waiting.append(hit)
            elif self._sieve_keeps(hit):
                finding = located(hit, self._origins, self._raw_base)
                self._findings.append((self._order(hit), finding))
                if hit.action >= Action.MASK:
                    sent.append(self._cut(hit, finding))
                    if self._blocked:
                        break
        self._pending = waiting
        return "".join(sent)

    def _cut(self, hit: Hit, finding: Finding) -> str:
        """The text before an enforced finding and its placeholder; nothing after a block."""
        start, end = finding.start - self._raw_base, finding.end - self._raw_base
        before = self._raw[self._done : start]
        if hit.action is Action.BLOCK:
            self._blocked = True
            self._text = self._raw = ""
            self._done = 0
            return before
        if end <= self._done:
            return ""
        self._done = end
        return before + self._names.name(hit.category, self._text[hit.start : hit.end], self._raw[start:end])

    def _release(self, settled: int) -> str:
        if settled == len(self._text):
            until = len(self._raw)
        elif self._origins is None:
            until = settled
        else:
            until = self._origins[settled]
        if until <= self._done:
            return ""
        sent = self._raw[self._done : until]
        self._done = until
        return sent

    def _trim(self, open_from: int) -> None:
        """Drop what no opinion can depend on any more."""
        first = min((hit.start for hit in self._pending), default=open_from)
        cut = min(first, open_from) - self._left
        raw_cut = cut if self._origins is None or cut <= 0 else self._origins[cut]
        if cut < _TRIM or raw_cut > self._done:
            return
        self._text = self._text[cut:]
        self._raw = self._raw[raw_cut:]
        self._base += cut
        self._raw_base += raw_cut
        self._done -= raw_cut
        for positions in self._positions:
            positions[:] = [position - cut for position in positions]
        self._pending = [_moved(hit, -cut) for hit in self._pending]
        if self._origins is not None:
            origins = [origin - raw_cut for origin in self._origins[cut:]]
            in_place = len(origins) == len(self._raw) and origins == list(range(len(origins)))
            self._origins = None if in_place else origins

    def _sieve_keeps(self, hit: Hit) -> bool:
        return self._sieve.keeps(_moved(hit, self._base))

    def _order(self, hit: Hit) -> tuple[int, float, int, int, str]:
        return order(_moved(hit, self._base))


def _moved(hit: Hit, by: int) -> Hit:
    return Hit(hit.start + by, hit.end + by, hit.score, hit.category, hit.action, hit.reason, hit.guard, hit.item)
