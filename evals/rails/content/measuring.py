"""What the content guard is measured by: folds, sources left out, categories, and ordinary prompts.

Toxicity as such is the score of the insults head of the language. Its figures in distribution come from five folds
by text; those of a source left out from a model that saw neither its rows nor any text that is also one of them.
Categories and alarms are told at the shipped thresholds: each fold's model is scaled as the shipped one is.
"""

from __future__ import annotations

from time import process_time
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from evals.rails.content import fit
from evals.rails.content.metrics import judged, share
from evals.rails.content.rows import CALIBRATE, FOLDS, MEASURE
from evals.rails.content.train import served
from guardrails.content import FLOORS, HEADS
from guardrails.learned import logit
from guardrails.wordlists import LISTS
from guardrails.words import WordsConfig, compile_words

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from evals.rails.content.rows import Row
    from evals.rails.matrix import Texts
    from guardrails.learned import Bank

#: The sources of toxicity by language that are measured in distribution and left out in turn.
MEASURED: Final[dict[str, tuple[str, ...]]] = {
    "ko": ("2runo-curse", "beep", "hatescore", "kosbi", "zizun"),
    "en": ("davidson", "jigsaw-sample", "wiki-toxicity"),
}
#: Left out as well, not part of the median: it came from elsewhere than the others.
_BESIDE: Final[dict[str, tuple[str, ...]]] = {"ko": (), "en": ("surge",)}


