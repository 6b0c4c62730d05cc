"""Short questions with exact answers: choice, sum, fact and JSON, in English and Korean.

Three kinds of origin. *Written*: ``questions/short-facts.yaml``, and sums and JSON extractions made here from
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
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

import msgspec
import yaml

from evals.scorers.words import holds
from router.core.shapes import bare_json, chosen_letter, last_number, plain_words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

Task = Literal["choice", "sum", "fact", "json"]

SEED: Final = 20261124
FACTS: Final = Path(__file__).parents[1] / "questions" / "short-facts.yaml"
_SUMS: Final = {"en": 14, "ko": 8}  # of each form
_OBJECTS: Final = {"en": 4, "ko": 3}
_SHORT: Final = 200  # code points of an imported prompt, about 60 tokens

_LETTER = {"en": "Answer with the letter only.", "ko": "글자 하나로만 답하세요."}
_NUMBER = {"en": "Answer with the number only.", "ko": "숫자로만 답하세요."}
_WORD = {"en": "Answer in a few words only.", "ko": "한 단어로만 답하세요."}
_JSON = {"en": "Reply with JSON only, with the keys", "ko": "JSON으로만 답하세요. 키는"}


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """One question. The demand on the answer's form comes first: prompts that begin alike are read faster.

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


def _is_choice(answer: str, right: tuple[str, ...]) -> bool:
    return chosen_letter(answer) in right


def _is_number(answer: str, right: tuple[str, ...]) -> bool:
    found = last_number(answer)
    return found is not None and any(abs(found - float(want)) < 1e-6 for want in right)


def _is_fact(answer: str, right: tuple[str, ...]) -> bool:
    return holds(answer, right)


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
            prompt=f"{_WORD[f['language']]} {f['ask']}",
        )
        for f in facts
    ]  # fmt: skip
    return [*asked, *_sums(draw), *_extractions(draw)]


class _Numbers(NamedTuple):
    a: int
    b: int
    c: int


def _sums(draw: random.Random) -> Iterator[Question]:
    for language, forms in _SUM_FORMS.items():
        for form in forms:
            for _ in range(_SUMS[language]):
                words, value = form(_Numbers(draw.randint(12, 98), draw.randint(3, 9), draw.randint(11, 49)))
                yield Question(
                    task="sum", language=language, source="own", right=(str(value),),
                    prompt=f"{_NUMBER[language]} {words}",
                )  # fmt: skip


_SUM_FORMS: Final[Mapping[str, tuple[Callable[[_Numbers], tuple[str, int]], ...]]] = {
    "en": (
        lambda n: (f"What is {n.a} + {n.c}?", n.a + n.c),
        lambda n: (f"What is {n.a} \u00d7 {n.b}?", n.a * n.b),
        lambda n: (f"What is {n.a} + {n.c} - {n.b}?", n.a + n.c - n.b),
        lambda n: (f"A crate holds {n.a} jars. {n.b} of them break. How many jars are whole?", n.a - n.b),
        lambda n: (
            f"{n.b} shelves carry {n.c} books each, and {n.a} books lie on a table. How many books?",
            n.b * n.c + n.a,
        ),
        lambda n: (
            f"A bus with {n.a} riders drops off {n.b} and takes on {n.c}. How many riders now?",
            n.a - n.b + n.c,
        ),
    ),
    "ko": (
        lambda n: (f"{n.a} 더하기 {n.c}는 얼마입니까?", n.a + n.c),
        lambda n: (f"사과가 {n.a}개 있었는데 {n.b}개를 먹었습니다. 몇 개가 남았습니까?", n.a - n.b),
        lambda n: (f"한 상자에 귤이 {n.c}개씩 들어 있습니다. {n.b}상자에는 귤이 모두 몇 개 있습니까?", n.b * n.c),
    ),
}


def _extractions(draw: random.Random) -> Iterator[Question]:
    for language, forms in _JSON_FORMS.items():
        for form in forms:
            for _ in range(_OBJECTS[language]):
                words, value = form(draw)
                keys = ", ".join(value)
                ask = f"{_JSON[language]} {keys}" + ("." if language == "en" else "입니다.")
                yield Question(
                    task="json", language=language, source="own", right=(json.dumps(value, ensure_ascii=False),),
                    prompt=f"{ask} {words}",
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
    if len(options) != 4 or len(right) != 1:
        return None
    return _imported("choice", row, f"{_LETTER['en']} {row['prompt'].strip()}", (right[0],))


def _word_problem(row: Mapping[str, Any]) -> Question | None:
    value = last_number(str(row["reference"]))
    if value is None or len(row["prompt"]) > 200:
        return None
    return _imported("sum", row, f"{_NUMBER['en']} {row['prompt'].strip()}", (repr(value),))


def _arithmetic(row: Mapping[str, Any]) -> Question | None:
    reference = str(row["reference"]).strip()
    if len(row["prompt"]) > 120 or not re.fullmatch(r"-?\d+(?:\.\d+)?", reference):
        return None
    return _imported("sum", row, f"{_NUMBER['en']} {row['prompt'].strip()}", (reference,))


def _trivia(row: Mapping[str, Any]) -> Question | None:
    reference = plain_words(row["reference"])
    if not 1 <= len(reference.split()) <= 3 or len(row["prompt"]) > 120:
        return None
    return _imported("fact", row, f"{_WORD['en']} {row['prompt'].strip().rstrip('?')}?", (reference,))


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
