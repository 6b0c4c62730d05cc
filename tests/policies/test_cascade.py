"""The grammar of a cascade: what is refused at once, what gets a warning, what the docs show."""

import re
from pathlib import Path

import pytest

from policies.lint import lint
from policies.load import load_policy
from policies.mistakes import Mistakes
from policies.schema import Cascade, PolicyBody

PAGE = (Path(__file__).parents[2] / "docs" / "cascade.md").read_text("utf-8")


def mistakes(tmp_path, text):
    path = tmp_path / "p.yaml"
    path.write_text(f"stillhouse: 1\nname: p\n{text}\n", "utf-8")
    with pytest.raises(Mistakes) as found:
        load_policy(path)
    return [(m.path, m.message) for m in found.value.mistakes]


@pytest.mark.parametrize(
    ("text", "path", "words"),
    [
        (
            "budget: {usd_per_request: 1}\ncascade: {start: small, checks: [logprobs]}",
            "cascade.checks",
            "how likely is enough",
        ),
        ("cascade: {start: small, checks: [likelihood], accept: 0.8, keep: 0.9}", "cascade.keep", "beside 'accept'"),
        ("cascade: {start: small, checks: [finish], accept: 0.8}", "cascade.accept", "no check tells that"),
        ("cascade: {start: small, checks: [finish], samples: 3}", "cascade.samples", "no check compares"),
        ("cascade: {start: small, checks: []}", "cascade.checks", "at least"),
        ("cascade: {start: small, checks: [finish, finish]}", "cascade.checks", "twice"),
        ("cascade: {start: small, checks: [mood]}", "cascade.checks[0]", "mood"),
        ("cascade: {start: large, checks: [finish]}", "cascade.start", "nothing can be escalated"),
        ("tiers: [medium, large]\ncascade: {start: small, checks: [finish]}", "cascade.start", "not among"),
        ("cascade: {start: small, checks: [finish], max_escalations: 3}", "cascade.max_escalations", "at most 2"),
        ("cascade: {start: small, checks: [finish], deadline: 0}", "cascade.deadline", "0"),
        ("cascade: {start: small, checks: [finish], speed: 1}", "cascade.speed", "unknown key"),
        ("cascade: {checks: [finish]}", "cascade.start", "required"),
        ("stream: immediate\ncascade: {start: small, checks: [finish]}", "stream", "holds nothing back"),
    ],
)
def test_a_cascade_that_cannot_work_is_refused_at_its_place(tmp_path, text, path, words):
    ((found, message),) = mistakes(tmp_path, text)
    assert found == path
    assert words in message


def test_a_cascade_over_a_floor_that_holds_nothing_back_is_refused(tmp_path):
    (tmp_path / "floor.yaml").write_text("stillhouse: 1\nname: org\nstream: immediate\n", "utf-8")
    ((path, message),) = mistakes(tmp_path, "extends: ./floor.yaml\ncascade: {start: small, checks: [finish]}")
    assert path == "cascade"
    assert "holds nothing back" in message


def warned(**settings):
    return [(p.path, p.message) for p in lint(PolicyBody(stillhouse=1, name="p", **settings))]


def test_what_is_hardly_meant_gets_a_warning():
    short = Cascade(start="small", checks=("finish",), hold=16)
    assert warned(cascade=short, stream="checked")[0][0] == ("cascade", "hold")
    assert "only whole answers" in warned(cascade=Cascade(start="small", checks=("finish",)))[0][1]
    assert warned(cascade=Cascade(start="small", checks=("refusal",), hold=16), stream="checked") == []


def test_a_layer_is_not_warned_of_its_floor_s_cascade():
    body = PolicyBody(stillhouse=1, name="p", cascade=Cascade(start="small", checks=("finish",)))
    assert lint(body, 0, frozenset({"name"})) == ()


def test_the_policy_in_the_docs_loads(tmp_path):
    path = tmp_path / "tries.yaml"
    path.write_text(re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)[0], "utf-8")
    policy = load_policy(path)
    assert policy.warnings == ()
    assert policy.body.cascade.hold == 64
