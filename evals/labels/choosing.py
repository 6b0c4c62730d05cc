"""What a round of labelling is about: the answers worth most, with their texts, and what had to be left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from evals.labels.texts import Captured, read_texts, text_ids
from evals.labels.value import Served, pick
from evals.labels.work import Planned
from router.core.decide import PRIVATELY
from router.ledger import candidates
from router.ledger.place import Place

TWICE: Final = 0.2
"""The share of a round that is judged in both wordings."""

MOST_CHECKED: Final = 50
"""At most so many answers that people judged are judged again, to check the judge."""


class Left(NamedTuple):
    """Why answers were left out: ``texts`` nobody brought one; ``private`` the judge may not read it."""

    texts: int
    private: int


class Choice(NamedTuple):
    """A round.

    Attributes:
        rows: the answers, the most valuable first.
        people: answers that people judged, and their scores, to check the judge by.
        texts: of all of them.
        unjudged: how many prompts there were to choose from.
    """

    rows: Sequence[Served]
    people: Mapping[str, float]
    texts: Mapping[str, Captured]
    unjudged: int
    left: Left


def choose(
    ledger: Place,
    texts: Path,
    *,
    wanted: int,
    keep: float,
    since_ms: int = 0,
    tenant: str | None = None,
    people: Sequence[str] = (),
    private: bool = True,
) -> Choice:
    """Pick at most ``wanted`` answers.

    Args:
        ledger: where the answers are on record.
        texts: the file that has their words.
        wanted: how many.
        keep: the bar of the policy, as its ``quality.keep``.
        since_ms: not older than this.
        tenant: only this one's.
        people: whose judgements check the judge; none for a person.
        private: whether the judge may read what a rule kept on private models.

    Raises:
        LedgerError: there is no such ledger. TextsError: the texts cannot be read.
    """
    brought = text_ids(texts)
    found = candidates.unjudged(ledger, brought, since_ms, tenant)
    there = [served(row) for row in found.rows]
    known = [row for row in candidates.judged_by(ledger, people, since_ms) if row.id in brought] if people else []
    allowed = [row for row in there if private or not row.private]
    checks = [row for row in known if private or not _private(row.reasons)][:MOST_CHECKED]
    rows = pick(allowed, wanted, keep)
    return Choice(
        rows=rows,
        people={row.id: row.score for row in checks},
        texts=read_texts(texts, {row.id for row in rows} | {row.id for row in checks}),
        unjudged=found.prompts,
        left=Left(found.prompts - len(there), len(there) - len(allowed)),
    )


def served(row: candidates.Unjudged) -> Served:
    """A row of the ledger as its value is computed."""
    return Served(
        id=row.id, at_ms=row.at_ms, tier=row.tier, tenant=row.tenant, p_right=row.p_right, novelty=row.novelty,
        cost_nano=row.cost_nano, asked=row.asked, artefact=row.artefact, place=row.place,
        private=_private(row.reasons),
    )  # fmt: skip


def _private(reasons: Sequence[str]) -> bool:
    return any(PRIVATELY in text for text in reasons)


def plan(choice: Choice, who: str, model: str, twice: float = TWICE) -> Planned:
    """What the judge is to do; every so-manyth row is judged in both wordings."""
    step = max(1, round(1 / twice)) if twice > 0 else len(choice.rows) + 1
    return Planned(
        who=who,
        model=model,
        rows=tuple((row.id, row.at_ms) for row in choice.rows),
        twice=tuple(row.id for row in choice.rows[::step]) if twice > 0 else (),
        people=dict(choice.people),
    )
