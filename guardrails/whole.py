"""One text, judged by guards and checks alike, in one call.

For programs that are no gateway: the command line, a notebook, a batch. The gateway does the same with models and a
solver at hand (``router.serve``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from guardrails.compile import compile_rails
from guardrails.placeholders import Placeholders
from guardrails.run import Checked, Rails, judged
from guardrails.types import Finding, Verdict
from guardrails.views import Ask, CheckFailed, Passage, Prove, Rewritten, View

if TYPE_CHECKING:
    from guardrails.common import Role

#: Answers a question to a model, or proves a claim. It may raise ``CheckFailed``.
Answerer = Callable[[Ask | Prove], Any]


def check(
    text: str,
    config: Rails | Iterable[Mapping[str, Any]],
    *,
    role: Role | None = None,
    query: str = "",
    sources: Sequence[str] = (),
    answer: Answerer | None = None,
    placeholders: Placeholders | None = None,
) -> Verdict:
    """Judge ``text`` by ``config``; nothing is kept between calls.

    Args:
        text: any text.
        config: guards as a policy lists them, or what ``compile_rails`` made of them: compile once, check often.
        role: who wrote the text; guards that are not for this role do not read it.
        query: what the text answers, for guards that look at both.
        sources: what it should rest on, for guards that look at that.
        answer: asks models and the solver for guards that need them. Without it claims are proved in this process,
            and a guard that asks a model was not run, which is a finding of the category ``ERROR`` and blocks unless
            its ``on_error`` says ``pass``.
        placeholders: shared by texts whose numbered placeholders must agree.

    Raises:
        GuardConfigErrors: every mistake of ``config``.
    """
    rails = config if isinstance(config, Rails) else compile_rails(config)
    found, answering = rails.find(text, role), answer or _alone
    if rails.checks:
        passages = (*(Passage(source, "document") for source in sources), *((Passage(query, "user"),) if query else ()))
        found += tuple(f for each in rails.checks for f in _run(each, View(text, query, passages), answering))
    return judged(text, tuple(sorted(found, key=lambda finding: finding.start)), placeholders)


def _alone(wanted: Ask | Prove) -> Any:
    """What can be answered without anybody's help.

    Raises:
        CheckFailed: a model is asked.
    """
    if isinstance(wanted, Ask):
        raise CheckFailed(f"the tier {wanted.tier!r} is asked, and there is nobody to answer")
    from guardrails.reasoning import Shelf, prove

    return prove(wanted.job, Shelf())


def _run(checked: Checked, view: View, answer: Answerer) -> tuple[Finding, ...]:
    """The findings of one check; one that could not be made is a finding too."""
    guard = checked.check.guard
    steps = checked.check.run(view)
    try:
        wanted = next(steps)
        while True:
            wanted = steps.send(answer(wanted))
    except StopIteration as end:
        # One that wrote the text again still found what it found in this one.
        found: tuple[Finding, ...] = end.value.before if isinstance(end.value, Rewritten) else end.value
        return found
    except Exception:  # noqa: BLE001  (whatever it is, it must not read as "nothing found")
        return (Finding(guard, "ERROR", 1.0, 0, len(view.text), checked.lost, f"{guard}.error"),)
    finally:
        steps.close()
