"""Probes are strict data, too."""

import pytest

from policies.mistakes import Mistakes
from policies.probes import load_probes


def load(tmp_path, text):
    path = tmp_path / "probes.yaml"
    path.write_text("stillhouse: 1\nprobes:\n" + text)
    return load_probes(path)


def test_a_decision_and_a_guard_can_be_probed(tmp_path):
    probes = load(
        tmp_path,
        "  - {id: a, about: [ko], request: {prompt: 안녕, tags: [x]}, score: {right: {small: 1}}, expect: {tier: small}}\n"
        "  - {id: b, guard: {text: a@b.kr, action: mask, categories: [EMAIL]}}\n",
    )
    first, second = probes.probes
    assert first.request.prompt == "안녕"
    assert first.expect.tier == "small"
    assert second.guard.direction == "input"


@pytest.mark.parametrize(
    ("text", "path", "words"),
    [
        ("  - {id: a}", "probes[0]", "either request"),
        ("  - {id: a, request: {prompt: x}}", "probes[0]", "go together"),
        ("  - {id: a, request: {prompt: x}, expect: {}}", "probes[0].expect", "expects nothing"),
        ("  - {id: a, request: {}, expect: {tier: small}}", "probes[0].request", "either prompt or messages"),
        ("  - {id: a, guard: {text: x, action: mask}, score: {right: {}}}", "probes[0].score", "no score"),
        ("  - {id: a, guard: {text: x, action: hide}}", "probes[0].guard.action", "expected"),
        ("  - {id: a, guard: &g {text: x, action: none}}\n  - {id: a, guard: *g}", "probes[1].id", "stands above"),
        ("  - {id: a, request: {prompt: x}, expect: {teir: small}}", "probes[0].expect.teir", "unknown key"),
    ],
)
def test_a_wrong_probe_is_named(tmp_path, text, path, words):
    with pytest.raises(Mistakes) as error:
        load(tmp_path, text)
    assert error.value.mistakes[0].path == path
    assert words in error.value.mistakes[0].message
