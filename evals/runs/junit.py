"""A run for machines: JUnit XML for continuous integration, and JSON."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final
from xml.etree import ElementTree as ET

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evals.runs.execute import Done
    from evals.runs.record import Check

_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(runs: Sequence[Done]) -> str:
    """One ``testsuite`` a run, one ``testcase`` an assertion, and one that says whether the run is whole."""
    root = ET.Element("testsuites", name="stillhouse eval")
    for done in runs:
        checks = done.run.checks
        suite = ET.SubElement(
            root, "testsuite", name=_clean(done.run.suite), timestamp=done.run.started, tests=str(len(checks) + 1),
            failures=str(sum(check.verdict == "fail" for check in checks)),
            errors=str(sum(check.verdict == "error" for check in checks) + bool(done.stopped)),
        )  # fmt: skip
        whole = ET.SubElement(suite, "testcase", classname=_clean(done.run.suite), name="every answer is there")
        if done.stopped:
            ET.SubElement(whole, "error", message=_clean(done.stopped))
        for check in checks:
            _case(suite, done.run.suite, check)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _case(suite: ET.Element, name: str, check: Check) -> None:
    case = ET.SubElement(suite, "testcase", classname=_clean(f"{name}.{check.target}"), name=_clean(check.says))
    if check.verdict != "pass":
        kind = "failure" if check.verdict == "fail" else "error"
        ET.SubElement(case, kind, message=_clean(check.why)).text = _clean(_words(check))


def _words(check: Check) -> str:
    if check.value is None:
        return check.why
    interval = f" ({check.low:.6g} to {check.high:.6g})" if check.low is not None and check.high is not None else ""
    return f"{check.value:.6g}{interval}, n = {check.n}"


def _clean(text: str) -> str:
    """What XML can hold."""
    return _NOT_XML.sub("?", text)


def as_json(done: Done) -> dict[str, Any]:
    """The run's header with where its items are, and why it is incomplete where it is."""
    header: dict[str, Any] = msgspec.to_builtins(done.run)
    return {**header, "folder": str(done.folder), "incomplete": done.stopped, "exit_code": done.exit_code}
