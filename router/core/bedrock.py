"""Amazon Bedrock's ApplyGuardrail in both directions: its request read, our findings in its words. Pure.

The shapes are those of the service model ``bedrock-runtime`` 2023-09-30. What Bedrock has no name for (Korean numbers,
keys of other vendors, masked words) is listed under ``regexes`` with our category as its name, so that no client of
Bedrock's overlooks it; every finding as we tell it stands in the answer's ``stillhouse`` beside.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, Literal, NamedTuple

import msgspec
from msgspec import UNSET, UnsetType

from guardrails import Action, Finding
from guardrails.categories import BY_NAME, groups
from guardrails.common import Role
from guardrails.wordlists import LISTS
from guardrails.words import fold
from router.core.wire import check_json
from router.errors import BadJSON, BadRequest

Qualifier = Literal["grounding_source", "query", "guard_content"]
UNIT: Final = 1_000  # code points in a text unit

CONTENT: Final = ("SEXUAL", "VIOLENCE", "HATE", "INSULTS", "MISCONDUCT")
_PII_OF_SECRETS: Final = ("AWS_ACCESS_KEY", "AWS_SECRET_KEY", "PASSWORD")
#: Our guard -> the policy kind of Bedrock's that it belongs to. The others have none.
KINDS: Final[Mapping[str, str]] = {
    "topics": "topicPolicy",
    "content": "contentPolicy",
    "attacks": "contentPolicy",
    "words": "wordPolicy",
    "pii": "sensitiveInformationPolicy",
    "secrets": "sensitiveInformationPolicy",
    "regex": "sensitiveInformationPolicy",
    "grounding": "contextualGroundingPolicy",
    "reasoning": "automatedReasoningPolicy",
}
_REASONING: Final = {
    "VALID": "valid",
    "INVALID": "invalid",
    "SATISFIABLE": "satisfiable",
    "IMPOSSIBLE": "impossible",
    "TRANSLATION_AMBIGUOUS": "translationAmbiguous",
    "TOO_COMPLEX": "tooComplex",
    "NO_TRANSLATION": "noTranslations",
}
#: What each of them may say of rules and scenarios, and what the guard calls that.
_REASONING_FIELDS: Final = {
    "valid": ("supportingRules", "claimsTrueScenario"),
    "invalid": ("contradictingRules",),
    "satisfiable": ("claimsTrueScenario", "claimsFalseScenario"),
    "impossible": ("contradictingRules",),
}
_FIELDS: Final = {
    "supportingRules": "supporting_rules",
    "contradictingRules": "contradicting_rules",
    "claimsTrueScenario": "claims_true_scenario",
    "claimsFalseScenario": "claims_false_scenario",
}


# --- the request


class _Text(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    text: str
    qualifiers: tuple[Qualifier, ...] = ()


class _Block(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    text: _Text | UnsetType = UNSET
    image: msgspec.Raw | UnsetType = UNSET


class _Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    source: Literal["INPUT", "OUTPUT"]
    content: tuple[_Block, ...]
    outputScope: Literal["INTERVENTIONS", "FULL"] = "INTERVENTIONS"  # noqa: N815 -- its name on the wire


class Block(NamedTuple):
    """One text of the request.

    Attributes:
        where: its place, e.g. ``content[0].text.text``.
        guarded: whether it is judged; the others are only looked at (a source, the query).
    """

    where: str
    text: str
    qualifiers: frozenset[str]

    @property
    def guarded(self) -> bool:
        """A block without qualifiers is judged, and one that says so."""
        return not self.qualifiers or "guard_content" in self.qualifiers

    @property
    def answer(self) -> bool:
        """Whether it is what is judged as a whole, and neither a source nor the query."""
        return not self.qualifiers & {"grounding_source", "query"}


class Application(NamedTuple):
    """A request to apply a guardrail. ``full``: what was looked for and not found is listed too."""

    output: bool
    blocks: tuple[Block, ...]
    full: bool

    def role(self, block: Block) -> Role:
        """Who wrote a block."""
        if "grounding_source" in block.qualifiers:
            return "document"
        return "user" if "query" in block.qualifiers or not self.output else "assistant"

    def of(self, qualifier: Qualifier) -> list[Block]:
        """The blocks with a qualifier."""
        return [block for block in self.blocks if qualifier in block.qualifiers]


def read_application(body: bytes) -> Application:
    """Read the body of ApplyGuardrail.

    Raises:
        BadJSON: see ``check_json``.
        BadRequest: a field is missing, unknown or of the wrong kind; an image; nothing to judge.
    """
    check_json(body)
    try:
        read = msgspec.json.decode(body, type=_Body)
    except msgspec.ValidationError as error:
        raise _wrong(str(error)) from None
    except msgspec.DecodeError:
        raise BadJSON("The body holds a string that is not valid Unicode.") from None
    blocks: list[Block] = []
    for index, block in enumerate(read.content):
        where = f"content[{index}]"
        if block.image is not UNSET:
            raise BadRequest("No guard here reads images; send text blocks only.", param=f"{where}.image")
        if block.text is UNSET:
            raise BadRequest(f"{where} must be {{'text': {{'text': '…'}}}}.", param=where)
        blocks.append(Block(f"{where}.text.text", block.text.text, frozenset(block.text.qualifiers)))
    if not any(block.guarded for block in blocks):
        words = "Nothing is to be judged: give at least one block that has no qualifiers, or 'guard_content'."
        raise BadRequest(words, param="content")
    return Application(read.source == "OUTPUT", tuple(blocks), read.outputScope == "FULL")


def _wrong(said: str) -> BadRequest:
    """The decoder's words name fields and kinds, never texts. An enum's wrong word is the caller's, and is left out."""
    what, _, where = said.partition(" - at `$.")
    if what.startswith("Invalid enum value"):
        what = "Not one of the words that may stand here"
    param = where.rstrip("`") or None
    if param is None and "`" in what:
        param = what.split("`")[-2]
    shape = "{'source': 'INPUT' or 'OUTPUT', 'content': [{'text': {'text': '…', 'qualifiers': […]}}]}"
    return BadRequest(f"{what}. Send {shape}; a qualifier is grounding_source, query or guard_content.", param=param)


