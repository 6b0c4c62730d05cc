"""Laws of the arrays: quotas, turns, duplicates."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from evals.distill.curate.choose import quotas, targeted
from evals.distill.curate.fence import Fence
from evals.distill.curate.near import repeats
from evals.distill.curate.signs import bare, folded, shingles, signature
from evals.distill.example import Message


def jaccard(one: str, other: str) -> float:
    """The share of shingles that two folded texts have in common, exactly."""
    a, b = np.unique(shingles(one)), np.unique(shingles(other))
    both = len(np.intersect1d(a, b, assume_unique=True))
    return both / (len(a) + len(b) - both)


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


def _texts(n, seed=6, words=40):
    rng = np.random.default_rng(seed)
    known = ["".join(rng.choice(list("abcdefghijklmnopqrstuvwxyz"), 6)) for _ in range(400)]
    return [" ".join(rng.choice(known, words)) for _ in range(n)]


def test_every_row_close_to_a_held_out_one_is_found():
    texts = _texts(300)
    changed = [text.replace(text.split()[0], "other", 1) for text in texts[:100]]
    fence = Fence(texts[:100], 0.7)
    assert min(jaccard(a, b) for a, b in zip(texts[:100], changed, strict=True)) > 0.7
    assert all(map(fence.close, changed))
    assert not any(map(fence.close, texts[100:]))


def test_a_held_out_question_with_words_around_it_is_found_but_not_what_a_template_makes_alike():
    template = "You are given a ticket of a customer; say in one word what it is about, and nothing else. Ticket: "
    held = [template + text for text in _texts(60, words=12)]
    fence = Fence(held, 0.8)
    other = _texts(1, seed=9, words=60)[0]
    around = [f"{other} {text.removeprefix(template)} so?" for text in held]
    assert all(map(fence.close, around))
    assert not any(fence.close(template + text) for text in _texts(60, seed=7, words=12))


@given(st.lists(st.text("abc ", max_size=40), max_size=8), st.text("abc ", max_size=40), st.floats(0.5, 1))
def test_the_fence_refuses_whatever_is_near_by_its_exact_share(held, text, near):
    # bare texts: neither spaces nor punctuation tell two texts apart
    alike = [jaccard(bare(one), bare(text)) >= near for one in held]
    assert Fence(held, near).close(text) or not any(alike)


def test_nothing_is_close_to_nothing():
    assert not Fence([], 0.8).close("anything at all")
