"""Guarding a stream: events in, events out, and what may be held back is the policy's word.

``immediate``: each event leaves as it came; guards look on and can only cut off what is to come.
``guarded``:   text is held back while it could still become something forbidden, a few characters at most.
``checked``:   nothing leaves before the whole answer has been seen.

Every running text of every choice (content, refusal, reasoning, tool arguments) has a rail of its own. For protocols
that answer in blocks, each block is such a text. Where a guard judges tool calls, their arguments are held until the
choice ends, while its text goes on.
Log-probabilities name the tokens, so they are dropped from every event whose text is changed or held.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from msgspec import UNSET, Raw

from guardrails import Action, Rails
from policies.schema import StreamMode
from router.core.json_masks import JsonMasks
from router.core.tokens import estimate_tokens
from router.core.wire import (
    Chunk,
    ChunkChoice,
    Edit,
    TextSite,
    delta_names,
    delta_sites,
    finish_word,
    finished,
    given,
    read_chunk,
    read_usage,
    span,
    splice,
)
from router.errors import UpstreamInvalid
from router.serve.guards.onlooker import Onlooker, Said, is_call
from router.serve.http.respond import EventMaker
from router.types import Usage
from router.upstream.errormap import error_of_event

if TYPE_CHECKING:
    from guardrails import Finding, Placeholders, StreamRail
    from guardrails.placeholders import Restorer

NULL = b"null"
MOST_CHOICES = 128  # each has guards of its own; more are no choices of anybody's


class Piece(NamedTuple):
    """An event that does nothing but go on with one text of one choice.

    Attributes:
        key: which choice, which text.
        text: what it says.
        start, end: where that is written, with its quotes.
    """

    key: tuple[int, str]
    data: bytes
    text: str
    start: int
    end: int

    def saying(self, text: str) -> bytes:
        """The event with another text."""
        if text == self.text:
            return self.data
        return self.data[: self.start] + msgspec.json.encode(text) + self.data[self.end :]


class Form:
    """How the events of a stream are written: they differ in the text alone, so most need not be parsed.

    An event that begins and ends as one that was parsed, with nothing between but characters that stand for themselves
    in a JSON string, is that event with another text.
    """

    __slots__ = ("_after", "_before", "_key", "_least")

    def __init__(self, piece: Piece) -> None:
        self._key = piece.key
        self._before, self._after = piece.data[: piece.start + 1], piece.data[piece.end - 1 :]
        self._least = len(self._before) + len(self._after)

    def piece(self, data: bytes) -> Piece | None:
        """The event, if it is written like this and says something."""
        size, start = len(data), len(self._before)
        if size <= self._least or not data.startswith(self._before) or not data.endswith(self._after):
            return None
        end = size - len(self._after)
        said = data[start:end]
        if b'"' in said or b"\\" in said:
            return None
        try:
            text = said.decode()
        except UnicodeDecodeError:
            return None
        return Piece(self._key, data, text, start - 1, end + 1) if text.isprintable() else None


class EventGuard:
    """One a streamed answer. ``feed`` each event, then ``finish``; send what they give back.

    Attributes:
        over: every choice has been blocked; nothing more of the upstream is of use.
        blocked: choices that were stopped.
        finish_reason: the upstream's last word.
    """

    def __init__(
        self,
        rails: Rails,
        mode: StreamMode,
        placeholders: Placeholders,
        refusal: str,
        maker: EventMaker,
        *,
        choices: int,
        include_usage: bool,
        on_findings: Callable[[list[Finding], str], None],
        onlooker: Onlooker | None = None,
        back: Placeholders | None = None,
        blocks: bool = False,
    ) -> None:
        self._blocks = blocks and mode != "immediate" and (not rails.empty or back is not None)
        self._rails = rails
        self._mode = mode
        self._placeholders = placeholders
        self._refusal = refusal
        self._maker = maker
        self._choices = choices
        self._include_usage = include_usage
        self._on_findings = on_findings
        self._open: dict[tuple[int, str], StreamRail] = {}
        self._onlooker = onlooker
        self._back = back
        self._json: dict[tuple[int, str], JsonMasks] = {}
        self._restorers: dict[tuple[int, str], Restorer] = {}
        self._rewritten: dict[int, str] = {}
        self._held: dict[tuple[int, str], str] = {}
        self._usage: Usage | None = None
        self._usage_event: bytes | None = None
        self._kept: list[bytes] = []
        self._text_tokens = 0
        self._begun = False
        self._form: Form | None = None
        self.blocked: set[int] = set()
        self.finish_reason: str | None = None

    @property
    def over(self) -> bool:
        """Every choice has been blocked."""
        return len(self.blocked) >= self._choices

    def answers(self) -> list[Said]:
        """What every choice said that no guard stopped, as it came; for the checks of whole answers."""
        said = self._onlooker.answers() if self._onlooker else []
        return [each for each in said if each.choice not in self.blocked]

    def stop(self, index: int) -> None:
        """A check of the whole answer stopped a choice. Only ``checked`` still holds it."""
        self._stop(index)

    def rewrite(self, index: int, text: str) -> None:
        """A check had the answer of a choice written again. Only ``checked`` can still put it in its place."""
        if self._mode != "checked":
            return
        verdict = self._rails.check(text, self._placeholders, role="assistant")
        if verdict.findings:
            self._on_findings(list(verdict.findings), f"choices[{index}].content")
        if verdict.action is Action.BLOCK:
            self._stop(index)
        else:
            self._rewritten[index] = self._back.restore(verdict.text) if self._back else verdict.text

    def usage(self, input_tokens: int) -> Usage:
        """The upstream's usage, else an estimate that says so."""
        if self._usage is not None:
            return self._usage
        return Usage(input_tokens=input_tokens, output_tokens=self._text_tokens, source="estimated")

    def feed(self, data: bytes) -> list[bytes]:
        """Events to send now.

        Raises:
            UpstreamError: the event is an error, or not a chat completion chunk.
        """
        events = self._feed(data)
        if self._mode != "checked":
            return events
        self._kept += events
        return []

    def feed_all(self, bunch: list[bytes], ready: list[bytes]) -> None:
        """Feed events that arrived together; what may be sent is added to ``ready``, also where one of them fails.

        Those that go on with one text, and do nothing else, are read by its guards at once: under load many arrive
        together, and a look costs nearly the same for one as for ten.

        Raises:
            UpstreamError: as ``feed``.
        """
        # Where blocks follow one another, the first event of one ends the one before.
        plain = self._onlooker is None and self._back is None and not self._blocks
        together = len(bunch) > 1 and self._mode == "guarded"
        run: list[Piece] = []
        for data in bunch:
            piece = self._piece(data) if plain else None
            if run and (piece is None or not together or piece.key != run[0].key):
                ready += self._feed_run(run)
                run = []
            if self.over:
                return
            if piece is None or piece.key[0] in self.blocked:
                ready += self.feed(data)
            else:
                run.append(piece)
        if run:
            ready += self._feed_run(run)

    def _piece(self, data: bytes) -> Piece | None:
        """The event, if all it does is to go on with one text that a guard reads."""
        form = self._form
        if form is not None and (known := form.piece(data)) is not None:
            return known
        if not self._begun or self._rails.empty:
            return None
        try:
            chunk = read_chunk(data)
        except ValueError:
            return None  # ``feed`` says what is wrong
        choices = chunk.choices
        if choices is UNSET or len(choices) != 1 or given(chunk.usage) or given(chunk.error):
            return None
        choice = choices[0]
        if finished(choice) or given(choice.logprobs) or not self._asked_for(choice.index):
            return None
        sites = delta_sites(choice)
        if len(sites) != 1 or not sites[0].text or is_call(sites[0].path):
            return None
        piece = Piece((choice.index, sites[0].path), data, sites[0].text, *span(data, sites[0].raw))
        self._form = Form(piece)
        return piece

    def _feed_run(self, run: list[Piece]) -> list[bytes]:
        """Events that go on with one text. How the text is parted among them may change, the text does not."""
        index, path = run[0].key
        rail = self._rail(index, path)
        if len(run) == 1:
            return self._feed_one(run[0], rail)
        came = rail.waiting + "".join([piece.text for piece in run])
        self._text_tokens += sum([estimate_tokens(piece.text) for piece in run])
        released = rail.feed(came[rail.held :])
        if rail.blocked:
            self._stop(index)
            last = [self._maker.text(index, path, released)] if released else []
            return [*last, *self._refuse(index)]
        if not came.startswith(released):  # something was masked: its neighbours cannot be told apart any more
            return [piece.saying(released if piece is run[0] else "") for piece in run]
        shares: list[bytes] = []
        begin, end = 0, len(came) - sum([len(piece.text) for piece in run])
        for piece in run:
            end += len(piece.text)
            shares.append(piece.saying(released[begin:end]))
            begin = end
        return shares

    def _feed_one(self, piece: Piece, rail: StreamRail) -> list[bytes]:
        """What ``feed`` makes of such an event."""
        self._text_tokens += estimate_tokens(piece.text)
        released = rail.feed(piece.text)
        if rail.blocked:
            self._stop(piece.key[0])
            events = self._refuse(piece.key[0])
        else:
            events = [piece.data if self._mode == "immediate" else piece.saying(released)]
        if self._mode == "checked":
            self._kept += events
            return []
        return events

    def finish(self, input_tokens: int) -> list[bytes]:
        """The upstream has ended well: what was held, and the usage event if the caller wants it."""
        events = self._kept
        for index in {index for index, _ in self._held}:
            if self._stops_calls(index):
                events += self._refuse(index)
        for index, path in list(self._open):
            if (index, path) in self._open:
                events += self._close(index, path)
        if self._onlooker is not None:
            self._onlooker.finish()
        if self._mode == "checked" and (self.blocked or self._rewritten):
            events = [
                *self._of_others(events),
                *(e for index in sorted(self.blocked) for e in self._refuse(index)),
                *(e for index in sorted(self._rewritten) for e in self._written_again(index)),
            ]
        if self._include_usage:
            events.append(self._usage_event or self._maker.usage(self.usage(input_tokens)))
        return events

    def _of_others(self, events: list[bytes]) -> list[bytes]:
        """What was kept of the choices that no guard stopped and no check had written again."""
        kept: list[bytes] = []
        for data in events:
            found = read_chunk(data).choices
            choices: list[ChunkChoice] = [] if found is UNSET else found
            gone = {*self.blocked, *self._rewritten}
            stopped = [choice for choice in choices if choice.index in gone]
            if stopped and len(stopped) == len(choices):
                continue
            edits: list[Edit] = []
            for choice in stopped:
                self._silence(data, choice, edits)
            kept.append(splice(data, edits))
        return kept

    # --- one event

    def _feed(self, data: bytes) -> list[bytes]:
        try:
            chunk = read_chunk(data)
        except ValueError:
            raise UpstreamInvalid("The model's server sent an event that is not a chat completion chunk.") from None
        if given(chunk.error):
            raise error_of_event(data)
        if not self._begun:
            self._begin(chunk)
        choices: list[ChunkChoice] = [] if chunk.choices is UNSET else chunk.choices
        usage = read_usage(chunk.usage)
        if usage is not None:
            self._usage = Usage(
                input_tokens=usage.prompt_tokens, output_tokens=usage.completion_tokens, cached_tokens=usage.cached
            )
            if not choices:
                self._usage_event = data  # sent last, and only if it was asked for
                return []
        edits: list[Edit] = []
        if given(chunk.usage):
            edits.append(_null(data, chunk.usage))  # some servers put it beside the last text
        before: list[bytes] = []
        after: list[bytes] = []
        silent = bool(choices)
        for choice in choices:
            if not self._asked_for(choice.index):
                raise UpstreamInvalid("The model's server sent a choice that nobody asked for.")
            silent &= self._choice(data, choice, edits, before, after)
        if silent:
            return [*before, *after]
        return [*before, splice(data, edits) if edits else data, *after]

    def _asked_for(self, index: int) -> bool:
        return 0 <= index < max(self._choices, MOST_CHOICES)

    def _begin(self, chunk: Chunk) -> None:
        self._begun = True
        maker = self._maker
        for name, raw in (("id", chunk.id), ("model", chunk.model), ("created", chunk.created)):
            if given(raw):
                setattr(maker, name, msgspec.json.decode(raw))

    def _choice(
        self, data: bytes, choice: ChunkChoice, edits: list[Edit], before: list[bytes], after: list[bytes]
    ) -> bool:
        """Guard one choice of an event. True when nothing of it may leave."""
        if choice.index in self.blocked or (self._blocks and self._ends_others(choice, before)):
            self._silence(data, choice, edits)
            return True
        ends = finished(choice)
        if ends:
            self.finish_reason = finish_word(choice)
        if self._onlooker is not None:
            self._onlooker.feed(choice)
        changed, spoke = False, False
        for site in delta_sites(choice):
            spoke |= bool(site.text)
            self._text_tokens += estimate_tokens(site.text)
            released = self._released(choice.index, site, ends=ends)
            if released is None:
                return self._block(data, choice, edits, after)
            if released != site.text and self._mode != "immediate":
                edits.append(Edit(*span(data, site.raw), msgspec.json.encode(released)))
                changed = True
        # Tokens without text are of a text that the upstream itself still holds: nobody has looked at it yet.
        guarded = not self._rails.empty or self._back is not None
        untold = not spoke and guarded and self._mode != "immediate"
        if (changed or untold) and given(choice.logprobs):
            edits.append(_null(data, choice.logprobs))
        if ends:
            if self._stops_calls(choice.index):
                return self._block(data, choice, edits, after)
            before += self._close_all(choice.index)
            if choice.index in self.blocked:
                self._silence(data, choice, edits)
                return True
        return False

    def _ends_others(self, choice: ChunkChoice, before: list[bytes]) -> bool:
        """Where texts come in blocks, one ends when the next begins; True where its end was the end of the choice.

        What a block still holds must leave with it: its caller has closed it by the time the rest would come.
        """
        speaking = {site.path for site in delta_sites(choice) if site.text} | {path for path, _ in delta_names(choice)}
        if not speaking and not (choice.delta and given(choice.delta.thinking_blocks)):
            return False
        for index, path in [key for key in self._open if key[0] == choice.index and key[1] not in speaking]:
            if self._onlooker is None or not self._onlooker.holds(path):
                before += self._close(index, path)
            if index in self.blocked:
                return True
        return False

    # --- rails

    def _rail(self, index: int, path: str) -> StreamRail:
        rail = self._open.get((index, path))
        if rail is None:
            rail = self._open[index, path] = self._rails.stream(self._placeholders, "assistant")
        return rail

    def _released(self, index: int, site: TextSite, *, ends: bool) -> str | None:
        """What may leave now of one text of an event; None where a guard blocks the choice."""
        holds = self._onlooker is not None and self._onlooker.holds(site.path)
        if self._rails.empty and not holds and self._back is None:
            return site.text
        rail = self._rail(index, site.path)
        released = rail.feed(site.text)
        last = ends and not rail.blocked and not holds
        if last:
            released += self._end_rail(index, site.path)
        if rail.blocked:
            return None
        released = self._valid(index, site.path, released)
        if not holds:
            return self._put_back(index, site.path, released, last=last)
        self._held[index, site.path] = self._held.get((index, site.path), "") + released
        return ""

    def _valid(self, index: int, path: str, text: str) -> str:
        """The arguments of a tool call stay JSON where a mask fell on a bare number."""
        if not self._rails.masks or not is_call(path):
            return text
        masks = self._json.get((index, path))
        if masks is None:
            masks = self._json[index, path] = JsonMasks()
        return masks.feed(text)

    def _put_back(self, index: int, path: str, text: str, *, last: bool) -> str:
        """The text with the caller's own values in it again; the beginning of a placeholder is held."""
        if self._back is None:
            return text
        restorer = self._restorers.get((index, path))
        if restorer is None:
            restorer = self._restorers[index, path] = self._back.restorer(in_json=is_call(path))
        return restorer.feed(text) + (restorer.finish() if last else "")

    def _stops_calls(self, index: int) -> bool:
        """Whether the tool calls of a choice that ends, held so far, must not leave."""
        if self._onlooker is None or index in self.blocked or not self._onlooker.stops(index):
            return False
        self._stop(index)
        return True

    def _end_rail(self, index: int, path: str) -> str:
        rail = self._open[index, path]
        rest = rail.finish()
        if not rail.blocked:
            self._note(index, path)
        return rest

    def _note(self, index: int, path: str) -> None:
        rail = self._open.pop((index, path))
        if rail.findings:
            self._on_findings(list(rail.findings), f"choices[{index}].{path}")

    def _close_all(self, index: int) -> list[bytes]:
        """The same for every text of a choice; the end of one may stop it, and the others with it."""
        events: list[bytes] = []
        for key in [key for key in self._open if key[0] == index]:
            if key in self._open:
                events += self._close(*key)
        return events

    def _close(self, index: int, path: str) -> list[bytes]:
        """Release what a running text still holds, as an event of its own."""
        rail = self._open[index, path]
        rest = self._held.pop((index, path), "") + self._valid(index, path, rail.finish())
        if rail.blocked:
            self._stop(index)
            return self._refuse(index)
        rest = self._put_back(index, path, rest, last=True)
        self._note(index, path)
        return [self._maker.text(index, path, rest)] if rest and self._mode != "immediate" else []

    def _block(self, data: bytes, choice: ChunkChoice, edits: list[Edit], after: list[bytes]) -> bool:
        index = choice.index
        self._stop(index)
        self._silence(data, choice, edits)
        after += self._refuse(index)
        return True

    def _stop(self, index: int) -> None:
        self.blocked.add(index)
        self.finish_reason = "content_filter"
        for key in [key for key in self._open if key[0] == index]:
            self._note(*key)
            self._held.pop(key, None)

    def _written_again(self, index: int) -> list[bytes]:
        maker = self._maker
        return [maker.text(index, "content", self._rewritten[index], role=True), maker.end(index, "stop")]

    def _refuse(self, index: int) -> list[bytes]:
        return [self._maker.text(index, "content", self._refusal, role=True), self._maker.end(index, "content_filter")]

    @staticmethod
    def _silence(data: bytes, choice: ChunkChoice, edits: list[Edit]) -> None:
        """Empty one choice's texts where it shares an event with others."""
        whole = {(e.start, e.end) for e in edits}
        for site in delta_sites(choice):
            where = span(data, site.raw)
            if where in whole:
                edits[:] = [e for e in edits if (e.start, e.end) != where]
            edits.append(Edit(*where, b'""'))
        edits += [_null(data, raw) for raw in (choice.logprobs, choice.finish_reason) if given(raw)]


def _null(data: bytes, raw: Raw) -> Edit:
    return Edit(*span(data, raw), NULL)
