"""Where tenants live: the laws of rendezvous hashing, pins, and how far damage can reach."""

from itertools import combinations
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core.cells import Cells, CellsError, ranked

EIGHT = tuple(f"c{i}" for i in range(8))
TENANTS = [f"tenant-{i}" for i in range(2000)]

names = st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=12, unique=True).map(tuple)
tenant = st.text(max_size=12)


def share(hurt):
    return sum(hurt) / len(TENANTS)


@given(names, tenant, st.integers(1, 4))
def test_a_tenant_lives_in_k_different_cells_whatever_their_order(cells, who, k):
    placed = Cells(names=cells, per_tenant=k).of(who)
    assert len(placed) == len(set(placed)) == min(k, len(cells))
    assert set(placed) <= set(cells)
    assert placed == Cells(names=cells[::-1], per_tenant=k).of(who)


@given(names, tenant)
def test_every_cell_has_a_rank(cells, who):
    assert sorted(ranked(who, cells)) == sorted(cells)


@given(names, tenant, st.text(min_size=1, max_size=8))
def test_a_new_cell_takes_places_and_moves_nobody_between_old_ones(cells, who, new):
    if new in cells:
        return
    before, after = Cells(names=cells).of(who), Cells(names=(*cells, new)).of(who)
    assert [cell for cell in after if cell != new] == list(before)[: len(after) - (new in after)]


@given(names, tenant)
def test_a_removed_cell_moves_only_those_who_lived_there(cells, who):
    before = Cells(names=cells).of(who)
    for gone in cells:
        left = tuple(cell for cell in cells if cell != gone)
        if left and gone not in before:
            assert Cells(names=left).of(who) == before
        elif left and len(left) >= len(before):
            assert [c for c in before if c != gone] == [c for c in Cells(names=left).of(who) if c in before]


@given(names, tenant, tenant, st.data())
def test_a_moved_tenant_moves_alone_and_can_return(cells, who, other, data):
    at_first = Cells(names=cells)
    to = data.draw(st.lists(st.sampled_from(cells), min_size=1, max_size=3, unique=True))
    moved = at_first.moved(who, *to)
    assert moved.of(who) == tuple(to)
    assert other == who or moved.of(other) == at_first.of(other)
    assert moved.moved(who) == at_first


def test_the_places_stay_what_they_were_in_every_release():
    """A change of the hash would move every tenant of every installation at its next start."""
    cells = Cells(names=EIGHT)
    assert cells.of("acme") == ("c0", "c2")
    assert cells.of("globex") == ("c7", "c2")
    assert cells.of("") == ("c4", "c3")


def test_tenants_are_spread_evenly_over_pairs():
    cells = Cells(names=EIGHT)
    pairs = [frozenset(cells.of(who)) for who in TENANTS]
    mean = len(TENANTS) / comb(8, 2)
    counts = [pairs.count(frozenset(pair)) for pair in combinations(EIGHT, 2)]
    # chi-squared with 27 degrees of freedom stays under 55.5 with a chance of 999 in 1000
    assert sum((count - mean) ** 2 / mean for count in counts) < 55.5


def test_adding_a_ninth_cell_moves_only_its_share():
    before, after = Cells(names=EIGHT), Cells(names=(*EIGHT, "c8"))
    moved = share(before.of(who) != after.of(who) for who in TENANTS)
    assert moved == share("c8" in after.of(who) for who in TENANTS)
    assert moved == pytest.approx(2 / 9, abs=0.03)


@pytest.mark.parametrize(
    ("cells", "k", "down_by_poison", "touched_by_poison", "touched_by_death"),
    [(4, 1, 0.25, 0.25, 0.25), (8, 1, 0.125, 0.125, 0.125), (8, 2, 1 / 28, 13 / 28, 0.25),
     (16, 2, 1 / 120, 29 / 120, 0.125), (32, 2, 1 / 496, 61 / 496, 1 / 16)],
)  # fmt: skip
def test_damage_reaches_as_far_as_the_theory_says(cells, k, down_by_poison, touched_by_poison, touched_by_death):
    """One tenant breaks every cell it can reach; one cell dies. Shares of the other tenants, over 40 poison tenants."""
    placed = Cells(names=tuple(f"c{i}" for i in range(cells)), per_tenant=k)
    where = {who: set(placed.of(who)) for who in TENANTS}
    poisons = TENANTS[:40]
    down = sum(share(where[who] <= where[bad] for who in TENANTS) for bad in poisons) / len(poisons)
    touched = sum(share(bool(where[who] & where[bad]) for who in TENANTS) for bad in poisons) / len(poisons)
    assert down == pytest.approx(down_by_poison, rel=0.25, abs=0.002)
    assert touched == pytest.approx(touched_by_poison, rel=0.15)
    assert share("c0" in cells for cells in where.values()) == pytest.approx(touched_by_death, rel=0.15)
    if k > 1:
        assert not any(cells <= {"c0"} for cells in where.values())


def test_residents_are_listed_by_home_and_by_stand_in():
    cells = Cells(names=("a", "b", "c"), pins={"x": ("a", "b"), "y": ("b", "a"), "z": ("c",)})
    assert cells.residents(["x", "y", "z"]) == {"a": (["x"], ["y"]), "b": (["y"], ["x"]), "c": (["z"], [])}


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"names": ()}, "there has to be a cell"),
        ({"names": ("a", "a")}, "'a' stands twice"),
        ({"names": ("a",), "per_tenant": 0}, "per_tenant must be 1 or more"),
        ({"names": ("a",), "pins": {"x": ("b",)}}, "'b', which is no cell"),
        ({"names": ("a",), "pins": {"x": ("a", "a")}}, "stands twice"),
        ({"names": ("a",), "pins": {"x": ()}}, "names no cell"),
    ],
)
def test_cells_that_cannot_be_are_refused(wrong, words):
    with pytest.raises(CellsError, match=words):
        Cells(**wrong)
