"""``stillhouse simulate``: what a policy would cost and answer, on recorded outcomes, before anyone sees it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stillhouse.cli import show
from stillhouse.cli.duration import DURATION
from stillhouse.cli.opening import explained, ledger_place

if TYPE_CHECKING:
    from evals.tuning.sources import Source
    from policies.policy import Policy
    from router.core.decide import Fleet
    from router.ledger.read import Span
    from router.score import Scorer

LEDGER = "ledger"
EXIT_REFUSED = 1


@click.command(
    help="Try POLICY on recorded outcomes: outcome rows with their prompts (JSON lines), or a ledger. Asks no model. "
    "Exit code 1: the rows cannot show what would have come of the policy."
)
@click.argument("policy")
@click.option(
    "--on", "source", required=True, metavar="FILE|ledger",
    help="Outcome rows (also .gz), a ledger's file, or the word 'ledger' for the one in STILLHOUSE_HOME.",
)  # fmt: skip
@click.option("--family", help="The family of the rows' models (default: the policy's).")
@click.option("--families", type=click.Path(dir_okay=False, path_type=Path), help="A file that says what families are.")
@click.option("--small", help="The model's name in the rows that is the small tier.")
@click.option("--medium", help="The model that is the medium tier.")
@click.option("--large", help="The model that is the large tier.")
@click.option("--against", help="The policy in force, to compare with (default: what was logged, or always-large).")
@click.option("--by", metavar="DIMENSION", help="List every slice by tenant, language, task, source or tag.")
@click.option("--config", type=click.Path(dir_okay=False, path_type=Path), help="Settings file: the models that exist.")
@click.option("--since", type=DURATION, metavar="SPAN", help="Of a ledger: only the last 12h, 7d, 8w …")
@click.option("--tenant", help="Of a ledger: only this tenant's requests.")
@click.option("--json", "as_json", is_flag=True, help="One line of JSON.")
def command(  # noqa: D103
    policy: str, source: str, family: str | None, families: Path | None, small: str | None, medium: str | None,
    large: str | None, against: str | None, by: str | None, config: Path | None, since: timedelta | None,
    tenant: str | None, as_json: bool,
) -> None:  # fmt: skip
    from evals.importers.outcomes import OutcomeError
    from evals.tuning.choose import Unanswerable
    from evals.tuning.side import TooFew
    from evals.tuning.simulate import as_mapping, simulate
    from evals.tuning.slices import DIMENSIONS
    from stillhouse.cli.offline import scorer_in_use, settings_or_none

    if by is not None and by not in DIMENSIONS:
        show.fail(f"there is no dimension {by!r}", f"slices are by {', '.join(DIMENSIONS)}")
    settings = settings_or_none(config)
    scorer = scorer_in_use(settings)
    chosen = [_policy(name, scorer) for name in (policy, *([against] if against else []))]
    fleet = _fleet(settings, chosen[0]) if settings else None
    models = {tier: name for tier, name in (("small", small), ("medium", medium), ("large", large)) if name}
    try:
        rows = _source(source, chosen[0], scorer, family, families, models, _span(since, tenant))
        sides = [rows.side(each, fleet) for each in chosen]
        found = simulate(sides[0], *sides[1:], by=by or "")
    except (OutcomeError, Unanswerable, TooFew) as error:
        show.fail(str(error), "docs/simulate.md says what each kind of rows can tell")
    if as_json:
        show.json_line(as_mapping(found))
    else:
        from stillhouse.cli.simulated import picture

        picture(found, by or "")
    if found.refused:
        show.fail(f"quality cannot be told from these rows: {found.evidence.refused}", code=EXIT_REFUSED)


def _policy(name: str, scorer: Scorer | None) -> Policy:
    from policies.load import load_policy
    from policies.mistakes import Mistakes

    try:
        return load_policy(name, families=frozenset(scorer.families) if scorer else None)
    except Mistakes as mistakes:
        show.fail(f"the policy has mistakes:\n{mistakes}", "stillhouse check FILE shows each with its line")


def _fleet(settings: object, policy: Policy) -> Fleet:
    from router.core.decide import Fleet
    from router.core.models import usable
    from router.registry.prices import PriceBook
    from router.registry.references import reference_prices
    from router.serve.settings import Settings, deployments_of

    assert isinstance(settings, Settings)
    deployments = usable(policy.body, deployments_of(settings, PriceBook.load()))
    return Fleet(deployments, reference_prices(policy.body.family))


def _span(since: timedelta | None, tenant: str | None) -> Span:
    from router.ledger.read import Span

    start = None if since is None else int((datetime.now(UTC) - since).timestamp() * 1000)
    return Span(since_ms=start, tenant=tenant)


def _source(
    name: str, policy: Policy, scorer: Scorer | None, family: str | None, families: Path | None,
    models: dict[str, str], span: Span,
) -> Source:  # fmt: skip
    """Open what ``--on`` names; ends the command with words where it cannot be had."""
    from evals.tuning import sources
    from router.core.models import profile_name
    from stillhouse.cli.offline import say_whose_prices

    path = ledger_place(None) if name == LEDGER else Path(name)
    if isinstance(path, Path) and name != LEDGER and not path.is_file():
        show.fail(
            f"{path}: {'that is a folder' if path.is_dir() else 'there is no such file'}",
            "name outcome rows, a ledger's file, or write --on ledger",
        )
    if not isinstance(path, Path) or name == LEDGER or sources.is_ledger(path):
        if family or families or models:
            show.fail("--family, --families and the tiers' models belong to outcome rows", "a ledger knows its own")
        with explained(path):
            return sources.Log.read(path, profile_name(policy.body), span)
    if span.since_ms is not None or span.tenant is not None:
        show.fail("--since and --tenant choose among a ledger's requests", "outcome rows hold no times; take them out")
    if sources.is_climbs(path):
        from router.score.calibration import load_calibration

        return sources.climbs(path, family or policy.body.family, load_calibration())
    if families is None:
        say_whose_prices(family or policy.body.family)
    named = sources.family_of(family or policy.body.family, families, models)
    return sources.outcomes(path, named, scorer)
