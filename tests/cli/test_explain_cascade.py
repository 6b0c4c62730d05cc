"""What ``stillhouse explain`` says of a cascade."""

import json

import pytest
from click.testing import CliRunner

from stillhouse.cli.explain import command

POLICY = "stillhouse: 1\nname: tries\nquality: {keep: 1.0}\ncascade: {start: small, checks: [finish, refusal]}\n"
SETTINGS = """
stillhouse: 1
upstreams: {up: {kind: openai, base_url: "http://127.0.0.1:9/v1"}}
tiers:
  - {tier: small, upstream: up, model: s, price: {input: 0.1, output: 0.1}}
  - {tier: large, upstream: up, model: l, price: {input: 2, output: 2}}
"""


@pytest.fixture
def files(tmp_path):
    policy, settings = tmp_path / "p.yaml", tmp_path / "stillhouse.yaml"
    policy.write_text(POLICY, "utf-8")
    settings.write_text(SETTINGS, "utf-8")
    return ["--policy", str(policy), "--config", str(settings)]


def test_the_tiers_that_would_be_tried_are_told(files):
    told = CliRunner().invoke(command, ["What is 2 + 2?", *files])
    assert told.exit_code == 0
    assert "tried in turn: small, large" in told.stdout
    assert "finish, refusal" in told.stdout
    as_json = json.loads(CliRunner().invoke(command, ["What is 2 + 2?", *files, "--json"]).stdout)
    assert as_json["cascade"] == ["small", "large"]


def test_a_named_tier_is_not_cascaded(files):
    told = CliRunner().invoke(command, ["What is 2 + 2?", *files, "--tier", "large", "--json"])
    assert json.loads(told.stdout)["cascade"] == []
