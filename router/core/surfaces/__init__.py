"""Protocols other than OpenAI chat, each translated to it and back. Pure.

Chat is the hub: a request of another protocol becomes a chat request before the pipeline sees it, and the
pipeline's answer, whole or event by event, is put back into the caller's protocol. So guards, scores, limits and
the ledger know one shape, and no protocol can slip past them.
"""

from router.core.surfaces.base import Carried, Read, Surface, dropped_words, frame

__all__ = ["Carried", "Read", "Surface", "dropped_words", "frame"]
