"""``stillhouse guard test``: a policy's own cases, tried."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from stillhouse.cli import show
from stillhouse.cli.guard import load

if TYPE_CHECKING:
    from policies.guard_cases import CaseResult
    from policies.policy import Policy
    from policies.probes import Probe

EXIT_FAILED = 1
_KINDS = {"probe": "probes", "allow": "lines of allow lists", "rules": "tests of rules"}


@click.command(help="Try a policy's own cases: probes, allow lists, tests of rules. Exit status 1 when one fails.")
@click.argument("policy")
@click.option(
    "--probes", type=click.Path(path_type=Path), help="The probes file (default: probes.yaml beside the policy)."
)
@click.option("--json", "as_json", is_flag=True, help="One line of JSON.")
def command(policy: str, probes: Path | None, as_json: bool) -> None:  # noqa: D103
    from policies.guard_cases import complaints, run_cases

    loaded = load(policy)
    results = run_cases(loaded, _probes(loaded, probes))
    if not results:
        hint = "write guard cases into probes.yaml beside it, or lines under a guard's 'allow'"
        show.fail(f"the policy {loaded.name!r} has no cases of its own", hint)
    warnings = complaints(loaded)
    failed = [result for result in results if not result.passed]
    if as_json:
        show.json_line(
            {
                "policy": loaded.name,
                "policy_hash": loaded.hash,
                "ok": not failed,
                "warnings": warnings,
                "cases": [result._asdict() for result in results],
            }
        )
    else:
        for warning in warnings:
            show.note(f"warning: {warning}")
        _print(loaded, results, failed)
    raise SystemExit(EXIT_FAILED if failed else 0)


def _probes(policy: Policy, chosen: Path | None) -> tuple[Probe, ...]:
    """The probes of a file; none where there is no file and none was named."""
    from policies.mistakes import Mistakes
    from policies.probes import load_probes

    path = chosen or policy.source.with_name("probes.yaml")
    if chosen is None and not path.exists():
        return ()
    try:
        return load_probes(path).probes
    except Mistakes as mistakes:
        show.fail(f"the probes have mistakes:\n{mistakes}", "stillhouse check FILE shows each with its line")


def _print(policy: Policy, results: tuple[CaseResult, ...], failed: list[CaseResult]) -> None:
    from policies.guard_cases import tested

    if failed:
        rows = [[r.kind, r.where, r.name, r.expected, r.found] for r in failed]
        show.table(["case", "where", "name", "expected", "found"], rows, "Failed")
    counts = ", ".join(f"{count} {_KINDS[kind]}" for kind, count in tested(results).items())
    passed = len(results) - len(failed)
    show.line(f"policy {policy.name}@{policy.hash[:12]}: {passed} of {len(results)} cases passed ({counts})")
