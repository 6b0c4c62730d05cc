"""What an operator of cells reads and gets: plans, configurations, mistakes."""

import json
from datetime import UTC, datetime

import pytest
import yaml
from click.testing import CliRunner

from router.registry.keys import KeyStore
from stillhouse.cli.cells import command
from stillhouse.cli.keeper import FIRST_PAUSE, Kept

CELLS = """
stillhouse_cells: 1
cells:
  - {name: c0, port: 9100}
  - {name: c1, port: 9101}
  - {name: c2, port: 9102}
pins: {acme: [c2, c0]}
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "cells.yaml"
    path.write_text(CELLS)
    return path


@pytest.fixture
def token(home):
    return KeyStore(home / "keys.json").add("acme", now=datetime.now(UTC))[1]


def run(*words, ok=True):
    result = CliRunner().invoke(command, [str(word) for word in words], catch_exceptions=False)
    assert (result.exit_code == 0) == ok, result.output
    return result.output


def test_the_plan_says_where_a_tenant_lives_and_who_would_move(file, token):
    [line] = run("plan", file, "--add", "c3", "--json").splitlines()
    assert json.loads(line) == {"tenant": "acme", "cells": ["c2", "c0"], "then": ["c2", "c0"], "pinned": True}
    many = [json.loads(line) for line in run("plan", file, "--remove", "c1", "--json", *_tenants(30)).splitlines()]
    assert all(("c1" in each["cells"]) == (each["cells"] != each["then"]) for each in many)
    assert "0 of 1 tenants would move." in run("plan", file, "--add", "c3")


def _tenants(n):
    return [word for i in range(n) for word in ("--tenant", f"t{i}")]


@pytest.mark.parametrize(("proxy", "names"), [("envoy", {"envoy.yaml", "clusters.yaml", "routes.yaml"}),
                                              ("haproxy", {"haproxy.cfg", "keys.map", "503.http"})])  # fmt: skip
def test_a_proxys_files_name_ids_and_no_secrets_and_are_the_same_each_time(file, token, tmp_path, proxy, names):
    run("proxy", file, "--for", proxy, "--out", tmp_path / "out")
    made = {path.name: path.read_text() for path in (tmp_path / "out").iterdir()}
    assert set(made) == names
    text = "".join(made.values())
    assert token.split("-")[2] in text
    assert token.split("-", 3)[3] not in text
    assert "to.c2.c0" in text
    run("proxy", file, "--for", proxy, "--out", tmp_path / "out")
    assert {path.name: path.read_text() for path in (tmp_path / "out").iterdir()} == made


def test_strangers_may_be_sent_to_a_cell(file, token, tmp_path):
    file.write_text(CELLS + "strangers: c1\n")
    run("proxy", file, "--for", "envoy", "--out", tmp_path / "out")
    clusters = yaml.safe_load((tmp_path / "out" / "clusters.yaml").read_text())["resources"]
    assert {"to.c1", "to.c2.c0"} <= {each["name"] for each in clusters}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (CELLS.replace("9101", "9100"), "127.0.0.1:9100 is used by two cells"),
        (CELLS.replace("c1", "c0"), "c0 is used by two cells"),
        (CELLS.replace("[c2, c0]", "[c9]"), "'c9' is no cell"),
        (CELLS + "strangers: c9\n", "'c9' is no cell"),
        (CELLS + "colour: red\n", "colour"),
        (CELLS.replace("name: c0", "name: 'c0;evil'"), "cells.yaml:4"),
    ],
)
def test_every_mistake_is_told_with_its_place(file, text, words):
    file.write_text(text)
    said = run("plan", file, ok=False)
    assert words in said
    assert "cells.yaml:" in said


def test_a_cell_that_is_none_is_named(file):
    assert "there is no cell 'c9'" in run("serve", file, "c9", ok=False)


def test_the_keeper_waits_longer_each_time_a_cell_ends_at_once(file, monkeypatch):
    cell = Kept(file, "c0")
    monkeypatch.setattr(cell, "_command", ["false"])
    pauses, now = [], 100.0
    for _ in range(4):
        cell.look(now)
        cell.process.wait()
        cell.look(now)
        pauses.append(cell._due - now)
        now = cell._due
    assert pauses == pytest.approx([FIRST_PAUSE * 2**i for i in range(4)])
