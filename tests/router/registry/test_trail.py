"""The log: appended to, read back, and any change of it seen."""

import json
import multiprocessing
import resource

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.registry import trail
from router.registry.trail import Draft, TrailError


def write(path, n, **given):
    for i in range(n):
        trail.append(path, 1_000 + i, lambda _: Draft(by="ana", kind="did", proposal="p-1", data={"i": 1}, **given))


def test_there_is_nothing_where_nothing_was_written(tmp_path):
    assert trail.read(tmp_path / "log") == ()
    assert not trail.unfinished(tmp_path / "log")


def test_entries_are_numbered_and_hold_the_one_before(tmp_path):
    write(tmp_path / "log", 3)
    entries = trail.read(tmp_path / "log")
    assert [entry.n for entry in entries] == [1, 2, 3]
    assert [entry.before for entry in entries] == [trail.FIRST, *(entry.hash for entry in entries[:2])]
    assert entries[0].at == "1970-01-01T00:00:01Z"
    assert (tmp_path / "log").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    "harm",
    [
        lambda lines: [lines[0].replace("ana", "eve"), *lines[1:]],
        lambda lines: [lines[0], *lines[2:]],
        lambda lines: [lines[1], lines[0], *lines[2:]],
        lambda lines: [lines[0], lines[0], *lines[1:]],
        lambda lines: [*lines[:2], "no entry"],
        lambda lines: [json.dumps({**json.loads(lines[0]), "more": 1}), *lines[1:]],
        lambda lines: lines[1:],
    ],
    ids=["a name", "a line gone", "two swapped", "one twice", "no json", "a field more", "the first gone"],
)
def test_a_changed_log_is_refused_with_its_line(tmp_path, harm):
    path = tmp_path / "log"
    write(path, 3)
    path.write_text("\n".join(harm(path.read_text().splitlines())) + "\n")
    with pytest.raises(TrailError, match=r"log:\d: "):
        trail.read(path)
    with pytest.raises(TrailError):
        write(path, 1)


def test_an_entry_that_a_full_disk_cut_off_is_none_and_says_so(tmp_path):
    path = tmp_path / "log"
    write(path, 2)
    before = path.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 40, hard))
    try:
        with pytest.raises(TrailError, match="Nothing was done"):
            write(path, 1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == before
    write(path, 1)
    assert [entry.n for entry in trail.read(path)] == [1, 2, 3]


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_no_changed_letter_goes_unseen(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("log") / "log"
    write(path, 2)
    raw = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, len(raw) - 2))
    raw[at] = data.draw(st.integers(32, 126).filter(lambda c: c != raw[at]))
    path.write_bytes(bytes(raw))
    with pytest.raises(TrailError):
        trail.read(path)


def test_a_line_cut_off_while_it_was_written_counts_for_nothing_and_is_replaced(tmp_path):
    path = tmp_path / "log"
    write(path, 2)
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"n": 3, "by"')
    assert trail.unfinished(path)
    assert len(trail.read(path)) == 2
    write(path, 1)
    assert [entry.n for entry in trail.read(path)] == [1, 2, 3]
    assert not trail.unfinished(path)


def test_what_decides_sees_all_that_stands_and_may_write_nothing(tmp_path):
    path = tmp_path / "log"
    write(path, 2)
    assert trail.append(path, 1, lambda entries: None if len(entries) == 2 else Draft(by="a", kind="b")) is None
    assert len(trail.read(path)) == 2


def test_time_never_runs_back_in_the_log(tmp_path):
    path = tmp_path / "log"
    for at in (5_000, 1_000):
        trail.append(path, at, lambda _: Draft(by="ana", kind="did"))
    assert [entry.at_ms for entry in trail.read(path)] == [5_000, 5_000]


def _many(path):
    write(path, 20)


def test_writers_come_one_after_the_other(tmp_path):
    path = tmp_path / "log"
    with multiprocessing.get_context("fork").Pool(3) as pool:
        pool.map(_many, [path] * 3)
    assert [entry.n for entry in trail.read(path)] == list(range(1, 61))


def test_a_home_that_cannot_be_written_is_said_in_words(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(TrailError, match="writable"):
        write(tmp_path / "file" / "log", 1)
