"""Names that the guard leaves open: here a name that is masked wrongly costs a word, and one that is not is learned.

The ``pii`` guard does not take *Julia Castellano* for a name: *Julia* may be other things and the surname is on no
list. For a row of a data set the balance is another one than for a served request. Two capitalised words are a name
where the last is no English word and the first may be a first name, or is no English word either: so are names that
are on no list, *Yoo Jaemin* and *Aoife Mbeki*. Words with a capital inside them (*DevOps*) are products.
"""

# ruff: noqa: SIM905 -- a table reads better as one

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from guardrails.pii.lists import load
from guardrails.types import Action, Finding

_WORD: Final = r"[A-ZÀ-ÖØ-ÞĀ-ſ][A-Za-zÀ-ÖØ-öø-ÿĀ-ſ'’-]{1,24}"  # noqa: RUF001
_PARTICLE: Final = r"(?i:van|von|der|den|de|la|le|da|di|dos|del|du|bin|al|el)"
_PAIR: Final = re.compile(rf"(?<![\w@/#.-])(?=({_WORD}) (?:{_PARTICLE} ){{0,2}}({_WORD})(?![\w@/(]))")
_PLAIN: Final = re.compile(r"(?:Mc|Mac|[OD]['’])?[A-ZÀ-ÖØ-ÞĀ-ſ][a-zß-öø-ÿĀ-ſ]+(?:-[A-Za-zÀ-ÖØ-öø-ÿĀ-ſ]+)?")  # noqa: RUF001
_SCORE: Final = 0.6
#: Words that stand before a capitalised word and are not on the list of common words, and places of two words.
_NO_FIRST: Final = frozenset(
    (
        "is it he she we you they that this no so a an and as at but by for from if in into nor of off on or out over"
        " per than the to up via when with about after before during since until under monday tuesday wednesday"
        " thursday friday saturday sunday january february march april may june july august september october november"
        " december new north south east west costa rio san santa saint st los las el la puerto sri saudi mr mrs ms miss"
        " mx dr prof sir dear hello hi hey"
    ).split()
)
_NO_LAST: Final = frozenset(
    (
        "monday tuesday wednesday thursday friday saturday sunday january february march april may june july august"
        " september october november december era valley avenue street road lane blvd inc ltd llc gmbh corp co africa"
        " america asia europe korea zealand york jersey delhi kingdom rica arabia lanka"
    ).split()
)


def doubtful_names(text: str) -> Iterator[Finding]:
    """Names by the rule above, in order; they do not overlap."""
    end = 0
    for found in _PAIR.finditer(text):
        first, last = found.groups()
        start, stop = found.start(1), found.end(2)
        if start < end or not _strange(last) or first.lower() in _NO_FIRST or last.lower() in _NO_LAST:
            continue
        if not (_may_be_first(first) or _unknown_pair(first, last)):
            continue
        end = stop
        yield Finding("pii", "NAME", _SCORE, start, stop, Action.MASK, "pii.name")


def _may_be_first(word: str) -> bool:
    return any(word.lower() in names for names in load("first-names"))


def _unknown_pair(first: str, last: str) -> bool:
    return _strange(first) and all(_PLAIN.fullmatch(word) for word in (first, last))


def _strange(word: str) -> bool:
    """Whether it is no English word, as it stands or without an ending."""
    lower = word.lower()
    known = load("common-words")[0]
    return not (
        lower in known or any(lower.endswith(end) and lower[: -len(end)] in known for end in ("s", "es", "ed", "ing"))
    )
