"""What attacks on instructions speak of, in the words of some twenty languages.

Wordings differ, sources differ, languages differ; what is spoken of does not: instructions that came before, that
they be ignored, a prompt that is hidden, that it be shown, a role without rules. Each concept is a list of stems.
They are compared with text whose case, accents, digits and punctuation are gone (``signals``), at the start of a
word; where a script has no gaps between words, anywhere. Lists are our own.
"""

from __future__ import annotations

from typing import Final

CONCEPTS: Final[dict[str, str]] = {
    "ignore": """
        ignor|disregard|forget|forgot|overlook|bypass|circumvent|overrid|overrul|discard|dismiss|abandon|
        set aside|pay no attention|do not follow|don t follow|stop following|no longer follow|disobey|nullif|
        supersede|take precedence|no longer appl|no longer bound|do not obey|stop obeying|throw out|throw away|
        erase|wipe|clear your|reset your|unlearn|skip|evade|defy|violate|break your|deactivat|disabl|turn off|
        switch off|remove your|let go of|put aside|instead of following|rather than following|never mind|cancel|
        suspend|void|waive|lift|ignorier|vergiss|vergesst|vergessen sie|missacht|umgeh|verwirf|uberschreib|
        beachte nicht|halte dich nicht|ausser acht|setz dich uber|schalte ab|brich|oubli|neglig|contourn|
        outrepass|ne tiens pas compte|ne tenez pas compte|fais abstraction|faites abstraction|desobei|ecart|
        transgress|desactiv|passe outre|passez outre|laisse tomber|fais fi|olvid|omit|descart|pasa por alto|
        pase por alto|desobede|anul|haz caso omiso|haga caso omiso|no sigas|salta|elud|deja de lado|prescind|
        renunci|desestim|dimentic|trascur|scavalc|aggir|non seguire|metti da parte|tralasci|scorda|disattiv|
        esquec|desconsider|contorn|burl|nao siga|deixe de lado|desobedec|ultrapass|negeer|vergeet|omzeil|
        sla over|zignoruj|zapomnij|pomin|obejd|yok say|unut|gormezden|dikkate alma|atla|ignorera|glom|
        bortse fra|glem|ignoruj|zapomen|hagyd figyelmen|felejts|abaikan|lupakan|bo qua|quen di|phot lo|agnoise|
        xechase|игнорир|проигнорир|забудь|забыть|отмени|обойди|обойти|не обращай|отбрось|пренебрег|нарушь|
        отключи|ігнор|проігнор|αγνοησε|ξεχασε|忽略|无视|忘记|忘掉|不要理会|别管|不用管|绕过|覆盖|抛开|丢弃|
        不遵守|取消|解除|無視|忘記|繞過|忽視|忘れ|従わな|バイパス|無効|破棄|取り消|回避|무시|잊어|잊으|잊고|
        잊은|따르지|건너뛰|우회|무효|해제|폐기|버리고|버려|지우고|제쳐|신경 쓰지|신경쓰지|어기|없던 것|없던 걸|
        없는 것으로|취소|अनदेख|नजरअंदाज|नज़रअंदाज|भूल जा|उपेक्ष|تجاهل|تجاهلي|انس|تغاضى|ละเว้น|เพิกเฉย|ลืม|ข้าม|
        התעלם|שכח""",
    "rules": """
        instruct|rule|guideline|directive|order|command|polic|restriction|constraint|safeguard|protocol|
        programming|limitation|guardrail|limits|parameters|directions|regulations|conditions|principles|
        configuration|context|conditioning|preparation|training|barrier|boundaries|anweisung|regel|richtlinie|
        vorgabe|einschrankung|befehl|beschrankung|programmierung|vorschrift|grenzen|instruction|consigne|regle|
        contrainte|programmation|norme|limites|instruccion|regla|directriz|directrices|indicacion|restriccion|
        ordenes|normas|programacion|protocolo|istruzion|regol|direttiv|indicazion|restrizion|programmazione|
        limiti|ordini|instruc|regra|diretriz|orientac|restric|ordens|programacao|instructie|regels|opdracht|
        polecen|zasad|regul|ograniczen|talimat|kural|yonerge|komut|instruktion|reglerna|pokyn|pravidla|utasitas|
        szabaly|instruksi|perintah|aturan|huong dan|chi thi|quy tac|lenh|инструкц|правил|указан|команд|
        ограничен|директив|установк|настройк|інструкц|правила|οδηγι|κανον|指令|指示|规则|规定|限制|命令|要求|
        约束|准则|規則|規定|ルール|制限|ガイドライン|制約|지시|지침|명령|규칙|규정|제한|제약|가이드라인|원칙|
        방침|정책|안내사항|설정|룰|निर्देश|नियम|आदेश|हिदायत|التعليمات|تعليمات|القواعد|الاوامر|الأوامر|قيود|
        คำสั่ง|กฎ|ข้อกำหนด|הוראות|כללים""",
    "prior": """
        previous|prior|above|earlier|existing|original|preceding|foregoing|so far|until now|up to now|up until|
        before this|you were given|you have been given|you received|given to you|told you|beforehand|
        everything before|default|initial|your current|standing|all of your|all your|built in|vorherig|vorig|
        bisherig|obig|fruher|vorangegang|ursprunglich|precedent|ci dessus|anterieur|jusqu|d avant|plus haut|
        anterior|previ|de arriba|hasta ahora|recibid|sopra|finora|acima|ate agora|recebid|vorige|eerdere|
        bovenstaande|poprzedn|wczesniejsz|powyzsz|onceki|yukaridaki|tidigare|foregaende|predchoz|korabbi|elozo|
        sebelumnya|di atas|truoc do|предыдущ|прежн|ранее|выше|прошл|до этого|попередн|προηγουμεν|之前|以上|上面|
        先前|前面|此前|上述|早先|以前|これまで|上記|前の|今まで|先ほど|上の|이전|위의|위에|앞의|앞선|앞서|
        지금까지|기존|여태|방금 전|받은|내려진|원래|종전|पिछल|पूर्व|पहले|ऊपर|السابق|أعلاه|ก่อนหน้า|ข้างต้น|הקודמ""",
    "hidden": """
        prompt|system message|system instruction|system text|preprompt|preamble|hidden|secret|confidential|
        internal|initialization|initialisation|developer message|your instructions|your guidelines|your rules|
        your system|initial message|first message|text above|words above|message above|everything above|
        content above|your configuration|your directives|behind the scenes|your programming|your settings|
        system configuration|conversation history|begin with you are|starting with you are|canary|metadata|
        backend|systemprompt|systemnachricht|systemanweisung|verborgen|geheim|versteckt|vertraulich|invite de|
        invite systeme|message systeme|cache|confidentiel|indicaciones del sistema|mensaje del sistema|oculta|
        oculto|secreta|secreto|confidencial|nascost|segret|riservat|messaggio di sistema|escondid|sigilos|
        mensagem do sistema|systeemprompt|gizli|sistem istemi|ukryt|tajn|dolda|hemlig|tersembunyi|rahasia|
        системн|промпт|промт|скрыт|секретн|конфиденц|внутренн|系统提示|提示词|系统消息|隐藏|秘密|机密|内部|初始|
        系統提示|提示詞|隱藏|システムプロンプト|プロンプト|隠さ|初期|프롬프트|시스템 메시지|시스템 메세지|숨겨|
        숨은|비밀|내부|초기 설정|초기 지시|처음 받은|처음에 받은|시스템 설정|시스템 지시|기밀|전체 지시|
        첫 메시지|대화 시작 전|위에 적힌|सिस्टम प्रॉम्प्ट|प्रॉम्प्ट|छिप|गुप्त|المخفي|السرية|النظام|ซ่อน|ความลับ|
        พรอมต์""",
    "reveal": """
        reveal|show|print|display|output|repeat|disclose|expose|leak|tell me|share|dump|recite|verbatim|
        write out|spill|give me|what is your|what are your|what were|what was|which instructions|copy|echo|
        return your|paste|transcribe|quote|word for word|translate your|summarize your|summarise your|
        describe your|explain your|list your|state your|spell out|read out|read back|send me|let me see|
        access your|retrieve|extract|unveil|divulge|encode your|zeig|offenbar|gib|nenn|verrat|wiederhol|druck|
        wortlich|was ist dein|was sind deine|ausgeben|leg offen|montre|revel|affich|repet|divulgu|donne moi|
        donnez moi|quelle est|quelles sont|dis moi|expos|devoil|muestra|revela|imprim|repite|repita|dime|dame|
        cual es|cuales son|divulg|escribe|exib|mostra|rivela|stampa|ripeti|dimmi|qual e|quali sono|svela|mostre|
        revele|diga|exiba|quais sao|toon|onthul|herhaal|pokaz|ujawnij|powtorz|wypisz|goster|acikla|yazdir|visa|
        avsloja|ukaz|tampilkan|ungkapkan|hien thi|tiet lo|покажи|раскро|выведи|повтори|скажи|напечатай|назови|
        выдай|процитир|显示|透露|打印|输出|重复|告诉我|展示|泄露|复述|列出|公开|顯示|輸出|告訴我|表示|見せて|
        教えて|出力|繰り返|開示|明かし|보여|알려|출력|공개|반복|말해|노출|그대로|적어|읊어|복사|나열|유출|토씨|
        원문|번역해|요약해|붙여|읽어|दिखा|बताओ|बताएं|प्रकट|दोहरा|أظهر|اكشف|اعرض|كرر|แสดง|เปิดเผย|บอก""",
    "machine": """
        you|your|assistant|chatbot|ai|artificial intelligence|chatgpt|gpt|llm|llms|language model|claude|gemini|
        copilot|bot|agent|agents|openai|anthropic|model|models|du|deine|ki|sprachmodell|assistent|vous|votre|
        tes|ia|modele|tu|tus|asistente|modelo|tuo|tuoi|tue|assistente|sua|suas|teu|ty|twoje|sen|ты|твои|ваши|вы|
        модель|ассистент|бот|ии|你|您|助手|人工智能|模型|机器人|あなた|アシスタント|モデル|너는|너의|네가|넌|
        당신|인공지능|챗봇|어시스턴트|언어 모델|언어모델|비서|에이전트|봇|모델|आप|तुम|सहायक|أنت|مساعد|คุณ|
        ผู้ช่วย""",
    "role": """
        act as|act like|acting as|pretend|roleplay|role play|imagine you|imagine that you|simulat|you are now|
        you re now|from now on|persona|in character|play the role|take on the role|assume the role|you will be|
        become|behave as|behave like|respond as|answer as|speak as|alter ego|transform into|switch to|enter|
        activate|enable|mode|hypothetical|in a world where|fictional|game|scenario|let s play|stay in|tu so|
        spiel die rolle|verhalte dich|du bist jetzt|ab jetzt|ab sofort|stell dir vor|modus|fais comme si|
        faites comme si|agis comme|tu es maintenant|a partir de maintenant|desormais|joue le role|imagine|
        actua como|finge|haz de cuenta|ahora eres|a partir de ahora|desde ahora|modo|comportati|fai finta|
        agisci come|ora sei|d ora in poi|da ora|aja como|finja|agora voce|de agora em diante|a partir de agora|
        doe alsof|vanaf nu|udawaj|od teraz|gibi davran|bundan sonra|latsas|представь|притвори|веди себя|
        ты теперь|теперь ты|с этого момента|отныне|режим|扮演|假装|你现在是|从现在开始|从现在起|假设你|模式|
        角色|假裝|ふりをし|演じ|なりき|今から|これから|モード|役割|척해|척하|인 척|역할|행세|연기해|이제부터|
        지금부터|앞으로는|라고 가정|가정하|되어|모드|빙의|캐릭터|페르소나|상황극|अभिनय|अब से|تظاهر|من الآن|
        สวมบทบาท|ต่อจากนี้|โหมด""",
    "free": """
        unrestricted|unfiltered|uncensored|no rules|without rules|without restriction|no restriction|
        without limit|no limit|jailbr|do anything now|dan|developer mode|debug|admin mode|root|sudo|god mode|
        no longer bound|free from|freed|break free|broken free|evil|amoral|unethical|no filter|without filter|
        without any|no ethical|no moral|unaligned|unlock|unleash|limitless|unlimited|not bound|not restricted|
        without censorship|no censorship|anything goes|bypass mode|maintenance mode|test mode|opposite|rogue|
        rebel|free of all|no boundaries|liberated|ohne einschrankung|uneingeschrankt|unzensiert|ohne regeln|
        ohne filter|entwicklermodus|sans restriction|sans limite|sans filtre|sans censure|sans regle|
        mode developpeur|sin restriccion|sin limite|sin filtro|sin censura|sin regla|modo desarrollador|
        senza restrizion|senza limit|senza filtr|senza regol|senza censur|modalita sviluppatore|sem restric|
        sem limite|sem filtro|sem censura|sem regra|modo desenvolvedor|zonder beperk|zonder regels|bez ogranicz|
        bez zasad|sinirsiz|kuralsiz|filtresiz|без ограничен|без цензур|без правил|без фильтр|режим разработчика|
        不受限制|无限制|没有限制|无任何限制|不受约束|越狱|开发者模式|不受任何|無限制|沒有限制|制限のない|
        制限なし|無制限|検閲|開発者モード|脱獄|制限を受けない|제한 없|제한없|무제한|검열 없|탈옥|개발자 모드|
        관리자 모드|디버그|필터 없|규칙 없|제약 없|자유로|자유롭|해방|무엇이든 할|뭐든지 할|बिना किसी प्रतिबंध|
        بدون قيود|ไม่มีข้อจำกัด""",
    "safety": """
        safety|ethic|moral|content polic|usage polic|censor|filter|harmful|illegal|refus|comply|complian|
        disclaimer|apolog|i cannot|i can t|as an ai|warning|inappropriate|offensive|dangerous|moderation|
        responsib|consequence|obey|sicherheit|ethisch|moralisch|securite|ethique|etic|seguridad|sicurezza|
        seguranca|censur|безопасн|этич|цензур|安全|道德|伦理|审查|拒绝|倫理|検閲|拒否|윤리|안전|거부|거절|도덕|
        불법|유해|검열|필터|사과|경고|경계""",
    "say": """
        say|respond with|answer with|reply with|only output|just print|just say|begin with|start with|
        start your|end your|respond only|answer only|output only|write only|exactly|nothing else|nothing more|
        no explanation|pwned|hacked|the following sentence|the phrase|the word|the string|antworte nur|sag nur|
        antworte mit|reponds uniquement|reponds par|dis seulement|responde solo|responde unicamente|di solo|
        rispondi solo|rispondi con|responda apenas|diga apenas|ответь только|отвечай только|напиши только|
        скажи только|只回答|只输出|只说|回复|回答|だけを|とだけ|と答え|라고만|라고 답|라고 말|라고 대답|만 출력|
        만 답|만 말해|라고 출력|로만 답""",
    "authority": """
        admin|administrator|developer|authoriz|authoris|permission|override code|urgent|emergency|security team|
        your creator|your developer|i am your|credentials|access level|clearance|audit|compliance|verified|
        official|permitted|policy update|engineer|owner|operator|supervisor|ceo|root access|superuser|
        maintenance|certif|legal|entwickler|administrateur|developpeur|administrador|desarrollador|
        amministratore|sviluppatore|desenvolvedor|администратор|разработчик|管理员|开发者|授权|管理者|開発者|
        관리자|개발자|권한|승인|긴급|담당자|운영팀|보안팀|감사|점검|대표|허가|인증""",
    "answer": """
        your answer|your response|your reply|your output|your summary|your message|your code|your solution|
        in the response|in your|to your|the user|the answer|when summariz|when summaris|when you|
        when processing|when reading|when respond|do not mention|don t mention|do not tell|without telling|
        without informing|tell the user|inform the user|append|include|insert|add the|add a|modify your|
        enhance your|incorporate|integrate|embed|recommend|summary of this|if you are|any ai|reading this|
        processing this|this document|this email|this page|rewrite|reword|translate|encode|render your|
        provide your|use a|replace|reverse|respond in|답변에|응답에|요약에|요약할|요약하|답변할|답할|사용자에게|
        알리지|언급하지|말하지|읽는|처리하는|문서를|메일을|포함|추가|덧붙|넣어|추천""",
    "deed": """
        send|forward|email|http|https|upload|post to|curl|wget|webhook|exfiltrat|credential|password|api key|
        token|delete|transfer|wire|execute|run|eval|invoke|call the|tool|function|download|install|click|visit|
        navigate|os system|subprocess|rm rf|drop table|cookie|session|import|whoami|exec|bash|shell|sende|
        loesch|losche|envoie|supprim|envia|elimin|invia|cancella|apag|отправ|удал|выполн|发送|删除|执行|转账|
        上传|送信|削除|実行|전송|보내|삭제|비밀번호|이체|송금|업로드|실행|호출|토큰|키를|클릭|접속|내려받|설치|
        첨부|결제|전달""",
    "fresh": """
        new instruction|new task|new rule|new order|instead|real task|actual task|following instruction|
        following task|follow these|these instructions|these rules|this instruction|my instruction|my order|
        my command|only follow|listen to me|obey me|do as i|do what i|do the following|now do|now you|your new|
        next instruction|important|attention|stattdessen|neue anweisung|neue aufgabe|a la place|
        nouvelle instruction|nouvelle consigne|en su lugar|nueva instruccion|invece|nuova istruzione|em vez|
        nova instruc|mes directives|mis instrucciones|mie istruzioni|meine anweisungen|minhas|exclusiv|
        uniquement|solo|вместо|новая инструкция|новое задание|新指令|新的指令|新任务|而是|代わりに|新しい指示|
        대신|새로운 지시|새 지시|새로운 명령|새로운 역할|새 규칙|다음 지시|아래 지시|다음을 수행|내 말만|
        내 지시|내 명령|이 지시|다음 명령|최우선|우선""",
    "request": """
        please|can you|could you|would you|write|explain|describe|create|generate|how do i|how to|what|why|how|
        give|suggest|provide|list|make|find|compare|design|draft|bitte|kannst du|s il te plait|por favor|puedes|
        per favore|puoi|пожалуйста|请|请问|ください|해줘|해 줘|해주세요|해 주세요|부탁|주세요|하라|하시오|할 것|
        십시오|하세요|줄래|무엇|어떻게|왜""",
}
