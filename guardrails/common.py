"""The settings that every guard has, whatever it looks for."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import Field

from guardrails.config import Strict

#: Who wrote a text, in OpenAI's words; ``document`` is a source that was given to be read.
Role = Literal["system", "developer", "user", "assistant", "tool", "function", "document"]
ROLES: Final[tuple[str, ...]] = get_args(Role)
#: Who is taken to have written a text that comes alone.
USUAL_ROLE: Final[Mapping[str, Role]] = MappingProxyType({"input": "user", "output": "assistant"})


class Common(Strict):
    """What may be said beside a guard's own settings.

    Attributes:
        roles: only texts of these roles are read; by default all are.
        stream: ``sync`` holds a stream back while the guard is undecided; ``async`` lets it go and cuts it off
            as soon as the guard says block.
        on_error: what it means that the guard could not be run: ``block`` as if it had said block, ``pass`` a
            finding on record and nothing else. Either way it is counted.
    """

    roles: Annotated[tuple[Role, ...], Field(min_length=1, strict=False)] | None = None
    stream: Literal["sync", "async"] = "sync"
    on_error: Literal["block", "pass"] = "block"

    def reads(self, role: str | None) -> bool:
        """Whether texts of ``role`` are read; a text without a role always is."""
        return role is None or self.roles is None or role in self.roles


def split(settings: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The common settings, and the guard's own."""
    common = {key: value for key, value in settings.items() if key in Common.model_fields}
    return common, {key: value for key, value in settings.items() if key not in common}
