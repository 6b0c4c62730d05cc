"""One task, all the way round: traffic, failures, rows, students, gate, a person's yes, traffic again."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from random import Random
from statistics import median
from typing import Any, Final, NamedTuple

from evals.distill.demo import orders, tickets
from evals.distill.demo.asked import Asked
from evals.distill.demo.house import Answer, House, serving, settings_text
from evals.distill.demo.steps import Run, StepError, Steps, Tell, apart
from evals.distill.demo.teacher import NAME as TEACHER
from evals.distill.demo.teacher import Teacher, teaching
from evals.intervals import wilson
from router.registry.weights import BUILT_IN_NAME

PRICE: Final = {"input": 1.25, "output": 10}  # of the large tier, USD per million tokens: an assumption, see the result
MARGINS: Final = ("errors=0.05", "latency=100%", "latency_p95=100%")
"""What is put up with: eighty rows cannot show errors to be rarer, and a student of 16 bits is slower than 4."""
_BEFORE: Final = """\
stillhouse: 1
name: {name}
quality: {{keep: 0.9}}
tiers: [small, large]
stream: checked
cascade: {{start: small, checks: [finish, logprobs]}}
capture: {{tenants: [default], share: 100%, keep_days: 30}}
"""
_BY_HAND: Final = """\
stillhouse: 1
name: {name}
quality: {{keep: 0.9}}
tiers: [small, large]
models: {{small: [{student}]}}
rules:
  - {{name: its-task, when: {{tag: [{name}]}}, pin: small}}
