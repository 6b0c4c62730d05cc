"""A real gateway in a process of its own, and the application that asks it and says what was right."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import httpx

from evals.distill.demo.asked import Asked

START_SECONDS: Final = 60.0
ASK_SECONDS: Final = 120.0
OK: Final = 200
_CAPTURED: Final = "stillhouse_captures_total "


class Answer(NamedTuple):
    """One request, and what came of it; of one that got no answer, all but ``asked`` and ``seconds`` is empty.

    Attributes:
        asked: the question.
        said: the answer that the application got.
        tier, model: who gave it.
        seconds: until it was there.
        cost_nano: of all tries. baseline_nano: what the large tier would have cost.
        arm: of a roll-out.
    """

    asked: Asked
    said: str
    tier: str
    model: str
    seconds: float
    cost_nano: int
    baseline_nano: int
    arm: str

    @property
    def right(self) -> bool:
        """Whether it is the right one to the letter, but for blanks around it."""
        return self.said.strip() == self.asked.gold


@dataclass(frozen=True, slots=True)
class House:
    """A gateway that runs.

    Attributes:
        url: where.
        http: a client of it.
    """

    url: str
    http: httpx.Client

    def ask(
        self, asked: Asked, model: str, *, most_tokens: int, tag: str = "", tier: str | None = None, judged: bool = True
    ) -> Answer:
        """One question of the application.

        With ``judged`` it also says whether the answer was right, as feedback, and looks up what it cost.
        """
        body = {"model": model, "messages": asked.messages, "temperature": 0, "max_tokens": most_tokens}
        headers = {"x-stillhouse-tag": tag} if tag else {}
        headers |= {"x-stillhouse-tier": tier} if tier else {}
        since = time.monotonic()
        got = self.http.post("/v1/chat/completions", json=body, headers=headers)
        took = time.monotonic() - since
        if got.status_code != OK:
            return Answer(asked, "", "", "", took, 0, 0, "")
        head, said = got.headers, got.json()["choices"][0]["message"]["content"]
        record = {"model": got.json()["model"], "cost_nano": 0, "baseline_nano": 0}
        if judged:
            id_, right = head["x-request-id"], said.strip() == asked.gold
            word = {"request_id": id_, "score": int(right), "who": "person"}
            self.http.post("/v1/feedback", json=word).raise_for_status()
            record = self.http.get(f"/v1/stillhouse/requests/{id_}").raise_for_status().json()
        return Answer(
            asked, said, head["x-stillhouse-tier"], record["model"], took, record["cost_nano"],
            record["baseline_nano"], head.get("x-stillhouse-arm", ""),
        )  # fmt: skip

    def decides(self, asked: Asked, model: str, tag: str) -> dict[str, Any]:
        """What the gateway would do with a question, without asking a model."""
        body = {"model": model, "messages": asked.messages}
        told = self.http.post("/v1/route", json=body, headers={"x-stillhouse-tag": tag}).raise_for_status()
        decided: dict[str, Any] = told.json()
        return decided

    def wait_for(self, names: set[str]) -> None:
        """Until the gateway lists these models; it looks for new ones by itself.

        Raises:
            RuntimeError: it does not.
        """
        self.until(lambda: names <= self.models(), f"the gateway does not list {', '.join(sorted(names))}")

    def until(self, holds: Callable[[], bool], complaint: str) -> None:
        """Look again until it holds.

        Raises:
            RuntimeError: it never does; with the complaint.
        """
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            if holds():
                return
            time.sleep(0.1)
        raise RuntimeError(complaint)

    def captured(self) -> int:
        """How many answers are kept to learn from; each is written a moment after it was given."""
        told = self.http.get("/metrics").raise_for_status().text
        return sum(int(float(line.split()[-1])) for line in told.splitlines() if line.startswith(_CAPTURED))

    def models(self) -> set[str]:
        """What it serves, by name."""
        return {each["id"] for each in self.http.get("/v1/models").json()["data"]}


@contextlib.contextmanager
def serving(home: Path, config: Path) -> Iterator[House]:
    """Start ``stillhouse serve`` with its own home, and end it.

    Raises:
        RuntimeError: it did not come up; with what it said.
    """
    port = _free_port()
    words = [sys.executable, "-m", "stillhouse.cli", "serve", "--config", str(config), "--port", str(port)]
    log = home / "gateway.log"
    env = os.environ | {"STILLHOUSE_HOME": str(home), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    with log.open("ab") as out, subprocess.Popen(words, env=env, stdout=out, stderr=out) as child:
        url = f"http://127.0.0.1:{port}"
        with httpx.Client(base_url=url, timeout=ASK_SECONDS, trust_env=False) as http:
            try:
                _wait(http, child, log)
                yield House(url, http)
            finally:
                child.terminate()
                child.wait(30)


def _wait(http: httpx.Client, child: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and child.poll() is None:
        with contextlib.suppress(httpx.TransportError):
            if http.get("/readyz").status_code == OK:
                return
        time.sleep(0.05)
    raise RuntimeError(f"the gateway did not come up:\n{log.read_text(errors='replace')[-2000:]}")


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def settings_text(teacher_url: str, policies: Sequence[str], price: Mapping[str, float]) -> str:
    """The gateway's settings: the embedded model as small, the teacher as large."""
    return (
        "stillhouse: 1\n"
        "upstreams:\n"
        "  here: {kind: local}\n"
        f'  teacher: {{kind: openai, base_url: "{teacher_url}"}}\n'
        "tiers:\n"
        "  - {tier: small, upstream: here, model: smollm2-135m-instruct, tools: false, images: false}\n"
        "  - {tier: large, upstream: teacher, model: exact-label-teacher,"
        f" price: {{input: {price['input']}, output: {price['output']}}}}}\n"
        f"policies: [{', '.join(policies)}]\n"
    )
