"""The parts of the page, top to bottom, as HTML. Words of a run are escaped here and nowhere else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import Final

from evals.reports import charts, told, words
from evals.reports.reliability import Confusion, Reliability
from evals.reports.rows import Packed
from evals.reports.summary import Loss, SliceLine, Summary
from evals.reports.words import NONE
from evals.runs.record import Item

#: Characters of a prompt and of an answer in the list of the worst.
_TEXT: Final = 1500
_MARKS: Final = {"pass": "✓", "fail": "✗", "error": "?"}
_EVERY_LINE: Final = 60


def body(summary: Summary) -> Iterator[str]:
    """The beginning of the page up to the table of all rows: the verdict first."""
    yield "<a class='skip' href='#rows'>Skip to all rows</a>"
    yield "<main>"
    yield from _verdict(summary)
    yield from _figures(summary)
    yield from _frontier(summary)
    yield from _targets(summary)
    yield from _slices(summary)
    yield from _judgement(summary)
    yield from _losses(summary)


def _verdict(summary: Summary) -> Iterator[str]:
    run = summary.run
    yield f"<header class='verdict {run.verdict}'>"
    yield f"<p class='over'>Evaluation report · {text(run.started[:16].replace('T', ' '))} UTC</p>"
    yield f"<h1>{text(run.suite)}</h1>"
    if run.about:
        yield f"<p class='about'>{text(run.about)}</p>"
    yield f"<p class='stamp'><span aria-hidden='true'>{_MARKS[run.verdict]}</span> {words.VERDICTS[run.verdict]}</p>"
    for sentence in told.headline(summary):
        yield f"<p class='lead'>{text(sentence)}</p>"
    if run.checks:
        yield "<ul class='checks'>"
        for check in run.checks:
            found = told.check_value(check)
            yield (
                f"<li class='{check.verdict}'><span class='mark' aria-hidden='true'>{_MARKS[check.verdict]}</span>"
                f"<span class='says'><span class='unseen'>{words.VERDICTS[check.verdict]}: </span>{text(check.says)}"
                f" <span class='who'>{text(check.target)}</span></span>"
                f"<span class='why'>{text(found)}{' · ' if found and check.why else ''}{text(check.why)}</span></li>"
            )
        yield "</ul>"
    yield "</header>"


def _figures(summary: Summary) -> Iterator[str]:
    main = summary.main
    if main is None:
        yield "<section><p>This run holds no answers.</p></section>"
        return
    yield "<dl class='tiles'>"
    for label, value, below in told.tiles(summary):
        yield f"<div><dt>{text(label)}</dt><dd>{text(value)}<small>{text(below)}</small></dd></div>"
    yield "</dl>"


def _frontier(summary: Summary) -> Iterator[str]:
    found = summary.frontier
    if found is None or len(found.points) < 2:
        return
    yield "<section aria-labelledby='frontier'><h2 id='frontier'>Quality and cost</h2>"
    yield f"<p class='note'>{text(told.frontier_note(found))}</p>"
    yield f"<figure class='wide' tabindex='0'>{charts.quality_cost(found)}<figcaption><ul class='legend'>"
    for line in found.lines:
        yield f"<li>{charts.swatch(charts.LOOKS[line.name])} {text(line.name)}</li>"
    yield "</ul></figcaption></figure>"
    yield "<details><summary>The same as a table</summary>"
    columns = ("", "cost of 1,000 answers", "quality")
    yield table(columns, [[with_interval(cell) for cell in row] for row in told.frontier_rows(found)])
    yield "</details></section>"


def _targets(summary: Summary) -> Iterator[str]:
    if not summary.targets:
        return
    yield "<section aria-labelledby='targets'><h2 id='targets'>Targets</h2>"
    yield table(told.TARGET_COLUMNS, [[with_interval(cell) for cell in told.target_row(t)] for t in summary.targets])
    yield "</section>"


def _slices(summary: Summary) -> Iterator[str]:
    if not summary.slices:
        return
    held = any(line.against for line in summary.slices)
    yield "<section aria-labelledby='slices'><h2 id='slices'>Slices</h2>"
    if held:
        assert summary.reference is not None
        yield f"<p class='note'>{text(told.slices_note(summary))}</p>"
    reach = max((abs(e) for line in summary.slices for e in _ends(line)), default=0.0) or 1.0
    rows = []
    for line in summary.slices[:_EVERY_LINE]:
        cells = [with_interval(cell) for cell in told.slice_row(line)]
        if held:
            # the change is what one looks for: before the cost, so that a narrow screen shows it
            cells[3:3] = [_bar(line, reach), *(with_interval(cell) for cell in told.slice_against(line))]
        rows.append(cells)
    columns = [*told.SLICE_COLUMNS]
    if held:
        columns[3:3] = ["", "change", "p, adjusted"]
    yield table(columns, rows)
    if len(summary.slices) > _EVERY_LINE:
        yield f"<p class='note'>{len(summary.slices) - _EVERY_LINE} more slices: filter the rows below.</p>"
    yield "</section>"


def _ends(line: SliceLine) -> tuple[float, ...]:
    if line.against is None or line.against.difference is None or line.against.thin:
        return ()
    return line.against.difference.low, line.against.difference.high


def _bar(line: SliceLine, reach: float) -> str:
    found = line.against
    if found is None or found.difference is None or found.thin:
        return ""
    d = found.difference
    return charts.interval_bar(d.low, d.value, d.high, reach, shown=found.shown())


def _judgement(summary: Summary) -> Iterator[str]:
    if summary.reliability is None and summary.confusion is None:
        return
    yield "<div class='pair'>"
    if summary.reliability:
        yield from _reliability(summary.reliability)
    if summary.confusion:
        yield from _confusion(summary.confusion)
    yield "</div>"


def _reliability(found: Reliability) -> Iterator[str]:
    yield "<section aria-labelledby='reliability'><h2 id='reliability'>Are stated chances true?</h2>"
    yield f"<p class='note'>{text(told.reliability_note(found))}</p>"
    yield f"<figure>{charts.reliability(found)}</figure>"
    yield "<details><summary>The same as a table</summary>"
    rows = [
        [words.percent(part.said), with_interval(words.percent_interval(part.right)), f"{part.n:,}"]
        for part in found.bins
    ]
    yield table(("stated", "really right", "answers"), rows)
    yield "</details></section>"


def _confusion(found: Confusion) -> Iterator[str]:
    yield "<section aria-labelledby='confusion'><h2 id='confusion'>Tiers: meant and served</h2>"
    yield f"<p class='note'>{text(told.confusion_note(found))}</p>"
    yield "<table class='confusion'><thead><tr><th scope='col'>meant</th>"
    yield "".join(f"<th scope='col'>{text(tier or 'no answer')}</th>" for tier in found.served)
    yield "</tr></thead><tbody>"
    for tier, counts in zip(found.expected, found.counts, strict=True):
        whole = sum(counts) or 1
        cells = "".join(
            f"<td class='heat{min(9, int(10 * count / whole))}{' same' if served == tier else ''}'>{count:,}"
            f"<small>{100 * count / whole:.0f} %</small></td>"
            for served, count in zip(found.served, counts, strict=True)
        )
        yield f"<tr><th scope='row'>{text(tier)}</th>{cells}</tr>"
    yield "</tbody></table></section>"


def _losses(summary: Summary) -> Iterator[str]:
    if not summary.losses:
        return
    title = "Worst regressions" if summary.reference else "Weakest answers"
    yield f"<section aria-labelledby='losses'><h2 id='losses'>{title}</h2>"
    yield f"<p class='note'>{text(told.losses_note(summary))}</p>"
    for loss in summary.losses:
        yield from _loss(loss, summary)
    yield "</section>"


def _loss(loss: Loss, summary: Summary) -> Iterator[str]:
    item = loss.item
    yield "<details class='loss'><summary>"
    yield f"<span class='delta'>{text(told.loss_mark(loss))}</span>"
    yield f"<span class='line'>{text(words.cut(' '.join(item.prompt.split()), 160))}</span>"
    yield f"<span class='tags'>{text(told.tags(item))}</span></summary>"
    yield "<h3>Prompt</h3>" + _block(item.prompt)
    if item.reference:
        yield "<h3>Wanted</h3>" + _block(item.reference)
    yield "<div class='pair'>"
    yield _answer(item, item.target)
    if loss.other is not None:
        assert summary.reference is not None
        yield _answer(loss.other, summary.reference.name)
    yield "</div></details>"


def _answer(item: Item, name: str) -> str:
    return (
        f"<div><h3>{text(name)} <small>{text(told.answer_facts(item))}</small></h3>"
        f"{_block(item.answer or item.error or NONE)}</div>"
    )


def _block(words_of_a_run: str) -> str:
    return f"<pre dir='auto' tabindex='0'>{escape(words.cut(words_of_a_run, _TEXT))}</pre>"


def all_rows(packed: Packed) -> Iterator[str]:
    """The frame of the table that the page's script fills."""
    yield "<section class='rows' id='rows' aria-labelledby='rows-title' tabindex='-1'>"
    yield "<h2 id='rows-title'>All rows</h2>"
    yield f"<p class='note'>{text(told.rows_note(packed))}</p>"
    yield "<noscript><p class='note'>The table of rows needs the page's own script.</p></noscript>"
    yield "<form id='filters' role='search' aria-label='Filter the rows'></form>"
    yield "<div class='split'><div id='grid'></div><aside id='detail' aria-live='polite'></aside></div>"
    yield "</section>"


