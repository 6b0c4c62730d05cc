"""Compiles a list of guards as a policy writes it, or names every mistake in it at once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError

from guardrails.canary import LeakMold
from guardrails.catalog import CATALOG, RECOGNISERS
from guardrails.checks import CHECKS
from guardrails.common import Common, split
from guardrails.config import Strict, refuse, suggest
from guardrails.findings import reads_raw
from guardrails.learned.family import LearnedFamily
from guardrails.lookalikes import Lookalikes
from guardrails.run import Checked, Rail, Rails, lost_action
from guardrails.types import Action, GuardConfigError, GuardConfigErrors

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from guardrails.matching import Family


def compile_rails(items: Iterable[Mapping[str, Any]]) -> Rails:
    """Compile a list of guards as a policy writes it: one key of the catalogue per item.

    Raises:
        GuardConfigErrors: with every mistake of the list (a ``GuardConfigError`` itself).
    """
    listed = tuple(items)
    try:
        written = json.dumps(listed, sort_keys=False)
    except (TypeError, ValueError):  # not what YAML can say: it will be refused, each mistake by its place
        return _compiled(listed)
    return _remembered(written)


@lru_cache(maxsize=64)
def _remembered(written: str) -> Rails:
    """Rails are immutable, and a policy is compiled several times on its way: to be checked, layered and used."""
    return _compiled(json.loads(written))


def _compiled(items: Iterable[Mapping[str, Any]]) -> Rails:
    rails: list[Rail] = []
    checks: list[Checked] = []
    mistakes: list[GuardConfigError] = []
    content: list[object] = [RECOGNISERS]
    for index, item in enumerate(items):
        try:
            name, common, config = _parse(item)
            if name in CHECKS:
                checks.append(Checked(CHECKS[name].compile(config, index), lost_action(common)))
            else:
                made = CATALOG[name].compile(config, index)
                rails += [Rail(family, name, common) for family in _read_twice(made)]
                _can_be_late(common, made)
            said = common.model_dump(mode="json", exclude_defaults=True)
            content.append([name, config.model_dump(mode="json"), *([said] if said else [])])
        except GuardConfigErrors as several:
            mistakes.extend(_below((index, *_key(item)), several.errors))
        except GuardConfigError as error:
            mistakes.append(GuardConfigError((index, *error.path), error.message, error.hint))
    if mistakes:
        raise GuardConfigErrors(tuple(mistakes))
    digest = hashlib.sha256(json.dumps(content, ensure_ascii=True, sort_keys=True).encode()).hexdigest()
    return Rails(rails, checks, digest)


def _read_twice(families: Iterable[Family]) -> Iterator[Family]:
    """What is told by its letters is read once more where look-alikes stand for them.

    Numbers have none, and learned guards and leaks fold them as they read.
    """
    for family in families:
        plain = family.digits or reads_raw(family) or isinstance(family, LearnedFamily | LeakMold)
        yield family if plain else Lookalikes(family)


def _can_be_late(common: Common, families: Iterable[Family]) -> None:
    """What has left cannot be masked any more.

    Raises:
        GuardConfigErrors: the guard masks.
    """
    if common.stream == "async" and any(Action.MASK in family.actions for family in families):
        hint = "use stream: sync, or let the guard detect or block"
        refuse([GuardConfigError(("stream",), "'async' lets text go before it is judged, and the guard masks", hint)])


def _parse(item: Mapping[str, Any]) -> tuple[str, Common, Strict]:
    """The guard's name, what is said of every guard, and its own validated settings.

    Raises:
        GuardConfigErrors: with paths below the item.
    """
    known = (*CATALOG, *CHECKS)
    keys = list(item) if isinstance(item, Mapping) else []
    if len(keys) != 1:
        hint = f"write one of {', '.join(known)} and its settings"
        raise GuardConfigError((), "a guard is one key with its settings", hint)
    name = keys[0]
    kind = CATALOG.get(name) or CHECKS.get(name)
    if kind is None:
        raise GuardConfigError((str(name),), f"unknown guard {name!r}", suggest(str(name), known))
    settings = item[name]
    if not isinstance(settings, Mapping | None):
        return name, Common(), _validated(kind.config, settings)
    common, own = split(settings or {})
    if name in CHECKS:  # it reads a whole answer: neither a role nor a stream is its concern
        own |= {key: common.pop(key) for key in ("roles", "stream") if key in common}
    beside = ("on_error",) if name in CHECKS else tuple(Common.model_fields)
    return name, _validated(Common, common), _validated(kind.config, own, beside)


S = TypeVar("S", bound=Strict)


def _validated(config: type[S], settings: object, beside: tuple[str, ...] = ()) -> S:
    """The settings, checked; ``beside`` are the common ones that may be meant by an unknown word."""
    try:
        return config.model_validate(settings)
    except ValidationError as error:
        refuse([_mistake(problem, (*config.model_fields, *beside)) for problem in error.errors(include_url=False)])
        raise


def _mistake(problem: ErrorDetails, known: tuple[str, ...]) -> GuardConfigError:
    """One of pydantic's errors in the words of a policy's author."""
    path = tuple(problem["loc"])
    if problem["type"] == "extra_forbidden":
        return GuardConfigError(path, f"unknown setting {path[-1]!r}", suggest(str(path[-1]), known))
    if problem["type"] == "missing":
        return GuardConfigError(path, f"the setting {path[-1]!r} is missing", "")
    return GuardConfigError(path, problem["msg"], "")


def _key(item: Mapping[str, Any]) -> tuple[str | int, ...]:
    return tuple(item)[:1]


def _below(prefix: tuple[str | int, ...], errors: Iterable[GuardConfigError]) -> Iterator[GuardConfigError]:
    return (GuardConfigError((*prefix, *error.path), error.message, error.hint) for error in errors)
