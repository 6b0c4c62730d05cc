"""Short questions with exact answers: choice, sum, fact and JSON, in English and Korean.

Three kinds of origin. *Written*: ``suites/short-facts.yaml``, and sums and JSON extractions made here from
our own sentences by a seed. *Imported*: multiple choice (MMLU-redux), word problems (GSM8K), plain
arithmetic and algebra (reasoning-gym) and trivia, read from a folder of outcome rows; their texts never
enter the project. Every question asks for the bare answer, so that 64 tokens hold it.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import random
import re
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec
import yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

Task = Literal["choice", "sum", "fact", "json"]

SEED: Final = 20261124
FACTS: Final = Path(__file__).parent / "suites" / "short-facts.yaml"
_FORMS: Final = 10  # sentences of each written kind and language
_SHORT: Final = 220  # code points of an imported prompt, about 70 tokens

_LETTER = {"en": "Answer with the letter only.", "ko": "글자 하나로만 답하세요."}
_NUMBER = {"en": "Answer with the number only.", "ko": "숫자로만 답하세요."}
_WORD = {"en": "Answer in a few words only.", "ko": "한 단어로만 답하세요."}
_JSON = {"en": "Reply with JSON only, with the keys", "ko": "JSON으로만 답하세요. 키는"}


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """One question.

    Attributes:
        prompt: what is asked, with the form that the answer must take.
        right: what counts as right: letters, numbers or words; for ``json`` the object as JSON.
    """

    task: Task
    language: str
    source: str
    prompt: str
    right: tuple[str, ...]

    @property
    def hash(self) -> str:
        """Sixteen hex digits that name the question without its text."""
        return hashlib.sha256(self.prompt.encode()).hexdigest()[:16]

    @property
    def max_tokens(self) -> int:
        """Room for the answer."""
        return {"json": 64, "fact": 16}.get(self.task, 12)

    def grade(self, answer: str) -> bool:
        """Whether ``answer`` is right."""
        return _GRADERS[self.task](answer, self.right)


# --- graders ---------------------------------------------------------------------------------------


def chosen_letter(answer: str) -> str | None:
    """The option an answer names: a letter that stands first, else after the word answer or option."""
    first = re.match(r"[\s*\"'(\[]*([A-J])(?![A-Za-z'])", answer)
    named = re.search(r"(?:answer|option|choice|정답)\D{0,12}?\b([A-J])\b", answer, re.IGNORECASE)
    found = first or named
    return found[1].upper() if found else None


def last_number(answer: str) -> float | None:
    """The last number of an answer; thousands may be set apart by commas."""
    found = re.findall(r"-?\d[\d,]*(?:\.\d+)?", answer)
    return float(found[-1].replace(",", "")) if found else None


def plain_words(text: str) -> str:
    """Words alone, lower case, one space between them."""
    letters = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(re.sub(r"[^\w\s]", " ", letters).split())


def bare_json(answer: str) -> Any:
    """The JSON value of an answer, inside one code fence or none; None where it is not JSON."""
    fenced = re.fullmatch(r"\s*```(?:json)?\s*(.*?)\s*```\s*", answer, re.DOTALL)
    try:
        return json.loads(fenced[1] if fenced else answer)
    except ValueError:
        return None


def _is_choice(answer: str, right: tuple[str, ...]) -> bool:
    return chosen_letter(answer) in right


def _is_number(answer: str, right: tuple[str, ...]) -> bool:
    found = last_number(answer)
    return found is not None and any(abs(found - float(want)) < 1e-6 for want in right)


_PARTICLES = "은는이가을를의에도로와과입니다이다에요예요년개일왕"


def _is_fact(answer: str, right: tuple[str, ...]) -> bool:
    said = f" {plain_words(answer)} "
    for want in map(plain_words, right):
        hangul = bool(re.search("[가-힣]", want))
        after = rf"(?:[{_PARTICLES}]*)(?!\w)" if hangul else r"(?!\w)" if want.isascii() and not want.isdigit() else ""
        if re.search(rf"(?<!\w){re.escape(want)}{after or '(?![0-9])'}", said):
            return True
    return False


def _is_object(answer: str, right: tuple[str, ...]) -> bool:
    got, want = bare_json(answer), json.loads(right[0])
    return isinstance(got, dict) and _folded(got) == _folded(want)


def _folded(value: Mapping[str, Any]) -> dict[str, Any]:
    return {key: plain_words(item) if isinstance(item, str) else item for key, item in value.items()}


_GRADERS: Final[Mapping[str, Callable[[str, tuple[str, ...]], bool]]] = {
    "choice": _is_choice,
    "sum": _is_number,
    "fact": _is_fact,
    "json": _is_object,
}


# --- written here ----------------------------------------------------------------------------------


def written() -> list[Question]:
    """Our own questions; the same ones every time."""
    draw = random.Random(SEED)  # noqa: S311  (reproducible, nothing secret)
    facts = yaml.safe_load(FACTS.read_text(encoding="utf-8"))["facts"]
    asked = [
        Question(
            task="fact", language=f["language"], source="own", right=tuple(f["answers"]),
            prompt=f"{f['ask']} {_WORD[f['language']]}",
        )
        for f in facts
    ]  # fmt: skip
    return [*asked, *_sums(draw), *_extractions(draw)]


def _sums(draw: random.Random) -> Iterator[Question]:
    for language, forms in _SUM_FORMS.items():
        for form in forms:
            for _ in range(_FORMS if language == "en" else _FORMS // 2):
                a, b, c = draw.randint(12, 98), draw.randint(3, 9), draw.randint(11, 49)
                words, value = form(a, b, c)
                yield Question(
                    task="sum", language=language, source="own", right=(str(value),),
                    prompt=f"{words} {_NUMBER[language]}",
                )  # fmt: skip


_Sum = "Callable[[int, int, int], tuple[str, int]]"
_SUM_FORMS: Final[Mapping[str, tuple[Callable[[int, int, int], tuple[str, int]], ...]]] = {
    "en": (
        lambda a, b, c: (f"What is {a} + {c}?", a + c),
        lambda a, b, c: (f"What is {a} × {b}?", a * b),
        lambda a, b, c: (f"What is {a} + {c} - {b}?", a + c - b),
        lambda a, b, c: (f"A crate holds {a} jars. {b} of them break. How many jars are whole?", a - b),
        lambda a, b, c: (f"{b} shelves carry {c} books each, and {a} books lie on a table. How many books?", b * c + a),
        lambda a, b, c: (f"A bus with {a} riders drops off {b} and takes on {c}. How many riders now?", a - b + c),
    ),
    "ko": (
        lambda a, b, c: (f"{a} 더하기 {c}는 얼마입니까?", a + c),
        lambda a, b, c: (f"사과가 {a}개 있었는데 {b}개를 먹었습니다. 몇 개가 남았습니까?", a - b),
        lambda a, b, c: (f"한 상자에 귤이 {c}개씩 들어 있습니다. {b}상자에는 귤이 모두 몇 개 있습니까?", b * c),
    ),
}


def _extractions(draw: random.Random) -> Iterator[Question]:
    for language, forms in _JSON_FORMS.items():
        for form in forms:
            for _ in range(_FORMS if language == "en" else _FORMS // 2):
                words, value = form(draw)
                keys = ", ".join(value)
                ask = f"{_JSON[language]} {keys}" + ("." if language == "en" else "입니다.")
                yield Question(
                    task="json", language=language, source="own", right=(json.dumps(value, ensure_ascii=False),),
                    prompt=f"{words} {ask}",
                )  # fmt: skip


_NAMES = ("Mira Olsen", "Tom Baker", "Ana Silva", "Jonas Weber", "Lena Park")
_TOWNS = ("Bergen", "Leeds", "Porto", "Bremen", "Incheon")
_GOODS = ("lamps", "chairs", "kettles", "ropes", "mirrors")
_KO_NAMES = ("김하늘", "박지민", "이서준", "최유나")
_KO_TOWNS = ("부산", "대전", "광주", "수원")
_JSON_FORMS: Final[Mapping[str, tuple[Callable[[random.Random], tuple[str, dict[str, Any]]], ...]]] = {
    "en": (
        lambda r: _person(r.choice(_NAMES), r.randint(19, 80), r.choice(_TOWNS)),
        lambda r: _order(r.randint(2, 60), r.choice(_GOODS), r.randint(5, 300)),
        lambda r: _meeting(r.choice(_TOWNS), r.randint(8, 17), r.random() < 0.5),
    ),
    "ko": (
        lambda r: _ko_person(r.choice(_KO_NAMES), r.randint(19, 80), r.choice(_KO_TOWNS)),
        lambda r: _ko_order(r.randint(2, 60), r.randint(5, 300)),
    ),
}


def _person(name: str, age: int, town: str) -> tuple[str, dict[str, Any]]:
    return f"{name}, {age} years old, moved to {town} last spring.", {"name": name, "age": age, "town": town}


def _order(count: int, goods: str, price: int) -> tuple[str, dict[str, Any]]:
    words = f"Please send us {count} {goods}; we pay {price} dollars in all."
    return words, {"item": goods, "count": count, "total": price}


def _meeting(town: str, hour: int, online: bool) -> tuple[str, dict[str, Any]]:
    how = "It is held online." if online else "It is held on site, not online."
    return f"The {town} team meets at {hour}:00. {how}", {"team": town, "hour": hour, "online": online}


def _ko_person(name: str, age: int, town: str) -> tuple[str, dict[str, Any]]:
    return f"{name} 씨는 {age}살이고 {town}에 삽니다.", {"name": name, "age": age, "city": town}


def _ko_order(count: int, price: int) -> tuple[str, dict[str, Any]]:
    return f"의자 {count}개를 주문합니다. 총액은 {price}달러입니다.", {"item": "의자", "count": count, "total": price}


# --- imported --------------------------------------------------------------------------------------


def imported(folder: Path) -> list[Question]:
    """Questions from a folder of outcome rows with references: the valid split alone, short prompts."""
    found: dict[str, Question] = {}
    with gzip.open(folder / "valid.jsonl.gz", "rt", encoding="utf-8", newline="\n") as rows:
        for line in rows:
            question = _import(json.loads(line))
            if question is not None:
                found.setdefault(question.hash, question)
    return list(found.values())


def _import(row: Mapping[str, Any]) -> Question | None:
    if len(row["prompt"]) > _SHORT or not row["reference"]:
        return None
    reader = _READERS.get(row["source"]) or _READERS.get(row["task"])
    return None if reader is None else reader(row)


def _redux(row: Mapping[str, Any]) -> Question | None:
    options = re.findall(r"^- \(([A-D])\) (.*)$", row["prompt"], re.MULTILINE)
    right = [letter for letter, text in options if text.strip() == row["reference"].strip()]
    if len(options) != 4 or len(right) != 1:  # noqa: PLR2004
        return None
    return _imported("choice", row, f"{row['prompt'].strip()}\n\n{_LETTER['en']}", (right[0],))


def _word_problem(row: Mapping[str, Any]) -> Question | None:
    value = last_number(str(row["reference"]))
    if value is None or len(row["prompt"]) > 200:  # noqa: PLR2004
        return None
    return _imported("sum", row, f"{row['prompt'].strip()} {_NUMBER['en']}", (repr(value),))


def _arithmetic(row: Mapping[str, Any]) -> Question | None:
    reference = str(row["reference"]).strip()
    if len(row["prompt"]) > 120 or not re.fullmatch(r"-?\d+(?:\.\d+)?", reference):  # noqa: PLR2004
        return None
    return _imported("sum", row, f"{row['prompt'].strip()} {_NUMBER['en']}", (reference,))


def _trivia(row: Mapping[str, Any]) -> Question | None:
    reference = plain_words(row["reference"])
    if not 1 <= len(reference.split()) <= 3 or len(row["prompt"]) > 120:  # noqa: PLR2004
        return None
    return _imported("fact", row, f"{row['prompt'].strip().rstrip('?')}? {_WORD['en']}", (reference,))


def _imported(task: Task, row: Mapping[str, Any], prompt: str, right: tuple[str, ...]) -> Question:
    return Question(task=task, language=row["language"], source=row["source"], prompt=prompt, right=right)


_READERS: Final[Mapping[str, Callable[[Mapping[str, Any]], Question | None]]] = {
    "zeroeval-mmlu-redux": _redux,
    "gsm-openai-6b-175b": _word_problem,
    "reasoning-gym/arithmetic": _arithmetic,
    "reasoning-gym/algebra": _arithmetic,
    "trivia_qa": _trivia,
}


def questions(folder: Path | None, limits: Mapping[str, int]) -> list[Question]:
    """Written and imported questions, mixed by the seed, at most ``limits[source]`` of an imported source."""
    draw = random.Random(SEED)  # noqa: S311
    kept = written()
    for source, most in sorted(limits.items()):
        pool = sorted((q for q in imported(folder) if q.source == source), key=lambda q: q.hash) if folder else []
        draw.shuffle(pool)
        kept += pool[:most]
    kept = list({q.hash: q for q in kept}.values())
    draw.shuffle(kept)
    return kept
