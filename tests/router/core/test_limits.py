"""Limits: whatever cells ask, report, repeat or leave behind, the law of the books holds."""

from hypothesis import given, settings
from hypothesis import strategies as st

from router.core.limits import (
    SLOT_MS,
    TTL_MS,
    Allowance,
    Book,
    Cap,
    Purse,
    ends_ms,
    slot_of,
    state_of,
    turn,
)

NOW = 1_790_000_000_000


def talk(book, purse, now=NOW):
    """One round with the store."""
    ask = purse.ask()
    purse.take_in(ask, turn(book, ask, now), now)


def draw(book, purse, floor, want=None, now=NOW):
    purse.asked_floor, purse.asked_want = floor, floor if want is None else want
    talk(book, purse, now)


def purse(kind="day", limit=100, name="a", now=NOW):
    return Purse(name, Cap("tenant:x", kind, limit), slot_of(kind, now))


def test_an_allowance_names_its_meters_and_money_becomes_nano_dollars():
    caps = Allowance(requests_per_minute=3, usd_per_day=0.25).caps("key:k")
    assert caps == (Cap("key:k", "requests", 3), Cap("key:k", "day", 250_000_000))


def test_what_an_allowance_leaves_open_the_usual_one_says():
    own = Allowance(parallel=2).over(Allowance(parallel=9, tokens_per_minute=5))
    assert own == Allowance(parallel=2, tokens_per_minute=5)


def test_a_month_and_a_day_end_where_the_calendar_says():
    assert ends_ms("month", slot_of("month", 1_764_547_199_999)) == 1_764_547_200_000  # 2025-11-30T23:59:59.999Z
    assert ends_ms("month", slot_of("month", 1_764_547_200_000)) == 1_767_225_600_000  # 2026-01-01
    assert ends_ms("day", slot_of("day", NOW)) % 86_400_000 == 0
    assert slot_of("month", ends_ms("month", slot_of("month", NOW))) == slot_of("month", NOW) + 1


def test_money_is_reserved_then_settled_with_what_it_cost():
    book, p = Book(), purse()
    draw(book, p, 40)
    p.take(40)
    assert p.free(NOW) == 0
    p.settle(40, 7)
    talk(book, p)
    assert state_of(book, "day", NOW).used == 7
    talk(book, p)
    assert state_of(book, "day", NOW) == (7, 0, 0, ends_ms("day", slot_of("day", NOW)))


def test_a_report_that_is_repeated_counts_once():
    book, p = Book(), purse()
    draw(book, p, 40)
    p.take(40)
    p.settle(40, 30)
    ask = p.ask()
    assert turn(book, ask, NOW) == turn(book, ask, NOW)
    assert state_of(book, "day", NOW).used == 30


def test_what_does_not_fit_is_not_granted_in_part():
    book, a, b = Book(), purse(name="a"), purse(name="b")
    draw(book, a, 80)
    draw(book, b, 30)
    assert (a.free(NOW), b.free(NOW), b.others) == (80, 0, 80)


def test_one_who_found_nothing_makes_the_others_give_back_what_lies_idle():
    book, a, b = Book(), purse(name="a", limit=1000), purse(name="b", limit=1000)
    draw(book, a, 10)
    a.take(10)
    draw(book, a, 900)  # in hand: nobody takes it
    draw(book, b, 200)
    assert b.free(NOW) == 0
    talk(book, a)
    draw(book, b, 200)
    assert b.free(NOW) >= 200
    assert a.free(NOW) == 0
    assert a.reserved == 10


def test_near_the_limit_nothing_is_kept_in_hand():
    book, a = Book(), purse(limit=20)
    for _ in range(18):
        draw(book, a, 1)
        a.take(1)
        a.settle(1, 1)
    draw(book, a, 1)
    assert a.lease - (a.total - a.told) <= 1


def test_a_lease_of_money_whose_cell_died_is_spent_until_its_day_ends():
    book, a, b = Book(), purse(name="a"), purse(name="b")
    draw(book, a, 80)
    later = NOW + 10 * TTL_MS
    draw(book, b, 30, now=later)
    assert b.free(later) == 0
    assert b.others == 0  # it will not come back: nobody need wait for it
    assert state_of(book, "day", later).forfeited == 80
    tomorrow = ends_ms("day", slot_of("day", NOW))
    c = purse(name="c", now=tomorrow)
    draw(book, c, 100, now=tomorrow)
    assert c.free(tomorrow) == 100


