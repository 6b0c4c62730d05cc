"""Reading a conversation, and where written ones go."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.load import load_policy
from router.core.conversation import (
    LOOK_BACK,
    MAX_FOLLOW_UPS,
    closes,
    complains,
    errand_of,
    failed,
    follows,
    read_conversation,
    spoken,
)
from router.core.wire import read_chat
from router.score import load as load_scorer
from tests.support import conversations as written

SCORER = load_scorer()
WRITTEN, HELD_OUT = written.load("conversations.yaml"), written.load("held_out.yaml")
HARD = "Port the scheduler to asyncio without changing the order in which equal deadlines run, and prove it."


@pytest.fixture(scope="module")
def policy(tmp_path_factory):
    path = tmp_path_factory.mktemp("policies") / "p.yaml"
    path.write_text("stillhouse: 1\nname: p\nquality: {keep: 0.9}\n")
    return load_policy(path)


def test_there_are_many_cases_in_both_languages_and_their_names_differ():
    names = [case["id"] for case in WRITTEN + HELD_OUT]
    assert len(names) == len(set(names)) >= 80
    assert sum("ko" in case["about"] for case in WRITTEN + HELD_OUT) >= 18


@pytest.mark.parametrize("case", WRITTEN + HELD_OUT, ids=lambda case: case["id"])
def test_a_written_conversation_goes_where_it_should(case, policy):
    assert written.holds(case, policy, SCORER) == []


def talk(*lines, **body):
    messages = written.messages_of(list(lines))
    return read_conversation(read_chat(json.dumps({"model": "auto", "messages": messages, **body}).encode()))


def test_a_single_message_is_an_ask_and_nothing_else():
    got = talk("U: hello")
    assert (got.ask, got.open_ask, got.follow_ups, got.inside, got.errand) == ("hello", "", 0, False, "")


def test_a_conversation_without_a_user_has_no_ask():
    assert talk("S: be brief", "A: ok").ask == ""


def test_the_open_ask_is_the_last_that_stood_alone():
    got = talk(f"U: {HARD}", "A: Done?", "U: yes", "A: More?", "U: ok")
    assert (got.open_ask, got.follow_ups, got.bare) == (HARD, 2, True)


def test_asks_that_never_end_are_followed_so_far_and_no_further():
    lines = [f"U: {HARD}", *["A: More?", "U: ok"] * (MAX_FOLLOW_UPS + 2)]
    assert talk(*lines).open_ask == ""


def test_the_ask_of_long_work_is_found_however_far_back_it_lies():
    work = [line for i in range(LOOK_BACK) for line in (f'C: read {{"file": "{i}"}}', "T: text")]
    got = talk(f"U: {HARD}", *work)
    assert (got.ask, got.inside, got.failures, got.repeats) == (HARD, True, 0, 1)


def test_of_two_messages_in_a_row_the_second_may_continue_the_first():
    assert talk(f"U: {HARD}", "U: go").open_ask == HARD


def test_equal_arguments_of_another_tool_are_another_call():
    got = talk("U: x", "C: a {}", "T: 1", "C: b {}", "T: 1", "C: b {}", "T: 1")
    assert got.repeats == 2


def test_failures_count_from_the_end_and_only_while_tools_run():
    lines = ["U: x", "C: a {}", "T: error: no", "C: b {}", "T: fatal: no"]
    assert talk(*lines).failures == 2
    assert talk(*lines, "C: c {}", "T: fine").failures == 0
    assert talk(*lines, "A: I give up.", "U: What is the capital of France?").failures == 0


@pytest.mark.parametrize(
    ("result", "so"),
    [
        ("Traceback (most recent call last):\n  x\nValueError: y", True),
        ("ValueError: y", True),
        ("=== 3 failed, 2 passed ===", True),
        ("exit code: 1", True),
        ("exit code: 0", False),
        ("0 failed, 5 passed", False),
        ("0 tests failed", False),
        ('{"error": "x"}', True),
        ('{"error": null, "rows": []}', False),
        ("zsh: command not found: foo", True),
        ("def fail(error):\n    raise error", False),
        ("오류: 열이 없습니다", True),
        ("", False),
    ],
)
def test_a_result_says_whether_it_failed(result, so):
    assert failed(result) is so


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("commit it", "bare"), ("네", "bare"), ("네, 진행해 주세요", "bare"), ("!!!", "bare"), ("继续", "bare"), ("why?", "bare"),
        ("now prove the order of deadlines", "near"), ("fix it in the other one", "near"), ("그거 다시 설명해줘", "near"),
        ("What is the capital of France?", ""), ("한글날은 몇 월 며칠인가요?", ""), ("How long do I boil an egg?", ""),
        ("Write a poem about " + "very " * 40 + "old trees", ""),
    ],
)  # fmt: skip
def test_a_short_message_continues_or_stands_alone(text, kind):
    assert follows(text, HARD, "I moved it to asyncio.") == kind


def test_thanks_end_a_conversation_unless_more_is_wanted():
    assert closes("Thanks!")
    assert closes("정말 감사합니다")
    assert closes("ok thank you, bye")
    assert not closes("thanks, go on")
    assert not closes("great")
    assert not closes("감사합니다 계속해 주세요")


def test_complaints_are_told_from_questions_about_failure():
    assert complains("it still doesn't work")
    assert complains("아직도 안 돼요")
    assert complains("That is not correct.")
    assert not complains("What does the test check?")
    assert not complains("안녕하세요")


def test_errands_need_their_parts_close_together():
    assert errand_of("Write a title for this chat") == "title"
    assert errand_of("Write a title." + " x" * 300 + " chat") == ""
    assert errand_of("Summarize the chapter on chats") == ""


def test_errands_are_run_without_tools():
    tools = [{"type": "function", "function": {"name": "f"}}]
    assert talk("U: Write a title for this chat").errand == "title"
    assert talk("U: Write a title for this chat", tools=tools).errand == ""


def test_what_clients_wrap_around_an_ask_is_not_the_ask():
    assert spoken("<system-reminder>be good</system-reminder> hi ") == "hi"
    assert spoken("<system-reminder>only this</system-reminder>") == "<system-reminder>only this</system-reminder>"
    assert spoken("<system-reminder>never closed") == "<system-reminder>never closed"


LINES = st.lists(
    st.one_of(
        st.text(max_size=40).map(lambda t: f"U: {t}"),
        st.text(max_size=40).map(lambda t: f"A: {t}"),
        st.text(max_size=40).map(lambda t: f"T: {t}"),
        st.just('C: run {"a": 1}'),
        st.just("U: yes"),
    ),
    min_size=1,
    max_size=12,
)


@given(LINES)
@settings(max_examples=150, deadline=None)
def test_any_conversation_is_read_the_same_way_twice(lines):
    got = talk(*lines)
    assert got == talk(*lines)
    assert 0 <= got.follow_ups <= MAX_FOLLOW_UPS
    assert bool(got.open_ask) <= bool(got.follow_ups)
    assert got.inside or (got.failures, got.repeats) == (0, 0)


LONG = (
    "Explain to a new colleague why the sum of two odd numbers is even, and then why the product of two odd "
    "numbers is odd, each in two sentences and with one example that is worked out step by step."
)


@given(LINES)
@settings(max_examples=50, deadline=None)
def test_a_message_that_states_its_own_task_is_scored_alike_after_any_conversation(lines):
    got = talk(*lines, "A: Anything else?", f"U: {LONG}")
    assert (got.ask, got.open_ask, got.follow_ups, got.complaint, got.errand) == (LONG, "", 0, False, "")


@given(st.lists(st.text(max_size=60).map(lambda t: f"S: {t}"), max_size=5), st.integers(0, 400))
@settings(max_examples=50, deadline=None)
def test_what_stands_before_the_conversation_changes_nothing_of_its_reading(before, copies):
    ask = ["U: Explain why the sum of two odd numbers is even, in two sentences."]
    got = talk(*before, "S: " + "Answer politely. " * copies, *ask)
    assert got == talk(*ask)
