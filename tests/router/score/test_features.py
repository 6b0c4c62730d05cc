import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from router.score.features import BITS, HEAD, STRUCTURE, TAIL, read

NAMES = [name for name, _ in STRUCTURE]


def structure(text):
    return dict(zip(NAMES, read(text).structure.tolist(), strict=True))


def words(text):
    reading = read(text)
    return reading.grams[: reading.sizes[0]].tolist()


@given(st.text(st.characters(), max_size=400))
def test_every_text_gives_valid_buckets_and_finite_numbers(text):
    reading = read(text)
    assert sum(reading.sizes) == len(reading.grams)
    assert ((reading.grams >= 0) & (reading.grams < 1 << BITS)).all()
    assert np.isfinite(reading.structure).all()


@given(st.lists(st.from_regex(r"[a-z]{1,12}", fullmatch=True), min_size=1, max_size=8))
def test_a_word_hashes_alike_wherever_it_stands(parts):
    assert words(" ".join(parts)) == [words(part)[0] for part in parts]


def test_case_digits_and_punctuation_do_not_change_words():
    assert words("Route 66, please!") == words("route 12 PLEASE")


def test_different_words_rarely_meet():
    names = [f"{a}{b}{c}" for a in "abcdefghij" for b in "klmnopqrst" for c in "uvwxyz"]
    assert len({words(name)[0] for name in names}) > 0.98 * len(names)


def test_order_matters_to_pairs_only():
    one, two = read("dog bites man"), read("man bites dog")
    assert sorted(one.grams[:3]) == sorted(two.grams[:3])
    assert sorted(one.grams[3:5]) != sorted(two.grams[3:5])


def test_structure_counts_what_it_says():
    found = structure("Pick one (12 or 345)?\nA. yes\nB) no\n- item\n    code\n```\nend")
    assert np.expm1(found["option_lines"]).round() == 2
    assert np.expm1(found["bullet_lines"]).round() == 1
    assert np.expm1(found["indented_lines"]).round() == 1
    assert np.expm1(found["numbers"]).round() == 2
    assert np.expm1(found["longest_number"]).round() == 3
    assert np.expm1(found["fences"]).round() == 1
    assert np.expm1(found["question_marks"]).round() == 1
    assert np.expm1(found["lines"]).round() == 6


def test_scripts_are_told_apart():
    assert structure("안녕하세요")["hangul_share"] > 0.8
    assert structure("Привет мир")["other_script_share"] > 0.5
    assert structure("hello")["hangul_share"] == structure("hello")["other_script_share"] == 0


def test_the_middle_of_a_long_text_is_skipped_but_its_length_is_known():
    text = "b" * (10 * (HEAD + TAIL))
    assert sum(read(text).sizes) <= HEAD + TAIL + 2
    assert abs(np.expm1(structure(text)["characters"]) - len(text)) < 10
