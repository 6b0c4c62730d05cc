"""Our import names are plain words (``guardrails``, ``evals``, …) that other distributions may own too.

We ship as an application with an environment of its own; where a foreign distribution has put files
under one of our names, starting would mix two programs, so we refuse and name it.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
from pathlib import Path

NAMES = ("guardrails", "policies", "router", "evals")


class NameTaken(RuntimeError):
    """One of our packages would be imported from somebody else's files."""


def check_names() -> None:
    """Check that each of our packages lies beside this one.

    Raises:
        NameTaken: naming the package and, where it can be told, the distribution that owns it.
    """
    ours = Path(__file__).resolve().parent.parent
    for name in NAMES:
        spec = importlib.util.find_spec(name)
        origin = Path(spec.origin).resolve() if spec and spec.origin else None
        if origin is None or origin.parent.parent != ours:
            owners = importlib.metadata.packages_distributions().get(name, [])
            foreign = ", ".join(sorted(set(owners) - {"stillhouse"})) or "another distribution"
            raise NameTaken(
                f"the package '{name}' comes from {foreign}, not from Stillhouse; "
                f"install Stillhouse into an environment of its own"
            )