def footer(summary: Summary) -> str:
    """How it was measured."""
    facts = "".join(f"<div><dt>{text(name)}</dt><dd>{text(value)}</dd></div>" for name, value in told.facts(summary))
    methods = "".join(f"<li>{text(sentence)}</li>" for sentence in told.METHODS)
    return f"<footer><h2>How it was measured</h2><dl>{facts}</dl><ul>{methods}</ul></footer>"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in a box that scrolls sideways by itself. Cells are HTML already."""
    head = "".join(f"<th scope='col'>{text(column)}</th>" for column in columns)
    lines = "".join(
        f"<tr><th scope='row'>{row[0]}</th>{''.join(f'<td>{cell}</td>' for cell in row[1:])}</tr>" for row in rows
    )
    return f"<div class='scroll' tabindex='0'><table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table></div>"


def with_interval(value: str) -> str:
    """A figure with what stands in brackets after it on a line of its own."""
    figure, bracket, interval = value.partition(" (")
    if not bracket or not interval.endswith(")"):
        return text(value)
    return f"<span class='figure'>{text(figure)}</span><small>{text(interval[:-1])}</small>"


def text(value: str) -> str:
    """Words of a run or of ours, as text."""
    return escape(words.inert(value)).replace(" %", "&nbsp;%")
