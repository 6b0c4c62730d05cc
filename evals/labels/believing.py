"""What becomes of a round: how far the judge agrees with itself and with people, and where its labels go."""

from __future__ import annotations

from typing import Literal

from evals.labels.agreement import ENOUGH, FEWEST, LEAST, Agreement, agreement
from evals.labels.work import Work
from router.ledger.feedback import Feedback, give
from router.ledger.place import Place
from router.ledger.weak import keep_weak
from router.types import Frozen

Kept = Literal["feedback", "weak", "refused", "nothing"]


class Believed(Frozen, frozen=True, kw_only=True):
    """How far a judge is believed.

    Attributes:
        itself: the two wordings. people: its forward wording against theirs.
        why: why its labels are weak; empty where they are believed.
    """

    itself: Agreement
    people: Agreement
    why: str


class Stored(Frozen, frozen=True, kw_only=True):
    """Where the labels went, how many were new, how many answers got no verdict."""

    kept: Kept
    labels: int
    new: int
    silent: int
    mean: float | None


def believe(work: Work) -> Believed:
    """Hold the judge against itself and against people. What was not checked is not believed."""
    forward = {
        turn[0]: said.score for turn, said in work.said.items() if turn[1] == "forward" and said.score is not None
    }
    again = {
        turn[0]: said.score for turn, said in work.said.items() if turn[1] == "reversed" and said.score is not None
    }
    both = sorted(forward.keys() & again.keys())
    itself = agreement([forward[i] for i in both], [again[i] for i in both])
    shared = sorted(forward.keys() & work.plan.people.keys())
    people = agreement([forward[i] for i in shared], [work.plan.people[i] for i in shared])
    return Believed(itself=itself, people=people, why=_why(itself, people))


def _why(itself: Agreement, people: Agreement) -> str:
    if itself.n < FEWEST:
        return f"only {itself.n} answers have a verdict in both wordings; {FEWEST} are needed to know the judge"
    if not itself.known:
        return "all its verdicts are alike, so that its agreement with itself cannot be told from chance"
    if not itself.enough:
        return f"it does not agree with itself: {_figure(itself)}; {ENOUGH} and at least {LEAST} are asked for"
    if people.known and not people.enough:
        return f"it does not agree with people: {_figure(people)}; {ENOUGH} and at least {LEAST} are asked for"
    return ""


def _figure(found: Agreement) -> str:
    return f"alpha {found.alpha:.2f} ({found.alpha_low:.2f} to {found.alpha_high:.2f}, n = {found.n})"


def store(work: Work, ledger: Place, believed: Believed, now_ms: int, *, refuse_weak: bool = False) -> Stored:
    """Keep the labels of a round: as feedback where the judge is believed, else apart, or not at all.

    The score of an answer is the mean of its wordings. Answers that people have judged already get none.

    Raises:
        LedgerError: the ledger cannot be opened.
        sqlite3.Error: it cannot be written; storing again repeats nothing.
    """
    labels = labels_of(work, now_ms)
    silent = sum(said.score is None for said in work.said.values())
    mean = sum(label.score for label in labels) / len(labels) if labels else None
    if not labels:
        return Stored(kept="nothing", labels=0, new=0, silent=silent, mean=None)
    if not believed.why:
        new = sum(give(ledger, label)[1] for label in labels)
        return Stored(kept="feedback", labels=len(labels), new=new, silent=silent, mean=mean)
    if refuse_weak:
        return Stored(kept="refused", labels=len(labels), new=0, silent=silent, mean=mean)
    new = keep_weak(ledger, labels, believed.why)
    return Stored(kept="weak", labels=len(labels), new=new, silent=silent, mean=mean)


def labels_of(work: Work, now_ms: int) -> list[Feedback]:
    """What a round has to say, answer by answer."""
    found = []
    for request_id, at_ms in work.plan.rows:
        scores = [
            said.score
            for wording in ("forward", "reversed")
            if (said := work.said.get((request_id, wording))) is not None and said.score is not None
        ]
        if scores:
            found.append(
                Feedback(
                    request_id=request_id,
                    at_ms=at_ms,
                    who=work.plan.who,
                    score=sum(scores) / len(scores),
                    given_ms=now_ms,
                )
            )
    return found
