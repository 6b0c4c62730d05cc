import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.registry.gguf import GGUFError, read_gguf
from router.registry.weights import built_in
from tests.support.gguf import CHAT_HEAD, gguf_bytes, write_gguf


def test_the_head_says_what_the_model_is(tmp_path: Path) -> None:
    path, _ = write_gguf(tmp_path / "a.gguf")
    head = read_gguf(path)
    assert (head.name, head.architecture, head.licence, head.context) == ("Tiny", "llama", "apache-2.0", 1024)
    assert head.chat
    assert not head.tools


def test_the_memory_of_a_token_counts_layers_heads_and_both_halves(tmp_path: Path) -> None:
    path, _ = write_gguf(tmp_path / "a.gguf")
    layers, kept_heads, head_size, halves, bytes_a_number = 2, 2, 64 // 4, 2, 2
    assert read_gguf(path).cache_bytes_per_token == layers * kept_heads * head_size * halves * bytes_a_number


def test_heads_may_differ_by_layer(tmp_path: Path) -> None:
    path, _ = write_gguf(tmp_path / "a.gguf", CHAT_HEAD | {"llama.attention.head_count_kv": [1, 3]})
    assert read_gguf(path).cache_bytes_per_token == (1 + 3) * 2 * 16 * 2


def test_a_template_that_speaks_of_tools_knows_tools(tmp_path: Path) -> None:
    path, _ = write_gguf(tmp_path / "a.gguf", CHAT_HEAD | {"tokenizer.chat_template": "{% if tools %}…{% endif %}"})
    assert read_gguf(path).tools


def test_without_a_template_it_is_no_chat_model(tmp_path: Path) -> None:
    head = {key: value for key, value in CHAT_HEAD.items() if key != "tokenizer.chat_template"}
    path, _ = write_gguf(tmp_path / "a.gguf", head)
    assert not read_gguf(path).chat


@pytest.mark.parametrize(
    ("data", "words"),
    [
        pytest.param(b"", "not a GGUF", id="empty"),
        pytest.param(b"<html>", "not a GGUF", id="a page"),
        pytest.param(gguf_bytes(version=1), "version 1", id="an old version"),
        pytest.param(gguf_bytes()[:-3], "damaged", id="cut short"),
        pytest.param(gguf_bytes(CHAT_HEAD | {"split.count": 2}), "several files", id="one part of two"),
        pytest.param(gguf_bytes({"general.architecture": "llama"}), "how long a context", id="no context"),
        pytest.param(b"GGUF" + b"\xff" * 40, "version", id="noise"),
        pytest.param(gguf_bytes()[:16] + b"\xff" * 60, "damaged", id="absurd counts"),
    ],
)
def test_a_bad_file_is_refused_with_its_reason(tmp_path: Path, data: bytes, words: str) -> None:
    path = tmp_path / "bad.gguf"
    path.write_bytes(data)
    with pytest.raises(GGUFError, match=words):
        read_gguf(path)


@given(cut=st.integers(0, 400), noise=st.binary(max_size=40))
def test_damage_never_does_worse_than_an_error(
    tmp_path_factory: pytest.TempPathFactory, cut: int, noise: bytes
) -> None:
    path = tmp_path_factory.mktemp("gguf") / "a.gguf"
    data = gguf_bytes()
    path.write_bytes(data[:cut] + noise + data[cut + len(noise) :])
    with contextlib.suppress(GGUFError):
        read_gguf(path)


@pytest.mark.local_model
def test_the_built_in_model_is_read_as_it_is() -> None:
    weights = built_in()
    assert weights is not None
    head = read_gguf(Path(weights.path))
    assert (head.architecture, head.context, head.licence) == ("llama", 8192, "apache-2.0")
    assert head.cache_bytes_per_token == 30 * 3 * 64 * 2 * 2
    assert head.chat
    assert not head.tools
