"""The explicit list of scorers: a suite's item and a reply in, a score 0..1 out, or ``None``: it has no opinion.

The judge is not here: it asks a model (``evals.runs.judging``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from evals.scorers.expected import decision_meets, tier_enough, verdict_meets
from evals.scorers.words import holds, letter_f1, same, word_f1
from policies.patterns import Pattern, compile_pattern
from router.core.schema_check import meets
from router.core.shapes import bare_json, chosen_letter, last_number

if TYPE_CHECKING:
    from evals.runs.reply import Reply
    from evals.suites.rows import Row
    from evals.suites.scorer_kinds import Scorer

Score = Callable[["Scorer", "Row", "Reply"], "float | None"]


class NoReference(ValueError):
    """The row has nothing that the answer could be compared with."""


def score(scorer: Scorer, row: Row, reply: Reply) -> float | None:
    """What ``scorer`` says; ``None`` where it has no opinion of such a row.

    Raises:
        NoReference: the row lacks what it compares with.
    """
    return SCORERS[scorer.kind](scorer, row, reply)


def _references(row: Row) -> tuple[str, ...]:
    if not row.reference:
        raise NoReference("the row has no reference")
    return row.reference


def _exact(scorer: Scorer, row: Row, reply: Reply) -> float:
    assert scorer.exact is not None
    return float(same(reply.text, _references(row), strict=scorer.exact.strict))


def _contains(scorer: Scorer, row: Row, reply: Reply) -> float:
    said = scorer.contains
    assert said is not None
    wanted = said.any_
    if wanted is None and said.all_ is None and said.none is None:
        wanted = _references(row)
    found = wanted is None or holds(reply.text, wanted)
    found = found and all(holds(reply.text, [each]) for each in said.all_ or ())
    return float(found and not (said.none and holds(reply.text, said.none)))


def _numeric(scorer: Scorer, row: Row, reply: Reply) -> float:
    assert scorer.numeric is not None
    found, numbers = last_number(reply.text), [last_number(each) for each in _references(row)]
    wanted = [number for number in numbers if number is not None]
    if not wanted:
        raise NoReference("the reference holds no number")
    if found is None:
        return 0.0
    slack = scorer.numeric.tolerance
    return float(any(abs(found - want) <= slack * (abs(want) if scorer.numeric.relative else 1) for want in wanted))


def _regex(scorer: Scorer, _row: Row, reply: Reply) -> float:
    assert scorer.regex is not None
    found = _compiled(scorer.regex.pattern).search(reply.text) is not None
    return float(found != scorer.regex.absent)


@lru_cache(maxsize=64)
def _compiled(pattern: str) -> Pattern:
    return compile_pattern(pattern)


def _choice(_scorer: Scorer, row: Row, reply: Reply) -> float:
    letters = {reference.strip().strip("().").upper() for reference in _references(row)}
    return float(chosen_letter(reply.text) in letters)


def _json_schema(scorer: Scorer, row: Row, reply: Reply) -> float:
    assert scorer.json_schema is not None
    value = bare_json(reply.text)
    if value is None or not meets(value, scorer.json_schema.schema_):
        return 0.0
    return float(not scorer.json_schema.same or value in [bare_json(each) for each in _references(row)])


def _similarity(scorer: Scorer, row: Row, reply: Reply) -> float:
    how = scorer.similarity
    assert how is not None
    if how.by == "words":
        return max(word_f1(reply.text, each) for each in _references(row))
    return max(letter_f1(reply.text, each, how.n) for each in _references(row))


def _tier(scorer: Scorer, row: Row, reply: Reply) -> float | None:
    assert scorer.tier is not None
    if row.tier is None or reply.tier is None:
        return None
    return float(tier_enough(reply.tier, row.tier, exact=scorer.tier.exact))


def _decision(_scorer: Scorer, row: Row, reply: Reply) -> float | None:
    if row.guarded:
        return None
    met = decision_meets(row.wanted, reply.tier, private=reply.private, reasons=reply.reasons)
    return None if met is None else float(met)


def _verdict(_scorer: Scorer, row: Row, reply: Reply) -> float | None:
    if reply.alarm is None or (not row.guarded and row.wanted.found is None):
        return None  # nobody guarded, or the row does not say what should be found
    met = verdict_meets(row.wanted, reply.action, reply.categories, reply.text)
    return None if met is None else float(met)


def _recorded(_scorer: Scorer, _row: Row, reply: Reply) -> float | None:
    return reply.recorded


SCORERS: Final[Mapping[str, Score]] = {
    "exact": _exact,
    "contains": _contains,
    "numeric": _numeric,
    "regex": _regex,
    "choice": _choice,
    "json_schema": _json_schema,
    "similarity": _similarity,
    "tier": _tier,
    "decision": _decision,
    "verdict": _verdict,
    "recorded": _recorded,
}
