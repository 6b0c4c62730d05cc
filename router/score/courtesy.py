"""Courtesies that open or close a prompt, and Korean politeness levels brought to one: English and Korean.

Expects lower case and single spaces.
"""

from __future__ import annotations

import re
from typing import Any, Final

import re2

#: How far from the end a closing courtesy may begin, in code points.
TAIL_REACH: Final = 120

_HEAD_EN: Final = (
    (
        r"(?:hi|hello|hey|dear|greetings|good (?:morning|afternoon|evening|day))(?: (?:there|all|everyone|"
        r"assistant|ai|team|friend|sir|madam))?[,.!]? ?\b"
    ),
    r"(?:please|kindly|pls|plz)\b",
    r"(?:excuse|tell) me\b",
    (
        r"(?:sorry|i am sorry|i'm sorry) (?:to|for) (?:bother|disturb|bothering|disturbing|trouble|"
        r"troubling)(?: you)?(?: (?:but|again))?\b"
    ),
    (
        r"(?:could|can|would|will) you(?: please| kindly| possibly| maybe| perhaps)*(?: be so kind as to| "
        r"help me(?: to)?(?: with (?:this|the following)(?: \w+)?)?)?(?: (?:tell|explain to|show) me)?\b"
    ),
    r"would you mind\b",
    r"may i ask(?: you)?\b",
    (
        r"i(?: would|'d) (?:really |very much )?(?:like|love|appreciate it|be grateful|appreciate)(?: (?:for "
        r")?you to| if you (?:could|would|can)| to (?:know|ask)(?: you)?)?\b"
    ),
    (
        r"i (?:need|want|could use)(?: (?:your|some|a bit of))* help(?: (?:with|on|to|answering|solving))?(?: "
        r"(?:this|the following|a)(?: \w+)?)?\b"
    ),
    (
        r"i (?:have|got|'ve got) (?:a|one|the following|another)(?: quick| small| simple| short)? question(?: "
        r"for you)?\b"
    ),
    r"i (?:was|am) wondering(?: if| whether)?(?: you (?:could|can|would))?\b",
    r"if (?:it is|it's|that is|that's)(?: not)? (?:too much trouble|possible|ok|okay|alright|convenient)\b",
    r"if you (?:don't|do not|wouldn't) mind\b",
    r"i hope (?:you are|you're|this (?:message )?finds you|you have been|all is)(?: doing)? well\b",
    (
        r"(?:many )?(?:thanks|thank you)(?: so much| very much)?(?: in advance)?(?: for (?:your|the|any) "
        r"(?:help|time|assistance|support))?\b"
    ),
    r"(?:here is|here's|this is) (?:my|a|the|one) (?:question|problem|task)\b",
    r"(?:question|q|query|prompt) ?:",
)
_HEAD_KO: Final = (
    r"안녕(?:하라|하나|하신가|히)?(?:[,.!~ ]|$)",
    r"반갑다|반가워요?",
    r"실례(?:지만|한다만?|하지만|하겠다)",
    r"(?:정말 )?죄송(?:하지만|한다만?|한데요?)",
    r"바쁘(?:시겠지만|신데|신 와중에)(?: 죄송하지만| 죄송한다만?)?",
    r"번거로우시겠지만|수고(?:하신다|많으시다|가 많으시다|하라|하시네요)",
    r"혹시(?: 시간(?:이)? (?:되시면|괜찮으시면|되신다면)| 괜찮으시(?:다면|면)| 가능하(?:시)?(?:다면|면))?",
    r"(?:괜찮으시(?:다면|면)|가능하(?:시)?(?:다면|면)|시간(?:이)? (?:되시면|괜찮으시면|되신다면))",
    (
        r"(?:잘 |꼭 |간곡히 |정중히 )?(?:좀 )?부탁(?:드린다|드려요|드릴게요|한다|(?:이|드릴 (?:것이|게|일이)) "
        r"(?:있다|있는데요?))"
    ),
    r"(?:질문|궁금한 (?:것|점|게)|여쭤볼 (?:것|게)|여쭙고 싶은 (?:것|게))(?:이)?(?: 하나)? (?:있다|있는데요?)",
    r"(?:미리 )?(?:감사(?:한다|드린다|드려요)|고맙다|고마워요?)",
    r"(?:질문|문의)(?: ?드린다)? ?[:.]",
)
_TAIL_EN: Final = (
    (
        r"(?:(?:many|so|very|much) )*(?:thanks|thank you|thx|cheers)(?:,? (?:so much|very much|a lot|in "
        r"advance|a million|again|everyone|for (?:your|the|all|any|all your|helping)(?: \w+){1,4}))*"
    ),
    r"(?:best|kind|warm|kindest)? ?regards|sincerely(?: yours)?|yours (?:truly|sincerely|faithfully)|best wishes",
    (
        r"(?:i(?: would|'d)? )?(?:really |greatly |much |truly )*appreciate (?:it|your (?:help|time|"
        r"assistance|support))(?: \w+){0,2}"
    ),
    r"any (?:help|advice|answer)(?: is| would be| will be)?(?: very| much| greatly)*(?: appreciated| welcome)",
    r"please(?: and thank you)?",
    r"have a (?:nice|great|good|wonderful|lovely) (?:day|one|evening|weekend)",
    r"(?:i(?:'m| am) )?looking forward to (?:your|hearing)(?: \w+){1,3}",
    r"take care",
)
_TAIL_KO: Final = (
    (
        r"(?:잘 |꼭 |미리 |정말 |도와주셔서 |답변 |빠른 답변 |도움 )*(?:부탁(?:드린다|드려요|드리겠다|"
        r"드릴게요|한다|해)|감사(?:한다|드린다|드려요|하겠다|드리겠다)|고맙(?:다|겠다)|고마워요?|땡큐)"
    ),
    r"수고하라|좋은 하루 (?:보내|되)라",
    r"(?:답변|답) ?(?:기다리겠다|기다릴게요?|기다린다)",
)


