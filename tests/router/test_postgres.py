import builtins

import pytest

from router.postgres import Dsn, PostgresError, connect, explained


def test_a_password_shows_nowhere() -> None:
    dsn = Dsn("postgresql://anna:s%40cret@127.0.0.1:1/stillhouse")
    assert str(dsn) == "postgresql://127.0.0.1:1/stillhouse"
    assert "cret" not in repr(dsn)
    assert dsn.clean("user anna, password s@cret or s%40cret\nfailed") == "user anna, password *** or *** failed"


@pytest.mark.parametrize(
    "text", ["", "host=localhost password=x", "mysql://a:geheim@b/c", "postgresql://u:geheim@h:port/d"]
)
def test_what_is_no_url_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(ValueError) as caught:
        Dsn(text)
    assert "geheim" not in str(caught.value)


def test_a_server_that_is_away_is_said_to_be_away_without_the_password() -> None:
    with pytest.raises(PostgresError, match=r"127\.0\.0\.1:1/d") as caught:
        connect(Dsn("postgresql://u:geheim@127.0.0.1:1/d"))
    assert caught.value.away
    assert "geheim" not in str(caught.value)


def test_a_url_that_the_library_cannot_read_is_not_repeated() -> None:
    with pytest.raises(PostgresError, match="cannot be read") as caught:
        connect(Dsn("postgresql://u:geheim@h/d?nonsense=1"))
    assert "geheim" not in str(caught.value)


def test_a_missing_library_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def none(name, *rest, **named):
        if name == "psycopg":
            raise ImportError(name)
        return real(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", none)
    with pytest.raises(PostgresError, match=r"stillhouse\[postgres\]"):
        connect(Dsn("postgresql://h/d"))


def test_sums_of_integers_are_integers_and_a_reader_changes_nothing(postgres_dsn: str) -> None:
    import psycopg

    dsn = Dsn(postgres_dsn)
    with connect(dsn, read_only=True) as db:
        row = db.execute("SELECT sum(x), avg(x) FROM (VALUES (1::bigint), (2)) AS v (x)").fetchone()
        assert row == (3, 1.5)
        assert isinstance(row[0], int)
        with pytest.raises(psycopg.Error) as caught:
            db.execute("CREATE TABLE t (a int)")
    assert "read-only" in str(explained(dsn, caught.value))
