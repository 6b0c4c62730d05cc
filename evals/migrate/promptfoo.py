"""A promptfoo configuration (the common subset) as suites with data.

There an assertion belongs to a test, here a scorer to a suite. What is expected of one test goes into its row
(``reference``); tests that are scored alike make one suite. What cannot be said here (code, transforms, other
assertions) is named with its line, and a test that would be left without any assertion is named, too.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from evals.migrate.places import ForeignError, Tree, read_tree
from evals.migrate.promptfoo_asserts import REASONS, UNKNOWN, VARIABLE, Asserts, Wanted, text_of
from evals.migrate.suites import Made
from evals.migrate.told import Tale

if TYPE_CHECKING:
    from evals.migrate.told import Kind

_TEMPLATE: Final = re.compile(r"\{[{%#]")
_MOST_ROWS: Final = 100_000
_PROVIDER_KINDS: Final = frozenset({"chat", "messages", "completion", "responses"})


#: Gives a file beside the configuration as text; raises ``ForeignError`` with the reason where it cannot.
ReadFile = Callable[[str], str]


class Prompt(NamedTuple):
    """A prompt: a text, or messages whose texts are filled in."""

    label: str
    messages: tuple[Mapping[str, Any], ...]


def promptfoo_suites(text: str, *, file: str, name: str, read: ReadFile, config: str) -> tuple[list[Made], Tale]:
    """Turn a configuration into suites.

    Args:
        text: the configuration.
        file: its name, for people.
        name: what the suites are called; with a number where there are several.
        read: reads the files that it names.
        config: the settings file that the suites name, with the models in it.

    Raises:
        ForeignError: it cannot be read, or no test of it can be carried.
    """
    tale = Tale()
    reader = _Reader(read_tree(text, file=file), tale, file, read)
    prompts, targets, params = reader.prompts(), reader.targets(), reader.params()
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for number, (wanted, values, where, slices) in enumerate(reader.tests(), start=1):
        rows = groups.setdefault(wanted.scorers, [])
        for place, prompt in enumerate(prompts):
            row = reader.row(number, place, prompt, values, wanted, where)
            if row is not None:
                rows.append(row | slices)
    reader.rest()
    groups = {scorers: rows for scorers, rows in groups.items() if rows}
    if not groups:
        first = "; ".join(str(told) for told in tale.of("lost")[:3])
        raise ForeignError(f"{file}: no test of it can be carried over{': ' if first else ''}{first}")
    about = f"From promptfoo: {reader.about or file}"[:500]
    suites = []
    for number, (scorers, rows) in enumerate(groups.items(), start=1):
        suite: dict[str, Any] = {"about": about, "config": config}
        if params:
            suite["params"] = params
        suite |= {"targets": targets, "scorers": [json.loads(each) for each in scorers]}
        if len(prompts) > 1:
            suite["slices"] = ["prompt-label"]
        suite["assert"] = ["quality >= 1"]
        suites.append(Made(name if len(groups) == 1 else f"{name}-{number}", suite, rows))
    return suites, tale


class _Reader:
    def __init__(self, root: Tree, tale: Tale, file: str, read: ReadFile) -> None:
        self._root, self._tale, self._file, self._read = root, tale, file, read
        self.about = root.text("description") or ""
        self._params: dict[str, Any] = {}
        self._scored = Asserts(tale, file)

    def _say(self, kind: Kind, tree: Tree, words: str, what: str = "") -> None:
        self._tale.say(kind, self._file, tree.line, what or tree.path, words)

    def lost(self, tree: Tree, words: str = "") -> None:
        """Tell of a part that was not carried."""
        name = tree.path.rsplit(".", 1)[-1].split("[")[0]
        self._say("lost", tree.account(), words or REASONS.get(name, UNKNOWN) or UNKNOWN)

    def rest(self) -> None:
        """Every part that nobody has dealt with."""
        for left in list(self._root.left()):
            if not left.path.startswith("$schema"):
                self.lost(left)

    # --- prompts

    def prompts(self) -> list[Prompt]:
        """Every prompt that can be filled in here."""
        listed = self._root.get("prompts")
        if listed is None:
            return [Prompt("", ({"role": "user", "content": "{{prompt}}"},))]
        items = listed if isinstance(listed.value, list) else [listed]
        found: list[Prompt] = []
        for item in items:
            raw = item if isinstance(item.value, str) else item.get("raw") or item.get("id")
            if raw is None or not isinstance(raw.value, str):
                self.lost(item, "a prompt is a text, or a file of texts")
                continue
            label = (item.text("label") or item.text("id") or "") if isinstance(item.value, dict) else ""
            raw.account()
            for said in self._texts(raw):
                made = self._prompt(said, label or f"prompt {len(found) + 1}", item)
                found += [made] if made is not None else []
        return found

    def _texts(self, raw: Tree) -> list[str]:
        said = str(raw.value)
        if not said.startswith("file://"):
            return [said]
        path = said.removeprefix("file://")
        if PurePosixPath(path).suffix not in {".txt", ".json", ".md"}:
            self.lost(raw, "prompts are read from .txt, .md and .json; code is not run")
            return []
        try:
            content = self._read(path)
        except ForeignError as error:
            self.lost(raw, str(error))
            return []
        parts = re.split(r"^---\s*$", content, flags=re.MULTILINE) if path.endswith(".txt") else [content]
        return [part.strip() for part in parts if part.strip()]

    def _prompt(self, said: str, label: str, item: Tree) -> Prompt | None:
        messages: Any = [{"role": "user", "content": said}]
        if said.lstrip().startswith("["):
            try:
                messages = json.loads(said)
            except ValueError:
                self.lost(item, "it begins like a list of messages and is not JSON before its variables are filled in")
                return None
            if not all(isinstance(m, dict) and isinstance(m.get("content"), str) for m in messages):
                self.lost(item, "messages must have a role and a text as content")
                return None
        for message in messages:
            if _TEMPLATE.search(VARIABLE.sub("", message["content"])):
                self.lost(item, "only {{name}} is filled in; filters, conditions and loops are not")
                return None
        return Prompt(label, tuple(messages))

    # --- providers

    def targets(self) -> list[dict[str, Any]]:
        """Whom to ask, by the model's name; where nobody is named, the large tier."""
        listed = self._root.get("providers") or self._root.get("targets")
        items = [] if listed is None else list(listed) if isinstance(listed.value, list) else [listed]
        found: dict[str, dict[str, Any]] = {}
        shared: list[dict[str, Any]] = []
        for item in items:
            name = str(item.account().value) if isinstance(item.value, str) else item.text("id")
            label = item.text("label") if isinstance(item.value, dict) else None
            model = _model_of(name or "")
            if model is None:
                self.lost(item, "no model that a gateway could ask; code and web pages are not run")
                continue
            title = _title(label or model)
            while title in found:
                title += "-2"
            found[title] = {"name": title, "model": model}
            self._say("guess", item, f"asks {model!r}: list it under 'tiers' of the settings file that the suite names")
            shared.append(self._params_of(item))
        if shared and all(each == shared[0] for each in shared):
            self._params = shared[0]
        elif any(shared):
            assert listed is not None
            self._say("lost", listed, "providers differ in their parameters, and a suite has one set for all targets")
        return list(found.values()) or [{"name": "large", "tier": "large"}]

    def _params_of(self, item: Tree) -> dict[str, Any]:
        config = item.get("config") if isinstance(item.value, dict) else None
        found: dict[str, Any] = {}
        for name in ("temperature", "max_tokens", "top_p", "seed", "max_completion_tokens"):
            number = None if config is None else config.number(name)
            if number is not None:
                found[name] = int(number) if number == int(number) and name != "temperature" else number
        return found

    def params(self) -> dict[str, Any]:
        """What every request says besides."""
        return self._params

    # --- tests

    def tests(self) -> Iterator[tuple[Wanted, dict[str, str], Tree, dict[str, Any]]]:
        """Each test for each combination of its values, with what it asserts and what slices may read."""
        usual = self._root.get("defaultTest")
        if usual is not None and not isinstance(usual.value, dict):
            self.lost(usual, "a default test in another file is not read")
            usual = None
        common = {} if usual is None else self._values(usual)
        always = [] if usual is None else self._asserts(usual)
        listed = self._root.get("tests")
        if listed is not None and not isinstance(listed.value, list):
            self.lost(listed, "tests in another file are not read: write them into this one")
        for item in listed or ():
            yield from self._test(item, common, always)

    def _test(
        self, item: Tree, common: Mapping[str, list[str]], always: Sequence[Tree]
    ) -> Iterator[tuple[Wanted, dict[str, str], Tree, dict[str, Any]]]:
        if not isinstance(item.value, dict):
            self.lost(item, "a test in another file is not read: write it into this one")
            return
        values = {**common, **self._values(item)}
        own = self._asserts(item)
        title = item.text("description")
        meta = item.get("metadata")
        slices: dict[str, Any] = {"description": title} if title else {}
        if meta is not None:
            slices["metadata"] = meta.account().data()
        wanted = self._scored.wanted([*own, *always])
        if not wanted.scorers:
            self._say("lost", item, "nothing is left that could be asserted of it, so it is left out")
            return
        rows = list(itertools.product(*values.values()))
        if len(rows) > _MOST_ROWS:
            self.lost(item, f"its values make {len(rows):,} rows; at most {_MOST_ROWS:,} are made")
            return
        for row in rows:
            yield wanted, dict(zip(values, row, strict=True)), item, slices

    def _values(self, item: Tree) -> dict[str, list[str]]:
        """Variable -> its values; a list is one value after the other."""
        found: dict[str, list[str]] = {}
        given = item.get("vars")
        if given is not None and not isinstance(given.value, dict):
            self.lost(given, "variables in another file are not read: write them into this one")
            return found
        for name, tree in (given.entries() if given is not None else {}).items():
            listed = [part.value for part in tree] if isinstance(tree.value, list) else [tree.value]
            if any(isinstance(value, str) and value.startswith("file://") for value in listed):
                self.lost(tree, "a value in another file is not read: write it into this one")
                continue
            if any(isinstance(value, dict | list) for value in listed):
                self.lost(tree, "a value must be a text, a number, true or false")
                continue
            tree.account()
            found[name] = [text_of(value) for value in listed]
        return found

    def _asserts(self, item: Tree) -> list[Tree]:
        listed = item.get("assert")
        return [] if listed is None else list(listed)

    # --- rows

    def row(
        self, number: int, place: int, prompt: Prompt, values: Mapping[str, str], wanted: Wanted, where: Tree
    ) -> dict[str, Any] | None:
        """One row; None, told, where the prompt needs a value that the test does not give."""
        texts = [*(m["content"] for m in prompt.messages), *wanted.references]
        missing = sorted({name for text in texts for name in VARIABLE.findall(text) if name not in values})
        if missing:
            words = f"{prompt.label}: no value for {', '.join(missing)}, so this test is left out for it"
            self._say("lost", where, words)
            return None
        messages = [
            {**message, "content": VARIABLE.sub(lambda found: values[found[1]], message["content"])}
            for message in prompt.messages
        ]
        row: dict[str, Any] = {"id": f"{number:05}-{place + 1}", "stem": f"{number:05}", "messages": messages}
        if wanted.references:
            said = [VARIABLE.sub(lambda found: values[found[1]], text) for text in wanted.references]
            row["reference"] = said if len(said) > 1 else said[0]
        return {**row, "prompt-label": prompt.label, "vars": dict(values)}


def _model_of(name: str) -> str | None:
    """A provider's id as the model's name: ``openai:chat:gpt-5`` is ``gpt-5``; None where it is no model."""
    if not name or name.startswith(
        ("file://", "exec:", "python:", "http://", "https://", "webhook:", "package:", "browser")
    ):
        return None
    head, *rest = name.split(":")
    if not rest:
        return head
    if rest[0] in _PROVIDER_KINDS and len(rest) > 1:
        rest = rest[1:]
    return ":".join(rest)


def _title(text: str) -> str:
    name = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:48].strip("-")
    return name if name and name[0].isalpha() else f"m-{name or 'odel'}"
