"""What a replay found, as a page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from evals.intervals import wilson
from router.registry.weights import BUILT_IN_NAME

_ABOUT: Final = {
    "tickets": "Messages to nine desks: a closed set of answers.",
    "orders": "Messages become one line of four fields: a form to keep and more than a hundred million answers.",
}
_WHO: Final = (
    "Small is the embedded SmolLM2-135M (4 bit). Large is a server that looks the right answer up, as each task "
    "defines it: a teacher that never errs, priced at 1.25 and 10 USD per million tokens, which is an assumption. Your "
    "own processor sends no bill, so small costs nothing here. Right means equal to the letter. Intervals are 95 %: "
    "Wilson's of a share, paired of a gain. One seed."
)
Cells = tuple[str, ...]


def page(made: Mapping[str, Any]) -> str:
    """All of it, as Markdown."""
    of = made["of"]
    told = (
        f"`{of['command']}`: {made['seconds'] / 60:.1f} minutes, both tasks side by side; {of['machine']}; "
        f"{of['date']}, {of['commit']}."
    )
    lines = ["# A whole loop, replayed", "", told, "", _WHO]
    for task in made["tasks"]:
        lines += ["", *_task(task)]
    return "\n".join(lines) + "\n"


def _task(task: Mapping[str, Any]) -> Iterator[str]:
    yield f"## {task['task'].capitalize()}"
    yield ""
    yield _ABOUT[task["task"]]
    yield ""
    yield from _failing(task["rows"])
    yield from _students(task)
    yield from _shadow(task["shadow"])
    yield from _traffic(task)
    yield from _steps(task["steps"])


def _failing(rows: Mapping[str, Any]) -> Iterator[str]:
    curated, imported = rows["curated"], rows["imported"]
    failed = ", ".join(f"{count} {word}" for word, count in imported["failed"].items()) or "none"
    left = ", ".join(f"{count} ({why})" for why, count in rows["left_out"].items()) or "none"
    yield (
        f"{imported['rows']} captured rows; failed: {failed}. {curated['train']} to learn from "
        f"({curated['failed_in_train']} of them failed), {curated['holdout']} held out; left out: {left}. The teacher "
        f"was asked about {rows['labelled']['calls']} rows that had no answer."
    )
    yield ""
    yield from table(
        ("cluster", "rows", "failed", "taken", "at random"),
        ((f"{c['cluster']}", f"{c['rows']}", f"{c['failure_rate']:.0%}", f"{c['train']}", f"{c['control']}")
         for c in rows["failing"]),
    )  # fmt: skip


def _students(task: Mapping[str, Any]) -> Iterator[str]:
    for trainer, told in task["students"].items():
        if "refused" in told:
            yield f"{trainer}: no student. {_first(told['refused'])}"
            yield ""
    yield from table(
        ("model", "made in", "holdout: right", "wrong", "abstained", "gain in right", "new wordings: right", "wrong",
         "abstained"),
        _quality(task),
    )  # fmt: skip
    gate = task["gate"]
    ruling, margins = gate["ruling"], ", ".join(gate["margins"])
    yield f"The gate, putting up with {margins}: {ruling['verdict']}. {ruling['says']}"
    yield ""
    if (profile := gate["profile"]) is not None:
        yield (
            f"The profile of the new policy was fitted to {profile['rows']} outcomes of the gate: mean loss out of "
            f"fold {profile['loss_before']:.3f} before, {profile['loss_after']:.3f} after."
        )
        yield ""


def _shadow(told: Mapping[str, Any]) -> Iterator[str]:
    agreed = told["agreement"]
    same = "" if agreed is None else _share(round(agreed["value"] * agreed["rows"]), agreed["rows"])
    yield (
        f"In the shadow the student was asked {told['rows']} later requests: {told['answered']} answered, "
        f"{told['abstained']} left to others; it says what was said in {same or 'none'}."
    )
    yield ""


def _quality(task: Mapping[str, Any]) -> Iterator[Cells]:
    """The small tier as it was, then each student; the one put forward has its gain over that."""
    new, gate = task["new_wordings"], task["gate"]
    yield (f"small, {BUILT_IN_NAME}", "", *_counts(gate["answers"]["current"]), "", *_counts(new[BUILT_IN_NAME]))
    for trainer, student in task["students"].items():
        if "refused" in student:
            continue
        mine = trainer == task["serves"]
        found = _exact(gate["ruling"])
        gain = f"{found['gain']:+.1%} ({found['low']:+.1%} to {found['high']:+.1%})" if mine else "control"
        yield (
            f"{trainer}, of {student['rows']} rows", f"{student['seconds']:.0f} s",
            *_counts(gate["answers"]["candidate" if mine else "control"]), gain, *_counts(new[student["name"]]),
        )  # fmt: skip


def _exact(told: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = next(each for each in told["metrics"] if each["metric"].startswith("exact"))
    return found


def _counts(found: Mapping[str, int]) -> Cells:
    """Right with its interval, wrong, abstained."""
    of, right, answered = found["rows"], found["right"], found["answered"]
    return _share(right, of), f"{(answered - right) / of:.1%}", f"{(of - answered) / of:.1%}"


def _share(right: int, of: int) -> str:
    low, high = wilson(right, of)
    return f"{right / of:.1%} ({low:.1%} to {high:.1%}), n = {of}"


def _traffic(task: Mapping[str, Any]) -> Iterator[str]:
    stretches, rolled = {"before": task["before"]}, task["roll_out"]
    if rolled is not None:
        arms = rolled["canary"].items()
        stretches |= {f"during, {arm.split(':')[0] or 'neither arm'}": each for arm, each in arms}
        stretches["after"] = task["after"]
    yield from table(
        ("traffic", "requests", "right", "answered by small", "cost, USD", "always large", "saved", "median"),
        (_stretch(name, each) for name, each in stretches.items() if each["requests"]),
    )
    if rolled is None:
        yield "The gate did not say yes, so nothing was rolled out."
    else:
        word = "with a person's override" if rolled["override"] else "on the gate's yes"
        yield f"Approved by a second person {word}; the last step of the canary was a person's, for it was short."
    yield ""


def _stretch(name: str, each: Mapping[str, Any]) -> Cells:
    saved = f"{each['saved']:.0%}" if each["saved"] is not None else ""
    return (
        name, f"{each['requests']}", _share(each["right"], each["requests"]),
        f"{each['tiers'].get('small', 0) / each['requests']:.0%}", f"{each['cost_nano'] / 1e9:.5f}",
        f"{each['always_large_nano'] / 1e9:.5f}", saved, f"{each['median_seconds'] * 1000:.0f} ms",
    )  # fmt: skip


def _steps(steps: list[Mapping[str, Any]]) -> Iterator[str]:
    yield from table(
        ("step", "exit code", "seconds"),
        ((f"`{_short(each['words'])}`", f"{each['code']}", f"{each['seconds']:.1f}") for each in steps),
    )


def _short(words: str) -> str:
    """A command without the folders of this run."""
    return " ".join(word.rsplit("/", 1)[-1] if word.startswith("/") else word for word in words.split(" "))


def _first(said: str) -> str:
    return said.removeprefix("error: ").splitlines()[0]


def table(columns: Cells, rows: Iterator[Cells]) -> Iterator[str]:
    """A Markdown table and a blank line."""
    yield f"| {' | '.join(columns)} |"
    yield "|" + "---|" * len(columns)
    for row in rows:
        yield f"| {' | '.join(row)} |"
    yield ""
