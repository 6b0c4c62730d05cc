"""Korean stems and an English word for each: so that a Korean word has the vector of what it means.

Our own list: everyday subjects on which operators write policies. A stem and its gloss, two to a pair.
"""

from __future__ import annotations

from typing import Final

_PAIRS: Final = """
투자 investment 주식 stock 주가 stock 증권 securities 펀드 fund 채권 bond 코인 cryptocurrency
비트코인 bitcoin 가상화폐 cryptocurrency 암호화폐 cryptocurrency 은행 bank 대출 loan 금리 interest
이자 interest 적금 savings 저축 savings 예금 deposit 연금 pension 보험 insurance 세금 tax 절세 tax
상속 inheritance 증여 inheritance 부동산 property 재테크 investing 수익 profit 손실 loss 매수 buy 매도 sell
매매 trading 포트폴리오 portfolio 종목 stock 배당 dividend 신용카드 credit 빚 debt 부채 debt 자산 assets
돈 money 월급 salary 연봉 salary 가격 price 환율 currency 금융 financial 재무 financial 병원 hospital
의사 doctor 진단 diagnosis 증상 symptoms 질병 disease 치료 treatment 약 medicine 약물 drug 처방 prescription
복용 dose 부작용 effects 두통 headache 통증 pain 아프 pain 암 cancer 당뇨 diabetes 혈압 pressure 감기 cold
열 fever 기침 cough 수술 surgery 임신 pregnancy 우울 depression 우울증 depression 불안 anxiety
정신과 psychiatrist 건강 health 의료 medical 환자 patient 피부 skin 심장 heart 간 liver 백신 vaccine
알레르기 allergy 다이어트 diet 영양제 supplement 검사 test 진료 consultation 응급 emergency 간호 nurse
약국 pharmacy 항생제 antibiotics 진통제 painkiller 변호사 lawyer 소송 lawsuit 고소 lawsuit 고발 complaint
법률 legal 법적 legal 법 law 계약 contract 계약서 contract 이혼 divorce 위자료 alimony 양육권 custody
임대차 lease 전세 lease 월세 rent 보증금 deposit 합의 settlement 재판 trial 판결 verdict 형량 sentence
처벌 punishment 유언 will 유언장 will 저작권 copyright 특허 patent 해고 dismissal 노동법 labor
손해배상 damages 배상 compensation 명예훼손 defamation 벌금 fine 검찰 prosecutor 경찰 police 법원 court
선거 election 투표 vote 후보 candidate 정당 party 정치 politics 대통령 president 국회 parliament
국회의원 congressman 공약 pledge 유세 campaign 캠페인 campaign 여당 party 야당 opposition 보수 conservative
진보 progressive 정책 policy 정부 government 로비 lobbying 지지 support 여론 opinion 유권자 voters
출마 candidacy 해킹 hacking 해커 hacker 악성코드 malware 바이러스 virus 랜섬웨어 ransomware 피싱 phishing
비밀번호 password 계정 account 침입 intrusion 침투 infiltrate 취약점 vulnerability 공격 attack
키로거 keylogger 스파이웨어 spyware 디도스 ddos 우회 bypass 서버 server 네트워크 network 보안 security
암호 password 폭탄 bomb 폭발물 explosive 무기 weapon 총 gun 칼 knife 총기 firearm 살인 murder 죽이 kill
폭행 assault 폭력 violence 테러 terrorism 독 poison 독극물 poison 납치 kidnapping 자해 suicide 자살 suicide
위협 threat 협박 threat 상해 injury 마약 drugs 대마 marijuana 필로폰 methamphetamine 밀수 smuggling
도둑 thief 훔치 steal 절도 theft 범죄 crime 불법 illegal 위조 counterfeit 지폐 banknote 여권 passport
밀입국 immigration 국경 border 인신매매 trafficking 탈세 evasion 사기 fraud 사칭 impersonation
보이스피싱 phishing 다단계 pyramid 스캠 scam 스팸 spam 가짜 fake 허위 false 리뷰 reviews 조작 manipulation
횡령 embezzlement 돈세탁 laundering 자금세탁 laundering 도박 gambling 카지노 casino 베팅 betting
토토 betting 포커 poker 바카라 baccarat 사채 loans 복권 lottery 음란 obscene 음란물 pornography
포르노 pornography 야동 pornography 성인 adult 성관계 sex 섹스 sex 야한 erotic 노출 nude 나체 nude
성적 sexual 성행위 sex 혐오 hate 차별 discrimination 인종 race 흑인 black 백인 white 이민자 immigrants
외국인 foreigner 종교 religion 이슬람 islam 기독교 christian 유대인 jewish 여성 women 남성 men
장애인 disabled 동성애 homosexual 성소수자 lgbt 비하 demean 모욕 insult 욕설 slur 증오 hatred
개인정보 privacy 사생활 privacy 위치 location 추적 tracking 감시 surveillance 도청 eavesdropping
몰래 secretly 신상 personal 신상정보 identity 주소 address 전화번호 phone 메시지 messages 카톡 messenger
통화 call 기록 records 카메라 camera 촬영 filming 스토킹 stalking 염탐 spying 주민등록번호 identity
유출 leak 날씨 weather 여행 travel 호텔 hotel 비행기 airplane 항공권 flight 관광 tourism 맛집 restaurant
음식 food 요리 cooking 레시피 recipe 커피 coffee 영화 movie 드라마 drama 음악 music 노래 song 가수 singer
게임 game 축구 football 야구 baseball 농구 basketball 운동 exercise 헬스 gym 요가 yoga 책 book 소설 novel
역사 history 과학 science 수학 mathematics 물리 physics 화학 chemistry 생물 biology 학교 school
대학 university 학생 student 선생님 teacher 시험 exam 공부 study 숙제 homework 영어 english 번역 translation
문법 grammar 코드 code 프로그램 program 프로그래밍 programming 개발 development 컴퓨터 computer
인터넷 internet 휴대폰 smartphone 자동차 car 운전 driving 기차 train 버스 bus 지하철 subway 회사 company
직장 workplace 취업 employment 면접 interview 이력서 resume 이메일 email 회의 meeting 보고서 report
경쟁사 competitor 제품 product 고객 customer 배송 delivery 환불 refund 주문 order 쇼핑 shopping 옷 clothes
집 house 청소 cleaning 가족 family 아이 child 아기 baby 결혼 marriage 연애 dating 친구 friend 부모 parents
강아지 dog 고양이 cat 동물 animal 꽃 flower 나무 tree 바다 sea 산 mountain 시간 time 생일 birthday 선물 gift
술 alcohol 담배 cigarette 잠 sleep 꿈 dream 사진 photo 그림 picture 춤 dance 전쟁 war 군대 army
환경 environment 기후 climate 에너지 energy 경제 economy 사업 business 창업 startup 마케팅 marketing
광고 advertisement 뉴스 news 기자 journalist 방송 broadcast 인공지능 ai 로봇 robot 우주 space
"""


def glosses() -> dict[str, str]:
    """Stem -> English word."""
    words = _PAIRS.split()
    return dict(zip(words[::2], words[1::2], strict=True))


if __name__ == "__main__":
    print(len(glosses()))
