"""The cache of answers: it keeps what it was given, for several processes, under exact names."""

import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.runs.cache import Cache, CacheError
from evals.runs.places import digest
from evals.runs.reply import Reply

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@given(JSON, JSON)
def test_equal_things_have_equal_names_and_others_have_others(one, two):
    assert (digest(one) == digest(two)) == (repr_of(one) == repr_of(two))


def repr_of(value):
    """Types told apart: 1 is not true."""
    if isinstance(value, dict):
        return {key: repr_of(item) for key, item in value.items()}
    if isinstance(value, list):
        return [repr_of(item) for item in value]
    return (type(value).__name__, value)


def test_an_answer_is_there_for_everybody_at_once(tmp_path):
    path = tmp_path / "deep" / "answers.db"
    reply = Reply(text="안녕\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"), cost_nano=7, calls=1)
    with Cache(path) as one, Cache(path) as two:
        assert one.get("k") is None
        one.put("k", reply)
        assert two.get("k") == reply
        two.put("k", Reply(text="later"))
        assert one.get("k").text == "later"
        assert one.size > 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_is_kept_together_is_there_after_the_end(tmp_path):
    path = tmp_path / "answers.db"
    with Cache(path) as one:
        one.put_later("a", Reply(text="a"))
        assert one.get("a").text == "a"
        with Cache(path) as two:
            assert two.get("a") is None
            two.put("b", Reply(text="b"))  # nobody is kept waiting meanwhile
    with Cache(path) as two:
        assert (two.get("a").text, two.get("b").text) == ("a", "b")


def test_fresh_looks_at_nothing_old_but_at_its_own(tmp_path):
    path = tmp_path / "answers.db"
    with Cache(path) as old:
        old.put("a", Reply(text="old"))
    with Cache(path, fresh=True) as new:
        assert new.get("a") is None
        new.put("a", Reply(text="new"))
        assert new.get("a").text == "new"


def test_a_damaged_file_is_said_with_what_to_do(tmp_path):
    path = tmp_path / "answers.db"
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(CacheError, match=r"answers\.db: .*; delete it to start anew"):
        Cache(path)


def test_a_reply_of_another_version_is_asked_again(tmp_path):
    path = tmp_path / "answers.db"
    with Cache(path) as cache:
        cache.put("a", Reply(text="a"))
        cache._db.execute("UPDATE answers SET reply = ?", (b'{"text": 1}',))
        assert cache.get("a") is None


def test_a_file_that_was_damaged_inside_says_so(tmp_path):
    path = tmp_path / "answers.db"
    with Cache(path) as cache:
        for n in range(300):
            cache.put_later(f"k{n}", Reply(text="x" * 900))
    raw = bytearray(path.read_bytes())
    raw[8192:] = b"\xff" * (len(raw) - 8192)
    path.write_bytes(raw)
    with Cache(path) as damaged, pytest.raises(CacheError, match="delete it"):
        for n in range(300):
            damaged.get(f"k{n}")
