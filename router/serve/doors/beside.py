"""What the policy would have done with a request that was passed on as it came: guards, score, decision.

Formed when the answer has left. It goes into the record and nowhere else; whatever goes wrong is counted, said in the
log without a word of the prompt, and leaves the record without an opinion. Guards that need a model or the solver are
not run here: they would spend money, and time of others, on something that nobody acts on.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

import msgspec

from guardrails import Action, Finding
from guardrails.catalog import names
from router.core.affinity import Warm, remember
from router.core.cascade import planned
from router.core.decide import Caller, decide
from router.core.features import features_of
from router.core.plan import Try
from router.core.turns import turn_of
from router.core.wire import ChatRequest, TextSite, read_chat
from router.errors import StillhouseError, UpstreamError
from router.serve.accept import Order
from router.serve.doors.witness import Witness
from router.serve.guards.checking import judge_now, view_of
from router.serve.guards.guarding import hurry_of, moved, tagged
from router.serve.pipeline import candidates, output_rails, score_of, stay_in
from router.serve.story import Direction, Note, Story, Times
from router.types import Decision, Features, Reason, Score, Usage

if TYPE_CHECKING:
    from router.ledger.record import AttemptOutcome
    from router.serve.cell import Cell

log = logging.getLogger("stillhouse")
OBSERVED: Final = "observed"


class Passed:
    """A request that is being passed on: to whom, what is seen of the answer, and how it ended."""

    def __init__(self, wish: Order, step: Try, witness: Witness) -> None:
        self.wish = wish
        self.step = step
        self.witness = witness
        self.outcome: AttemptOutcome = "error"
        self.fault: UpstreamError | None = None
        self.times: Times | None = None

    def ended(self, story: Story, outcome: AttemptOutcome, fault: UpstreamError | None = None) -> None:
        """The call is over; the first end counts."""
        if self.times is None:
            self.outcome, self.fault = outcome, fault
            self.times = story.times()._replace(ended=story.elapsed_ms())


def beside(cell: Cell, chat: Callable[[], bytes], passed: Passed, story: Story) -> None:
    """Complete the record: what was passed on, and what the policy would have done. Never raises.

    ``chat`` gives the request as a chat completion; it may refuse as ``read_chat`` does.
    """
    try:
        _opine(cell, read_chat(chat()), passed, story)
    except StillhouseError:  # a body that we cannot read; its own server has judged it
        cell.metrics.unobserved.add(1, "unreadable")
    except Exception as fault:  # noqa: BLE001  (an opinion that fails must not cost the request, nor its record)
        cell.metrics.unobserved.add(1, "fault")
        log.error("observing request %s failed: %s", story.id, type(fault).__name__)
    _close(passed, story)


def _close(passed: Passed, story: Story) -> None:
    """Put the call on record, with what it used as far as that is known."""
    witness = passed.witness
    story.finish_reason, story.usage = witness.finish_reason, witness.usage
    if story.usage is None and witness.heard and story.features is not None:
        tokens = story.features.input_tokens
        story.usage = Usage(input_tokens=tokens, output_tokens=witness.tokens, source="estimated")
    passed.ended(story, passed.outcome, passed.fault)
    story.kept = Note(times=passed.times)
    story.call_ended(passed.step, passed.outcome, passed.fault)


def _opine(cell: Cell, request: ChatRequest, passed: Passed, story: Story) -> None:
    since = cell.clock()
    wish = msgspec.structs.replace(
        passed.wish, deployment=None, caller=Caller(passed.wish.caller.tenant, passed.wish.caller.tags)
    )
    found = _input_findings(cell, request, wish, story)
    story.spend("guard_in", since)
    since = cell.clock()
    ask = request.ask()
    features = features_of(request, ask, names((f.guard, f.category, f.confidence) for f in found))
    turn = turn_of(request, lambda text: score_of(cell, wish, text))
    stay = stay_in(cell, request, wish, story)
    caller = Caller(tenant=wish.caller.tenant, tags=wish.caller.tags, text=ask)
    fleet = cell.fleet(wish.policy)
    decision = decide(wish.policy, features, turn.score, caller, fleet, turn, stay)
    added = [*_acted("request", found), *_climbs(cell, wish, decision, turn.score, features)]
    story.features, story.score, story.stay = features, turn.score, stay
    if decision.served is not None:
        [(tier, d), *_] = candidates(cell, wish, decision, story)
        # What the session would remember had the policy been followed: its next turn depends on it.
        warm = Warm(tier, d.name, d.upstream, features.input_tokens, stay.now)
        cell.sessions.put(story.session_name, remember(stay.memory, warm, features.turns))
    story.spend("score", since)
    since = cell.clock()
    added += _acted("answer", _output_findings(request, passed.witness, story))
    story.spend("guard_out", since)
    served = passed.step.tier
    text = f"Only looked on: {served} was asked, as the caller wished; the policy would have asked {decision.served}."
    first = Reason(id="observed", text=text)
    story.decision = msgspec.structs.replace(decision, reasons=(first, *decision.reasons, *added))


def _acted(what: str, found: Sequence[Finding]) -> Iterator[Reason]:
    """What the guards would have done."""
    strictest = max((f.action for f in found), default=Action.NONE)
    if strictest is Action.BLOCK:
        yield Reason(id="observed-block", text=f"A guard would have blocked the {what}.")
    elif strictest is Action.MASK:
        yield Reason(id="observed-mask", text=f"A guard would have masked a part of the {what}.")


def _climbs(cell: Cell, wish: Order, decision: Decision, score: Score | None, features: Features) -> Iterator[Reason]:
    """What a cascade would have asked first: which answer it would have kept, nobody can know."""
    tiers, _ = planned(wish.policy.body, decision, score, features, cell.fleet(wish.policy))
    if tiers and tiers[0] != decision.served:
        words = f"The policy's cascade would have asked {tiers[0]} first; what it would have kept is not known."
        yield Reason(id="observed-cascade", text=words)


def _input_findings(cell: Cell, request: ChatRequest, wish: Order, story: Story) -> list[Finding]:
    """What the policy's input guards find; those of its shadow guards are noted, too, and not given back."""
    rails, shadow = wish.policy.rails["input"], wish.policy.shadow.get("input")
    tag, hurry = wish.guard_tag, hurry_of(story)
    marked = tag is not None and any(f"<{tag}>" in site.text for site in request.texts)
    found: list[Finding] = []
    for site in request.texts:
        for text, at in _read(site, tag if marked else None):
            seen = moved(cell.verdicts.find(rails, story.tenant, text, site.role, hurry), at)
            story.shadowed(seen, "input", site.path)
            found += seen
            if shadow is not None and not shadow.empty:
                looked = moved(cell.verdicts.find(shadow, story.tenant, text, site.role), at)
                story.shadowed(looked, "input", site.path)
    return found


