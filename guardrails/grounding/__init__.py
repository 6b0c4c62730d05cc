"""The ``grounding`` guard: does an answer rest on its sources, and does it answer what was asked?"""

from guardrails.grounding.check import Grounding, GroundingConfig, compile_grounding

__all__ = ["Grounding", "GroundingConfig", "compile_grounding"]
