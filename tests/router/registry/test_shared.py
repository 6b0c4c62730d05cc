"""Two gateways with homes of their own, one registry in PostgreSQL; and the same steps on files alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from router.core.rollout import Plan
from router.postgres import Dsn, PostgresError
from router.registry import proposals, versions
from router.registry.keys import KeyStore
from router.registry.salt import explore_salt, prompt_salt
from router.registry.shared import Shared, files_of, own
from tests.postgres import Server

NOW = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture
def pair(postgres_dsn: str, postgres_server: Server, tmp_path: Path) -> Iterator[tuple[Shared, Shared]]:
    both = tuple(Shared(Dsn(postgres_dsn), tmp_path / name) for name in "ab")
    for one in both:
        one.home.mkdir()
        one.join()
    yield both
    postgres_server.start()
    for one in both:
        one.close()


@pytest.fixture(params=["files", "postgres"])
def homes(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Callable, Path, Callable]:
    """How to change a registry, and where and how another process sees it."""
    if request.param == "files":
        return (lambda: own(tmp_path)), tmp_path, (lambda: None)
    first, second = request.getfixturevalue("pair")
    return first.editing, second.home, second.look


def test_a_key_that_one_makes_the_other_knows(homes) -> None:
    change, seen, look = homes
    with change() as place:
        _, token = KeyStore.load(place / "keys.json").add("acme", now=NOW)
    look()
    key = KeyStore.load(seen / "keys.json").find(token)
    assert key is not None
    with change() as place:
        KeyStore.load(place / "keys.json").revoke(key.id, now=NOW)
    look()
    assert KeyStore.load(seen / "keys.json").find(token) is None


def test_a_proposal_goes_its_way_on_both(homes, tmp_path: Path) -> None:
    change, seen, look = homes
    files = [tmp_path / "one.yaml", tmp_path / "two.yaml"]
    for n, file in enumerate(files):
        file.write_text(
            (Path(versions.__file__).parents[2] / "policies/presets/balanced/policy.yaml").read_text() + f"\n# {n}\n"
        )
    text = files[1].read_text()
    files[1].write_text(
        text.replace("allow_degrade: false", "allow_degrade: true")
        if "allow_degrade: false" in text
        else text + "\nallow_degrade: true\n"
    )
    with change() as place:
        it = proposals.propose(place, files[1], by="ann", now_ms=1, against=files[0], why="try")
    with change() as place:
        proposals.approve(place, it.id, Plan(), by="bob", why="fine", now_ms=2, override="a test")
    look()
    standing = proposals.standing(seen)
    assert standing.one(it.id).state == "approved"
    assert versions.read(seen, it.version).hash == it.version
    with pytest.raises(proposals.ProposalError), change() as place:
        proposals.approve(place, it.id, Plan(), by="bob", why="again", now_ms=3)
    look()
    assert proposals.standing(seen).head == standing.head


def test_salts_are_one_for_all(pair) -> None:
    first, second = pair
    assert explore_salt(first.home) == explore_salt(second.home)
    assert prompt_salt(first.home) == prompt_salt(second.home)


def test_a_look_at_nothing_new_is_one_query_and_touches_no_file(pair) -> None:
    first, _ = pair
    stamps = {path: path.stat().st_mtime_ns for path in first.home.rglob("*")}
    assert not first.look()
    assert {path: path.stat().st_mtime_ns for path in first.home.rglob("*")} == stamps


def test_a_pin_comes_and_goes(pair) -> None:
    first, second = pair
    with first.editing() as place:
        (place / "pin.json").write_text('{"tier": "large"}')
    assert second.look()
    assert (second.home / "pin.json").exists()
    with second.editing() as place:
        (place / "pin.json").unlink()
    assert first.look()
    assert not (first.home / "pin.json").exists()


def test_what_fails_half_way_is_nowhere(pair) -> None:
    first, second = pair
    before = files_of(first.home)
    with pytest.raises(RuntimeError), first.editing() as place:
        KeyStore.load(place / "keys.json").add("acme", now=NOW)
        raise RuntimeError("power cut")
    assert not second.look()
    assert files_of(first.home) == files_of(second.home) == before


def test_while_the_server_is_away_the_last_state_is_served_and_nothing_changes(pair, postgres_server: Server) -> None:
    first, _ = pair
    with first.editing() as place:
        _, token = KeyStore.load(place / "keys.json").add("acme", now=NOW)
    postgres_server.stop()
    with pytest.raises(PostgresError) as caught:
        first.look()
    assert caught.value.away
    with pytest.raises(PostgresError), first.editing():
        raise AssertionError("never reached")
    restarted = Shared(first.dsn, first.home)
    with pytest.raises(PostgresError):
        restarted.join()
    assert KeyStore.load(first.home / "keys.json").find(token) is not None
    postgres_server.start()
    assert not first.look()


def test_a_home_with_a_registry_of_its_own_is_not_overwritten(pair, tmp_path: Path) -> None:
    first, _ = pair
    with first.editing() as place:
        KeyStore.load(place / "keys.json").add("acme", now=NOW)
    other = Shared(first.dsn, tmp_path / "c")
    KeyStore.load(other.home / "keys.json").add("else", now=NOW)
    mine = files_of(other.home)
    with pytest.raises(PostgresError, match="registry already"):
        other.join()
    assert files_of(other.home) == mine
    other.close()


def test_a_name_that_leads_out_of_the_home_is_not_taken(pair, postgres_server: Server) -> None:
    from router.postgres import connect

    first, second = pair
    with connect(first.dsn) as db:
        db.execute("INSERT INTO stillhouse_registry.files VALUES ('../evil', 'x'), ('registry/versions/../x', 'x')")
        db.execute("UPDATE stillhouse_registry.state SET revision = revision + 1")
    assert second.look()
    assert not list(second.home.parent.glob("evil"))
