"""What a summary says, in sentences and cells: the words that HTML, Markdown and the terminal share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from evals.reports import words
from evals.reports.answers import Figures
from evals.reports.frontier import Frontier
from evals.reports.reliability import Confusion, Reliability
from evals.reports.rows import Packed
from evals.reports.summary import Loss, SliceLine, Summary
from evals.reports.words import NONE, count
from evals.runs.record import Check, Item
from router.types import TIER_NAMES

TARGET_COLUMNS: Final = ("target", "quality", "cost of 1,000", "saved", "median", "95th percentile", "answers", "tiers")
SLICE_COLUMNS: Final = ("slice", "answers", "quality", "cost of 1,000")
METHODS: Final = (
    (
        "Intervals are 95 %. Shares of right answers to unlike questions are Wilson's; all other means are "
        "bootstrapped over questions and studentised, so samples of one question count as one."
    ),
    (
        "Changes are paired by row. Right and wrong: McNemar's exact test, and the interval that agrees with it "
        "(Fay and Lumbard). Other scores: the sign of whole questions is turned about, and questions are bootstrapped."
    ),
    "In slices p is adjusted by Holm's rule for all slices that were judged.",
)
_PER: Final = 1000
#: How the figure of an assertion is written, by its first word; shares are percent.
_UNITS: Final = {"cost": words.money, "latency": words.milliseconds, "no": words.points}


def headline(summary: Summary) -> Iterator[str]:
    """One to four sentences: whether it is whole, quality, what changed, what failed."""
    main, run = summary.main, summary.run
    if not run.ended:
        here, wanted = sum(found.answers for found in summary.targets), run.rows * run.samples * len(run.targets)
        yield f"This run did not finish: {here:,} of {count(wanted, 'answer')} are here."
    if main is None or main.quality is None:
        yield "No answer could be judged."
        return
    stems = f" to {count(main.stems, 'question')}" if main.stems != main.judged else ""
    yield f"{main.target}: quality {words.percent_interval(main.quality)}, over {count(main.judged, 'answer')}{stems}."
    if summary.reference is not None:
        yield change(summary)
    failed = sum(check.verdict == "fail" for check in run.checks)
    undecided = sum(check.verdict == "error" for check in run.checks)
    if failed or undecided:
        parts = [f"{n} {what}" for n, what in ((failed, "failed"), (undecided, "could not be decided")) if n]
        yield f"Of {count(len(run.checks), 'check')} {' and '.join(parts)}."


def change(summary: Summary) -> str:
    """The difference to the reference, and whether it is one."""
    reference = summary.reference
    assert reference is not None
    if reference.quality is None:
        return f"No row was judged both here and under {reference.name}."
    found = reference.quality
    verdict = "better" if found.low > 0 else "worse" if found.high < 0 else "no difference shown"
    sentence = f"Against {reference.name}: {words.points_interval(found)}, {verdict}"
    if not found.shown and summary.run.sees is not None:
        sentence += f"; this suite sees differences from {100 * summary.run.sees:.1f} points up"
    if reference.cost and reference.cost[1]:
        mine, other = reference.cost
        sentence += f". Cost {words.points(mine / other - 1)} %"
    return sentence + "."


def tiles(summary: Summary) -> list[tuple[str, str, str]]:
    """The first target's figures: label, value, and what stands below it."""
    main = summary.main
    assert main is not None
    found = []
    if main.quality:
        low, high = 100 * main.quality.low, 100 * main.quality.high
        found.append(("Quality", words.percent(main.quality.value), f"{low:.1f} to {high:.1f}"))
    if main.cost:
        value, _, rest = words.money_interval(main.cost, _PER).partition(" ")
        found.append(("Cost of 1,000", value, rest.strip("()")))
    if main.saving:
        value, _, rest = words.percent_interval(main.saving).partition(" (")
        found.append(("Saved", value, f"{rest.rstrip(')')} of always large"))
    if main.p50 and main.p95:
        found.append(
            ("Median latency", words.milliseconds(main.p50.value), f"95 %: {words.milliseconds(main.p95.value)}")
        )
    wrong = f"{words.percent(main.errors / main.answers)} of answers" if main.errors else "every answer is there"
    found.append(("Errors", f"{main.errors:,}", wrong))
    found.append(
        ("Answers", f"{main.answers:,}", f"{summary.run.cached:,} from the cache" if summary.run.cached else "")
    )
    return found


def check_value(check: Check) -> str:
    """The figure of a check with its interval, in the unit of what it asserts."""
    if check.value is None:
        return ""
    write = _UNITS.get(check.says.split(" ", 1)[0], words.percent)
    rows = f", n = {check.n:,}" if check.n else ""
    if check.low is None or check.high is None:
        return write(check.value) + rows
    low, high = (write(end).removesuffix(" %") for end in (check.low, check.high))
    return f"{write(check.value)} ({low} to {high}){rows}"


def frontier_note(found: Frontier) -> str:
    """What the picture stands on."""
    note = f"{count(found.rows, 'row')} that every target answered. Crosses are 95 % intervals."
    if found.lines:
        return note + " Lines are the best their settings reach on these very rows, which flatters them."
    return note + " Baselines need targets that are one tier each."


