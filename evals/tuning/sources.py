"""What ``--on`` may name: outcome rows, recorded answers, or a ledger. Each makes a table for a policy.

A table depends on the policy: its family says by which profile chances are given, its patterns and guards what is
known of the texts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from evals.cascade.outcomes import Row, read_rows
from evals.importers.outcomes import Outcome, OutcomeError, read_outcomes
from evals.targets import Family, read_families
from evals.tuning.climbs import climbed, from_climbs
from evals.tuning.ledger import from_ledger
from evals.tuning.rows import NANO_A_DOLLAR, from_outcomes
from evals.tuning.side import Side, side
from evals.tuning.table import Table
from policies.policy import Policy
from router.core.checks import Calibration
from router.core.decide import Fleet
from router.core.models import profile_name
from router.ledger.place import Place
from router.ledger.read import EVERYTHING, Span
from router.registry.home import home
from router.registry.references import reference_prices
from router.serve.fitting import Unfit, wearing
from router.types import TIER_NAMES, Price

if TYPE_CHECKING:
    from router.score import Scorer

_SQLITE: Final = b"SQLite format 3\0"
#: Bytes of a first line that tell what kind of rows a file holds.
_PEEK: Final = 65_536


class Source(Protocol):
    """Recorded outcomes of some kind."""

    def side(self, policy: Policy, fleet: Fleet | None = None) -> Side:
        """A policy's decisions over the rows."""


@dataclass(frozen=True)
class Outcomes:
    """Outcome rows with their prompts; see ``rows.from_outcomes``."""

    rows: Sequence[Outcome]
    family: Family
    scorer: Scorer | None

    def table(self, policy: Policy) -> Table:
        """The rows as this policy sees them.

        Raises:
            OutcomeError: the profile that it names is not here, or does not fit the scorer.
        """
        try:
            scorer = None if self.scorer is None else wearing(self.scorer, [policy], home())
        except Unfit as error:
            raise OutcomeError(str(error)) from None
        return from_outcomes(self.rows, self.family, scorer, profile=profile_name(policy.body), policy=policy)

    def side(self, policy: Policy, fleet: Fleet | None = None) -> Side:
        """A policy's decisions over the rows."""
        return side(policy, self.table(policy), fleet=fleet)


@dataclass(frozen=True)
class Log:
    """A ledger. One table serves all policies of one family."""

    path: Place
    profile: str
    known: Table

    @classmethod
    def read(cls, path: Place, profile: str, span: Span = EVERYTHING) -> Log:
        """Read it once.

        Raises:
            LedgerError: there is no such ledger, or it has another shape.
        """
        return cls(path, profile, from_ledger(path, span, profile=profile))

    def side(self, policy: Policy, fleet: Fleet | None = None) -> Side:
        """A policy's decisions over the rows.

        Raises:
            OutcomeError: the policy scores by another family than the rows were chosen for.
        """
        if profile_name(policy.body) != self.profile:
            mine = profile_name(policy.body)
            raise OutcomeError(
                f"{policy.name!r} scores by family {mine!r}, and the other policy by {self.profile!r}: a "
                "ledger knows each request's chances for one family only; compare policies of one family"
            )
        return side(policy, self.known, fleet=fleet)


@dataclass(frozen=True)
class Climbs:
    """Recorded answers with what each showed; here cascades can be simulated."""

    rows: Sequence[Row]
    prices: Mapping[str, Price]
    calibration: Calibration | None

    def side(self, policy: Policy, fleet: Fleet | None = None) -> Side:
        """A policy's decisions over the rows, its cascade's tries among them."""
        decided = side(policy, from_climbs(self.rows, self.prices), fleet=fleet)
        if policy.body.cascade is None:
            return decided
        return replace(decided, climbed=climbed(policy, self.rows, self.prices, self.calibration))


def is_ledger(path: Path) -> bool:
    """Whether a file is an SQLite database."""
    with path.open("rb") as file:
        return file.read(len(_SQLITE)) == _SQLITE


def is_climbs(path: Path) -> bool:
    """Whether a file holds recorded answers rather than outcome rows."""
    if path.suffix == ".gz":
        return False
    with path.open("rb") as file:
        first = file.readline(_PEEK)
    return b'"answers"' in first and b'"demand"' in first


def outcomes(path: Path, family: Family, scorer: Scorer | None) -> Outcomes:
    """Outcome rows of a file.

    Raises:
        OutcomeError: they cannot be read, or do not hold the family's tiers.
    """
    return Outcomes(read_outcomes(path), family, scorer)


def climbs(path: Path, family: str, calibration: Calibration | None) -> Climbs:
    """Recorded answers of a file, at the reference prices of a family.

    Raises:
        OutcomeError: they cannot be read.
    """
    try:
        rows = read_rows(path)
    except (OSError, ValueError) as error:
        raise OutcomeError(f"{path}: not recorded answers: {error}") from None
    return Climbs(rows, reference_prices(family), calibration)


def family_of(name: str, families: Path | None, models: Mapping[str, str]) -> Family:
    """Which model is which tier, and what it costs.

    Args:
        name: the family's.
        families: a file of families (``evals.targets.read_families``) that has it.
        models: tier -> the model's name in the rows; these win, at the reference prices of ``name``. With neither,
            the rows score ``small``, ``medium`` and ``large`` by these names.

    Raises:
        OutcomeError: the file cannot be read or has no such family.
    """
    if families is not None and not models:
        known = read_families(families)
        if name not in known:
            some = ", ".join(sorted(known))
            raise OutcomeError(f"{families}: there is no family {name!r}; it has {some}. Name one with --family")
        return known[name]
    named = dict(models) or {tier: tier for tier in TIER_NAMES}
    prices = reference_prices(name)
    return Family(
        name,
        {tier: named[tier] for tier in TIER_NAMES if tier in named},
        {tier: _dollars(prices[tier]) for tier in TIER_NAMES if tier in named and tier in prices},
    )


def _dollars(price: Price) -> tuple[float, float]:
    assert price.input is not None
    assert price.output is not None
    return price.input / NANO_A_DOLLAR, price.output / NANO_A_DOLLAR
