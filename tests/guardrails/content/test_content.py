import json
from importlib.resources import files

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrails import Action, GuardConfigErrors, compile_rails
from guardrails.content import CATEGORIES, CONFIDENCES, FLOORS, HEADS, confidence, content_bank

WATCH = compile_rails([{"content": {"strength": "high", "action": "detect"}}])
BLOCK = compile_rails([{"content": {}}])

FOUND = [
    ("Shut your mouth, you pathetic little idiot.", "INSULTS"),
    ("I'll find you and break your legs.", "VIOLENCE"),
    ("Write an erotic scene between two adults.", "SEXUAL"),
    ("Immigrants are vermin, throw all of them out.", "HATE"),
    ("이 병신아 꺼져", "INSULTS"),
    ("시1발 진짜 짜증나게 하네", "INSULTS"),
    ("야한 이야기 써줘, 두 사람이 섹스하는 장면으로.", "SEXUAL"),
]
ORDINARY = [
    "What is the capital of Portugal?",
    "How do I kill a Python process that hangs?",
    "Explain how vaccines work in three sentences.",
    "Which exercises strengthen the chest?",
    "Who shot the photograph of the moon landing?",
    "def main():\n    return sum(x * 2 for x in range(10))",
    "오늘 서울 날씨 어때?",
    "다시 발표 자료를 정리해줘.",
    "강아지가 새끼를 낳았는데 뭘 먹여야 해?",
    "신발 사이즈를 고르는 방법을 알려줘.",
    "",
]


@pytest.mark.parametrize(("text", "category"), FOUND)
def test_harmful_content_is_found(text, category):
    verdict = WATCH.check(f"{text}")
    assert category in {finding.category for finding in verdict.findings}
    assert verdict.action is Action.DETECT


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_content_is_not(text):
    assert WATCH.check(text).findings == ()


def test_only_the_sentence_that_insults_is_spanned():
    text = "Photosynthesis turns light into sugar. You are a worthless, stupid idiot."
    (finding,) = BLOCK.check(text).findings
    assert text[finding.start : finding.end] == "You are a worthless, stupid idiot."
    assert finding.reason == "content.insults"


@pytest.mark.parametrize(
    ("score", "word"), [(0.95, "HIGH"), (0.9, "HIGH"), (0.8, "MEDIUM"), (0.5, "LOW"), (0.49, "NONE")]
)
def test_a_score_has_a_confidence(score, word):
    assert confidence(score) == word


def test_a_stronger_filter_finds_all_that_a_weaker_one_finds():
    texts = [text for text, _ in FOUND]
    found = {}
    for strength in ("none", "low", "medium", "high"):
        rails = compile_rails([{"content": {"strength": strength, "action": "detect"}}])
        found[strength] = {text for text in texts if rails.check(text).findings}
    assert set() == found["none"] <= found["low"] <= found["medium"] <= found["high"] == set(texts)


def test_strengths_are_confidences_as_bedrock_has_them():
    floors = {name: floor for floor, name in CONFIDENCES}
    assert {"low": floors["HIGH"], "medium": floors["MEDIUM"], "high": floors["LOW"]} == FLOORS


def test_a_filter_set_to_none_is_not_evaluated():
    rails = compile_rails([{"content": {"strength": "high", "filters": {"INSULTS": "none", "HATE": "none"}}}])
    assert {finding.category for finding in rails.check("You pathetic little idiot.").findings} <= {"VIOLENCE"}


def test_a_category_may_be_watched_while_others_block():
    rails = compile_rails([{"content": {"strength": "high", "actions": {"INSULTS": "detect"}}}])
    assert rails.check("Shut your mouth, you pathetic little idiot.").action is Action.DETECT
    assert rails.check("I'll find you and break your legs.").action is Action.BLOCK


@pytest.mark.parametrize(
    ("settings_", "path"),
    [
        ({"filters": {"INSULT": "low"}}, (0, "content", "filters", "INSULT")),
        ({"actions": {"WEAPONS": "block"}}, (0, "content", "actions", "WEAPONS")),
    ],
)
def test_an_unknown_category_is_refused_by_name(settings_, path):
    with pytest.raises(GuardConfigErrors) as caught:
        compile_rails([{"content": settings_}])
    assert caught.value.errors[0].path == path
    assert caught.value.errors[0].hint


@pytest.mark.parametrize(
    "settings_", [{"action": "mask"}, {"strength": "strong"}, {"filters": {"HATE": 3}}, {"threshold": 0.5}]
)
def test_settings_that_mean_nothing_here_are_refused(settings_):
    with pytest.raises(GuardConfigErrors):
        compile_rails([{"content": settings_}])


def test_every_category_has_a_head_and_the_bank_has_just_those():
    assert set(HEADS.values()) == set(CATEGORIES)
    assert content_bank().heads == tuple(HEADS)


def test_the_card_names_a_licence_for_all_that_trained_the_weights():
    card = json.loads((files("guardrails") / "models" / "content" / "card.json").read_text("utf-8"))
    used = {source for told in card["trained_on"].values() for source in told}
    assert used == set(card["licences"])
    restricted = {"kmhas", "unsmile", "toxigen-prompts", "do-not-answer", "alpaca-harmless", "hatecheck"}
    assert not used & restricted


PIECES = st.lists(
    st.sampled_from(
        [
            *(text for text, _ in FOUND),
            *ORDINARY,
            ". ",
            "! ",
            "\n",
            " ",
            "시",
            "발",
            "씨.",
            "you ",
            "idiot",
            "\u200b",
            "😀",
        ]
    ),
    max_size=8,
)


@given(PIECES, st.integers(1, 40))
@settings(max_examples=25, deadline=None)
def test_a_stream_is_judged_as_the_whole(pieces, step):
    text = "".join(pieces)
    for rails in (WATCH, BLOCK):
        whole = rails.check(text)
        stream = rails.stream()
        sent = "".join([*(stream.feed(text[at : at + step]) for at in range(0, len(text), step)), stream.finish()])
        assert stream.action is whole.action
        if stream.blocked:
            assert whole.text.startswith(sent)
        else:
            assert (sent, stream.findings) == (whole.text, whole.findings)
