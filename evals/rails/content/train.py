"""The shipped weights: every head on all rows that may train it, scaled on ordinary prompts that did not."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from evals.rails.content import fit
from evals.rails.content.public import SOURCES
from evals.rails.content.rows import CALIBRATE
from evals.rails.export import weights_file
from guardrails.content import FLOORS, HEADS
from guardrails.content.signals import content_signals
from guardrails.learned import from_bytes
from guardrails.learned.bank import FORMAT
from guardrails.learned.measure import measure
from guardrails.learned.windows import cut
from guardrails.normalize import normalize

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from evals.rails.content.rows import Row
    from evals.rails.matrix import Texts
    from guardrails.learned import Bank

LICENCES: Final[dict[str, str]] = {
    "2runo-curse": "MIT",
    "advbench": "MIT",
    "beep": "CC BY-SA 4.0",
    "cyberseceval-frr": "MIT",
    "davidson": "MIT",
    "harmbench": "MIT",
    "hatescore": "Apache-2.0",
    "jigsaw-sample": "CC0 / CC BY-SA",
    "kornli-ko": "CC BY-SA 4.0",
    "kosbi": "MIT",
    "own": "this project's",
    "routing-train": "the routing rows', see docs/importers.md",
    "s-labs": "MIT",
    "square-ko": "MIT",
    "trustair-questions": "MIT",
    "wiki-toxicity": "CC BY 4.0",
    "wildguard-benign": "MIT; ODC-BY upstream",
    "xstest-safe": "CC BY 4.0",
    "zizun": "MIT, contains BEEP (CC BY-SA 4.0)",
    **{name: source.licence for name, source in SOURCES.items()},
}


def train(texts: Texts, rows: Sequence[Row]) -> tuple[bytes, dict[str, Any]]:
    """The bytes of ``weights.npz`` and the card."""
    everything = np.ones(len(rows), dtype=bool)
    models = {head: fit.fit(texts, rows, head, everything) for head in HEADS}
    kept = [row for row in rows if row.ordinary and row.fold == CALIBRATE]
    langs = np.array([row.lang for row in kept])
    z = served(_bank(models), [row.text for row in kept])
    for at, head in enumerate(HEADS):
        models[head] = models[head].scaled(*fit.limits(z[at], langs, head))
    return weights_file({head: model.fitted() for head, model in models.items()}), _card(rows)


def served(bank: Bank, texts: Sequence[str]) -> NDArray[np.float64]:
    """(heads, texts): the z that serving gives each text, its surest stretch."""
    out = np.full((len(bank.heads), len(texts)), -np.inf)
    heads = range(len(bank.heads))
    for at, text in enumerate(texts):
        folded = normalize(text)[0]
        starts, end = cut(folded, 0, last=True)
        if starts:
            out[:, at] = measure(folded, starts, end, len(starts)).logits(bank, heads).max(axis=(1, 2))
    return out


def _bank(models: Mapping[str, fit.Model]) -> Bank:
    raw = weights_file({head: model.fitted() for head, model in models.items()})
    return from_bytes(raw, {"format": FORMAT, "heads": list(models)}, content_signals())


def _card(rows: Sequence[Row]) -> dict[str, Any]:
    used: dict[str, Any] = {}
    for head in HEADS:
        known = fit.targets(rows, head)
        count = Counter((rows[at].source, int(known[at])) for at in np.flatnonzero(known >= 0).tolist())
        used[head] = {
            source: {"has": count[source, 1], "lacks": count[source, 0]} for source in sorted({s for s, _ in count})
        }
    sources = sorted({source for told in used.values() for source in told})
    return {
        "name": "content",
        "format": FORMAT,
        "heads": list(HEADS),
        "made_by": "python -m evals.rails content",
        "figures": "evals/results/guards-content.md",
        "floors": FLOORS,
        "rates": {head: fit.RATES.get(head, fit.RATE) for head in HEADS},
        "settings": {
            "seed": fit.SEED,
            "penalty": fit.PENALTY,
            "level": fit.LEVEL,
            "signal": fit.SIGNAL,
            "sentence": fit.SENTENCE,
        },
        "licences": {source: LICENCES[source] for source in sources},
        "trained_on": used,
        "not_used": "sources marked restricted; routing-valid; ordinary prompts of folds 3 (scaling) and 4 (measured)",
    }
