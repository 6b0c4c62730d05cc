import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from router.registry import weights as weights_module
from router.registry.home import home
from stillhouse.cli.models import command
from tests.support.gguf import write_gguf


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STILLHOUSE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(weights_module, "_BUILT_IN_PACKAGE", "a-package-that-is-not-installed")
    return tmp_path


def models(*arguments: str) -> Result:
    return CliRunner().invoke(command, arguments)


def add(tmp_path: Path, *options: str, tier: str = "medium") -> Result:
    path, digest = write_gguf(tmp_path / "tiny.gguf")
    return models("add", tier, str(path), "--sha256", digest, *options)


def test_an_empty_machine_says_how_to_add(own_home: Path) -> None:
    result = models()
    assert result.exit_code == 0
    assert "No weights" in result.stdout
    assert "models add" in result.stderr


def test_what_was_added_is_shown_with_its_lineage(own_home: Path) -> None:
    result = add(own_home, "--family", "tiny", "--teacher", "big-model", "--gate", "passed", "--generation", "2")
    assert result.exit_code == 0
    assert "tiny serves the medium tier" in result.stdout
    shown = " ".join(models().stdout.split())
    for word in ("medium", "tiny", "ready", "big-model", "generation 2", "passed", "apache-2.0"):
        assert word in shown


def test_the_list_as_json_holds_every_field(own_home: Path) -> None:
    add(own_home, "--share", "0.5", "--context", "100")
    [line] = models("list", "--json").stdout.splitlines()
    value = json.loads(line)
    assert (value["tier"], value["share"], value["context"], value["state"]) == ("medium", 0.5, 100, "ready")
    assert value["lineage"]["teacher"] == "unknown"


@pytest.mark.parametrize("verify", [[], ["--verify"]])
def test_a_missing_file_is_shown_and_ends_with_1(own_home: Path, verify: list[str]) -> None:
    add(own_home)
    next((home() / "models").glob("*.gguf")).unlink()
    result = models("list", *verify)
    assert result.exit_code == 1
    assert "missing" in result.stdout


def test_an_altered_file_is_found_by_verify(own_home: Path) -> None:
    add(own_home)
    path = next((home() / "models").glob("*.gguf"))
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    assert models().exit_code == 0
    result = models("--verify")
    assert result.exit_code == 1
    assert "changed" in result.stdout


def test_a_removed_model_is_gone(own_home: Path) -> None:
    add(own_home)
    assert models("remove", "tiny").exit_code == 0
    assert "No weights" in models().stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["add", "medium", "none.gguf", "--sha256", "0" * 64], "none.gguf: No such file"),
        (["add", "medium", "http://example.org/a.gguf", "--sha256", "0" * 64], "not fetched over http"),
        (["add", "medium", "a.gguf", "--sha256", "zz"], "64 hexadecimal"),
        (["add", "huge", "a.gguf", "--sha256", "0" * 64], "'huge' is not one of"),
        (["add", "medium", "a.gguf"], "--sha256"),
        (["remove", "nobody"], "no model called 'nobody'"),
    ],
)
def test_bad_input_ends_with_2_and_words(arguments: list[str], words: str) -> None:
    result = models(*arguments)
    assert result.exit_code == 2
    assert words in result.stderr
    assert "Traceback" not in result.output


def test_a_damaged_list_is_said_with_its_place(own_home: Path) -> None:
    add(own_home)
    (home() / "models/models.json").write_text("{")
    result = models()
    assert result.exit_code == 2
    assert "models.json" in result.stderr
