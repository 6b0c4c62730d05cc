"""The body a deployment is sent: the caller's own bytes, edited where they must be."""

from __future__ import annotations

from collections.abc import Sequence

from router.core.history import mend
from router.core.wire import ChatRequest, TextSite
from router.serve.limits.account import capped
from router.serve.story import Story
from router.types import Deployment


def forwarded(
    request: ChatRequest, deployment: Deployment, masks: Sequence[tuple[TextSite, str]], story: Story
) -> bytes:
    """The body for a deployment; mended where the conversation was at another upstream before."""
    body = request.forward(deployment.model, masks)
    if story.carried is not None:
        body = story.carried.outgoing(body, story.cell.settings.upstreams[deployment.upstream].speaks, deployment)
    body = capped(body, story.output_cap, deployment.model)
    return mend(body) if story.moved_from(deployment) else body
