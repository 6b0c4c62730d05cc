"""The rails over a text that arrives in pieces. Same verdict, same text as over the whole.

Only what could still become part of a match is held back. How that is known: see ``matching``.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import replace
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

from guardrails.findings import Placed, Sieve, finding_of, placed, reads_raw, told_once
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
# What only reports reads on after this many code points.
_STEP = 64


# Errors compete with no guard's findings.
_ITEM_OF_ERRORS = -1


class Guarding(NamedTuple):
    """One family of a guard, and what it means that it broke."""

    family: Family
    guard: str
    lost: Action


class StreamRail:
    """One text in the making. ``Rails.stream`` makes one; it serves one text and is not shared."""

    __slots__ = (
        "_blocked",
        "_done",
        "_ended",
        "_findings",
        "_left",
        "_names",
        "_open_from",
        "_origins",
        "_pending",
        "_raw",
        "_raw_base",
        "_readers",
        "_seen",
        "_sieve",
        "_steppers",
        "_stoppers",
        "_text",
        "_wake",
    )

    def __init__(self, watching: Sequence[Watching], left: int, names: Placeholders) -> None:
        """``left`` is how far to the left of a position any of the families looks."""
        self._names = names
        readers = [_Reader(each) for each in watching]
        self._readers = [each for each in readers if not each.late]
        self._stoppers = [each for each in readers if each.late and each.stops]
        self._steppers = [each for each in readers if each.late and not each.stops]
        self._seen = 0  # length of the raw window when the steppers last looked
        self._open_from = 0  # where the first open candidate of a stepper began then, in the raw window
        self._left = left
        self._sieve = Sieve()
        self._text = ""  # the window, folded
        self._raw = ""  # the window, as it came
        self._origins: list[int] | None = None  # folded -> raw, inside the window
        self._raw_base = 0  # where the window begins in the text
        self._done = 0  # raw characters of the window that have left, or never will
        self._wake = 0  # window length below which a long tail is not looked at
        self._pending: list[Placed] = []  # hits right of what is settled; offsets in the raw window
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
        return told_once(finding for _, finding in sorted(self._findings, key=lambda pair: pair[0]))

    @property
    def blocked(self) -> bool:
        """Whether a guard stopped the text: nothing leaves any more."""
        return self._blocked

    @property
    def held(self) -> int:
        """Code points that came in and neither left nor were masked."""
        return len(self._raw) - self._done

    @property
    def waiting(self) -> str:
        """The text of ``held``."""
        return self._raw[self._done :]

    def feed(self, delta: str) -> str:
        """Take the next piece; return what is safe to send now (often without the last word)."""
        if self._blocked or self._ended or not delta:
            return ""
        if self._origins is None and delta.isascii():
            self._text += delta
            self._raw += delta
        else:
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
        size = len(self._raw)
        settled = self._read_on(self._readers, size, last=last)
        watched = self._read_on(self._stoppers, size, last=last) if self._stoppers else size
        if self._steppers:
            # Nothing waits for a family that only reports: it reads on in steps.
            if last or size - self._seen >= _STEP:
                self._seen = size
                self._open_from = self._read_on(self._steppers, size, last=last)
            watched = min(watched, self._open_from)
        sent = ""
        if self._pending:
            sent = self._settle(settled, watched)
            if self._blocked:
                return sent
        if settled > self._done:
            sent += self._raw[self._done : settled]
            self._done = settled
        if len(self._text) >= _TRIM:
            self._trim(min(settled, watched))
        held = len(self._raw) - self._done
        self._wake = len(self._text) + held // 8 if held > _LONG else 0
        return sent

    def _read_on(self, readers: list[_Reader], size: int, *, last: bool) -> int:
        """Let families read on; where their first open candidate begins in the raw window, which is ``size`` long."""
        text, plain = self._text, self._origins is None
        first = size
        for reader in readers:
            if plain and not reader.raw:  # both windows are one: written out, for it runs many times for every piece
                try:
                    hits, live = reader.scan(text, reader.positions, last)
                except Exception:  # noqa: BLE001  (whatever it is, it must not read as "nothing found")
                    live = self._lose(reader)
                else:
                    if hits:
                        self._take(reader, hits, text, None)
            else:
                live = self._read(reader, last=last)
            first = min(first, live)
        return first

    def _read(self, reader: _Reader, *, last: bool) -> int:
        """Let one family read on; where its first open candidate begins in the raw window."""
        text, origins = (self._raw, None) if reader.raw else (self._text, self._origins)
        try:
            hits, live = reader.scan(text, reader.positions, last)
        except Exception:  # noqa: BLE001  (whatever it is, it must not read as "nothing found")
            return self._lose(reader)
        if hits:
            self._take(reader, hits, text, origins)
        if live >= len(text):
            return len(self._raw)
        return live if origins is None else origins[live]

    def _take(self, reader: _Reader, hits: list[Hit], text: str, origins: list[int] | None) -> None:
        if reader.stops:
            hits = [replace(hit, late=True) for hit in hits]
        self._pending += [placed(hit, text, origins, raw=reader.raw) for hit in hits]

    def _lose(self, reader: _Reader) -> int:
        """A guard broke: say so once, for all that is still undecided, and do without it from here on."""
        self._readers = [each for each in self._readers if each is not reader]
        self._stoppers = [each for each in self._stoppers if each is not reader]
        self._steppers = [each for each in self._steppers if each is not reader]
        guard, lost = reader.of.guard, reader.of.lost
        hit = Hit(0, max(1, len(self._raw)), 1.0, "ERROR", lost, f"{guard}.error", guard, _ITEM_OF_ERRORS)
        self._pending.append(Placed(hit, ""))
        return len(self._raw)

    def _settle(self, settled: int, watched: int) -> str:
        """Decide the hits that begin before what is still open; return the text up to the last of them."""
        sent: list[str] = []
        waiting: list[Placed] = []
        for one in sorted(self._pending, key=attrgetter("key")):
            hit = one.hit
            if hit.start >= (settled if hit.action >= Action.MASK and not hit.late else watched):
                waiting.append(one)
                continue
            told = one.moved(self._raw_base)
            if not self._sieve.keeps(told.hit):
                continue
            self._findings.append((told.key, finding_of(told.hit)))
            if hit.action >= Action.MASK:
                sent.append(self._cut(one))
                if self._blocked:
                    break
        self._pending = waiting
        return "".join(sent)

    def _cut(self, one: Placed) -> str:
        """The text before an enforced finding and its placeholder; nothing after a block."""
        hit = one.hit
        before = self._raw[self._done : hit.start]
        if hit.action is Action.BLOCK:
            self._blocked = True
            self._text = self._raw = ""
            self._done = 0
            return "" if hit.late else before
        if hit.end <= self._done:
            return ""
        self._done = hit.end
        return before + self._names.name(hit.category, one.value, self._raw[hit.start : hit.end])

    def _trim(self, open_from: int) -> None:
        """Drop what no opinion can depend on any more."""
        first = min((one.hit.start for one in self._pending), default=open_from)
        keep_from = min(first, open_from, self._done)
        origins = self._origins
        cut = (keep_from if origins is None else bisect_left(origins, keep_from)) - self._left
        if cut < _TRIM:
            return
        # A family that reads the raw text looks as far to the left there.
        raw_cut = cut if origins is None else min([*origins[cut : cut + 1], keep_from - self._left])
        cut = raw_cut if origins is None else bisect_left(origins, raw_cut)
        if raw_cut <= 0:
            return
        self._text = self._text[cut:]
        self._raw = self._raw[raw_cut:]
        self._raw_base += raw_cut
        self._done -= raw_cut
        for reader in (*self._readers, *self._stoppers, *self._steppers):
            by = raw_cut if reader.raw else cut
            reader.positions = [position - by for position in reader.positions]
        self._open_from -= raw_cut
        self._seen -= raw_cut
        self._pending = [one.moved(-raw_cut) for one in self._pending]
        if origins is not None:
            left = [origin - raw_cut for origin in origins[cut:]]
            in_place = len(left) == len(self._raw) and left == list(range(len(left)))
            self._origins = None if in_place else left


class Watching(NamedTuple):
    """A family as streams read it: what is the same for every text, found once.

    Attributes:
        late: it looks on, and can only stop what is still to come; ``stops`` says that it may.
    """

    of: Guarding
    raw: bool
    late: bool
    stops: bool
    width: int

    @classmethod
    def made(cls, of: Guarding, *, late: bool) -> Watching:
        """Ask the family."""
        family = of.family
        return cls(of, reads_raw(family), late, late and max(family.actions) >= Action.MASK, family.width)


class _Reader:
    """A family at work on one text: where it stands, and which text it reads."""

    __slots__ = ("late", "of", "positions", "raw", "scan", "stops")

    def __init__(self, watching: Watching) -> None:
        self.of, self.raw, self.late, self.stops, width = watching
        self.scan = self.of.family.scan
        self.positions = [0] * width
