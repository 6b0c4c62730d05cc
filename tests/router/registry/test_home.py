from pathlib import Path

import pytest

from router.registry.home import home


def test_the_environment_names_the_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STILLHOUSE_HOME", str(tmp_path))
    assert home() == tmp_path


@pytest.mark.parametrize("value", [None, ""])
def test_without_it_the_home_is_in_the_users_own_data(monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    if value is None:
        monkeypatch.delenv("STILLHOUSE_HOME", raising=False)
    else:
        monkeypatch.setenv("STILLHOUSE_HOME", value)
    assert home() == Path.home() / ".local/share/stillhouse"


def test_a_tilde_is_the_users_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STILLHOUSE_HOME", "~/gateway")
    assert home() == Path.home() / "gateway"
