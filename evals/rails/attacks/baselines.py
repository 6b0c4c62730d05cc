"""What anybody would try first, on the same rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from guardrails.attacks.concepts import CONCEPTS
from guardrails.attacks.signals import attack_signals
from guardrails.normalize import normalize

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from evals.rails.attacks.rows import Row


def by_tfidf(rows: Sequence[Row]) -> Callable[[Sequence[str]], NDArray[np.float64]]:
    """Words and character n-grams, inverse frequencies, logistic regression, all as they come."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline, make_union

    union = make_union(
        TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True),
        TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), min_df=3, sublinear_tf=True, max_features=120_000),
    )
    model = make_pipeline(union, LogisticRegression(C=4.0, solver="liblinear", random_state=0))
    model.fit([row.text[:2000] for row in rows], [row.label for row in rows])
    return lambda texts: np.asarray(model.decision_function([text[:2000] for text in texts]))


def by_concepts(texts: Sequence[str]) -> NDArray[np.float64]:
    """How many of the concepts (requests apart) a text speaks of: the table alone, nothing learned."""
    names = [row for row, name in enumerate(CONCEPTS) if name not in {"request", "machine", "deed"}]
    signals = attack_signals()
    found = []
    for text in texts:
        folded = normalize(text)[0][:6000] or " "
        counts = signals.count(folded, [0], len(folded))[0]
        found.append(float((counts[names] > 0).sum()))
    return np.asarray(found)
