"""The rows of each source, in an order that is the same each time. What is left out is counted by its reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Final

from evals.distill.example import Example, prompt_id
from evals.distill.gather.failures import Turned, told
from evals.distill.gather.texts import Licences, said_in
from evals.labels.texts import Captured, read_texts
from evals.migrate.calls import Call, Calls, Skip
from router.core.captures import Capture
from router.ledger.captures import read_captures
from router.ledger.feedback import feedback_of
from router.ledger.place import Place
from router.ledger.read import Reader
from router.ledger.sealing import Seal
from router.ledger.store import open_reader

_PAGE: Final = 500


class Gathering:
    """One import.

    Attributes:
        left_out: how many rows by their reason.
        failed: how many rows by how the tier failed on them.
        rows: how many came out.
    """

    def __init__(self, tier: str, licences: Licences) -> None:
        """``tier`` is the one that is to be improved."""
        self._tier = tier
        self._licences = licences
        self.left_out: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        self.rows = 0

    def captures(self, path: Path, ledger: Place | None, seal: Seal | None, now_ms: int) -> Iterator[Example]:
        """What the gateway captured, with the feedback that the ledger holds.

        Raises:
            LedgerError: one of the two cannot be used. SealError: they are encrypted with another key.
        """
        every = read_captures(path, seal, now_ms)
        while page := list(islice(every, _PAGE)):
            said = _feedback(ledger, [capture.id for capture in page])
            yield from self._made(page, partial(self._of_capture, said))

    def texts(self, paths: Sequence[Path], ledger: Place) -> Iterator[Example]:
        """Texts that were kept elsewhere, with what the ledger knows of their requests.

        Raises:
            TextsError: a file cannot be read. LedgerError: the ledger cannot be used.
        """
        found: dict[str, Captured] = {}
        for path in paths:
            found |= read_texts(path)
        with Reader(ledger) as reader:
            yield from self._made(
                (found[key] for key in sorted(found)), lambda text: self._of_text(text, reader.request(text.id))
            )

    def calls(self, calls: Calls, small: frozenset[str]) -> Iterator[Example]:
        """Calls that another gateway logged; ``small`` are the models that stand for the tier to improve."""
        self.left_out.update(calls.skipped)
        yield from self._made(calls.found, lambda call: self._of_call(call, call.model in small))

    # --- one row

    def _made(self, items: Iterable[Any], make: Callable[[Any], Example]) -> Iterator[Example]:
        for item in items:
            try:
                row = make(item)
            except Skip as reason:
                self.left_out[str(reason)] += 1
                continue
            self.rows += 1
            if row.failure is not None:
                self.failed[row.failure] += 1
            yield row

    def _of_capture(self, said_of: Mapping[object, Sequence[dict[str, object]]], capture: Capture) -> Example:
        turned = [Turned(each.tier, each.text if each.whole else None, each.kept) for each in capture.rejected]
        return self._row(
            [{"role": said.role, "content": said.text} for said in capture.messages], capture.answer, turned,
            said_of.get(capture.id, ()),
            served=capture.tier, model=capture.model, cut=capture.finish == "length",
            route=capture.tag or capture.policy, tenant=capture.tenant, at_ms=capture.at_ms, source="captures",
        )  # fmt: skip

    def _of_text(self, text: Captured, record: dict[str, Any] | None) -> Example:
        if record is None:
            raise Skip("the ledger does not know the request")
        if record["outcome"] != "ok" or record["tier_served"] is None:
            raise Skip("the request did not go well")
        tries = record["attempts"]
        better = any(each["outcome"] == "ok" and each["kind"] != "sample" for each in tries)
        turned = [Turned(each["tier"], None, not better) for each in tries if each["outcome"] == "not_good_enough"]
        return self._row(
            text.messages, text.answer, turned, record["feedback"], served=record["tier_served"],
            model=record["model"], cut=tries[-1]["finish_reason"] == "length" if tries else False,
            route=record["tag"] or record["policy"], tenant=record["tenant"], at_ms=record["at_ms"], source="ledger",
        )  # fmt: skip

    def _of_call(self, call: Call, is_small: bool) -> Example:
        if call.tools:
            raise Skip("it offers tools")
        return self._row(
            call.messages, call.answer, (), (), served=self._tier if is_small else "", model=call.model,
            cut=call.finish_reason in {"length", "max_tokens"}, route="", tenant=call.tenant, at_ms=call.at_ms,
            source=call.source,
        )  # fmt: skip

    def _row(
        self, messages: Sequence[Any], answer: str, turned: Sequence[Turned], feedback: Sequence[dict[str, object]], *,
        served: str, model: str, cut: bool, route: str, tenant: str, at_ms: int, source: str,
    ) -> Example:  # fmt: skip
        asked = said_in(messages)
        made = told(self._tier, served, answer, turned, feedback)
        # An answer that was cut off is nobody's target.
        target = None if cut else made.answer
        return Example(
            id=prompt_id(asked), messages=asked, answer=target, teacher=model if target is not None else "",
            rejected=made.rejected, failure=made.failure, tier=served, route=route, tenant=tenant, at_ms=at_ms,
            licence=self._licences.of(model) if target is not None else "unknown", source=source,
        )  # fmt: skip


def _feedback(ledger: Place | None, ids: Sequence[str]) -> dict[object, list[dict[str, object]]]:
    if ledger is None:
        return {}
    with closing(open_reader(ledger)) as db:
        return feedback_of(db, ids)
