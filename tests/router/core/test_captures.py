"""Which requests are kept, and what is masked in them first."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrails import Placeholders, compile_rails
from router.core.captures import PERSONAL, Capture, Rejected, Said, Unchecked, drawn, redacted

RAILS = compile_rails(PERSONAL)
NOTHING = compile_rails(())
SALT = bytes(range(32))


def capture(said="Write to jo.doe@example.com.", answer="Done, jo.doe@example.com has it.", **more):
    given = {
        "id": "r", "at_ms": 1, "until_ms": 2, "tenant": "t", "policy": "p", "tier": "small", "model": "m",
        "messages": (Said("user", said),), "answer": answer,
    }  # fmt: skip
    return Capture(**{**given, **more})


def clean(made, hidden=None, output=NOTHING):
    return redacted(made, RAILS, hidden or Placeholders(), lambda: output)


@given(st.text(max_size=40), st.floats(0, 1), st.floats(0, 1))
def test_a_larger_share_keeps_what_a_smaller_one_keeps(request_id, one, other):
    low, high = sorted((one, other))
    assert drawn(SALT, request_id, low) <= drawn(SALT, request_id, high)
    assert drawn(SALT, request_id, 1.0)
    assert not drawn(SALT, request_id, 0.0)


def test_the_share_of_requests_is_kept_and_another_salt_keeps_others():
    ids = [f"req_{n}" for n in range(4_000)]
    kept = {each for each in ids if drawn(SALT, each, 0.25)}
    assert 900 < len(kept) < 1_100
    assert kept == {each for each in ids if drawn(SALT, each, 0.25)}
    assert kept != {each for each in ids if drawn(SALT[::-1], each, 0.25)}


def test_one_value_has_one_placeholder_in_all_texts():
    done = clean(capture(rejected=(Rejected(tier="small", model="s", text="jo.doe@example.com?"),)))
    assert done.messages[0].text == "Write to [EMAIL_1]."
    assert done.answer == "Done, [EMAIL_1] has it."
    assert done.rejected[0].text == "[EMAIL_1]?"
    assert done.masked == 1


def test_a_placeholder_that_stands_there_already_is_not_given_to_another_value():
    done = clean(capture(said="[EMAIL_1] wrote to jo.doe@example.com."))
    assert done.messages[0].text == "[EMAIL_1] wrote to [EMAIL_2]."


def test_what_the_policy_masked_and_the_caller_got_back_is_masked_again():
    hidden = Placeholders()
    assert hidden.name("STAFF", "E-4711") == "[STAFF_1]"
    assert clean(capture(said="[STAFF_1]", answer="E-4711 is there."), hidden).answer == "[STAFF_1] is there."


def test_a_rejected_answer_that_the_policy_would_block_is_left_out():
    rails = compile_rails([{"words": {"words": ["forbidden"], "action": "block"}}])
    rejected = tuple(Rejected(tier="small", model="s", text=text) for text in ("a forbidden word", "fine"))
    assert [each.text for each in clean(capture(rejected=rejected), output=rails).rejected] == ["fine"]


class Late:
    """Guards that find no time left."""

    def check(self, text, names):
        return RAILS.check(text, names, hurry=lambda: True)


def test_what_a_guard_could_not_read_is_not_kept():
    with pytest.raises(Unchecked):
        redacted(capture(), Late(), Placeholders(), lambda: NOTHING)
