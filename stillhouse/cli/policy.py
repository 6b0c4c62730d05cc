"""``stillhouse policy``: what would change, who approved it, how far it is, and the way back."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stillhouse.cli import policy_words as words
from stillhouse.cli import show
from stillhouse.cli.opening import changing, looked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from policies.policy import Policy
    from router.core.rollout import Plan

_by: Callable[[Any], Any] = click.option("--by", required=True, metavar="NAME", help="Who does this; it is on record.")
_why: Callable[[Any], Any] = click.option("--why", required=True, metavar="TEXT", help="Why; it is on record.")
_json: Callable[[Any], Any] = click.option("--json", "as_json", is_flag=True, help="JSON instead of words.")
_file = click.Path(exists=True, dir_okay=False, path_type=Path)


class _Percent(click.ParamType[float]):
    """``3`` or ``3%``: a share of 0.03."""

    name = "percent"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            share = float(str(value).strip().removesuffix("%")) / 100
        except ValueError:
            self.fail(f"{value!r} is no percentage", param, ctx)
        if not 0 <= share <= 1:
            self.fail(f"{value!r} is not between 0 and 100 %", param, ctx)
        return share


PERCENT = _Percent()


@click.group(help="Propose a policy, approve it, roll it out in steps that a test watches, and roll it back.")
def command() -> None:  # noqa: D103
    pass


@command.command(help="What changes, setting by setting: BEFORE AFTER, or one proposal. A file, a preset or a version.")
@click.argument("before", metavar="BEFORE|PROPOSAL")
@click.argument("after", metavar="AFTER", required=False)
@_json
def diff(before: str, after: str | None, as_json: bool) -> None:  # noqa: D103
    from policies.diff import changes

    with _explained():
        if after is None:
            it = _standing().one(before)
            old, new = _policy(it.base), _policy(it.version)
        else:
            old, new = _policy(before), _policy(after)
        found = changes(old, new)
    if as_json:
        show.json_line({"before": old.hash, "after": new.hash, "changes": [change._asdict() for change in found]})
        return
    words.differences(old, new, found)


@command.command(help="Put a policy forward, with what was shown for it. Nothing that is served changes.")
@click.argument("file", metavar="FILE|PRESET")
@click.option("--against", metavar="FILE|PRESET", help="The policy of the settings that it shall replace.")
@click.option("--evidence", type=_file, help="The evidence bundle (JSON), as 'stillhouse tune' writes it.")
@click.option("--gate", type=_file, help="The verdict (JSON), as 'stillhouse gate --json' writes it.")
@_by
@click.option("--why", default="", metavar="TEXT", help="What it is for.")
def propose(file: str, against: str | None, evidence: Path | None, gate: Path | None, by: str, why: str) -> None:  # noqa: D103
    from router.registry import proposals

    with _explained(), changing() as place:
        it = proposals.propose(
            place, file, against=against, by=by, why=why, now_ms=_now_ms(),
            evidence=evidence.read_bytes() if evidence else None, gate=gate.read_bytes() if gate else None,
        )  # fmt: skip
    show.line(f"{it.id}: {it.policy} {it.base[:12]} -> {it.version[:12]}, proposed by {it.by}; gate: {it.gate}.")
    show.line(f"Look: stillhouse policy diff {it.id}. Then: stillhouse policy approve {it.id} --by NAME --why TEXT")


@command.command(help="Let a proposal be rolled out, step by step. Running gateways begin within seconds.")
@click.argument("proposal")
@_by
@_why
@click.option("--steps", default="5,25,100", show_default=True, help="Shares of the traffic, in percent; 100 is live.")
@click.option(
    "--by-unit", type=click.Choice(["request", "session", "tenant"]), default="session", show_default=True,
    help="What is kept together in one arm.",
)  # fmt: skip
@click.option(
    "--min-requests", type=click.IntRange(1), default=500, show_default=True,
    help="Outcomes by each signal that a step needs from the canary.",
)  # fmt: skip
@click.option("--accept-drop", type=PERCENT, default="0", show_default=True, help="Points of quality it may lose.")
@click.option(
    "--max-drop", type=PERCENT, default="3", show_default=True,
    help="A step up needs it shown that quality falls by less than this many points.",
)  # fmt: skip
@click.option("--accept-cost", type=PERCENT, default="10", show_default=True, help="How much dearer it may be.")
@click.option(
    "--without", multiple=True, type=click.Choice(["quality", "errors", "blocked", "cost", "latency"]),
    help="Do not watch this signal. On record; may be repeated.",
)  # fmt: skip
@click.option("--override", default="", metavar="REASON", help="Approve though the gate refused, or nothing was shown.")
def approve(  # noqa: D103
    proposal: str, by: str, why: str, steps: str, by_unit: Any, min_requests: int, accept_drop: float,
    max_drop: float, accept_cost: float, without: tuple[str, ...], override: str,
) -> None:  # fmt: skip
    from router.registry import proposals

    plan = _plan(steps, by_unit, min_requests, accept_drop, max_drop, accept_cost, without)
    with _explained(), changing() as place:
        it = proposals.approve(place, proposal, plan, by=by, why=why, now_ms=_now_ms(), override=override)
    show.line(f"{it.id} is approved by {by}: {words.plan(plan)}")
    if without:
        show.line(f"Not watched: {', '.join(without)}.")
    show.line(f"Follow it: stillhouse policy status {it.id}. Back at once: stillhouse policy rollback {it.policy}")


@command.command(help="Turn a proposal down.")
@click.argument("proposal")
@_by
@_why
def reject(proposal: str, by: str, why: str) -> None:  # noqa: D103
    from router.registry import proposals

    with _explained(), changing() as place:
        it = proposals.reject(place, proposal, by=by, why=why, now_ms=_now_ms())
    show.line(f"{it.id} is rejected by {by}.")


@command.command(help="Take the next step on your own word, where signals are missing.")
@click.argument("proposal")
@_by
@_why
def step(proposal: str, by: str, why: str) -> None:  # noqa: D103
    from router.registry import proposals

    with _explained(), changing() as place:
        it = proposals.step_by_hand(place, proposal, by=by, why=why, now_ms=_now_ms())
    show.line(f"{it.id} is {it.state} with {it.share:.0%}. The test did not take this step; {by} did.")


@command.command(help="Return to what was served before, at once: of a policy or a proposal, rolling or live.")
@click.argument("name", metavar="POLICY|PROPOSAL")
@_by
@_why
def rollback(name: str, by: str, why: str) -> None:  # noqa: D103
    from router.registry import proposals

    with _explained(), changing() as place:
        it = proposals.roll_back(place, name, by=by, why=why, now_ms=_now_ms())
        back = proposals.standing(place).live(it.policy)
    where = f"version {back.version[:12]} of {back.id}" if back else "the file in the settings"
    show.line(f"{it.id} is rolled back; {it.policy!r} is served by {where} again, within a second everywhere.")


@command.command(help="Whether a proposer may approve their own; at first a second person has to.")
@click.option("--two-people", type=click.Choice(["on", "off"]), required=True, help="on: a second person approves.")
@_by
@_why
def rules(two_people: str, by: str, why: str) -> None:  # noqa: D103
    from router.registry import proposals

    with _explained(), changing() as place:
        proposals.set_rules(place, two_people=two_people == "on", by=by, why=why, now_ms=_now_ms())
    show.line(f"A second person {'has' if two_people == 'on' else 'does not have'} to approve.")


@command.command(help="What is live, what is on its way, and what the test last said.")
@click.argument("name", metavar="[POLICY|PROPOSAL]", required=False)
@click.option("--all", "every", is_flag=True, help="Those that have ended, too.")
@click.option("--evidence", is_flag=True, help="Print what was shown for one proposal, as it was kept.")
@_json
def status(name: str | None, every: bool, evidence: bool, as_json: bool) -> None:  # noqa: D103
    if evidence:
        _print_evidence(name)
        return
    with _explained():
        standing = _standing()
        found = [p for p in standing.proposals.values() if name in (None, p.policy, p.id)]
        if name is not None and not found:
            found = [standing.one(name)]
        if name is None and not every:
            found = [p for p in found if p.state in ("proposed", "approved", "rolling", "live")]
        if as_json:
            for it in found:
                show.json_line(words.as_json(it))
            return
        if len(found) == 1 and name is not None:
            words.one(found[0], _counted(found[0].id))
            return
    words.many(found)


@command.command(help="Everything that was done, by whom and why; each entry holds the one before it.")
@click.argument("proposal", required=False)
@click.option("--verify", metavar="HASH", help="Also check that this hash, noted earlier, is still in the log.")
@_json
def history(proposal: str | None, verify: str | None, as_json: bool) -> None:  # noqa: D103
    from router.registry import proposals, trail

    path = proposals.log_path(looked())
    with _explained():
        entries = trail.read(path)
        if verify is not None and not any(entry.hash.startswith(verify) for entry in entries):
            show.fail(f"no entry has the hash {verify}: the log was cut, or it is another one", code=1)
        chosen = _standing().one(proposal).id if proposal else None
    shown = [entry for entry in entries if chosen in (None, entry.proposal)]
    if as_json:
        for entry in shown:
            show.json_line(words.entry(entry))
        return
    words.entries(shown)
    if trail.unfinished(path):
        show.note("the last line of the log is unfinished; it was never acknowledged and counts for nothing")
    if entries:
        show.line(f"{len(entries)} entries, unbroken. Who notes the last hash can see later that none was cut:")
        show.line(f"stillhouse policy history --verify {entries[-1].hash[:16]}")


@command.command(help="Copy the files of a version out, as they were.")
@click.argument("version", metavar="VERSION|PROPOSAL")
@click.argument("into", type=click.Path(file_okay=False, path_type=Path))
def restore(version: str, into: Path) -> None:  # noqa: D103
    from router.registry import versions

    with _explained():
        name = _standing().one(version).version if version.startswith("p-") else versions.find(looked(), version)
        for path in versions.restore(looked(), name, into):
            show.line(str(path))


# --- helpers -------------------------------------------------------------------------------------------


def _plan(
    steps: str, unit: Any, min_requests: int, accept_drop: float, max_drop: float, accept_cost: float,
    without: tuple[str, ...],
) -> Plan:  # fmt: skip
    import msgspec

    from router.core.rollout import WATCHES, Plan

    try:
        shares = tuple(PERCENT.convert(part, None, None) for part in steps.split(","))
    except click.UsageError as error:
        show.fail(f"--steps: {error.message}", "for example --steps 5,25,100")
    changed: dict[str, dict[str, Any]] = {
        "quality": {"allowed": accept_drop, "margin": max_drop},
        "cost": {"allowed": accept_cost},
    }
    watches = tuple(
        msgspec.structs.replace(watch, **changed.get(watch.signal, {}))
        for watch in WATCHES
        if watch.signal not in without
    )
    if accept_drop >= max_drop:
        show.fail("--accept-drop must be less than --max-drop, or no step could ever be taken")
    return Plan(steps=shares, unit=unit, min_requests=min_requests, watches=watches)


def _policy(source: str) -> Policy:
    """A version, the version of a proposal, a file or a preset."""
    import re

    from policies.load import load_policy
    from router.registry import versions

    if source.startswith("p-") and not Path(source).exists():
        return versions.read(looked(), _standing().one(source).version)
    if re.fullmatch(r"[0-9a-f]{6,64}", source):
        return versions.read(looked(), versions.find(looked(), source))
    return load_policy(source)


def _print_evidence(name: str | None) -> None:
    from router.registry import proposals

    with _explained():
        it = _standing().one(name or "")
        if not it.evidence:
            show.fail(f"nothing was shown for {it.id}")
        show.line(proposals.bundle(looked(), it.evidence).decode("utf-8"))


def _standing() -> Any:
    from router.registry import proposals

    return proposals.standing(looked())


def _counted(proposal: str) -> list[Any]:
    """What the gateways have counted so far."""
    import msgspec

    from router.core.tally import Tally
    from router.registry import counts

    return [msgspec.json.decode(body, type=Tally) for body in counts.bodies(looked(), proposal)]


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    from policies.mistakes import Mistakes
    from router.registry.proposals import ProposalError
    from router.registry.trail import TrailError
    from router.registry.versions import VersionError

    try:
        yield
    except Mistakes as mistakes:
        show.fail(f"the policy has mistakes:\n{mistakes}", "stillhouse check FILE shows each with its line")
    except (ProposalError, TrailError, VersionError) as error:
        show.fail(str(error))
