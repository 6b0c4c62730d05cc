"""Texts that are kept to learn from: which requests are drawn, what a capture holds, and what is masked in it first.

A capture never holds what the guards ``pii`` and ``secrets`` find, whatever a policy's own guards do, and nothing that
the policy itself hid: it is masked before anything is written. What cannot be checked is not kept.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import msgspec

from guardrails import Action, Placeholders, Rails
from router.types import Frozen, TierName

#: Masked in every text that is kept.
PERSONAL: Final[tuple[Mapping[str, Any], ...]] = ({"pii": {"action": "mask"}}, {"secrets": {"action": "mask"}})
MOST: Final = 256 * 1024  # bytes of a body, and code points of all texts together; more is not kept
KEY_BYTES: Final = 32


class Said(Frozen, frozen=True):
    """One turn of a conversation, its text only."""

    role: str
    text: str


class Rejected(Frozen, frozen=True, kw_only=True):
    """An answer that a cascade's checks turned down.

    Attributes:
        kept: nothing better came, so the caller got it all the same.
        whole: it was seen to its end; of a stream only the beginning may have been held.
    """

    tier: TierName
    model: str
    text: str
    kept: bool = False
    whole: bool = True


class Capture(Frozen, frozen=True, kw_only=True):
    """A request and its answers, masked.

    Attributes:
        id: the request's, by which the ledger's record and feedback are found.
        until_ms: when it is to be removed.
        policy, tag: what it came under.
        tier, model: who gave ``answer``; ``finish`` is why it ended.
        rejected: what was turned down before, cheapest first.
        masked: values that were replaced by placeholders.
    """

    id: str
    at_ms: int
    until_ms: int
    tenant: str
    policy: str
    messages: tuple[Said, ...]
    answer: str
    tier: TierName
    model: str
    tag: str | None = None
    finish: str | None = None
    rejected: tuple[Rejected, ...] = ()
    masked: int = 0


class Unchecked(Exception):
    """A guard did not run on a text, so the text must not be kept."""


def drawn(salt: bytes, request_id: str, share: float) -> bool:
    """Whether a request is among the ``share`` that is kept: equal salt and id, equal word."""
    name = request_id.encode("utf-8", "surrogatepass")
    digest = hashlib.blake2b(name, key=salt[:KEY_BYTES], digest_size=8, person=b"capture").digest()
    return (int.from_bytes(digest, "big") >> 11) / 2**53 < share


def redacted(capture: Capture, personal: Rails, hidden: Placeholders, output: Callable[[], Rails]) -> Capture:
    """The capture as it may be written.

    Args:
        capture: its messages as the model got them, its answer as the caller got it.
        personal: the guards ``PERSONAL``, compiled.
        hidden: what the policy's guards masked in the request. The caller may have it back; a file may not.
        output: the policy's guards of answers: a rejected answer has not passed them, and is left out if they block it.

    Raises:
        Unchecked: a guard did not run.
    """
    names = Placeholders()
    for text in _texts(capture):
        names.reserve(text)

    def mask(text: str) -> str:
        verdict = personal.check(hidden.hide(text), names)
        if any(finding.category == "ERROR" for finding in verdict.findings):
            raise Unchecked
        return verdict.text

    rejected = []
    for each in capture.rejected:
        verdict = output().check(each.text, names, role="assistant")
        if verdict.action is not Action.BLOCK:
            rejected.append(msgspec.structs.replace(each, text=mask(verdict.text)))
    return msgspec.structs.replace(
        capture,
        messages=tuple(Said(said.role, mask(said.text)) for said in capture.messages),
        answer=mask(capture.answer),
        tag=None if capture.tag is None else mask(capture.tag),
        rejected=tuple(rejected),
        masked=len(names),
    )


def size_of(capture: Capture) -> int:
    """Code points of all its texts."""
    return sum(map(len, _texts(capture)))


def _texts(capture: Capture) -> Iterable[str]:
    return (
        *(said.text for said in capture.messages), capture.answer, capture.tag or "",
        *(each.text for each in capture.rejected),
    )  # fmt: skip
