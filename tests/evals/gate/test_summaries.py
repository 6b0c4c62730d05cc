"""Two tables of means."""

from pathlib import Path

import pytest

from evals.gate import margins
from evals.gate.summaries import estimates, read_report
from evals.gate.verdict import rule
from policies.mistakes import Mistakes

SAMPLE = Path(__file__).parents[3] / "evals" / "gate" / "samples" / "nova-citations.yaml"
STUDENT, TEACHER = "nova_lite_distilled", "nova_premier"


def ruling_of(path, new, old, **changes):
    return rule(estimates(read_report(path, new), read_report(path, old), []), **changes)


def written(folder, text, name="means.yaml"):
    path = folder / name
    path.write_text(text)
    return path


def two(folder, metric, new, old, rows=500):
    return written(
        folder,
        f"rows: {rows}\nmetrics: {{m: {metric}}}\nsystems:\n  new: {{values: {{m: {new}}}}}\n  old: {{values: {{m: {old}}}}}\n",
    )


@pytest.mark.parametrize("current", [TEACHER, "nova_lite", "nova_micro"])
def test_the_distilled_student_of_the_citation_sample_is_turned_down_by_name(current):
    ruling = ruling_of(SAMPLE, STUDENT, current)
    assert (ruling.verdict, ruling.says) == ("no", "worse in completeness, helpfulness, faithfulness")
    told = {finding.estimate.metric.name: finding for finding in ruling.findings}
    assert told["correctness"].better
    assert all(told[name].estimate.high < -0.1 for name in ("completeness", "helpfulness", "faithfulness"))


def test_the_student_would_pass_on_the_one_metric_it_was_praised_for():
    found = estimates(read_report(SAMPLE, STUDENT), read_report(SAMPLE, TEACHER), [])
    assert rule([each for each in found if each.metric.name == "correctness"], improves=True).verdict == "yes"


def test_the_rows_said_to_be_enough_are_enough_and_half_of_them_are_not(tmp_path):
    ruling = ruling_of(SAMPLE, STUDENT, TEACHER)
    text = SAMPLE.read_text()
    for finding in ruling.findings:
        if finding.verdict == "no":
            for factor, verdict in ((1.3, "no"), (0.5, "untold")):
                rows = int(finding.needed * factor)
                path = written(tmp_path, text.replace("rows: 500", f"rows: {rows}"), f"{rows}.yaml")
                again = {f.estimate.metric.name: f.verdict for f in ruling_of(path, STUDENT, TEACHER).findings}
                assert again[finding.estimate.metric.name] == verdict


def test_a_system_is_never_worse_than_itself():
    assert ruling_of(SAMPLE, TEACHER, TEACHER).verdict == "untold"  # 500 unpaired rows cannot exclude two points
    assert not any(finding.worse for finding in ruling_of(SAMPLE, TEACHER, TEACHER).findings)


def test_a_told_deviation_is_used_and_gives_a_narrower_interval(tmp_path):
    wide = two(tmp_path, "{low: 0, high: 1}", "{mean: 0.8}", "{mean: 0.8}")
    narrow = written(tmp_path, wide.read_text().replace("mean: 0.8}", "mean: 0.8, sd: 0.1}"), "narrow.yaml")
    a, b = (estimates(read_report(path, "new"), read_report(path, "old"), [])[0] for path in (wide, narrow))
    assert b.high - b.low < (a.high - a.low) / 2
    assert b.low == pytest.approx(-1.96 * 0.1 * (2 / 500) ** 0.5, rel=0.01)


@pytest.mark.parametrize(
    ("metric", "new", "old", "why"),
    [
        ("{low: 0, high: 1}", "{mean: null}", "{mean: 0.5}", "new has no figure"),
        ("{}", "{mean: 0.5}", "{mean: 0.5}", "neither its deviation nor its scale"),
        ("{higher_is_better: false}", "{mean: 3.0, sd: 1.0}", "{mean: 0.0, sd: 1.0}", "the current value is zero"),
    ],
)
def test_what_has_no_interval_cannot_be_told(tmp_path, metric, new, old, why):
    ruling = ruling_of(two(tmp_path, metric, new, old), "new", "old")
    assert ruling.verdict == "untold"
    assert why in ruling.findings[0].says


def test_without_the_number_of_rows_nothing_is_told(tmp_path):
    path = written(
        tmp_path,
        two(tmp_path, "{low: 0, high: 1}", "{mean: 0.9}", "{mean: 0.1}").read_text().replace("rows: 500\n", ""),
        "bare.yaml",
    )
    assert "how many rows" in ruling_of(path, "new", "old").findings[0].says


def test_a_metric_that_only_one_system_has_cannot_be_told(tmp_path):
    text = "rows: 90\nmetrics: {m: {low: 0, high: 1}, k: {low: 0, high: 1}}\nsystems:\n  new: {values: {m: {mean: 0.5}}}\n  old: {values: {m: {mean: 0.1}, k: {mean: 0.1}}}\n"
    ruling = ruling_of(written(tmp_path, text), "new", "old")
    assert (ruling.verdict, ruling.findings[1].says) == ("untold", "new has no figure")


def test_less_is_better_where_the_file_says_so(tmp_path):
    path = two(tmp_path, "{low: 0, high: 1, higher_is_better: false}", "{mean: 0.5}", "{mean: 0.1}")
    assert ruling_of(path, "new", "old").verdict == "no"


def test_every_mistake_of_a_file_is_said_with_its_place(tmp_path):
    text = "metrics: {m: {low: 0, high: 1}, k: {low: 2}}\nsystems:\n  new: {values: {m: {mean: 1.5}, z: {mean: 1.0}}}\ntypo: 1\n"
    with pytest.raises(Mistakes) as caught:
        read_report(written(tmp_path, text), "new")
    said = str(caught.value)
    assert "typo" in said
    assert "low and high" in said


def test_a_mean_outside_its_scale_is_refused(tmp_path):
    with pytest.raises(Mistakes, match="outside the scale"):
        read_report(two(tmp_path, "{low: 0, high: 1}", "{mean: 86.3}", "{mean: 0.8}"), "new")


def test_a_file_of_several_systems_wants_a_name():
    with pytest.raises(ValueError, match="say which"):
        read_report(SAMPLE, "")
    with pytest.raises(ValueError, match="holds no 'nova'"):
        read_report(SAMPLE, "nova")


@pytest.mark.parametrize("text", ["quality", "quality=", "=0.1", "quality=-0.1", "quality=abc"])
def test_a_margin_of_another_form_is_refused(text):
    with pytest.raises(margins.MarginError):
        margins.read_margin(text)


def test_the_last_margin_that_matches_counts():
    said = [margins.read_margin("*=0.1"), margins.read_margin("cost=15%")]
    assert margins.metric_of("cost", "", said).margin == pytest.approx(0.15)
    assert margins.metric_of("cost", "", said).relative
    assert margins.metric_of("quality", "general/", said, 0, 1).margin == 0.1


def test_a_margin_for_a_metric_that_is_not_there_is_refused():
    with pytest.raises(margins.MarginError, match="matches no metric; there are correctness"):
        margins.refuse_idle(["qualty"], ["correctness"], "the margin")
