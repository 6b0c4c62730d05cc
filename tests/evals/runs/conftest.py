"""A suite on disk in front of a scripted server, run as the command runs it."""

import asyncio
import json
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from evals.runs.execute import Wishes, execute, plan
from evals.suites.read import load
from tests.support.upstream import Answer, ScriptedUpstream

SETTINGS = """\
stillhouse: 1
upstreams: {{up: {{kind: openai, base_url: "{url}"}}}}
tiers:
  - {{tier: small, upstream: up, model: m-small, price: {{input: 1, output: 2}}}}
  - {{tier: large, upstream: up, model: m-large, price: {{input: 10, output: 20}}}}
"""
PLAIN = """\
suite: ours
about: A suite of a test.
data: {file: rows.jsonl}
config: stillhouse.yaml
params: {max_tokens: 10}
targets: [{name: small, tier: small}]
scorers: [exact]
"""


@dataclass
class Bench:
    """Writes suites into a folder and runs them."""

    folder: Path
    up: ScriptedUpstream
    wishes: Wishes = field(init=False)

    def __post_init__(self):
        self.wishes = Wishes(runs=self.folder / "runs")
        self.write("stillhouse.yaml", SETTINGS.format(url=self.up.base_url))
        self.rows(*({"id": f"r{n}", "prompt": f"say {n}", "reference": f"{n}"} for n in range(6)))
        self.suite(PLAIN)

    def write(self, name, text):
        (self.folder / name).write_text(text, "utf-8")

    def rows(self, *rows):
        self.write("rows.jsonl", "\n".join(json.dumps(row, ensure_ascii=False) for row in rows))

    def suite(self, text):
        self.write("suite.yaml", text)

    def plan(self, **wishes):
        path = self.folder / "suite.yaml"
        self.wishes = replace(Wishes(runs=self.folder / "runs"), **wishes)
        return plan(load(path), path, self.wishes)

    async def run(self, tell=lambda _: None, **wishes):
        """A whole run; the plan is made off the loop's thread, as nothing in it waits."""
        made = await asyncio.to_thread(self.plan, **wishes)
        return await execute(made, self.wishes, tell)

    @property
    def asked(self):
        """Prompts that reached the server, in order."""
        chats = [seen for seen in self.up.requests if seen.path.endswith("/chat/completions")]
        return [seen.json["messages"][-1]["content"] for seen in chats]


def echo(seen):
    """The prompt's last word; nothing but chats is known here."""
    if not seen.path.endswith("/chat/completions"):
        return Answer.error(404, "no such page")
    return Answer.completion(seen.json["messages"][-1]["content"].split()[-1])


@pytest.fixture
async def bench(tmp_path):
    async with ScriptedUpstream() as up:
        up.always(echo)
        yield Bench(tmp_path, up)