capture: {{tenants: [default], share: 100%, keep_days: 30}}
"""


class Size(NamedTuple):
    """How much is asked.

    Attributes:
        history: requests that the application sends to the large tier, as before there was a small one.
        unchecked: that it sends to the small tier, whose answers people judge.
        tried: that the policy decides on, small first: what is measured before.
        shadow: that the student is asked beside. canary: during the canary. after: that the new policy decides on.
        new: in wordings that nobody learned from.
        holdout: rows, at most. budget: rows to learn from.
        trainers: who makes students; recipe: a trainer and a setting of its.
        override: a person rolls it out though the gate did not say yes.
    """

    history: int
    budget: int
    unchecked: int = 24
    tried: int = 30
    shadow: int = 12
    canary: int = 16
    after: int = 40
    new: int = 30
    holdout: int = 80
    trainers: tuple[str, ...] = ("nano", "local")
    recipe: tuple[tuple[str, str], ...] = ()
    override: bool = False


class Task(NamedTuple):
    """What is asked.

    Attributes:
        name: of the policy, the tag and the loop.
        draw: one question.
        most_tokens: an answer may have.
        serves: the trainer whose student is put forward; the other one's is the control.
        size: that fits into the time.
    """

    name: str
    draw: Callable[..., Asked]
    most_tokens: int
    serves: str
    size: Size


TASKS: Final = {
    "tickets": Task("tickets", tickets.draw, 6, "nano", Size(640, 420, recipe=(("local", "most_steps=80"),))),
    "orders": Task("orders", orders.draw, 28, "local", Size(320, 220, recipe=(("local", "epochs=3"),))),
}


class Questions:
    """Draws questions, none of them twice, and lets the teacher know their answers."""

    def __init__(self, task: Task, teacher: Teacher, seed: int) -> None:
        self._task, self._teacher = task, teacher
        self._rng = Random(seed)  # noqa: S311 - seeded, to be repeated
        self._seen: set[str] = set()

    def take(self, count: int, *, held_back: bool = False) -> list[Asked]:
        """So many new ones."""
        found: list[Asked] = []
        while len(found) < count:
            asked = self._task.draw(self._rng, held_back=held_back)
            if asked.text not in self._seen:
                self._seen.add(asked.text)
                found.append(asked)
        self._teacher.learn(found)
        return found


def replay(task: Task, size: Size, home: Path, tell: Tell, run: Run = apart, seed: int = 1) -> dict[str, Any]:
    """Go round once; what was measured, ready for JSON.

    Args:
        task: what is asked.
        size: how much.
        home: an empty folder, which becomes ``STILLHOUSE_HOME``.
        tell: hears of each step.
        run: runs a command of the product.
        seed: of all that is drawn.
    """
    os.environ["STILLHOUSE_HOME"] = str(home)
    with teaching() as teacher:
        before = home / f"{task.name}.yaml"
        before.write_text(_BEFORE.format(name=task.name))
        config = home / "stillhouse.yaml"
        config.write_text(settings_text(teacher.url, [f"./{before.name}"], PRICE))
        round_ = _Round(task, size, home, config, Steps(tell, run), Questions(task, teacher, seed))
        with serving(home, config) as house:
            return round_.go(house)


class _Round:
    """The steps of one round and what they left."""

    def __init__(self, task: Task, size: Size, home: Path, config: Path, steps: Steps, questions: Questions) -> None:
        self._task, self._size, self._home, self._config = task, size, home, config
        self._steps, self._questions = steps, questions
        self._answered = 0

    def go(self, house: House) -> dict[str, Any]:
        """All of it."""
        measured: dict[str, Any] = {"task": self._task.name, "serves": self._task.serves, "size": self._size._asdict()}
        measured["before"] = self._traffic(house)
        measured["rows"] = self._rows()
        students = dict(self._students())
        measured["students"] = students
        names = {trainer: told["name"] for trainer, told in students.items() if "name" in told}
        measured["gate"] = self._gate(names)
        measured["shadow"] = self._shadow(house, names[self._task.serves])
        rolled = self._roll_out(house, names[self._task.serves], measured["gate"])
        measured["roll_out"] = rolled
        measured["after"] = window(self._asked(house, "after", self._size.after)) if rolled else None
        measured["new_wordings"] = self._new_wordings(names.values())
        measured["report"] = self._steps.json("report")["saving"]
        measured["steps"] = [step._asdict() for step in self._steps.taken]
        return measured

    # --- the application

    def _traffic(self, house: House) -> dict[str, Any]:
        name = self._task.name
        self._asked(house, "history, at the large tier", self._size.history, tier="large", judged=False)
        self._asked(house, "at the small tier, unchecked", self._size.unchecked, tier="small")
        return window(self._asked(house, f"before, as the policy {name} decides", self._size.tried))

    def _asked(
        self, house: House, what: str, count: int, tier: str | None = None, *, judged: bool = True
    ) -> list[Answer]:
        task = self._task
        with self._steps.timed(f"{count} requests: {what}"):
            answers = [
                house.ask(each, task.name, most_tokens=task.most_tokens, tag=task.name, tier=tier, judged=judged)
                for each in self._questions.take(count)
            ]
            self._answered += sum(bool(each.tier) for each in answers)
            house.until(lambda: house.captured() >= self._answered, "the gateway keeps no captures")
        return answers

    def _new_wordings(self, names: Collection[str]) -> dict[str, Any]:
        """The small tier as it was, and each student, on wordings that nobody learned from."""
        rows = self._home / "new.jsonl"
        asked = self._questions.take(self._size.new, held_back=True)
        rows.write_text("".join(json.dumps({"messages": a.messages, "reference": a.gold}) + "\n" for a in asked))
        suite = self._home / "new.yaml"  # JSON is YAML
        suite.write_text(json.dumps({
            "suite": "new-wordings", "about": "Wordings that nobody learned from.", "data": {"file": rows.name},
            "scorers": ["exact"],
            "params": {"temperature": 0, "max_tokens": self._task.most_tokens},
            "targets": [{"name": name, "model": name} for name in (BUILT_IN_NAME, *names)],
        }))  # fmt: skip
        done = self._steps.json("eval", str(suite), "--config", str(self._config), ends=(0, 1))
        return answers_of(Path(done["folder"]))

    # --- the product

    def _distill(self, step: str, *words: str, ends: tuple[int, ...] = (0,)) -> dict[str, Any]:
        return self._steps.json("distill", step, self._task.name, *words, ends=ends)

    def _rows(self) -> dict[str, Any]:
        licence = ("--licence", f"{TEACHER}=allowed")
        imported = self._distill("import", "--from", "captures", *licence)
        manifest = self._distill(
            "curate", imported["path"], "--where", f"route={self._task.name}", "--budget", str(self._size.budget),
            "--holdout", "0.25", "--holdout-rows", str(self._size.holdout), "--general-rows", "0",
        )  # fmt: skip
        state = self._distill("status")
        labelled = self._distill(
            "label", "--teacher", "large", "--config", str(self._config), *licence, "--holdout", "--budget", "1",
            "--yes",
        )  # fmt: skip
        exported = self._distill("export", "--format", "openai")
        return {
            "imported": {"rows": imported["rows"], "failed": imported["failed"]},
            "curated": manifest["rows"], "left_out": manifest["left_out"], "failing": state["failing"],
            "labelled": {"calls": labelled["calls"], "spent_nano": labelled["spent_nano"]},
            "exported": exported["rows"],
        }  # fmt: skip

    def _students(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """One of each trainer; where the control's refuses the task, what it said."""
        for trainer in self._size.trainers:
            recipe = [f"--recipe={setting}" for of, setting in self._size.recipe if of == trainer]
            try:
                told = self._distill("train", "--trainer", trainer, *recipe)
            except StepError as error:
                if trainer == self._task.serves:
                    raise
                yield trainer, {"refused": error.said.strip()}
                continue
            made = self._distill("register", told["digest"], "--tier", "small")
            kept = {field: told[field] for field in ("digest", "kind", "rows", "seconds", "losses", "settings")}
            yield trainer, kept | {"name": made["name"], "lineage": made["lineage"]}

    def _gate(self, names: dict[str, str]) -> dict[str, Any]:
        """The student that is put forward against the small tier as it was; the other one beside it, as the control."""
        student = names[self._task.serves]
        control = next((["--control", other] for other in names.values() if other != student), [])
        put_up_with = [f"--margin={each}" for each in MARGINS]
        told = self._distill(
            "propose", student, "--policy", str(self._home / f"{self._task.name}.yaml"), *control, *put_up_with,
            "--config", str(self._config), "--max-tokens", str(self._task.most_tokens), "--by", "ana",
            "--why", "a student for its own task", ends=(0, 1, 3),
        )  # fmt: skip
        gate = told["gate"] if told["proposal"] is None else json.loads(Path(told["gate"]).read_text())
        runs = self._home / "distill" / self._task.name / "gate" / "runs"
        last = max(runs.glob("*/run.json"), key=lambda path: path.stat().st_mtime_ns).parent
        return {"ruling": gate, "proposal": told["proposal"], "profile": told.get("profile"), "margins": MARGINS,
                "answers": answers_of(last)}  # fmt: skip

    def _shadow(self, house: House, student: str) -> dict[str, Any]:
        """What the student would have said to requests that came after it was made; people saw other answers."""
        self._asked(house, "while the student stands in the shadow", self._size.shadow)
        self._distill("import", "--from", "captures")
        return self._distill(
            "shadow", student, "--any-tier", "--limit", str(self._size.shadow), "--config", str(self._config),
            "--max-tokens", str(self._task.most_tokens),
        )  # fmt: skip

    def _roll_out(self, house: House, student: str, gate: dict[str, Any]) -> dict[str, Any] | None:
        """Approved by another, a canary, and a person who takes the last step; None where the gate did not say yes."""
        proposal, override = gate["proposal"], []
        if proposal is None:
            if not self._size.override:
                return None
            proposal, override = self._by_hand(student, gate), ["--override", f"the gate: {gate['ruling']['verdict']}"]
        self._steps.command(
            "policy", "approve", proposal, "--by", "bo", "--why", "read what the gate says", "--steps", "50,100",
            "--by-unit", "request", "--min-requests", "10", *override,
        )  # fmt: skip
        with self._steps.timed("the running gateway begins the canary"):
            house.until(lambda: bool(self._decided(house)["arm"]), "no canary begins")
        canary = self._asked(house, "while the canary runs", self._size.canary)
        self._steps.command("policy", "step", proposal, "--by", "bo", "--why", "read the canary's answers", ends=(0, 2))
        with self._steps.timed("the new policy is live"):
            house.until(lambda: not self._decided(house)["arm"], "the canary does not end")
        arms = {arm: window([each for each in canary if each.arm == arm]) for arm in sorted({a.arm for a in canary})}
        return {"proposal": proposal, "override": bool(override), "canary": arms}

    def _by_hand(self, student: str, gate: dict[str, Any]) -> str:
        """What a person may do whom the gate could not tell enough: propose a policy of their own writing."""
        task, after, shown = self._task, self._home / "after.yaml", self._home / "gate.json"
        after.write_text(_BY_HAND.format(name=task.name, student=student))
        shown.write_text(json.dumps(gate["ruling"]))
        said = self._steps.command(
            "policy", "propose", str(after), "--against", str(self._home / f"{task.name}.yaml"), "--gate", str(shown),
            "--by", "ana", "--why", "a student for its own task",
        )  # fmt: skip
        return said.split(":")[0]

    def _decided(self, house: House) -> dict[str, Any]:
        return house.decides(self._task.draw(Random(0)), self._task.name, self._task.name)  # noqa: S311