# --- the answer


class Seen(NamedTuple):
    """A finding, the text it lies in, and where that stood."""

    finding: Finding
    text: str
    where: str

    @property
    def match(self) -> str:
        """The caller's own words that were found. They go back to the caller and nowhere else."""
        return self.text[self.finding.start : self.finding.end]


Items = Sequence[Mapping[str, Any]]


def usage_of(items: Items, guarded: int, looked_at: int) -> dict[str, int]:
    """Text units by policy kind. ``guarded`` code points were judged, ``looked_at`` more for grounding."""
    kinds = {KINDS.get(name, "") for item in items for name in item}
    paid = any(name in item for item in items for name in ("pii", "secrets"))
    units = -(-guarded // UNIT)
    grounding = -(-(guarded + looked_at) // UNIT)
    return {
        "topicPolicyUnits": units * ("topicPolicy" in kinds),
        "contentPolicyUnits": units * ("contentPolicy" in kinds),
        "wordPolicyUnits": units * ("wordPolicy" in kinds),
        "sensitiveInformationPolicyUnits": units * paid,
        "sensitiveInformationPolicyFreeUnits": units * any("regex" in item for item in items),
        "contextualGroundingPolicyUnits": grounding * ("contextualGroundingPolicy" in kinds),
        "contentPolicyImageUnits": 0,
        "automatedReasoningPolicyUnits": units * ("automatedReasoningPolicy" in kinds),
        "automatedReasoningPolicies": sum("reasoning" in item for item in items),
    }


def assessment_of(seen: Iterable[Seen], items: Items, *, full: bool) -> dict[str, Any]:
    """What was found, grouped as Bedrock groups it. Guards that were not run are not in it: they found nothing."""
    by_guard: dict[str, list[Seen]] = {}
    for each in seen:
        if each.finding.category != "ERROR":
            by_guard.setdefault(each.finding.guard, []).append(each)
    lists: dict[str, dict[str, list[dict[str, Any]]]] = {}

    def add(kind: str, name: str, entries: Iterable[dict[str, Any]]) -> None:
        for entry in entries:
            lists.setdefault(kind, {}).setdefault(name, []).append(entry)

    add("topicPolicy", "topics", _topics(by_guard.get("topics", ()), items, full=full))
    content = (*by_guard.get("content", ()), *by_guard.get("attacks", ()))
    add("contentPolicy", "filters", _filters(content, items, full=full))
    for one in by_guard.get("words", ()):
        add(*_word(one, items))
    for guard in ("pii", "secrets", "regex"):
        for one in by_guard.get(guard, ()):
            add("sensitiveInformationPolicy", *_sensitive(one))
    if full:
        add("sensitiveInformationPolicy", "piiEntities", _absent_pii(by_guard, items))
    add("contextualGroundingPolicy", "filters", _grounding(by_guard.get("grounding", ()), items))
    for one in by_guard.get("reasoning", ()):
        add("automatedReasoningPolicy", "findings", [_reasoning(one)])
    required = {
        "topicPolicy": ("topics",),
        "contentPolicy": ("filters",),
        "wordPolicy": ("customWords", "managedWordLists"),
        "sensitiveInformationPolicy": ("piiEntities", "regexes"),
    }
    return {kind: {**{name: [] for name in required.get(kind, ())}, **found} for kind, found in lists.items()}


def _settings(items: Items, guard: str) -> Iterator[Mapping[str, Any]]:
    return (item[guard] or {} for item in items if guard in item)


def _acted(finding: Finding, *, masks: bool = False) -> str:
    if finding.action is Action.BLOCK:
        return "BLOCKED"
    return "ANONYMIZED" if masks and finding.action is Action.MASK else "NONE"


def _strongest(seen: Iterable[Seen]) -> dict[str, Finding]:
    """Category -> its strictest, then surest finding."""
    best: dict[str, Finding] = {}
    for one in seen:
        name = one.finding.category
        if name not in best or (one.finding.action, one.finding.score) > (best[name].action, best[name].score):
            best[name] = one.finding
    return best


def _topics(seen: Sequence[Seen], items: Items, *, full: bool) -> Iterator[dict[str, Any]]:
    found = _strongest(seen)
    for name, finding in found.items():
        yield {"name": name, "type": "DENY", "action": _acted(finding), "detected": True}
    for settings in _settings(items, "topics") if full else ():
        for topic in settings.get("topics", ()):
            name = topic["name"] if isinstance(topic, Mapping) else str(topic)
            if _as_category(name) not in map(_as_category, found):
                yield {"name": name, "type": "DENY", "action": "NONE", "detected": False}


def _as_category(name: str) -> str:
    return "".join(char if char.isalnum() else "_" for char in name).upper()


def _filters(seen: Sequence[Seen], items: Items, *, full: bool) -> Iterator[dict[str, Any]]:
    named: dict[str, list[Seen]] = {}
    for one in seen:
        name = "PROMPT_ATTACK" if one.finding.guard == "attacks" else one.finding.category
        if name in CONTENT or name == "PROMPT_ATTACK":
            named.setdefault(name, []).append(one)
    for name, group in named.items():
        best = max(group, key=lambda one: (one.finding.action, one.finding.score)).finding
        strength = _strength(name, items)
        yield {
            "type": name,
            "confidence": confidence(best.score),
            **({"filterStrength": strength} if strength else {}),
            "action": _acted(best),
            "detected": True,
        }
    guards = {guard for item in items for guard in item} if full else set()
    wanted = (*(CONTENT if "content" in guards else ()), *(("PROMPT_ATTACK",) if "attacks" in guards else ()))
    for name in wanted:
        if name not in named:
            yield {"type": name, "confidence": "NONE", "action": "NONE", "detected": False}


def _strength(name: str, items: Items) -> str:
    """How hard the first guard that says so looks for a category; empty where none does."""
    for settings in _settings(items, "attacks" if name == "PROMPT_ATTACK" else "content"):
        word = settings.get("filters", {}).get(name) or settings.get("strength")
        if isinstance(word, str) and word.upper() in {"NONE", "LOW", "MEDIUM", "HIGH"}:
            return word.upper()
    return ""


def confidence(score: float) -> str:
    """Bedrock's word for how sure a finding is, at the scores from which the learned guards mean it."""
    return "HIGH" if score >= 0.9 else "MEDIUM" if score >= 0.75 else "LOW"


@lru_cache(maxsize=1)
def _managed() -> frozenset[str]:
    return frozenset(fold(word) for words in LISTS.values() for word in words)


def _word(one: Seen, items: Items) -> tuple[str, str, list[dict[str, Any]]]:
    finding = one.finding
    if finding.action is Action.MASK:
        return "sensitiveInformationPolicy", "regexes", [_regex(one)]
    entry = {"match": one.match, "action": _acted(finding), "detected": True}
    lists = any(settings.get("lists") for settings in _settings(items, "words"))
    words = any(settings.get("words") for settings in _settings(items, "words"))
    if lists and (not words or fold(one.match) in _managed()):
        return "wordPolicy", "managedWordLists", [{**entry, "type": "PROFANITY"}]
    return "wordPolicy", "customWords", [entry]


def _sensitive(one: Seen) -> tuple[str, list[dict[str, Any]]]:
    finding = one.finding
    known = BY_NAME.get(finding.category)
    name = known.bedrock if known else finding.category if finding.category in _PII_OF_SECRETS else None
    if finding.guard == "regex" or name is None:
        return "regexes", [_regex(one)]
    acted = _acted(finding, masks=True)
    return "piiEntities", [{"match": one.match, "type": name, "action": acted, "detected": True}]


def _regex(one: Seen) -> dict[str, Any]:
    return {
        "name": one.finding.category,
        "match": one.match,
        "action": _acted(one.finding, masks=True),
        "detected": True,
    }


def _absent_pii(by_guard: Mapping[str, Sequence[Seen]], items: Items) -> Iterator[dict[str, Any]]:
    found = {one.finding.category for one in by_guard.get("pii", ())}
    known, names = groups(), dict[str, None]()
    for settings in _settings(items, "pii"):
        wanted = [*settings.get("entities", ("structured",)), *settings.get("actions", {})]
        names.update(dict.fromkeys(each for name in wanted for each in known.get(name, (name,))))
    told = {BY_NAME[name].bedrock for name in found if name in BY_NAME}
    for name in dict.fromkeys(BY_NAME[name].bedrock for name in names if name in BY_NAME):
        if name is not None and name not in told:
            yield {"match": "", "type": name, "action": "NONE", "detected": False}


def _grounding(seen: Sequence[Seen], items: Items) -> Iterator[dict[str, Any]]:
    """Bedrock scores how well a text is founded; a finding's score is how sure it is that it is not."""
    for name, finding in _strongest(seen).items():
        said = [settings.get(name.lower()) for settings in _settings(items, "grounding")]
        yield {
            "type": name,
            "threshold": next((float(each) for each in said if isinstance(each, int | float)), 0.0),
            "score": round(1 - finding.score, 6),
            "action": _acted(finding),
            "detected": True,
        }


def _reasoning(one: Seen) -> dict[str, Any]:
    """Bedrock's union: one key. What the guard tells in words goes into its shapes."""
    finding = one.finding
    name = _REASONING.get(finding.category, "noTranslations")
    told: Mapping[str, Any] = getattr(finding, "told", {})
    if name in {"tooComplex", "noTranslations"}:
        return {name: {}}
    if name == "translationAmbiguous":
        options = [{"translations": [_translation(option, option.get("share"))]} for option in told.get("options", ())]
        return {name: {"options": options[:2], "differenceScenarios": _scenarios(told, "difference")}}
    shape: dict[str, Any] = {"translation": _translation(told, told.get("confidence"))}
    for field in _REASONING_FIELDS[name]:
        ours = _FIELDS[field]
        if field.endswith("Rules") and ours in told:
            shape[field] = [{"identifier": rule} for rule in told[ours]]
        for scenario in _scenarios(told, ours) if field.endswith("Scenario") else ():
            shape[field] = scenario
    if "logic_warning" in told:
        shape["logicWarning"] = {"type": told["logic_warning"]}
    return {name: shape}


def _translation(told: Mapping[str, Any], sure: float | None) -> dict[str, Any]:
    premises, claims = ([{"naturalLanguage": words} for words in told.get(part, ())] for part in ("premises", "claims"))
    return {"premises": premises, "claims": claims, "confidence": 1.0 if sure is None else sure}


def _scenarios(told: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    words = told.get(name)
    return [{"statements": [{"naturalLanguage": part} for part in words.split("; ")]}] if words else []
