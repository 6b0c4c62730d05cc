"""What a guard may look at beyond one text, and how it asks for what it cannot do by itself.

Most guards read a text and are families of recognisers (``matching``). Some must see more: the sources that an
answer should rest on, the question it answers, the tool calls it makes and where their arguments came from. Such
a guard is a ``Check``: a generator that receives a ``View``, may yield an ``Ask`` (a question to a model) or a
``Prove`` (a claim for the solver), is sent the reply, and returns its findings. It does no I/O itself, so the same
check runs in the gateway, in the command line and in a test.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

from guardrails.types import Action, Finding

#: Who a text comes from. ``document`` is a retrieved source; ``tool`` is the result of a call.
Origin = Literal["system", "user", "assistant", "tool", "document"]


class Passage(NamedTuple):
    """One text of the conversation before the answer, oldest first.

    Attributes:
        where: its place in the request, e.g. ``messages[2].content``.
    """

    text: str
    origin: Origin
    where: str = ""


class ToolCall(NamedTuple):
    """A call that the answer makes.

    Attributes:
        arguments: JSON text as the model wrote it; it may be broken.
        where: its place in the answer, e.g. ``tool_calls[0].function.arguments``.
    """

    name: str
    arguments: str
    where: str = ""


@dataclass(frozen=True, slots=True)
class View:
    """All that a check may look at. Findings' offsets are code points in ``text``.

    Attributes:
        text: the text under judgement: the answer of a model, or of ``apply`` with source OUTPUT.
        query: what was asked; empty when unknown.
        passages: the conversation; those of origin ``document`` and ``tool`` are the sources of grounding.
        calls: the tool calls of the answer.
    """

    text: str
    query: str = ""
    passages: tuple[Passage, ...] = ()
    calls: tuple[ToolCall, ...] = ()


@dataclass(frozen=True, slots=True)
class Ask:
    """A question to a model. The reply is its answer's text.

    Attributes:
        tier: which tier answers.
        system, user: the messages.
        schema: JSON Schema of the answer, if it must be JSON.
        max_tokens: longest answer.
        sample: number of this sample where the same question is asked more than once.
    """

    tier: str
    system: str
    user: str
    schema: Mapping[str, Any] | None = None
    max_tokens: int = 256
    sample: int = 0


@dataclass(frozen=True, slots=True)
class Prove:
    """Work for the solver, which runs elsewhere. The reply is what ``guardrails.reasoning`` says it is.

    Attributes:
        policy: hash of the compiled rules.
        job: plain data (JSON values), so that it can cross a process boundary.
    """

    policy: str
    job: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Rewritten:
    """What a check returns, in place of findings, when it had the answer written again and the new one will do.

    The caller sends ``text`` in place of the answer, after its other guards have read it: it is a model's new text.

    Attributes:
        text: the new answer.
        before: findings on the answer as it was, with offsets in it; their actions are spent.
        after: findings on ``text``, with offsets in it; their actions stand.
    """

    text: str
    before: tuple[Finding, ...]
    after: tuple[Finding, ...]


class CheckFailed(RuntimeError):
    """A check could not be made (no model, no solver, out of time). Never a pass: the caller decides by policy."""


class Check(Protocol):
    """A guard that needs a view."""

    @property
    def guard(self) -> str:
        """Its name in the catalogue."""

    @property
    def scope(self) -> Literal["answer", "calls"]:
        """What must be complete before it can judge: the whole answer, or only its tool calls."""

    @property
    def actions(self) -> frozenset[Action]:
        """What its findings may ask for. It cannot mask across a view: detect and block only, unless it says so."""

    def run(self, view: View) -> Generator[Ask | Prove, Any, tuple[Finding, ...] | Rewritten]:
        """Judge ``view``. Most checks return findings only.

        Raises:
            CheckFailed: it could not be judged.
        """
