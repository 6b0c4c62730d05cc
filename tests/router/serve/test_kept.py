"""Kept answers: bounded in bytes and time, apart by tenant."""

from router.core.surfaces.responses import Kept
from router.serve.memory.kept import Answers


class Clock:
    """Turned by hand."""

    now = 0.0

    def __call__(self):
        return self.now


def kept(name, size=1000, before=""):
    return Kept(name, b"x" * size, b"[]", before)


def test_the_tenant_that_holds_most_makes_room():
    answers = Answers(10_000, 60, Clock())
    answers.keep("small", kept("s"))
    for i in range(20):
        answers.keep("large", kept(f"l{i}"))
        assert answers.size <= 10_000
    assert answers.get("small", "s") is not None
    assert answers.get("large", "l0") is None
    assert answers.get("large", "l19") is not None


def test_what_is_used_stays_and_what_is_not_goes():
    clock = Clock()
    answers = Answers(10_000, 60, clock)
    answers.keep("a", kept("used"))
    answers.keep("a", kept("unused"))
    clock.now = 50
    assert answers.get("a", "used") is not None
    clock.now = 100
    assert answers.get("a", "unused") is None
    assert answers.get("a", "used") is not None
    clock.now = 200
    answers.sweep()
    assert (len(answers), answers.size) == (0, 0)


def test_one_answer_cannot_take_all_room():
    answers = Answers(10_000, 60, Clock())
    answers.keep("a", kept("huge", 5_000))
    assert len(answers) == 0


def test_keeping_again_and_dropping_count_once():
    answers = Answers(10_000, 60, Clock())
    answers.keep("a", kept("x"))
    size = answers.size
    answers.keep("a", kept("x"))
    assert answers.size == size
    assert not answers.drop("b", "x")
    assert answers.drop("a", "x")
    assert not answers.drop("a", "x")
    assert answers.size == 0
