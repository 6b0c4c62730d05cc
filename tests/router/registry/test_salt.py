from concurrent.futures import ThreadPoolExecutor

import pytest

from router.registry.salt import BYTES, FILE, SaltError, explore_salt


def test_a_salt_is_made_once_and_kept(tmp_path):
    salt = explore_salt(tmp_path / "home")
    assert len(salt) == BYTES
    assert explore_salt(tmp_path / "home") == salt
    assert (tmp_path / "home" / FILE).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in (tmp_path / "home").iterdir()] == [FILE]


def test_two_that_start_together_keep_the_same(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(lambda _: explore_salt(tmp_path), range(16)))) == 1


def test_a_salt_that_others_may_read_is_refused(tmp_path):
    explore_salt(tmp_path)
    (tmp_path / FILE).chmod(0o644)
    with pytest.raises(SaltError, match="chmod 600"):
        explore_salt(tmp_path)


def test_a_damaged_salt_is_refused_without_being_shown(tmp_path):
    explore_salt(tmp_path)
    (tmp_path / FILE).write_bytes(b"secret")
    with pytest.raises(SaltError, match="holds 6 bytes") as refusal:
        explore_salt(tmp_path)
    assert "secret" not in str(refusal.value)
