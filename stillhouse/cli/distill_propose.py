"""``stillhouse distill propose``: the gate, and where it says yes a policy version that names the student."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from stillhouse.cli import show
from stillhouse.cli.distill_gate import kept, say

if TYPE_CHECKING:
    from evals.distill.folder import Folder
    from evals.distill.gating import Judged, Weighed
    from evals.distill.proposing import Base, Line
    from policies.policy import Policy
    from router.registry.profiles import Profile
    from router.registry.proposals import Proposal
    from router.score import Scorer


@click.command(
    name="propose",
    help="Judge the candidate STUDENT of the loop NAME against what serves its tier under --policy, on every "
    "metric, on the holdout and the general rows. Where the gate says yes: fit what the scorer expects of the tier to "
    "the gate's own outcomes, and propose a policy version that names the student, with all of it as evidence. Nothing "
    "is served by it: a person approves it ('stillhouse policy approve'). Exit codes: 0 proposed, 1 the gate says no, "
    "2 bad input, 3 it cannot be told. Nothing is proposed but with 0.",
)
@click.argument("name")
@click.argument("student", required=False)
@click.option("--policy", required=True, metavar="FILE|PRESET|NAME",
              help="The policy of the settings that shall name it; or the name of one that is live.")  # fmt: skip
@click.option(
    "--config", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Settings with the models."
)
@click.option("--control", metavar="MODEL", help="What stands beside it and does not decide. Default: the loop's head.")
@click.option("--scorer", "scorers", multiple=True, metavar="NAME", default=("exact",), show_default=True,
              help="How an answer is scored, as in a suite; repeatable.")  # fmt: skip
@click.option("--margin", multiple=True, metavar="METRIC=LOSS", help="The loss put up with: quality=0.01 or cost=10%.")
@click.option("--ignore", multiple=True, metavar="METRIC", help="Leave a metric out; the evidence says so.")
@click.option("--improves", is_flag=True, help="Ask for a gain in at least one metric, too.")
@click.option(
    "--budget", type=click.FloatRange(min=0), metavar="USD", help="The most that each of the two runs spends."
)
@click.option("--max-tokens", type=click.IntRange(min=1), default=256, show_default=True,
              help="Of an answer; a longer one is cut off and judged as it is.")  # fmt: skip
@click.option("--by", required=True, metavar="NAME", help="Who proposes; it is on record.")
@click.option("--why", default="", metavar="TEXT", help="What it is for.")
@click.option("--json", "as_json", is_flag=True, help="One line of JSON instead of words.")
def command(  # noqa: D103 - the help above is the docstring
    name: str, student: str | None, policy: str, config: Path | None, control: str | None, scorers: tuple[str, ...],
    margin: tuple[str, ...], ignore: tuple[str, ...], improves: bool, budget: float | None, max_tokens: int, by: str,
    why: str, as_json: bool,
) -> None:  # fmt: skip
    from evals.distill.folder import Folder
    from evals.distill.gating import Weighed
    from evals.gate import telling
    from evals.gate.margins import read_margin
    from evals.runs.asking import ConfigError
    from evals.runs.execute import Wishes
    from policies.mistakes import Mistakes
    from router.registry.home import home
    from stillhouse.cli.opening import looked

    try:
        folder = Folder.of(home(), name)
        weighed = Weighed(tuple(map(read_margin, margin)), ignore, improves)
        wishes = Wishes(
            runs=folder.root / "gate" / "runs", config=config, budget_usd=budget,
            command=" ".join(["stillhouse", *sys.argv[1:]]),
        )  # fmt: skip
        bid = _prepared(folder, looked(), student, policy, config, control)
        judged = _judged(bid, scorers, wishes, max_tokens, weighed)
        told, path = kept(folder, bid.line.candidate.name, judged)
        _written_down(bid, judged.ruling.verdict, path)
        if judged.ruling.verdict != "yes":
            _no(bid, judged, told, path, as_json=as_json)
            raise SystemExit(telling.EXIT[judged.ruling.verdict])
        made = _put_forward(bid, judged, told, by, why, policy)
    except ConfigError as error:
        show.fail(str(error), error.hint)
    except Mistakes as mistakes:
        show.fail(f"the policy has mistakes, or cannot name the student:\n{mistakes}")
    except (ValueError, OSError) as error:
        show.fail(str(error))
    _yes(bid, judged, made, path, as_json=as_json)


class _Bid(NamedTuple):
    """What is judged, for which policy; ``scorer`` knows the profile ``used``, by which that policy decides today."""

    folder: Folder
    base: Base
    line: Line
    scorer: Scorer | None
    used: str


class _Made(NamedTuple):
    it: Proposal
    policy: Policy
    profile: Profile | None
    diff: str


def _prepared(
    folder: Folder, home: Path, student: str | None, policy: str, config: Path | None, control: str | None
) -> _Bid:
    """Everything that can be refused before anything is asked."""
    from evals.distill.proposing import base_of, find_candidate, line_of, tried
    from evals.runs.places import Places
    from router.core.models import profile_name

    places = Places(Path(), None if config is None else str(config.resolve()))
    there = places.deployments()
    candidate = find_candidate(folder, home, student, there)
    base = base_of(folder, home, policy)
    line = line_of(folder, home, base.policy, candidate, there, control)
    scorer = places.worn(base.policy)
    tried(base, line, profile=scorer is not None)
    return _Bid(folder, base, line, scorer, profile_name(base.policy.body))


def _judged(bid: _Bid, scorers: tuple[str, ...], wishes: Any, most: int, weighed: Weighed) -> Judged:
    from evals.distill.gating import judge

    line = bid.line
    return asyncio.run(
        judge(bid.folder, line.proposed, line.current, line.control, scorers, wishes, most_tokens=most, weighed=weighed)
    )


def _written_down(bid: _Bid, verdict: str, path: Path) -> None:
    """The candidate's entry says what the gate said last."""
    from router.registry import weights
    from router.registry.home import home
    from router.registry.weights_fetch import digest_of

    weights.judged(home(), bid.line.candidate.name, "passed" if verdict == "yes" else "failed", digest_of(path))


