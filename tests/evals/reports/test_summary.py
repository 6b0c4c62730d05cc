"""What a summary says is what its rows say."""

import numpy as np
import pytest

from evals.compare import means
from evals.reports import markdown, terminal, told, words
from evals.reports.load import load
from evals.reports.reliability import confusion, reliability
from evals.reports.summary import summarise
from evals.runs.record import Check, Item
from tests.support.runs import TIERS, answers, by_hardness, replaced, world, write_items, write_pair


@pytest.fixture(scope="module")
def pair_of_runs(tmp_path_factory):
    return write_pair(tmp_path_factory.mktemp("runs"), 400)


@pytest.fixture(scope="module")
def summary(pair_of_runs):
    return summarise(load(pair_of_runs[0]))


def test_the_run_that_the_header_names_is_read_when_it_lies_beside(pair_of_runs, tmp_path):
    now, before = pair_of_runs
    assert load(now).against.id == before.name
    assert load(before).against is None
    assert load(before, now).against.id == now.name


def test_figures_are_those_of_the_rows(pair_of_runs, summary):
    items = [item for item in load(pair_of_runs[0]).items if item.target == "gateway"]
    judged = [item.quality for item in items if item.quality is not None]
    main = summary.main
    assert main.quality.value == pytest.approx(np.mean(judged))
    assert main.quality.low < main.quality.value < main.quality.high
    assert (main.answers, main.judged, main.errors) == (400, len(judged), 400 - len(judged))
    assert main.stems < main.judged
    assert main.cost.value == pytest.approx(np.mean([item.cost_nano for item in items]))
    paid, always = sum(item.cost_nano for item in items), sum(item.baseline_nano for item in items)
    assert main.saving.value == pytest.approx(1 - paid / always)
    assert main.p50.value == pytest.approx(np.median([item.latency_ms for item in items]))
    assert main.p50.low <= main.p50.value <= main.p50.high <= main.p95.high
    assert sum(main.tiers.values()) == pytest.approx(1)


def test_all_targets_and_baselines_stand_on_the_same_rows(summary):
    found = summary.frontier
    assert [point.name for point in found.points] == [
        "gateway", "always small", "always medium", "always large", "gateway, before",
    ]  # fmt: skip
    assert [line.name for line in found.lines] == ["random", "prompt length", "oracle"]
    small, large = found.points[1], found.points[3]
    for line in found.lines:
        costs, qualities = zip(*line.points, strict=True)
        assert list(costs) == sorted(costs)
        assert list(qualities) == sorted(qualities)
        assert line.points[0] == pytest.approx((small.cost.value, small.quality.value))
    assert found.lines[0].points[-1] == pytest.approx((large.cost.value, large.quality.value))
    random, oracle = found.lines[0], found.lines[2]
    middle = (small.cost.value + large.cost.value) / 2
    assert at(oracle, middle) >= at(random, middle)


def at(line, cost):
    return max(quality for paid, quality in line.points if paid <= cost)


def test_a_router_that_used_one_tier_is_not_taken_for_the_tier(tmp_path):
    asked = world(60)
    items = [*answers(asked, "gateway", lambda seen: "small"), *(i for t in TIERS for i in answers(asked, t))]
    found = summarise(load(write_items(tmp_path, items)))
    assert [point.kind for point in found.frontier.points] == ["target", "tier", "tier", "tier"]


def test_without_another_run_the_largest_tier_is_what_one_is_held_against(tmp_path):
    asked = world(80)
    items = [*answers(asked, "gateway", by_hardness), *(i for t in TIERS for i in answers(asked, t))]
    found = summarise(load(write_items(tmp_path, items)))
    assert found.reference.name == "large"
    assert found.losses[0].other.target == "large"


def test_a_run_of_one_target_says_what_it_can(tmp_path):
    found = summarise(load(write_items(tmp_path, answers(world(40), "gateway", by_hardness))))
    assert found.reference is None
    assert found.frontier.lines == ()
    assert all(loss.other is None for loss in found.losses)
    assert [loss.delta for loss in found.losses] == sorted(loss.delta for loss in found.losses)


