"""Talk addressed to whoever picks the model, not to the model: "use your best model, this one is hard".

One table for two readers: the ``rerouting`` guard reports such talk, the scorer does not let it count.
Compiled by re2, so a text without any costs one pass of a few microseconds. English and Korean.

Expects lower case, single spaces, and look-alikes already folded.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import re2

_MODEL: Final = r"(?:(?:language |ai |base |foundation )?models?|llms?|tiers?|ai)"
_NAMED: Final = (
    r"(?:(?:chat)?gpt(?:[- ]?\d[\w.]*\w|[- ]?\d)?|o[1345](?:[- ](?:pro|mini|preview))?|claude(?:[ "
    r"-](?:opus|sonnet|haiku|\d[\d.]*\d|\d)){0,3}|opus|sonnet|gemini(?:[ -](?:ultra|pro|\d[\d.]*\d|"
    r"\d)){0,2}|llama[- ]?\d[\w.]*\b|deepseek[\w-]*|qwen[\w-]*|mi[sx]tral(?: large)?|grok[\w-]*)"
)
_BEST: Final = (
    r"(?:best|strongest|largest|biggest|smartest|brightest|top|finest|flagship|premium|frontier|most "
    r"(?:capable|powerful|advanced|expensive|intelligent|sophisticated|accurate|able)|highest(?:[- "
    r"](?:quality|capability|capacity|tier|end|performing))?|high[- ]end|stronger|larger|bigger|smarter|"
    r"better|more (?:capable|powerful|advanced|expensive|intelligent)|strong|large|powerful|expensive|"
    r"top[- ](?:tier|end|level|notch)|state[- ]of[- ]the[- ]art|heavy(?:weight)?|full[- ]size)"
)
_WEAK: Final = (
    r"(?:small(?:er|est)?|weak(?:er|est)?|cheap(?:er|est)?|tiny|light(?:weight)?|mini|low(?:er)?[- "
    r"](?:tier|end|cost)|lesser|basic)"
)
_PICK: Final = (
    r"(?:use|using|pick|choose|select|call|invoke|activate|engage|employ|deploy|assign|switch|escalate|"
    r"upgrade|delegate|forward|send|rout(?:e|ing)|redirect|direct|dispatch|hand|pass|run|handle|answer|"
    r"requires?|needs?|demands?|deserves?|warrants?|must go|should go|go)"
)
_TASK: Final = r"(?:this|the following|the (?:next|below)|my|these|it)(?: \w{1,14}){0,2}"
_HARD: Final = (
    r"(?:hard(?:est)?|difficult|complex|complicated|challenging|tough|tricky|intricate|demanding|"
    r"sophisticated|advanced|nontrivial|non-trivial|(?:phd|graduate|expert|olympiad|research|doctoral|"
    r"postdoctoral)[- ](?:level|grade))"
)
_VERY: Final = (
    r"(?:very|extremely|really|exceptionally|incredibly|highly|unusually|so|too|quite|most|super|insanely|"
    r"especially|extraordinarily|immensely|notoriously)"
)
_DEEP: Final = (
    r"(?:deep|advanced|expert(?:-level| level)?|multi-?step|multi-?hop|complex|sophisticated|extensive|"
    r"careful|strong|heavy|maximum|highest|intense|rigorous|graduate-level|phd-level|high-level|"
    r"considerable|significant|substantial)"
)

#: Names the router, or asks for a stronger model: nobody says this to the model itself.
_ADDRESSED_EN: Final = (
    (
        rf"\b{_PICK}\b(?: \w+){{0,4}} (?:{_BEST}|{_BEST} (?:available|possible|\w+)) {_MODEL}\b(?: "
        r"(?:available|possible|you have))?"
    ),
    (
        r"\b(?:route|forward|escalate|redirect|dispatch|delegate|upgrade|reroute)\b(?: \w+){0,4} (?:to|via|"
        rf"through) (?:(?:a|an|the|your) )?(?:{_BEST} )?(?:{_MODEL}|{_NAMED})\b"
    ),
    (
        rf"\b(?:send|hand|assign|switch|pass|direct)\b(?: \w+){{0,4}} to (?:(?:a|an|the|your) )?(?:{_BEST} "
        rf"{_MODEL}|{_NAMED})\b"
    ),
    rf"\b(?:do not|don't|never|avoid)\b(?: \w+){{0,4}} {_WEAK} {_MODEL}\b",
    (
        rf"\b(?:a|the|any) {_WEAK} {_MODEL}\b(?: \w+){{0,2}} (?:cannot|can't|will fail|fails|won't|is not "
        r"enough|would fail|isn't enough)"
    ),
    (
        r"\b(?:note|attention|message|instructions?|memo|hint|signal|dear|hey|hello|hi|to|for)(?: \w+)?[ "
        r",:]+(?:the |model |llm |prompt )?rout(?:er|ing (?:system|layer|model|engine|classifier))\b"
    ),
    r"\brout(?:er|ing)(?: \w+)?[:=,] ?\w+",
    r"\b(?:recommended|required|minimum|target|preferred|desired) (?:tier|model|llm) ?[:=] ?\w+",
    r"\btier ?= ?\w+",
    (
        rf"\b{_BEST} (?:model|llm|ai|tier)s?\b(?: \w+){{0,3}} (?:only|required|needed|please|must|can answer|"
        r"can solve|handles?|(?:should|has to|needs to|ought to) (?:answer|handle|take|do|solve))\b"
    ),
    rf"\b(?:only|make sure|ensure|let|have|want|get)(?: \w+){{0,3}} {_BEST} (?:model|llm|ai|tier)s?\b(?: \w+){{0,2}}",
    r"\brouting (?:hint|instruction|directive|override|decision|label|signal|score)s?\b",
    (
        r"\b(?:complexity|difficulty)(?: (?:score|level|class|label|tier|rating|estimate))? ?[:=] "
        r"?(?:\d+(?:\.\d+)?(?: ?/ ?\d+| ?%)?|very high|high(?:est)?|max(?:imum)?|extreme|hard|complex|expert)"
    ),
    (
        r"\b(?:classif(?:y|ied)|label(?:l?ed)?|mark(?:ed)?|treat(?:ed)?|score[d]?|rate[d]?|tag(?:ged)?|"
        rf"flag(?:ged)?)\b(?: \w+){{0,5}} as(?: \w+){{0,2}} (?:{_HARD}|high[- ](?:complexity|difficulty|"
        r"priority)|reasoning|max(?:imum)? (?:complexity|difficulty))\b"
    ),
    (
        r"\b(?:reasoning|large|strong|premium|top|highest|high|frontier)[- ]tier (?:required|needed|only|"
        r"request|query|task)\b"
    ),
)

#: Says that the task is hard or wants much thought: noise for the scorer, no finding by itself.
_PRAISED_EN: Final = (
    (
        rf"\b{_TASK} (?:is|are|seems?|looks?|will be|has been|remains?)(?: \w+)? ?(?:(?:{_VERY}|a|an|one of "
        rf"the|among the) )*{_HARD}(?: (?:and|,|but) (?:{_VERY} )?{_HARD})*(?: (?:\w+ ){{0,2}}(?:problem|"
        r"question|task|query|request|challenge|one|puzzle)s?)?\b"
    ),
    (
        rf"\b(?:warning|note|caution|beware|attention)?:? ?{_TASK} (?:is|are)(?: \w+)? ?(?:much |far |a lot "
        r")?(?:harder|trickier|tougher|more (?:difficult|complex|complicated|subtle))(?: than (?:it|they|"
        r"you)(?: \w+){1,2})?\b"
    ),
    (
        r"\b(?:(?:that|which|and|it|this|will|would) )*(?:requires?|needs?|demands?|involves?|takes?|calls? "
        rf"for|needing|requiring)(?: \w+)? {_DEEP}(?:,? (?:and )?{_DEEP})* (?:reasoning|thinking|thought|"
        r"analysis|expertise|knowledge|understanding|computation|inference|intelligence|capabilit(?:y|ies))\b"
    ),
    (
        r"\b(?:please )?(?:let'?s |let us )?(?:think|reason|work|go|solve)(?: (?:it|this|things|that|them|"
        r"about it|through (?:it|this)))?(?: (?:out|very))? ?(?:step[- ]by[- ]step|carefully|deeply|"
        r"thoroughly|slowly|rigorously|hard(?:er)?)(?: (?:and|,) (?:carefully|deeply|thoroughly|slowly|"
        r"rigorously))*\b(?: before (?:you )?(?:answer(?:ing)?|respond(?:ing)?))?"
    ),
    r"\bstep by step\b",
    r"\btake (?:your time|a deep breath)\b(?: and)?",
    r"\b(?:this|it) is (?:very |extremely )?(?:important|critical|crucial|vital) (?:to|for) my (?:career|job|work)\b",
)

_ADDRESSED_KO: Final = (
    (
        r"(?:가장|제일|최고로|더) ?(?:좋은|강력한|뛰어난|똑똑한|큰|비싼|성능이? ?좋은|우수한|유능한|강한) "
        r"?(?:ai |언어 ?)?(?:모델|인공지능|ai|티어|llm)(?:을|를|로|으로|에게|에|이|가)?(?: [가-힣]+){0,4}"
    ),
    (
        r"(?:최고|최상위|최상급|최강|상위|고성능|고급|프리미엄|대형|최신) ?(?:성능(?:의)? ?)?(?:ai |언어 "
        r"?)?(?:모델|인공지능|엔진|티어|llm)(?:을|를|로|으로|에게|에|이|가)(?: [가-힣]+){0,3}? ?(?:사용|써|쓰|"
        r"보내|전달|처리|라우팅|선택|배정|호출|필요|이용|연결|답)[가-힣]*(?: 주[가-힣]+| 줘[가-힣]*)?"
    ),
    r"라우터(?:에게|한테|야|님)(?: ?[:,])?|라우팅 (?:지시|힌트|명령)|(?:라우터|라우팅) ?[:,]",
    (
        rf"(?:{_NAMED}|큰 모델|대형 모델|상위 모델) ?(?:에게|로|으로|에|을|를)? ?(?:보내|전달|라우팅|넘겨|처리|"
        r"연결|배정)[가-힣]*(?: 주[가-힣]+| 줘[가-힣]*)?"
    ),
    (
        r"(?:작은|소형|약한|저렴한|싼|가벼운|저성능) ?(?:ai |언어 ?)?(?:모델|티어|엔진|llm)[가-힣]* ?(?:쓰지|"
        r"사용하지|안|못|보내지|말|불가|풀 수 없)[가-힣]*(?: [가-힣]+){0,2}"
    ),
    (
        r"(?:난이도|복잡도|등급|티어)(?: ?(?:점수|등급|수준))? ?[:=는은] ?(?:\d+(?:\.\d+)?(?: ?/ ?\d+| ?%)?|"
        r"최상|최고|매우 높음|높음|대형|상)"
    ),
)
_PRAISED_KO: Final = (
    (
        r"(?:이|이것은|이건|다음)(?: [가-힣]{1,8})? ?(?:문제|질문|과제|요청|작업)?(?:은|는|이|가)? ?(?:매우|"
        r"아주|정말|굉장히|엄청|몹시|무척|상당히|대단히|극도로|너무) (?:어렵|어려운|복잡|까다로|난해|힘든|"
        r"고난도)[가-힣]*(?: (?:문제|질문|과제|요청|작업)[가-힣]*)?"
    ),
    (
        r"(?:깊은|깊이 있는|고도의|심층적인?|전문가 수준의|다단계|복잡한) (?:추론|사고|분석|전문 지식|"
        r"이해)(?:이|가|을|를)? ?(?:필요|요구|요)[가-힣]*"
    ),
    (
        r"(?:전문가|박사|대학원|올림피아드|최고) (?:수준|급)의? (?:고난도 |어려운 |복잡한 )?(?:문제|질문|과제|"
        r"요청)(?:이다|다)?"
    ),
    r"고난도 (?:문제|질문|과제)(?:이다|다)?",
    (
        r"(?:단계별로|차근차근|한 단계씩|천천히|신중하게|신중히|깊이|곰곰이|꼼꼼히) ?(?:생각|추론|풀이|풀어|"
        r"고민)[가-힣]*(?: (?:주[가-힣]+|줘[가-힣]*|보[가-힣]+|봐[가-힣]*))?"
    ),
)


class Talk(NamedTuple):
    """Where talk to the router stands, in code points; ``addressed`` when it names a model, a tier or the router."""

    start: int
    end: int
    addressed: bool


def any_of(*patterns: str) -> Any:
    """The alternation of patterns, as one automaton."""
    options = re2.Options()
    options.max_mem = 64 << 20
    return re2.compile("|".join(patterns), options)


ADDRESSED: Final = (*_ADDRESSED_EN, *_ADDRESSED_KO)
TALK: Final = (*ADDRESSED, *_PRAISED_EN, *_PRAISED_KO)
_ADDRESSED: Final = any_of(*ADDRESSED)
_PRAISED: Final = any_of(*_PRAISED_EN, *_PRAISED_KO)
_EITHER: Final = any_of(*TALK)


def talk(text: str) -> list[Talk]:
    """Every stretch of such talk, in order; a stretch that is both counts as addressed."""
    if _EITHER.search(text) is None:
        return []
    found = [Talk(match.start(), match.end(), addressed=True) for match in _ADDRESSED.finditer(text)]
    found += [Talk(match.start(), match.end(), addressed=False) for match in _PRAISED.finditer(text)]
    return sorted(found)
