"""The gateways' memory of what they counted."""

import pytest

from router.registry import counts


def test_a_turn_keeps_what_it_leaves_and_a_failed_one_nothing(home):
    with counts.turn(home, "p-1", "a") as turn:
        assert turn.body is None
        turn.body = "one"
    with pytest.raises(RuntimeError), counts.turn(home, "p-1", "a") as turn:
        turn.body = "two"
        assert turn.first("quality", "s")
        raise RuntimeError
    with counts.turn(home, "p-1", "a") as turn:
        assert turn.body == "one"
        assert turn.first("quality", "s")


def test_a_unit_counts_once_by_each_signal_over_all_ledgers(home):
    with counts.turn(home, "p-1", "a") as turn:
        assert [turn.first("quality", "s"), turn.first("quality", "s"), turn.first("errors", "s")] == [
            True,
            False,
            True,
        ]
    with counts.turn(home, "p-1", "b") as turn:
        assert not turn.first("quality", "s")
    with counts.turn(home, "p-2", "b") as turn:
        assert turn.first("quality", "s")
    counts.forget(home, "p-1")
    with counts.turn(home, "p-1", "a") as turn:
        assert turn.first("quality", "s")


def test_other_ledgers_are_seen_and_other_roll_outs_are_not(home):
    for rollout, ledger in (("p-1", "a"), ("p-1", "b"), ("p-2", "c")):
        with counts.turn(home, rollout, ledger) as turn:
            turn.body = ledger
    with counts.turn(home, "p-1", "a") as turn:
        assert turn.others() == ["b"]
    assert counts.bodies(home, "p-1") == ["a", "b"]


def test_nothing_was_counted_where_there_is_no_file_or_an_empty_one(home):
    assert counts.bodies(home, "p-1") == []
    counts.path(home).parent.mkdir(parents=True)
    counts.path(home).write_bytes(b"")
    assert counts.bodies(home, "p-1") == []
