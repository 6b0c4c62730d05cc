"""Where Stillhouse keeps its own files on this machine. The only place that reads STILLHOUSE_HOME."""

from __future__ import annotations

import os
from pathlib import Path


def home() -> Path:
    """The folder of the ledger, the keys and the weights; it may not exist yet.

    ``$STILLHOUSE_HOME`` when it is set and not empty (``~`` is expanded), else
    ``~/.local/share/stillhouse``. Read on every call, so a test can point it elsewhere.
    """
    chosen = os.environ.get("STILLHOUSE_HOME", "")
    return Path(chosen or "~/.local/share/stillhouse").expanduser()
