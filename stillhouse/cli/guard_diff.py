"""``stillhouse guard diff``: what would change between two sets of guards. Counts and ids, never a text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from stillhouse.cli import show
from stillhouse.cli.duration import DURATION
from stillhouse.cli.guard import Row, load, numbered, opened, read_row
from stillhouse.cli.opening import explained, ledger_place

if TYPE_CHECKING:
    from policies.guard_diff import Change, Diff, Side
    from router.ledger.read import Span

_DEFAULT = "(default)"


@click.command(
    help="What would change if policy B stood where policy A stands, over rows of text; or, with --ledger, what shadow "
    "guards were seen to do otherwise than those in force."
)
@click.argument("policies", nargs=-1, metavar="[A B]")
@click.option("--in", "source", help='Rows {"id","text","direction":"input|output"}; \'-\' is standard input.')
@click.option(
    "--ledger",
    is_flag=False,
    flag_value=_DEFAULT,
    metavar="[FILE]",
    help="Read what is on record instead (default: ledger.db in STILLHOUSE_HOME).",
)
@click.option("--since", type=DURATION, metavar="SPAN", help="With --ledger: only the last 90m, 12h, 7d …")
@click.option("--policy", help="With --ledger: only requests under this policy.")
@click.option("--tenant", help="With --ledger: only this tenant's requests.")
@click.option("--json", "as_json", is_flag=True, help="One line of JSON.")
def command(  # noqa: D103
    policies: tuple[str, ...],
    source: str | None,
    ledger: str | None,
    since: timedelta | None,
    policy: str | None,
    tenant: str | None,
    as_json: bool,
) -> None:
    if ledger is not None:
        if policies or source:
            show.fail("--ledger compares what is on record; it takes neither policies nor --in")
        _from_ledger(ledger, since, policy, tenant, as_json)
        return
    if len(policies) != 2 or source is None:
        show.fail("two policies and --in are needed", "stillhouse guard diff A B --in rows.jsonl, or --ledger")
    if since or policy or tenant:
        show.fail("--since, --policy and --tenant choose among records", "add --ledger, or take them out")
    _from_rows(policies, source, as_json)


def _from_rows(policies: tuple[str, ...], source: str, as_json: bool) -> None:
    from policies.guard_diff import Diff

    before, after = (load(policy) for policy in policies)
    diff, bad = Diff(), list[dict[str, Any]]()
    with opened(source) as rows:
        for number, line in show.progress(numbered(rows), None, "comparing"):
            row = read_row(number, line)
            if isinstance(row, Row):
                name = str(row.id) if row.id is not None else f"line {number}"
                diff.add(name, *(_side(row, one.rails) for one in (before, after)))
            else:
                bad.append(row["error"])
    names = [f"{one.name}@{one.hash[:12]}" for one in (before, after)]
    if as_json:
        show.json_line({"before": names[0], "after": names[1], **_as_json(diff), "rows_unread": bad})
    else:
        _print(diff, f"{names[1]} instead of {names[0]}", "row")
    if bad:
        lines = ", ".join(str(error["line"]) for error in bad[:10])
        show.fail(f"{len(bad)} rows could not be read (lines {lines}{' …' if len(bad) > 10 else ''})")


def _side(row: Row, rails: Mapping[Any, Any]) -> Side:
    from guardrails import check
    from policies.guard_diff import Side

    return Side.of(check(row.text, rails[row.direction], role=row.role, query=row.query, sources=row.sources).findings)


# --- the ledger


def _from_ledger(ledger: str, since: timedelta | None, policy: str | None, tenant: str | None, as_json: bool) -> None:
    from router.ledger.read import Reader, Span

    start = None if since is None else datetime.now(UTC) - since
    span = Span(since_ms=None if start is None else int(start.timestamp() * 1000), tenant=tenant, policy=policy)
    path = ledger_place(None if ledger == _DEFAULT else ledger)
    with explained(path), Reader(path) as reader:
        diff, watched = _shadowed(reader.requests, span)
    if as_json:
        show.json_line({"policies": sorted(watched), **_as_json(diff)})
        return
    if not watched:
        show.line("No shadow guard found anything in these records, so there is nothing to compare.")
        show.line("A policy looks on with 'guards: {shadow: …}'; see docs/policies.md.")
        return
    _print(diff, "shadow guards instead of those in force", "request")
    show.line(f"policies: {', '.join(sorted(watched))}")


def _shadowed(requests: Any, span: Span) -> tuple[Diff, set[str]]:
    """What shadow guards did otherwise, over the requests of policies whose shadow is on record at all.

    A record does not say whether a shadow looked on, but its policy's hash does: one shadow finding under a hash says
    it of all its requests. A policy whose shadow never found anything cannot be told from one without a shadow.
    """
    from policies.guard_diff import Diff

    hashes = {
        record["policy_hash"]
        for record in requests(span)
        if any(finding.get("shadow") for finding in record["findings"] or ())
    }
    diff, watched = Diff(), set[str]()
    for record in requests(span) if hashes else ():
        if record["policy_hash"] in hashes:
            watched.add(f"{record['policy']}@{record['policy_hash'][:12]}")
            findings = record["findings"] or ()
            diff.add(record["id"], _recorded(findings, shadow=False), _recorded(findings, shadow=True))
    return diff, watched


def _recorded(findings: Iterable[Mapping[str, Any]], *, shadow: bool) -> Side:
    from guardrails import Action
    from policies.guard_diff import Side

    return Side.strictest(
        ((f["guard"], f["category"]), Action[f["action"].upper()]) for f in findings if bool(f.get("shadow")) is shadow
    )


# --- showing


def _as_json(diff: Diff) -> dict[str, Any]:
    def words(change: Change) -> dict[str, Any]:
        return {
            "before": change.before.word,
            "after": change.after.word,
            "count": change.count,
            "examples": change.examples,
        }

    return {
        "rows": diff.rows,
        "changed": diff.changed,
        "actions": {"before": dict(diff.before), "after": dict(diff.after)},
        "whole": [words(change) for change in diff.whole()],
        "guards": [{"guard": guard, "category": name, **words(change)} for (guard, name), change in diff.by_key()],
    }


def _print(diff: Diff, what: str, noun: str) -> None:
    share = f" ({diff.changed / diff.rows:.1%})" if diff.rows else ""
    show.line(f"{what}: {diff.changed:,} of {diff.rows:,} {noun}s would end otherwise{share}")
    for title, rows in (
        ("Whole verdicts", [["all guards", *_line(change)] for change in diff.whole()]),
        ("By guard and category", [[f"{guard}.{name}", *_line(change)] for (guard, name), change in diff.by_key()]),
    ):
        if rows:
            show.table(["guard", "change", f"{noun}s", "for example"], rows, title)


def _line(change: Change) -> Sequence[str]:
    return change.words, f"{change.count:,}", ", ".join(change.examples)
