"""Names of people in Latin script, by likelihood: lists of names, the form of a surname, the words before.

A candidate is one to four capitalised words. Where it begins depends on the one word before it only, so a text
that arrives in pieces is read as the whole text is. The weights are set by hand, not trained.
"""

# ruff: noqa: SIM905 -- a table reads better as one

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from guardrails.matching import Candidate, Kind, Rule
from guardrails.pii.lists import load

if TYPE_CHECKING:
    from collections.abc import Iterator

_UP = "A-ZÀ-ÖØ-ÞĀ-ſ"
_LETTER = "A-Za-zÀ-ÖØ-öø-ÿĀ-ſ"
# "O'Brien", "Jean-Luc", "McDonald"; a genitive ("Kevin's") does not belong to it.
_REST = rf"(?:[{_LETTER}]|['’-](?=[{_LETTER}]{{2}})|(?<=O)['’]){{1,19}}"
_WORD = rf"[{_UP}]{_REST}"
_PARTICLES = frozenset("van von der den de la le da di dos del du bin al el af av".split())
_PARTICLE = rf"(?:{'|'.join(sorted(_PARTICLES))})"
_INITIAL = rf"[{_UP}]\."
_EDGE = rf"(?<![{_LETTER}0-9_@/#.'’\\-])"
# The same behind the first character: a pattern that begins with a class is searched much faster.
_FIRST = rf"[{_UP}](?<![{_LETTER}0-9_@/#.'’\\-].)"
_STOP = rf"(?![{_LETTER}0-9_@/(])"
_BEGIN = re.compile(rf"{_FIRST}(?:\. ?(?=[{_UP}])|{_REST}{_STOP})")
_BETWEEN = rf"(?:(?:[{_UP}]\.? |{_PARTICLE} ){{0,2}})"
_MORE = re.compile(rf" {_BETWEEN}(?P<word>{_WORD}){_STOP}|(?<=\.)(?P<after>{_WORD}){_STOP}")
_BEFORE = re.compile(rf"({_WORD}|{_INITIAL}) {_BETWEEN}\Z")
_MAX_WORDS = 4
_HOLD = 130
_OPEN = re.compile(
    rf"{_EDGE}(?=[{_UP}])(?:{_INITIAL} ?|[{_UP}][{_LETTER}'’-]{{0,20}} |{_PARTICLE} ){{0,14}}"
    rf"(?:[{_UP}][{_LETTER}'’-]{{0,20}}|{_INITIAL} ?|[a-z]{{1,3}})?\Z"
)

