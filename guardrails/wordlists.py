"""The managed lists. Kept short and plain: words that are profane in nearly every use.

They are compared as the ``words`` guard compares: folded, standing alone unless configured otherwise.
"""

from __future__ import annotations

PROFANITY_EN: tuple[str, ...] = tuple(
    """
    arsehole arseholes asshole assholes bastard bastards bitch bitches bitching bollocks bullshit
    clusterfuck cock cocks cocksucker cocksuckers cunt cunts dickhead dickheads dipshit douchebag
    douchebags dumbass dumbasses fag faggot faggots fags fuck fucked fucker fuckers fuckface fuckhead
    fuckin fucking fucks fucktard goddamn goddamned horseshit jackass jackasses jerkoff motherfucker
    motherfuckers motherfucking nigga niggas nigger niggers piss pissed prick pricks pussy pussies shit
    shite shithead shitheads shitty slut sluts slutty tosser twat twats wank wanker wankers whore whores
    """.split()  # noqa: SIM905 -- a table
)

PROFANITY_KO: tuple[str, ...] = tuple(
    """
    씨발 시발 씨바 씨발놈 씨발년 시발놈 시발년 씨발새끼 시발새끼 쉬발 슈발 씨팔 시팔 씹 씹새 씹새끼 씹년
    씹놈 개새끼 개새기 개색기 개색끼 개쉐이 개자식 개년 개놈 개씨발 개시발 좆 좆같 좆같은 좆나 좆까 좆밥
    좃같은 존나 병신 병신새끼 븅신 지랄 지랄하네 미친놈 미친년 미친새끼 또라이 썅 썅년 썅놈 느금마 니애미
    니미 애미뒤진 엠창 애비뒤진 호로새끼 후레자식 창녀 걸레년 화냥년 보지년 자지새끼 쌍년 쌍놈 한남충 김치녀
    맘충 틀딱충 급식충 ㅅㅂ ㅆㅂ ㅂㅅ ㅄ ㅈㄹ ㅈㄴ ㅗㅗ
    """.split()  # noqa: SIM905 -- a table
)

LISTS: dict[str, tuple[str, ...]] = {"profanity-en": PROFANITY_EN, "profanity-ko": PROFANITY_KO}