def test_calls_in_parallel_end_with_their_cell_and_not_before():
    book, a, b = Book(), purse("parallel", 2, "a"), purse("parallel", 2, "b")
    draw(book, a, 2)
    a.take(2)
    draw(book, b, 1, now=NOW + TTL_MS - 1)
    assert b.free(NOW + TTL_MS - 1) == 0
    assert a.free(NOW + TTL_MS) == 0
    draw(book, b, 1, now=NOW + TTL_MS)
    assert b.free(NOW + TTL_MS) == 1


def test_a_minute_slides_and_says_when_there_is_room():
    book = Book()
    start = slot_of("requests", NOW) * SLOT_MS
    for i in range(3):
        at = start + i * SLOT_MS
        p = purse("requests", 3, f"p{i}", at)
        draw(book, p, 1, now=at)
        p.take(1)
        talk(book, p, at)
        talk(book, p, at)
    late = start + 3 * SLOT_MS
    p = purse("requests", 3, "late", late)
    draw(book, p, 1, now=late)
    assert p.free(late) == 0
    assert p.frees == start + 13 * SLOT_MS
    p = purse("requests", 3, "free", p.frees)
    draw(book, p, 1, now=p.slot * SLOT_MS)
    assert p.free(p.slot * SLOT_MS) == 1


def test_clocks_that_jump_ahead_and_back_lock_nobody_out():
    book = Book()
    ahead = NOW + 3_600_000
    p = purse("requests", 5, "ahead", ahead)
    draw(book, p, 5, now=ahead)
    p.take(5)
    talk(book, p, ahead)
    q = purse("requests", 5, "back")
    draw(book, q, 5)
    assert q.free(NOW) == 5


STEPS = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.sampled_from(["draw", "take", "settle", "talk", "repeat", "die", "lose"]),
        st.integers(1, 60),
    ),
    max_size=80,
)


@given(STEPS, st.sampled_from(["day", "month", "requests", "tokens", "parallel"]), st.integers(1, 150))
@settings(max_examples=150, deadline=None)
def test_used_and_leased_never_exceed_the_limit_and_nothing_is_spent_without_a_lease(steps, kind, limit):
    book = Book()
    names = iter(range(10_000))
    cells = [purse(kind, limit, str(next(names))) for _ in range(4)]
    flights = [[] for _ in cells]
    truth = 0  # what was really used, by the living and the dead
    dead = 0  # bounds of what was in the air when its cell died: perhaps used
    now = NOW
    for who, what, amount in steps:
        p = cells[who]
        if what == "draw":
            draw(book, p, amount, 2 * amount, now)
        elif what == "take" and p.free(now) >= amount:
            p.take(amount)
            flights[who].append(amount)
            truth += amount if kind in ("requests", "tokens") else 0
        elif what == "settle" and flights[who]:
            held = flights[who].pop()
            actual = held // 2
            p.settle(held, actual)
            if kind in ("requests", "tokens"):
                truth += actual - held
            elif kind != "parallel":
                truth += actual
        elif what == "talk":
            talk(book, p, now)
        elif what == "repeat":
            ask = p.ask()
            turn(book, ask, now)
            p.take_in(ask, turn(book, ask, now), now)
        elif what == "lose":  # the store did it, or not; the answer never came
            turn(book, p.ask(), now) if amount % 2 else p.ask()
        elif what == "die":
            dead += sum(flights[who]) if kind in ("day", "month") else 0
            cells[who], flights[who] = purse(kind, limit, str(next(names))), []
            if kind == "parallel":
                now += TTL_MS
                for other in cells:
                    talk(book, other, now)
        state = state_of(book, kind, now)
        assert state.used + state.leased + state.forfeited <= limit
        assert truth + dead <= limit
        if kind == "parallel":
            assert sum(sum(held) for held in flights) <= limit
        assert all(cell.lease - (cell.total - cell.told) - cell.reserved >= 0 for cell in cells)
