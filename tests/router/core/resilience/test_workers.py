"""The laws of heavy work hold for every order of comings and goings."""

from hypothesis import given
from hypothesis import strategies as st

from router.core.resilience import Workers

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["come", "known", "end"]), st.integers(0, 4), st.integers(1, 20_000_000), st.floats(0, 2)
    ),
    max_size=80,
)


@given(STEPS, st.integers(1, 3), st.sampled_from([0.4, 0.5, 1.0]))
def test_bounds_hold_and_nobody_waits_beside_a_free_worker(steps, places, share):
    workers, there = Workers(share, places), []
    for what, number, size, took in steps:
        tenant = f"t{number}"
        if what == "end" and there:
            workers.end(there[number % len(there)], took)
        elif what != "end":
            own = sum(piece.seconds for piece in there if piece.tenant == tenant)
            piece = workers.ask(tenant, size, known=what == "known")
            if what == "come" and own and piece.state != "away":
                assert own + piece.seconds <= 4.0 * share + 1e-9, "beside other work of his only his part"
            there.append(piece)
        there = [piece for piece in there if piece.state != "away"]
        working = [piece for piece in there if piece.state == "working"]
        assert len(working) == workers.working <= places
        held = [sum(piece.tenant == f"t{t}" for piece in working) for t in range(5)]
        part = -(-places * share // 1)
        assert max(held) <= part
        waiting = [piece for piece in there if piece.state == "waiting"]
        assert len(working) == places or all(held[int(piece.tenant[1])] == part for piece in waiting)
        assert abs(workers.backlog - sum(piece.seconds for piece in there)) < 1e-6
    for piece in there:
        workers.end(piece, 0.1)
    assert (workers.working, workers.backlog, workers._there, workers._given) == (0, 0.0, {}, {})


def test_tenants_get_the_same_time_whatever_the_size_of_their_pieces():
    workers, took, waiting = Workers(places=1), {"big": 0.0, "small": 0.0}, []
    cost, size = {"big": 0.5, "small": 0.02}, {"big": 5_000_000, "small": 200_000}
    for _ in range(8):
        waiting += [workers.ask("big", size["big"], known=True)]
    for _ in range(200):
        waiting += [workers.ask("small", size["small"], known=True)]
    while all(sum(piece.tenant == who for piece in waiting) > 1 for who in took):
        now = next(piece for piece in waiting if piece.state == "working")
        took[now.tenant] += cost[now.tenant]
        workers.end(now, cost[now.tenant])
        waiting.remove(now)
    assert abs(took["big"] - took["small"]) <= 2 * cost["big"]


def test_who_was_away_is_owed_nothing():
    workers = Workers(places=1)
    old = [workers.ask("old", 1_000_000, known=True) for _ in range(30)]
    for piece in old[:20]:
        workers.end(piece, 0.1)
    new = [workers.ask("new", 1_000_000, known=True) for _ in range(10)]
    order = []
    while any(piece.state == "working" for piece in (*old, *new)):
        now = next(piece for piece in (*old, *new) if piece.state == "working")
        order.append(now.tenant)
        workers.end(now, 0.1)
    assert max(len(run) for run in "".join(who[0] for who in order[:18]).split("o")) <= 2, order


def test_a_tenant_whose_part_is_used_is_told_at_once_when_to_come_again_and_others_are_not():
    workers = Workers(share=0.5)
    while workers.ask("bad", 5_000_000).state != "away":
        pass
    assert workers.full("bad", 5_000_000) >= 1
    assert workers.refused == 1
    assert workers.full("good", 5_000_000) == 0
    assert workers.ask("good", 5_000_000).state == "working", "the second worker is not for the bad one"
