"""Fitted coefficients as the arrays that serving reads, byte for byte the same whenever they are made."""

from __future__ import annotations

import io
import json
import zipfile
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from guardrails.learned.bank import FORMAT, Bank, Signals, from_bytes
from guardrails.learned.hashing import PARTS, PLACES
from guardrails.learned.measure import REACHES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

#: Weights beyond this share of all that are not 0 are clipped: few, and they would cost all others their grain.
CLIP: Final = 0.9995


class Fitted:
    """One head: ``weights`` (PLACES), ``signals`` (signal features), ``offsets`` (REACHES)."""

    def __init__(
        self, weights: NDArray[np.float64], signals: NDArray[np.float64], offsets: NDArray[np.float64]
    ) -> None:
        self.weights = weights
        self.signals = signals
        self.offsets = np.broadcast_to(offsets, (len(REACHES),))


def weights_file(heads: Mapping[str, Fitted]) -> bytes:
    """The bytes of ``weights.npz``."""
    tables, steps, offsets, signal_weights, signal_steps = [], [], [], [], []
    for fitted in heads.values():
        table, step = rounded(fitted.weights, 127, CLIP)
        signal, signal_step = rounded(fitted.signals, 32767, 1.0)
        tables.append(np.append(table, 0).astype(np.int8))
        steps.append(np.full(PARTS, step))
        offsets.append(fitted.offsets)
        signal_weights.append(signal.astype(np.int16))
        signal_steps.append(signal_step)
    arrays: dict[str, NDArray[Any]] = {
        "offsets": np.array(offsets, dtype=np.float64),
        "signal_steps": np.array(signal_steps, dtype=np.float64),
        "signal_weights": np.array(signal_weights, dtype=np.int16),
        "steps": np.array(steps, dtype=np.float64),
        "tables": np.array(tables, dtype=np.int8),
    }
    if arrays["tables"].shape != (len(heads), PLACES + 1):
        raise ValueError("a table has the wrong number of places")
    return packed(arrays)


def packed(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """The bytes of an archive of arrays, the same whenever it is made."""
    kept = io.BytesIO()
    with zipfile.ZipFile(kept, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            inside = io.BytesIO()
            np.lib.format.write_array(inside, array, allow_pickle=False)
            archive.writestr(entry, inside.getvalue())
    return kept.getvalue()


def from_fitted(heads: Mapping[str, Fitted], signals: Signals | None, card: Mapping[str, Any] | None = None) -> Bank:
    """The bank as it will be read back: rounded like the shipped one."""
    full = {"format": FORMAT, "heads": list(heads), "name": "fitted", **(card or {})}
    return from_bytes(weights_file(heads), full, signals)


def save(folder: Path, heads: Mapping[str, Fitted], card: Mapping[str, Any]) -> None:
    """Write ``weights.npz`` and ``card.json``; the card gets the heads and the format."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "weights.npz").write_bytes(weights_file(heads))
    full = {"format": FORMAT, "heads": list(heads), **card}
    (folder / "card.json").write_text(json.dumps(full, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def rounded(values: NDArray[np.float64], top: int, share: float) -> tuple[NDArray[np.float64], float]:
    """The values in steps of at most ``top`` either way, and how much one step is."""
    used = np.abs(values[values != 0])
    if not len(used):
        return np.zeros(len(values)), 1.0
    step = float(np.quantile(used, share)) / top
    return np.clip(np.rint(values / step), -top, top), step
