"""Runs on disk: whole or not at all, and found again."""

from datetime import UTC, datetime

import pytest

from evals.runs.record import Item, Run
from evals.runs.store import RunError, find_run, new_id, read_items, read_run, write_run

HEAD = {"suite_hash": "h", "targets": ("b", "a"), "started": "s", "ended": "e"}


def run(name="20260101T000000Z-ours-aaaa", suite="ours", **fields):
    return Run(**{"id": name, "suite": suite, **HEAD, **fields})


def test_items_come_back_in_the_suite_s_order(tmp_path):
    items = [
        Item(target="a", id="2"),
        Item(target="a", id="1", sample=1),
        Item(target="a", id="1"),
        Item(target="b", id="3"),
    ]
    folder = write_run(tmp_path, run(), items)
    assert [(i.target, i.id, i.sample) for i in read_items(folder)] == [
        ("b", "3", 0),
        ("a", "1", 0),
        ("a", "1", 1),
        ("a", "2", 0),
    ]
    assert read_run(folder) == run()


def test_a_run_that_cannot_be_written_leaves_nothing(tmp_path):
    with pytest.raises(TypeError):
        write_run(tmp_path, run(), [Item(target="a", id="1", prompt=object())])
    assert not list(tmp_path.glob("2026*"))


def test_runs_are_found_by_id_beginning_path_and_last(tmp_path):
    first = write_run(tmp_path, run("20260101T000000Z-ours-aaaa"), [])
    second = write_run(tmp_path, run("20260102T000000Z-other-bbbb", suite="other"), [])
    write_run(tmp_path, run("20260103T000000Z-ours-cccc", ended=""), [])
    assert find_run("20260101", tmp_path) == first
    assert find_run(str(second), tmp_path) == second
    assert find_run("last", tmp_path) == second
    assert find_run("last", tmp_path, "ours") == first
    with pytest.raises(RunError, match=r"3 runs in .* begin with '2026'"):
        find_run("2026", tmp_path)
    with pytest.raises(RunError, match="there is no run 'nope'"):
        find_run("nope", tmp_path)
    with pytest.raises(RunError, match="no finished run of the suite 'none'"):
        find_run("last", tmp_path, "none")


def test_damaged_files_are_named_with_their_line(tmp_path):
    folder = write_run(tmp_path, run(), [Item(target="a", id="1")])
    with (folder / "items.jsonl").open("a") as out:
        out.write("{}\n")
    with pytest.raises(RunError, match=r"items\.jsonl:2: not an item"):
        read_items(folder)
    (folder / "run.json").write_text("[]")
    with pytest.raises(RunError, match="not the header of a run"):
        read_run(folder)
    with pytest.raises(RunError, match=r"run\.json: is not there"):
        read_run(tmp_path)


def test_ids_sort_by_time_and_differ():
    names = [new_id("s", datetime(2026, 1, day, tzinfo=UTC)) for day in (3, 1, 2)]
    assert [name[6:8] for name in sorted(names)] == ["01", "02", "03"]
