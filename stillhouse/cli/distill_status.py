"""``stillhouse distill status``: what a loop failed on, what was learned, what the gate said."""

from __future__ import annotations

from typing import Any

import click

from stillhouse.cli import show


@click.command(
    name="status",
    help="List the loops; with NAME show one: what stands of each step and what is next, what was failing, what was "
    "taken to learn from, its students and their lineage, and what the gate said. Numbers and hashes, never a text.",
)
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="One line of JSON.")
def command(name: str | None, as_json: bool) -> None:  # noqa: D103 - the help above is the docstring
    from evals.distill.folder import Folder
    from evals.distill.state import loops, state_of
    from router.registry.home import home

    try:
        states = [state_of(Folder.of(home(), each)) for each in ([name] if name else loops(home()))]
    except ValueError as error:
        show.fail(str(error))
    if as_json:
        show.json_line(states[0] if name else states)
    elif name:
        _say(states[0])
    elif not states:
        show.line("There is no loop yet; 'stillhouse distill import' begins one.")
    else:
        show.table(("loop", "rows to learn from", "students", "gates"), [_short(state) for state in states])


def _short(state: dict[str, Any]) -> tuple[str, ...]:
    said = ", ".join(str(gate["verdict"]) for gate in state["gates"])
    rows = f"{state['rows']['train']:,}" if state["rows"] else "not curated"
    return (state["name"], rows, f"{len(state['students'])}", said or "none")


def _say(state: dict[str, Any]) -> None:
    from evals.distill.progress import next_of, steps_of
    from evals.distill.state import tree
    from evals.reports.words import inert

    show.line(f"{state['name']}:")
    for step in steps_of(state):
        show.line(f"  {'✓' if step.done else '·' if step.needed else ' '} {step.name:8} {inert(step.says)}")
    if state["rows"]:
        show.line(f"licence {state['licence']}")
        for reason, count in state["left_out"].items():
            show.line(f"  {count:,} left out: {reason}")
        show.table(
            ("cluster", "rows", "failed", "taken", "at random"),
            [(f"{c['cluster']}", f"{c['rows']:,}", f"{c['failure_rate']:.0%}", f"{c['train']:,}", f"{c['control']:,}")
             for c in state["failing"]],
            "where the small tier failed",
        )  # fmt: skip
    for line in tree(state):
        show.line(inert(line))
    for gate in state["gates"]:
        show.line(inert(f"gate {gate['evidence']}: {gate['verdict']}: {gate['says']}"))
    show.line(inert(f"Next: {next_of(state)}"))
