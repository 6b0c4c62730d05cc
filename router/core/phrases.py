"""Words by which a conversation shows what a short message wants. Data, for ``router.core.conversation``.

Only closed sets of function words are listed: leave to go on, words that point back, thanks, words for "it
did not work", and how clients word their own errands. Everything else is told by structure: length, and
whether the words of a message occur in what it follows. Languages without a list are read by structure alone.
"""

from __future__ import annotations

import re


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


#: Leave to go on: the whole message is made of these (and of words that point back).
GO_AHEAD = frozenset(
    _words("""
    yes yep yeah yup ok okay sure please go ahead continue proceed carry on do done it that this now then next
    commit push merge apply save run ship deploy submit send retry again finish keep going right correct exactly
    sounds good great perfect nice fine lgtm agreed approved approve confirm confirmed accept the a all both first
    second third option one two three four why how to and you so let's lets just let me us can could would same more
    si sí oui ja claro vale weiter bitte はい お願いします 続けて 好的 继续 请继续 可以
    """)
)

#: A Korean word that begins so gives leave or points back; endings vary, stems do not.
KO_GO_AHEAD = _words("""
    네 넵 넹 예 응 어 그래 좋아 좋습 좋네 오케이 ㅇㅇ ㅇㅋ 계속 진행 그대로 이대로 그렇게 이렇게 커밋 푸시 머지
    병합 반영 적용 저장 배포 실행 부탁 해줘 해 하자 할게 합시다 주세요 주십 줘 바로 이제 다음 그거 그것 이거 이것
    그걸 이걸 다 전부 모두 확인 승인 동의 맞아 맞습 마저 이어 그럼 그러면 다시 재시도
    """)

#: Thanks and farewells, and what may stand around them. A message of nothing else wants no work.
THANKS = frozenset(_words("thanks thank thx ty cheers bye goodbye merci gracias danke ありがとう 谢谢"))
KO_THANKS = _words("감사 고마 고맙 수고하 안녕히")
AROUND_THANKS = frozenset(
    _words("""
    you so very much a lot all for your the help that this it works worked is was great perfect awesome nice good
    have day one really now ok okay 네 넵 정말 덕분에 잘 됐어요 됐습니다 해결됐어요 많이 도움이 됐네요
    """)
)

#: Words that point back, in a message of a few words.
POINTS_BACK = frozenset(
    _words("""
    it its them they those these this that again above previous earlier same instead too also former latter
    rest remaining other another else still
    """)
)
KO_POINTS_BACK = _words("""
    그거 그것 그걸 그게 이거 이것 이걸 이게 거기 여기 방금 아까 위에 위의 앞에 앞의 나머지 마찬가지 똑같 같은 다시 왜
    """)

#: The answer before did not do.
COMPLAINT = re.compile(
    r"\b(?:still|again)\b.{0,40}\b(?:fail\w*|break\w*|broken|error\w*|wrong|crash\w*|not work\w*|doesn'?t work|same)"
    r"|\b(?:doesn'?t|does not|didn'?t|did not|isn'?t|not) (?:work|help|fix|compile|correct|right)"
    r"|\b(?:that|this|it)(?:'s| is| was) (?:still )?(?:wrong|incorrect|broken|not (?:right|correct|what))"
    r"|\btry again\b|\bsame error\b"
    r"|(?:여전히|아직도|계속|또|다시).{0,20}(?:안 ?[되돼됩]|실패|오류|에러|틀[렸려리]|똑같)"
    r"|(?:틀렸|잘못됐|잘못되|아니에요|아닌데|작동하지|동작하지|안 ?[되돼됩](?:요|네|는데|니다|고))"
)
#: No complaint without one of these: looked for first, because it is cheap. So with the marks below.
COMPLAINT_MARKS = (
    *("still", "again", "n't", "esnt", "idnt", "not ", "wrong", "incorrect", "broken", "same error"),
    *("여전", "아직", "계속", "또", "다시", "틀", "잘못", "아니", "아닌", "하지", "안 ", "안되", "안돼", "안됩"),
)

