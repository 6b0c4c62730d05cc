"""The README's commands and program run as written."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text("utf-8")


def blocks(kind):
    return re.findall(rf"```{kind}\n(.*?)```", README, re.DOTALL)


def test_the_program_runs_when_pasted(tmp_path, home):
    """Against a gateway of its own, with the embedded model."""
    server = subprocess.Popen(
        [sys.executable, "-m", "stillhouse.cli", "serve", "--port", "0"],
        cwd=ROOT, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        url = next(m[1] for line in server.stdout if (m := re.match(r"ready\s+(\S+)", line)))
        [program] = blocks("python")
        (tmp_path / "ask.py").write_text(program.replace("http://127.0.0.1:8484/v1", url))
        done = subprocess.run(
            [sys.executable, tmp_path / "ask.py"], capture_output=True, text=True, timeout=100, check=False
        )
        assert done.returncode == 0, done.stderr
        assert re.search(r"^small because \S+", done.stdout, re.MULTILINE)
    finally:
        server.terminate()
        server.wait(20)
        server.stdout.close()


test_the_program_runs_when_pasted = pytest.mark.local_model(test_the_program_runs_when_pasted)


def test_the_policy_loads_when_pasted(tmp_path):
    from policies.load import load_policy

    [policy] = blocks("yaml")
    path = tmp_path / "ours.yaml"
    path.write_text(policy)
    assert load_policy(path).layers == ("balanced", "ours")


def test_the_settings_in_the_docs_load_when_pasted(tmp_path, monkeypatch):
    from router.serve.settings import load_settings

    text = (ROOT / "docs/settings.md").read_text("utf-8")
    [settings] = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    path = tmp_path / "stillhouse.yaml"
    path.write_text(settings)
    loaded = load_settings(path)
    assert [t.tier for t in loaded.tiers] == ["small", "medium", "large"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["explain", "What is 2 + 2?"],
        ["check", "policies/presets/balanced/policy.yaml"],
        ["models"],
        ["report"],
        ["unpin"],
    ],
    ids=" ".join,
)
def test_commands_run(arguments):
    done = subprocess.run(
        [sys.executable, "-m", "stillhouse.cli", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
