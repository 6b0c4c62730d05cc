"""What a policy is once it is loaded: compiled, frozen, named by the hash of its content."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from guardrails import Rails
from policies.mistakes import Mistake
from policies.patterns import Pattern
from policies.schema import PolicyBody, Rule

Direction = Literal["input", "output"]

DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class LayeredRule:
    """A rule, the layer that wrote it, and its compiled pattern (``None`` where it has none)."""

    rule: Rule
    layer: str
    pattern: Pattern | None


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy ready for use. Shared by all requests; nothing in it changes.

    Attributes:
        name: of the outermost layer; callers use it as ``model``.
        hash: SHA-256 (hex) of ``content``.
        content: canonical JSON of everything that decides, so that the hash can be checked and an
            old decision read again.
        layers: names of the layers, the lowest floor first, this policy last.
        body: the merged settings. Exactly one aim is set; ``guards`` and ``rules`` hold those of all layers.
        rules: the rules of all layers, the floor's first.
        origin: setting -> name of the layer that decided it, or ``default``. Settings inside
            ``refusal``, ``timeouts``, ``fallbacks`` and ``models`` are named ``timeouts.total`` and so on;
            ``aim`` stands for whichever aim is set.
        rails: the compiled guards of each direction.
        shadow: the compiled guards that look on and change nothing; empty where there are none.
        source: the file of the outermost layer.
        files: the files of all layers, the lowest floor first: those to watch.
        warnings: what is allowed but hardly meant (see ``policies.lint``).
    """

    name: str
    hash: str
    content: bytes
    layers: tuple[str, ...]
    body: PolicyBody
    rules: tuple[LayeredRule, ...]
    origin: Mapping[str, str]
    rails: Mapping[Direction, Rails]
    shadow: Mapping[Direction, Rails]
    source: Path
    files: tuple[Path, ...]
    warnings: tuple[Mistake, ...] = ()