_MAKE = (
    r"(?:generat\w+|writ\w+|provid\w+|creat\w+|giv\w+|suggest\w*|reply|extract\w*|analy[sz]\w+|summari[sz]\w+"
    r"|make|name|만들|작성|생성|요약|붙여|지어|추천|제안)"
)
_TALK = r"(?:conversation|chat|thread|discussion|dialog(?:ue)?|session|message|user might|대화|채팅|스레드)"
_TITLE = r"(?:title|제목|이름)"
_FOLLOW = r"(?:follow-?up (?:questions|prompts)|후속 질문|이어질 질문)"
_TOPIC = r"(?:new (?:conversation )?topic|broad tags|tags categori[sz]ing|주제(?:가|를) ?(?:바뀌|분류)|태그)"

ERRAND_MARKS = (
    *("title", "a name", "tags", "topic", "follow", "summar", "autocomplet", "fim_", "search quer"),
    *("제목", "이름", "태그", "주제", "후속", "이어질", "요약", "자동"),
)
#: A client's own errand: make a (title, summary, ...) of the (conversation, ...). The parts stand close together.
#: Lower case, as all patterns here.
ERRANDS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (kind, re.compile("|".join(patterns), re.DOTALL))
    for kind, patterns in (
        ("autocomplete", (r"autocomplet\w+ system", "자동 ?완성 시스템", r"<\|?fim_(?:prefix|suffix|middle)\|?>")),
        (
            "topic",
            (rf"{_TOPIC}.{{0,160}}{_TALK}", rf"{_TALK}.{{0,80}}{_TOPIC}", r"indicates a new (?:conversation )?topic"),
        ),
        (
            "title",
            (
                "title generator",
                rf"{_MAKE}.{{0,60}}{_TITLE}.{{0,160}}{_TALK}",
                rf"{_TALK}.{{0,80}}{_TITLE}.{{0,40}}{_MAKE}",
                rf"{_MAKE} this {_TALK} a name",
            ),
        ),
        ("suggestions", (rf"{_MAKE}.{{0,40}}{_FOLLOW}.{{0,160}}{_TALK}", "generating search quer(?:y|ies)")),
        (
            "summary",
            (
                rf"summari[sz]\w+ (?:this|the|our) (?:\w+ )?{_TALK}",
                rf"(?:summary|요약)(?:을|를)? ?(?:of|for)? (?:this|the|our) (?:\w+ )?{_TALK}",
                "(?:이|지금까지의|위) ?대화(?:를|을|의|내용).{0,20}요약",
            ),
        ),
    )
)

#: How a failing tool's result begins. Lower case.
FAILS_AT_START = (
    *("traceback (most recent", "error:", "error ", "exception", "fatal:", "failed", "failure", "panic:", "<error"),
    *("command failed", "<tool_use_error", "permission denied", "no such file", "syntaxerror", "bash: ", "sh: "),
    *(
        '{"error":"',
        '{"error": "',
        '{"error":{',
        '{"error": {',
        '{"ok":false',
        '{"ok": false',
        '{"success":false',
        '{"success": false',
    ),
    *('{"status":"error', '{"status": "error', "usage: ", "오류", "에러", "실패"),
)
FAILURE_MARKS = (
    "error",
    "exception",
    "fail",
    "exit",
    "fatal",
    "traceback",
    "non-zero",
    "make: ***",
    "fault",
    "not found",
    "npm err",
    "\ne   ",
)
#: What a failing command leaves in its last lines. Lower case.
FAILS_AT_END = re.compile(
    r"(?:^|\n)(?:\w+(?:error|exception)\b[:\n]|e   |npm err(?:or)?!|make: \*\*\*|fatal:)"
    r"|traceback \(most recent call last\)|exit(?:ed)?(?: with)?(?: code| status)?[:= ]+(?!0\b)-?\d+|returned non-zero"
    r"|\b[1-9]\d* (?:failed|errors?\b)"
    r"|build failed|(?<!\b0 )tests? failed|failures?: [1-9]|assertion ?error|segmentation fault|command not found"
    r"|error ts\d+|error\[e\d+\]"
)
