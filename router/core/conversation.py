"""Reading a conversation: a chat request in, frozen facts about its present turn out. Pure.

What a model must be good enough for is not the last message alone: "commit it" after a hard request is
still that request, a failing test ten steps later still belongs to it, and a client that wants a title
for the chat wants nothing hard at all. Here that is *read*; what follows from it is ``router.core.turns``.

The reading walks back from the end and stops early, so its cost does not grow with the conversation:
at most ``LOOK_BACK`` messages, and of each at most a head and a tail.
"""

from __future__ import annotations

import re

import msgspec

from router.core.phrases import (
    AROUND_THANKS,
    COMPLAINT,
    COMPLAINT_MARKS,
    ERRAND_MARKS,
    ERRANDS,
    FAILS_AT_END,
    FAILS_AT_START,
    FAILURE_MARKS,
    GO_AHEAD,
    KO_GO_AHEAD,
    KO_POINTS_BACK,
    KO_THANKS,
    POINTS_BACK,
    THANKS,
)
from router.core.wire import ChatRequest, ToolCall

LOOK_BACK = 40  # messages
MAX_FOLLOW_UPS = 6  # asks that one follows another; beyond them nothing is inherited
SHORT_ASK = 160  # code points, Hangul counted twice: longer messages state their own task
FEW_WORDS = 9
HEAD, TAIL = 300, 700  # code points of a tool's result, or of an earlier message, that are looked at
ERRAND_HEAD = 400  # code points in which a client says what errand it runs
ERRAND_SYSTEM = 4000  # code points: a longer system message is for real work

_TOOLS = frozenset({"tool", "function"})
_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)?")
_HANGUL = re.compile(r"[\uac00-\ud7a3\u3131-\u318e]")
_ENVELOPE = re.compile(r"<(system-reminder|environment_details)>.*?</\1>", re.DOTALL)


class Conversation(msgspec.Struct, frozen=True, kw_only=True):
    """What one turn of a conversation is about. Holds texts for scoring, so it never leaves the request.

    Attributes:
        ask: what the user said last, without what clients wrap around it.
        open_ask: the earlier request that ``ask`` continues; empty where it stands alone.
        follow_ups: how many asks ago ``open_ask`` was made; 0 where ``ask`` stands alone.
        bare: whether ``ask`` says nothing of its own ("yes, go on"), so that only ``open_ask`` counts.
        complaint: the user says that the answer before did not do, or asks the very same again.
        inside: the last message is a tool's result: a model is in the middle of its work.
        failures: how many results of tools at the end failed, one after the other.
        repeats: how often in a row the very same tool call was made, counting the last; 0 without one.
        errand: a client's own housekeeping: ``title``, ``topic``, ``suggestions``, ``summary``,
            ``autocomplete``; ``closing`` where the user only thanks or takes leave; or empty.
    """

    ask: str
    open_ask: str = ""
    follow_ups: int = 0
    bare: bool = False
    complaint: bool = False
    inside: bool = False
    failures: int = 0
    repeats: int = 0
    errand: str = ""


def read_conversation(request: ChatRequest) -> Conversation:
    """Read the facts of the present turn."""
    last = request.turns - 1
    asks = _asks(request, last)
    ask = spoken(request.text(asks[0])) if asks else ""
    errand = _errand(request, ask)
    if request.turns == 1:
        return Conversation(ask=ask, errand=errand)
    work = _work(request, asks[0] if asks else -1, last)
    back, bare, complaint = 0, False, False
    if len(asks) > 1 and not errand:
        back, bare = _continued(request, asks, ask)
        complaint = complains(ask) or (not bare and ask == spoken(request.text(asks[1])))
    return Conversation(
        ask=ask,
        open_ask=spoken(request.text(asks[back])) if back else "",
        follow_ups=back,
        bare=bare,
        complaint=complaint,
        inside=work.inside,
        failures=work.failures,
        repeats=work.repeats,
        errand=errand,
    )


def spoken(text: str) -> str:
    """A user's message without the blocks that coding clients add to it for the model's eyes."""
    if "<system-reminder>" not in text and "<environment_details>" not in text:
        return text
    return _ENVELOPE.sub("", text).strip() or text


def _asks(request: ChatRequest, last: int) -> list[int]:
    """Indices of the user's messages, the latest first."""
    roles = request.roles
    if "user" not in roles:
        return []
    newest = last - roles[::-1].index("user")  # after long work the ask lies far back, and must still be found
    found = [newest]
    for index in range(newest - 1, max(-1, newest - LOOK_BACK), -1):
        if roles[index] == "user":
            found.append(index)
            if len(found) > MAX_FOLLOW_UPS:
                break
    return found


# --- errands of clients ------------------------------------------------------------------------------


def _errand(request: ChatRequest, ask: str) -> str:
    """The kind of housekeeping, told by the ask or by a short system message before a short chat."""
    if request.turns > 1 and not request.tools and closes(ask):
        return "closing"
    kind = errand_of(ask)
    if kind:
        # Clients run their errands without tools; only a summary may be asked for amid the work.
        return kind if kind == "summary" or not request.tools else ""
    if request.tools or request.turns > 4 or request.roles[0] not in {"system", "developer"}:
        return ""
    system = request.text(0)
    return errand_of(system) if len(system) <= ERRAND_SYSTEM else ""


