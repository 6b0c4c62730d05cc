"""Fits what the attack guard ships.

Two heads. ``direct`` tells a user's attack from a user's request. ``indirect`` tells a sentence addressed to an
assistant, an order or a question, from the sentences of documents: there a harmless request is out of place too.
Thresholds are scores that so large a share of ordinary texts reaches which were not fitted on.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from evals.rails.attacks import own, templates
from evals.rails.attacks.fit import INDIRECT, design, fit, weights_of, widest
from evals.rails.attacks.rows import Row, lines, public_rows, routing_rows
from evals.rails.export import Fitted, from_fitted, save
from evals.rails.features import stretches
from guardrails.attacks.signals import attack_signals
from guardrails.learned.bank import score_of
from guardrails.learned.measure import measure
from guardrails.learned.windows import cut
from guardrails.normalize import normalize

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from guardrails.learned import Bank

RATES: Final = ("0.001", "0.005", "0.01")
#: Of the plentiful sources of ordinary prompts so many are fitted on.
CAPS: Final = {
    "routing-haerae-logic": 500,
    "routing-mmlu-pro": 900,
    "routing-llmrouter-uiuc": 900,
    "routing-reasoning-gym-easy": 300,
}
#: Longest user prompt that is shown to the indirect head as an order.
SHORT: Final = 160


def direct_rows(folder: Path) -> list[Row]:
    """All rows of the direct head, those of test halves and the look-alikes left out."""
    rows = [*_capped(public_rows(folder)), *own.direct_rows(), *own.ordinary(), *own.documents(), *templates.rows()]
    return [
        replace(row, weight=INDIRECT) if row.kind == "INDIRECT" and row.label else row
        for row in rows
        if row.half != "test"
    ]


def indirect_rows(folder: Path, direct: Sequence[Row]) -> list[Row]:
    """Sentences for an assistant (1) and documents (0); BIPIA is left for measuring."""
    rows = [Row(order.text, 1, "own-orders", "en") for order in own.orders() if order.half == "train"]
    for row in direct:
        if row.source in {"own-documents", "own-ko-a", "own-ko-b"} and (row.kind == "INDIRECT" or not row.kind):
            rows.append(row if not row.label else replace(row, source=f"{row.source}-orders"))
        elif row.source in {"s-labs", "own-templates", "routing-llmrouter-uiuc", "yanismiraoui", "own-en-direct"}:
            if len(row.text) <= SHORT and (row.label or row.text.rstrip().endswith("?")):
                rows.append(replace(row, label=1, source=f"requests-{row.source}"))
        elif row.source in {"own-ko-a-ordinary", "own-ko-b-ordinary"}:
            rows.append(replace(row, label=1, source="requests-ko"))
    seen: set[str] = set()
    for entry in lines(folder / "guardrails" / "grounding.jsonl.gz"):
        if entry["source"].startswith("halueval") and entry["context"] not in seen and len(seen) < 600:
            seen.add(entry["context"])
            rows.append(Row(entry["context"], 0, "halueval-contexts", "en"))
    rows += [
        Row(entry["text"], 0, "wiki-talk", "en")
        for entry in lines(folder / "guardrails" / "toxicity.jsonl.gz")
        if entry["source"] == "wiki-toxicity" and not entry["label"]
    ]
    return rows


def train(folder: Path, out: Path) -> None:
    """Fit both heads, set thresholds, write the weights and their card to ``out``."""
    direct = direct_rows(folder)
    indirect = indirect_rows(folder, direct)
    heads = {"direct": fit_direct(direct), "indirect": fit_indirect(indirect)}
    bank = from_fitted(heads, attack_signals())
    prompts = ordinary_prompts(folder)
    clean = [row.text for row in own.documents() if row.half == "test"]
    thresholds = {
        "direct": _thresholds(scores(bank, "direct", prompts)),
        "indirect": _thresholds(scores(bank, "indirect", clean)),
    }
    save(out, heads, {"name": "attacks", "thresholds": thresholds, "trained_on": trained_on(direct, indirect)})


def fit_direct(rows: Sequence[Row]) -> Fitted:
    """Whole texts, and of harmless ones the sentences as well: a hit is the surest of all."""
    made = stretches([row.text for row in rows], attack_signals())
    label = np.array([row.label for row in rows])[made.text]
    used = (label == 0) | (widest(made) & ((made.reach > 0) | made.last))
    return fit(design(made), label, weights_of(rows, made, used))


def fit_indirect(rows: Sequence[Row]) -> Fitted:
    """Single windows only: an order in a document is a sentence."""
    made = stretches([row.text for row in rows], attack_signals())
    label = np.array([row.label for row in rows])[made.text]
    fitted = fit(design(made), label, weights_of(rows, made, made.reach == 0))
    fitted.offsets = fitted.offsets + np.array([0.0, -60.0, -60.0])
    return fitted


def ordinary_prompts(folder: Path) -> list[str]:
    """Prompts that nothing is fitted on: routing's validation split and the test half of Korean chat."""
    rows = [*_capped(list(routing_rows(folder / "routing" / "valid.jsonl.gz", every=2))), *own.ordinary()]
    return [row.text for row in rows if row.half != "train"]


def scores(bank: Bank, head: str, texts: Sequence[str]) -> NDArray[np.float64]:
    """The z of each text, by the code that serves."""
    index = bank.head(head)
    found = np.full(len(texts), -np.inf)
    for number, text in enumerate(texts):
        folded = normalize(text)[0]
        starts, end = cut(folded, 0, last=True)
        if starts:
            found[number] = measure(folded, starts, end, len(starts)).logits(bank, [index]).max()
    return found


def trained_on(*parts: Sequence[Row]) -> dict[str, dict[str, int]]:
    """Source -> how many attacks and how many harmless texts."""
    counts: dict[str, dict[str, int]] = {}
    for row in sorted({(row.source, row.text, row.label) for part in parts for row in part}):
        entry = counts.setdefault(row[0], {"attacks": 0, "harmless": 0})
        entry["attacks" if row[2] else "harmless"] += 1
    return counts


def _thresholds(z: NDArray[np.float64]) -> dict[str, float]:
    return {rate: round(score_of(float(np.quantile(z, 1 - float(rate), method="higher"))), 6) for rate in RATES}


def _capped(rows: Sequence[Row]) -> list[Row]:
    """At most ``CAPS`` of a source, in order of a hash."""
    kept: list[Row] = []
    taken: dict[str, int] = {}
    for row in sorted(rows, key=lambda row: own.number_of(row.text)):
        taken[row.source] = taken.get(row.source, 0) + 1
        if taken[row.source] <= CAPS.get(row.source, len(rows)):
            kept.append(row)
    return kept
