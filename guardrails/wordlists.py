"""The managed lists. Kept short and plain: words that are profane in nearly every use.

They are compared as the ``words`` guard compares: folded, standing alone unless configured otherwise.
"""

from __future__ import annotations

PROFANITY_EN: tuple[str, ...] = tuple(
    """
    arsehole arseholes arsewipe asshat asshats asshole assholes asswipe asswipes ballsack bastard bastards bellend
    bellends bitch bitchass bitches bitching bitchy blowjob blowjobs bollock bollocks bugger bullshit bullshitter
    bullshitting buttfuck buttfucker clusterfuck cock cockhead cocks cocksucker cocksuckers cocksucking crackwhore
    cumdumpster cumshot cumslut cunt cunts cunty dickhead dickheads dickwad dickweed dildo dildos dipshit dipshits
    douche douchebag douchebags dumbass dumbasses dumbfuck dumbfucks dumbshit fag faggot faggots faggy fags fatass
    fuck fucked fucker fuckers fuckface fuckhead fuckin fucking fucknut fuckoff fucks fuckstick fucktard fucktards
    fuckup fuckups fuckwit fuckwits gangbang goddamn goddamned goddammit handjob horseshit jackass jackasses jackoff
    jerkoff jizz knobhead knobheads lardass minge mindfuck motherfuck motherfucka motherfucker motherfuckers
    motherfuckin motherfucking nigga niggas nigger niggers numbnuts nutsack pisser pissed piss pissing pissoff prick
    pricks punani pussies pussy ratfuck rimjob schlong scumbag scumbags shit shitbag shite shites shitfaced shithead
    shitheads shithole shitholes shitload shits shitshow shitstain shitstorm shitted shitter shittier shittiest
    shitting shitty skank skanks skanky slut sluts slutty sonofabitch titties titty tosser
    tossers turd turds twat twats unfuck wank wanked wanker wankers wanking wanks whore whores whoring
    """.split()  # noqa: SIM905 -- a table
)

PROFANITY_KO: tuple[str, ...] = tuple(
    """
    씨발 시발 씨바 씨발놈 씨발년 시발놈 시발년 씨발새끼 시발새끼 쉬발 슈발 씨팔 시팔 씹 씹새 씹새끼 씹년
    씹놈 개새끼 개새기 개색기 개색끼 개쉐이 개자식 개년 개놈 개씨발 개시발 좆 좆같 좆같은 좆나 좆까 좆밥
    좃같은 존나 병신 병신새끼 븅신 지랄 지랄하네 미친놈 미친년 미친새끼 또라이 썅 썅년 썅놈 느금마 니애미
    니미 애미뒤진 엠창 애비뒤진 호로새끼 후레자식 창녀 걸레년 화냥년 보지년 자지새끼 쌍년 쌍놈 한남충 김치녀
    맘충 틀딱충 급식충 ㅅㅂ ㅆㅂ ㅂㅅ ㅈㄹ ㅈㄴ ㅗㅗ
    씨벌 시벌 씨빨 시빨 씌발 쒸발 씨바알 시바알 씨부랄 시부랄 씨부럴 시부럴 씨발것 시발것 씨발롬 시발롬 씨발련 시발련
    ㅆㅂ놈 ㅅㅂ놈 ㅆㅂ년 ㅅㅂ년 ㅅㅂㄴ ㅆㅂㄴ ㄱㅅㄲ ㅅㅂㅅㄲ ㅂㅅㅅㄲ ㅁㅊㄴ ㅁㅊㅅㄲ ㅈ같은 ㅈ같네 ㅈㄲ ㄴㄱㅁ ㄴㅇㅁ
    개쌔끼 개쉑 개쉑끼 개섀끼 개씹 개좆 개지랄 개병신 개또라이 씹창 씹덕후새끼 씹할 씹팔 좆됐다 좆만한 좆만이
    좆빠 좆망 좆도 조까 좆같네 좆같다 존나게 졸라게 병신년 병신놈 븅신새끼 병신들 지랄염병 염병할 지랄마 육시랄 오사랄
    미친새기 미친쉑 미친ㄴ 또라이새끼 돌아이새끼 썅것 쌍것 쌍욕년 느금 느개비 느그매 니애비 니엄마창녀 애미없는 애비없는
    애미터진 엠생 엠창인생 호로자식 호로놈 후레새끼 창년 걸레같은년 갈보 화냥놈 보빨 자빨 보슬아치 된장녀
    한녀충 김치년
    꼴페미 메갈년 일베충 틀딱 잼민충 홍어새끼 짱깨 짱개 쪽바리 쪽발이 깜둥이 닥쳐새끼 아가리닥쳐
    주둥이닥쳐 뒈져라 뒤져라새끼
    """.split()  # noqa: SIM905 -- a table
)

LISTS: dict[str, tuple[str, ...]] = {"profanity-en": PROFANITY_EN, "profanity-ko": PROFANITY_KO}
