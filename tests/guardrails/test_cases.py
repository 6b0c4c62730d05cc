from guardrails.cases import allow_cases

GUARDS = [
    {"words": {"words": ["bad"], "allow": ["bad day", "bad hair"]}},
    {"pii": None},
    {"pii": {"entities": ["EMAIL"], "allow": ["help@example.com"]}},
    {"regex": {"name": "ticket", "pattern": r"TCK-\d+", "max_length": 12, "allow": ["TCK-0"]}},
]


def test_every_allow_line_is_a_case_with_its_place():
    cases = list(allow_cases(GUARDS))
    assert [(case.path, case.text) for case in cases] == [
        ((0, "words", "allow", 0), "bad day"),
        ((0, "words", "allow", 1), "bad hair"),
        ((2, "pii", "allow", 0), "help@example.com"),
        ((3, "regex", "allow", 0), "TCK-0"),
    ]
    assert [case.failures() for case in cases] == [()] * 4


def test_a_line_that_does_not_help_is_a_failure():
    (case,) = allow_cases([{"regex": {"name": "t", "pattern": r"TCK-\d+", "max_length": 12, "allow": ["see TCK-0"]}}])
    assert [finding.reason for finding in case.failures()] == ["regex.t"]
