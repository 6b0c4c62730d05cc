import json
import stat
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from router.registry.keys import HEADERS, SCOPES, KeyFileError, KeyStore

NOW = datetime(2026, 11, 24, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "own" / "keys.json"


def test_a_missing_file_holds_no_keys(path: Path) -> None:
    store = KeyStore.load(path)
    assert store.keys == ()
    assert store.find("sk-stillhouse-a-b") is None
    assert not path.exists()


def test_a_token_finds_its_key_here_and_after_loading(path: Path) -> None:
    store = KeyStore.load(path)
    key, token = store.add("acme", now=NOW, scopes=["chat"], headers=["tier"], models=["auto"], note="the shop")
    assert token.startswith(f"sk-stillhouse-{key.id}-")
    assert store.find(token) == key
    loaded = KeyStore.load(path)
    assert loaded.find(token) == key
    assert (key.tenant, key.scopes, key.headers, key.models, key.note) == (
        "acme",
        ("chat",),
        ("tier",),
        ("auto",),
        "the shop",
    )


@pytest.mark.parametrize(
    "spoil",
    [
        lambda t: t[:-1],
        lambda t: t + "A",
        lambda t: t.upper(),
        lambda _t: "",
        lambda t: t + "é",
        lambda t: t * 1000,
    ],
)
def test_any_other_token_finds_nothing(path: Path, spoil) -> None:
    store = KeyStore.load(path)
    _, token = store.add("acme", now=NOW)
    assert store.find(spoil(token)) is None


def test_the_file_never_holds_the_secret_and_is_the_owners_alone(path: Path) -> None:
    key, token = KeyStore.load(path).add("acme", now=NOW)
    text = path.read_text()
    assert token.removeprefix(f"sk-stillhouse-{key.id}-") not in text
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert sorted(p.name for p in path.parent.iterdir()) == [".keys.json.lock", "keys.json"]


def test_a_revoked_key_is_refused_and_remembered(path: Path) -> None:
    store = KeyStore.load(path)
    key, token = store.add("acme", now=NOW)
    store.revoke(key.id, now=NOW)
    assert store.find(token) is None
    again = KeyStore.load(path)
    assert again.find(token) is None
    assert [(k.id, k.revoked) for k in again.keys] == [(key.id, NOW)]
    assert again.revoke(key.id, now=NOW + timedelta(days=1)).revoked == NOW


def test_revoking_an_unknown_id_says_so(path: Path) -> None:
    with pytest.raises(KeyError):
        KeyStore.load(path).revoke("nobody", now=NOW)


def test_a_key_expires_at_its_moment(path: Path) -> None:
    key, _ = KeyStore.load(path).add("acme", now=NOW, expires=NOW + timedelta(days=1))
    end = int((NOW + timedelta(days=1)).timestamp() * 1000)
    assert [key.expired(end - 1), key.expired(end)] == [False, True]
    forever, _ = KeyStore.load(path).add("acme", now=NOW)
    assert not forever.expired(end * 10)


def test_the_usual_key_may_neither_administer_nor_choose_policy_or_tier(path: Path) -> None:
    key, _ = KeyStore.load(path).add("acme", now=NOW)
    assert set(SCOPES) - set(key.scopes) == {"admin", "media"}
    assert set(HEADERS) - set(key.headers) == {"policy", "tier", "guard-tag", "priority"}


def test_editors_at_the_same_time_lose_nothing(path: Path) -> None:
    stores = [KeyStore.load(path) for _ in range(8)]
    threads = [threading.Thread(target=store.add, args=("acme",), kwargs={"now": NOW}) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(KeyStore.load(path).keys) == 8


@pytest.mark.parametrize("tenant", ["", "-a", "a b", "a/b", "x" * 65, "가"])
def test_a_tenant_needs_a_plain_name(path: Path, tenant: str) -> None:
    with pytest.raises(ValueError, match="cannot name a tenant"):
        KeyStore.load(path).add(tenant, now=NOW)


def entry(**changes: object) -> dict[str, object]:
    good = {"id": "a1", "tenant": "acme", "sha256": "0" * 64, "created": "2026-11-24T00:00:00Z"}
    return {**good, **changes}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", r"keys\.json:1:2: it is not JSON"),
        ("[]", "Expected `object`"),
        ('{"stillhouse_keys": 2, "keys": []}', "stillhouse_keys"),
        ('{"stillhouse_keys": 1, "keys": [], "keys": []}', "'keys' stands twice"),
        (json.dumps({"stillhouse_keys": 1, "keys": [entry(scopes=["root"])]}), r"Invalid enum value 'root' - at `\$\.keys\[0\]\.scopes"),
        (json.dumps({"stillhouse_keys": 1, "keys": [entry(scope=["chat"])]}), "unknown field `scope`"),
        (json.dumps({"stillhouse_keys": 1, "keys": [entry(sha256="beef")]}), r"keys\[0\]\.sha256"),
        (json.dumps({"stillhouse_keys": 1, "keys": [entry(created="2026-11-24T00:00:00")]}), r"keys\[0\]\.created"),
        (json.dumps({"stillhouse_keys": 1, "keys": [entry(), entry(sha256="1" * 64)]}), "same id, a1"),
        (json.dumps({"stillhouse_keys": 1, "keys": [entry(), entry(id="a2")]}), "same sha256"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_refused_and_the_place_is_named(path: Path, text: str, says: str) -> None:
    path.parent.mkdir()
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(KeyFileError, match=says):
        KeyStore.load(path)


def test_bytes_that_are_not_text_are_refused(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"\xff\xfe")
    path.chmod(0o600)
    with pytest.raises(KeyFileError, match="not UTF-8"):
        KeyStore.load(path)


def test_a_file_that_others_may_edit_is_refused(path: Path) -> None:
    KeyStore.load(path).add("acme", now=NOW)
    path.chmod(0o666)
    with pytest.raises(KeyFileError, match="chmod 600"):
        KeyStore.load(path)


def test_a_folder_in_its_place_is_refused(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(KeyFileError, match="directory"):
        KeyStore.load(path)
    with pytest.raises(KeyFileError, match="directory"):
        KeyStore(path).add("acme", now=NOW)
