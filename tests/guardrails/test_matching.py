"""The work grows as the text does, whatever the text."""

import time

import pytest

from guardrails import compile_rails
from guardrails.matching import Candidate, by_pattern, gate_by, live_by, run_start

RAILS = compile_rails(
    [
        {"pii": {"entities": ["all", "URL"], "action": "mask"}},
        {"secrets": {"action": "mask"}},
        {"words": {"words": ["bad", "ab", "abab"], "match": "substring", "allow": ["bad day"], "action": "detect"}},
        {"regex": {"name": "r", "pattern": r"a.*b|\d+x", "max_length": 30, "action": "mask"}},
    ]
)
HOSTILE = {
    "digits": "7",
    "at signs": "@",
    "letters": "a",
    "at and letters": "a@",
    "dots": "a.",
    "spaced digits": "1 ",
    "dashed digits": "12-",
    "plus": "+1",
    "brackets": "(1",
    "colons": "1:",
    "hex": "ab:",
    "jwt": "eyJ.",
    "jwt runs": "eyJaaaaaaaaa.",
    "pem": "-----BEGIN PRIVATE KEY-----\nAAAAAAAAAAAAAAAAAAAA\n",
    "schemes": "https://",
    "userinfo": "http://a:b",
    "iban": "GB82 ",
    "bad days": "bad day ",
    "zero width": "1\u200b",
    "wide": "１",
    "sharp s": "ß",
    "prefix": "sk-",
    "named": "aws_secret=",
}


def cpu(run, times=3) -> float:
    """Least CPU seconds of a few runs."""
    spent = []
    for _ in range(times):
        begun = time.process_time()
        run()
        spent.append(time.process_time() - begun)
    return min(spent)


def whole(text):
    return lambda: RAILS.check(text)


def in_pieces(text):
    def run():
        stream = RAILS.stream()
        for at in range(0, len(text), 16):
            stream.feed(text[at : at + 16])
        stream.finish()

    return run


# Whole texts on either side of ``long.WINDOW``, for beyond it they are read in another way.
WAYS = [
    *((whole, 8_000, unit) for unit in HOSTILE),
    *((whole, 34_000, unit) for unit in ("letters", "wide", "pem")),
    *((in_pieces, 2_500, unit) for unit in HOSTILE),
]


@pytest.mark.parametrize(("way", "size", "unit"), WAYS, ids=lambda value: getattr(value, "__name__", str(value)))
def test_four_times_the_text_is_not_eight_times_the_work(way, size, unit):
    unit = HOSTILE[unit]
    text = unit * (size // len(unit) + 1)
    small = max(cpu(way(text[:size])), 0.002)
    long = way((text * 4)[: 4 * size])
    assert cpu(long, 1) < 8 * small or cpu(long) < 8 * small  # one look is enough where it is well below


def test_the_run_at_the_end_is_bounded():
    assert run_start("abc 123", "123", 10) == 4
    assert run_start("abc 123", "123", 2) == 5
    assert run_start("abc", "123", 10) == 3
    assert run_start("", "123", 10) == 0


def test_a_tail_is_the_leftmost_that_could_go_on():
    live = live_by("ab?c?", 5)
    assert live("xxab") == 2
    assert live("abx") == 3
    assert live("x" * 50 + "a") == 50


def test_a_gate_looks_from_its_offset_on():
    gate = gate_by("[0-9]")
    assert gate("1a", 0)
    assert not gate("1a", 1)


def test_context_is_what_stands_shortly_before():
    text = "the word " + "." * 40 + "value"
    candidate = Candidate(text, len(text) - 5, len(text))
    assert candidate.value == "value"
    words = __import__("re").compile("word")
    assert candidate.after(words)
    assert not candidate.after(words, reach=10)


def test_candidates_go_on_where_the_last_one_ended():
    find = by_pattern("[0-9]{2}")
    assert list(find("123456", 1)) == [(1, 3), (3, 5)]