def errand_of(text: str) -> str:
    """The kind of housekeeping that the beginning of a text asks for, or an empty string."""
    head = text[:ERRAND_HEAD].lower()
    for mark in ERRAND_MARKS:
        if mark in head:
            return next((kind for kind, pattern in ERRANDS if pattern.search(head)), "")
    return ""


def closes(ask: str) -> bool:
    """Whether a message is thanks or farewell and nothing else."""
    if len(ask) > HEAD:
        return False
    thanked = False
    for found in _WORD.finditer(ask.lower()):
        word = found.group()
        if word in THANKS or word.startswith(KO_THANKS):
            thanked = True
        elif word not in AROUND_THANKS:
            return False
    return thanked


# --- does an ask continue another? -------------------------------------------------------------------


def _continued(request: ChatRequest, asks: list[int], ask: str) -> tuple[int, bool]:
    """How many asks back the open one lies (0: this one stands alone), and whether this one is bare."""
    bare = False
    text = ask
    for back in range(len(asks) - 1):
        before = spoken(request.text(asks[back + 1]))
        kind = follows(text, before, _answer_between(request, asks[back + 1], asks[back]))
        if back == 0:
            bare = kind == "bare"
        if not kind:
            return back, bare and back > 0
        text = before
    back = len(asks) - 1
    return (0, False) if back >= MAX_FOLLOW_UPS else (back, bare and back > 0)


def _answer_between(request: ChatRequest, start: int, end: int) -> str:
    """The model's words just before the ask at ``end``."""
    for index in range(end - 1, max(start, end - 4), -1):
        if request.roles[index] == "assistant":
            text = request.text(index)
            return text if len(text) <= HEAD + TAIL else text[:HEAD] + text[-TAIL:]
    return ""


def follows(text: str, before: str, answer: str) -> str:
    """``bare`` (says nothing of its own), ``near`` (continues what went before), or empty (stands alone)."""
    if len(text) > SHORT_ASK or len(text) + len(_HANGUL.findall(text)) > SHORT_ASK:
        return ""
    words = _WORD.findall(text.lower())
    if not words:
        return "bare"
    if all(_leaves(word) for word in words):
        return "bare"
    if complains(text):
        return "near"
    own = [word for word in words if not _leaves(word) and word not in POINTS_BACK and _weighs(word)]
    around = (before[:HEAD] + before[-TAIL:] + answer).lower()
    known = sum(1 for word in own if _stem(word) in around)
    if own and known * 2 >= len(own):
        return "near"
    if len(words) <= FEW_WORDS and any(_points(word) for word in words) and len(own) <= 3:
        return "near"
    return ""


def _leaves(word: str) -> bool:
    return word in GO_AHEAD or word in THANKS or (word[0] >= "\u3131" and word.startswith(KO_GO_AHEAD + KO_THANKS))


def _points(word: str) -> bool:
    return word in POINTS_BACK or (word[0] >= "\u3131" and word.startswith(KO_POINTS_BACK))


def _weighs(word: str) -> bool:
    """Whether a word is long enough to be about something."""
    return len(word) >= 4 or (len(word) >= 2 and word[0] >= "\u3131")


def _stem(word: str) -> str:
    """What of a word is looked for: Korean particles and English endings come last."""
    return word[:2] if word[0] >= "\u3131" else word[: max(4, len(word) - 2)]


def complains(text: str) -> bool:
    """Whether a message says that what was done did not do."""
    head = text[:HEAD].lower()
    return any(mark in head for mark in COMPLAINT_MARKS) and COMPLAINT.search(head) is not None


# --- the model at work -------------------------------------------------------------------------------


class _Work(msgspec.Struct, frozen=True):
    """What the model's tools have said since the last ask; of a finished turn nothing is held against the next."""

    inside: bool = False
    failures: int = 0
    repeats: int = 0


def _work(request: ChatRequest, ask: int, last: int) -> _Work:
    if request.roles[last] not in _TOOLS:
        return _Work()
    failures, failing = 0, True
    repeats, repeating = 0, True
    newest: ToolCall | None = None
    for index in range(last, max(ask, last - LOOK_BACK), -1):
        role = request.roles[index]
        if role in _TOOLS:
            if failing:
                failing = failed(request.text(index))
                failures += failing
        elif role == "assistant" and repeating and (calls := request.calls(index)):
            repeats, newest, repeating = _again(calls, newest, repeats)
        if not failing and not repeating:
            break
    return _Work(True, failures, repeats)


def _again(calls: list[ToolCall], newest: ToolCall | None, repeats: int) -> tuple[int, ToolCall, bool]:
    """Count one more step if it made the same call as the newest step did."""
    if newest is None:
        return 1, calls[-1], True
    same = newest in calls
    return repeats + same, newest, same


def failed(result: str) -> bool:
    """Whether a tool's result says that it failed: told at its very beginning, or in its last lines."""
    if result[:40].lstrip().lower().startswith(FAILS_AT_START):
        return True
    tail = result[-TAIL:].lower()
    return any(mark in tail for mark in FAILURE_MARKS) and FAILS_AT_END.search(tail) is not None
