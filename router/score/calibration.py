"""The chances by which a cascade judges answers: a JSON file of logistic models, read and checked here.

``answers.json`` beside this file was learned by ``python -m evals.cascade`` from the outcomes in
``evals/results/cascade-outcomes.jsonl``; ``docs/cascade.md`` says what it is worth elsewhere.
"""

from __future__ import annotations

import hashlib
import math
from pathlib import Path

import msgspec

from router.core.checks import Calibration, Head, evidence_names
from router.types import TierName

SHIPPED = Path(__file__).with_name("answers.json")
VERSION = 1


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file. ``learned_from`` is for people."""

    version: int
    name: str
    learned_from: dict[str, str]
    heads: dict[TierName, dict[str, dict[TierName, Head]]]


def load_calibration(path: Path = SHIPPED) -> Calibration:
    """Read and check a calibration.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is not a calibration, of another version, or a model has too few or odd numbers.
    """
    data = path.read_bytes()
    try:
        file = msgspec.json.decode(data, type=_File)
    except msgspec.DecodeError as error:
        raise ValueError(f"{path.name} is not a calibration: {error}") from None
    if file.version != VERSION:
        raise ValueError(f"{path.name} is of version {file.version}; this release reads version {VERSION}")
    for tier, kinds in file.heads.items():
        for kind, heads in kinds.items():
            for target, head in heads.items():
                wanted = len(evidence_names(kind))
                if len(head.weights) != wanted:
                    words = f"{len(head.weights)} weights where {kind} evidence has {wanted} numbers"
                    raise ValueError(f"{path.name}: heads.{tier}.{kind}.{target}: {words}")
                if not all(map(math.isfinite, (head.bias, *head.weights))):
                    raise ValueError(f"{path.name}: heads.{tier}.{kind}.{target}: not all numbers are finite")
    return Calibration(name=file.name, digest=hashlib.sha256(data).hexdigest(), heads=file.heads)
