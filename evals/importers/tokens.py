"""Counting an answer's tokens: exactly with one tokenizer, or by its bytes.

The models of these sources have many tokenizers and almost none is stored with the answers, so all
answers are counted with the same one (``o200k_base``): a count is comparable between models, and a few
per cent off the bill of any one of them.
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from evals.importers.outcomes import OutcomeError

if TYPE_CHECKING:
    from collections.abc import Callable

    Count = Callable[[str], int]

EXACT: Final = "o200k_base on the stored output"


def o200k() -> Count:
    """A counter with OpenAI's ``o200k_base``, from tiktoken (the extra ``providers`` brings it).

    litellm's wheel holds the tokenizer's file, so nothing is downloaded where that extra is installed.

    Raises:
        OutcomeError: tiktoken or its file cannot be had.
    """
    try:
        import tiktoken
    except ImportError:
        raise OutcomeError(
            "counting tokens needs tiktoken: install the extra `providers`, or add --no-tokens"
        ) from None
    found = importlib.util.find_spec("litellm")
    for place in (found.submodule_search_locations or []) if found else []:
        os.environ.setdefault("TIKTOKEN_CACHE_DIR", str(Path(place) / "litellm_core_utils" / "tokenizers"))
    try:
        encoding = tiktoken.get_encoding("o200k_base")
    except Exception as error:  # noqa: BLE001 - it raises what its downloader raises
        raise OutcomeError(
            f"o200k_base cannot be loaded ({type(error).__name__}): put its file into the folder TIKTOKEN_CACHE_DIR, "
            "or add --no-tokens"
        ) from None
    return lambda text: len(encoding.encode_ordinary(text))


def nothing(_: str) -> int:
    """The counter of someone who does without tokens: what counts zero is left out of a row."""
    return 0
