import pytest

from guardrails import Action, GuardConfigErrors, compile_rails


def rails(pattern, max_length=20, **settings):
    return compile_rails([{"regex": {"name": "ticket", "pattern": pattern, "max_length": max_length, **settings}}])


def spans(pattern, text, max_length=20, **settings):
    return [text[f.start : f.end] for f in rails(pattern, max_length, action="mask", **settings).check(text).findings]


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        (r"TCK-\d+", "see TCK-12 and TCK-345", ["TCK-12", "TCK-345"]),
        (r"(?i)tck-\d+", "Tck-1", ["Tck-1"]),
        (r"\bcat\b", "concat cat", ["cat"]),
        (r"^go", "go gogo", ["go"]),
        (r"end$", "end the end", ["end"]),
        (r"티켓-\d{3}", "😀 티켓-123로", ["티켓-123"]),
        (r"TCK-\d+", "ＴＣＫ－１２", ["ＴＣＫ－１２"]),
        (r"a|ab", "ab", ["a"]),
        (r"[가-힣]{2}동", "역삼동 이태원동", ["역삼동", "태원동"]),
    ],
)
def test_matches_in_offsets_of_the_text(pattern, text, found):
    assert spans(pattern, text) == found


def test_the_name_is_the_category_and_the_placeholder():
    verdict = rails(r"TCK-\d+", action="mask").check("TCK-1, TCK-2, TCK-1")
    assert verdict.text == "[TICKET_1], [TICKET_2], [TICKET_1]"
    assert verdict.findings[0].reason == "regex.ticket"


@pytest.mark.parametrize(("action", "becomes"), [("mask", Action.BLOCK), ("detect", Action.DETECT)])
def test_a_match_beyond_its_declared_length_blocks_where_it_would_have_been_masked(action, becomes):
    verdict = rails(r"TCK-\d+", max_length=10, action=action).check("TCK-123456789")
    assert verdict.action is becomes
    assert verdict.findings[0].reason == "regex.ticket.overlong"


def test_a_match_that_needs_more_than_its_declared_length_is_none():
    assert spans(r"a.*b", "a" + "x" * 50 + "b", max_length=20) == []


def test_a_long_text_is_read_to_its_end():
    text = "x" * 9000 + "TCK-1" + "y" * 4091 + "TCK-2"
    assert spans(r"TCK-\d", text) == ["TCK-1", "TCK-2"]


def test_an_allowed_match_does_not_count():
    assert spans(r"TCK-\d+", "TCK-0 TCK-1", allow=["TCK-0"]) == ["TCK-1"]


@pytest.mark.parametrize(
    ("settings", "path", "said"),
    [
        ({"pattern": r"(?=x)y"}, "pattern", "RE2 refuses"),
        ({"pattern": r"(a)\1"}, "pattern", "RE2 refuses"),
        ({"pattern": "("}, "pattern", "RE2 refuses"),
        ({"pattern": "x*"}, "pattern", "empty"),
        ({"pattern": r"\b"}, "pattern", "empty"),
        ({"pattern": ""}, "pattern", "at least 1"),
        ({"pattern": "x" * 501}, "pattern", "500"),
        ({"pattern": "((a{100}){100}){100}"}, "pattern", "RE2 refuses"),
        ({"max_length": 0}, "max_length", "greater"),
        ({"max_length": 1001}, "max_length", "less"),
        ({"max_length": None}, "max_length", "integer"),
        ({"name": "two words"}, "name", "pattern"),
    ],
)
def test_a_mistake_is_named_with_its_place(settings, path, said, capfd):
    with pytest.raises(GuardConfigErrors) as caught:
        compile_rails([{"regex": {"name": "x", "pattern": "y", "max_length": 9, **settings}}])
    (error,) = caught.value.errors
    assert error.path == (0, "regex", path)
    assert said in error.message
    assert capfd.readouterr() == ("", "")


def test_the_longest_match_must_be_declared():
    with pytest.raises(GuardConfigErrors) as caught:
        compile_rails([{"regex": {"name": "x", "pattern": "y"}}])
    assert caught.value.errors[0].path == (0, "regex", "max_length")
    assert "missing" in caught.value.errors[0].message


@pytest.mark.parametrize(
    ("pattern", "lacks"),
    [
        (r"(?<=x)y", "look-behind"),
        (r"(?!x)y", "look-ahead"),
        (r"(a)\1", "back-reference"),
        (r"(?P<n>a)(?P=n)", "back-reference"),
        (r"a++", "possessive"),
    ],
)
def test_the_hint_names_what_the_pattern_may_not_have(pattern, lacks):
    with pytest.raises(GuardConfigErrors) as caught:
        rails(pattern)
    assert lacks in caught.value.errors[0].hint


def test_a_pattern_that_opens_with_something_holds_nothing_back_before_it():
    memo = compile_rails(
        [
            {
                "regex": {
                    "name": "memo",
                    "pattern": r"\[memo [^\]]*\]",
                    "opens": "[memo ",
                    "max_length": 10,
                    "action": "mask",
                }
            }
        ]
    )
    stream = memo.stream()
    assert stream.feed("text [not, text [me") == "text [not, text "
    assert stream.feed("mo a b") == ""
    assert stream.feed("] on") + stream.finish() == "[MEMO_1] on"
    assert memo.check("a [memo x] b [memo y").text == "a [MEMO_1] b [memo y"


def test_an_opening_with_which_no_match_can_begin_is_refused():
    with pytest.raises(GuardConfigErrors) as caught:
        compile_rails([{"regex": {"name": "x", "pattern": "TCK-[0-9]+", "opens": "JIRA"}}])
    assert caught.value.errors[0].path == (0, "regex", "opens")


def test_a_list_may_hold_many_patterns():
    many = compile_rails(
        [{"regex": {"name": f"p{n}", "pattern": f"P{n}-[0-9]+", "max_length": 12, "action": "mask"}} for n in range(60)]
    )
    assert many.check("P59-1 and P0-22").text == "[P59_1] and [P0_1]"


def test_a_pattern_that_would_explode_elsewhere_reads_on():
    assert rails(r"(a+)+$", max_length=40).check("a" * 20_000 + "b").checked == 20_001
