"""What must be true of weights that a trainer brought before they may be called a student."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Final

from evals.distill.trainers.base import TrainingError
from router.errors import UpstreamError
from router.registry.gguf import GGUFError, Value, read_entries, read_gguf
from router.upstream.base import Deadline
from router.upstream.local import LocalModel, LocalUpstream

#: What a text becomes before the model sees it, and how a conversation becomes a text.
_VOCABULARY: Final = tuple(
    f"tokenizer.{key}"
    for key in ("ggml.model", "ggml.pre", "ggml.tokens", "ggml.token_type", "ggml.merges", "ggml.eos_token_id",
                "chat_template")
)  # fmt: skip
_CONTEXT: Final = 512
_MEMORY: Final = 1 << 30  # beside twice the file's size: as the registry reckons for a model that serves


def check_vocabulary(new: Path, base: Path) -> None:
    """Refuse weights that read a text otherwise than their base does.

    Raises:
        TrainingError: another vocabulary or chat template; or one of them is no GGUF.
    """
    ours, theirs = _entries(new), _entries(base)
    other = [key.removeprefix("tokenizer.") for key in _VOCABULARY if ours.get(key) != theirs.get(key)]
    if other:
        raise TrainingError(
            f"{new} has another vocabulary than its base {base.name}: they differ in {', '.join(other)}"
        )


def check_loads(path: Path) -> None:
    """Load weights in the embedded engine and let it say one token.

    Raises:
        TrainingError: they have no chat template, or the engine cannot load them or is not installed.
    """
    try:
        head = read_gguf(path)
    except (GGUFError, OSError) as error:
        raise TrainingError(f"{path}: {error}") from None
    if not head.chat:
        raise TrainingError(f"{path} has no chat template: it is a base model, which cannot hold a conversation")
    memory = _MEMORY + 2 * path.stat().st_size
    model = LocalModel(path=path, model="check", fingerprint="check", context=min(_CONTEXT, head.context),
                       memory_bytes=memory)  # fmt: skip
    try:
        asyncio.run(_one_token(model))
    except UpstreamError as error:
        raise TrainingError(f"{path} does not serve: {error.__cause__ or error}") from None


async def _one_token(model: LocalModel) -> None:
    upstream = LocalUpstream("check", model)
    try:
        await upstream.warm()
        asked = {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 1, "temperature": 0}
        await upstream.chat(json.dumps(asked).encode(), Deadline(first_byte=60, gap=60, total=60))
    finally:
        await upstream.close()


def _entries(path: Path) -> dict[str, Value]:
    try:
        return read_entries(path)
    except (GGUFError, OSError) as error:
        raise TrainingError(f"{path}: {error}") from None
