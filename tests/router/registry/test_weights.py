from pathlib import Path

import pytest

from router.registry import weights as module
from router.registry.weights import (
    BUILT_IN_NAME,
    BUILT_IN_SHA256,
    Weights,
    WeightsError,
    add,
    built_in,
    load_weights,
    remove,
    state_of,
    verify,
)
from router.registry.weights_fetch import FetchError
from router.types import Lineage
from tests.support.gguf import CHAT_HEAD, write_gguf

TODAY = "2026-11-24"


@pytest.fixture
def nothing_built_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BUILT_IN_PACKAGE", "a-package-that-is-not-installed")


def added(home: Path, tmp_path: Path, name: str = "tiny", **options: object) -> Weights:
    path, digest = write_gguf(tmp_path / "tiny.gguf")
    return add(home, "medium", str(path), digest, today=TODAY, **{"name": name, **options})  # type: ignore[arg-type]


def test_added_weights_are_listed_with_what_their_file_says(tmp_path: Path, nothing_built_in: None) -> None:
    lineage = Lineage(family="tiny", teacher="big")
    weights = added(tmp_path / "home", tmp_path, lineage=lineage)
    assert load_weights(tmp_path / "home") == (weights,)
    assert (weights.tier, weights.context, weights.licence, weights.added) == (
        "medium",
        1024,
        "apache-2.0",
        TODAY,
    )
    assert weights.lineage == lineage
    assert Path(weights.path).parent == tmp_path / "home/models"
    verify(weights)


def test_the_copy_does_not_depend_on_the_original(tmp_path: Path) -> None:
    weights = added(tmp_path / "home", tmp_path)
    (tmp_path / "tiny.gguf").unlink()
    verify(weights)


def test_a_link_uses_the_file_where_it_is(tmp_path: Path) -> None:
    weights = added(tmp_path / "home", tmp_path, link=True)
    assert weights.path == str(tmp_path / "tiny.gguf")
    remove(tmp_path / "home", "tiny")
    assert Path(weights.path).exists()


def test_removing_takes_our_copy_away(tmp_path: Path, nothing_built_in: None) -> None:
    weights = added(tmp_path / "home", tmp_path)
    assert remove(tmp_path / "home", "tiny") == weights
    assert load_weights(tmp_path / "home") == ()
    assert not Path(weights.path).exists()


def test_a_file_that_two_names_use_stays_until_both_are_gone(tmp_path: Path) -> None:
    home = tmp_path / "home"
    first = added(home, tmp_path)
    path, digest = write_gguf(tmp_path / "again.gguf")
    second = add(home, "large", str(path), digest, today=TODAY)
    assert first.path == second.path
    remove(home, "tiny")
    verify(second)
    remove(home, "again")
    assert not Path(second.path).exists()


@pytest.mark.parametrize("name", ["auto", "small", "medium", "large", "\u00dcs", "a b", "-x", "x" * 65])
def test_a_name_the_endpoint_cannot_use_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(WeightsError) as caught:
        added(tmp_path / "home", tmp_path, name=name)
    assert "--name" in caught.value.hint


def test_a_file_whose_name_gives_none_needs_one(tmp_path: Path) -> None:
    path, digest = write_gguf(tmp_path / "\u00df.gguf")
    with pytest.raises(WeightsError, match="cannot be a model's name"):
        add(tmp_path / "home", "small", str(path), digest, today=TODAY)


def test_a_name_is_given_once(tmp_path: Path) -> None:
    added(tmp_path / "home", tmp_path)
    with pytest.raises(WeightsError, match="added before") as caught:
        added(tmp_path / "home", tmp_path)
    assert "models remove tiny" in caught.value.hint


def test_the_name_comes_from_the_file(tmp_path: Path) -> None:
    path, digest = write_gguf(tmp_path / "My Model (Q4_K).GGUF")
    assert add(tmp_path / "home", "small", str(path), digest, today=TODAY).name == "my-model-q4_k"


def test_a_wrong_digest_leaves_nothing(tmp_path: Path, nothing_built_in: None) -> None:
    path, _ = write_gguf(tmp_path / "a.gguf")
    with pytest.raises(FetchError, match="SHA-256"):
        add(tmp_path / "home", "small", str(path), "0" * 64, today=TODAY)
    assert load_weights(tmp_path / "home") == ()
    assert [file for file in (tmp_path / "home/models").iterdir() if file.suffix != ".lock"] == []