# Words that begin a sentence, address, or company, and never a name.
_BREAK = frozenset(
    (
        "i a an the this that these those he she it we you they his her its our your their my me us them who whom whose"
        " what which when where why how if then else and or but nor so yet for from to in on at by of off with without"
        " as is are was were be been being do does did has have had can could may might must shall should will would"
        " not no yes hello hi hey dear thanks thank please sincerely regards best cheers mr mrs ms miss mx dr prof sir"
        " madam lord lady professor doctor president senator governor judge captain general colonel major sergeant"
        " officer detective pastor father mother brother sister uncle aunt king queen prince princess pope saint st"
        " producer author director manager actor actress singer writer artist engineer teacher student patient client"
        " customer user agent ceo cto cfo chairman coach player minister mayor host editor reporter journalist"
        " january february march april may june july august september october november december monday tuesday"
        " wednesday thursday friday saturday sunday suite apt apartment box name address phone email fax tel mobile"
        " all any some each every both many most other another such same one two three four five six seven eight nine"
        " ten after before during since until while because although though however therefore thus hence also only"
        " just even still now today tomorrow yesterday here there let suppose given consider find write explain"
        " describe solve show prove calculate compute create make use using explain choose select answer question"
        " note step example problem solution figure table chapter section part new old north south east west"
        " american british english french german korean chinese japanese russian spanish italian european african"
        " asian christian jewish muslim personal info billing shipping re fw cc bcc attn"
    ).split()
)
# A last word that makes it a place, a firm, a work.
_NOT_LAST = frozenset(
    (
        "street st avenue ave road rd drive lane ln boulevard blvd way court place square park bridge river lake"
        " mountain island islands beach bay valley county city town village state states kingdom republic university"
        " college school institute academy hospital clinic center centre museum library church theatre theater hotel"
        " airport station inc ltd llc corp corporation company co group bank fund trust foundation association society"
        " union league club team committee council agency department ministry office press times post news journal"
        " magazine award prize cup day war act law theorem equation method algorithm model effect syndrome disease"
        " test scale index number constant series process distribution inequality function space theory principle"
        " road house hall tower building festival games system systems technologies labs software studio studios"
        " records music band orchestra book film movie show river ocean sea desert province district region territory"
    ).split()
)
_SURNAME_FORM = re.compile(
    r"(?:ov[aá]|ev[aá]|sk[iyaáý]|ck[iyaá]|sen|sson|dóttir|dottir|vi[cć]|vich|enko|chuk|uk|berg|stein|mann|escu|poulos"
    r"|idis|akis|yan|dze|shvili|moto|mura|kawa|yama|naka|guchi|saki|zaki|ez|elli|etti|ini|ucci|ström|strom|lund"
    r"|gren|qvist|quist|nen|haus|bauer|meyer|maier|schmidt|feld|thal|burg|wicz|czyk|ák|ík|vá|ić|ič|sky|oğlu|oglu|"
    r"ashvili|singh|kumar|rao|reddy|nair|iyer|gupta|sharma|patel|nguyen|tran|fernandes|santos|silva)\Z"
)
_TITLE = re.compile(r"\b(?:Mr|Mrs|Ms|Miss|Mx|Dr|Prof|Sir|Madam|Professor|Doctor|Judge|Senator|President)\.? {1,2}\Z")
_TITLES = frozenset("mr mrs ms miss mx dr prof sir madam professor doctor judge senator president".split())
# The last word of each cue: most candidates stand behind none of them.
_CUE_ENDS = frozenset(
    "is i'm i’m am me dear hi hello hey : name: attn attn: c/o signed sincerely, regards, cheers, thanks,".split()
)
_CUE = re.compile(
    r"(?:\bmy name is|\bname is|\b[Ii](?:'|’| a)m|\bcall me|\bDear|\bHi|\bHello|\bHey|\bname ?:|\bName ?:|\bNAME ?:"
    r"|\battn:?|\bAttn:?|\bc/o|\bsigned|\bsincerely,|\bregards,|\bSincerely,|\bRegards,|\bCheers,|\bThanks,)\s{0,3}\Z"
)
_WEAK = re.compile(
    r"(?:\b(?:said|says|asked|told|by|meet|contact|and|commenter|starring|[Pp]roducer|[Aa]uthor|[Dd]irector|[Ww]riter"
    r"|[Ss]inger))\s{1,2}\Z"
)
_LINE_START = re.compile(r"(?:^|\n)[ \t>*-]{0,4}\Z")
# What a field called "name" holds in a program.
_NO_NAME = frozenset("none null true false string str int annotated optional unknown any list dict world all".split())


def _find(text: str, start: int) -> Iterator[tuple[int, int]]:
    begin = _BEGIN.search(text, start)
    while begin:
        at, end = begin.span()
        if _breaks(begin.group()) or _continues(text, at):
            start = end
        else:
            start = end = _last(text, at, end)
            yield at, end
        begin = _BEGIN.search(text, start)


def _breaks(word: str) -> bool:
    return word.rstrip(". ").lower() in _BREAK and not word.endswith((".", ". "))


def _continues(text: str, at: int) -> bool:
    """Whether the word before belongs to the same name."""
    word = _word_before(text, at)
    if text[max(0, at - 1) : at] != " " or not (word[:1].isupper() or word in _PARTICLES):
        return False
    before = _BEFORE.search(text, max(0, at - 40), at)
    return before is not None and not _breaks(before.group(1))


