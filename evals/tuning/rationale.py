"""A proposal in words that a person can approve or turn down."""

from __future__ import annotations

from evals.tuning.tune import Setting, Tuned


def rationale(found: Tuned) -> str:
    """Sentences: what is promised, what was shown, what changes, what is not known."""
    promise = found.promise
    kind = "net loss" if promise.measure == "net" else "loss"
    says = (
        f"Promised: a {kind} of at most {promise.max_quality_loss:.4g} of 1 a request against {promise.against}, "
        f"at {promise.confidence:.4g} confidence, {_span(found)}."
    )
    if found.proposed is None:
        more = (
            f" About {found.missing:,} more rows would be needed."
            if found.missing
            else " More rows like these would not help."
        )
        return f"{says}\nNothing is proposed: {found.refused}.{more}"
    return "\n".join([says, *_evidence(found, found.proposed, kind), *_change(found, found.proposed), *_limits(found)])


def _span(found: Tuned) -> str:
    return "in the long run" if found.ahead is None else f"for the mean of the next {found.ahead:,} requests"


def _evidence(found: Tuned, new: Setting, kind: str) -> list[str]:
    shown = new.shown
    counted = f"{shown.losses:g} lost, {shown.gains:g} gained"
    lines = [
        f"Shown: on {shown.n:,} held-out questions the {kind} is {shown.mean:.2%} ({counted}).",
        f"It may be at most {shown.upper:.2%} ({shown.method}). {found.chose:,} other questions chose the direction.",
    ]
    if found.slices:
        worst = max(found.slices, key=lambda each: each.shown.upper)
        lines.append(
            f"In each of {len(found.slices)} slices it holds as well; the nearest to the limit is {worst.column} "
            f"{worst.value!r}: {worst.shown.mean:.2%}, at most {worst.shown.upper:.2%} ({worst.shown.n:,} questions)."
        )
    return lines


def _change(found: Tuned, new: Setting) -> list[str]:
    old = found.current
    against = found.promise.against
    holds = "keeps" if old.shown.upper <= found.promise.max_quality_loss else "does not keep"
    return [
        f"Saved against always asking {against}: {_share(new)}; today {_share(old)}.",
        f"The policy in force {holds} the promise on these rows (at most {old.shown.upper:.2%}).",
        f"Tiers: {_mix(new)}; today {_mix(old)}.",
        f"The best setting in hindsight would save {found.hindsight:.1%}; nobody can know it beforehand.",
    ]


def _limits(found: Tuned) -> list[str]:
    lines = ["It holds for requests like these rows. Other requests, another scorer or other models void it."]
    if found.seed:
        lines.append(f"Seed {found.seed} was chosen by hand: the confidence is that of one try. Tries are not counted.")
    if found.billed_by_guess:
        lines.append(f"{found.billed_by_guess:,} rows have no token counts; they are billed by forecast.")
    return lines


def _share(setting: Setting) -> str:
    return f"{setting.saving.value:.1%} (95 %: {setting.saving.low:.1%} to {setting.saving.high:.1%})"


def _mix(setting: Setting) -> str:
    return ", ".join(f"{tier} {share:.0%}" for tier, share in setting.mix.items())
