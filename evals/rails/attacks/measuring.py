"""Measures the attack rail.

* Each source with attacks is left out in turn, with two sources of harmless texts that serve as everybody's negatives;
  recall at 1 % false positives on those, and on the source's own harmless texts.
* The indirect head on BIPIA, which it never sees: documents with an order against the same documents without.
* Our own Korean attacks, the half of the ideas that is never fitted on.
* What the shipped weights flag of ordinary prompts and of look-alikes.

Beside each stand a TF-IDF with logistic regression on the same rows, and the table of concepts alone.
Everything is scored by the code that serves.
"""

from __future__ import annotations

import json
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from evals.metrics import auc
from evals.rails.attacks import own
from evals.rails.attacks.baselines import by_concepts, by_tfidf
from evals.rails.attacks.rows import public_rows
from evals.rails.attacks.train import direct_rows, fit_direct, ordinary_prompts, scores
from evals.rails.export import from_fitted
from evals.stamp import stamp
from guardrails.attacks.signals import attack_signals
from guardrails.learned import load, logit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    #: Texts -> a score for each.
    Way = Callable[[Sequence[str]], NDArray[np.float64]]

RESULTS: Final = Path(__file__).parents[2] / "results"
#: Harmless texts that no fold is fitted on: adversarial-looking ones, and ordinary ones.
NEGATIVES: Final = ("wildguard-benign", "routing-llmrouter-uiuc")
RATE: Final = 0.01
DRAWS: Final = 1000


def recall(positive: NDArray[np.float64], negative: NDArray[np.float64], rate: float = RATE) -> float:
    """Share of the positives above the score that at most ``rate`` of the negatives exceed."""
    return float((positive > np.quantile(negative, 1 - rate, method="higher")).mean())


def with_interval(positive: NDArray[np.float64], negative: NDArray[np.float64]) -> dict[str, Any]:
    """AUC and recall with bootstrap intervals (both sides drawn anew)."""
    draw = np.random.default_rng(0)
    recalls, areas = [], []
    for _ in range(DRAWS):
        one = draw.choice(positive, len(positive))
        two = draw.choice(negative, len(negative))
        recalls.append(recall(one, two))
        areas.append(_area(one, two))
    return {
        "attacks": len(positive),
        "harmless": len(negative),
        "auc": _area(positive, negative),
        "auc_interval": np.quantile(areas, [0.025, 0.975]).tolist(),
        "recall": recall(positive, negative),
        "recall_interval": np.quantile(recalls, [0.025, 0.975]).tolist(),
    }


def _area(positive: NDArray[np.float64], negative: NDArray[np.float64]) -> float:
    score = np.clip(np.concatenate([positive, negative]), -60, 60)
    return float(auc(np.arange(len(score)) < len(positive), score))


def sources_left_out(folder: Path) -> dict[str, Any]:
    """Source -> figures of ours and of the baselines, each fitted without it."""
    fitted_on = direct_rows(folder)
    everything = public_rows(folder)
    found: dict[str, Any] = {}
    for source in sorted({row.source for row in everything if row.label}):
        rows = [row for row in fitted_on if row.source not in {source, *NEGATIVES}]
        bank = from_fitted({"direct": fit_direct(rows)}, attack_signals())
        attacks = [row.text for row in everything if row.source == source and row.label]
        harmless = [row.text for row in everything if row.source in NEGATIVES][:1500]
        mine = [row.text for row in everything if row.source == source and not row.label]
        ways: dict[str, Way] = {
            "ours": partial(scores, bank, "direct"),
            "tfidf": by_tfidf(rows),
            "concepts": by_concepts,
        }
        found[source] = {}
        for name, way in ways.items():
            positive = way(attacks)
            entry = {"elsewhere": with_interval(positive, way(harmless))}
            if len(mine) >= 30:
                entry["own"] = with_interval(positive, way(mine))
            found[source][name] = entry
        print(source, json.dumps({n: round(v["elsewhere"]["recall"], 3) for n, v in found[source].items()}), flush=True)
    return found