def _compiled(pattern: str) -> Any:
    options = re2.Options()
    options.max_mem = 64 << 20
    return re2.compile(pattern, options)


_OPENING: Final = rf"(?:{'|'.join((*_HEAD_EN, *_HEAD_KO))})[ \n.,;:!?~]*"
_CLOSING: Final = rf"(?:{'|'.join((*_TAIL_EN, *_TAIL_KO))})[ \n.,;:!?~]*$"
#: An opening courtesy, to be matched at the start.
HEAD: Final = _compiled(_OPENING)
#: A closing courtesy that reaches the end, with the mark before it.
TAIL: Final = _compiled(rf"(?:^|[ \n.,;:!?~]){_CLOSING}")
#: Every text that ``HEAD`` matches, or that a part of from anywhere on is matched by ``TAIL``, holds one of these.
EITHER_END: Final = (rf"^{_OPENING}", _CLOSING)

# --- Korean politeness -------------------------------------------------------------------------------------

_NIEUN, _BIEUP = 4, 17
_FINALS: Final = 28
_FIRST, _LAST = 0xAC00, 0xD7A3

#: Ending -> its one form, never longer; the first that fits wins.
_ENDINGS: Final = (
    *((f"주{end}", "줘") for end in (
        "세요", "십시오", "시오", "시겠어요", "시겠습니까", "실래요", "실 수 있나요", "실 수 있을까요",
        "실 수 있습니까",
        "실 수 있으신가요", "시기 바랍니다", "시길 바랍니다", "시면 감사하겠습니다", "시면 고맙겠습니다",
        "시면 좋겠습니다",
    )),
    ("줘요", "줘"), ("줄래요", "줘"), ("줄래", "줘"),
    ("시기 바랍니다", "라"), ("시길 바랍니다", "라"), ("십시오", "라"), ("시오", "라"), ("세요", "라"),
    ("해라", "하라"),
    ("입니까", "인가"), ("인가요", "인가"), ("일까요", "인가"), ("한가요", "한가"), ("는가요", "는가"),
    ("은가요", "은가"),
    ("던가요", "던가"), ("까요", "까"), ("습니까", "나"), ("나요", "나"),
    ("입니다", "이다"), ("이에요", "이다"), ("이예요", "이다"), ("예요", "이다"), ("습니다", "다"), ("해요",
    "한다"), ("돼요", "된다"),
    *((f"{stem}어요", f"{stem}다") for stem in "있없했됐었았겠였"),
)  # fmt: skip
_FORMAL: Final = re.compile("니[다까]")
_ENDING: Final = re.compile("|".join(sorted((re.escape(e) for e, _ in _ENDINGS), key=len, reverse=True)))
_PLAIN: Final = dict(_ENDINGS)


def plain_korean(text: str) -> str:
    """Polite sentence endings brought to one form; nothing else changes."""
    text = _ENDING.sub(_plain, text).replace(" 줘", "줘")
    return _informal(text) if "니다" in text or "니까" in text else text


def _plain(match: re.Match[str]) -> str:
    return _PLAIN[match.group()]


def _informal(text: str) -> str:
    """합니다 -> 한다, 합니까 -> 하나: the stem's final bieup belongs to the ending."""
    kept: list[str] = []
    done = 0
    for match in _FORMAL.finditer(text):
        stem = ord(text[match.start() - 1]) if match.start() > done else 0
        if not (_FIRST <= stem <= _LAST and (stem - _FIRST) % _FINALS == _BIEUP):
            continue
        plain = f"{chr(stem - _BIEUP + _NIEUN)}다" if text[match.end() - 1] == "다" else f"{chr(stem - _BIEUP)}나"
        kept += (text[done : match.start() - 1], plain)
        done = match.end()
    return "".join((*kept, text[done:]))
