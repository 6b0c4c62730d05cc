"""The adapter of each upstream that the settings name, or that a student brings."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from router.registry.home import home
from router.serve.settings import Settings, read_secret
from router.upstream.anthropic import AnthropicUpstream
from router.upstream.base import Upstream
from router.upstream.openai import OpenAIUpstream
from router.upstream.responses import ResponsesUpstream
from router.upstream.transport import Transport

if TYPE_CHECKING:
    pass

log = logging.getLogger("stillhouse")


def open_upstream(name: str, settings: Settings, transport: Transport) -> Upstream:
    """The adapter of an upstream; heavy libraries load on its first use, not here."""
    wanted = settings.upstreams[name]
    if wanted.kind == "openai":
        assert wanted.base_url is not None
        adapter = ResponsesUpstream if wanted.wire == "responses" else OpenAIUpstream
        return adapter(name, wanted.base_url, read_secret(wanted.api_key), transport)
    if wanted.kind == "anthropic":
        assert wanted.base_url is not None
        return AnthropicUpstream(name, wanted.base_url, read_secret(wanted.api_key), transport)
    if wanted.kind == "litellm":
        from router.upstream.litellm import LiteLLMUpstream

        return LiteLLMUpstream(name, read_secret(wanted.api_key), wanted.base_url)
    if wanted.kind == "nano":
        from router.upstream.nano import NanoUpstream
        from router.upstream.nano_head import load

        assert wanted.path is not None
        return NanoUpstream(name, load(Path(wanted.path), wanted.sha256))
    return _local(name, settings)


def _local(name: str, settings: Settings) -> Upstream:
    """A registered model behind the embedded engine; the child process starts with its first request."""
    from router.registry.weights import candidates, load_weights, verify
    from router.upstream.local import LocalModel, LocalUpstream

    model = next((tier.model for tier in settings.tiers if tier.upstream == name), "")
    registered = {w.name: w for w in (*load_weights(home()), *candidates(home()))}
    if model not in registered:
        known = ", ".join(registered) or "none"
        raise ValueError(f"no weights are called {model!r} (known: {known}); see 'stillhouse models'")
    w = registered[model]
    return LocalUpstream(
        name,
        LocalModel(
            path=Path(w.path), model=w.name, fingerprint=w.fingerprint, context=w.context, tools=w.tools,
            memory_bytes=w.memory_bytes, verify=lambda: verify(w),
        ),
    )  # fmt: skip
