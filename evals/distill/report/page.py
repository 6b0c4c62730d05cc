"""The page of a loop, top to bottom. It asks for nothing and runs no script; every text of others is shown as text."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any, Final

from evals import drawing
from evals.distill.report.facts import Facts, Side, Worse
from evals.drawing import BLUE, Look, Panel
from evals.gate.telling import number
from evals.reports import charts, words
from evals.reports.html import framed
from evals.reports.sections import table, text, with_interval
from evals.reports.words import NONE

_TEXT: Final = 1500
_STAMPS: Final = {"yes": ("pass", "✓", "The gate says yes"), "no": ("fail", "✗", "The gate says no"),
                  "untold": ("error", "?", "The gate cannot tell")}  # fmt: skip
_PER: Final = 1000


def page(facts: Facts) -> str:
    """The whole file."""
    return framed(f"{facts.state['name']}: distillation loop", _body(facts))


def _body(facts: Facts) -> Iterator[str]:
    yield "<main>"
    yield from _head(facts)
    yield from _failing(facts)
    yield from _chosen(facts)
    yield from _learned(facts)
    yield from _judged(facts)
    yield from _costs(facts)
    yield from _worst(facts)
    yield from _lineage(facts)
    yield "</main>"
    yield _how(facts)


def _head(facts: Facts) -> Iterator[str]:
    gates = facts.state["gates"]
    kind, mark, says = _STAMPS.get(str(gates[-1]["verdict"]) if gates else "", ("error", "?", "Not judged yet"))
    yield f"<header class='verdict {kind}'>"
    yield "<p class='over'>Distillation loop</p>"
    yield f"<h1>{text(facts.state['name'])}</h1>"
    yield f"<p class='stamp'><span aria-hidden='true'>{mark}</span> {says}</p>"
    if gates:
        yield f"<p class='lead'>{text(str(gates[-1]['says']))}</p>"
    yield f"<p class='lead'>Next: {text(facts.next)}</p>"
    yield "<ul class='checks'>"
    for step in facts.steps:
        style = "pass" if step.done else "error"
        yield (
            f"<li class='{style}'><span class='mark' aria-hidden='true'>{'✓' if step.done else '·'}</span>"
            f"<span class='says'><span class='unseen'>{'done' if step.done else 'not done'}: </span>{text(step.name)}"
            f"</span><span class='why'>{text(step.says)}</span></li>"
        )
    yield "</ul></header>"


def _failing(facts: Facts) -> Iterator[str]:
    yield "<section aria-labelledby='failing'><h2 id='failing'>What was failing</h2>"
    if not facts.clusters:
        yield "<p class='note'>Nothing is curated yet, so nobody knows.</p></section>"
        return
    yield (
        "<p class='note'>The clusters of prompts with the most failures of the small tier, and what was taken from "
        "each to learn from. The words are those that tell the cluster's rows from all others.</p>"
    )
    yield table(
        ("cluster", "words", "rows", "failed", "taken", "at random"),
        [[str(c.number), text(", ".join(c.words) or NONE), f"{c.rows:,}", text(words.percent(c.failure_rate)),
          f"{c.train:,}", f"{c.control:,}"] for c in facts.clusters],
    )  # fmt: skip
    yield "</section>"


def _chosen(facts: Facts) -> Iterator[str]:
    rows = facts.state["rows"]
    if not rows:
        return
    yield "<section aria-labelledby='chosen'><h2 id='chosen'>What was taken</h2>"
    lines = [
        ("read", rows["read"]),
        *facts.state["left_out"].items(),
        ("held out", rows["holdout"]),
        ("of other work", rows["general"]),
        ("to learn from", rows["train"]),
        ("at random", rows["control"]),
    ]
    yield table(("rows", "", ""), [
        [text(name) if name not in facts.state["left_out"] else "left out", f"{count:,}",
         text(name) if name in facts.state["left_out"] else ""] for name, count in lines
    ])  # fmt: skip
    yield f"<p class='note'>Terms of the teachers: {text(str(facts.state['licence']))}.</p></section>"


def _learned(facts: Facts) -> Iterator[str]:
    students = facts.state["students"]
    yield "<section aria-labelledby='learned'><h2 id='learned'>What was learned</h2>"
    if not students:
        yield "<p class='note'>There is no student yet.</p></section>"
        return
    yield table(
        ("student", "kind", "made of", "taught by", "rows", "seconds"),
        [[text(f"{s['name']} ({s['digest'][:12]})"), text(s["kind"]), text(s["base"]), text(s["teacher"] or "people"),
          f"{s['rows']:,}", f"{s['seconds']:,.0f}"] for s in students],
    )  # fmt: skip
    for student in students:
        if len(student["losses"]) > 1:
            yield f"<h3>Learning curve of {text(student['name'])}</h3>"
            yield f"<figure class='wide' tabindex='0'>{_curve(student['losses'])}</figure>"
    yield "</section>"


def _curve(losses: list[list[float]]) -> str:
    points = [(float(step), float(loss)) for step, loss in losses]
    steps, values = [p[0] for p in points], [p[1] for p in points]
    high = max(values) * 1.05 or 1.0
    panel = Panel(0, -26, 760, 320, (min(steps), max(*steps, min(steps) + 1)), (0, high))
    panel.frame("", "step", "loss", charts.ticks(*panel.x_range), charts.ticks(0, high), "{:g}".format)
    panel.line(points, Look(BLUE, width=1.8))
    return charts.themed(drawing.picture(760, 294, panel.parts, title="Loss at each step"))


def _judged(facts: Facts) -> Iterator[str]:
    yield "<section aria-labelledby='gate'><h2 id='gate'>What the gate said</h2>"
    if not facts.state["gates"]:
        yield "<p class='note'>Nobody was judged yet.</p>"
    for gate in facts.state["gates"]:
        yield f"<h3>{text(gate['candidate'] or gate['evidence'])}: {text(str(gate['verdict']))}</h3>"
        yield f"<p class='note'>{text(str(gate['says']))}</p>"
        if gate["metrics"]:
            yield table(
                ("metric", "", "current → candidate", "gain (95 %)", "rows"),
                [_metric(metric) for metric in gate["metrics"]],
            )
    yield "</section>"


def _metric(metric: dict[str, Any]) -> list[str]:
    gain, low, high = (metric.get(name) for name in ("gain", "low", "high"))
    shown = NONE if gain is None or low is None or high is None else f"{gain:+.4g} ({low:+.4g} to {high:+.4g})"
    return [
        text(str(metric.get("metric", ""))), text(str(metric.get("verdict", ""))),
        text(f"{number(metric.get('current'))} → {number(metric.get('candidate'))}"), with_interval(shown),
        f"{metric.get('rows') or 0:,}",
    ]  # fmt: skip


def _costs(facts: Facts) -> Iterator[str]:
    yield "<section aria-labelledby='costs'><h2 id='costs'>What it costs and saves</h2>"
    spent = [f"Answers of teachers: {words.money(facts.state['labels']['paid_nano'])}." if facts.state["labels"] else
             "No answers of teachers were paid for."]  # fmt: skip
    if facts.state["students"]:
        spent.append(f"Training: {sum(s['seconds'] for s in facts.state['students']):,.0f} s.")
    if facts.runs:
        spent.append(f"Judging: {words.money(sum(run.spent_nano for run in facts.runs))}.")
    yield f"<p class='lead'>{text(' '.join(spent))}</p>"
    if not facts.sides:
        yield "<p class='note'>What it saves is known when the gate has asked both sides.</p></section>"
        return
    yield table(("who", "rows of", "answers", "quality", "cost of 1,000", "of the large tier"), [
        [text(side.name), text(side.set), f"{side.rows:,}",
         text(NONE if side.quality is None else words.percent(side.quality)), _money(side.cost_nano),
         _money(side.baseline_nano)] for side in facts.sides
    ])  # fmt: skip
    for sentence in _savings(facts):
        yield f"<p class='note'>{text(sentence)}</p>"
    yield "</section>"


def _money(nano: float | None) -> str:
    return text(NONE if nano is None else words.money(nano * _PER))


def _savings(facts: Facts) -> Iterator[str]:
    sides = {side.name: side for side in facts.sides if side.set == "holdout"}
    mine, theirs = sides.get("candidate"), sides.get("current")
    if mine is None or theirs is None or mine.cost_nano is None or theirs.cost_nano is None:
        return
    saved = theirs.cost_nano - mine.cost_nano
    word = "less" if saved >= 0 else "more"
    yield f"1,000 answers of the candidate cost {words.money(abs(saved) * _PER)} {word} than what it would replace."
    yield from _break_even(facts, mine, saved)


def _break_even(facts: Facts, mine: Side, saved: float) -> Iterator[str]:
    paid = (facts.state["labels"] or {}).get("paid_nano", 0) + sum(run.spent_nano for run in facts.runs)
    if saved > 0 and paid:
        yield f"What was paid for answers and judging is saved after {paid / saved:,.0f} answers."
    if mine.baseline_nano is not None and mine.cost_nano is not None:
        spared = (mine.baseline_nano - mine.cost_nano) * _PER
        word = "less" if spared >= 0 else "more"
        yield f"Against the large tier 1,000 answers cost {words.money(abs(spared))} {word}."


def _worst(facts: Facts) -> Iterator[str]:
    yield "<section aria-labelledby='worst'><h2 id='worst'>Worst regressions</h2>"
    if not facts.sides:
        yield "<p class='note'>Known when the gate has asked both sides.</p></section>"
        return
    worse, better = facts.counts
    yield f"<p class='note'>Answered worse than before: {words.count(worse, 'row')}; better: {better:,}.</p>"
    for one in facts.worse:
        yield from _regression(one)
    yield "</section>"


def _regression(one: Worse) -> Iterator[str]:
    assert one.mine.quality is not None
    assert one.other.quality is not None
    yield "<details class='loss'><summary>"
    yield f"<span class='delta'>{text(words.points(one.mine.quality - one.other.quality))}</span>"
    yield f"<span class='line'>{text(words.cut(' '.join(one.mine.prompt.split()), 160))}</span>"
    yield f"<span class='tags'>{text(one.set)}</span></summary>"
    yield "<h3>Prompt</h3>" + _block(one.mine.prompt)
    if one.mine.reference:
        yield "<h3>Wanted</h3>" + _block(one.mine.reference)
    yield "<div class='pair'>"
    yield f"<div><h3>candidate</h3>{_block(one.mine.answer or one.mine.error or NONE)}</div>"
    yield f"<div><h3>current</h3>{_block(one.other.answer or one.other.error or NONE)}</div>"
    yield "</div></details>"


def _block(said: str) -> str:
    return f"<pre dir='auto' tabindex='0'>{escape(words.cut(said, _TEXT))}</pre>"


def _lineage(facts: Facts) -> Iterator[str]:
    if not facts.lineage:
        return
    yield "<section aria-labelledby='lineage'><h2 id='lineage'>Lineage</h2>"
    yield f"<pre tabindex='0'>{escape(words.inert(chr(10).join(facts.lineage)))}</pre></section>"


def _how(facts: Facts) -> str:
    runs = "".join(
        f"<div><dt>{text(run.suite)}</dt><dd>{text(run.id)}, commit {text(run.commit)}, {text(run.machine)}</dd></div>"
        for run in facts.runs
    )
    return (
        f"<footer><h2>How it was measured</h2><dl>{runs}</dl><ul>"
        "<li>Costs and qualities are means over the rows that the gate asked both sides; intervals stand in its table."
        "</li><li>Texts are shown as they were masked when the rows were curated.</li></ul></footer>"
    )
