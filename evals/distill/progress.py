"""What stands of a loop and what is next, in words. Pure: from what ``state_of`` read."""

from __future__ import annotations

from typing import Any, NamedTuple


class Step(NamedTuple):
    """One step of the loop.

    Attributes:
        name: of its command. says: what it left, or why it has not been done.
        done: whether it left something whole. needed: whether the loop goes on only with it.
    """

    name: str
    says: str
    done: bool
    needed: bool = True


def steps_of(state: dict[str, Any]) -> tuple[Step, ...]:
    """All steps in the order of the loop."""
    return (
        _imported(state),
        _curated(state),
        _labelled(state),
        _exported(state),
        _trained(state),
        _judged(state),
        _registered(state),
    )


def next_of(state: dict[str, Any]) -> str:
    """What to do next, as a sentence with a command in it."""
    name = state["name"]
    if state["rows"] is None:
        files = " ".join(f"…/rows/{each}.jsonl" for each in state["imported"])
        if not files:
            return f"bring texts into it: stillhouse distill import {name} --from captures"
        return f"choose what to learn from: stillhouse distill curate {name} {files}"
    if state["unanswered"]:
        return (
            f"ask a teacher for {state['unanswered']:,} answers that are missing: stillhouse distill label {name} "
            "--teacher large"
        )
    if not state["students"]:
        return f"make a student: stillhouse distill train {name} --trainer nano"
    judged = {gate["student"]: gate["verdict"] for gate in state["gates"]}
    waiting = [each for each in state["students"] if each["digest"] not in judged]
    good = [each for each in state["students"] if judged.get(each["digest"]) == "yes"]
    if good:
        return _after_yes(name, good[-1], state["registered"])
    if waiting:
        return f"have a student judged: stillhouse distill gate {name} {waiting[-1]['name']} --against small"
    return "the gate let no student through: look at what it lost, and train with other rows or settings"


def _after_yes(name: str, student: dict[str, Any], registered: dict[str, str]) -> str:
    digest = student["digest"]
    if digest in registered:
        step = f"stillhouse distill propose {name} {digest[:12]} --policy FILE --by NAME"
        return f"the gate says yes of {registered[digest]}: put it forward, for a person to approve: {step}"
    return f"the gate says yes of {student['name']}: stillhouse distill register {name} {digest[:12]} --tier small"


def _imported(state: dict[str, Any]) -> Step:
    there = state["imported"]
    return Step("import", f"from {', '.join(there)}" if there else "nothing here; rows of elsewhere can be curated too",
                bool(there), needed=False)  # fmt: skip


def _curated(state: dict[str, Any]) -> Step:
    rows = state["rows"]
    if rows is None:
        return Step("curate", "not yet: nothing is held out and nothing chosen", done=False)
    return Step("curate", (
        f"{rows['train']:,} rows to learn from ({rows['failed_in_train']:,} failed), {rows['holdout']:,} held out, "
        f"{rows['general']:,} of other work"
    ), done=True)  # fmt: skip


def _labelled(state: dict[str, Any]) -> Step:
    if state["rows"] is None:
        return Step("label", "not yet", done=False)
    if not state["labels"]:
        if state["unanswered"]:
            return Step("label", f"{state['unanswered']:,} rows have no answer", done=False)
        return Step("label", "not needed: every row came with an answer", done=True)
    teachers = ", ".join(sorted({one["teacher"] for one in state["labels"]["passes"]}))
    left = f"; {state['unanswered']:,} rows still have none" if state["unanswered"] else ""
    return Step("label", f"asked {teachers}, {_usd(state['labels']['paid_nano'])} paid{left}", not state["unanswered"])


def _exported(state: dict[str, Any]) -> Step:
    files = [each["file"] for each in state["exports"]]
    return Step("export", ", ".join(files) or "nothing; only trainers elsewhere need it", bool(files), needed=False)


def _trained(state: dict[str, Any]) -> Step:
    count = len(state["students"])
    says = [f"{count:,} student{'' if count == 1 else 's'}" if count else "no student yet"]
    if cut := state["unfinished"]:
        says.append(f"{cut:,} {'training was' if cut == 1 else 'trainings were'} cut short; the same command goes on")
    return Step("train", "; ".join(says), bool(state["students"]))


def _judged(state: dict[str, Any]) -> Step:
    said = [f"{gate['verdict']} of {gate['candidate'] or gate['evidence']}" for gate in state["gates"]]
    return Step("gate", ", ".join(said) or "nobody was judged yet", bool(said))


def _registered(state: dict[str, Any]) -> Step:
    names = [state["registered"][s["digest"]] for s in state["students"] if s["digest"] in state["registered"]]
    return Step("register", ", ".join(names) or "no student is a candidate", bool(names))


def _usd(nano: int) -> str:
    return f"${nano / 1e9:,.4f}"
