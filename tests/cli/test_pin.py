import json
import sys

import pytest

from stillhouse.cli.main import main


def run(monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", ["stillhouse", *words])
    with pytest.raises(SystemExit) as left:
        main()
    return left.value.code


def test_a_pin_is_left_for_the_gateways_and_taken_away(home, monkeypatch):
    assert run(monkeypatch, "pin", "large") == 0
    assert json.loads((home / "pin.json").read_text()) == {"tier": "large"}
    assert run(monkeypatch, "unpin") == 0
    assert not (home / "pin.json").exists()
    assert run(monkeypatch, "unpin") == 0


def test_a_home_that_cannot_be_written_is_said_in_words(home, monkeypatch, capsys):
    (home / "file").write_text("")
    monkeypatch.setenv("STILLHOUSE_HOME", str(home / "file" / "below"))
    assert run(monkeypatch, "pin", "large") == 2
    said = capsys.readouterr().err
    assert "not a directory" in said
    assert str(home / "file") in said