class Bench:
    """The rows as arrays."""

    def __init__(self, texts: Texts, rows: Sequence[Row]) -> None:
        self.texts, self.rows = texts, rows
        self.source = np.array([row.source for row in rows])
        self.lang = np.array([row.lang for row in rows])
        self.fold = np.array([row.fold for row in rows])
        self.key = np.array([row.key for row in rows])
        self.toxic = np.array([-1 if row.toxic is None else row.toxic for row in rows])
        self.ordinary = np.array([row.ordinary for row in rows])

    def toxicity(self, say: Callable[[str], None]) -> dict[str, Any]:
        """In distribution and with sources left out, with the baselines, for each language."""
        told: dict[str, Any] = {}
        for lang, sources in MEASURED.items():
            of_lang = np.isin(self.source, sources)
            listed = self._listed(lang)
            ours, naive = np.zeros(len(self.rows)), np.zeros(len(self.rows))
            for fold in range(FOLDS):
                test = of_lang & (self.fold == fold)
                say(f"{lang} fold {fold}")
                ours[test] = self._fit(f"insults-{lang}", self.fold != fold)[test]
                naive[test] = self._naive(of_lang & (self.fold != fold), test)
            scores = {"ours": ours, "naive TF-IDF": naive, "word list": listed, "constant": np.zeros(len(self.rows))}
            told[lang] = {
                "in_distribution": {name: self._judged(of_lang, score) for name, score in scores.items()},
                "by_source": {name: self._judged(self.source == name, ours) for name in sources},
                "left_out": {name: self._left_out(lang, name, listed, say) for name in (*sources, *_BESIDE[lang])},
            }
            for which in ("ours", "naive TF-IDF", "word list"):
                aucs = [told[lang]["left_out"][name][which]["auc"][0] for name in sources]
                told[lang][f"left_out_median_auc {which}"] = round(float(np.median(aucs)), 4)
        return told

    def categories(self, say: Callable[[str], None]) -> dict[str, Any]:
        """Each head in five folds: recall by source at each strength, twins, and the AUC over our own pairs."""
        told: dict[str, Any] = {}
        for head in HEADS:
            z = np.full(len(self.rows), np.nan)
            wanted = fit.targets(self.rows, head)
            for fold in range(FOLDS):
                say(f"{head} fold {fold}")
                scored = self._scaled(head, self.fold != fold)
                at = self.fold == fold
                z[at] = scored[at]
            positive = wanted == 1
            own = (self.source == "own") & (wanted >= 0)
            told[head] = {
                "own_pairs": {lang: self._own(own & (self.lang == lang), wanted, z) for lang in ("en", "ko")},
                "recall": {
                    str(name): {
                        "n": int((positive & (self.source == name)).sum()),
                        **self._at_strengths(z[positive & (self.source == name)]),
                    }
                    for name in np.unique(self.source[positive])
                },
                "false_alarms_on_own_twins": self._at_strengths(z[(self.source == "own") & (wanted == 0)]),
            }
        return told

    def alarms(self, bank: Bank) -> dict[str, Any]:
        """Ordinary prompts that neither trained nor scaled the shipped weights: how many any category finds."""
        kept = np.flatnonzero(self.ordinary & ((self.fold == MEASURE) | (self.source == "routing-valid")))
        texts = [self.rows[at].text for at in kept.tolist()]
        begun = process_time()
        z = served(bank, texts)
        spent = process_time() - begun
        names = np.array([f"{self.source[at]} ({self.lang[at]})" for at in kept.tolist()])
        any_head = z.max(axis=0)
        told: dict[str, Any] = {
            "all": {"n": len(kept), **self._at_strengths(any_head)},
            "by_head": {head: self._at_strengths(z[at]) for at, head in enumerate(HEADS)},
            "by_source": {
                str(name): {"n": int((names == name).sum()), **self._at_strengths(any_head[names == name])}
                for name in np.unique(names)
            },
        }
        told["cpu_us_per_text"] = round(1e6 * spent / len(kept), 1)
        told["mean_characters"] = round(float(np.mean([len(text) for text in texts])), 1)
        return told

    def _fit(self, head: str, use: NDArray[np.bool_]) -> NDArray[np.float64]:
        return fit.score(self.texts, fit.fit(self.texts, self.rows, head, use))

    def _scaled(self, head: str, use: NDArray[np.bool_]) -> NDArray[np.float64]:
        model = fit.fit(self.texts, self.rows, head, use)
        z = fit.score(self.texts, model)
        kept = self.ordinary & (self.fold == CALIBRATE)
        low, high = fit.limits(z[kept], self.lang[kept], head)
        return (z - low) * logit(0.9) / (high - low)

    def _left_out(
        self, lang: str, name: str, listed: NDArray[np.float64], say: Callable[[str], None]
    ) -> dict[str, Any]:
        say(f"{lang} without {name}")
        test = self.source == name
        shared = np.isin(self.key, self.key[test]) & ~test
        use = ~test & ~shared
        train = use & np.isin(self.source, MEASURED[lang])
        naive = np.zeros(len(self.rows))
        naive[test] = self._naive(train, test)
        scores = {"ours": self._fit(f"insults-{lang}", use), "naive TF-IDF": naive, "word list": listed}
        judgement = {which: self._judged(test, score) for which, score in scores.items()}
        return {**judgement, "rows_dropped_for_shared_texts": int(shared.sum())}

    def _naive(self, train: NDArray[np.bool_], test: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Word and character TF-IDF with logistic regression, as it comes."""
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline

        made = make_pipeline(TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), LogisticRegression(max_iter=200))
        made.fit([self.rows[at].text for at in np.flatnonzero(train).tolist()], self.toxic[train])
        return np.asarray(made.decision_function([self.rows[at].text for at in np.flatnonzero(test).tolist()]))

    def _listed(self, lang: str) -> NDArray[np.float64]:
        """How many words of the managed profanity list each text of the language holds."""
        assert f"profanity-{lang}" in LISTS
        (family,) = compile_words(WordsConfig(lists=(f"profanity-{lang}",), match="substring"), 0)
        found = np.zeros(len(self.rows))
        for at in np.flatnonzero((self.lang == lang) & (self.toxic >= 0)).tolist():
            found[at] = len(family.scan(self.rows[at].text, [0] * family.width, True)[0])
        return found

    def _judged(self, which: NDArray[np.bool_], score: NDArray[np.float64]) -> dict[str, Any]:
        which = which & (self.toxic >= 0)
        return judged(self.toxic[which], score[which])

    def _own(self, which: NDArray[np.bool_], wanted: NDArray[np.int64], z: NDArray[np.float64]) -> dict[str, Any]:
        if not (wanted[which] == 1).any():
            return {}
        return {**judged(wanted[which], z[which]), **self._at_strengths(z[which & (wanted == 1)])}

    def _at_strengths(self, z: NDArray[np.float64]) -> dict[str, list[float]]:
        return {strength: share(z >= logit(floor)) for strength, floor in FLOORS.items()} if len(z) else {}
