"""A guardrail of Amazon Bedrock's, turned into a policy: JSON values in, YAML and what it could not carry out. Pure.

Reads what ``CreateGuardrail`` takes and what ``GetGuardrail`` gives; the two differ by a ``Config`` in names.
Every guard that comes out is compiled, so what a policy cannot say is told here and not when it is loaded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, Literal, NamedTuple

import msgspec
import yaml

from guardrails import Action, GuardConfigError, compile_rails
from guardrails.categories import BY_NAME
from guardrails.secrets import NAMES as SECRETS

Way = Literal["input", "output"]
Guard = dict[str, dict[str, Any]]
WAYS: Final[tuple[Way, ...]] = ("input", "output")
_ACTIONS: Final = {"BLOCK": "block", "ANONYMIZE": "mask", "NONE": "detect"}
_MAX_LENGTH: Final = 256  # code points an imported pattern is taken to match at most
_LOST: Final = {
    "kmsKeyId": "the KMS key: a policy is a file of yours, encrypted as you keep your files",
    "kmsKeyArn": "the KMS key: a policy is a file of yours, encrypted as you keep your files",
    "tags": "the resource tags: a policy has a name and a hash",
    "crossRegionConfig": "the cross-region profile: guards run in the gateway, wherever that is",
    "crossRegionDetails": "the cross-region profile: guards run in the gateway, wherever that is",
}
_TOLD_ELSEWHERE: Final = frozenset(
    """
    name description guardrailId guardrailArn version status createdAt updatedAt statusReasons failureRecommendations
    blockedInputMessaging blockedOutputsMessaging clientRequestToken ResponseMetadata topicPolicy contentPolicy
    wordPolicy sensitiveInformationPolicy contextualGroundingPolicy automatedReasoningPolicy
    """.split()  # noqa: SIM905 -- a table
)


class ImportProblem(ValueError):
    """The file is no guardrail; the message says where it is not."""


class Imported(NamedTuple):
    """A policy, and in words what it does not carry over."""

    name: str
    text: str
    lost: tuple[str, ...]


# --- what a guardrail says


class _Item(msgspec.Struct, frozen=True, kw_only=True):
    """What every item may say of the two directions."""

    inputAction: str | None = None  # noqa: N815 -- their names
    outputAction: str | None = None  # noqa: N815
    inputEnabled: bool | None = None  # noqa: N815
    outputEnabled: bool | None = None  # noqa: N815
    action: str = "BLOCK"

    def act(self, way: Way) -> str | None:
        """Our word for its action; None where it is switched off."""
        enabled, said = (
            (self.inputEnabled, self.inputAction) if way == "input" else (self.outputEnabled, self.outputAction)
        )
        return None if enabled is False else _ACTIONS.get(said or self.action, "block")


class _Topic(_Item, frozen=True, kw_only=True):
    name: str
    definition: str
    examples: tuple[str, ...] = ()


class _Filter(_Item, frozen=True, kw_only=True):
    type: str
    inputStrength: str = "NONE"  # noqa: N815
    outputStrength: str = "NONE"  # noqa: N815
    inputModalities: tuple[str, ...] = ()  # noqa: N815
    outputModalities: tuple[str, ...] = ()  # noqa: N815

    def strength(self, way: Way) -> str:
        """In our words."""
        return (self.inputStrength if way == "input" else self.outputStrength).lower()


class _Word(_Item, frozen=True, kw_only=True):
    text: str


class _Typed(_Item, frozen=True, kw_only=True):
    type: str


class _Regex(_Item, frozen=True, kw_only=True):
    name: str
    pattern: str


class _Threshold(msgspec.Struct, frozen=True, kw_only=True):
    type: str
    threshold: float
    action: str = "BLOCK"
    enabled: bool | None = None


class _Topics(msgspec.Struct, frozen=True):
    topics: tuple[_Topic, ...] = ()
    tier: Any = None


class _Filters(msgspec.Struct, frozen=True):
    filters: tuple[_Filter, ...] = ()
    tier: Any = None


class _Words(msgspec.Struct, frozen=True):
    words: tuple[_Word, ...] = ()
    managedWordLists: tuple[_Typed, ...] = ()  # noqa: N815


class _Sensitive(msgspec.Struct, frozen=True):
    piiEntities: tuple[_Typed, ...] = ()  # noqa: N815
    regexes: tuple[_Regex, ...] = ()


class _Thresholds(msgspec.Struct, frozen=True):
    filters: tuple[_Threshold, ...] = ()
    tier: Any = None


class _Reasoning(msgspec.Struct, frozen=True):
    policies: tuple[str, ...] = ()


class _Guardrail(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    description: str = ""
    version: str = ""
    blockedInputMessaging: str  # noqa: N815
    blockedOutputsMessaging: str  # noqa: N815
    topicPolicy: _Topics = _Topics()  # noqa: N815
    contentPolicy: _Filters = _Filters()  # noqa: N815
    wordPolicy: _Words = _Words()  # noqa: N815
    sensitiveInformationPolicy: _Sensitive = _Sensitive()  # noqa: N815
    contextualGroundingPolicy: _Thresholds = _Thresholds()  # noqa: N815
    automatedReasoningPolicy: _Reasoning = _Reasoning()  # noqa: N815


def import_guardrail(value: object) -> Imported:
    """Turn a guardrail into a policy.

    Raises:
        ImportProblem: it is not one; the message names the field.
    """
    if not isinstance(value, Mapping):
        raise ImportProblem("a guardrail is a JSON object, as CreateGuardrail takes it or GetGuardrail gives it")
    plain = {name if name in _LOST else _plain(name): _inside(part) for name, part in value.items()}
    try:
        given = msgspec.convert(plain, _Guardrail)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `$.")
        raise ImportProblem(f"{where.rstrip('`') or 'the guardrail'}: {what}") from None
    made = _Maker(given)
    made.lost += [words for name, words in _LOST.items() if value.get(name)]
    made.lost += [f"{name}: not a field of a guardrail that is known here" for name in plain if not _known(name)]
    return made.policy()


def _plain(name: str) -> str:
    return name.removesuffix("Config")


def _inside(part: object) -> object:
    """One level deeper the names differ by the same ending."""
    return {_plain(str(name)): inner for name, inner in part.items()} if isinstance(part, Mapping) else part


def _known(name: str) -> bool:
    return name in _TOLD_ELSEWHERE or name in _LOST


# --- what a policy says


class _Maker:
    """Makes the guards of both directions and notes what is lost on the way."""

    def __init__(self, given: _Guardrail) -> None:
        self._given = given
        self.lost: list[str] = []
        self._guards: dict[Way, list[Guard]] = {"input": [], "output": []}

    def policy(self) -> Imported:
        """The whole policy."""
        given = self._given
        for way in WAYS:
            for guard in self._wanted(way):
                self._take(guard, way)
        self._beyond()
        name = re.sub(r"[^a-z0-9]+", "-", given.name.lower()).strip("-") or "imported"
        body: dict[str, Any] = {"stillhouse": 1, "name": name}
        if given.description:
            body["description"] = given.description
        if self._judges_whole_answers():
            body["stream"] = "checked"
        body["guards"] = {way: guards for way, guards in self._guards.items() if guards}
        body["refusal"] = {"input": given.blockedInputMessaging, "output": given.blockedOutputsMessaging}
        head = f"# From the guardrail {given.name!r}{f', version {given.version}' if given.version else ''}.\n"
        lost = tuple(dict.fromkeys(self.lost))
        notes = "".join(f"# Not carried over: {' '.join(line.split())}\n" for line in lost)
        text = yaml.safe_dump(body, sort_keys=False, allow_unicode=True, width=110)
        return Imported(name, head + notes + text, lost)

    def _wanted(self, way: Way) -> Iterator[Guard]:
        yield from self._content(way)
        yield from self._topics(way)
        yield from self._words(way)
        yield from self._sensitive(way)
        if way == "output":
            yield from self._grounding()

    def _take(self, guard: Guard, way: Way) -> None:
        """Keep a guard that compiles; say what is wrong with one that does not."""
        try:
            compile_rails([guard])
        except GuardConfigError as error:
            [(name, settings)] = guard.items()
            about = settings.get("name") or ", ".join(settings.get("filters", ())) or "all of it"
            self.lost.append(f"{name} of the {way} ({about}): {error.message}")
        else:
            self._guards[way].append(guard)

    def _judges_whole_answers(self) -> bool:
        checks = compile_rails(self._guards["output"]).checks
        return any(each.check.scope == "answer" and Action.BLOCK in each.check.actions for each in checks)

    def _content(self, way: Way) -> Iterator[Guard]:
        filters = [one for one in self._given.contentPolicy.filters if one.act(way) and one.strength(way) != "none"]
        content = [one for one in filters if one.type != "PROMPT_ATTACK"]
        if content:
            settings: dict[str, Any] = {
                "strength": "none",
                "filters": {one.type: one.strength(way) for one in content},
                "action": "block",
            }
            if detected := {one.type: "detect" for one in content if one.act(way) == "detect"}:
                settings["actions"] = detected
            yield {"content": settings}
        for one in filters:
            if one.type == "PROMPT_ATTACK":
                yield {"attacks": {"strength": one.strength(way), "action": one.act(way)}}

    def _topics(self, way: Way) -> Iterator[Guard]:
        for action, topics in _by_action(self._given.topicPolicy.topics, way):
            listed = [
                {"name": t.name, "definition": t.definition, **({"examples": list(t.examples)} if t.examples else {})}
                for t in topics
            ]
            yield {"topics": {"topics": listed, "action": action}}

    def _words(self, way: Way) -> Iterator[Guard]:
        policy = self._given.wordPolicy
        for action, words in _by_action(policy.words, way):
            yield {"words": {"words": [word.text for word in words], "action": action}}
        for action, lists in _by_action(policy.managedWordLists, way):
            self.lost += [f"the managed word list {one.type}" for one in lists if one.type != "PROFANITY"]
            if any(one.type == "PROFANITY" for one in lists):
                yield {"words": {"lists": ["profanity-en", "profanity-ko"], "action": action, "name": "PROFANITY"}}

    def _sensitive(self, way: Way) -> Iterator[Guard]:
        policy = self._given.sensitiveInformationPolicy
        entities = {one.type: action for one in policy.piiEntities if (action := one.act(way))}
        for guard, setting, known in (("pii", "entities", BY_NAME), ("secrets", "kinds", SECRETS)):
            mine = {name: action for name, action in entities.items() if name in known}
            entities = {name: action for name, action in entities.items() if name not in mine}
            if mine:
                yield {guard: {setting: list(mine), "actions": mine}}
        self.lost += [f"the entity {name}: no guard of this version finds it" for name in entities]
        for one in policy.regexes:
            if action := one.act(way):
                name = re.sub(r"[^A-Za-z0-9_-]+", "_", one.name)
                name = (name if name[:1].isalpha() else f"P_{name}")[:40]
                yield {"regex": {"name": name, "pattern": one.pattern, "max_length": _MAX_LENGTH, "action": action}}

    def _grounding(self) -> Iterator[Guard]:
        filters = [one for one in self._given.contextualGroundingPolicy.filters if one.enabled is not False]
        for action in ("block", "detect"):
            if some := [one for one in filters if _ACTIONS.get(one.action, "block") == action]:
                yield {"grounding": {**{one.type.lower(): one.threshold for one in some}, "action": action}}

    def _beyond(self) -> None:
        """What no guard of ours is for."""
        given = self._given
        images = sorted(
            {f.type for f in given.contentPolicy.filters if "IMAGE" in f.inputModalities + f.outputModalities}
        )
        if images:
            self.lost.append(
                f"images ({', '.join(images)}): the guards read texts; a request's images are not looked at"
            )
        if any(policy.tier for policy in (given.topicPolicy, given.contentPolicy, given.contextualGroundingPolicy)):
            self.lost.append("the tiers CLASSIC and STANDARD: there is one set of guards, for English and Korean")
        if given.automatedReasoningPolicy.policies:
            arns = ", ".join(given.automatedReasoningPolicy.policies)
            self.lost.append(
                f"the automated reasoning policies {arns}: export their definitions; "
                "docs/guards/reasoning.md says how they are read"
            )
        if any("regex" in guard for way in WAYS for guard in self._guards[way]):
            self.lost.append(
                f"how long the patterns may match: max_length {_MAX_LENGTH} was put in, which streams hold back for; "
                "write the true length"
            )


def _by_action(items: Iterable[Any], way: Way) -> Iterator[tuple[str, list[Any]]]:
    """The items of each action, blocking ones first; those that are switched off are left out."""
    for action in ("block", "detect"):
        if found := [item for item in items if item.act(way) == action]:
            yield action, found
