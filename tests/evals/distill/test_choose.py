"""Laws of the arrays: quotas, turns, duplicates."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from evals.distill.curate.choose import quotas, targeted
from evals.distill.curate.fence import Fence
from evals.distill.curate.near import repeats
from evals.distill.curate.signs import folded, jaccard, shingles, signature
from evals.distill.example import Message


@given(st.lists(st.integers(0, 40), min_size=1, max_size=12), st.integers(0, 200), st.data())
def test_quotas_spend_the_budget_and_never_more_than_there_is(sizes, budget, data):
    weights = data.draw(st.lists(st.floats(1e-9, 1e6), min_size=len(sizes), max_size=len(sizes)))
    parts = quotas(np.array(sizes), np.array(weights), budget)
    assert parts.sum() == min(budget, sum(sizes))
    assert (parts <= np.array(sizes)).all()
    assert (parts >= 0).all()


@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 2**32))
def test_a_choice_holds_each_row_once(n, budget, seed):
    rng = np.random.default_rng(seed)
    kinds, routes, failed = rng.integers(0, 4, n), rng.integers(0, 3, n), rng.random(n) < 0.3
    rows = targeted(kinds, routes, failed, rng.random(4), budget)
    assert len(rows) == min(n, budget)
    assert len(set(rows.tolist())) == len(rows)


def test_signatures_estimate_the_shingles_in_common():
    rng = np.random.default_rng(4)
    errors = []
    for cut in range(20, 200, 10):
        base = "".join(rng.choice(list("abcdefghij klmno"), 200))
        other = base[:cut] + "".join(rng.choice(list("pqrstuvwxyz"), 200 - cut))
        errors.append(float((signature(base) == signature(other)).mean()) - jaccard(base, other))
    assert abs(float(np.mean(errors))) < 0.05
    assert max(abs(error) for error in errors) < 0.3


def test_texts_shorter_than_a_shingle_have_one():
    assert len(shingles("")) == len(shingles("a")) == 1
    assert jaccard("a", "a") == 1
    assert jaccard("a", "b") == 0


def test_case_spaces_figures_and_the_system_prompt_make_no_difference():
    one = [Message("system", "Be kind."), Message("user", "Order  12345 is LATE")]
    other = [Message("system", "Be brief."), Message("user", "order 99 is late")]
    assert folded(one) == folded(other)


def test_the_first_of_equals_is_kept_and_the_others_name_it():
    texts = [
        "the invoice of may is wrong again",
        "where is my parcel from last week",
        "the invoice of may is wrong again!",
    ]
    signs = np.array([signature(text) for text in [*texts, texts[1]]])
    assert repeats(signs, 0.8).tolist() == [-1, -1, 0, 1]
    assert repeats(signs[:0], 0.8).tolist() == []


def test_every_row_close_to_a_held_out_one_is_found():
    rng = np.random.default_rng(6)
    words = ["".join(rng.choice(list("abcdefghijklmnopqrstuvwxyz"), 6)) for _ in range(400)]
    texts = [" ".join(rng.choice(words, 40)) for _ in range(300)]
    changed = [text.replace(text.split()[0], "other", 1) for text in texts[:100]]
    near = [jaccard(a, b) >= 0.85 for a, b in zip(texts[:100], changed, strict=True)]
    close = close_to(
        np.array([signature(t) for t in [*changed, *texts[100:]]]), np.array([signature(t) for t in texts[:100]]), 0.7
    )
    assert sum(near) > 50
    assert all(found for found, is_near in zip(close[:100], near, strict=True) if is_near)
    assert not close[100:].any()
