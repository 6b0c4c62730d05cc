"""One contract, two stores: SQLite and PostgreSQL."""

import threading

import pytest

from router.core.limits import Ask, Cap, Purse, slot_of, state_of
from router.postgres import Dsn
from router.state.postgres import PostgresStore
from router.state.sqlite import SqliteStore
from router.state.store import StoreAway, open_store

DAY = Cap("tenant:acme", "day", 1_000)


@pytest.fixture(params=["sqlite", "postgres"])
def connect(request, tmp_path):
    """Makes stores over one and the same home."""
    made = []
    dsn = request.getfixturevalue("postgres_dsn") if request.param == "postgres" else None

    def one():
        store = PostgresStore(Dsn(dsn)) if dsn else SqliteStore(tmp_path / "limits.db")
        made.append(store)
        return store

    yield one
    for store in made:
        store.close()


def day_of(store):
    now, kept = store.books([DAY.subject])
    return slot_of("day", now), {(k.subject, k.kind): state_of(k.book, k.kind, now) for k in kept}


def test_an_empty_store_knows_nobody(connect):
    assert day_of(connect())[1] == {}


def test_what_one_cell_holds_another_cannot_have(connect):
    slot, _ = day_of(connect())
    first = connect().turn([Ask("a", DAY, slot, 0, 0, 700, 700)])
    second = connect().turn([Ask("b", DAY, slot, 0, 0, 700, 700)])
    assert first.grants[0].amount == 700
    assert (second.grants[0].amount, second.grants[0].others) == (0, 700)


def test_reports_are_kept_and_a_repeated_one_counts_once(connect):
    store = connect()
    slot, _ = day_of(store)
    store.turn([Ask("a", DAY, slot, 0, 0, 700, 700)])
    for _ in range(2):
        store.turn([Ask("a", DAY, slot, 250, 0)])
    store.close()
    assert day_of(connect())[1]["tenant:acme", "day"][:3] == (250, 0, 0)


def test_many_meters_are_answered_in_the_order_asked(connect):
    slot, _ = day_of(connect())
    caps = [Cap(f"key:{name}", "day", 10 * i) for i, name in enumerate("zaqé", start=1)]
    turned = connect().turn([Ask("a", cap, slot, 0, 0, cap.limit, cap.limit) for cap in caps])
    assert [grant.amount for grant in turned.grants] == [10, 20, 30, 40]


def test_many_cells_at_once_share_what_there_is_and_no_more(connect):
    """Each takes the meters in an order of its own; nobody waits for good and nothing is lost."""
    caps = [Cap(f"key:{i}", "day", 300) for i in range(4)]
    slot, _ = day_of(connect())
    spent = [0] * 6

    def cell(number, store):
        purses = [Purse(f"{number}-{i}", cap, slot) for i, cap in enumerate(caps)]
        if number % 2:
            purses.reverse()
        for _ in range(15):
            for purse in purses:
                purse.asked_floor = purse.asked_want = 7
            asks = [purse.ask() for purse in purses]
            turned = store.turn(asks)
            for purse, ask, grant in zip(purses, asks, turned.grants, strict=True):
                purse.take_in(ask, grant, turned.now_ms)
                if purse.free(turned.now_ms) >= 7:
                    purse.take(7)
                    purse.settle(7, 5)
                    spent[number] += 5
        store.turn([purse.ask() for purse in purses])
        store.turn([purse.ask() for purse in purses])

    threads = [threading.Thread(target=cell, args=(number, connect())) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    now, kept = connect().books([cap.subject for cap in caps])
    states = [state_of(each.book, "day", now) for each in kept]
    assert sum(spent) == sum(state.used for state in states)
    assert all(state.used <= 300 and state.forfeited == 0 for state in states)
    assert sum(spent) >= 4 * (300 - 7 * 6)


def test_a_store_that_cannot_be_reached_says_so_without_its_password(tmp_path):
    folder = tmp_path / "blocked"
    folder.write_text("a file where a folder should be")
    for store in (open_store("postgresql://u:geheim@127.0.0.1:1/d", tmp_path), open_store("", folder / "limits.db")):
        with pytest.raises(StoreAway) as caught:
            store.turn([])
        assert "geheim" not in str(caught.value)


def test_a_postgres_that_comes_back_is_used_again(postgres_dsn):
    import psycopg

    store = PostgresStore(Dsn(postgres_dsn))
    slot, _ = day_of(store)
    ask = Ask("a", DAY, slot, 0, 0, 100, 100)
    assert store.turn([ask]).grants[0].amount == 100
    with psycopg.connect(postgres_dsn, autocommit=True) as db:
        db.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'stillhouse limits'"
        )
    with pytest.raises(StoreAway):
        store.turn([ask])
    assert store.turn([ask]).grants[0].amount == 100
    store.close()


@pytest.mark.parametrize("jump", [3_600_000, -3_600_000])
def test_a_wall_clock_that_is_set_gives_away_no_place_that_is_held_and_keeps_none_of_a_dead_cell(tmp_path, jump):
    places, wall, boot = Cap("key:few", "parallel", 4), [1_790_000_000_000], [5_000]
    store = SqliteStore(tmp_path / "limits.db", lambda: wall[0], lambda: boot[0])
    assert store.turn([Ask("a", places, 0, 0, 0, 4, 4)]).grants[0].amount == 4
    wall[0] += jump
    assert store.turn([Ask("b", places, 0, 0, 0, 1, 1)]).grants[0].amount == 0
    now, kept = store.books(["key:few"])
    assert state_of(kept[0].book, "parallel", now).leased == 4
    boot[0] += 10_000  # nobody heard of the first one since
    assert store.turn([Ask("b", places, 0, 0, 0, 1, 1)]).grants[0].amount == 1
    store.close()


def test_places_of_before_a_reboot_are_free(tmp_path):
    places, boot = Cap("key:few", "parallel", 4), [90_000_000]
    store = SqliteStore(tmp_path / "limits.db", alive_ms=lambda: boot[0])
    store.turn([Ask("a", places, 0, 0, 0, 4, 4)])
    boot[0] = 7_000
    assert store.turn([Ask("b", places, 0, 0, 0, 4, 4)]).grants[0].amount == 4
    store.close()