def window(answers: Sequence[Answer]) -> dict[str, Any]:
    """What a stretch of traffic was like: how many were right (Wilson's interval), by whom, for what."""
    right, count = sum(each.right for each in answers), len(answers)
    low, high = wilson(right, count)
    cost, baseline = sum(each.cost_nano for each in answers), sum(each.baseline_nano for each in answers)
    return {
        "requests": count, "answered": sum(bool(each.tier) for each in answers), "right": right,
        "share_right": right / count if count else None, "interval": [low, high],
        "tiers": dict(sorted(Counter(each.tier or "none" for each in answers).items())),
        "models": dict(sorted(Counter(each.model or "none" for each in answers).items())),
        "cost_nano": cost, "always_large_nano": baseline, "saved": 1 - cost / baseline if baseline else None,
        "median_seconds": round(median(each.seconds for each in answers), 4) if answers else None,
    }  # fmt: skip


def answers_of(run: Path) -> dict[str, dict[str, int]]:
    """Of each target of a run: rows, how many it answered, how many of them rightly."""
    found: dict[str, dict[str, int]] = {}
    for line in (run / "items.jsonl").read_text().splitlines():
        item = json.loads(line)
        counts = found.setdefault(item["target"], {"rows": 0, "answered": 0, "right": 0})
        counts["rows"] += 1
        counts["answered"] += bool(item["answer"])
        counts["right"] += item["quality"] == 1
    return found
