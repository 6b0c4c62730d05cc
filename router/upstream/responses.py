"""A server whose models live behind ``/responses`` only: asked in its own protocol, heard as chat."""

from __future__ import annotations

from router.upstream.openai import OpenAIUpstream


class ResponsesUpstream(OpenAIUpstream):
    """One base URL with one key."""