@pytest.mark.parametrize("digest", ["", "abc", "g" * 64, "0" * 63])
def test_a_digest_that_is_none_is_refused(tmp_path: Path, digest: str) -> None:
    with pytest.raises(WeightsError, match="64 hexadecimal"):
        add(tmp_path, "small", "x.gguf", digest, today=TODAY)


def test_a_base_model_is_refused_and_not_kept(tmp_path: Path) -> None:
    head = {key: value for key, value in CHAT_HEAD.items() if key != "tokenizer.chat_template"}
    path, digest = write_gguf(tmp_path / "base.gguf", head)
    with pytest.raises(WeightsError, match="base model"):
        add(tmp_path / "home", "small", str(path), digest, today=TODAY)
    assert list((tmp_path / "home/models").glob("*.gguf")) == []


@pytest.mark.parametrize(("wanted", "got"), [(None, 1024), (512, 512), (1024, 1024)])
def test_the_context_is_at_most_what_was_trained(tmp_path: Path, wanted: int | None, got: int) -> None:
    assert added(tmp_path / "home", tmp_path, context=wanted).context == got


def test_a_longer_context_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="1 to 1024"):
        added(tmp_path / "home", tmp_path, context=1025)


def test_tools_are_off_until_the_operator_trusts_the_model_with_them(tmp_path: Path) -> None:
    path, digest = write_gguf(tmp_path / "t.gguf", CHAT_HEAD | {"tokenizer.chat_template": "{% if tools %}{% endif %}"})
    assert not add(tmp_path / "home", "small", str(path), digest, today=TODAY, name="a").tools
    assert add(tmp_path / "home", "small", str(path), digest, today=TODAY, name="b", tools=True).tools


def test_tools_need_a_template_that_knows_them(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="does not know tools"):
        added(tmp_path / "home", tmp_path, tools=True)


def test_an_altered_file_is_found(tmp_path: Path) -> None:
    weights = added(tmp_path / "home", tmp_path)
    data = bytearray(Path(weights.path).read_bytes())
    data[-1] ^= 1
    Path(weights.path).write_bytes(data)
    assert state_of(weights) == "ready"  # a glance sees the size only
    with pytest.raises(WeightsError, match="has the SHA-256"):
        verify(weights)


def test_a_missing_file_is_found(tmp_path: Path) -> None:
    weights = added(tmp_path / "home", tmp_path)
    Path(weights.path).unlink()
    assert state_of(weights) == "missing"
    with pytest.raises(WeightsError, match="No such file"):
        verify(weights)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"version":2}', '{"models":[{"tier":"tiny"}]}', '{"models":[],"extra":1}', "\xff"],
)
def test_a_damaged_list_is_said_with_its_place(tmp_path: Path, text: str) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models/models.json").write_text(text, encoding="latin-1")
    with pytest.raises(WeightsError, match=r"models\.json"):
        load_weights(tmp_path)


def test_removing_what_is_not_there_names_what_is(tmp_path: Path) -> None:
    added(tmp_path / "home", tmp_path)
    with pytest.raises(WeightsError, match="no model called") as caught:
        remove(tmp_path / "home", "tny")
    assert "tiny" in caught.value.hint


@pytest.mark.local_model
def test_the_built_in_model_serves_small_until_another_does(tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert [(w.tier, w.name) for w in load_weights(home)] == [("small", BUILT_IN_NAME)]
    added(home, tmp_path)
    assert [(w.tier, w.name) for w in load_weights(home)] == [("small", BUILT_IN_NAME), ("medium", "tiny")]
    path, digest = write_gguf(tmp_path / "mine.gguf")
    add(home, "small", str(path), digest, today=TODAY)
    assert [(w.tier, w.name) for w in load_weights(home)] == [("medium", "tiny"), ("small", "mine")]


@pytest.mark.local_model
def test_the_built_in_model_has_the_digest_we_know() -> None:
    weights = built_in()
    assert weights is not None
    assert weights.sha256 == BUILT_IN_SHA256
    verify(weights)


def test_without_its_package_there_is_no_built_in_model(tmp_path: Path, nothing_built_in: None) -> None:
    assert built_in() is None
    assert load_weights(tmp_path) == ()
