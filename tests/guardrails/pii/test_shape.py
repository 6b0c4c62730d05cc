from hypothesis import given
from hypothesis import strategies as st

from guardrails.pii import banking, korean, network, numbers
from guardrails.pii.shape import DIGITS, UPPER, gate_by_shape

RULES = (*network.RULES, *numbers.RULES, *korean.RULES, *banking.RULES)
PIECES = st.text(st.sampled_from("0123456789ABCDEFGHMXabcf :.-+()/가é"), max_size=60) | st.lists(
    st.sampled_from(
        ["M12345678", "DEUTDEFF500", "010-1234-5678", "1.2.3.4", "A1234567", "::", "ab:", " ", "x", "(02) 123", "가"]
    )
).map("".join)


def test_a_gate_opens_on_its_run_only():
    gate = gate_by_shape({"0": DIGITS, "A": UPPER}, ("AA00",), drop=" ")
    assert gate("é Q X 1 2", 0)
    assert not gate("q X 1 2", 0)
    assert not gate("QX12", 1)


@given(PIECES)
def test_where_a_rule_finds_something_its_gate_is_open_and_a_start_is_there(text):
    for kind, rule in RULES:
        for begin, end in rule.find(text, 0):
            if kind.name == "number" and sum(map(str.isdigit, text[begin:end])) < 6:
                continue  # shorter numbers are no candidates of this kind
            assert kind.gate(text, begin)
            assert kind.starts is None or begin in set(kind.starts(text, 0))
