"""One row by itself: masked, or left out for one reason. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, Literal

import msgspec

from evals.distill.curate.rules import Rules
from evals.distill.example import Example, Message, prompt_id
from guardrails import Action, Placeholders, compile_rails
from guardrails.pii.lists import load
from guardrails.run import judged
from guardrails.types import Finding
from router.core.signals import opens_with_refusal

Reason = Literal[
    "no text", "too short", "too long", "no answer", "the teacher refused", "licence forbids training",
    "licence unknown", "personal data", "blocked by a guard", "a guard did not run",
]  # fmt: skip
Clean = Callable[[Example], "Example | Reason"]
Find = Callable[[str], tuple[Finding, ...]]

_SECRETS: Final[Mapping[str, Any]] = {"secrets": {"action": "mask"}}
#: Told by their form or by the words right before them: next to nothing is taken for it wrongly.
SURE: Final[tuple[Mapping[str, Any], ...]] = (
    {"pii": {"entities": ["structured", "context"], "action": "mask"}}, _SECRETS,
)  # fmt: skip
#: The same, and what is told by likelihood. Ages stay: alone they say of nobody, and sums are made with them.
LIKELY: Final[tuple[Mapping[str, Any], ...]] = (
    {"pii": {"entities": ["structured", "context", "NAME", "ADDRESS", "USERNAME"], "action": "mask"}}, _SECRETS,
)  # fmt: skip
OPERATORS: Final = frozenset({"system", "developer"})  # roles
_ROUNDS: Final = 4
_SHORTEST: Final = 3  # characters of a value that is looked for where no guard saw it
_LABEL: Final = 48  # characters of a text that is worth remembering
_HANGUL: Final = re.compile("[가-힣]")


class Unmaskable(Exception):
    """A guard did not run on a text, or finds something however often the text is masked."""


class Masker:
    """Gives rows without what some guards find, under the id of what is left of them. Pure but for what it remembers.

    A row is masked until the guards find nothing more in it, so who looks at it again with the same guards finds
    nothing either. A value that was found once is masked wherever it stands in the row; it keeps its placeholder.
    """

    def __init__(self, guards: tuple[Mapping[str, Any], ...] = SURE) -> None:
        self._rails = compile_rails(guards)
        # System prompts and labels come again and again.
        self._remembered = lru_cache(maxsize=4096)(self._rails.find)

    def __call__(self, row: Example, spared: frozenset[str] = frozenset()) -> tuple[Example, bool]:
        """The row masked, and whether there was anything to mask.

        Args:
            row: any row.
            spared: roles whose messages stay as they are.

        Raises:
            Unmaskable: it must not be kept.
        """
        texts = [m.content for m in row.messages if m.role not in spared]
        texts += [text for text in (row.answer, row.rejected) if text]
        texts += row.soft or ()
        operators = {m.content for m in row.messages if m.role in OPERATORS}
        done = _mask(texts, lambda text: (
            self._remembered(text) if len(text) <= _LABEL or text in operators else self._rails.find(text)
        ))  # fmt: skip
        if not done:
            return msgspec.structs.replace(row, id=prompt_id(row.messages)), False
        messages = tuple(
            m if m.role in spared else Message(m.role, done.get(m.content, m.content)) for m in row.messages
        )
        answer = None if row.answer is None else done.get(row.answer, row.answer)
        rejected = None if row.rejected is None else done.get(row.rejected, row.rejected)
        soft = None if row.soft is None else {done.get(text, text): nats for text, nats in row.soft.items()}
        # Log-probabilities token by token spell the answer out, so they cannot outlive a mask in it.
        tokens = None if answer != row.answer else row.tokens
        return (
            msgspec.structs.replace(
                row, id=prompt_id(messages), messages=messages, answer=answer, rejected=rejected, soft=soft,
                tokens=tokens,
            ),
            True,
        )  # fmt: skip


def _mask(texts: Iterable[str], find: Find) -> dict[str, str]:
    """Text -> masked text, of those that had anything to mask. Placeholders agree across them.

    Raises:
        Unmaskable: see there.
    """
    now = {text: text for text in texts}
    found = _found(now, find)
    if not found:
        return {}
    held = Placeholders()
    for text in now:
        held.reserve(text)  # what an earlier masking left in one text must not name another's value
    for _ in range(_ROUNDS):
        values: dict[str, str] = {}
        for text, findings in found.items():
            said = now[text]
            values |= {said[f.start : f.end]: f.category for f in findings}
            now[text] = judged(said, findings, held).text
        now = {text: _elsewhere(said, values, held) for text, said in now.items()}
        found = _found(now, find)
        if not found:
            return {text: said for text, said in now.items() if said != text}
    raise Unmaskable


def _found(now: Mapping[str, str], find: Find) -> dict[str, tuple[Finding, ...]]:
    """Text -> what is found in what it is now, where there is anything."""
    found = {text: find(said) for text, said in now.items()}
    if any(finding.category == "ERROR" for findings in found.values() for finding in findings):
        raise Unmaskable
    return {text: findings for text, findings in found.items() if findings}


def _elsewhere(text: str, values: Mapping[str, str], held: Placeholders) -> str:
    """``text`` without the values that were found in another text, or elsewhere in it."""
    for value, category in _telling(values):
        if value in text:
            end = r"(?![A-Za-z0-9_])" if _HANGUL.search(value) else r"(?!\w)"  # a particle follows at once
            name = held.name(category, value)
            text = re.sub(rf"(?<!\w){re.escape(value)}{end}", lambda _, name=name: name, text)  # type: ignore[misc]
    return text


def _telling(values: Mapping[str, str]) -> list[tuple[str, str]]:
    """Values that mean the same wherever they stand, the longest first; of a full name also the surname by itself."""
    more = dict(values)
    for value, category in values.items():
        *before, last = value.split() or [""]
        if category == "NAME" and before:
            more.setdefault(last, category)
    ordinary = load("common-words")[0]
    kept = [(v, c) for v, c in more.items() if len(v) >= _SHORTEST and (c != "NAME" or v.lower() not in ordinary)]
    return sorted(kept, key=lambda pair: (-len(pair[0]), pair[0]))


def cleaner(rules: Rules) -> Clean:
    """The function that masks what is sure in a row or says why it is left out.

    Raises:
        GuardConfigErrors: the rules' guards are none.
    """
    mask, others = Masker(SURE), compile_rails(rules.guards)

    def clean(row: Example) -> Example | Reason:
        reason = _unfit(row, rules)
        if reason is not None:
            return reason
        masked = _masked(row, rules, mask)
        if isinstance(masked, str):
            return masked
        if not others.empty and any(others.check(text).action >= Action.BLOCK for text in _texts(masked)):
            return "blocked by a guard"
        return masked

    return clean


def namer(rules: Rules, shared: frozenset[int]) -> Clean:
    """The function that masks names and addresses too, or says why the row is left out.

    Args:
        rules: what becomes of them.
        shared: ``system_of`` the system prompts that many rows share. They are an operator's words, and a student is
            asked under them letter by letter, so names in them stay.
    """
    mask = Masker(LIKELY)
    return lambda row: _masked(row, rules, mask, OPERATORS if system_of(row.messages) in shared else frozenset())


def system_of(messages: Sequence[Message]) -> int:
    """What names a system prompt, as 64 bits; 0 without one."""
    said = "\0".join(m.content for m in messages if m.role in OPERATORS)
    data = hashlib.blake2b(said.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(data, "big") if said else 0


def _masked(row: Example, rules: Rules, mask: Masker, spared: frozenset[str] = frozenset()) -> Example | Reason:
    try:
        masked, touched = mask(row, spared)
    except Unmaskable:
        return "a guard did not run"
    return "personal data" if touched and rules.personal == "drop" else masked


def _unfit(row: Example, rules: Rules) -> Reason | None:
    size = sum(len(message.content) for message in row.messages)
    if not row.messages or not any(m.content.strip() for m in row.messages if m.role != "system"):
        return "no text"
    if size < rules.shortest:
        return "too short"
    if size > rules.longest:
        return "too long"
    if row.answer is None or not row.answer.strip():
        return "no answer" if rules.answers else None
    if row.licence == "forbidden":
        return "licence forbids training"
    if row.licence == "unknown" and rules.licence:
        return "licence unknown"
    return "the teacher refused" if opens_with_refusal(row.answer) else None


def _texts(row: Example) -> list[str]:
    return [*(message.content for message in row.messages), *(text for text in (row.answer, row.rejected) if text)]
