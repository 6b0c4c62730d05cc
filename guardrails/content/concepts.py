"""What harmful content speaks of, in English and Korean words: who is meant, what is said of them, what is asked for.

One of these alone is harmless nearly always: "women", "rats", "how do I", "kill". What they say together seldom
is an accident. Stems are compared with text whose case, accents and punctuation are gone (``signals``): Latin ones
from the start of a word (with ``$`` at the end: the whole word), Korean ones anywhere, or from the start of a word
if they begin with ``^``. The lists are our own.
"""

from __future__ import annotations

from typing import Final

CONCEPTS: Final[dict[str, str]] = {
    "curse": """
        fuck|fuk|fck|fking|motherf|shit|sh0t$|bullsh|bitch|biatch|asshole|arsehole|cunt|dick$|dickhead|prick$|
        bastard|cock$|cocksuck|pussy|pussies|whore|slut|hoe$|hoes$|twat|wank|douche|jackass|dumbass|piss|damn|crap|
        wtf|stfu|gtfo|bollocks|jerkoff|a hole|ass$|asses$|hell$|씨발|시발|씨바|시바|씨팔|시팔|쓰발|쉬발|슈발|쒸발|
        씨벌|시벌|씹|십새|ㅅㅂ|ㅆㅂ|ㅄ|ㅂㅅ|ㅈㄹ|ㅈㄴ|ㅈ같|ㄲㅈ|ㅁㅊ|좆|좃|졷|존나|졸라|조낸|존내|개새|개색|개쉐|
        개세끼|새끼|새키|쉐끼|섀끼|쉑|색히|색기|샊|병신|븅신|빙신|등신|지랄|쥐랄|염병|옘병|미친|미쳤|또라이|돌아이|
        썅|쌍년|쌍놈|느금|니애미|니미|애미|애비|엠창|호로|후레|닥쳐|닥치|아가리|주둥이|꺼져|뒤져|뒈져|뒤지|처먹|
        쳐먹|처맞|쳐맞|개소리|개같|ㅗ""",
    "insult": """
        idiot|moron|stupid|dumb|retard|imbecile|loser|pathetic|fool$|fools$|foolish|clown|scum|trash$|garbage|
        worthless|useless|ugly|fat$|fatso|disgusting|ignorant|coward|liar|lying|freak|creep|pig$|pigs$|jerk$|weirdo|
        dork|nerd|brainless|halfwit|dimwit|dunce|simpleton|incompetent|embarrassment|spineless|filthy|gross|lame$|
        crazy|insane|psycho|nutjob|troll$|trolls$|hypocrite|fraud$|joke$|snowflake|bozo|buffoon|degenerate|
        deplorable|shame on|멍청|바보|한심|무식|쓰레기|찌질|찐따|루저|얼간|머저리|저능|돌대가리|대가리|꼴통|또라|
        쪼다|호구|거지|그지|못생|못난|면상|꼬라지|꼴값|꼴보기|역겹|역겨|추하|추잡|더럽|더러운|드럽|재수없|재수 없|
        뻔뻔|철면피|양아치|깡패|사기꾼|거짓말쟁이|위선|가식|싸가지|싹수|건방|주제에|나대|설치|깝치|깝죽|오바|관종|
        정신병|정신 병|정신나간|정신 나간|미개|수준|토나|토 나|혐오스|극혐|노답|답없|답 없|쪽팔|창피|망신|지잡|
        기레기|무능|무개념|개념없|개념 없|인간말종|말종|버러지|벌레|기생충|늙은이|퇴물|적폐|돼지|뚱뚱|뚱땡|멸치|
        오크|호박""",
    "slur": """
        nigg|fag$|faggot|fags$|dyke$|tranny|trannies|kike|spic$|spics$|chink|gook|wetback|beaner|raghead|towelhead|
        paki$|pakis$|coon$|coons$|jap$|japs$|gypsy|gypsies|pikey|shemale|homo$|homos$|libtard|feminazi|white trash|
        redneck|mongoloid|spaz|cripple|midget|incel|thot|jigaboo|sand n|zipperhead|muzzie|muzzrat|jewess|negro|한남|
        한녀|김치녀|된장녀|맘충|틀딱|급식충|설명충|진지충|페미|꼴페|메갈|워마드|웜년|쿵쾅|보슬|보지|자지|걸레|창녀|
        창년|화냥|갈보|짱깨|짱께|짱개|쪽바리|쪽발이|왜놈|왜구|떼놈|되놈|조센징|깜둥|흑형|흑인놈|똥남아|똥꼬충|호모|
        게이새|레즈|젠신병|홍어|전라디언|라도|깽깽이|절라|개쌍도|통구이|과메기|좌빨|좌좀|빨갱|수꼴|토착왜구|대깨|
        문재앙|쥐박|닭근혜|일베|개독|먹사|땡중|외노자|불체자|튀기|병자|애자|장애년|장애놈|벙어리|귀머거리|절름발|
        앉은뱅|난쟁이|기형|임대충|엘사|휴거|지방충|이백충|촌놈|촌년|년들|놈들|년아|놈아|년이|놈이|충들|충이|^년$|
        ^놈$""",
    "group": """
        women|woman|female|girls$|wife$|wives|feminist|men$|gay$|gays$|lesbian|homosexual|bisexual|trans$|
        transgender|transsexual|queer|lgbt|jew$|jews$|jewish|muslim|islam|mosque|christian|catholic|hindu|buddhist|
        sikh|atheist|black$|blacks$|african|white$|whites$|asian|chinese|japanese|korean|indian$|indians$|mexican|
        latino|hispanic|arab|immigra|migrant|refugee|foreign|minorit|race$|races$|racial|ethnic|disab|handicap|
        autis|deaf|blind$|old people|elderly|boomers|poor people|homeless|roma$|polish|russian|turk|iranian|
        pakistani|vietnamese|filipino|liberals|여자|여성|계집|남자|남성|페미니|동성애|게이|트랜스|성소수|유대|
        무슬림|이슬람|기독교|개신교|교회|천주교|불교|신천지|흑인|백인|황인|중국|조선족|일본|동남아|베트남|필리핀|
        인도|아랍|외국인|이주|난민|다문화|혼혈|탈북|장애인|장애아|자폐|노인|늙|청년|애들|전라도|경상도|광주|대구|
        호남|영남|충청|강원도|제주|서울|지방|진보|보수|좌파|우파|민주당|국힘|국민의힘|정치인|국회|가난|빈민|노숙|
        임대|비정규|대학|엄마|아줌마|아저씨|할머니|할아버지|이혼|미혼모|한부모|독신|노총각|노처녀|전과자|정신질환|
        인종|민족|종교""",
    "all": """
        all$|every$|everyone|always|never|only$|nothing but|none of|any of them|those people|these people|
        you people|their kind|them all|typical|whole$|by nature|전부|모두|모든|다들|죄다|항상|맨날|원래|역시|본성|
        종특|하나같이|저것들|이것들|것들|족속|종자|부류|인간들|^다$""",
    "lower": """
        inferior|superior|subhuman|animal|savage|vermin|parasite|rats$|cockroach|monkey|apes$|disease|plague|filth|
        dirty|stink|smelly|lazy|criminal|thie|rapist|terrorist|evil|sick$|burden|breed|invad|invasion|infest|
        backward|barbar|uncivili|defective|unnatural|abomination|sinner|greedy|control the|controls the|
        controlling the|less intelligent|불결|열등|우월|미개|야만|짐승|바퀴|기생|냄새|범죄자|살인자|테러리|게으|
        거짓말|사기|병균|전염|암덩|암적|종양|해악|악마|사탄|저주|이기적|돈만|밝히|문란|더럽|가두|격리|쓸모|짐만""",
    "away": """
        deport|go back|get out of|kick them out|throw them out|thrown out|ban them|banned|exterminat|eradicat|
        eliminat|wipe out|wiped out|get rid|cleans|purge|lock them up|locked up|gas the|gassed|sterili|enslave|
        slavery|segregat|don t belong|not welcome|deserve|should be|should not|shouldn t|must be|ought to|추방|쫓아|
        몰아내|내쫓|돌아가라|꺼지|없애|없어져|없어졌|사라져|사라졌|멸종|박멸|청소|말살|금지|죽어야|죽여야|해야|
        마라$|말아야|안 된다|안된다|싸다$|불태|처단|척결|응징""",
    "you": """
        you$|you re$|youre|your$|ur$|yo$|u$|ya$|yourself|y all|thou$|^너$|^넌$|^널$|^네$|^니$|^니가$|^네가$|^너는$|
        ^너도$|^너네|^너희|^니들|^느그|당신|^너같|^너 같|^니네|임마|인마|^야$""",
    "hurt": """
        kill|murder|slaughter|massacre|shoot|shot$|stab|strangl|chok|behead|decapitat|hang$|hanged|lynch|burn|beat$|
        beat up|beating|punch|kick$|kicked|smash|crush|tortur|mutilat|dismember|slit|bleed|bloody|gore$|gory|bomb|
        blow up|blow you|assassinat|rape|raping|abuse|die$|dies$|drown|poison|acid$|hurt|harm|attack|suffer|gun$|
        bullet|knife|blade|axe$|hammer|bones|skull|throat|dead$|death|corpse|execut|hit her|hit him|slap|whip|
        break your|break his|break her|죽여|죽이|죽인|죽일|죽었|죽어|죽을|죽는|죽고|뒤져|살해|살인|찔러|찌르|찔렀|
        찌를|패고|패 죽|팬다|때려|때리|때린|두들겨|두들기|목 졸|목을 졸|목졸|불태|불을 질|불질|쏴|총으로|칼로|칼을|
        칼 들|망치|도끼|몽둥이|토막|고문|학살|피투성|피가|폭행|폭력|폭탄|학대|강간|성폭행|납치|염산|찢어|부러|뽑아|
        분질|박살|산 채|묻어|매달|던져|짓밟|밟아|갈기|조져|족쳐|잡아 죽|테러""",
    "sex": """
        sex$|sexual|sexy|sext|erotic|porn|nude|naked|horny|orgasm|masturbat|blowjob|blow job|handjob|anal$|oral sex|
        penis|vagina|boob|breast|tits|titties|nipple|genital|clit|butt$|booty|buttocks|cum$|cumming|climax|aroused|
        arousal|turned on|turn on|strip$|striptease|undress|panties|lingerie|bra$|kinky|fetish|bdsm|dominatrix|orgy|
        threesome|moan|thrust|lick|suck$|sucking|seduc|make love|making love|in bed|hooker|prostitut|brothel|escort|
        smut|nsfw|hentai|x rated|xxx|intercourse|lust|steamy|raunchy|thighs|fuck me|bang$|hookup|onlyfans|milf|
        dildo|vibrator|섹스|섹시|섹파|쎅|야한|야하|야동|야설|야사|음란|포르노|노모|알몸|나체|누드|벗은|벗어|벗기|
        벗겨|벗고|발가벗|가슴|젖꼭|유두|엉덩이|허벅지|성기|자지|보지|음경|질에|오르가|자위|딸치|딸딸|사정|정액|흥분|
        꼴려|꼴린|꼴렸|신음|애무|핥|빨아|빨고|삽입|체위|원나잇|성매매|조건만남|창녀|업소|오피|안마방|유흥|폰섹|
        스와핑|쓰리썸|변태|페티시|속옷|팬티|브라|침대|몸매|정사|성관계|관계를|따먹|떡치|떡 치|박고|박아|19금|에로|
        유혹|벗방|몰카|은밀|끈적|성희롱|성추행|음담""",
    "crime": """
        steal|stole|rob$|robbing|robber|burgl|break into|breaking into|shoplift|hack|crack$|phish|malware|
        ransomware|virus$|keylogger|trojan|spyware|rootkit|botnet|ddos|exploit|backdoor|sql injection|password|
        credit card|identity theft|fake$|forge|forging|counterfeit|launder|fraud|scam|swindl|embezzl|bribe|
        blackmail|extort|smuggl|traffick|tax$|taxes|evade|evasion|cheat|plagiar|meth$|methamph|cocaine|heroin|
        fentanyl|drug$|drugs$|weed$|explosive|bomb|pipe bomb|grenade|weapon|firearm|ghost gun|untraceable|poison|
        toxic|nerve agent|anthrax|ricin|chemical weapon|bioweapon|dirty bomb|kidnap|stalk|spy on|track her|
        track his|wiretap|arson|set fire|terror|illegal|unlawful|black market|dark web|hide a body|dead body|hitman|
        assassin|insider trading|ponzi|pyramid scheme|money mule|child labor|sabotage|disinformation|misinformation|
        propaganda|fake news|conspiracy|copyright|pirat|torrent|defam|harass|bully|dox|훔치|훔친|절도|도둑|털고|
        터는|강도|침입|해킹|해커|악성코드|랜섬|바이러스|키로거|피싱|스미싱|디도스|비밀번호|뚫|위조|위변조|가짜|짝퉁|
        돈세탁|자금세탁|사기|횡령|뇌물|협박|밀수|밀입국|인신매매|탈세|마약|필로폰|대마|코카인|헤로인|펜타닐|총기|
        폭탄|폭발물|사제|독살|독극물|청산가리|납치|스토킹|미행|추적|도청|몰래|방화|불법|다크웹|암시장|시체|청부|
        주가 조작|주가를 조작|작전 세력|다단계|빼돌|대포통장|대포폰|불법촬영|표절|대리시험|커닝|음주운전|무면허|
        허위|조작|선동|명의 도용|명의도용|도용|보험사기|보험금""",
    "ask": """
        how do i|how can i|how to|how would|how should|what is the best way|what s the best way|ways to|steps|
        step by step|tutorial|instructions|guide|recipe|explain|teach me|tell me|show me|give me|help me|write|
        create|develop|design|generate|make a|provide|list$|plan$|script|program|draft|compose|describe|convince|
        persuade|where can i|방법|어떻게|알려|가르쳐|써줘|써 줘|써 주|만들어|짜줘|짜 줘|추천|설명해|하는 법|
        만드는 법|요령|꼼수|대본|계획|묘사|보여줘|보내줘|어디서|어디야|하려면|하고 싶|싶어|줘$""",
    "unseen": """
        without getting caught|without being caught|not get caught|get away with|undetect|without anyone|
        without them know|without their know|without permission|without consent|without a trace|untrace|secretly|
        anonymous|avoid detection|evade detection|unnoticed|nobody notice|no one notice|cover up|hide from|trick$|
        deceive|manipulat|lure|groom|안 걸리|안걸리|들키지|걸리지 않|몰래|흔적|속여|속이|속인|꾀어|유인|감추|숨기|
        완전범죄|경찰이 못|아무도 모르게|눈치""",
    "gentle": """
        please|thank|sorry|love$|great|help$|happy|beautiful|article|edit$|page$|wikipedia|source|http|com$|talk$|
        감사|고맙|축하|힘내|사랑|좋은|좋아|좋다|응원|화이팅|파이팅|재밌|행복|예쁘|이쁘|멋지|멋있|귀엽|최고|잘해|
        잘했|훌륭|존경|부탁|습니다|세요|해요|예요|네요|건강|기대|다행|대박""",
    "reported": """
        he said|she said|they said|quote|called me|calling me|i was called|word|term|meaning of|is wrong|is not ok|
        unacceptable|hate speech|racism|racist|sexist|sexism|homophob|report$|prevent|protect|stop people|against|
        victim|safe|history|when did|when was|who was|why do|why does|뜻이|의미|차별|혐오 표현|혐오표현|인권|신고|
        예방|피해자|보호|반대|뉴스|기사|역사|언제|누가""",
}

