"""``stillhouse distill report``: a loop as one HTML file."""

from __future__ import annotations

from pathlib import Path

import click

from stillhouse.cli import show


@click.command(
    name="report",
    help="Write the loop NAME as one HTML file: what was failing, what was taken and learned, what the gate said, what "
    "it costs and saves, the learning curves, the worst regressions with their texts, and the lineage. Whatever has "
    "not been done is said. The page asks for nothing and runs no script; its owner alone may read it.",
)
@click.argument("name")
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="Where; default: in the loop's folder.")
def command(name: str, html: Path | None) -> None:  # noqa: D103 - the help above is the docstring
    from evals.distill.folder import Folder, write_whole
    from evals.distill.report.facts import facts_of
    from evals.distill.report.page import page
    from router.registry.home import home

    try:
        folder = Folder.of(home(), name)
        target = html or folder.root / "report.html"
        write_whole(target, page(facts_of(folder)).encode("utf-8", "replace"))
        target.chmod(0o600)
    except (ValueError, OSError) as error:
        show.fail(str(error))
    show.line(f"report: {target}")
