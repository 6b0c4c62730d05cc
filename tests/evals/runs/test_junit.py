"""Verdicts for machines."""

import json
from xml.etree import ElementTree as ET

from evals.runs.execute import Done
from evals.runs.junit import as_json, junit
from evals.runs.record import Check, Run


def done(tmp_path, verdict="fail", stopped="", *checks):
    run = Run(
        id="i",
        suite="s",
        suite_hash="h",
        targets=("t",),
        started="2026-01-01T00:00:00+00:00",
        verdict=verdict,
        checks=checks,
    )
    return Done(run, (), tmp_path, stopped)


def test_every_assertion_is_a_case_and_a_hole_is_an_error(tmp_path):
    checks = (
        Check(says="quality >= 0.5", target="t", verdict="pass", value=0.7, n=3),
        Check(
            says='exact >= "1"',
            target="t",
            verdict="fail",
            value=0.7,
            low=0.1,
            high=0.9,
            n=3,
            why="it is below\x00 <the bound>",
        ),
        Check(says="saving >= 0%", target="t", verdict="error", why="not known"),
    )
    root = ET.fromstring(junit([done(tmp_path, "error", "the budget is used up", *checks)]))
    [suite] = root
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("4", "1", "2")
    whole, good, bad, hole = suite
    assert whole.find("error").get("message") == "the budget is used up"
    assert len(good) == 0
    assert bad.get("classname") == "s.t"
    assert bad.find("failure").get("message") == "it is below? <the bound>"
    assert bad.find("failure").text == "0.7 (0.1 to 0.9), n = 3"
    assert hole.find("error").get("message") == "not known"


def test_json_holds_the_header_the_folder_and_the_exit_code(tmp_path):
    said = json.loads(json.dumps(as_json(done(tmp_path))))
    assert (said["suite"], said["folder"], said["exit_code"], said["incomplete"]) == ("s", str(tmp_path), 1, "")
