"""The explicit list of importers: name -> where its clone comes from and what reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from evals.importers import (
    grade_school_math,
    llmrouter,
    logical_puzzles,
    mmlu_pro,
    reasoning_gym,
    routellm,
    zeroeval,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from evals.importers.rows import Row
    from evals.importers.tokens import Count

    Read = Callable[[Path, Count], Iterator[Row]]


class Importer(NamedTuple):
    """One public repository.

    Attributes:
        commit: the version that ``expected.json`` was made from.
        counts: whether answers are stored and counted, so that a tokenizer is needed.
        trains: whether its rows may train what we ship.
        mended: the same rows with a mistake of the published outcomes undone, where one is known.
    """

    repository: str
    commit: str
    licence: str
    read: Read
    counts: bool
    trains: bool = True
    mended: Read | None = None


CATALOG: Final[Mapping[str, Importer]] = {
    "grade-school-math": Importer(
        "openai/grade-school-math", "3101c7d5072418e28b9008a6636bde82a006892c", "MIT", grade_school_math.read, True
    ),
    "llmrouter": Importer(
        "ulab-uiuc/LLMRouter", "4e7a796942ce26e9d5f2b93191c7c2585c99c2e3", "MIT", llmrouter.read, False
    ),
    "logical-puzzles": Importer(
        "HAE-RAE/logical-puzzles", "1e00b8f1333cbd2ebbd398f78044c37bfec1caff", "MIT", logical_puzzles.read, False
    ),
    "mmlu-pro": Importer(
        "TIGER-AI-Lab/MMLU-Pro", "f418b116db00b065c2aea046518d8fcf74d39872", "Apache-2.0", mmlu_pro.read, True
    ),
    "reasoning-gym": Importer(
        "open-thought/reasoning-gym-eval",
        "5f09fecc342a25d693895b7304a9dec43b47f436",
        "Apache-2.0",
        reasoning_gym.read,
        False,
    ),
    "routellm": Importer(
        "lm-sys/RouteLLM", "0b64fdafe049e596a3f5657c219329f24af24198", "Apache-2.0", routellm.read, True, trains=False
    ),
    "zeroeval": Importer(
        "WildEval/ZeroEval",
        "8c1485edf12c6efb5f69135a562927c5ad484059",
        "Apache-2.0",
        zeroeval.read,
        True,
        mended=zeroeval.read_mended,
    ),
}
