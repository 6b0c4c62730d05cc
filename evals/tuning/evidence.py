"""The evidence bundle: all that a proposal rests on, as JSON whose equal content has equal bytes.

No clock and no machine are in it: the same rows, policy, seed and version give the same bundle. Who proposed it and
when is the registry's to say.
"""

from __future__ import annotations

import hashlib
import json
import math
from importlib.metadata import version
from typing import Any, Final

import numpy as np

from evals.tuning.certify import Shown
from evals.tuning.table import Table
from evals.tuning.tune import CHOOSING, RATIOS, STEPS, Point, Setting, Tuned
from policies.policy import Policy

FORMAT: Final = 1
_DIGITS: Final = 10


def bundle(
    tuned: Tuned, policy: Policy, proposed: Policy | None, table: Table, *, command: str, rationale: str, diff: str
) -> dict[str, Any]:
    """What tuning saw, did and found.

    Args:
        tuned: the result.
        policy: the policy in force.
        proposed: the policy that the diff makes; None where tuning refused.
        table: the rows.
        command: what was run, for people who want to run it again.
        rationale: the proposal in words.
        diff: the change of the policy's file.
    """
    promise = tuned.promise
    return {
        "kind": "tuning",
        "format": FORMAT,
        "command": command,
        "versions": {"stillhouse": version("stillhouse"), "numpy": np.__version__},
        "policy": {
            "name": policy.name,
            "hash": policy.hash,
            "proposed_hash": None if proposed is None else proposed.hash,
        },
        "promise": promise.model_dump(mode="json"),
        "data": {
            "source": table.source,
            "fingerprint": table.fingerprint,
            "rows": len(table),
            "left_out": dict(table.left_out),
            "repeated_questions": tuned.repeated,
            "billed_by_forecast": tuned.billed_by_guess,
            "profile": table.profile,
        },
        "split": {
            "by": "question",
            "seed": tuned.seed,
            "chose": tuned.chose,
            "certified": tuned.certified,
            "share": CHOOSING,
        },
        "procedure": {
            "test": "fixed sequence along a ray of thresholds, safest first; slices by intersection-union",
            "ratios_tried": [_ratio(ratio) for ratio in RATIOS],
            "ratio": _ratio(tuned.ratio),
            "steps": tuned.steps,
            "steps_at_most": STEPS + 1,
            "certified_steps": tuned.tested,
            "for_requests": tuned.ahead,
        },
        "verdict": "refused" if tuned.proposed is None else "proposed",
        "refused": tuned.refused,
        "rows_missing": tuned.missing,
        "current": _setting(tuned.current),
        "proposed": None if tuned.proposed is None else _setting(tuned.proposed),
        "slices": [{"slice": each.column, "value": each.value, **_shown(each.shown)} for each in tuned.slices],
        "front": [_point(point) for point in tuned.front],
        "knee": tuned.knee,
        "best_in_hindsight": tuned.hindsight,
        "calibration": [each._asdict() for each in tuned.calibration],
        "rationale": rationale,
        "diff": diff,
    }


def canonical(found: Any) -> bytes:
    """JSON bytes: keys sorted, ASCII, numbers to ten significant digits, a line end."""
    plain = json.dumps(_plain(found), ensure_ascii=True, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return plain.encode() + b"\n"


def digest(found: Any) -> str:
    """SHA-256 of the canonical bytes: names the bundle."""
    return hashlib.sha256(canonical(found)).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, bool | str | int) or value is None:
        return value
    number = float(value)
    if not math.isfinite(number):
        return None
    return float(f"{number:.{_DIGITS}g}")


def _ratio(ratio: float) -> float | str:
    return "never medium" if math.isinf(ratio) else ratio


def _setting(found: Setting) -> dict[str, Any]:
    return {
        "lose": dict(found.figures),
        **_shown(found.shown),
        "saving": {"value": found.saving.value, "low": found.saving.low, "high": found.saving.high},
        "quality": found.quality,
        "mix": dict(found.mix),
    }


def _shown(found: Shown) -> dict[str, Any]:
    return found._asdict()


def _point(point: Point) -> dict[str, Any]:
    return {"lose": dict(point.figures), "loss": point.risk, "saving": point.saving}
