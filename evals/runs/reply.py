"""What a target gave back for one row: what is kept in the cache, and what scorers read."""

from __future__ import annotations

from collections.abc import Mapping

from router.types import Frozen, TierName


class Reply(Frozen, frozen=True, kw_only=True):
    """One answer, decision or verdict.

    Attributes:
        text: the answer's text, or a decision or verdict in words. Tool calls stand as JSON.
        calls: answers asked of models for it (0 where nothing was asked).
        tier, model, reasons: who answered and why.
        cost_nano: of all attempts; ``None`` where a price or token count is unknown.
        baseline_nano: what the large tier would have cost.
        latency_ms: until the whole answer was there; for decisions and guards their processor time.
        action, categories: of guards. alarm: their surest finding's score, 0 where they found nothing,
            ``None`` where there were none.
        private: whether the decision stays on private models.
        recorded: a recorded outcome.
        finish, chances: as ``Completion`` has them, where a model alone was asked.
    """

    text: str = ""
    calls: int = 0
    tier: TierName | None = None
    model: str = ""
    tokens_in: int | None = None
    tokens_out: int | None = None
    cost_nano: int | None = None
    baseline_nano: int | None = None
    latency_ms: float | None = None
    reasons: tuple[str, ...] = ()
    p_right: Mapping[str, float] = {}
    private: bool = False
    action: str = ""
    categories: tuple[str, ...] = ()
    alarm: float | None = None
    recorded: float | None = None
    finish: str = ""
    chances: tuple[tuple[str, dict[str, float]], ...] | None = None

    @property
    def because(self) -> str:
        """The id of the reason that chose the tier; what came of it afterwards stands behind it."""
        after = ("tier-missing", "no-tier", "cascade-")
        return next((reason for reason in reversed(self.reasons) if not reason.startswith(after)), "")
