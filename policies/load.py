"""Files in, one frozen ``Policy`` out, or every mistake of every layer at once.

Pure but for reading the files: no clock, no state, so loading again is how a policy is reloaded.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_args

from guardrails import compile_rails
from policies.explain import closest
from policies.layers import Layered, bottom, complete, tighten
from policies.lint import lint
from policies.mistakes import Mistake, Mistakes, Problem, show_path
from policies.nodes import Node
from policies.patterns import compile_pattern
from policies.policy import DEFAULT, Direction, LayeredRule, Policy
from policies.schema import AIMS, PolicyBody, Refusal, Session, Timeouts
from policies.yaml import load_with_places, locate, read_text

PRESETS = Path(__file__).with_name("presets")
MAX_LAYERS = 8

_DIRECTIONS: tuple[Direction, ...] = get_args(Direction)
_STAND_INS: Mapping[str, object] = {"stillhouse": 1, "name": "unnamed"}
_CONTENT_VERSION = 1


@dataclass(frozen=True, slots=True)
class _Layer:
    """One file of a policy, read."""

    path: Path
    body: PolicyBody
    root: Node

    def locate(self, problem: Problem) -> Mistake:
        return locate(problem, self.root, str(self.path))


def preset_names() -> tuple[str, ...]:
    """The presets that ship, sorted."""
    return tuple(sorted(folder.parent.name for folder in PRESETS.glob("*/policy.yaml")))


def load_policy(source: str | Path, *, families: frozenset[str] | None = None, text: str | None = None) -> Policy:
    """Load a policy and the floors it extends.

    Args:
        source: the path of a YAML file, or the name of a preset.
        families: the family profiles the scorer knows; with them, another family is a mistake.
        text: what the file would say, to try a change before it is written.

    Raises:
        Mistakes: all that is wrong, each with its file, line and column.
    """
    return _assembled(_read_layers(_resolve(source), text), families)


def load_layers(files: Sequence[Path], *, families: frozenset[str] | None = None) -> Policy:
    """As ``load_policy``, from the very files given, the lowest floor first.

    Where their ``extends`` would lead is not looked at: a kept version is read as it was, though its floor has moved.

    Raises:
        Mistakes: all that is wrong, each with its file, line and column.
    """
    return _assembled([_read_layer(path) for path in files], families)


def _assembled(layers: list[_Layer], families: frozenset[str] | None) -> Policy:
    mistakes: list[Mistake] = []
    merged, names = _merge(layers, mistakes)
    body = complete(merged)
    if not mistakes:
        said = layers[-1].body.model_fields_set
        at: tuple[str, ...] = next(((name,) for name in ("stream", "cascade") if name in said), ("guards", "output"))
        mistakes += [layers[-1].locate(replace(problem, path=at)) for problem in body.stream_problems()]
    _check_family(layers[-1], body, families, mistakes)
    if mistakes:
        raise Mistakes(mistakes)
    content = _content(body, names)
    shadow = body.guards.shadow
    return Policy(
        name=body.name,
        hash=hashlib.sha256(content).hexdigest(),
        content=content,
        layers=names,
        body=body,
        rules=_rules(layers),
        origin=_origin(merged),
        rails=MappingProxyType({way: compile_rails(getattr(body.guards, way)) for way in _DIRECTIONS}),
        shadow=MappingProxyType({way: compile_rails(getattr(shadow, way)) for way in _DIRECTIONS} if shadow else {}),
        source=layers[-1].path,
        files=tuple(layer.path for layer in layers),
        warnings=tuple(
            layers[-1].locate(warning)
            for warning in lint(body, len(layers[-1].body.rules), layers[-1].body.model_fields_set)
        ),
    )


# --- files -------------------------------------------------------------------------------------------


def _resolve(source: str | Path) -> Path:
    """The file that ``source`` names.

    Raises:
        Mistakes: it is a bare word, but no preset.
    """
    if isinstance(source, Path) or _is_path(source):
        return Path(source)
    preset = PRESETS / source / "policy.yaml"
    if source in preset_names():
        return preset
    words, hint = _no_preset(source)
    raise Mistakes([Mistake(source, 1, 1, show_path(()), words, hint)])


def _is_path(source: str) -> bool:
    return "/" in source or "\\" in source or source.endswith((".yaml", ".yml"))


def _no_preset(name: str) -> tuple[str, str]:
    meant = closest(name, list(preset_names()))
    hint = f"did you mean {meant!r}?" if meant else f"presets are {', '.join(preset_names())}; a file ends in .yaml"
    return f"there is no preset named {name!r}", hint


def _read_layer(path: Path, text: str | None = None) -> _Layer:
    said = read_text(path) if text is None else text
    body, root = load_with_places(said, PolicyBody, file=str(path), stand_ins=_STAND_INS)
    return _Layer(path, body, root)


def _read_layers(path: Path, text: str | None = None) -> list[_Layer]:
    """The file (or the text in its place) and all it extends, the lowest floor first.

    Raises:
        Mistakes: a file is missing or wrong, the layers run in a circle, or there are too many.
    """
    layers: list[_Layer] = []
    mistakes: list[Mistake] = []
    seen: dict[Path, str] = {}
    while True:
        try:
            layer = _read_layer(path, None if layers else text)
        except Mistakes as found:
            if layers and all(mistake.line == 1 and mistake.path == show_path(()) for mistake in found.mistakes):
                # The floor cannot be read at all: say so where it is asked for, too.
                words = f"the floor {layers[-1].body.extends!r} cannot be read"
                mistakes.append(layers[-1].locate(Problem(("extends",), words)))
            raise Mistakes([*mistakes, *found.mistakes]) from None
        body = layer.body
        layers.append(layer)
        seen[path.resolve()] = body.name
        if body.extends is None:
            return layers[::-1]
        if _is_path(body.extends):
            path = path.parent / body.extends
        elif body.extends in preset_names():
            path = PRESETS / body.extends / "policy.yaml"
        else:
            mistakes.append(layer.locate(Problem(("extends",), *_no_preset(body.extends))))
            raise Mistakes(mistakes)
        if path.resolve() in seen:
            chain = " -> ".join([*seen.values(), seen[path.resolve()]])
            mistakes.append(layer.locate(Problem(("extends",), f"the layers run in a circle: {chain}")))
            raise Mistakes(mistakes)
        if len(layers) == MAX_LAYERS:
            words = f"more than {MAX_LAYERS} layers lie on each other"
            raise Mistakes([layer.locate(Problem(("extends",), words))])


# --- merging -----------------------------------------------------------------------------------------


def _merge(layers: list[_Layer], mistakes: list[Mistake]) -> tuple[Layered, tuple[str, ...]]:
    merged = bottom(layers[0].body)
    names = [layers[0].body.name]
    for layer in layers[1:]:
        merged, problems = tighten(merged, layer.body)
        mistakes.extend(layer.locate(problem) for problem in problems)
        if layer.body.name in names:
            words = f"a layer below has the name {layer.body.name!r} already"
            mistakes.append(layer.locate(Problem(("name",), words, "give each layer a name of its own")))
        names.append(layer.body.name)
    return merged, tuple(names)


def _rules(layers: list[_Layer]) -> tuple[LayeredRule, ...]:
    return tuple(
        LayeredRule(rule, layer.body.name, None if rule.when.pattern is None else compile_pattern(rule.when.pattern))
        for layer in layers
        for rule in layer.body.rules
    )


def _check_family(top: _Layer, body: PolicyBody, families: frozenset[str] | None, mistakes: list[Mistake]) -> None:
    if families is None or body.family in families:
        return
    meant = closest(body.family, sorted(families))
    hint = (
        f"did you mean {meant!r}?"
        if meant
        else "'stillhouse train --family' teaches one; known: " + ", ".join(sorted(families))
    )
    mistakes.append(top.locate(Problem(("family",), f"the scorer has no profile of {body.family!r}", hint)))


# --- what names it -------------------------------------------------------------------------------------


def _content(body: PolicyBody, names: tuple[str, ...]) -> bytes:
    """Canonical JSON: what two files that decide alike have in common."""
    value = {
        "version": _CONTENT_VERSION,
        "layers": names,
        "body": body.model_dump(mode="json", exclude=_unsaid(body)),
    }
    return json.dumps(value, ensure_ascii=True, sort_keys=True, separators=(",", ":")).encode()


def _unsaid(body: PolicyBody) -> dict[str, Any]:
    """What is left out: settings that are younger than names given to policies which do not use them."""
    left: dict[str, Any] = {"extends": True}
    for name in ("promise", "models", "profile"):
        if getattr(body, name) is None:
            left[name] = True
    if body.quality is not None and body.quality.lose is None:
        left["quality"] = {"lose"}
    return left


def _origin(merged: Layered) -> Mapping[str, str]:
    every = set(PolicyBody.model_fields) - {
        "stillhouse",
        "extends",
        "refusal",
        "timeouts",
        "session",
        "fallbacks",
        "models",
        *AIMS,
    }
    every |= {f"refusal.{key}" for key in Refusal.model_fields}
    every |= {f"timeouts.{key}" for key in Timeouts.model_fields}
    every |= {f"session.{key}" for key in Session.model_fields}
    every |= {"aim", complete(merged).aim or "aim"}
    return MappingProxyType(dict.fromkeys(sorted(every), DEFAULT) | dict(merged.origin))
