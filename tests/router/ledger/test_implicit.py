"""Signs in the ledger that nobody gave."""

from typing import Any

import pytest

from router.core.turns import COMPLAINED, TOOL_FAILED
from router.ledger.feedback import Feedback, give
from router.ledger.implicit import SOON_MS, signals, worth
from router.ledger.place import Place
from router.ledger.record import RequestRecord
from router.ledger.writer import Ledger
from router.types import Features, Reason
from tests.support.records import NOON, attempt, request


def features(turns: int, *, tools: bool = False) -> Features:
    return Features(language="en", input_tokens=9, ask_chars=9, turns=turns, tools=tools, images=False)


def ask(name: str, after_ms: int = 0, turns: int = 1, *, tools: bool = False, **changes: Any) -> RequestRecord:
    given = {"session": "s", "prompt_hash": "same", "at_ms": NOON + after_ms, "features": features(turns, tools=tools)}
    return request(name, **{**given, **changes})


def kinds(place: Place, *records: RequestRecord, **changes: Any) -> dict[str, list[str]]:
    book = Ledger(place)
    for one in records:
        book.record(one, [attempt(**changes)])
    book.close()
    found: dict[str, list[str]] = {}
    for signal in signals(place):
        found.setdefault(signal.request_id, []).append(signal.kind)
    return found


def trouble(text: str) -> tuple[Reason, ...]:
    return (Reason(id="turn-trouble", text=f"{text} The turn counts as harder than its text."),)


def test_the_same_ask_with_the_conversation_as_it_was_is_a_regenerate(place: Place) -> None:
    assert kinds(place, ask("a"), ask("b", 5_000)) == {"a": ["regenerate"]}


def test_the_same_ask_further_on_is_a_retry(place: Place) -> None:
    assert kinds(place, ask("a"), ask("b", 5_000, turns=3)) == {"a": ["retry"]}


def test_an_agents_steps_repeat_their_ask_and_are_no_retry(place: Place) -> None:
    assert kinds(place, ask("a", tools=True), ask("b", 5_000, turns=3, tools=True)) == {}


@pytest.mark.parametrize(
    "second",
    [
        {"session": "other"},
        {"session": None},
        {"session": "~derived"},
        {"tenant": "else"},
        {"prompt_hash": "another"},
        {"prompt_hash": None},
        {"after_ms": SOON_MS + 1},
    ],
)
def test_what_is_not_the_same_matter_is_no_sign(place: Place, second: dict[str, Any]) -> None:
    assert kinds(place, ask("a"), ask("b", **{"after_ms": 5_000, **second})) == {}


def test_two_who_open_with_the_same_words_are_not_one_session(place: Place) -> None:
    assert kinds(place, ask("a", session="~00ff"), ask("b", 5_000, session="~00ff")) == {}


def test_a_repeat_after_a_failure_says_nothing_of_the_answer(place: Place) -> None:
    assert kinds(place, ask("a", outcome="upstream_error"), ask("b", 5_000)) == {}


@pytest.mark.parametrize(("words", "kind"), [(COMPLAINED, "complaint"), (TOOL_FAILED, "tool_error")])
def test_what_the_next_turn_shows_is_about_the_answer_before(place: Place, words: str, kind: str) -> None:
    later = ask("b", 5_000, turns=3, prompt_hash="next", reasons=trouble(words), tools=True)
    assert kinds(place, ask("a"), later) == {"a": [kind]}


def test_a_caller_who_leaves_a_stream_that_had_begun_has_left(place: Place) -> None:
    gone = {"outcome": "client_gone", "stream": True}
    assert kinds(place, ask("a", **gone), ask("b", 1, session="t", **gone, upstream_first_byte_ms=None)) == {
        "a": ["left"]
    }


def test_a_broken_form_that_was_served_is_a_sign(place: Place) -> None:
    assert kinds(place, ask("a"), signals={"format_ok": 0.0}) == {"a": ["invalid_json"]}


def test_signs_are_held_against_what_people_said(place: Place) -> None:
    pairs = [ask(f"{n}-{i}", i * 1_000, session=str(n)) for n in range(6) for i in range(2)]
    kinds(place, *pairs)
    for n in range(6):
        for i, score in ((0, 0.0 if n < 4 else 1.0), (1, 1.0)):
            label = Feedback(request_id=f"{n}-{i}", at_ms=NOON, who="person", score=score, given_ms=NOON)
            give(place, label)
    path = place
    told = {each.kind: each for each in worth(path, signals(path))}
    assert (told["regenerate"].seen, told["regenerate"].judged, told["regenerate"].bad) == (6, 6, 4)
    assert (told["regenerate"].judged_without, told["regenerate"].bad_without) == (6, 0)
    assert told["left"].seen == 0
