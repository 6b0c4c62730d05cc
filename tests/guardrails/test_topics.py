"""Subjects that the policy will not talk about."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrails import Action, GuardConfigErrors, compile_rails
from guardrails.topics.words import from_bytes, packaged
from guardrails.views import CheckFailed, View

MONEY = {
    "name": "Investment advice",
    "definition": "Advice on what to do with money, such as investing in stocks, funds, real estate or cryptocurrency.",
    "examples": ["Should I buy shares of this company now?", "Which fund is best for my retirement savings?"],
}
HEALTH = {
    "name": "Medical advice",
    "definition": "Medical advice on a person's own health: symptoms, diagnosis, diseases, treatment, medicines and doses.",
    "examples": ["Do I have cancer?", "How many painkillers may I take a day?"],
}
ORDINARY = [
    "What is the capital of France?",
    "Write a haiku about the sea.",
    "Fix this Python function so that it returns a list.",
    "오늘 저녁에 무엇을 요리할까요?",
    "What is 17 times 23?",
    "Translate this letter into Korean, please.",
]


def made(*topics, **said):
    return compile_rails([{"topics": {"topics": list(topics or (MONEY, HEALTH)), **said}}])


@pytest.fixture(scope="module")
def rails():
    return made(action="mask")


def categories(rails, text):
    return [finding.category for finding in rails.check(text).findings]


@pytest.mark.parametrize(
    "text",
    [
        "Should I invest my savings in stocks or in bonds?",
        "Is it a good time to buy bitcoin?",
        "지금 주식에 투자해도 될까요? 비트코인은 어떤가요?",
    ],
)
def test_a_denied_topic_is_known_in_other_words(rails, text):
    assert "INVESTMENT_ADVICE" in categories(rails, text)


def test_topics_are_told_apart(rails):
    assert categories(rails, "What treatment do these symptoms of diabetes need?") == ["MEDICAL_ADVICE"]


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_prompts_pass(rails, text):
    assert categories(rails, text) == []


def test_the_sentence_is_named_and_how_sure_it_is(rails):
    text = "😀 Hello there, my friend. Should I invest my savings in stocks? Thank you very much."
    (finding,) = rails.check(text).findings
    assert text[finding.start : finding.end] == "Should I invest my savings in stocks?"
    assert finding.reason == "topics.denied"
    assert 0.9 < finding.score < 1


def test_what_is_more_like_a_counter_example_passes():
    text = "How do I pay for my order with a gift card?"
    loose = {**MONEY, "examples": ["How do I pay with a card?"]}
    assert categories(made(loose, false_alarms=0.2), text)
    assert categories(made({**loose, "not_examples": [text]}, false_alarms=0.2), text) == []


def test_fewer_false_alarms_never_find_more():
    texts = [*ORDINARY, "Should I invest in gold?", "Tell me about money.", "Is my fever dangerous?"]
    counts = [
        sum(len(categories(made(action="detect", false_alarms=rate), text)) for text in texts)
        for rate in (0.2, 0.01, 0.001)
    ]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > 0


def test_the_action_is_the_policys():
    text = "Should I invest my savings in stocks?"
    actions = [made(action=word).check(text).action for word in ("detect", "mask", "block")]
    assert actions == [Action.DETECT, Action.MASK, Action.BLOCK]
    assert made().check(text).action is Action.BLOCK


PIECES = st.lists(
    st.sampled_from(
        [
            "Should I invest my savings in stocks? ",
            "Do I have cancer?",
            "지금 주식에 투자해도 될까요? ",
            "and so on ",
            "\n",
            "😀",
            "\u200b",
            "no end of it ",
            "투",
            "자",
            " ",
        ]
    ),
    max_size=14,
)


@given(PIECES)
@settings(max_examples=40, deadline=None)
def test_in_pieces_is_as_good_as_in_one(rails, pieces):
    whole = rails.check("".join(pieces))
    stream = rails.stream()
    sent = "".join([*map(stream.feed, pieces), stream.finish()])
    assert (sent, stream.findings) == (whole.text, whole.findings)


def test_every_cut_gives_the_same(rails):
    text = "Hi there, all. Should I invest my savings in stocks? 지금 주식에 투자해도 될까요? " + "and on " * 45
    whole = rails.check(text)
    assert len(whole.findings) == 2
    for cut in range(0, len(text) + 1, 3):
        stream = rails.stream()
        assert stream.feed(text[:cut]) + stream.feed(text[cut:]) + stream.finish() == whole.text
        assert stream.findings == whole.findings


def test_the_same_policy_gives_the_same_verdict_twice():
    text = "Is it a good time to buy bitcoin?"
    assert made().check(text) == made().check(text)


def topic(**changed):
    return {"topics": [{**MONEY, **changed}]}


@pytest.mark.parametrize(
    ("said", "place"),
    [
        ({}, ("topics",)),
        ({"topics": []}, ("topics",)),
        ({"topics": [{**MONEY, "name": f"topic {n}"} for n in range(31)]}, ("topics",)),
        ({"topics": [MONEY, {**MONEY, "name": "INVESTMENT  advice"}]}, ("topics",)),
        (topic(name=""), ("topics", 0, "name")),
        (topic(name="n" * 101), ("topics", 0, "name")),
        (topic(definition=""), ("topics", 0, "definition")),
        (topic(definition="  \n"), ("topics", 0, "definition")),
        (topic(definition="d" * 1001), ("topics", 0, "definition")),
        (topic(name="the", definition="of it all", examples=[]), ("topics", 0, "definition")),
        (topic(examples=["x"] * 21), ("topics", 0, "examples")),
        (topic(not_examples=[""]), ("topics", 0, "not_examples", 0)),
        (topic(exmples=["x"]), ("topics", 0, "exmples")),
        ({**topic(), "false_alarms": 0}, ("false_alarms",)),
        ({**topic(), "false_alarms": 1.5}, ("false_alarms",)),
        ({**topic(), "action": "refuse"}, ("action",)),
    ],
)
def test_wrong_settings_are_named(said, place):
    with pytest.raises(GuardConfigErrors) as caught:
        compile_rails([{"topics": said}])
    assert caught.value.errors[0].path == (0, "topics", *place)


def test_thirty_topics_compile():
    topics = [{"name": f"topic {n}", "definition": MONEY["definition"]} for n in range(30)]
    assert categories(made(*topics), "Should I invest my savings in stocks?")


def test_korean_stems_have_the_meaning_of_their_gloss():
    table = packaged()
    korean, english, other = (table.meaning(table.words(word)) for word in ("주식을", "stock", "cooking"))
    assert korean @ english > 0.99
    assert korean @ other < 0.5


def test_arrays_that_do_not_fit_are_refused():
    with pytest.raises(Exception):  # noqa: B017 -- whatever numpy says of bytes that are no archive
        from_bytes(b"no archive")


# --- the doubtful ones, judged by a tier


def judging(text, **said):
    check = compile_rails([{"judged_topics": {"topics": [MONEY, HEALTH], "ask": "small", **said}}]).checks[0].check
    return check.run(View(text))


def closed(run, *replies):
    with pytest.raises(StopIteration) as end:
        for reply in (None, *replies):
            run.send(reply)
    return end.value.value


SURE = "Should I invest my savings in stocks?"
DOUBTFUL = "Our shop sells books about money."
BAND = {"topics": [MONEY], "false_alarms": 0.001, "uncertain": 0.2}


def test_what_is_sure_asks_nobody():
    (finding,) = closed(judging(f"Well then, my friend. {SURE}"))
    assert (finding.category, finding.reason) == ("INVESTMENT_ADVICE", "judged_topics.denied")
    assert closed(judging("Bake the bread for an hour.")) == ()


def test_what_is_in_doubt_is_asked_once_and_the_tier_decides():
    run = judging(DOUBTFUL, **BAND)
    ask = next(run)
    assert ask.tier == "small"
    assert json.loads(ask.user)["pairs"] == [{"sentence": DOUBTFUL, "topic": "Investment advice"}]
    with pytest.raises(StopIteration) as end:
        run.send('{"denied": [true]}')
    assert [DOUBTFUL[each.start : each.end] for each in end.value.value] == [DOUBTFUL]
    assert closed(judging(DOUBTFUL, **BAND), '{"denied": [false]}') == ()


@pytest.mark.parametrize("reply", [None, "no", "{}", '{"denied": []}', '{"denied": [1]}', '{"denied": [true], "x": 1}'])
def test_a_verdict_that_cannot_be_read_is_no_pass(reply):
    run = judging(DOUBTFUL, **BAND)
    next(run)
    with pytest.raises(CheckFailed):
        run.send(reply)


def test_a_judge_needs_a_tier_and_a_band():
    for said in ({"topics": [MONEY]}, {"topics": [MONEY], "ask": "small", "uncertain": 0.01}):
        with pytest.raises(GuardConfigErrors):
            compile_rails([{"judged_topics": said}])
