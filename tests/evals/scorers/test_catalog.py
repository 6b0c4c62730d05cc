"""Every scorer on answers that are right, wrong and in between."""

import pytest

from evals.runs.reply import Reply
from evals.scorers.catalog import SCORERS, NoReference, score
from evals.suites.rows import Row, Wanted
from evals.suites.scorer_kinds import KINDS, Scorer


def scored(settings, answer, *references, **row):
    scorer = Scorer.model_validate_json(settings)
    return score(scorer, Row(id="a", text="?", reference=references, **row), Reply(text=answer))


def test_every_kind_but_the_judge_is_in_the_catalogue():
    assert {*SCORERS, "judge"} == set(KINDS)


@pytest.mark.parametrize(
    ("settings", "answer", "reference", "wanted"),
    [
        ('{"exact":{}}', " Lisbon. ", "lisbon", 1),
        ('{"exact":{"strict":true}}', "Lisbon.", "lisbon", 0),
        ('{"exact":{}}', "Not Lisbon", "lisbon", 0),
        ('{"contains":{}}', "It is Lisbon, surely.", "lisbon", 1),
        ('{"contains":{}}', "Lisbonne", "lisbon", 0),
        ('{"contains":{}}', "수도는 서울입니다.", "서울", 1),
        ('{"contains":{"any":["a b","c"]}}', "A  B!", "", 1),
        ('{"contains":{"all":["a","c"]}}', "a b", "", 0),
        ('{"contains":{"none":["sorry"]}}', "Sorry, no", "", 0),
        ('{"contains":{"none":["sorry"]}}', "Gladly", "", 1),
        ('{"numeric":{}}', "So it is 1,024.", "1024", 1),
        ('{"numeric":{"tolerance":0.1,"relative":true}}', "95", "100", 1),
        ('{"numeric":{"tolerance":0.1}}', "95", "100", 0),
        ('{"numeric":{}}', "I cannot say", "4", 0),
        ('{"regex":{"pattern":"^Dear"}}', "Dear all", "", 1),
        ('{"regex":{"pattern":"^Dear","absent":true}}', "Dear all", "", 0),
        ('{"choice":{}}', "(B) because", "B", 1),
        ('{"choice":{}}', "The answer is C", "(b)", 0),
        ('{"json_schema":{"schema":{"type":"object","required":["a"]}}}', '```json\n{"a": 1}\n```', "", 1),
        ('{"json_schema":{"schema":{"type":"object","required":["a"]}}}', '{"b": 1}', "", 0),
        ('{"json_schema":{"schema":{},"same":true}}', '{"b": 1.0}', '{"b": 1}', 1),
        ('{"json_schema":{"schema":{},"same":true}}', '{"b": 2}', '{"b": 1}', 0),
        ('{"similarity":{}}', "the red house", "the red boat", pytest.approx(2 / 3)),
        ('{"similarity":{"by":"letters"}}', "안녕하세요", "안녕하세요", 1),
        ('{"similarity":{}}', "", "something", 0),
    ],
)  # fmt: skip
def test_scores(settings, answer, reference, wanted):
    assert scored(settings, answer, *([reference] if reference else [])) == wanted


def test_the_best_of_several_references_counts():
    assert scored('{"similarity":{}}', "two", "one", "two") == 1
    assert scored('{"numeric":{}}', "2", "1", "2") == 1


@pytest.mark.parametrize("kind", ["exact", "contains", "numeric", "choice", "similarity"])
def test_without_a_reference_there_is_no_score(kind):
    with pytest.raises(NoReference):
        scored(f'{{"{kind}":{{}}}}', "anything")


@pytest.mark.parametrize(
    ("settings", "row", "reply", "wanted"),
    [
        ('{"tier":{}}', {"tier": "medium"}, {"tier": "large"}, 1),
        ('{"tier":{}}', {"tier": "medium"}, {"tier": "small"}, 0),
        ('{"tier":{"exact":true}}', {"tier": "medium"}, {"tier": "large"}, 0),
        ('{"tier":{}}', {}, {"tier": "large"}, None),
        ('{"decision":{}}', {"wanted": Wanted(at_least="medium")}, {"tier": "medium"}, 1),
        ('{"decision":{}}', {"wanted": Wanted(at_most="medium", private=True)}, {"tier": "small"}, 0),
        ('{"decision":{}}', {"wanted": Wanted(reason="rule.x")}, {"tier": "small", "reasons": ("aim", "rule.x")}, 1),
        ('{"decision":{}}', {"guarded": True, "wanted": Wanted(action="mask")}, {}, None),
        ('{"verdict":{}}', {"wanted": Wanted(found=True)}, {"alarm": 1.0, "categories": ("PII",)}, 1),
        ('{"verdict":{}}', {"wanted": Wanted(found=False)}, {"alarm": 1.0, "categories": ("PII",)}, 0),
        ('{"verdict":{}}', {"guarded": True, "wanted": Wanted(action="mask", categories=("A",))}, {"alarm": 1.0, "action": "mask", "categories": ("A", "B")}, 1),
        ('{"verdict":{}}', {"guarded": True, "wanted": Wanted(action="mask", becomes="x")}, {"alarm": 1.0, "action": "mask", "text": "y"}, 0),
        ('{"verdict":{}}', {"wanted": Wanted(tier="small")}, {}, None),
        ('{"verdict":{}}', {"wanted": Wanted(found=True)}, {}, None),
        ('{"recorded":{}}', {}, {"recorded": 0.25}, 0.25),
    ],
)  # fmt: skip
def test_decisions_guards_and_records(settings, row, reply, wanted):
    assert score(Scorer.model_validate_json(settings), Row(id="a", text="?", **row), Reply(**reply)) == wanted
