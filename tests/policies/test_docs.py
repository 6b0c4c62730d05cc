"""What docs/policies.md and the presets' pages show is true."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from policies.load import PRESETS, load_policy
from policies.probes import load_probes
from policies.schema import Session
from stillhouse.cli.check import command

PAGE = (Path(__file__).parents[2] / "docs" / "policies.md").read_text("utf-8")
POLICY, PROBES = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


def test_the_policy_in_the_docs_loads(tmp_path):
    path = tmp_path / "ours.yaml"
    path.write_text(POLICY, "utf-8")
    assert load_policy(path).warnings == ()


def test_the_session_in_the_docs_shows_the_defaults(tmp_path):
    path = tmp_path / "ours.yaml"
    [shown] = re.findall(r"```yaml part\n(session.*?)```", PAGE, re.DOTALL)
    path.write_text(f"stillhouse: 1\nname: ours\n{shown}", "utf-8")
    assert load_policy(path).body.session == Session()


def test_the_probes_in_the_docs_load(tmp_path):
    path = tmp_path / "probes.yaml"
    path.write_text(PROBES, "utf-8")
    assert len(load_probes(path).probes) == 2


def test_the_mistake_in_the_docs_is_shown_that_way(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("ours.yaml").write_text("stillhouse: 1\nname: ours\n\n\nquality: {keep: 95}\n", "utf-8")
    [shown] = re.findall(r"\$ stillhouse check ours.yaml\n(.*?)```", PAGE, re.DOTALL)
    assert CliRunner().invoke(command, ["ours.yaml"]).stdout.strip() == shown.strip()


@pytest.mark.parametrize("page", sorted(PRESETS.glob("*/README.md")), ids=lambda page: page.parent.name)
def test_what_a_preset_s_page_suggests_loads(page, tmp_path):
    for number, text in enumerate(re.findall(r"```yaml\n(.*?)```", page.read_text("utf-8"), re.DOTALL)):
        path = tmp_path / f"{number}.yaml"
        path.write_text(text, "utf-8")
        assert load_policy(path).warnings == ()