def _put_forward(bid: _Bid, judged: Judged, told: dict[str, Any], by: str, why: str, source: str) -> _Made:
    """The profile, the policy that names both, and the proposal: all in the registry, or nothing of it."""
    import time

    import msgspec

    from evals.distill.proposing import diff_of, evidence_of, rewritten
    from router.registry import profiles, proposals
    from stillhouse.cli.opening import changing

    before = bid.base.files[-1].read_text(encoding="utf-8")
    profile = _profile(bid, judged)
    with changing() as place:
        text, policy = rewritten(bid.base, bid.line, None if profile is None else profiles.keep(place, profile))
        diff = diff_of(bid.base.files[-1], before, text)
        it = proposals.propose(
            place, bid.base.files, by=by, why=why, now_ms=time.time_ns() // 1_000_000,
            against=_against(place, bid, source),
            evidence=evidence_of(bid.folder, bid.base, policy, bid.line, diff, told, profile),
            gate=msgspec.json.encode(told, order="deterministic"),
        )  # fmt: skip
    return _Made(it, policy, profile, diff)


def _against(place: Path, bid: _Bid, source: str) -> str | None:
    """The policy of the settings; where a version is live, that is what it stands against."""
    from router.registry import proposals

    return None if proposals.standing(place).live(bid.base.policy.name) is not None else source


def _profile(bid: _Bid, judged: Judged) -> Profile | None:
    from evals.distill.gating import seen_by
    from evals.distill.profiling import fitted, outcomes_of
    from evals.distill.proposing import models_of

    if bid.scorer is None:
        return None
    rows, items = seen_by(bid.folder, judged)
    models = models_of(bid.base.policy) | {bid.line.tier: bid.line.proposed}
    seen = outcomes_of(bid.scorer, rows, items)
    return fitted(bid.scorer, bid.base.policy.body.family, bid.used, bid.line.tier, models, seen)


# --- words ---------------------------------------------------------------------------------------------


def _no(bid: _Bid, judged: Judged, told: dict[str, Any], path: Path, *, as_json: bool) -> None:
    if as_json:
        show.json_line({"proposal": None, "candidate": bid.line.candidate.name, "gate": told})
        return
    say(judged, path)
    show.line("Nothing is proposed.")


def _yes(bid: _Bid, judged: Judged, made: _Made, path: Path, *, as_json: bool) -> None:
    it = made.it
    if as_json:
        about = None if made.profile is None else {"digest": made.policy.body.profile, **made.profile.about}
        show.json_line({
            "proposal": it.id, "candidate": bid.line.candidate.name, "policy": it.policy, "base": it.base,
            "version": it.version, "evidence": it.evidence, "profile": about, "diff": made.diff, "gate": str(path),
        })  # fmt: skip
        return
    say(judged, path)
    if made.profile is None:
        show.note("note: no scorer is in use here, so no profile was made.")
    else:
        fit = made.profile.about
        show.line(
            f"profile: {fit['rows']} outcomes of the {fit['tier']} tier; the mean loss of an outcome, out of fold, is "
            f"{fit['loss_after']:.4f} with it and {fit['loss_before']:.4f} without."
        )
    show.line(made.diff.rstrip())
    show.line(f"{it.id}: {it.policy} {it.base[:12]} -> {it.version[:12]}, proposed by {it.by}; gate: {it.gate}.")
    show.line(f"Look: stillhouse policy diff {it.id}. Then: stillhouse policy approve {it.id} --by NAME --why TEXT")