def _word_before(text: str, at: int) -> str:
    """What stands between the last two blanks before ``at``."""
    words = text[max(0, at - 28) : at].split()
    return words[-1] if words else ""


def _last(text: str, at: int, end: int) -> int:
    """Where the name ends that begins at ``at`` and whose first word ends at ``end``."""
    end = at + len(text[at:end].rstrip())
    for _ in range(_MAX_WORDS - 1):
        more = _MORE.match(text, end)
        if more is None or _breaks(more.group("word") or more.group("after")):
            break
        end = more.end()
    return end


def _judge(candidate: Candidate) -> float:
    words = [word for word in re.split(r"[ .]+", candidate.value) if word]
    lower = [word.lower() for word in words]
    left = candidate.text[max(0, candidate.start - 24) : candidate.start]
    if _impossible(words, lower, left):
        return 0.0
    likely = _likelihood(lower)
    before = _word_before(candidate.text, candidate.start).lower()
    if before.rstrip(".") in _TITLES and _TITLE.search(left):
        return 0.95
    if before in _CUE_ENDS and _CUE.search(left):
        return 0.85 if likely > 0.2 or not any(map(_ordinary, lower)) else 0.0
    if 0.4 < likely < 0.6 and (_WEAK.search(left) or (likely >= 0.5 and _LINE_START.search(left))):
        likely += 0.2
    return likely if likely >= 0.6 else 0.0


def _impossible(words: list[str], lower: list[str], left: str) -> bool:
    """An abbreviation, a place or firm, a field of a program, the letter of a choice (``B. Report it``)."""
    if lower[-1] in _NOT_LAST or lower[0] in _NO_NAME or all(len(word) == 1 for word in words):
        return True
    if len(words) == 1:
        return words[0].isupper() and len(words[0]) < 4
    return len(words) == 2 and len(words[0]) == 1 and (_ordinary(lower[1]) or _LINE_START.search(left) is not None)


def _ordinary(word: str) -> bool:
    """Whether it is an English word, as it stands or without an ending."""
    known = load("common-words")[0]
    return word in known or any(word.endswith(end) and word[: -len(end)] in known for end in ("s", "es", "ed", "ing"))


def _likelihood(lower: list[str]) -> float:
    """How much the words themselves look like a name, 0..1."""
    firsts, maybe_firsts = load("first-names")
    surnames, maybe_surnames = load("surnames")
    head, tail = lower[0], lower[-1]
    if len(lower) == 1:
        foreign = 0.0 if head.isascii() or _ordinary(head) else 0.42
        return 0.6 if head in firsts else max(foreign, 0.3 if head in maybe_firsts else 0.0)
    known_last = tail in surnames or _SURNAME_FORM.search(tail) is not None
    if head in firsts:
        return 0.9 if known_last or tail in firsts or tail in maybe_surnames else 0.7
    if head in maybe_firsts:
        return 0.75 if known_last else 0.4 if tail in maybe_surnames else 0.2
    if any(len(word) == 1 for word in lower):
        return 0.75 if known_last or tail in maybe_surnames else 0.5
    strange = not any(_ordinary(word) for word in lower if len(word) > 2)
    if known_last:
        return 0.65 if strange else 0.45
    foreign = not "".join(lower).isascii()
    return (0.62 if foreign else 0.42) if strange and len(lower) < 4 else 0.2


def _live(text: str) -> int:
    found = _OPEN.search(text, max(0, len(text) - _HOLD))
    return found.start() if found else len(text)


_CAPITAL = re.compile(rf"[{_UP}]")
NAME = Kind("name", _CAPITAL.search, _live, _HOLD)

RULES: tuple[tuple[Kind, Rule], ...] = ((NAME, Rule("NAME", _find, _judge)),)