def test_an_empty_run_is_reported_as_one(tmp_path):
    found = summarise(load(write_items(tmp_path, [], targets=("gateway",))))
    assert found.main is None
    assert list(told.headline(found)) == ["No answer could be judged."]
    assert "No answer could be judged" in markdown.render(found)


def test_a_run_that_was_stopped_says_so_first(tmp_path):
    items = answers(world(40), "gateway", by_hardness)[:30]
    found = summarise(load(write_items(tmp_path, items, ended="", rows=40)))
    assert next(iter(told.headline(found))) == "This run did not finish: 30 of 40 answers are here."


def test_unknown_costs_and_qualities_are_unknown_not_zero(tmp_path):
    bare = [Item(target="t", id=str(i), error="lost" if i else "", quality=None) for i in range(3)]
    main = summarise(load(write_items(tmp_path, bare))).main
    assert (main.quality, main.cost, main.saving, main.p50) == (None, None, None, None)
    assert told.target_row(main)[1] == words.NONE


def test_a_language_that_got_worse_is_named(summary):
    worse = {line.value for line in summary.slices if line.against.shown() and line.against.difference.value < 0}
    assert "ko" in worse
    assert "language ko" in told.slices_note(summary)


def test_the_worst_regressions_are_rows_that_were_right_before(summary):
    assert len(summary.losses) == 20
    assert summary.worse > summary.better
    for loss in summary.losses:
        assert loss.item.quality < loss.other.quality
        assert loss.item.id == loss.other.id


def test_reliability_bins_are_of_equal_mass_and_hold_every_answer(pair_of_runs):
    items = [item for item in load(pair_of_runs[0]).items if item.target == "gateway"]
    found = reliability(items)
    assert sum(part.n for part in found.bins) == found.n
    assert max(part.n for part in found.bins) - min(part.n for part in found.bins) <= 1
    said = [part.said for part in found.bins]
    assert said == sorted(said)
    assert reliability(items[:40]) is None


def test_tiers_meant_and_served_are_counted():
    def item(meant, served):
        return Item(target="t", id="x", tier_expected=meant, tier=served)

    items = [item("small", "small"), item("small", "large"), item("large", "medium"), item("large", None)]
    found = confusion([*items, item(None, "small")])
    assert found.expected == ("small", "large")
    assert found.served == ("small", "medium", "large", "")
    assert found.counts == ((1, 0, 1, 0), (0, 1, 0, 1))
    assert "1 by a smaller one, 1 by a larger one" in told.confusion_note(found)
    assert confusion([item(None, "small")]) is None


def test_equal_runs_give_equal_summaries(pair_of_runs):
    assert markdown.page(pair_of_runs[0]) == markdown.page(pair_of_runs[0])


# --- figures with intervals


def test_shares_ratios_and_quantiles_have_intervals_about_them():
    rng = np.random.default_rng(1)
    right = (rng.random(300) < 0.7).astype(float)
    alone, clustered = means.share(right), means.share(np.repeat(right, 4), np.repeat(np.arange(300), 4).tolist())
    assert alone.low < alone.value < alone.high
    assert clustered.high - clustered.low == pytest.approx(alone.high - alone.low, rel=0.1)
    cost = rng.lognormal(0, 1, 300)
    spent = means.ratio(cost, 2 * cost + rng.random(300))
    assert 0.3 < spent.low < spent.value < spent.high < 0.5
    middle = means.quantile(cost, 0.5)
    assert middle.low < middle.value == np.median(cost) < middle.high


def test_scores_that_are_all_alike_still_leave_doubt():
    assert means.share(np.ones(30)).low == pytest.approx(0.886, abs=0.001)
    halves = means.share(np.full(30, 0.5))
    assert (halves.low, halves.high) == pytest.approx((0.332, 0.668), abs=0.001)


def test_no_scores_have_no_mean():
    with pytest.raises(ValueError, match="no scores"):
        means.share(np.array([]))


# --- words


