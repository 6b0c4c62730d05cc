"""What one request may use and has used: entered once, each call of a model reserved before it and settled after it.

A request without a limit has no account, and pays for nothing here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from router.core.bounds import Size, cap_for, input_most, money_of
from router.core.cost import cost_of
from router.core.decide import RANK
from router.core.limits import MONEY, Cap, Purse, ends_ms
from router.core.peek import with_members
from router.errors import (
    BadRequest,
    BudgetExceeded,
    LimitReached,
    PriceUnknown,
    UpstreamAbstained,
    UpstreamAuth,
    UpstreamBusy,
    UpstreamRateLimited,
    UpstreamRejected,
    UpstreamResting,
    UpstreamUnavailable,
)  # fmt: skip
from router.serve.limits.limiting import Held, Limiter, Need
from router.types import Decision, Deployment, Price, Reason, TierName, Usage

if TYPE_CHECKING:
    from policies.policy import Policy
    from router.core.wire import ChatRequest
    from router.registry.keys import Key
    from router.serve.limits.owners import Limits
    from router.serve.story import Story

#: Models of OpenAI's that refuse ``max_tokens`` and want the newer name.
_NEWER: Final = ("gpt-5", "gpt-6", "o1", "o3", "o4", "chatgpt-")
_members: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
Headers = list[tuple[bytes, bytes]]


class Hold:
    """What one call has reserved.

    Attributes:
        cap: the ``max_tokens`` that must be sent; None where the body may travel as it is.
    """

    __slots__ = ("_held", "_limiter", "_open", "_price", "_size", "_subject", "cap")

    def __init__(
        self, limiter: Limiter, held: list[Held], size: Size, price: Price, cap: int | None, subject: str
    ) -> None:
        self._limiter, self._held, self._size, self._price, self.cap = limiter, held, size, price, cap
        self._subject = subject
        self._open = True

    def settle(self, usage: Usage | None) -> None:
        """It is over: what it used is used, the rest goes back. None where nothing was."""
        if not self._open:
            return
        self._open = False
        tokens = usage.input_tokens + usage.output_tokens if usage else 0
        cost = cost_of(usage, self._price) or 0 if usage else 0
        if usage and usage.source == "upstream" and self._size.choices:
            self._limiter.answers_of(self._subject).add(usage.output_tokens / self._size.choices)
        for held in self._held:
            self._limiter.give_back(held, cost if held.purse.cap.kind in MONEY else tokens)

    def unknown(self) -> None:
        """It is over, and nobody can say what it used: what it probably did."""
        given, made = self._size.probably()
        self.settle(Usage(input_tokens=given, output_tokens=made, source="estimated"))


#: After these nothing was generated, so nothing is owed. After all other ends nobody knows.
_FREE: Final = (
    UpstreamRejected, UpstreamRateLimited, UpstreamBusy, UpstreamAuth, UpstreamUnavailable, UpstreamResting,
    BadRequest,
    UpstreamAbstained,
)  # fmt: skip


def settle(hold: Hold | None, usage: Usage | None, error: BaseException | None = None) -> None:
    """Settle a call, the first time it is said; what it used is guessed where nobody says."""
    if hold is None:
        return
    if usage is not None or isinstance(error, _FREE):
        hold.settle(usage)
    else:
        hold.unknown()


class Account:
    """The limits of one request."""

    __slots__ = ("_caps", "_entered", "_holds", "_limiter", "_price", "called", "patient", "size")

    def __init__(self, limiter: Limiter, caps: tuple[Cap, ...]) -> None:
        self._limiter, self._caps = limiter, caps
        self._entered: list[Held] = []
        self._holds: dict[int, Hold] = {}
        self.size: Size | None = None
        self.patient = True
        self.called = False

    @property
    def meters(self) -> bool:
        """Whether tokens or money count, which somebody must be able to tell."""
        return any(cap.kind == "tokens" or cap.kind in MONEY for cap in self._caps)

    async def enter(self) -> None:
        """Count the request, and keep one of the places for requests in progress.

        Raises:
            LimitReached, LimitsAway: it may not come in.
        """
        needs = [Need(cap, 1, 1) for cap in self._caps if cap.kind in ("requests", "parallel")]
        if needs:
            self._entered = await self._limiter.take(lambda: needs)

    def measure(self, request: ChatRequest, story: Story) -> None:
        """Keep what the size of a call depends on."""
        assert story.features is not None
        texts = sum(memoryview(site.raw).nbytes for site in request.sites) + request.tools_bytes
        most = input_most(len(request.body), texts, request.turns, images=request.images, window=None)
        self.size = Size(story.features.input_tokens, most, None, request.max_output or 0, request.n)

    async def reserve(self, index: int, deployment: Deployment, expected: float | None) -> int | None:
        """Set aside what a call may use; gives back the ``max_tokens`` to send, if it must be sent.

        Raises:
            LimitReached, LimitsAway, PriceUnknown: the call must not be made.
        """
        assert self.size is not None, "a call is measured before it is made"
        if index in self._holds:  # a try that was given up without a word
            self._holds.pop(index).unknown()
        hold = self._holds[index] = await self.hold(deployment, self.size._replace(expected=expected))
        return hold.cap

    async def hold(self, deployment: Deployment, size: Size) -> Hold:
        """The same for a call beside the others, settled by whoever makes it."""
        if deployment.context_window is not None:
            size = size._replace(input_most=min(size.input_most, deployment.context_window))
        return await self.of_price(deployment.price, size, deployment.max_output, deployment.name)

    async def of_price(self, price: Price, size: Size, own: int | None, name: str) -> Hold:
        """The same where no deployment is asked; ``own`` is the model's bound on output tokens.

        Raises:
            LimitReached, LimitsAway, PriceUnknown: the call must not be made.
        """
        subject = self._caps[0].subject

        def needed() -> list[Need]:
            return self._needs(size._replace(seen=self._limiter.answers_of(subject).likely()), price, own, name)

        held = await self._limiter.take(needed, patient=self.patient) if needed() else []
        self.called = True
        granted = [each.amount for each in held if each.purse.cap.kind in MONEY]
        output = cap_for(min(granted), size, price, own) if granted else None
        return Hold(self._limiter, held, size, price, output, subject)

    def _needs(self, size: Size, price: Price, own: int | None, name: str) -> list[Need]:
        needs: list[Need] = []
        money = money_of(size, price, own)
        for cap in self._caps:
            if cap.kind == "tokens":
                needs.append(self._tokens(cap, size, own))
            elif cap.kind in MONEY:
                if money is None:
                    words = f"A budget cannot be kept over {name!r}: its price is unknown. The operator sets one."
                    raise PriceUnknown(words)
                needs.append(Need(cap, money.likely, money.most))
        return needs

    def _tokens(self, cap: Cap, size: Size, own: int | None) -> Need:
        """Tokens count as they were used; what is set aside is what an answer will hardly exceed.

        The caller's ``max_tokens`` does not count: many clients always send the largest there is.
        """
        if size.input > cap.limit:
            what, name = cap.subject.split(":", 1)
            words = f"This request alone is larger than the {cap.limit} tokens a minute of the {what} {name!r}."
            raise LimitReached(words, param="messages")
        wanted = min(cap.limit, size.tokens(own))
        return Need(cap, wanted, wanted)

    def settle(self, index: int, usage: Usage | None, error: BaseException | None) -> None:
        """The call of a try is over."""
        settle(self._holds.pop(index, None), usage, error)

    def leave(self) -> None:
        """The request is over, however it ended. One that was refused before any call was not counted."""
        for hold in self._holds.values():
            hold.unknown()
        self._holds.clear()
        for held in self._entered:
            self._limiter.give_back(held, 1)
        self._entered = []

    def refused(self) -> None:
        """A limit said no. Where nothing was called yet, the request does not count as one."""
        if not self.called:
            for held in self._entered:
                self._limiter.give_back(held, 0)
            self._entered = []

    def headers(self) -> Headers:
        """``x-ratelimit-*`` as OpenAI sends them: of the meter that has least left."""
        found: Headers = []
        for kind in ("requests", "tokens"):
            purses = [self._limiter.purse(cap) for cap in self._caps if cap.kind == kind]
            if not purses:
                continue
            tight = min(purses, key=Purse.remaining)
            left = tight.remaining()
            full = left >= tight.cap.limit
            ms = 0 if full else max(0, ends_ms(tight.cap.kind, tight.slot) - self._limiter.now())
            for name, value in (("limit", tight.cap.limit), ("remaining", left), ("reset", span(ms))):
                found.append((f"x-ratelimit-{name}-{kind}".encode(), str(value).encode()))
        return found


def span(ms: int) -> str:
    """A time as OpenAI writes it: ``20ms``, ``1s``, ``6m0s``."""
    if ms < 1000:
        return f"{ms}ms"
    minutes, seconds = divmod(-(-ms // 1000), 60)
    return f"{minutes}m{seconds}s" if minutes else f"{seconds}s"


def output_field(model: str) -> str:
    """What a model calls the bound on its output."""
    bare = model.rsplit("/", 1)[-1].lower()
    return "max_completion_tokens" if bare.startswith(_NEWER) else "max_tokens"


def capped(body: bytes, cap: int | None, model: str) -> bytes:
    """``body``, bound to ``cap`` output tokens under the name that it uses itself, or else that its model knows."""
    if cap is None:
        return body
    members = _members.decode(body)
    there: list[str] = [name for name in ("max_tokens", "max_completion_tokens") if name in members]
    return with_members(body, dict.fromkeys(there or [output_field(model)], cap))


def cheaper(policy: Policy, decision: Decision, tier: TierName, story: Story) -> tuple[TierName, ...]:
    """The tiers below ``tier`` that may answer where its money does not reach, nearest first; tells the account."""
    account = story.account
    assert account is not None
    below: tuple[TierName, ...] = ()
    if policy.body.at_limit == "cheaper" and not story.attempts:
        below = tuple(t for t in reversed(decision.free) if RANK[t] < RANK[tier])
    account.patient = not below  # who may take something cheaper does not stand in line
    return below


def afforded(tier: TierName, lower: TierName, over: BudgetExceeded) -> Reason:
    """Why a cheaper tier answers."""
    return Reason(id="limit-cheaper", text=f"{over.message.split(',')[0]} for {tier}, so {lower} is asked.")


async def enter(limits: Limits, key: Key | None, story: Story) -> None:
    """Open the account of a request that has limits, and let it in.

    Raises:
        LimitReached, LimitsAway: it may not come in.
    """
    if caps := limits.caps(key, story.tenant):
        story.account = account = Account(limits.limiter, caps)
        await account.enter()
