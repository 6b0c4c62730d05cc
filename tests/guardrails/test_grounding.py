"""An answer rests on its sources, and answers the question."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrails import Action, GuardConfigErrors, compile_rails
from guardrails.grounding.quantities import known, quantities
from guardrails.grounding.reading import sentences, stem
from guardrails.views import Ask, CheckFailed, Passage, View

POLICY = (
    "Refunds are paid within 30 days to the card that was used. Acme Corp of Seoul ships to Korea and Japan. "
    "The warranty covers batteries and screens. Shipping costs 3,000 won."
)
KOREAN = "환불은 구매일로부터 30일 안에 신청할 수 있습니다. 배송비는 3천 원입니다. 보증은 배터리와 화면을 포함합니다."
ASKED = "How long do refunds take?"
BOTH = {"grounding": 0.5, "relevance": 0.3}


def steps(text, *, sources=(POLICY,), query=ASKED, origin="document", **settings):
    """The check at work."""
    check = compile_rails([{"grounding": settings or BOTH}]).checks[0].check
    return check.run(View(text, query=query, passages=tuple(Passage(each, origin) for each in sources)))


def found(text, **settings):
    """Findings of an answer, where nobody is asked."""
    with pytest.raises(StopIteration) as end:
        next(steps(text, **settings))
    return end.value.value


def unsupported(text, **settings):
    """The sentences that are named."""
    return [text[each.start : each.end] for each in found(text, **settings) if each.category == "GROUNDING"]


@pytest.mark.parametrize(
    "answer",
    [
        "Refunds are paid within 30 days to the card that was used.",
        "Refunds are paid within thirty days.",
        "The warranty covers screens and batteries.",
        "Sure! Refunds are paid within 30 days.",
    ],
)
def test_what_the_sources_say_is_grounded(answer):
    assert unsupported(answer) == []


@pytest.mark.parametrize(
    "answer",
    [
        "Refunds are paid within 60 days to the card that was used.",
        "Refunds are not paid within 30 days to the card that was used.",
        "The moon was first visited by Neil Armstrong in 1969.",
    ],
)
def test_what_the_sources_do_not_say_is_named(answer):
    assert unsupported(answer) == [answer]


def test_the_unsupported_sentence_is_named_in_code_points_of_the_text():
    answer = "😀 Refunds are paid within 30 days. Shipping costs 9,000 won. The warranty covers batteries."
    assert unsupported(answer) == ["Shipping costs 9,000 won."]


def test_korean_is_read_without_its_particles():
    said = {"sources": (KOREAN,), "query": "배송비는 얼마인가요?"}
    assert unsupported("배송비는 3,000원입니다.", **said) == []
    wrong = "배송비는 5천 원입니다."
    assert unsupported(wrong, **said) == [wrong]


def test_an_answer_beside_the_question_is_irrelevant():
    findings = found("The warranty covers batteries and screens.", query="Who won the match in Paris yesterday?")
    assert [(each.reason, each.start) for each in findings] == [("grounding.irrelevant", 0)]
    assert found("Refunds take up to 30 days.", relevance=0.3) == ()


def test_a_threshold_that_is_left_out_is_not_judged():
    answer = "The moon was first visited by Neil Armstrong in 1969."
    assert {each.category for each in found(answer, grounding=0.5)} == {"GROUNDING"}
    assert {each.category for each in found(answer, relevance=0.5)} == {"RELEVANCE"}
    assert found(answer, grounding=0, relevance=0) == ()


def test_a_higher_threshold_never_finds_less():
    answer = POLICY + " It opened in 1999. We also repair bicycles."
    counts = [len(found(answer, grounding=limit)) for limit in (0, 0.3, 0.6, 0.9, 0.99)]
    assert counts == sorted(counts)
    assert counts[0] < counts[-1]


def test_without_sources_the_check_cannot_be_made():
    with pytest.raises(CheckFailed, match="no source"):
        next(steps("Refunds take 30 days.", sources=()))
    with pytest.raises(CheckFailed, match="no source"):
        next(steps("Refunds take 30 days.", origin="user"))
    assert found("Refunds take 30 days.", sources=(), **BOTH, without_sources="skip") == ()


def test_the_policy_says_whose_texts_are_sources():
    answer = "Refunds are paid within 30 days."
    check = compile_rails([{"grounding": {"grounding": 0.5, "sources": ["user"]}}]).checks[0].check
    with pytest.raises(StopIteration) as end:
        next(check.run(View(answer, passages=(Passage(POLICY, "user"),))))
    assert end.value.value == ()


def test_without_a_question_relevance_cannot_be_judged():
    with pytest.raises(CheckFailed, match="no question"):
        next(steps("Refunds take 30 days.", query=" "))
    assert found("Refunds are paid within 30 days.", query="", grounding=0.5) == ()


def test_detect_is_only_on_record():
    answer = "Shipping costs 9,000 won."
    assert {each.action for each in found(answer, grounding=0.5, action="detect")} == {Action.DETECT}
    assert {each.action for each in found(answer, grounding=0.5)} == {Action.BLOCK}


def asking(reply, text="Refunds may take 30 days or longer. Ask the shop.", **settings):
    """What comes of a reply, where the band is as wide as can be."""
    run = steps(text, **{**BOTH, "ask": "small", "band": 1.0, **settings})
    ask = next(run)
    assert isinstance(ask, Ask)
    with pytest.raises(StopIteration) as end:
        run.send(reply)
    return ask, end.value.value


def test_an_undecided_score_asks_the_tier_and_takes_its_word():
    text = "Refunds may take 30 days or longer. Ask the shop."
    ask, good = asking('{"support": [0.9, 0.8], "relevance": 0.9}')
    assert (ask.tier, good) == ("small", ())
    assert json.loads(ask.user)["sentences"] == ["Refunds may take 30 days or longer.", "Ask the shop."]
    _, bad = asking('{"support": [0.9, 0.1], "relevance": 0.9}')
    assert [text[each.start : each.end] for each in bad] == ["Ask the shop."]


def test_a_decided_score_asks_nobody():
    assert len(found("Zebras paint Neptune purple in 1802.", **BOTH, ask="small", band=0.0)) == 2


@pytest.mark.parametrize(
    "reply",
    [
        None,
        "yes",
        "[]",
        "{}",
        '{"support": [1], "relevance": 1}',
        '{"support": [1, 2], "relevance": 1}',
        '{"support": [1, true], "relevance": 1}',
        '{"support": [1, NaN], "relevance": 1}',
        '{"support": [1, 1], "relevance": 1, "more": 1}',
        '{"support": "11", "relevance": 1}',
        "[" * 100_000,
    ],
)
def test_a_reply_that_is_not_what_was_asked_for_is_no_pass(reply):
    with pytest.raises(CheckFailed):
        asking(reply)


def test_sources_too_long_to_show_are_no_pass():
    with pytest.raises(CheckFailed, match="too long"):
        next(steps("Refunds take 30 days.", sources=(POLICY * 300,), **BOTH, ask="small", band=1.0))


@pytest.mark.parametrize(
    ("settings", "place"),
    [
        ({"grounding": 1.0}, ("grounding",)),
        ({"grounding": -0.1}, ("grounding",)),
        ({"relevance": 1.5}, ("relevance",)),
        ({"grounding": 0.5, "band": 2}, ("band",)),
        ({"grounding": 0.5, "sources": []}, ("sources",)),
        ({"grounding": 0.5, "sources": ["web"]}, ("sources", 0)),
        ({"grounding": 0.5, "action": "mask"}, ("action",)),
        ({"grounding": 0.5, "thresholds": 1}, ("thresholds",)),
        ({}, ()),
        (None, ()),
    ],
)
def test_wrong_settings_are_named(settings, place):
    with pytest.raises(GuardConfigErrors) as caught:
        compile_rails([{"grounding": settings}])
    assert caught.value.errors[0].path == (0, "grounding", *place)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1,200", "1200"),
        ("1,200", "twelve hundred"),
        ("1천2백", "1200"),
        ("3만 5천 원", "35,000"),
        ("이십오 명", "25"),
        ("세 명", "3"),
        ("1.2 million", "1,200,000"),
        ("12.50%", "12.5"),
        ("3 may 2024", "2024-05-03"),
        ("may 3rd, 2024", "2024년 5월 3일"),
        ("2024.5.3", "3 may 2024"),
    ],
)
def test_one_value_has_one_name_however_it_is_written(one, other):
    assert quantities(one)[0].keys == quantities(other)[0].keys


def test_a_day_tells_its_month_and_year():
    assert {"m5", "n2024"} <= known("3 may 2024")
    assert quantities("you may go") == []


def test_stems_forget_particles_and_inflection():
    assert stem("환불을") == stem("환불은") == "환불"
    assert stem("refunds") == stem("refunded") == stem("refunding")


@given(st.text(max_size=200), st.text(max_size=200))
def test_any_answer_can_be_judged_and_spans_lie_inside(answer, source):
    for each in found(answer, sources=("x", source), query="what?"):
        assert 0 <= each.start < each.end <= len(answer)
        assert 0 <= each.score <= 1


@given(
    st.lists(
        st.sampled_from(["Refunds take 30 days. ", "배송비는 무료입니다. ", "no end", "1 2 3. ", "\n"]), max_size=8
    )
)
def test_a_text_rests_on_itself(parts):
    text = "".join(parts)
    assert [each for each in sentences(text) if text[each.start : each.end].strip() == ""] == []
    assert unsupported(text, sources=(text or "x",), query="refunds", grounding=0.3) == []
