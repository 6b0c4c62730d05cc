"""What every result file says of its making."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path


def about(command: str) -> dict[str, str]:
    """The command, the day, the code and the machine of a measurement."""
    return {"command": command, "date": today(), "commit": commit(), "machine": machine()}


def today() -> str:
    """The day, in UTC."""
    return datetime.now(UTC).date().isoformat()


def machine() -> str:
    """What it was measured on."""
    return f"{platform.machine()}, {os.cpu_count()} CPUs, Python {platform.python_version()}"


def commit() -> str:
    """The code that was measured."""
    here = Path(__file__).parent
    try:
        found = subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"], cwd=here, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return found.stdout.strip()
