"""``python -m evals.rails NAME ...``: fit and measure a learned rail. ``NAME --help`` tells its options."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Final

RAILS: Final = {"attacks": "evals.rails.attacks.command", "content": "evals.rails.content.command"}


def main() -> int:
    """Hand over to the rail."""
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if name not in RAILS:
        print(f"usage: python -m evals.rails {{{','.join(RAILS)}}} ...", file=sys.stderr)
        return 2
    return int(import_module(RAILS[name]).main(sys.argv[2:]))


if __name__ == "__main__":
    raise SystemExit(main())
