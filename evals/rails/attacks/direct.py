"""Fits what tells a user's attack from a user's request: weights of stretches and of pages, on one scale.

The page says more of wordings that nobody collected; stretches find the order that stands in the middle of something
else. A text's score is the surest of both, so stretches are brought to the scale of pages, and to the place where they
hardly ever speak up on harmless texts alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from evals.rails.attacks.fit import INDIRECT, design, fit, widest
from evals.rails.export import Fitted, from_fitted
from evals.rails.features import Stretches, stretches
from evals.rails.pages import FittedPages, Pages, fit_pages, from_fitted_pages, pages
from guardrails.attacks import surest
from guardrails.attacks.signals import attack_signals
from guardrails.learned.measure import measure
from guardrails.learned.pages import turned
from guardrails.learned.windows import cut
from guardrails.normalize import normalize

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from evals.rails.attacks.rows import Row
    from guardrails.learned import Bank
    from guardrails.learned.pages import PageBank

#: What a row of our own counts, and a Korean one: they are few, and written against each other.
OWN: Final = 5.0
KOREAN: Final = 2.0
#: Inverse of the strength of the ridge on stretches.
C: Final = 0.6
#: How much a z of stretches counts beside one of pages.
SCALE: Final = 0.3
#: Shares of ordinary prompts and of look-alikes above which a page speaks up at medium; stretches at the first alone.
PAGES_AT: Final = (0.005, 0.05)
STRETCHES_AT: Final = 0.001
#: How much surer than that a stretch must be to speak up, in its own z: on sources left out stretches mislead.
MARGIN: Final = 2.0


class Quiet(NamedTuple):
    """Harmless texts that nothing is fitted on and that thresholds are set by."""

    ordinary: Sequence[str]
    look_alikes: Sequence[str]


@dataclass(frozen=True)
class Prepared:
    """Rows with their matrices, so that they can be fitted on many times."""

    rows: Sequence[Row]
    stretches: Stretches
    design: Any
    pages: Pages


class Direct(NamedTuple):
    """Both weights, fitted, and the z of the texts that thresholds are set by."""

    stretches: Fitted
    pages: FittedPages
    quiet: tuple[NDArray[np.float64], ...]

    def threshold(self, rate: float) -> float:
        """The z that at most so large a share of ordinary prompts reaches, and ten times that of look-alikes."""
        return max(upper(z, share) for z, share in zip(self.quiet, (rate, 10 * rate), strict=True))

    def scores(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """The z of each text, by the code that serves and weights as it will read them."""
        signals = attack_signals()
        return scores(from_fitted({"direct": self.stretches}, signals), "direct", texts, self.page_bank())

    def page_bank(self) -> PageBank:
        """The pages' weights as they will be read back."""
        return from_fitted_pages(self.pages, attack_signals())


def prepare(rows: Sequence[Row]) -> Prepared:
    """Rows as matrices."""
    texts = [row.text for row in rows]
    made = stretches(texts, attack_signals())
    return Prepared(rows, made, design(made), pages(texts, attack_signals()))


def fit_direct(prepared: Prepared, used: NDArray[np.bool_], quiet: Quiet) -> Direct:
    """Fit on the rows that are ``used``."""
    return on_one_scale(_fit_stretches(prepared, used), _fit_pages(prepared, used), quiet)


def _fit_stretches(prepared: Prepared, used: NDArray[np.bool_]) -> Fitted:
    """Whole texts, and of harmless ones the sentences as well: a hit is the surest of all."""
    made = prepared.stretches
    label = np.array([row.label for row in prepared.rows])[made.text]
    counted = ((label == 0) | (widest(made) & ((made.reach > 0) | made.last))) & used[made.text]
    of_text = np.bincount(made.text[counted], minlength=len(prepared.rows))
    share = counted / np.sqrt(np.maximum(of_text, 1))[made.text]
    return fit(prepared.design, label, share * np.array([_weight(row) for row in prepared.rows])[made.text], C)


def _fit_pages(prepared: Prepared, used: NDArray[np.bool_]) -> FittedPages:
    chosen = np.flatnonzero(used)
    rows = [prepared.rows[index] for index in chosen.tolist()]
    label = np.array([row.label for row in rows])
    return fit_pages(prepared.pages.take(chosen), label, np.array([_weight(row) for row in rows]))


def _weight(row: Row) -> float:
    ours = OWN if row.source.startswith("own-") else 1.0
    korean = KOREAN if row.lang == "ko" else 1.0
    return ours * korean * (INDIRECT if row.kind == "INDIRECT" and row.label and row.lang != "ko" else 1.0)


def on_one_scale(found: Fitted, paged: FittedPages, quiet: Quiet) -> Direct:
    """The two so that one threshold does for both."""
    signals = attack_signals()
    bank, alone = from_fitted_pages(paged, signals), from_fitted({"direct": found}, signals)
    of_pages = [page_scores(bank, texts) for texts in quiet]
    of_stretches = [scores(alone, "direct", texts) for texts in quiet]
    starts = max(upper(z, rate) for z, rate in zip(of_pages, PAGES_AT, strict=True))
    seldom = max(upper(of_stretches[0], STRETCHES_AT), upper(of_stretches[1], 0.0)) + MARGIN
    return Direct(
        Fitted(found.weights * SCALE, found.signals * SCALE, SCALE * (found.offsets - seldom) + starts),
        paged,
        tuple(
            np.maximum(page, SCALE * (stretch - seldom) + starts)
            for page, stretch in zip(of_pages, of_stretches, strict=True)
        ),
    )


def upper(z: NDArray[np.float64], rate: float) -> float:
    """The score that at most so large a share reaches."""
    return float(np.quantile(z, 1 - rate, method="higher"))


def scores(bank: Bank, head: str, texts: Sequence[str], paged: PageBank | None = None) -> NDArray[np.float64]:
    """The z of each text, by the code that serves."""
    return np.array([surest(normalize(text)[0], bank, bank.head(head), paged) for text in texts])


def page_scores(bank: PageBank, texts: Sequence[str]) -> NDArray[np.float64]:
    """The z of each text's surest page."""
    found = np.full(len(texts), -np.inf)
    for number, text in enumerate(texts):
        folded = normalize(text)[0]
        starts, end = cut(folded, 0, last=True)
        if starts:
            measured = measure(folded, starts, end, len(starts))
            found[number] = max(bank.logit(measured, page) for page in turned(starts, end, last=True)[0])
    return found
