"""``stillhouse distill register``: a student becomes a candidate for a tier. Nothing serves it by itself."""

from __future__ import annotations

import datetime as dt

import click

from router.types import TIER_NAMES, TierName
from stillhouse.cli import show


@click.command(
    name="register",
    help="List STUDENT of the loop NAME as a candidate for a tier, with its lineage. STUDENT is its digest, its "
    "beginning or its name; it may be left out where there is one only. No policy serves a candidate until one names "
    "it ('models'): 'stillhouse distill propose' writes such a policy. Running gateways learn of it by themselves.",
)
@click.argument("name")
@click.argument("student", required=False)
@click.option("--tier", type=click.Choice(TIER_NAMES), required=True, help="The tier that it may serve.")
@click.option("--name", "called", metavar="MODEL", help="How it is called at the endpoint. Default: its own name.")
@click.option("--json", "as_json", is_flag=True, help="One line of JSON.")
def command(name: str, student: str | None, tier: TierName, called: str | None, as_json: bool) -> None:  # noqa: D103 - the help above is the docstring
    from evals.distill.folder import Folder
    from evals.distill.registering import find_student, register
    from router.registry.home import home

    try:
        folder = Folder.of(home(), name)
        found = find_student(folder, student)
        today = dt.datetime.now(tz=dt.UTC).date().isoformat()
        made = register(folder, home(), found, tier, today, called, show.progress)
    except ValueError as error:
        show.fail(str(error))
    lineage = {field: getattr(made.lineage, field) for field in made.lineage.__struct_fields__}
    if as_json:
        show.json_line({"name": made.name, "tier": tier, "student": found.digest, "lineage": lineage,
                        "settings": made.settings, "notes": list(made.notes)})  # fmt: skip
        return
    if made.weights is None:
        show.line(f"{made.name} lives elsewhere. Add this to the settings, and start the gateway again:\n")
        show.line(made.settings)
    else:
        show.line(f"{made.name} is a candidate for the {tier} tier; nothing serves it until a policy names it.")
    show.table(("lineage", ""), [(field.replace("_", " "), str(value)) for field, value in lineage.items()])
    for note in made.notes:
        show.note(f"note: {note}.")
    show.line(f"Next: stillhouse distill propose {name} {found.digest[:12]} --policy FILE --by NAME --why TEXT")
