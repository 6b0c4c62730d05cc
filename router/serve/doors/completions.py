"""``/v1/completions``: the protocol before chat."""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.core.surfaces.completions import Completions
from router.serve.doors.surfaces import Door

if TYPE_CHECKING:
    from router.core.surfaces import Read
    from router.serve.cell import Cell
    from router.serve.http.exchange import Incoming


def _reader(_cell: Cell, _incoming: Incoming) -> Read:
    return lambda body, _tenant: Completions(body)


COMPLETIONS = Door(_reader)
