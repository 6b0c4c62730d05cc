"""The shape of a short answer: what a prompt demands in words, and what an answer says once it is unwrapped.

Pure text work, English and Korean. A demand is only seen where the prompt states it plainly ("answer with
the letter only"); everything else has no shape, and then nothing is checked.
"""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Any, Literal

Shape = Literal["letter", "number", "json"]

_TAIL = 400  # code points; a demand stands at the end of a prompt or of its first lines
_LONGEST = 20_000  # code points of an answer that are looked at

_DEMANDS: tuple[tuple[Shape, re.Pattern[str]], ...] = (
    (
        "json",
        re.compile(
            r"\b(?:reply|answer|respond|return|output)\b[^.\n]{0,40}\bjson\b|\bjson (?:only|object)"
            r"|json\s*(?:으로|형식)",
            re.IGNORECASE,
        ),
    ),
    (
        "letter",
        re.compile(
            r"\bletter (?:only|alone)|\bonly (?:the|a|one) (?:option )?letter|\bsingle letter|\bthe letter of the"
            r"|글자 하나|기호만|알파벳(?:으로)?만|번호가 아닌 글자",
            re.IGNORECASE,
        ),
    ),
    (
        "number",
        re.compile(
            r"\bnumber (?:only|alone)|\bonly (?:the|a|one) (?:final )?number|\bsingle number|\bthe final number"
            r"|\bas an integer\b|숫자로만|숫자만|수만 (?:쓰|적|답)",
            re.IGNORECASE,
        ),
    ),
)

_LETTER_FIRST = re.compile(r"[\s*\"'(\[]*([A-J])(?![A-Za-z'])")
_LETTER_NAMED = re.compile(
    r"(?:answer|option|choice|정답)[^A-Za-z0-9]{0,4}(?:is[^A-Za-z]{0,4})?([A-J])\b", re.IGNORECASE
)
_NUMBER = re.compile(r"-?\d[\d,]{0,30}(?:\.\d{1,30})?")
_BARE_NUMBER = re.compile(r"[\s$€₩*]*-?\d[\d,]*(?:\.\d+)?[\s%*.]*(?:원|개|명|달러|권)?[\s.]*")
_BARE_LETTER = re.compile(r"[\s*\"'(\[]*[A-J][\s*\"')\].:]*")
_FENCE = re.compile(r"\s*```[a-z]*\s*")


def demanded_shape(prompt: str) -> Shape | None:
    """The shape that ``prompt`` demands of its answer; None where it demands none."""
    ends = prompt if len(prompt) <= 2 * _TAIL else prompt[:_TAIL] + "\n" + prompt[-_TAIL:]
    return next((shape for shape, words in _DEMANDS if words.search(ends)), None)


def keeps_shape(answer: str, shape: Shape) -> bool:
    """Whether ``answer`` is of that shape and nothing else."""
    text = answer[:_LONGEST]
    if shape == "json":
        return bare_json(text) is not None
    return bool((_BARE_LETTER if shape == "letter" else _BARE_NUMBER).fullmatch(text))


def gist(answer: str, shape: Shape | None) -> str:
    """What two answers must share to agree: the letter, the number, the JSON value, or the words."""
    text = answer[:_LONGEST]
    if shape == "letter":
        return chosen_letter(text) or ""
    if shape == "number":
        number = last_number(text)
        return "" if number is None else repr(number)
    if shape == "json":
        value = bare_json(text)
        return "" if value is None else json.dumps(value, sort_keys=True, ensure_ascii=False)
    return plain_words(text)


def chosen_letter(answer: str) -> str | None:
    """The option an answer names: a letter that stands first, else after a word such as *answer*."""
    found = _LETTER_FIRST.match(answer) or _LETTER_NAMED.search(answer)
    return found[1].upper() if found else None


def last_number(answer: str) -> float | None:
    """The last number of an answer; thousands may be set apart by commas."""
    found = _NUMBER.findall(answer)
    return float(found[-1].replace(",", "")) if found else None


def plain_words(text: str) -> str:
    """Words alone, lower case, one space between them."""
    letters = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(re.sub(r"[^\w\s]", " ", letters).split())


def bare_json(answer: str) -> Any:
    """The JSON value of an answer, bare or inside one code fence; None where it is not JSON, or null."""
    text = answer.strip()
    if text.startswith("```") and text.endswith("```"):
        text = text[:-3]
        opening = _FENCE.match(text)
        text = text[opening.end() :] if opening else text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
