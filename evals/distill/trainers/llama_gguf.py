"""What one must know of Llama weights in GGUF to train them: the vocabulary, the names, the order of rows. No torch.

Two traps. The tokenizer that transformers builds from such a file is another one, so ours is made from the file's own
vocabulary and merges. And the rows of the query and key projections stand in the order of llama.cpp's rotary embedding
(pairs beside each other), which is not that of the published checkpoints (halves after each other).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy.typing as npt

from evals.distill.trainers.base import TrainingError
from router.registry.gguf import GGUFError, read_entries

if TYPE_CHECKING:
    from tokenizers import Tokenizer

#: Ways to cut a text before merging that we can rebuild; each as llama.cpp does it.
_CUTS: Final = frozenset({"smollm"})
_CONTROL: Final = frozenset({3, 4})  # token types: control, user-defined
NAMES: Final[Mapping[str, str]] = {
    "attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm",
    "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj",
}  # fmt: skip


class Base(NamedTuple):
    """The head of a file that can be trained.

    Attributes:
        tokens, types, merges: the vocabulary. cut: how a text is cut before merging. begin, end: the ids that
            open a text and close a turn.
        template: of a chat. layers, heads, kv_heads, width, inner, context: the shape. theta, epsilon: its constants.
    """

    tokens: list[str]
    types: list[int]
    merges: list[str]
    cut: str
    begin: int
    end: int
    template: str
    layers: int
    heads: int
    kv_heads: int
    width: int
    inner: int
    context: int
    theta: float
    epsilon: float


def read_base(path: Path) -> Base:
    """Read the head of a GGUF file.

    Raises:
        TrainingError: it is none, or none that we can train; why.
    """
    try:
        head = read_entries(path)
    except (GGUFError, OSError) as error:
        raise TrainingError(f"{path}: {error}") from None
    architecture, kind, cut = (
        head.get(key) for key in ("general.architecture", "tokenizer.ggml.model", "tokenizer.ggml.pre")
    )
    if architecture != "llama":
        raise TrainingError(f"{path} is of the architecture {architecture}; only llama can be trained here")
    if kind != "gpt2" or cut not in _CUTS:
        raise TrainingError(
            f"{path} has another vocabulary ({kind}, cut {cut}); those we can rebuild exactly: gpt2 with {min(_CUTS)}"
        )
    if "tokenizer.chat_template" not in head:
        raise TrainingError(f"{path} has no chat template: it is a base model, which cannot hold a conversation")

    def of(key: str) -> Any:
        if f"llama.{key}" not in head:
            raise TrainingError(f"{path} does not say its llama.{key}")
        return head[f"llama.{key}"]

    heads: Any = of("attention.head_count")
    tokens: Any = head["tokenizer.ggml.tokens"]
    types: Any = head["tokenizer.ggml.token_type"]
    merges: Any = head["tokenizer.ggml.merges"]
    end: Any = head["tokenizer.ggml.eos_token_id"]
    begin: Any = head.get("tokenizer.ggml.bos_token_id", end)
    return Base(
        tokens=tokens, types=types, merges=merges, cut=str(cut), begin=begin, end=end,
        template=str(head["tokenizer.chat_template"]), layers=of("block_count"), heads=heads,
        kv_heads=of("attention.head_count_kv"), width=of("embedding_length"), inner=of("feed_forward_length"),
        context=of("context_length"), theta=of("rope.freq_base"), epsilon=of("attention.layer_norm_rms_epsilon"),
    )  # fmt: skip


def tokenizer_of(base: Base) -> Tokenizer:
    """The tokenizer of the file: byte-level BPE over single digits and GPT-2's words."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    vocabulary = {token: place for place, token in enumerate(base.tokens)}
    merges = [(left, right) for left, _, right in (merge.partition(" ") for merge in base.merges)]
    made = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    digits, words = pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.pre_tokenizer = pre_tokenizers.Sequence([digits, words])
    made.decoder = decoders.ByteLevel()
    control = [token for token, kind in zip(base.tokens, base.types, strict=True) if kind in _CONTROL]
    made.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in control])
    return made


def to_rotary_pairs(rows: npt.NDArray[Any], heads: int) -> npt.NDArray[Any]:
    """Rows of a query or key projection from halves (checkpoints) to pairs (GGUF)."""
    size = len(rows) // heads
    return rows.reshape(heads, 2, size // 2, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)


def to_rotary_halves(rows: npt.NDArray[Any], heads: int) -> npt.NDArray[Any]:
    """The inverse."""
    size = len(rows) // heads
    return rows.reshape(heads, size // 2, 2, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)


def checkpoint_name(tensor: str) -> str:
    """``blk.3.attn_q.weight`` as ``model.layers.3.self_attn.q_proj.weight``.

    Raises:
        TrainingError: no such tensor belongs to a Llama.
    """
    whole = {"token_embd.weight": "model.embed_tokens.weight", "output_norm.weight": "model.norm.weight",
             "output.weight": "lm_head.weight"}  # fmt: skip
    if tensor in whole:
        return whole[tensor]
    parts = tensor.split(".")
    if len(parts) == 4 and parts[0] == "blk" and parts[2] in NAMES:
        return f"model.layers.{parts[1]}.{NAMES[parts[2]]}.{parts[3]}"
    raise TrainingError(f"the tensor {tensor} belongs to no Llama that we know")


def heads_of(tensor: str, base: Base) -> int | None:
    """Into how many heads a tensor's rows are ordered; None where their order is the same in both."""
    return base.heads if ".attn_q." in tensor else base.kv_heads if ".attn_k." in tensor else None
