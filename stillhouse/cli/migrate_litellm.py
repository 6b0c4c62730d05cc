"""``stillhouse migrate litellm``: LiteLLM's configuration as settings, a policy, a key file, and a report of it all."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stillhouse.cli import show

if TYPE_CHECKING:
    from evals.migrate.litellm import Given, Migrated

SETTINGS, POLICY, KEYS, REPORT = "stillhouse.yaml", "migrated.yaml", "keys.json", "MIGRATION.md"
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command(
    help="Read LiteLLM's config.yaml and write settings, a policy, a key file and MIGRATION.md, which names every part "
    "that was carried, guessed or not carried, with its line. No secret is repeated: keys are kept as hashes."
)
@click.argument("config", type=_FILE)
@click.option("--keys", type=_FILE, help="What 'GET /key/list?return_full_object=true' gave, as JSON.")
@click.option("--teams", type=_FILE, help="What 'GET /team/list' gave, as JSON.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=Path("migrated"), show_default=True)
def litellm(config: Path, keys: Path | None, teams: Path | None, out: Path) -> None:  # noqa: D103
    from evals.migrate.litellm import migrate
    from evals.migrate.places import ForeignError

    if teams is not None and keys is None:
        raise click.UsageError("--teams says what keys may do; give --keys, too.")
    for name in (SETTINGS, POLICY, KEYS, REPORT):
        if (out / name).exists():
            show.fail(f"{out / name} is there already", "name another folder with --out, or remove it")
    try:
        made = migrate(
            _given(config),
            keys=None if keys is None else _given(keys),
            teams=None if teams is None else _given(teams),
            env=os.environ,
            now=datetime.now(UTC).replace(microsecond=0),
            keys_file=str((out / KEYS).resolve()),
        )
    except ForeignError as error:
        show.fail(str(error))
    _write(made, config, out)
    _check(out)
    _tell(made, out)


def _given(path: Path) -> Given:
    from evals.migrate.litellm import Given

    try:
        return Given(path.name, path.read_text("utf-8-sig"))
    except UnicodeDecodeError as error:
        show.fail(f"{path}: it is not UTF-8 (byte {error.start})")


def _write(made: Migrated, config: Path, out: Path) -> None:
    from router.registry.keys import KeyFileError, KeyStore

    out.mkdir(parents=True, exist_ok=True)
    (out / SETTINGS).write_text(made.settings, "utf-8")
    (out / POLICY).write_text(made.policy, "utf-8")
    if made.keys:
        try:
            KeyStore.load(out / KEYS).adopt(made.keys)
        except KeyFileError as error:
            show.fail(str(error))
    head = [
        f"From `{config.name}`. Look through the guesses, then look on before you switch:",
        "",
        f"    stillhouse check {SETTINGS}",
        f"    stillhouse serve --config {SETTINGS} --observe",
        "    stillhouse report --observe",
    ]
    (out / REPORT).write_text(made.tale.markdown("From LiteLLM", head), "utf-8")


def _check(out: Path) -> None:
    """What we wrote must load; where it does not, that is said and not hidden."""
    from policies.load import load_policy
    from policies.mistakes import Mistakes
    from router.serve.settings import load_settings

    try:
        load_settings(out / SETTINGS)
        load_policy(out / POLICY)
    except Mistakes as mistakes:
        show.fail(f"what came out has mistakes; mend them by hand:\n{mistakes}")


def _tell(made: Migrated, out: Path) -> None:
    from evals.migrate.told import TITLES

    for kind in ("guess", "lost"):
        if told := made.tale.of(kind):
            show.line(f"{TITLES[kind]}:")
            for each in told:
                show.line(f"  {each}")
            show.line()
    counts = f"{len(made.tale.of('carried'))} parts carried, {len(made.tale.of('guess'))} guessed, "
    show.line(f"{counts}{len(made.tale.of('lost'))} not carried; all of them in {out / REPORT}")
    show.line(f"next     stillhouse serve --config {out / SETTINGS} --observe")
