"""``stillhouse distill export``: the rows of a loop for another trainer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from stillhouse.cli import show

if TYPE_CHECKING:
    from evals.distill.export.run import Rows

FORMATS = ("openai", "bedrock", "bedrock-prompts", "nova", "prompts", "sharegpt", "preference")


@click.command(
    name="export",
    help="Write the rows of the loop NAME in another trainer's format, each row checked against it, with a manifest "
    "beside the file. Refused: rows without answers where the format carries them, a teacher whose terms forbid it, "
    "rows that are held out, personal data.",
)
@click.argument("name")
@click.option("--format", "forms", required=True, multiple=True, type=click.Choice(FORMATS),
              help="Whose format; repeatable.")  # fmt: skip
@click.option("--rows", type=click.Choice(["train", "control", "holdout"]), default="train", show_default=True,
              help="Which rows.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Each manifest as one line of JSON.")
def command(name: str, forms: tuple[str, ...], rows: Rows, as_json: bool) -> None:  # noqa: D103 - the help above is the docstring
    from evals.distill.export.run import export
    from evals.distill.folder import Folder, why_not_written
    from router.registry.home import home

    try:
        folder = Folder.of(home(), name)
        manifests = export(folder, forms, rows)
    except ValueError as error:  # ExportError, Overlap, RowError, no name
        show.fail(str(error))
    except OSError as error:
        show.fail(why_not_written(error, folder.root / "exports"))
    for manifest in manifests:
        if as_json:
            click.echo(json.dumps(manifest, ensure_ascii=False))
            continue
        where = folder.root / "exports" / manifest["file"]
        click.echo(f"{manifest['rows']:,} rows, {manifest['bytes']:,} bytes: {where}")
        for reason, count in manifest["left_out"].items():
            click.echo(f"  left out: {count:,} ({reason})")
        if manifest["licences"].get("unknown"):
            click.echo(f"  the teacher's terms are not known for {manifest['licences']['unknown']:,} rows")