def frontier_rows(found: Frontier) -> Iterator[tuple[str, str, str]]:
    """Points, then the ends and the middle of each line."""
    for point in found.points:
        yield point.name, words.money_interval(point.cost, _PER), words.percent_interval(point.quality)
    for line in found.lines:
        for cost, quality in {line.points[0]: 0, line.points[len(line.points) // 2]: 0, line.points[-1]: 0}:
            yield line.name, words.money(cost * _PER), words.percent(quality)


def target_row(found: Figures) -> tuple[str, ...]:
    """A line of the table of targets."""
    answers = f"{found.answers:,}" + (f", {count(found.errors, 'error')}" if found.errors else "")
    return (
        found.target,
        words.percent_interval(found.quality),
        words.money_interval(found.cost, _PER),
        words.percent_interval(found.saving),
        words.latency_interval(found.p50),
        words.latency_interval(found.p95),
        answers,
        " · ".join(f"{tier} {100 * share:.0f} %" for tier, share in found.tiers.items()) or NONE,
    )


def slices_note(summary: Summary) -> str:
    """What the changes are against, and what p is."""
    assert summary.reference is not None
    judged = [line for line in summary.slices if line.against and line.against.p is not None]
    worse = [line for line in judged if line.against and line.against.shown() and _value(line) < 0]
    said = (
        f"worse beyond chance in {', '.join(f'{x.slice} {x.value}' for x in worse)}" if worse else "none is shown worse"
    )
    return f"Change against {summary.reference.name}: of {count(len(judged), 'slice')} judged, {said}."


def _value(line: SliceLine) -> float:
    return line.against.difference.value if line.against and line.against.difference else 0.0


def slice_row(line: SliceLine) -> tuple[str, ...]:
    """The cells that every report has."""
    return (
        f"{line.slice}: {line.value}",
        f"{line.answers:,}",
        words.percent_interval(line.quality),
        words.money_interval(line.cost, _PER),
    )


def slice_against(line: SliceLine) -> tuple[str, str]:
    """Change and p, or why there is none."""
    found = line.against
    if found is None or found.difference is None:
        return NONE, NONE
    if found.p is None:
        return words.points(found.difference.value), found.thin
    mark = "" if not found.shown() else ", worse" if found.difference.value < 0 else ", better"
    return words.points_interval(found.difference), words.p_value(found.p) + mark


def reliability_note(found: Reliability) -> str:
    """How far off, and how far off a perfect forecaster would seem."""
    return (
        f"{count(found.n, 'answer')} in bins of equal mass. Expected calibration error {found.ece:.3f}; a perfect "
        f"forecaster would show {found.perfect:.3f} with so many."
    )


def confusion_note(found: Confusion) -> str:
    """How many went where they were meant to, and how many below and above."""
    place = {tier: index for index, tier in enumerate(TIER_NAMES)}
    below = above = 0
    for tier, counts in zip(found.expected, found.counts, strict=True):
        for served, n in zip(found.served, counts, strict=True):
            if served in place:
                below += n * (place[served] < place[tier])
                above += n * (place[served] > place[tier])
    share = found.as_meant / found.rows
    return (
        f"{words.percent(share)} of {count(found.rows, 'answer')} by the tier that the data's author had in mind; "
        f"{below:,} by a smaller one, {above:,} by a larger one."
    )


def losses_note(summary: Summary) -> str:
    """How many rows moved, and which are shown."""
    if summary.reference is None:
        return f"The {count(len(summary.losses), 'answer')} with the lowest quality. Open one to read it."
    return (
        f"Against {summary.reference.name} {count(summary.worse, 'row')} got worse and {summary.better:,} better. "
        f"The worst {len(summary.losses)} with both answers: open one to read it."
    )


def loss_mark(loss: Loss) -> str:
    """The change, or the quality where there is nothing to compare with."""
    return words.percent(loss.delta) if loss.other is None else words.points(loss.delta)


def tags(item: Item) -> str:
    """Row, sample, slices."""
    sample = f" #{item.sample}" if item.sample else ""
    return " · ".join([f"{item.id}{sample}", *item.slices.values()])


def answer_facts(item: Item) -> str:
    """Tier, model, quality, cost and latency of an answer."""
    parts = [item.tier or "", item.model, "" if item.quality is None else f"quality {item.quality:.2f}"]
    parts += ["" if item.cost_nano is None else words.money(item.cost_nano)]
    parts += ["" if item.latency_ms is None else words.milliseconds(item.latency_ms)]
    return " · ".join(part for part in parts if part)


def rows_note(packed: Packed) -> str:
    """How many rows are here, and how much of their texts."""
    if packed.prompt is None:
        texts = "Prompts and answers are whole."
    elif packed.prompt:
        texts = (
            f"To keep this file small prompts are cut at {packed.prompt} characters and answers at {packed.answer}; "
            "the run's folder has all of them."
        )
    else:
        texts = "There was no room for texts; the run's folder has them."
    rows = count(packed.of, "row")
    if packed.rows < packed.of:
        rows = f"{packed.rows:,} of {rows}, taken evenly: more do not fit"
    return f"{rows}. {texts}"


def facts(summary: Summary) -> Iterator[tuple[str, str]]:
    """The header of the run, for those who repeat it."""
    run = summary.run
    yield "Run", run.id
    if summary.against:
        yield "Against", summary.against.id
    yield "Suite", f"{run.suite} · {run.suite_hash[:16]}"
    if run.command:
        yield "Command", run.command
    yield "Measured", " · ".join(part for part in (run.commit, run.machine) if part) or NONE
    yield "When", f"{run.started} to {run.ended or 'not finished'}"
    yield "Data", f"{count(run.rows, 'row')}, asked {count(run.samples, 'time')} each"
    yield "Calls", f"{run.calls:,} made, {run.cached:,} from the cache, {run.errors:,} missing"
    yield "Spent", words.money(run.spent_nano)
    yield "Smallest difference seen", NONE if run.sees is None else f"{100 * run.sees:.1f} points at 80 % power"