@pytest.mark.parametrize(
    ("nano", "shown"),
    [(0, "$0"), (2_500_000_000, "$2.50"), (143_000_000, "$0.143"), (12_340_000, "$0.0123"), (3_021, "$0.000003")],
)
def test_money_shows_three_figures(nano, shown):
    assert words.money(nano) == shown


def test_no_change_has_no_sign():
    assert words.points(-0.0001) == "0.0"
    assert words.points(-0.019) == f"{words.MINUS}1.9"
    assert words.points(0.019) == "+1.9"


def test_what_hides_or_turns_text_about_is_shown():
    assert words.inert("a\u202eb\u200bc\u2028d\x07") == "a⟨U+202E⟩b⟨U+200B⟩c⟨U+2028⟩d\ufffd"
    assert words.inert("two\r\nlines\tand tab") == "two\nlines\tand tab"


@pytest.mark.parametrize("text", ["short", "x" * 50, "\u202e" * 50])
def test_a_cut_text_is_no_longer_than_asked_and_shows_the_cut(text):
    shown = words.cut(text, 20)
    assert len(shown) <= 20
    assert shown == text or shown.endswith("…")


# --- Markdown and the terminal


def test_markdown_fits_one_comment_and_says_the_verdict_first(summary):
    page = markdown.render(summary)
    assert page.startswith("## ❌ routing: failed\n")
    assert len(page) < 65_536
    assert "| language: ko |" in page
    assert page.count("<details>") == page.count("</details>") == 4


@pytest.mark.parametrize(
    ("says", "value", "shown"),
    [
        ("quality >= 80%", 0.812, "81.2 % (81.2 to 81.2), n = 9"),
        ("no worse than RUN by > 2%", -0.03, "−3.0 (−3.0 to −3.0), n = 9"),
        ("cost <= 2 usd", 1.5e9, "$1.50 ($1.50 to $1.50), n = 9"),
        ("latency p95 <= 2 s", 855.0, "855 ms (855 ms to 855 ms), n = 9"),
    ],
)
def test_the_figure_of_a_check_has_the_unit_of_what_it_asserts(says, value, shown):
    check = Check(says=says, target="t", verdict="pass", value=value, low=value, high=value, n=9)
    assert told.check_value(check) == shown
    assert told.check_value(replaced(check, low=None)) == f"{shown.split(' (')[0]}, n = 9"
    assert told.check_value(replaced(check, value=None)) == ""


def test_a_prompt_is_no_markdown(tmp_path):
    evil = "```\n</details><img src=x onerror=alert(1)> @everyone [a](https://b.example) | x |"
    items = answers(world(60), "gateway", by_hardness)
    now = [replaced(items[0], prompt=evil, answer=evil, quality=0.0, id="a|b<c>@d"), *items[1:]]
    before = write_items(tmp_path / "before", [replaced(now[0], quality=1.0), *items[1:]])
    page = markdown.page(write_items(tmp_path / "now", now), before)
    assert "````text\n```\n</details><img" in page
    outside = page.replace(evil, "")
    assert "<img" not in outside
    assert "@d" not in outside
    assert r"a\|b&lt;c>" in outside


def test_the_terminal_has_the_same_tables(summary):
    titles = [table.title for table in terminal.tables(summary)]
    assert titles == ["Checks", "Targets", "Quality and cost", "Slices", "Tiers: meant and served", "Worst regressions"]
    for table in terminal.tables(summary):
        assert all(len(row) == len(table.columns) for row in table.rows)
    assert next(iter(terminal.lines(summary))) == "routing: failed"


def test_the_command_line_prints_it_with_its_own_tables(summary, capsys, monkeypatch):
    from stillhouse.cli import show

    monkeypatch.setenv("COLUMNS", "200")
    terminal.print_run(summary, show.line, show.table)
    printed = capsys.readouterr().out
    assert printed.startswith("routing: failed\n")
    assert "always medium" in printed
    assert "language: ko" in printed


def test_a_page_that_is_too_long_is_cut_between_lines(summary, monkeypatch):
    monkeypatch.setattr(markdown, "MOST", 900)
    page = markdown.render(summary)
    assert len(page) < 1000
    assert page.endswith("Cut here: the HTML report has all.\n")
