"""OpenAI's moderations in both directions: its request read, our findings under its categories. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Raw

from guardrails import Action, Finding
from router.core.wire import check_json
from router.errors import BadJSON, BadRequest

CATEGORIES: Final = (
    "harassment",
    "harassment/threatening",
    "hate",
    "hate/threatening",
    "illicit",
    "illicit/violent",
    "self-harm",
    "self-harm/instructions",
    "self-harm/intent",
    "sexual",
    "sexual/minors",
    "violence",
    "violence/graphic",
)
#: What a guard calls it -> what OpenAI calls it. An attack on the model is none of OpenAI's categories: it makes
#: ``flagged`` true where the policy blocks it, and stands among the findings.
_OURS: Final[Mapping[str, Mapping[str, str]]] = {
    "content": {
        "SEXUAL": "sexual",
        "VIOLENCE": "violence",
        "HATE": "hate",
        "INSULTS": "harassment",
        "MISCONDUCT": "illicit",
    },
}
#: Clients send these by themselves; they mean the default policy.
_USUAL: Final = ("omni-moderation", "text-moderation")
_SHAPE: Final = "'input' must be a string, a list of strings, or a list of {'type': 'text', 'text': '…'}"


class Part(NamedTuple):
    """One text, and where it stood."""

    where: str
    text: str


class Moderation(NamedTuple):
    """A request. Each of ``inputs`` is judged by itself; the parts of one belong together."""

    model: str
    inputs: tuple[tuple[Part, ...], ...]


class _Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    input: Raw
    model: str | None = None


class _Part(msgspec.Struct, frozen=True):
    type: str
    text: str | None = None


def read_moderation(body: bytes) -> Moderation:
    """Read the body of a moderation request.

    Raises:
        BadJSON: see ``check_json``.
        BadRequest: a field is missing, unknown or of the wrong kind; an image.
    """
    check_json(body)
    try:
        read = msgspec.json.decode(body, type=_Body)
        inputs = _inputs(read.input)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `$.")
        param = where.rstrip("`") or (what.split("`")[-2] if "`" in what and "field" in what else "input")
        raise BadRequest(f"{what}. {_SHAPE}.", param=param) from None
    except msgspec.DecodeError:
        raise BadJSON("The body holds a string that is not valid Unicode.") from None
    if not inputs:
        raise BadRequest(f"'input' is empty; {_SHAPE}.", param="input")
    model = read.model or "auto"
    return Moderation("auto" if model.startswith(_USUAL) else model, inputs)


def _inputs(raw: Raw) -> tuple[tuple[Part, ...], ...]:
    if bytes(memoryview(raw)[:1]) == b'"':
        return ((Part("input", msgspec.json.decode(raw, type=str)),),)
    if bytes(memoryview(raw)[:1]) != b"[":
        raise BadRequest(f"{_SHAPE}.", param="input")
    items = msgspec.json.decode(raw, type=list[Raw])
    if items and bytes(memoryview(items[0])[:1]) == b'"':
        return tuple((Part(f"input[{index}]", _string(item, index)),) for index, item in enumerate(items))
    parts = tuple(_part(item, index) for index, item in enumerate(items))
    return (parts,) if parts else ()


def _string(raw: Raw, index: int) -> str:
    try:
        return msgspec.json.decode(raw, type=str)
    except msgspec.ValidationError:
        where = f"input[{index}]"
        raise BadRequest(f"{where} is no string, and the first one is; {_SHAPE}.", param=where) from None


def _part(raw: Raw, index: int) -> Part:
    where = f"input[{index}]"
    try:
        part = msgspec.json.decode(raw, type=_Part)
    except msgspec.ValidationError:
        raise BadRequest(f"{where} is neither a string nor a text part; {_SHAPE}.", param=where) from None
    if part.type == "image_url":
        raise BadRequest("No guard here reads images; send text parts only.", param=where)
    if part.type != "text" or part.text is None:
        raise BadRequest(f"{where} is not a text part; {_SHAPE}.", param=where)
    return Part(f"{where}.text", part.text)


def covered(items: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """OpenAI's categories that some guard of the policy looks for, in OpenAI's order."""
    names = {
        theirs
        for item in items
        for guard, settings in item.items()
        for ours, theirs in _OURS.get(guard, {}).items()
        if _wanted(ours, settings or {})
    }
    return tuple(name for name in CATEGORIES if name in names)


def _wanted(category: str, settings: Mapping[str, Any]) -> bool:
    """Whether a guard's settings leave a category in."""
    strength = settings.get("filters", {}).get(category, settings.get("strength", ""))
    return bool(strength != "none")


def result_of(findings: Iterable[Finding], action: Action, checked: Sequence[str]) -> dict[str, Any]:
    """One result: a category is true where a guard found it, its score the surest finding's; 0 where none did.

    ``flagged`` is also true where the policy blocks for another cause, or because a guard was not run.
    """
    scores = dict.fromkeys(CATEGORIES, 0.0)
    for finding in findings:
        name = _OURS.get(finding.guard, {}).get(finding.category)
        if name is not None:
            scores[name] = max(scores[name], finding.score)
    return {
        "flagged": any(scores.values()) or action is Action.BLOCK,
        "categories": {name: score > 0 for name, score in scores.items()},
        "category_scores": scores,
        "category_applied_input_types": {name: ["text"] if name in checked else [] for name in CATEGORIES},
    }
