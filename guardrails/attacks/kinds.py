"""Which kind of attack a stretch is, by what it speaks of. The kinds are Bedrock's."""

from __future__ import annotations

from typing import Final

from guardrails.attacks.concepts import CONCEPTS
from guardrails.attacks.signals import attack_signals

KINDS: Final = ("JAILBREAK", "PROMPT_INJECTION", "PROMPT_LEAKAGE")
_AT: Final = {name: row for row, name in enumerate(CONCEPTS)}


def kind_of(stretch: str) -> str:
    """The kind of a stretch that is an attack.

    What is hidden and that it be shown is leakage; a role, or freedom from rules, is a jailbreak; all else that
    orders the assistant about is an injection.
    """
    counts = attack_signals().count(stretch, [0], len(stretch))[0]
    says = {name: int(counts[row]) for name, row in _AT.items()}
    if says["hidden"] and says["reveal"] and says["role"] + says["free"] <= says["hidden"] + says["reveal"]:
        return "PROMPT_LEAKAGE"
    if says["free"] or says["role"] > says["answer"] + says["deed"]:
        return "JAILBREAK"
    return "PROMPT_INJECTION"
