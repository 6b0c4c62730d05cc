"""Measures the attack rail.

* Each source with attacks is left out in turn, with two sources of harmless texts that serve as everybody's negatives;
  recall at 1 % false positives on those, and on the source's own harmless texts.
* The indirect head on BIPIA, which it never sees: documents with an order against the same documents without.
* Our own Korean attacks, the half of the ideas that is never fitted on.
* What the shipped weights flag of ordinary prompts, of look-alikes (the half that set no threshold) and of documents.

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
from evals.rails.attacks.direct import fit_direct, page_scores, prepare, scores
from evals.rails.attacks.rows import public_rows
from evals.rails.attacks.train import clean_documents, direct_rows, ordinary_prompts, quiet_texts
from evals.stamp import stamp
from guardrails.attacks import RATES
from guardrails.attacks.signals import attack_signals
from guardrails.learned import load, logit
from guardrails.learned.pages import load_pages

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    #: Texts -> a score for each.
    Way = Callable[[Sequence[str]], NDArray[np.float64]]

RESULTS: Final = Path(__file__).parents[2] / "results"
#: Harmless texts that no fold is fitted on: adversarial-looking ones, and ordinary ones.
NEGATIVES: Final = ("wildguard-benign", "routing-llmrouter-uiuc")
RATE: Final = 0.01
#: Share of ordinary prompts that the default strength may stop.
MEDIUM: Final = float(RATES["user"]["medium"])
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
    prepared = prepare(direct_rows(folder))
    everything = public_rows(folder)
    quiet = quiet_texts(folder)
    harmless = [row.text for row in everything if row.source in NEGATIVES][:1500]
    found: dict[str, Any] = {}
    for source in sorted({row.source for row in everything if row.label}):
        used = np.array([row.source not in {source, *NEGATIVES} for row in prepared.rows])
        fitted = fit_direct(prepared, used, quiet)
        attacks = [row.text for row in everything if row.source == source and row.label]
        mine = [row.text for row in everything if row.source == source and not row.label]
        ways: dict[str, Way] = {
            "ours": fitted.scores,
            "ours, pages alone": partial(page_scores, fitted.page_bank()),
            "tfidf": by_tfidf([row for row, taken in zip(prepared.rows, used, strict=True) if taken]),
            "concepts": by_concepts,
        }
        found[source] = {}
        for name, way in ways.items():
            positive = way(attacks)
            entry = {"elsewhere": with_interval(positive, way(harmless))}
            if len(mine) >= 30:
                entry["own"] = with_interval(positive, way(mine))
            if name == "ours":
                entry["elsewhere"]["flagged"] = float((positive >= fitted.threshold(MEDIUM)).mean())
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
        ("ours", partial(scores, bank, "direct", paged=load_pages("attacks", attack_signals()))),
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
    """Share of texts flagged by the shipped weights at each strength: harmless ones, and documents with an order."""
    bank, paged = load("attacks", attack_signals()), load_pages("attacks", attack_signals())
    held = [order for order in own.orders() if order.half == "test"]
    clean = [row.text for row in own.documents() if row.half == "test"]
    alike = [row for row in own.look_alikes() if row.half == "test"]
    bipia = [row for row in public_rows(folder) if row.source == "bipia"]
    groups: dict[str, tuple[str, list[str]]] = {
        "ordinary prompts": ("user", ordinary_prompts(folder)),
        "look-alikes, en": ("user", [row.text for row in alike if row.lang == "en"]),
        "look-alikes, ko": ("user", [row.text for row in alike if row.lang == "ko"]),
        "documents, clean": ("documents", clean_documents(folder)),
        "documents, BIPIA, clean": ("documents", [row.text for row in bipia if not row.label]),
        "documents, BIPIA, with an order": ("documents", [row.text for row in bipia if row.label]),
        "documents, ours, with an order": ("documents", [one.text for one in own.compose(clean, held, 400, "test")]),
    }
    found: dict[str, Any] = {}
    for name, (reads, texts) in groups.items():
        head = "direct" if reads == "user" else "indirect"
        z = scores(bank, head, texts, paged if reads == "user" else None)
        found[name] = {"n": len(texts)} | {
            strength: float((z >= logit(bank.threshold(head, rate))).mean()) for strength, rate in RATES[reads].items()
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
