"""What every result file says of its making."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path


def stamp(command: str) -> dict[str, str]:
    """Command, date, commit and machine."""
    return {"command": command, "date": today(), "commit": commit(), "machine": machine()}


def today() -> str:
    """The day, in UTC."""
    return datetime.now(UTC).date().isoformat()


def machine() -> str:
    """What it was measured on."""
    return f"{platform.machine()}, {os.cpu_count()} CPUs, Python {platform.python_version()}"


def commit() -> str:
    """The code that was measured, short; ``unknown`` outside a repository."""
    try:
        found = subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return found.stdout.strip()
