"""Captured texts on disk: written masked, kept in time, gone when erased, sealed where a key is given."""

import sqlite3
import stat
import sys

import pytest

from router.core.captures import Capture, Rejected, Said, Unchecked
from router.ledger.captures import Captures, captures_path, erase_captures, expire, held, read_captures
from router.ledger.db import LedgerError
from router.ledger.sealing import Seal, SealError

KEY = "0f" * 32
OTHER = "f0" * 32


def capture(number=1, **more):
    given = {
        "id": f"req_{number}", "at_ms": 1_000 + number, "until_ms": 5_000, "tenant": "acme", "policy": "p",
        "messages": (Said("user", f"Question {number}?"),), "answer": "An answer.", "tier": "large", "model": "m",
        "rejected": (Rejected(tier="small", model="s", text="A worse one."),),
    }  # fmt: skip
    return Capture(**{**given, **more})


def write(path, *captures, seal=None):
    store = Captures(path, seal)
    for each in captures:
        store.record(lambda each=each: each)
    store.close()
    return store


def test_what_was_written_is_read_back_in_order(tmp_path):
    made = [capture(number) for number in range(1, 1203)]
    store = Captures(tmp_path / "c")
    for start in range(0, len(made), 200):
        for each in made[start : start + 200]:
            store.record(lambda each=each: each)
        assert store.flush()
    store.close()
    assert list(read_captures(tmp_path / "c")) == made
    assert (store.kept, store.full, store.lost) == (len(made), 0, 0)


def test_nothing_is_made_before_the_first_capture(tmp_path):
    Captures(tmp_path / "c").close()
    assert not (tmp_path / "c").exists()


def test_only_the_owner_reads_the_file(tmp_path):
    write(tmp_path / "in" / "c", capture())
    assert stat.S_IMODE((tmp_path / "in" / "c").stat().st_mode) == 0o600


def test_the_same_request_enters_once(tmp_path):
    store = write(tmp_path / "c", capture(), capture(answer="Another."))
    assert [each.answer for each in read_captures(tmp_path / "c")] == ["An answer."]
    assert store.kept == 1


def test_a_capture_whose_time_is_over_is_removed_and_not_read(tmp_path):
    write(tmp_path / "c", capture(1, until_ms=2_000), capture(2, until_ms=3_000))
    assert [each.id for each in read_captures(tmp_path / "c", now_ms=2_000)] == ["req_2"]
    assert expire(tmp_path / "c", 2_000) == 1
    assert [each.id for each in read_captures(tmp_path / "c")] == ["req_2"]
    assert expire(tmp_path / "nowhere", 2_000) == 0


def test_an_erased_tenant_leaves_no_byte(tmp_path):
    said = "the words of a tenant who leaves"
    write(tmp_path / "c", *(capture(n, tenant="leaver", answer=said) for n in range(40)), capture(99))
    assert said.encode() in (tmp_path / "c").read_bytes()
    assert erase_captures(tmp_path / "c", "leaver") == 40
    assert [each.id for each in read_captures(tmp_path / "c")] == ["req_99"]
    assert all(said.encode() not in file.read_bytes() for file in tmp_path.glob("c*"))
    assert held(tmp_path / "c").tenants == ("acme",)


def test_what_cannot_be_made_is_counted_and_never_written(tmp_path, caplog):
    def unchecked():
        raise Unchecked

    def broken():
        raise ValueError("SECRET-CANARY")

    store = Captures(tmp_path / "c")
    for make in (unchecked, broken, capture):
        store.record(make)
    store.close()
    assert (store.kept, store.unchecked, store.lost) == (1, 1, 1)
    assert "SECRET-CANARY" not in caplog.text
    assert "ValueError" in caplog.text


def test_where_there_is_no_room_captures_are_left_out(tmp_path, monkeypatch):
    monkeypatch.setattr("router.ledger.captures.ROOM", 0)
    store = write(tmp_path / "c", capture())
    assert (store.kept, store.full) == (0, 1)


def test_a_file_of_another_program_is_refused_and_left_alone(tmp_path, caplog):
    db = sqlite3.connect(tmp_path / "c")
    db.execute("CREATE TABLE theirs (x)")
    db.close()
    before = (tmp_path / "c").read_bytes()
    with pytest.raises(LedgerError, match="another program's"):
        Captures(tmp_path / "c").check()
    assert write(tmp_path / "c", capture()).lost == 1
    assert "cannot be written" in caplog.text
    with pytest.raises(LedgerError, match="another program's"):
        list(read_captures(tmp_path / "c"))
    assert (tmp_path / "c").read_bytes() == before


def test_captures_lie_beside_the_ledger(tmp_path):
    assert captures_path(tmp_path / "ledger.db") == tmp_path / "ledger.db.captures"


def test_reading_captures_that_are_not_there_says_how_they_come(tmp_path):
    with pytest.raises(LedgerError, match="a policy with 'capture' makes them"):
        list(read_captures(tmp_path / "c"))
    assert held(tmp_path / "c").captures == 0


# --- sealed


def test_a_key_without_the_library_is_refused(monkeypatch):
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.ciphers.aead", None)
    monkeypatch.setitem(sys.modules, "cryptography.exceptions", None)
    with pytest.raises(SealError, match=r"pip install 'stillhouse\[encrypt\]'"):
        Seal(KEY)


@pytest.mark.parametrize("key", ["", "short", "g" * 64, "0" * 63])
def test_what_is_no_key_is_refused_and_not_repeated(key):
    with pytest.raises(SealError, match="64 hex digits") as refused:
        Seal(key)
    assert not key or key not in str(refused.value)


@pytest.fixture
def seal():
    pytest.importorskip("cryptography", reason="the extra 'encrypt' is not installed")
    return Seal(KEY)


def test_a_sealed_file_shows_no_text(tmp_path, seal):
    write(tmp_path / "c", capture(), seal=seal)
    raw = (tmp_path / "c").read_bytes()
    assert not any(word in raw for word in (b"Question", b"An answer", b"A worse one"))
    assert list(read_captures(tmp_path / "c", seal)) == [capture()]


def test_a_sealed_file_opens_with_its_key_only(tmp_path, seal):
    write(tmp_path / "c", capture(), seal=seal)
    with pytest.raises(SealError, match="no key is given"):
        list(read_captures(tmp_path / "c"))
    with pytest.raises(SealError, match=f"with the key {seal.id}, and the key given is {Seal(OTHER).id}"):
        list(read_captures(tmp_path / "c", Seal(OTHER)))


def test_a_capture_that_was_moved_to_another_tenant_does_not_open(tmp_path, seal):
    write(tmp_path / "c", capture(), seal=seal)
    db = sqlite3.connect(tmp_path / "c")
    with db:
        db.execute("UPDATE captures SET tenant = 'other'")
    db.close()
    with pytest.raises(SealError, match="was moved"):
        list(read_captures(tmp_path / "c", seal))
