"""Changes to a prompt that do not change how hard it is: what a router's decision must not depend on.

Each is a pure function of the text and a seeded generator; a text it does not apply to comes back as it is.
"""

from __future__ import annotations

import random
import re
import unicodedata
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_WORD: Final = re.compile(r"\b[A-Za-z]{4,}\b")
_OPTION: Final = re.compile(r"(?m)^(?:- )?\(?([A-J])[.):](?= )")
_LOOKS_LIKE: Final = str.maketrans("aceiopsxyABCEHKMOPTX", "асеіорѕхуАВСЕНКМОРТХ")
_OPENINGS: Final = {
    "en": (
        "Hello! Could you please help me with this? ",
        "Hi there, I hope you are doing well. ",
        "Good morning! I would like to ask you the following.\n\n",
        "Please ",
        "Sorry to bother you, but I have a question. ",
        "Would you be so kind as to answer this for me: ",
        "Dear assistant, ",
        "If it is not too much trouble, ",
    ),
    "ko": (
        "안녕하세요! ",
        "안녕하세요, 질문이 하나 있습니다. ",
        "실례지만 여쭤볼 것이 있습니다. ",
        "수고 많으십니다. ",
        "바쁘시겠지만 답변 부탁드립니다. ",
        "혹시 괜찮으시다면 도와주세요. ",
    ),
}
_CLOSINGS: Final = {
    "en": (
        " Thank you very much!",
        "\n\nThanks in advance for your help.",
        " I would really appreciate your help.",
        "\n\nBest regards",
        " Many thanks, and have a nice day!",
        " Please let me know. Thanks!",
    ),
    "ko": (
        " 부탁드립니다.",
        " 감사합니다!",
        "\n\n미리 감사드립니다.",
        " 꼭 좀 부탁드려요.",
        " 답변 기다리겠습니다.",
        " 고맙습니다~",
    ),
}
#: Formal, polite and plain endings of one meaning.
_LEVELS: Final = (
    ("입니까", "인가요", "일까요"),
    ("하십시오", "하세요", "하시오"),
    ("주십시오", "주세요", "줘"),
    ("시오", "세요"),
    ("있습니다", "있어요", "있다"),
    ("했습니다", "했어요", "했다"),
    ("합니다", "해요", "한다"),
    ("됩니다", "돼요", "된다"),
    ("습니까", "나요"),
)
_PARTICLES: Final = re.compile(r"(?<=[가-힣])(?:은|는|이|가|을|를|의)(?= )")


def _case(text: str, rng: random.Random) -> str:
    return rng.choice((str.lower, str.upper, str.title, str.capitalize))(text)


def _spacing(text: str, rng: random.Random) -> str:
    wide = "".join(char * rng.choice((1, 1, 2, 3)) if char == " " else char for char in text)
    lines = [line + rng.choice(("", "  ", "\t")) for line in wide.split("\n")]
    return rng.choice(("", " ", "\n")) + "\n".join(lines) + rng.choice(("", " ", "\n\n"))


def _line_ends(text: str, rng: random.Random) -> str:
    return re.sub(r"\n+", lambda m: rng.choice(("\r\n", "\r\n\r\n", "\n\n\n", "\r")) * len(m[0][:1]), text)


def _option_labels(text: str, rng: random.Random) -> str:
    style = rng.choice(("({})", "{})", "[{}]", "- {})", "{}:"))
    lower = rng.random() < 0.5
    return _OPTION.sub(lambda m: style.format(m[1].lower() if lower else m[1]), text)


def _typos(text: str, rng: random.Random, rate: float = 0.02) -> str:
    """One letter swapped, dropped or doubled in about ``rate`` of the words, at least in one."""
    words = list(_WORD.finditer(text)) or list(re.finditer(r"[가-힣]{3,}", text))
    if not words:
        return text
    chosen = rng.sample(words, max(1, round(rate * len(words))))
    for match in sorted(chosen, key=lambda m: -m.start()):
        word = match[0]
        at = rng.randrange(1, len(word) - 1)
        slip = rng.choice(
            (
                word[:at] + word[at + 1] + word[at] + word[at + 2 :],
                word[:at] + word[at + 1 :],
                word[:at] + word[at] + word[at:],
            )
        )
        text = text[: match.start()] + slip + text[match.end() :]
    return text


def _look_alikes(text: str, rng: random.Random) -> str:
    way = rng.randrange(3)
    if way == 0:
        return "".join(c.translate(_LOOKS_LIKE) if rng.random() < 0.2 else c for c in text)
    if way == 1:
        return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" and rng.random() < 0.2 else c for c in text)
    return "".join(c + "\u200b" if rng.random() < 0.05 else c for c in text)


def _punctuation(text: str, rng: random.Random) -> str:
    way = rng.randrange(4)
    if way == 0:
        return text.rstrip(" \n.?!")
    if way == 1:
        return text.replace("?", "??") + "!"
    if way == 2:
        return re.sub(r'"([^"\n]*)"', "“\\1”", text).replace("'", "’").replace(" - ", " – ")
    return text.replace("...", "…").rstrip(" \n.") + rng.choice((".", " .", "..", " ?"))


def _markdown(text: str, rng: random.Random) -> str:
    first, *rest = text.split("\n")
    way = rng.randrange(4)
    if way == 0:
        return "\n".join((f"**{first.strip()}**", *rest))
    if way == 1:
        return f"## {text}"
    if way == 2:
        return "\n".join(f"> {line}" for line in (first, *rest))
    return f"```\n{text}\n```" if "```" not in text else f"# {text}"


def _opening(text: str, rng: random.Random) -> str:
    return rng.choice(_OPENINGS[_language(text)]) + text


def _closing(text: str, rng: random.Random) -> str:
    return text + rng.choice(_CLOSINGS[_language(text)])


def _korean_spacing(text: str, rng: random.Random) -> str:
    """About one gap in ten between Korean words closed: a frequent slip of writers."""
    return re.sub(r"(?<=[가-힣]) (?=[가-힣])", lambda _: "" if rng.random() < 0.1 else " ", text)


def _korean_particles(text: str, rng: random.Random) -> str:
    """About one particle in ten left out, as in speech."""
    return _PARTICLES.sub(lambda m: "" if rng.random() < 0.1 else m[0], text)


def _korean_politeness(text: str, rng: random.Random) -> str:
    for level in _LEVELS:
        used = next((form for form in level if form in text), None)
        if used:
            text = text.replace(used, rng.choice([form for form in level if form != used]))
    return text


def _unicode_form(text: str, _: random.Random) -> str:
    return unicodedata.normalize("NFD", text)


def _language(text: str) -> str:
    return "ko" if re.search("[가-힣]", text) else "en"


PERTURBATIONS: Final[Mapping[str, Callable[[str, random.Random], str]]] = {
    "case": _case,
    "spacing": _spacing,
    "line ends": _line_ends,
    "option labels": _option_labels,
    "typos": _typos,
    "look-alikes": _look_alikes,
    "punctuation": _punctuation,
    "Markdown": _markdown,
    "polite opening": _opening,
    "sign-off": _closing,
    "Unicode form": _unicode_form,
    "Korean spacing": _korean_spacing,
    "Korean particles": _korean_particles,
    "Korean politeness": _korean_politeness,
}


def perturbed(name: str, text: str, key: str, seed: int) -> str:
    """``text`` under the named change; equal ``key`` and ``seed`` give an equal result."""
    return PERTURBATIONS[name](text, random.Random(f"{seed}:{name}:{key}"))
