"""Why no model serves a request: the caller's doing, which another try cannot mend, or the operator's. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from router.errors import ContextTooLong, NoTier, StillhouseError, UnsupportedParameter
from router.types import Deployment, Features, Reason


def refusal_of(
    deployments: Sequence[Deployment], features: Features, reason: Reason, *, private: bool
) -> StillhouseError:
    """What to tell a caller whom none of ``deployments`` can serve; ``reason`` is the decision's last."""
    able = [d for d in deployments if d.private or not private]
    if not able:
        return NoTier(reason.text)
    if features.images and not any(d.images for d in able):
        return UnsupportedParameter("No model here reads images. Send the request without them.", param="messages")
    if features.tools and not any(d.tools for d in able):
        return UnsupportedParameter("No model here can call tools. Send the request without them.", param="tools")
    windows = [d.context_window for d in able if (d.tools or not features.tools) and (d.images or not features.images)]
    longest = max((window for window in windows if window is not None), default=0)
    if windows and None not in windows and features.input_tokens > longest:
        words = f"The request has about {features.input_tokens} tokens, and the longest context here is {longest}."
        return ContextTooLong(words, param="messages")
    return NoTier(reason.text)
