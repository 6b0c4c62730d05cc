"""Stillhouse as a library: the gateway as an ASGI application, and the pieces worth calling by themselves.

    from stillhouse import create_app, load_settings
    app = create_app(load_settings("stillhouse.yaml"))   # mount it, or serve it with uvicorn

Names load on first use, so importing the package costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from guardrails import Rails, Verdict, check, compile_rails
    from policies.load import load_policy
    from policies.mistakes import Mistakes
    from policies.policy import Policy
    from router.score import Scorer
    from router.score import load as load_scorer
    from router.serve.app import create_app
    from router.serve.settings import Settings, load_settings

_WHERE = {
    "Mistakes": ("policies.mistakes", "Mistakes"),
    "Policy": ("policies.policy", "Policy"),
    "Rails": ("guardrails", "Rails"),
    "Scorer": ("router.score", "Scorer"),
    "Settings": ("router.serve.settings", "Settings"),
    "Verdict": ("guardrails", "Verdict"),
    "check": ("guardrails", "check"),
    "compile_rails": ("guardrails", "compile_rails"),
    "create_app": ("router.serve.app", "create_app"),
    "load_policy": ("policies.load", "load_policy"),
    "load_scorer": ("router.score", "load"),
    "load_settings": ("router.serve.settings", "load_settings"),
}

__all__ = [
    "Mistakes",
    "Policy",
    "Rails",
    "Scorer",
    "Settings",
    "Verdict",
    "check",
    "compile_rails",
    "create_app",
    "load_policy",
    "load_scorer",
    "load_settings",
]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'stillhouse' has no attribute {name!r}")
    module, attribute = _WHERE[name]
    return getattr(importlib.import_module(module), attribute)
