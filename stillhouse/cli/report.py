"""``stillhouse report``: what was served, what it cost, what was saved, and what went wrong."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stillhouse.cli import show
from stillhouse.cli.duration import DURATION
from stillhouse.cli.opening import explained, ledger_option, ledger_place

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from router.ledger.place import Place
    from router.ledger.read import Group, Span
    from router.ledger.summary import Saving, Summary, TierLine
    from router.ledger.sums import Dimension

GROUPINGS: dict[str, Dimension] = {
    "day": "day",
    "tenant": "tenant",
    "policy": "policy",
    "key": "key_id",
    "model": "model",
    "tier": "tier_served",
    "outcome": "outcome",
}
_NANO = 1_000_000_000
_NANO_DIGITS = 9
_PARTS = {"total": "whole answer", "first_byte": "first byte of the model", "overhead": "the gateway's own share"}
_OUTCOMES = {
    "ok": "answered",
    "blocked_input": "request blocked by a guard",
    "blocked_output": "answer blocked by a guard",
    "refused": "refused by the gateway (key, limit, size)",
    "bad_request": "wrong request",
    "upstream_error": "model failed",
    "client_gone": "caller left",
    "internal_error": "gateway failed",
}
_WHY_HYPOTHETICAL = """\
hypothetical: counted with reference prices or estimated tokens, not with your own prices.
Write your own under 'price:' of each tier in the settings file."""


@click.command(help="What was served, what it cost, and what was saved against always asking the large tier.")
@click.option("--since", type=DURATION, metavar="SPAN", help="Only the last 90m, 12h, 7d, 8w … (default: everything).")
@click.option("--policy", help="Only requests under this policy.")
@click.option("--tenant", help="Only this tenant's requests.")
@click.option("--by", type=click.Choice(list(GROUPINGS)), help="Add a table by day, tenant, policy, …")
@click.option("--observe", is_flag=True, help="What following the policy would have saved; see 'serve --observe'.")
@ledger_option
@click.option("--json", "as_json", is_flag=True, help="One line of JSON instead of tables.")
def command(  # noqa: D103
    since: timedelta | None,
    policy: str | None,
    tenant: str | None,
    by: str | None,
    observe: bool,
    ledger: str | None,
    as_json: bool,
) -> None:
    from router.ledger import summary as summaries
    from router.ledger.read import Reader, Span

    start = None if since is None else datetime.now(UTC) - since
    span = Span(since_ms=None if start is None else int(start.timestamp() * 1000), tenant=tenant, policy=policy)
    path = ledger_place(ledger)
    if observe:
        if by:
            raise click.UsageError("--observe has its own tables; leave --by out.")
        _observed(path, span, as_json)
        return
    summary = summaries.NOTHING
    groups: list[Group] = []
    if ledger is not None or not isinstance(path, Path) or path.exists():
        with explained(path), Reader(path) as reader:
            summary = summaries.summarize(reader, span)
            groups = summaries.by(reader, GROUPINGS[by], span) if by else []
    if as_json:
        show.json_line(_as_json(summary, span, by, groups))
    elif summary.requests:
        _print(summary, _scope(span), by, groups)
    else:
        _nothing(span)


def _observed(path: Place, span: Span, as_json: bool) -> None:
    import msgspec

    from evals.observed.forecast import outlook
    from router.ledger.observed import observed, pruned
    from stillhouse.cli.observed import print_outlook

    with explained(path):
        seen, gone = outlook(observed(path, span)), pruned(path, span)
    if as_json:
        show.json_line({"since_ms": span.since_ms, **msgspec.to_builtins(seen), "pruned": gone})
    else:
        print_outlook(seen, _scope(span), gone)


def _as_json(summary: Summary, span: Span, by: str | None, groups: Sequence[Group]) -> dict[str, object]:
    import msgspec

    lines = [{"key": _name(by, g.keys[0]), **msgspec.to_builtins(g.sums)} for g in groups] if by else None
    return {
        "since_ms": span.since_ms,
        "tenant": span.tenant,
        "policy": span.policy,
        **msgspec.to_builtins(summary),
        **({} if lines is None else {"by": by, "groups": lines}),
    }


def _nothing(span: Span) -> None:
    if span.since_ms is None and span.tenant is None and span.policy is None:
        show.line("Nothing has been served yet. Start the gateway with 'stillhouse serve' and send it a request.")
    else:
        show.line(f"Nothing was served {_scope(span)}. 'stillhouse report' without options shows everything.")


def _scope(span: Span) -> str:
    since = "since the beginning" if span.since_ms is None else f"since {_minute(span.since_ms)}"
    policy = f", policy {span.policy}" if span.policy is not None else ""
    tenant = f", tenant {span.tenant}" if span.tenant is not None else ""
    return since + policy + tenant


def _minute(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")


# --- the picture


def _print(summary: Summary, scope: str, by: str | None, groups: Sequence[Group]) -> None:
    show.line(f"{count(summary.requests, 'request')} {scope}")
    show.line(f"cost    {_cost(summary)}")
    show.line(f"saving  {_saving(summary.saving)}")
    show.line()
    _tiers(summary)
    _outcomes(summary)
    _latency(summary)
    if by:
        _by(by, groups)
    if "hypothetical" in {summary.cost_trust, summary.saving.trust}:
        show.line(_WHY_HYPOTHETICAL)


def _cost(summary: Summary) -> str:
    if summary.cost_trust == "unknown":
        return "unknown: no answer has a known price" if summary.cost_unknown else "none"
    known = usd(summary.cost_nano) + (" (hypothetical)" if summary.cost_trust == "hypothetical" else "")
    if summary.cost_unknown:
        known += f" and {count(summary.cost_unknown, 'answer')} of unknown price"
    return known


def _saving(saving: Saving) -> str:
    if saving.trust == "unknown":
        return "unknown: the large tier has no known price to compare with"
    mark = " (hypothetical)" if saving.trust == "hypothetical" else ""
    against = f"{usd(saving.always_large_nano)} for always-large{mark}, over {count(saving.requests, 'request')}"
    if saving.saved_nano < 0:
        return f"none: {usd(-saving.saved_nano)} more than {against}"
    share = "" if saving.saved_share is None else f"{saving.saved_share:.1%}, "
    return f"{share}{usd(saving.saved_nano)} of {against}"


def _tiers(summary: Summary) -> None:
    columns = ["tier", "served", "share", "wanted", "tokens in", "tokens out", "cost"]
    numbers("What served", columns, [_tier(line, summary.requests) for line in summary.tiers])
    for source, tokens in summary.tokens.items():
        word = "counted by the upstream" if source == "upstream" else "estimated by the gateway"
        cached = f" ({tokens.cached:,} of them cached)" if tokens.cached else ""
        show.line(f"tokens {word}: {tokens.input:,} in{cached}, {tokens.output:,} out")
    moved = [f"{count(summary.retries, 'retry', 'retries')}", count(summary.fallbacks, "fallback")]
    moved += [count(summary.escalations, "escalation"), f"{summary.elsewhere:,} served by another tier than wanted"]
    show.line(", ".join(moved))
    show.line()


def _tier(line: TierLine, requests: int) -> list[str]:
    return [
        line.tier or "no model",
        f"{line.requests:,}",
        f"{line.requests / requests:.1%}",
        f"{line.wanted:,}" if line.tier else "",
        f"{line.tokens.input:,}",
        f"{line.tokens.output:,}",
        _known(line.cost_nano, line.cost_unknown),
    ]


def _known(nano: int, unknown: int) -> str:
    if not unknown:
        return usd(nano)
    return f"≥ {usd(nano)}" if nano else "unknown"


def _outcomes(summary: Summary) -> None:
    rows = [[_OUTCOMES.get(o, o), f"{n:,}", f"{n / summary.requests:.1%}"] for o, n in summary.outcomes.items()]
    numbers("What happened", ["outcome", "requests", "share"], rows)
    for direction, word in (("input", "requests"), ("output", "answers")):
        if actions := summary.guards[direction]:
            show.line(f"guards on {word}: {_listed(actions)}")
    if summary.errors:
        show.line(f"error codes: {_listed(summary.errors)}")
    show.line()


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {n:,}" for name, n in counts.items())


def _latency(summary: Summary) -> None:
    if not summary.latency_ms:
        return
    rows = [
        [_PARTS[part], _ms(p.p50), _ms(p.p95), _ms(p.p99), f"{p.requests:,}"] for part, p in summary.latency_ms.items()
    ]
    numbers("How long answers took, ms", ["part", "p50", "p95", "p99", "answers"], rows)
    show.line()


def _by(by: str, groups: Sequence[Group]) -> None:
    columns = [by, "requests", "tokens in", "tokens out", "cost", "saved"]
    rows = [
        [
            _name(by, group.keys[0]) or "none",
            f"{group.sums.requests:,}",
            f"{group.sums.tokens_in:,}",
            f"{group.sums.tokens_out:,}",
            _known(group.sums.cost_nano, group.sums.cost_unknown),
            usd(group.sums.baseline_nano - group.sums.compared_nano) if group.sums.compared else "unknown",
        ]
        for group in groups
    ]
    numbers(f"By {by}", columns, rows)
    show.line()


def _name(by: str | None, key: str | int) -> str:
    if by == "day":
        return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=int(key))).strftime("%Y-%m-%d")
    return str(key)


# --- words and figures


def numbers(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table whose columns but the first stand to the right, as figures should."""
    widths = [max(show.width(line[i]) for line in [columns, *rows]) for i in range(len(columns))]

    def right(line: Sequence[str]) -> list[str]:
        return [line[0], *(" " * (w - show.width(cell)) + cell for cell, w in zip(line[1:], widths[1:], strict=True))]

    show.table(right(columns), [right(row) for row in rows], title)


def count(n: int, one: str, many: str = "") -> str:
    """A number and its noun, in the plural but for one."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def _ms(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def usd(nano: int) -> str:
    """Nano-dollars as dollars: two digits after the point from one dollar up, three that matter below."""
    if nano < 0:
        return f"-{usd(-nano)}"
    if nano == 0 or nano >= _NANO:
        return f"${nano / _NANO:,.2f}"
    digits = 4
    while digits < _NANO_DIGITS and nano * 10**digits < 100 * _NANO:
        digits += 1
    whole, _, part = f"{nano / _NANO:.{digits}f}".partition(".")
    return f"${whole}.{part.rstrip('0').ljust(2, '0')}"
