"""``python -m evals.blast``: hurt real cells behind a real proxy in every way, and say what their callers saw."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from evals.blast.estate import PINS, estate
from evals.blast.faults import FAULTS, Found, hurt, page


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(prog="python -m evals.blast", description=__doc__)
    parser.add_argument("--proxy", choices=["envoy", "haproxy"], default="envoy")
    parser.add_argument("--requests", type=int, default=100, help="of each tenant, for each fault")
    args = parser.parse_args()
    found: list[Found] = []
    for fault in FAULTS:  # a fresh estate each, for a breaker remembers
        with (
            tempfile.TemporaryDirectory() as folder,
            estate(Path(folder), cells=3, proxy=args.proxy, tenants=tuple(PINS), pins=PINS) as it,
        ):
            found.append(hurt(it, fault, args.requests))
        print(f"{fault}: done")
    print(page(found))


if __name__ == "__main__":
    main()
