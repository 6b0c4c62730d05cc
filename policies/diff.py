"""What changes between two policies, setting by setting, with the layer that says so. Pure; files are not compared.

Rules are known by their names, guards by their direction and name; everything else by its path in the merged body.
So a comment, an order of keys or a moved floor is no change, and a floor that was edited is one.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from policies.policy import DEFAULT, Policy
from policies.schema import AIMS

_UNSET = None
_ORDERED = ("rules", "guards.input", "guards.output")


class Change(NamedTuple):
    """One setting that differs. ``None`` is *not set*.

    Attributes:
        path: e.g. ``quality.keep``, ``rules[long-context].at_least``, ``guards.input[pii].action``.
        before, after: the values, as JSON would hold them.
        layer_before, layer_after: the layers that decided them, or ``default``.
    """

    path: str
    before: Any
    after: Any
    layer_before: str
    layer_after: str

    def __str__(self) -> str:
        return f"{self.path}: {_words(self.before)} ({self.layer_before}) -> {_words(self.after)} ({self.layer_after})"


def changes(before: Policy, after: Policy) -> tuple[Change, ...]:
    """Every setting that decides and differs, in the order of their paths; none where both decide alike."""
    old, new = dict(_flat(before)), dict(_flat(after))
    found = [
        Change(path, old.get(path), new.get(path), layer_of(before, path, old), layer_of(after, path, new))
        for path in sorted({*old, *new})
        if old.get(path, _UNSET) != new.get(path, _UNSET)
    ]
    return tuple(found)


def layer_of(policy: Policy, path: str, settings: Mapping[str, Any]) -> str:
    """The layer that decided a setting; empty where the policy does not have it."""
    if path not in settings:
        return ""
    if path == "layers":
        return policy.name
    if path.startswith("rules["):
        name = path[len("rules[") :].split("]", maxsplit=1)[0]
        return next((each.layer for each in policy.rules if each.rule.name == name), DEFAULT)
    names = path.split(".")
    if names[0] in AIMS:
        return policy.origin.get("aim", DEFAULT)
    for end in range(len(names), 0, -1):
        if (layer := policy.origin.get(".".join(names[:end]).split("[")[0])) is not None:
            return layer
    return DEFAULT


def _flat(policy: Policy) -> Iterator[tuple[str, Any]]:
    body = policy.body.model_dump(mode="json", exclude={"extends", "stillhouse"}, exclude_none=True)
    yield "layers", list(policy.layers)
    for name, value in body.items():
        yield from _walk(name, value)


def _walk(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _walk(f"{path}.{key}", inner)
    elif isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
        named = _named(path, value)
        if path.endswith(_ORDERED):
            yield f"{path} (order)", [name for name, _ in named]
        for name, item in named:
            yield from _walk(f"{path}[{name}]", item)
    else:
        yield path, value


def _named(path: str, items: list[Any]) -> list[tuple[str, Any]]:
    """Items of a list by a name of their own, numbered where it is not unique."""
    guards = path.endswith((".input", ".output")) and all(isinstance(i, Mapping) and len(i) == 1 for i in items)
    pairs: list[tuple[str, Any]] = []
    seen: Counter[str] = Counter()
    for index, item in enumerate(items):
        if guards:
            ((name, inner),) = item.items()
            inner = inner or {"on": True}
        else:
            name, inner = str(item["name"]) if isinstance(item, Mapping) and "name" in item else str(index), item
        seen[name] += 1
        pairs.append((name if seen[name] == 1 else f"{name} {seen[name]}", inner))
    return pairs


def _words(value: Any) -> str:
    return "not set" if value is None else json.dumps(value, ensure_ascii=False)
