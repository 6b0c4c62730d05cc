"""A model as a teacher: what it says is masked before anybody keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from evals.distill.curate.clean import SURE
from evals.distill.example import Example
from evals.distill.label.kept import Label
from evals.runs.places import Places, digest
from evals.runs.reply import Reply
from evals.runs.targets.direct import Direct
from evals.suites.rows import Row
from guardrails import Placeholders, compile_rails
from router.core.signals import opens_with_refusal
from router.types import TIER_NAMES

CUT: Final = "the teacher's answer was cut off"
REFUSED: Final = "the teacher refused"
EMPTY: Final = "the teacher's answer is empty"
UNCHECKED: Final = "a guard could not read the teacher's answer"
_FORM: Final = 1  # of what is kept; another number asks anew
_UNCHECKED: Final = "unchecked"


class Teacher:
    """Asks a tier or a deployment, and masks.

    Args:
        wanted: a tier, or a deployment by its name or its model's.
        params: further fields of every request.
    """

    calls = True
    learns = False

    def __init__(self, wanted: str, places: Places, params: Mapping[str, Any]) -> None:
        tier = next((each for each in TIER_NAMES if each == wanted), None)
        model = None if tier else wanted
        self._inner = Direct(wanted, places, None, tier=tier, model=model, params=params)
        self._rails = compile_rails(SURE)
        self._params = dict(params)
        self.name = wanted

    @property
    def models(self) -> tuple[str, ...]:
        """Who may be asked; once it is open."""
        return self._inner.models

    @property
    def digest(self) -> str:
        """Names its answers: who it is and how it is asked; once it is open."""
        return digest("label", _FORM, self._inner.who, self._params)

    async def open(self) -> None:
        """Find out who is there."""
        await self._inner.open()

    def key(self, row: Row, sample: int) -> str:
        """Names the answer, as it is kept."""
        return digest("label", _FORM, self._inner.key(row, sample))

    def foretell(self, row: Row) -> int | None:
        """As ``Direct.foretell``."""
        return self._inner.foretell(row)

    def cost(self, row: Row, output_tokens: int) -> int | None:
        """As ``Direct.cost``."""
        return self._inner.cost(row, output_tokens)

    async def ask(self, row: Row, sample: int) -> Reply:
        """Ask once, and mask."""
        return self._masked(await self._inner.ask(row, sample), row)

    def priced(self, reply: Reply) -> Reply:
        """As ``Direct.priced``."""
        return self._inner.priced(reply)

    async def close(self) -> None:
        """As ``Direct.close``."""
        await self._inner.close()

    def _masked(self, reply: Reply, row: Row) -> Reply:
        names = Placeholders()
        for message in row.messages:
            names.reserve(str(message["content"]))
        verdict = self._rails.check(reply.text, names)
        if any(finding.category == "ERROR" for finding in verdict.findings):
            return msgspec.structs.replace(reply, text="", finish=_UNCHECKED, chances=None)
        # Tokens spell the answer out, so they cannot outlive a mask in it.
        chances = reply.chances if verdict.text == reply.text else None
        return msgspec.structs.replace(reply, text=verdict.text, chances=chances)


def asked(row: Example) -> Row:
    """A row of the loop as one to ask."""
    messages = tuple({"role": message.role, "content": message.content} for message in row.messages)
    return Row(id=row.id, text=row.messages[-1].content, messages=messages)


def label_of(row_id: str, reply: Reply) -> Label:
    """What is kept of a reply, and whether it can be learned from."""
    why = _unfit(reply)
    return Label(
        id=row_id, teacher=reply.model, answer=None if why else reply.text, why=why,
        chances=None if why else reply.chances, cost_nano=reply.cost_nano,
    )  # fmt: skip


def _unfit(reply: Reply) -> str:
    if reply.finish == _UNCHECKED:
        return UNCHECKED
    if reply.finish in {"length", "max_tokens"}:
        return CUT
    if reply.finish in {"refusal", "content_filter"} or opens_with_refusal(reply.text):
        return REFUSED
    return "" if reply.text.strip() else EMPTY