def _read(site: TextSite, tag: str | None) -> Iterator[tuple[str, int]]:
    """The parts of a text that guards read, and where each begins."""
    if tag is None:
        yield site.text, 0
        return
    yield from ((text, at) for text, inside, at in tagged(site.text, tag) if inside)


def _output_findings(request: ChatRequest, witness: Witness, story: Story) -> list[Finding]:
    """What the policy's output guards find in the answer, as far as they need nobody for it."""
    policy = story.policy
    assert policy is not None
    if witness.deaf:
        story.cell.metrics.unobserved.add(1, "answer")
        return []
    side: Direction = "output"
    rails, shadow = output_rails(policy, request), policy.shadow.get(side)
    hurry = hurry_of(story)
    found: list[Finding] = []
    for index, path, text in witness.texts():
        where = f"choices[{index}].{path}"
        seen = rails.find(text, "assistant", hurry)
        story.shadowed(seen, side, where)
        found += seen
        if shadow is not None and not shadow.empty:
            story.shadowed(shadow.find(text, "assistant"), side, where)
    of_calls = [each for each in rails.checks if each.check.scope == "calls"]
    for said in witness.said() if of_calls else ():
        if said.calls:
            judged = judge_now(of_calls, view_of(request, said))
            story.shadowed(judged, side, f"choices[{said.choice}].tool_calls")
            found += judged
    return found
