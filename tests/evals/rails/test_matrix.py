"""What weights are fitted on is what serving reads."""

import numpy as np
import pytest

from evals.rails.content import fit
from evals.rails.content.rows import Row, key_of
from evals.rails.export import weights_file
from evals.rails.matrix import matrix
from guardrails.content import HEADS
from guardrails.content.signals import content_signals
from guardrails.learned import from_bytes
from guardrails.learned.bank import FORMAT
from guardrails.learned.hashing import PLACES
from guardrails.learned.measure import measure
from guardrails.learned.windows import cut
from guardrails.normalize import normalize

pytest.importorskip("sklearn")
TEXTS = [
    "You idiot! Get lost, nobody likes you here.",
    "물의 순환을 설명해줘.",
    "One sentence only",
    "Ａ b c. Two more words here!",
]


def model():
    rng = np.random.default_rng(3)
    return fit.Model(rng.normal(size=PLACES), rng.normal(size=len(content_signals().names)), 0.25)


def test_a_text_scores_as_serving_scores_it():
    made = model()
    raw = weights_file({"probe": made.fitted()})
    bank = from_bytes(raw, {"format": FORMAT, "heads": ["probe"]}, content_signals())
    exact = fit.Model(
        bank.tables[0, :-1] * bank.steps[0, 0], bank.signal_weights[0] * bank.signal_steps[0], float(bank.offsets[0, 0])
    )
    z = fit.score(matrix(TEXTS, content_signals()), exact)
    for at, text in enumerate(TEXTS):
        folded = normalize(text)[0]
        starts, end = cut(folded, 0, last=True)
        served = measure(folded, starts, end, len(starts)).logits(bank, [0]).max()
        assert z[at] == pytest.approx(served, rel=1e-4, abs=1e-4)


def test_scaling_puts_the_limits_at_a_half_and_nine_tenths():
    made = model()
    texts = matrix(TEXTS, content_signals())
    z = fit.score(texts, made)
    scaled = fit.score(texts, made.scaled(low=float(z[0]), high=float(z[0]) + 2.0))
    assert scaled[0] == pytest.approx(0.0, abs=1e-6)
    assert np.allclose(scaled, (z - z[0]) * np.log(9) / 2.0)


def rows():
    made = []
    for number in range(40):
        for text, has in ((f"you stupid idiot number {number}", True), (f"a fine morning number {number}", False)):
            known = frozenset({"INSULTS"})
            made.append(
                Row(
                    text,
                    "own",
                    "en",
                    known if has else frozenset(),
                    frozenset() if has else known,
                    None,
                    False,
                    0,
                    key_of(text),
                )
            )
    return made


def test_fitting_learns_and_is_the_same_every_time():
    made = rows()
    texts = matrix([row.text for row in made], content_signals())
    use = np.ones(len(made), dtype=bool)
    first, second = (fit.fit(texts, made, "insults-en", use) for _ in range(2))
    assert weights_file({"one": first.fitted()}) == weights_file({"one": second.fitted()})
    z = fit.score(texts, first)
    has = np.array([bool(row.has) for row in made])
    assert z[has].min() > z[~has].max()


def test_rows_of_the_other_language_teach_only_what_is_ordinary():
    made = [
        Row("욕설", "x", "ko", frozenset({"INSULTS"}), frozenset(), 1, False, 0, "욕설"),
        Row("hello there", "x", "en", frozenset(), frozenset({"INSULTS"}), None, True, 0, "hellothere"),
        Row("hello again", "x", "en", frozenset(), frozenset({"INSULTS"}), None, True, 4, "helloagain"),
    ]
    assert fit.targets(made, "insults-en").tolist() == [-1, 0, -1]
    assert fit.targets(made, "insults-ko").tolist() == [1, 0, -1]
    assert len({fit.targets(made, head).shape for head in HEADS}) == 1
