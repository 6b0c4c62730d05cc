"""Walks docs/story.md: makes its files, runs its commands. ``python tests/house/story.py`` writes what they say into it."""

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/story.md"
BLOCK = re.compile(r"(?:`(?P<name>[\w.]+)`:\n\n)?```(?P<kind>\w+)(?P<live> live)?\n(?P<body>.*?)```", re.DOTALL)


class Told(NamedTuple):
    """A command of the page, what the page says that it says, and what it said."""

    command: str
    live: bool
    page: str
    code: int
    said: str


class Walk:
    """One walk in a folder. ``requests``: how many ``ask.py`` sends; None: as many as the page says."""

    def __init__(self, folder, requests=None):
        self.folder, self.requests = folder, requests
        self.proposal, self.url, self.server = "", "", None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.server is not None:
            self.server.terminate()
            self.server.wait(20)
            self.server.stdout.close()

    def told(self, text):
        """Each command of the page, run in its order."""
        for block in BLOCK.finditer(text):
            if block["name"]:
                (self.folder / block["name"]).write_text(block["body"], "utf-8")
            elif block["kind"] == "console":
                for part in re.split(r"^\$ ", block["body"], flags=re.MULTILINE)[1:]:
                    command, _, page = part.partition("\n")
                    if block["live"]:
                        time.sleep(1.5)  # as any reader: gateways follow the log within a second
                    code, said = self.run(command)
                    yield Told(command, bool(block["live"]), page, code, said)

    def run(self, command):
        """Exit code and output, both streams as they came."""
        command = re.sub(r"p-[0-9a-f]{8}", self.proposal, command)
        command = command.replace("http://127.0.0.1:8484/v1", self.url)
        if self.requests is not None and "ask.py" in command:
            command = command.rsplit(" ", 1)[0] + f" {self.requests}"
        if self.requests is not None and " eval " in command:
            command += " --dry-run"  # the suite itself has a test of its own; this shows that it is there
        if command.endswith(" &"):
            return self.serve(command.removesuffix(" &"))
        if command.startswith("stillhouse "):
            code, said = in_process(command)
        else:
            done = subprocess.run(
                command.replace("python", sys.executable, 1), shell=True, cwd=self.folder, check=False,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
            )  # fmt: skip
            code, said = done.returncode, done.stdout
        if "policy propose" in command and code == 0:
            self.proposal = re.match(r"p-[0-9a-f]{8}", said)[0]
        return code, said

    def serve(self, command):
        """Start it on a free port, and read until it is ready."""
        self.server = subprocess.Popen(
            [sys.executable, "-c", PLAIN, *command.split()[1:], "--port", "0"],
            cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        said = []
        for line in self.server.stdout:
            said.append(line)
            if found := re.match(r"ready\s+(\S+)", line):
                self.url = found[1]
                break
        return 0, "".join(said)


#: Tables as they come without rich, however wide the terminal.
WITHOUT_RICH = ("rich", "rich.console", "rich.table", "rich.text")
PLAIN = (
    f"import sys; sys.modules.update(dict.fromkeys({WITHOUT_RICH!r})); "
    "from stillhouse.cli.main import main; main()"
)  # fmt: skip


def in_process(command):
    """One command of ours without a new interpreter."""
    import shlex

    from click.testing import CliRunner

    from stillhouse.cli.main import cli

    arguments = shlex.split(command)[1:]
    before, sys.argv = sys.argv, ["stillhouse", *arguments]
    try:
        done = CliRunner().invoke(cli, arguments)
    finally:
        sys.argv = before
    return done.exit_code, done.output


def masked(text):
    """Words without figures, rules of tables and white space: what must not change from machine to machine."""
    text = re.sub(r"\S*/scorers/\S+|p-[0-9a-f]{8}|[0-9a-f]{12,}|\d{4}-\d\d-\d\d[T ][\d:]+Z?", "#", text)
    lines = (re.sub(r"[+-]?\d[\d.,]*", "#", line) for line in text.splitlines())
    # where the knee of a front lies is a figure as well
    return [" ".join(line.split()).removeprefix("knee ") for line in lines if line.strip(" -") and "…" not in line]


def rewrite():
    """Put what the commands say into the page."""
    text = PAGE.read_text("utf-8")
    sys.modules.update(dict.fromkeys(WITHOUT_RICH))
    with tempfile.TemporaryDirectory() as folder, Walk(Path(folder)) as walk:
        os.environ["STILLHOUSE_HOME"] = f"{folder}/home"
        os.chdir(folder)
        for told in walk.told(text):
            print(told.command, told.code, flush=True)
            said = "\n".join(line.rstrip() for line in told.said.replace(f"{folder}/home", "…").splitlines())
            said = said.replace(walk.url or "\0", "http://127.0.0.1:8484/v1")
            old, new = f"$ {told.command}\n{told.page}".rstrip("\n"), f"$ {told.command}\n{said}".rstrip("\n")
            text = text.replace(old + "\n", new + "\n\n", 1)
        text = re.sub(r"\n+```\n", "\n```\n", text.replace("p-00000000", walk.proposal))
        text = re.sub(r"\n{3,}", "\n\n", text)
        text = re.sub(r"p-[0-9a-f]{8}", walk.proposal, text)
    PAGE.write_text(text, "utf-8")


if __name__ == "__main__":
    rewrite()
