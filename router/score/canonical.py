"""The text the scorer reads: what does not change how hard a prompt is has been taken out.

Case, spacing, line ends, look-alike characters, Markdown dressing, the style of option labels, courtesies at
either end, strings without grammar (``salad``), Korean politeness levels, and talk addressed to the router
(``guardrails.routing_talk``).

Laws: total on any ``str``; ``canonical(canonical(t)) == canonical(t)``. One round of rewriting is linear, and
rounds go on until nothing changes. A prompt with nothing to take out pays for one round: a few passes of
compiled automata and a look at either end.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Any, Final

import re2

from guardrails.normalize import normalize
from guardrails.routing_talk import TALK, any_of, talk
from router.score.courtesy import EITHER_END, HEAD, TAIL, TAIL_REACH, plain_korean
from router.score.salad import without_salad

#: Letters of other scripts that are drawn like Latin ones (after Unicode's confusables, UTS 39).
_LIKE_LATIN: Final = str.maketrans(
    "авеѕіјкмнорстухԁԛԝһгѵӏɑɡαβεηικνορτυχωϲ",
    "abesijkmhopctyxdqwhrvlagabenikvoptuxwc",
)
_FOREIGN: Final = "\u0250-\u02af\u0370-\u03ff\u0400-\u052f"
_ANY_FOREIGN: Final = re.compile(f"[{_FOREIGN}]")
_MIXED: Final = re.compile(f"(?<![a-z])[a-z]*+[{_FOREIGN}][a-z{_FOREIGN}]*+")
_CYRILLIC: Final = re.compile("[\u0400-\u052f]")
_PLAIN: Final = str.maketrans(
    {
        **dict.fromkeys("‘’‚‛′´", "'"),
        **dict.fromkeys("“”„‟″«»「」『』", '"'),
        **dict.fromkeys("\u2028\u2029\x85", "\n"),
        **dict.fromkeys("•·▪●◦‣", "-"),
        "\xa0": " ",
        "。": ".",
        "、": ",",
        **{chr(0x2460 + i): f"({i + 1}) " for i in range(20)},
    }
)
_ODD: Final = re.compile("[^\x00-\x7f가-힣]+")
_HANGUL: Final = re.compile("[가-힣]")
_APART: Final = re.compile("[\u0300-\u036f\u1100-\u11ff\u3099\u309a]")

_MARKED: Final = (
    r"(?:^|\n)(?:#|> |[*+] |(?:- )?(?:[(\[][a-j0-9]|[a-j][):] |\d\d?\))|- [a-j]\. )"
    r"|(?:\?|options:?|choices:?|보기:?|선택지:?)\n1\. "
)
_MARKED_LINE: Final = re2.compile(_MARKED)
#: Anything that ``_tidy`` or ``_without_talk`` would change.
_CHANGEABLE: Final = (
    r"  |[\t\r\v\f\x1c-\x1f]| \n|\n |\n\n|\*\*|__|[?!]{2}|,,|\.{4}|-{4}|={4}|please|kindly|^```",
    _MARKED,
    *TALK,
)
_WORTH_A_LOOK: Final = any_of(*_CHANGEABLE)


def _set_of(*patterns: str) -> Any:
    """Tells whether any of the patterns occurs, without where: a fraction of what a search costs."""
    options = re2.Options()
    options.max_mem = 64 << 20
    found = re2.Set.SearchSet(options)
    found.Add("|".join(f"(?:{pattern})" for pattern in patterns))
    found.Compile()
    return found


#: Anything that one round would change, salad aside; many prompts have none of it.
_ANYTHING: Final = _set_of(*_CHANGEABLE, *EITHER_END)
_ODD_ASCII: Final = re.compile(r"[\v\f\x1c-\x1f]")
_ODD_SPACE: Final = str.maketrans({**dict.fromkeys("\v\f\x1c\x1d\x1e", "\n"), "\x1f": " "})
_GAPS: Final = re.compile(r"\n[ \t]+|[ \t]{2,}|\t")
_BREAKS: Final = re.compile(r"\n[ \n]*\n")
#: Marks that open before a word or close after one. They come first and look back over themselves, so that the
#: search runs from mark to mark.
_DRESSING: Final = re.compile(
    r"(?:\*\*|__)(?:(?<!\w\*\*)(?<!\w__)(?=[^\s*_])|(?:(?<=[^\s*_]\*\*)|(?<=[^\s*_]__))(?!\w))"
)
_MARKS: Final = re.compile(r"\n(?:#{1,6} |> )+")
_BULLET: Final = re.compile(r"\n[*+] (?=\S)")
_REPEATED: Final = re.compile(r"[?!]{2,}|,,+|\.{4,}|-{4,}|={4,}")
#: What any repetition holds: a look for these is a fraction of a look for the pattern.
_TWICE: Final = ("??", "?!", "!?", "!!", ",,", "....", "----", "====")
_LETTERED: Final = re.compile(r"\n(?:- )?(?:[(\[]([a-j])[)\]]|([a-j])[).:])[.:]? (?=\S)")
_NUMBERED: Final = re.compile(r"\n(?:- )?(?:[(\[](\d{1,2})[)\]]|(\d{1,2})\))[.:]? ?(?=\S)")
_ASKED: Final = re.compile(r"(?:\?|options:?|choices:?|보기:?|선택지:?)\n(?=1\. )")
_OPTION: Final = re.compile(r"(\d{1,2})(\. [^\n]{0,200})(?:\n|$)")
_PLEASE: Final = re.compile(r"(?:please|kindly)\b,? ?")
_MOST_OPTIONS: Final = 10
_ENDS: Final = " \n.,;:!?~…"
_CLAUSE: Final = ".,;:!?\n"
_CLAUSE_END: Final = re.compile(f"[{_CLAUSE}]")
_LONGEST_CLAUSE: Final = 240


def canonical(text: str) -> str:
    """The canonical form of a prompt, for scoring only: no model ever sees it."""
    text = _characters(text).strip(_ENDS)
    while True:
        before = text
        if _ANYTHING.Match(text) is None:
            text = without_salad(text)
        else:
            if _WORTH_A_LOOK.search(text) is not None:
                text = _without_talk(_tidy(text))
            text = _ends(text)
        if text == before:
            return text
        text = _characters(text).strip(_ENDS)


def _characters(text: str) -> str:
    """Lower case, compatibility forms and look-alikes folded, Korean endings brought to one level."""
    text = text.lower()
    while not text.isascii():
        before = text
        if odd := _ODD.findall(text):
            text = _folded(text, "".join(odd))
        if _HANGUL.search(text) is not None:
            text = plain_korean(text)
        if text == before:
            break
    return text


def _folded(text: str, odd: str) -> str:
    """Fold what is neither ASCII nor a Hangul syllable; ``odd`` is all of that.

    A text that is lower case already stays so beside what is folded, except that a sigma knows its neighbours.
    """
    if _APART.search(odd):
        text = unicodedata.normalize("NFC", text)
    text = _ODD.sub(_plain_run, text)
    if "Σ" in text:
        text = text.lower()
    return _unmasked(text) if _ANY_FOREIGN.search(text) else text


def _plain_run(match: re.Match[str]) -> str:
    run = match.group()
    return _plain_mark(run) if len(run) == 1 else _plain_mark.__wrapped__(run)


@lru_cache(maxsize=2048)
def _plain_mark(run: str) -> str:
    found = normalize(run.translate(_PLAIN))[0]
    return found if "Σ" in found else found.lower()


def _unmasked(text: str) -> str:
    """Words that borrow letters from another script to look Latin, as Latin."""
    cyrillic = _CYRILLIC.findall(text)
    pretends = bool(cyrillic) and "".join(cyrillic).translate(_LIKE_LATIN).isascii()

    def word(match: re.Match[str]) -> str:
        found = match.group()
        latin = found.translate(_LIKE_LATIN)
        if not latin.isascii():
            return found
        mixed = any("a" <= char <= "z" for char in found)
        return latin if mixed or (pretends and _CYRILLIC.match(found)) else found

    return _MIXED.sub(word, text)


def _tidy(text: str) -> str:
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if _ODD_ASCII.search(text):
        text = text.translate(_ODD_SPACE)
    if "  " in text or "\t" in text or "\n " in text:
        text = _GAPS.sub(_gap, text)
    text = text.replace("  \n", "\n").replace(" \n", "\n")
    if "\n\n" in text or "\n " in text:
        text = _BREAKS.sub("\n", text)
    if text.startswith("```") and text.endswith("```") and text.count("```") == 2:
        text = text[3:-3].partition("\n")[2]
    if "**" in text or "__" in text:
        text = _DRESSING.sub("", text)
    if "please" in text or "kindly" in text:
        text = _PLEASE.sub("", text)
    if any(twice in text for twice in _TWICE):
        text = _REPEATED.sub(_once, text)
    if _MARKED_LINE.search(text) is None:
        return text
    text = _BULLET.sub("\n- ", _MARKS.sub("\n", f"\n{text}"))
    text = _NUMBERED.sub(_label, _LETTERED.sub(_label, text))[1:]
    asked = _ASKED.search(text)
    return text if asked is None else text[: asked.end()] + _lettered(text[asked.end() :])


def _gap(match: re.Match[str]) -> str:
    """One space inside a line; an indent of two where there was any deeper one; none for a stray space."""
    found = match.group()
    if found[0] != "\n":
        return " "
    return "\n" if found == "\n " else "\n  "


def _once(match: re.Match[str]) -> str:
    found = match.group()
    return found[0] if found[0] in "?!," else found[:3]


def _label(match: re.Match[str]) -> str:
    return f"\n{match.group(match.lastindex or 0)}. "


def _lettered(block: str) -> str:
    """Options numbered 1., 2., ... under a question get letters."""
    lines: list[str] = []
    at = 0
    while (line := _OPTION.match(block, at)) and line[1] == str(len(lines) + 1) and len(lines) < _MOST_OPTIONS:
        lines.append(f"{chr(ord('a') + len(lines))}{line[2]}")
        at = line.end()
    if len(lines) < 2:
        return block
    return "\n".join(lines) + ("\n" + block[at:] if at < len(block) else "")


def _without_talk(text: str) -> str:
    """Without what is said to the router: the clause where it is addressed, else the bare phrase."""
    found = talk(text)
    if not found:
        return text
    kept: list[str] = []
    done = 0
    for start, end, addressed in found:
        if end <= done:
            continue
        first, last = _clause(text, start, end) if addressed else (start, end)
        kept.append(text[done : max(first, done)])
        done = last
    kept.append(text[done:])
    return " ".join(kept)


def _clause(text: str, start: int, end: int) -> tuple[int, int]:
    """The clause around a span, its closing mark included; the span alone where the clause is long."""
    first = max(0, start - _LONGEST_CLAUSE - 1)
    first = max(first, *(text.rfind(mark, first, start) + 1 for mark in _CLAUSE))
    last = min(len(text), end + _LONGEST_CLAUSE + 1)
    stop = _CLAUSE_END.search(text, end, last)
    last = last if stop is None else stop.start()
    if last - first > _LONGEST_CLAUSE:
        return start, end
    while last < len(text) and text[last] in _CLAUSE[:-1]:
        last += 1
    return first, last


def _ends(text: str) -> str:
    """Without courtesies, salad, and marks left hanging, at either end; a text of courtesies keeps the last."""
    text = text.strip(_ENDS)
    while (head := HEAD.match(text)) is not None and 0 < head.end() < len(text):
        text = text[head.end() :].lstrip(_ENDS)
    while (tail := TAIL.search(text[-TAIL_REACH:])) is not None:
        left = text[: max(len(text) - TAIL_REACH, 0) + tail.start()].rstrip(_ENDS)
        if not left:
            break
        text = left
    return without_salad(text)
