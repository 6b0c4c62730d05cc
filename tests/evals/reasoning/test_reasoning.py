import random

from evals.reasoning.__main__ import POLICY, markdown, measure_proofs, percentiles
from evals.reasoning.truth import agree, random_policy, situations, true_finding
from guardrails.reasoning import ReasoningConfig, compile_reasoning
from guardrails.reasoning.prove import Reading


def test_findings_of_random_policies_are_the_truth():
    right, of, kinds = agree(5, 12)
    assert right == of >= 12
    assert kinds.total() == of


def test_the_truth_is_counted_by_definition():
    book, read = random_policy(random.Random(3))
    sizes = [len(v.sort.values) or (2 if v.sort.kind == "bool" else 4) for v in book.variables.values()]
    product = 1
    for size in sizes:
        product *= size
    assert sum(1 for _ in situations(book)) == product
    free = Reading((), (("bool", True),))
    assert true_finding(book, free) in ("VALID", "IMPOSSIBLE")
    assert true_finding(book, Reading((("bool", False),), read.claims)) == "IMPOSSIBLE"


def test_percentiles_are_of_the_ordered_times():
    assert percentiles([5.0, 1.0, 3.0]) == {"n": 3, "p50": 3.0, "p95": 5.0, "p99": 5.0, "max": 5.0}


def test_the_page_says_what_was_measured():
    check = compile_reasoning(ReasoningConfig.model_validate(POLICY), 0)
    assert len(check.book.rules) == 20
    proof = measure_proofs(check, 8, 2)
    assert proof["all"]["n"] == proof["one_pass"]["n"] == 8
    assert proof["all"]["max"] <= proof["one_pass"]["max"]
    row = {"n": 1, "p50": 1, "p95": 1, "p99": 11, "max": 12}
    page = markdown(
        {
            "command": "c", "date": "d", "commit": "e", "machine": "m", "solver": "5", "load": 9.0,
            "policy": {"rules": 20, "variables": 13},
            "cpu_ms": {"proof": {"all": row, "VALID": row}, "answer": row, "lint": 80, "build_solver": 9, "load_library": 1},
            "wall_ms": {"child": row},
            "truth": {"right": 9, "n": 10, "interval": (0.5, 1.0), "findings": {"VALID": 10}},
        }
    )  # fmt: skip
    assert "p99: not kept" in page
    assert "9 of 10 findings" in page
    assert "| proof, VALID | 1 | 1 | 1 | 11 | 12 |" in page