def korean(folder: Path) -> dict[str, Any]:
    """The test halves of both authors, against ordinary Korean chat and against the attacks' twins."""
    bank = load("attacks", attack_signals())
    rows = [row for row in own.direct_rows() if row.half == "test" and row.lang == "ko"]
    ordinary = [row.text for row in own.ordinary() if row.half == "test"]
    tfidf = by_tfidf(direct_rows(folder))
    found: dict[str, Any] = {}
    for name, way in (
        ("ours", partial(scores, bank, "direct")),
        ("tfidf", tfidf),
        ("concepts", by_concepts),
    ):
        negatives = {"ordinary": way(ordinary), "twins": way([row.text for row in rows if not row.label])}
        for kind in ("JAILBREAK", "PROMPT_LEAKAGE", "INDIRECT"):
            positive = way([row.text for row in rows if row.label and row.kind == kind])
            found.setdefault(kind, {})[name] = {n: with_interval(positive, z) for n, z in negatives.items()}
    return found


def documents(folder: Path) -> dict[str, Any]:
    """BIPIA and our own documents of the test half: the indirect head, and the direct one beside it."""
    bank = load("attacks", attack_signals())
    bipia = [row for row in public_rows(folder) if row.source == "bipia"]
    clean = [row for row in own.documents() if row.half == "test"]
    held = [order for order in own.orders() if order.half == "test"]
    made = own.compose([row.text for row in clean], held, 400, "test")
    sets = {
        "bipia": ([r.text for r in bipia if r.label], [r.text for r in bipia if not r.label]),
        "own": ([one.text for one in made], [row.text for row in clean]),
    }
    return {
        name: {
            **{
                head: with_interval(scores(bank, head, bad), scores(bank, head, good))
                for head in ("indirect", "direct")
            },
            "concepts": with_interval(by_concepts(bad), by_concepts(good)),
        }
        for name, (bad, good) in sets.items()
    }


def alarms(folder: Path) -> dict[str, Any]:
    """Share of harmless texts flagged by the shipped weights at each strength."""
    bank = load("attacks", attack_signals())
    groups: dict[str, list[str]] = {
        "ordinary prompts": ordinary_prompts(folder),
        "look-alikes, en": [row.text for row in own.look_alikes() if row.lang == "en"],
        "look-alikes, ko": [row.text for row in own.look_alikes() if row.lang == "ko"],
    }
    found: dict[str, Any] = {}
    for name, texts in groups.items():
        z = scores(bank, "direct", texts)
        found[name] = {"n": len(texts)} | {
            rate: float((z >= logit(bank.threshold("direct", rate))).mean()) for rate in ("0.001", "0.005", "0.01")
        }
    return found


def speed(_folder: Path) -> dict[str, float]:
    """CPU microseconds of one check of an ordinary text of 4,000 code points, median and 99th percentile."""
    from guardrails import compile_rails

    rails = compile_rails([{"attacks": None}])
    text = " ".join(row.text for row in own.documents())[:4000]
    rails.check(text)
    spent = []
    for _ in range(200):
        begun = time.process_time_ns()
        rails.check(text)
        spent.append((time.process_time_ns() - begun) / 1000)
    return {"p50_us": float(np.median(spent)), "p99_us": float(np.quantile(spent, 0.99))}


def report(folder: Path, parts: Sequence[str]) -> dict[str, Any]:
    """The named parts measured anew, the others as they were."""
    kept = RESULTS / "guards-attacks.json"
    before = json.loads(kept.read_text("utf-8")) if kept.is_file() else {}
    made = {name: PARTS[name](folder) for name in parts}
    return before | stamp("python -m evals.rails attacks --data DIR") | made


PARTS: Final[Mapping[str, Callable[[Path], Any]]] = {
    "sources": sources_left_out,
    "korean": korean,
    "documents": documents,
    "alarms": alarms,
    "speed": speed,
}
