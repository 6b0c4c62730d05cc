import pytest

from guardrails.types import Action, Finding
from router.ledger.record import Found


@pytest.mark.parametrize("action", list(Action))
def test_a_finding_is_noted_with_its_place_and_the_word_for_its_action(action: Action) -> None:
    finding = Finding("pii", "KR_RRN", 0.5, 3, 17, action, "pii.kr_rrn")
    noted = Found.of(finding, "output", "choices[0].message.content")
    assert (noted.direction, noted.where, noted.action) == ("output", "choices[0].message.content", action.word)
    assert (noted.guard, noted.category, noted.score, noted.start, noted.end, noted.reason) == (
        "pii", "KR_RRN", 0.5, 3, 17, "pii.kr_rrn",
    )  # fmt: skip
