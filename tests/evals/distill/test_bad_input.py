"""Bad input and bad luck: a sentence that says what to do, nothing half-made left, and serving is never touched."""

import json
import os
import re
import resource
import shlex
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from click.testing import CliRunner

from evals.distill.curate.rules import Rules
from evals.distill.curate.run import curate
from evals.distill.folder import Folder
from stillhouse.cli.distill import command
from tests.evals.distill import made

ROOT = Path(__file__).parents[3]
TEACH = """
import json, os, time
from pathlib import Path
out = Path(os.environ["STILLHOUSE_OUT"])
if not (out / "half").exists():
    (out / "half").touch()
    time.sleep(600)
(out / "result.json").write_text(json.dumps({"model": "ft:small:1"}))
"""


def run(*words):
    return CliRunner().invoke(command, words, catch_exceptions=False)


def left(root):
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


@contextmanager
def full_disk(most):
    """No file may grow beyond so many bytes: what a full disk says, without filling one."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.fixture
def source(home):
    return made.write(home / "rows.jsonl", made.rows(300))


def test_a_disk_that_fills_while_curating_is_told_and_the_same_command_ends_as_if_it_never_had(home, source):
    whole, broken = Folder.of(home, "whole"), Folder.of(home, "broken")
    rules = ("--budget", "80", "--holdout-rows", "20")
    assert run("curate", "whole", str(source), *rules).exit_code == 0
    for most in (4_000, 40_000):  # in the middle of a shard; in the middle of what is learned from
        with full_disk(most):
            done = run("curate", "broken", str(source), *rules)
        assert done.exit_code == 2
        assert "there is no room left" in done.output.replace("\n", " ")
        assert not broken.train.exists()
        assert not broken.manifest.exists()
    assert run("curate", "broken", str(source), *rules).exit_code == 0
    assert left(broken.root) == left(whole.root)


def test_a_disk_that_fills_while_exporting_leaves_the_export_that_was_there(home, source):
    folder = Folder.of(home, "loop")
    curate([source], folder, Rules(budget=80))
    assert run("export", "loop", "--format", "openai").exit_code == 0
    before = left(folder.root / "exports")
    with full_disk(4_000):
        done = run("export", "loop", "--format", "openai")
    assert done.exit_code == 2
    assert "there is no room left" in done.output.replace("\n", " ")
    assert left(folder.root / "exports") == before


def test_a_disk_that_fills_while_importing_leaves_the_rows_that_were_there(home, tmp_path):
    logs = tmp_path / "logs.jsonl"
    turns = [{"messages": [{"role": "user", "content": f"question {n} " * 20}, {"role": "assistant", "content": "yes"}]}
             for n in range(80)]  # fmt: skip
    logs.write_text("\n".join(map(json.dumps, turns[:60])))
    words = ("import", "loop", "--from", "openai-stored", str(logs))
    assert run(*words).exit_code == 0
    before = left(home / "distill")
    logs.write_text("\n".join(map(json.dumps, turns)))
    with full_disk(4_000):
        done = run(*words)
    assert done.exit_code == 2
    assert "nothing was written" in done.output
    assert left(home / "distill") == before


def test_a_trainer_that_is_killed_goes_on_with_the_same_command_and_serving_sees_nothing_of_it(home, source, tmp_path):
    folder = Folder.of(home, "loop")
    curate([source], folder, Rules(budget=80))
    (home / "policies").mkdir()
    (home / "policies" / "live.json").write_text("{}")
    teach = tmp_path / "teach.py"
    teach.write_text(TEACH)
    words = ["train", "loop", "--trainer", "command", "--run", shlex.join([sys.executable, str(teach)])]
    before = {name: data for name, data in left(home).items() if not name.startswith("distill/")}
    training = subprocess.Popen(
        [sys.executable, "-m", "stillhouse.cli", "distill", *words], cwd=ROOT, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 100
        while not list(folder.root.glob("students/*/half")) and time.monotonic() < deadline:
            time.sleep(0.02)
    finally:
        children(training.pid)
        training.wait()
    (half,) = folder.root.glob("students/*/half")
    assert not (half.parent / "student.json").exists()
    assert {name: data for name, data in left(home).items() if not name.startswith("distill/")} == before
    done = run(*words)
    assert done.exit_code == 0, done.output
    assert (half.parent / "student.json").exists()
    assert {name: data for name, data in left(home).items() if not name.startswith("distill/")} == before


def children(pid):
    """Kill a process and all that it began, as a machine that goes down does."""
    listed = subprocess.run(["ps", "-e", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    below = [int(child) for child, parent in (line.split() for line in listed.splitlines()) if int(parent) == pid]
    for one in (pid, *below):
        with suppress(ProcessLookupError):
            os.kill(one, signal.SIGKILL)


def test_every_line_of_the_table_of_bad_input_names_a_test_that_exists():
    page = (ROOT / "docs" / "distill.md").read_text("utf-8")
    table = page[page.index("## Bad input") :].split("\n## ")[0]
    named = re.findall(r"`([a-z_]+\.py)::(test_\w+)`", table)
    assert len(named) >= 7
    for file, name in named:
        assert f"def {name}(" in (Path(__file__).parent / file).read_text("utf-8"), name
