"""Scores of one reply, the judge's among them: what is asked twice, and kept like every answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from evals.scorers import judge as wording
from evals.scorers.catalog import NoReference, score
from evals.suites.rows import Row

if TYPE_CHECKING:
    from evals.runs.asking import Asker
    from evals.runs.reply import Reply
    from evals.suites.scorer_kinds import Judge, Scorer

NOT_JUDGED: Final = "not judged: "
JUDGE_SILENT: Final = f"{NOT_JUDGED}the judge did not answer: "
#: Gives a kept reply, or asks: the runner's business.
Obtain = Callable[["Asker", Row], Awaitable["Reply"]]


class Scored(NamedTuple):
    """What the scorers came to.

    Attributes:
        scores: scorer -> score; those without an opinion are absent.
        quality: their weighted mean; None where the answer could not be judged.
        why: why not; empty otherwise.
    """

    scores: Mapping[str, float]
    quality: float | None
    why: str = ""


def plain_scores(scorers: Sequence[Scorer], row: Row, reply: Reply) -> tuple[dict[str, float], str]:
    """The scores of all scorers but judges, and why one of them could not say."""
    scores: dict[str, float] = {}
    why = ""
    for scorer in scorers:
        if scorer.judge is not None:
            continue
        try:
            found = score(scorer, row, reply)
        except NoReference as missing:
            why = f"{NOT_JUDGED}{scorer.title}: {missing}"
            continue
        if found is not None:
            scores[scorer.title] = found
    return scores, why


def together(scorers: Sequence[Scorer], scores: Mapping[str, float], why: str) -> Scored:
    """The quality of an answer. A judge with a weight who does not say leaves it unjudged."""
    weighed = [(scorer.weight, scores[scorer.title]) for scorer in scorers if scorer.title in scores]
    silent = [scorer for scorer in scorers if scorer.judge is not None and scorer.weight and scorer.title not in scores]
    if silent:
        return Scored(scores, None, why or f"{NOT_JUDGED}{silent[0].title} did not agree with itself")
    total = sum(weight for weight, _ in weighed)
    if not total:
        return Scored(scores, None, why or f"{NOT_JUDGED}no scorer has an opinion of such a row")
    return Scored(scores, sum(weight * value for weight, value in weighed) / total)


async def judged(judge: Judge, asker: Asker, row: Row, reply: Reply, obtain: Obtain) -> float | None:
    """A judge's score; None where its two verdicts disagree, or there is nothing to compare with.

    Raises:
        AskError: it cannot be asked.
    """
    reference = row.reference[0] if row.reference else ""
    if judge.mode == "compare" and not reference:
        return None
    said = []
    for number, messages in enumerate(wording.questions(judge, row.text, reply.text, reference)):
        question = Row(id=f"{row.id}#{number}", text=str(messages[-1]["content"]), messages=tuple(messages))
        said.append((await obtain(asker, question)).text)
    return wording.verdict(judge, (said[0], said[1]))