#: Korean curses with something put between their letters, in the text as normalised; and shouting and the like.
_GAP: Final = r"[\d.,_\-~!*^/|ㅣ'\"@#&+=ㆍ·:;]{1,3}"
_TAIL: Final = r"(?=$|[^가-힣]|놈|년|새|것|아|이|들)"
SHAPES: Final[dict[str, str]] = {
    "broken curse": (
        rf"[씨시쉬슈쓰]{_GAP}[발벌바팔빨]|개{_GAP}[새세색쉐][끼기]?|새{_GAP}끼|병{_GAP}신|지{_GAP}랄"
        rf"|[좆존]{_GAP}[나까같]|미{_GAP}친"
    ),
    "spaced curse": (
        r"(?<![가-힣])(?:[씨시] 발|개 ?새 ?끼|새 끼|병 신|지 랄|존 나|미 친 ?[놈년]|쓰 ?레 ?기 같)"
        rf"{_TAIL}"
    ),
    # In small letters; the first letter is looked for before anything else because it is seldom there. Runs are
    # bounded: two that may share a character must not be tried in every split of a long one.
    "latin curse": (
        r"[abcdfgnqstw](?<!\w.)(?:(?<=t)lqkf|(?<=s)(?:s?ibal|hibal|[h*]{1,40}[i*1!]{1,40}t)|(?<=g)(?:aesaekki|sk)"
        r"|(?<=q)udtls|(?<=f)(?:f{0,40}[*@#._-]{1,4}(?:k|ck|ing)|f{0,40}[u*]{1,40}c{0,40}[*k]{1,40})"
        r"|(?<=b)[i*1!]{1,40}t?ch|(?<=a)[s$*]{2,3}(?:hole)?|(?<=n)[i*1!]gg[ae3*]|(?<=d)[i1!*]ck|(?<=c)[u*]nt"
        r"|(?<=w)h[o0*]re)\b"
    ),
    "shout": r"(?:\b[A-Z]{3,20}\b[ ,!]{1,3}){2}",
    "marks": r"[!?]{2,}",
    "laugh": r"[\u110f\u1112]{2,}|ㅋㅋ|ㅎㅎ|ㅉㅉ|\u110d\u110d",
    "cry": r"[\u1172\u116e]{2,}|ㅠㅠ|ㅜㅜ",
    "at": r"@\w|\bRT\b",
    "link": r"https?:|www\.",
}

#: What must be there for a shape to be: one of some strings, or anything beyond ASCII. It is quicker to look for.
NEEDS: Final[dict[str, tuple[str, ...]]] = {
    "marks": ("!!", "!?", "?!", "??"),
    "at": ("@", "RT"),
    "link": ("http", "www."),
}
BEYOND_ASCII: Final = frozenset({"broken curse", "spaced curse", "laugh", "cry"})
LOWERED: Final = frozenset({"latin curse"})
