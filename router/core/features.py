"""Facts about a request that rules, the ledger and explanations use. Pure; never holds text."""

from __future__ import annotations

from router.core.tokens import BYTES_PER_TOKEN, estimate_tokens
from router.core.wire import ChatRequest
from router.types import Features

LANGUAGE_SAMPLE = 400  # code points; a script shows itself early, and the work stays bounded

_SCRIPTS: tuple[tuple[str, tuple[tuple[int, int], ...]], ...] = (
    ("ko", ((0xAC00, 0xD7A3), (0x1100, 0x11FF), (0x3130, 0x318F))),
    ("ja", ((0x3040, 0x30FF),)),
    ("zh", ((0x4E00, 0x9FFF),)),
    ("ru", ((0x0400, 0x04FF),)),
    ("ar", ((0x0600, 0x06FF),)),
    ("hi", ((0x0900, 0x097F),)),
    ("th", ((0x0E00, 0x0E7F),)),
)
SCRIPT_SHARE = 0.2  # Korean technical prose is half English words


def language_of(text: str) -> str:
    """A language code told from the script alone: ``en`` for plain ASCII, ``und`` where it cannot be told.

    Kana marks Japanese even among Chinese characters, Hangul marks Korean even among English words.
    """
    if text.isascii():
        return "en"
    sample = text[:LANGUAGE_SAMPLE]
    letters = [ord(c) for c in sample if c.isalpha()]
    if not letters:
        return "und"
    for code, ranges in _SCRIPTS:
        hits = sum(1 for point in letters if any(low <= point <= high for low, high in ranges))
        if hits >= SCRIPT_SHARE * len(letters):
            return code
    return "en" if sum(1 for p in letters if p < 0x80) >= 0.98 * len(letters) else "und"


def features_of(request: ChatRequest, ask: str, findings: tuple[str, ...] = ()) -> Features:
    """Count what a policy can ask about. ``input_tokens`` is an estimate over all texts and offered tools."""
    language = language_of(ask)
    tools = request.tools_bytes // BYTES_PER_TOKEN
    return Features(
        language=language,
        input_tokens=sum(estimate_tokens(site.text, language) + 4 for site in request.sites) + tools,
        ask_chars=len(ask),
        turns=request.turns,
        tools=request.tools,
        images=request.images,
        findings=findings,
        max_output=request.max_output or 0,
    )
