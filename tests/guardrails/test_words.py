import pytest

from guardrails import Action, GuardConfigErrors, compile_rails
from guardrails.wordlists import LISTS


def found(text, **settings):
    rails = compile_rails([{"words": settings}])
    return [text[f.start : f.end] for f in rails.check(text).findings]


@pytest.mark.parametrize(
    ("word", "text", "spans"),
    [
        ("bad", "a BAD thing, not badly", ["BAD"]),
        ("bad", "bad_name, notbad, bad-ish", ["bad"]),
        ("bad", "나쁜bad말", ["bad"]),
        ("two words", "in Two Words here", ["Two Words"]),
        ("straße", "STRASSE und Straße", ["STRASSE", "Straße"]),
        ("fine", "a ﬁne day", ["ﬁne"]),
        ("c++", "use C++ now", ["C++"]),
        ("bad", "b\u200bad", ["b\u200bad"]),
        ("bad", "ｂａｄ", ["ｂａｄ"]),
        ("café", "cafe\u0301", ["cafe\u0301"]),
        ("cafe", "cafe\u0301", []),
        ("바보", "바보야, 바보는 바보입니다", ["바보", "바보", "바보"]),
        ("바보", "바보상자", []),
        ("바보", "너바보", []),
        ("바보", "ㅂㅏㅂㅗ", ["ㅂㅏㅂㅗ"]),
        ("각", "ㄱㅏㄱ", ["ㄱㅏㄱ"]),
        ("바", "\u1107\u1161\u11a8", []),
        ("ㅅㅂ", "아 ㅅㅂ 진짜", ["ㅅㅂ"]),
        ("İstanbul", "i̇stanbul", ["i̇stanbul"]),
    ],
)
def test_a_word_stands_alone(word, text, spans):
    assert found(text, words=[word]) == spans


@pytest.mark.parametrize(
    ("text", "spans"), [("badly", ["bad"]), ("notbad", ["bad"]), ("b a d", ["b a d"]), ("나bad쁜", ["bad"])]
)
def test_a_substring_is_found_anywhere(text, spans):
    assert found(text, words=["bad"], match="substring") == spans


def test_an_allowed_phrase_shields_what_lies_inside_it():
    text = "a bad day is a bad thing"
    assert found(text, words=["bad"], allow=["bad day"]) == ["bad"]
    assert found("Scunthorpe", words=["cunt"], match="substring", allow=["scunthorpe"]) == []


def test_an_allowed_phrase_must_stand_alone_too():
    assert found("anot bad day, bad days", words=["bad"], allow=["not bad day"]) == ["bad", "bad"]


def test_a_phrase_shields_a_word_that_may_begin_a_longer_one():
    rails = compile_rails([{"words": {"words": ["day", "day of doom"], "allow": ["bad day"], "action": "mask"}}])
    stream = rails.stream()
    sent = "".join(stream.feed(piece) for piece in ("bad day of ", "rain and day of", " doom")) + stream.finish()
    assert sent == "bad day of rain and [WORD_1]"


def test_a_word_inside_a_phrase_is_not_told_twice():
    assert found("bad word", words=["bad", "bad word"]) == ["bad word"]


@pytest.mark.parametrize("name", sorted(LISTS))
def test_a_managed_list_finds_its_own_words(name):
    rails = compile_rails([{"words": {"lists": [name]}}])
    for word in LISTS[name]:
        assert rails.check(f"x {word} y").action is Action.BLOCK


@pytest.mark.parametrize(
    "text", ["a class on assessment", "Sussex, Essex and Scunthorpe", "cockpit, peacock", "시발점에서 출발", "개새기풀"]
)
def test_the_managed_lists_leave_look_alikes_alone(text):
    assert found(text, lists=sorted(LISTS)) == []


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("well f u c k you", ["f u c k"]),
        ("f.u.c.k", ["f.u.c.k"]),
        ("sh1t and $hit and 5h!t", ["sh1t", "$hit", "5h!t"]),
        ("f*ck that", ["f*ck"]),
        ("s h i t h e a p", []),
        ("a s h i t", []),
        ("5417 and 1337", []),
        ("시 발 진짜", ["시 발"]),
        ("시.발놈아", ["시.발놈"]),
        ("시1발", ["시1발"]),
        ("개.새.끼", ["개.새.끼"]),
        ("ㅅ.ㅂ 또 ㅅ ㅂ", ["ㅅ.ㅂ", "ㅅ ㅂ"]),
        ("아ㅅㅂㅋㅋ", ["ㅅㅂ"]),
        ("시발ㅠㅠ", ["시발"]),
        ("역시 발표, 다시 발견, 시 발전", []),
        ("3시 발, 몇 시 발", []),
        ("존 나이트와 존 나를", []),
        ("병신같은", ["병신"]),
    ],
)
def test_spellings_that_are_meant_to_slip_by_count(text, spans):
    hits = found(text, lists=sorted(LISTS))
    assert [hit for hit in hits if not any(hit != other and hit in other for other in hits)] == spans


def test_disguises_can_be_left_out():
    assert found("f u c k, sh1t, 시.발", lists=sorted(LISTS), disguises=False) == []


def test_disguises_stand_alone_in_substring_mode_too():
    assert found("my grapefruit, b a d", words=["bad"], match="substring") == ["b a d"]


def test_ten_thousand_words_are_one_pass():
    rails = compile_rails([{"words": {"words": [f"word{n:05}" for n in range(10_000)]}}])
    assert rails.check("so word09999 it is").action is Action.BLOCK
    assert rails.check("so word10000 it is").action is Action.NONE


def test_the_finding_carries_the_configured_name():
    rails = compile_rails([{"words": {"words": ["apex"], "name": "CODENAME", "action": "mask"}}])
    assert rails.check("project Apex").text == "project [CODENAME_1]"


@pytest.mark.parametrize(
    ("settings", "path", "said"),
    [
        ({"words": ["ok", " "]}, ("words", 1), "empty"),
        ({"words": ["ok"], "allow": ["\u200b"]}, ("allow", 0), "empty"),
        ({"words": ["x" * 101]}, ("words", 0), "100"),
        ({"words": [f"w{n}" for n in range(10_001)]}, ("words",), "10,000"),
        ({"lists": ["profanity-fr"]}, ("lists", 0), "profanity-fr"),
        ({}, (), "nothing"),
        ({"words": "bad"}, ("words",), "tuple"),
        ({"words": [5]}, ("words", 0), "string"),
        ({"words": ["bad"], "match": "stem"}, ("match",), "substring"),
        ({"words": ["bad"], "name": "lower"}, ("name",), "pattern"),
    ],
)
def test_a_mistake_is_named_with_its_place(settings, path, said):
    with pytest.raises(GuardConfigErrors) as caught:
        compile_rails([{"words": settings}])
    (error,) = caught.value.errors
    assert error.path == (0, "words", *path)
    assert said in error.message
