"""``stillhouse train``: adapt the scorer to your own outcomes, or to the feedback in the ledger."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stillhouse.cli import show
from stillhouse.cli.duration import DURATION
from stillhouse.cli.opening import explained, ledger_option, ledger_place

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evals.adapt import Adapted, Material
    from router.ledger.place import Place
    from router.score.artefact import Artefact


@click.command(
    help="Adapt the scorer to your own outcome rows, or to feedback. A candidate that does not beat the scorer in "
    "use on held-out rows is refused; one that does is kept and put in use, and running gateways take it up."
)
@click.option("--data", type=click.Path(path_type=Path), help="Outcome rows, JSON lines (also .gz).")
@click.option("--from-ledger", is_flag=True, help="Learn from judged answers in the ledger instead; needs no text.")
@click.option("--family", default="own", show_default=True, help="The name that policies will use.")
@click.option("--small", help="The model's name in the rows that is the small tier.")
@click.option("--medium", help="The model that is the medium tier.")
@click.option("--large", help="The model that is the large tier.")
@click.option("--partial", is_flag=True, help="Rows may lack a tier's score.")
@click.option("--from", "start", help="shipped, a kept digest, or a folder (default: the scorer in use).")
@click.option("--out", type=click.Path(path_type=Path), help="Write the artefact here, and do not put it in use.")
@click.option("--seed", type=int, default=20261124, show_default=True, help="Of the folds and the fit.")
@click.option("--since", type=DURATION, metavar="SPAN", help="With --from-ledger: only the last 12h, 7d, 8w …")
@click.option("--tenant", help="With --from-ledger: only this tenant's requests.")
@click.option("--weak", is_flag=True, help="With --from-ledger: learn from labels that are kept apart, too.")
@ledger_option
@click.option("--json", "as_json", is_flag=True, help="One line of JSON.")
def command(  # noqa: D103 - the help above is the docstring
    data: Path | None,
    from_ledger: bool,
    family: str,
    small: str | None,
    medium: str | None,
    large: str | None,
    partial: bool,
    start: str | None,
    out: Path | None,
    seed: int,
    since: timedelta | None,
    tenant: str | None,
    weak: bool,
    ledger: str | None,
    as_json: bool,
) -> None:
    if (data is None) == (not from_ledger):
        show.fail("name one of --data FILE and --from-ledger", "docs/own-traffic.md shows both")
    _need_scipy()
    from evals import adapt
    from evals.importers.outcomes import OutcomeError
    from router.registry.scorers import ScorersError
    from router.score import ArtefactError

    tiers = {tier: name for tier, name in (("small", small), ("medium", medium), ("large", large)) if name}
    try:
        begun = _artefact(start)
        used = _used(out)
        if data is not None:
            material, hashes = _of_rows(begun, family, data, tiers, partial)
        else:
            material, hashes = _of_ledger(begun, family, ledger_place(ledger), since, tenant, weak=weak)
        rival = adapt.rival_of(begun, used, family, material)
        found = adapt.adapted(begun, family, material, rival, hashes, seed)
        digest, where = _put(found, out)
    except (OutcomeError, ArtefactError, ScorersError) as error:
        show.fail(str(error))
    except adapt.NotBetter as worse:
        show.fail(str(worse), "nothing is changed; more rows help most, see docs/own-traffic.md")
    _say(found, family, digest, where, as_json)


def _need_scipy() -> None:
    try:
        import scipy  # noqa: F401
    except ImportError:
        show.fail("training needs scipy", "pip install 'stillhouse[train]'")


def _artefact(name: str | None) -> Artefact:
    """By ``shipped``, a kept digest's first digits, or a folder; None is the one in use on this machine."""
    from router.registry import scorers
    from router.registry.home import home
    from router.score import artefact

    if name is not None and name != scorers.SHIPPED and Path(name).is_dir():
        return artefact.load(Path(name))
    found = scorers.active(home()).active if name is None else scorers.find(home(), name)
    return artefact.load(scorers.place(home(), found) or artefact.SHIPPED)


def _used(out: Path | None) -> Artefact:
    """What a candidate must beat: the artefact it would replace, else the one in use on this machine."""
    from router.score import artefact

    if out is not None and (out / artefact.MANIFEST).is_file():
        return artefact.load(out)
    return _artefact(None)


def _of_rows(
    start: Artefact, family: str, data: Path, tiers: Mapping[str, str], partial: bool
) -> tuple[Material, dict[str, str]]:
    from evals import adapt
    from evals.importers.outcomes import read_outcomes

    rows = read_outcomes(data)
    material = adapt.material_of_rows(start, family, rows, tiers, partial=partial)
    return material, {data.name: hashlib.sha256(data.read_bytes()).hexdigest()}


def _of_ledger(
    start: Artefact, family: str, path: Place, since: timedelta | None, tenant: str | None, *, weak: bool
) -> tuple[Material, dict[str, str]]:
    from evals import adapt
    from router.ledger.feedback import judged
    from router.registry import scorers
    from router.registry.home import home
    from router.score import artefact

    begin = 0 if since is None else int((datetime.now(UTC) - since).timestamp() * 1000)
    with explained(path):
        answers = judged(path, begin, tenant, weak=weak)
    made = {digest: artefact.load(scorers.folder(home()) / digest) for digest in scorers.kept(home())}
    shipped = artefact.load(artefact.SHIPPED)
    material, left = adapt.material_of_feedback(start, family, answers, {**made, shipped.digest: shipped})
    if left:
        show.note(f"{left:,} judged answers were placed by an artefact that is not here, or not akin to the start.")
    name = path.name if isinstance(path, Path) else str(path)
    lines = "\n".join(f"{a.request_id} {a.tier} {a.score:.6f}" for a in answers)
    return material, {name: hashlib.sha256(lines.encode()).hexdigest()}


def _put(found: Adapted, out: Path | None) -> tuple[str, str]:
    """Write it where it was asked for, or keep it on this machine and put it in use."""
    import tempfile

    from evals import adapt
    from router.registry import scorers
    from router.registry.home import home

    if out is not None:
        return adapt.write(out, found), str(out)
    with tempfile.TemporaryDirectory() as folder:
        new = Path(folder) / "artefact"
        digest = adapt.write(new, found)
        where = scorers.keep(home(), new, digest)
    scorers.use(home(), digest)
    return digest, str(where)


def _say(found: Adapted, family: str, digest: str, where: str, as_json: bool) -> None:
    verdict = found.verdict
    if as_json:
        own = found.manifest["own"][family]
        facts = {key: own[key] for key in ("rows", "recipes", "judged", "data")}
        show.json_line({"digest": digest, "folder": where, **facts})
        return
    low, high = verdict.gain.low, verdict.gain.high
    show.line(
        f"Better than {verdict.rival}: loss {verdict.after:.4f} against {verdict.before:.4f} on {verdict.rows} "
        f"held-out rows, a gain of {verdict.gain.value:.4f} (95 % {low:+.4f} to {high:+.4f})."
    )
    show.line(f"{where}: scorer {digest[:12]}, family {family!r}.")
    if not where.endswith(digest):
        show.note(f"It is not in use. To use it: stillhouse scorer use {where}")
        return
    show.note("It is in use; running gateways take it up within a second. Back: stillhouse scorer rollback")
