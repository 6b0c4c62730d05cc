"""Fits what the attack guard ships.

Two heads. ``direct`` tells a user's attack from a user's request (``attacks.direct``). ``indirect`` tells a sentence
addressed to an assistant, an order or a question, from the sentences of documents: there a harmless request is out of
place too.
Thresholds are scores that at most so large a share of harmless texts reaches which were not fitted on: of ordinary
prompts, and of one half of our look-alikes ten times the share; of clean documents.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from evals.rails.attacks import own, templates
from evals.rails.attacks.direct import Quiet, fit_direct, prepare, scores, upper
from evals.rails.attacks.fit import design, fit, weights_of
from evals.rails.attacks.rows import Row, lines, public_rows, routing_rows
from evals.rails.export import Fitted, from_fitted, save
from evals.rails.features import stretches
from evals.rails.pages import pages_file
from guardrails.attacks import RATES
from guardrails.attacks.signals import attack_signals
from guardrails.learned.bank import score_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

#: Of the plentiful sources of ordinary prompts so many are fitted on.
CAPS: Final = {
    "routing-haerae-logic": 500,
    "routing-mmlu-pro": 900,
    "routing-llmrouter-uiuc": 900,
    "routing-reasoning-gym-easy": 300,
}
#: What our orders for documents and our documents count: they are few, and the only ones written for each other.
ORDERS: Final = 10.0
#: Longest user prompt that is shown to the indirect head as an order.
SHORT: Final = 160


def direct_rows(folder: Path) -> list[Row]:
    """All rows of the direct head, those of test halves and the look-alikes left out."""
    rows = [*_capped(public_rows(folder)), *own.direct_rows(), *own.ordinary(), *own.documents(), *templates.rows()]
    return [row for row in rows if row.half != "test"]


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
    rows += [row for row in public_documents(folder) if not _apart(row.text)]
    return rows


def train(folder: Path, out: Path) -> None:
    """Fit both heads, set thresholds, write the weights and their card to ``out``."""
    rows = direct_rows(folder)
    held = indirect_rows(folder, rows)
    quiet = quiet_texts(folder)
    direct = fit_direct(prepare(rows), np.ones(len(rows), dtype=bool), quiet)
    heads = {"direct": direct.stretches, "indirect": fit_indirect(held)}
    bank = from_fitted(heads, attack_signals())
    clean = scores(bank, "indirect", clean_documents(folder))
    thresholds = {
        "direct": {rate: _score(direct.threshold(float(rate))) for rate in RATES["user"].values()},
        "indirect": {rate: _score(upper(clean, float(rate))) for rate in RATES["documents"].values()},
    }
    save(out, heads, {"name": "attacks", "thresholds": thresholds, "trained_on": trained_on(rows, held)})
    (out / "page.npz").write_bytes(pages_file(direct.pages))


def fit_indirect(rows: Sequence[Row]) -> Fitted:
    """Single windows only: an order in a document is a sentence."""
    made = stretches([row.text for row in rows], attack_signals())
    label = np.array([row.label for row in rows])[made.text]
    ours = np.array([row.source in {"own-orders", "own-documents"} for row in rows])[made.text]
    fitted = fit(design(made), label, weights_of(rows, made, made.reach == 0) * np.where(ours, ORDERS, 1.0))
    fitted.offsets = fitted.offsets + np.array([0.0, -60.0, -60.0])
    return fitted


def ordinary_prompts(folder: Path) -> list[str]:
    """Prompts that nothing is fitted on: routing's validation split and the test half of Korean chat."""
    rows = [*_capped(list(routing_rows(folder / "routing" / "valid.jsonl.gz", every=2))), *own.ordinary()]
    return [row.text for row in rows if row.half != "train"]


def quiet_texts(folder: Path) -> Quiet:
    """What thresholds of the direct head are set by."""
    return Quiet(ordinary_prompts(folder), [row.text for row in own.look_alikes() if row.half == "train"])


def clean_documents(folder: Path) -> list[str]:
    """Documents that nothing is fitted on: a part of each source, and the test half of our own."""
    apart = [row.text for row in public_documents(folder) if _apart(row.text)]
    return apart + [row.text for row in own.documents() if row.half == "test"]


def public_documents(folder: Path) -> list[Row]:
    """Clean documents of others."""
    seen: set[str] = set()
    rows: list[Row] = []
    for entry in lines(folder / "guardrails" / "grounding.jsonl.gz"):
        if entry["source"].startswith("halueval") and entry["context"] not in seen and len(seen) < 600:
            seen.add(entry["context"])
            rows.append(Row(entry["context"], 0, "halueval-contexts", "en"))
    return rows + [
        Row(entry["text"], 0, "wiki-talk", "en")
        for entry in lines(folder / "guardrails" / "toxicity.jsonl.gz")
        if entry["source"] == "wiki-toxicity" and not entry["label"]
    ]


def trained_on(*parts: Sequence[Row]) -> dict[str, dict[str, int]]:
    """Source -> how many attacks and how many harmless texts."""
    counts: dict[str, dict[str, int]] = {}
    for row in sorted({(row.source, row.text, row.label) for part in parts for row in part}):
        entry = counts.setdefault(row[0], {"attacks": 0, "harmless": 0})
        entry["attacks" if row[2] else "harmless"] += 1
    return counts


def _apart(text: str) -> bool:
    """One in four, for thresholds."""
    return own.number_of(text) % 4 == 0


def _score(z: float) -> float:
    return round(score_of(z), 6)


def _capped(rows: Sequence[Row]) -> list[Row]:
    """At most ``CAPS`` of a source, in order of a hash."""
    kept: list[Row] = []
    taken: dict[str, int] = {}
    for row in sorted(rows, key=lambda row: own.number_of(row.text)):
        taken[row.source] = taken.get(row.source, 0) + 1
        if taken[row.source] <= CAPS.get(row.source, len(rows)):
            kept.append(row)
    return kept
