"""Every category: a value in a sentence, a Korean particle glued to it, and something that only looks like it."""

import pytest

from guardrails import Action, GuardConfigErrors, compile_rails
from guardrails.categories import BY_NAME

# category -> (text before, value, text after)
FOUND = {
    "EMAIL": [
        ("mail ", "kim.min-su+x@mail.example.co.kr", "로 보내 주세요"),
        ("<", "a@example.com", ">"),
        ("", "o'brien@example.com", "."),
        ("이메일은 ", "a_b@example.io", "입니다"),
    ],
    "PHONE": [
        ("call ", "+1-202-555-0143", " now"),
        ("call ", "(202) 555-0143", ""),
        ("fax ", "202.555.0143x12", ""),
        ("전화 ", "+44 20 7946 0958", "로"),
        ("+41 is Swiss: ", "+41 (0)44 668 18 00", "."),
        ("you can reach me at ", "555 0143 22", ", thanks"),
        ("", "74 831 591", " office"),
    ],
    "CREDIT_DEBIT_CARD_NUMBER": [
        ("", "4111 1111 1111 1111", ""),
        ("카드 ", "5555-5555-5555-4444", "로 결제"),
        ("amex ", "378282246310005", ""),
        ("", "3782 822463 10005", ""),
        ("my card ", "4222222222222", " is lost"),
    ],
    "INTERNATIONAL_BANK_ACCOUNT_NUMBER": [
        ("IBAN ", "GB82 WEST 1234 5698 7654 32", " please"),
        ("", "DE89370400440532013000", "로 송금"),
        ("", "de89370400440532013000", "."),
    ],
    "IP_ADDRESS": [
        ("host ", "192.168.10.4", ":8080"),
        ("서버 ", "8.8.4.4", "에서"),
        ("", "2001:db8:85a3::8a2e:370:7334", ""),
        ("", "fe80::1", ""),
    ],
    "MAC_ADDRESS": [("", "00:1B:44:11:3A:B7", "가"), ("", "00-1b-44-11-3a-b7", ""), ("", "001b.4411.3ab7", "")],
    "SWIFT_CODE": [("SWIFT: ", "DEUTDEFF500", ""), ("BIC ", "KOEXKRSE", "로")],
    "US_BANK_ROUTING_NUMBER": [("routing number ", "021000021", "")],
    "US_SOCIAL_SECURITY_NUMBER": [
        ("", "123-45-6789", ""),
        ("ssn ", "123456789", ""),
        ("SSN은 ", "123-45-6789", "입니다"),
    ],
    "US_INDIVIDUAL_TAX_IDENTIFICATION_NUMBER": [("", "912-70-1234", ""), ("ITIN ", "912701234", "")],
    "DRIVER_ID": [
        ("driver's license number is ", "A1234567", ""),
        ("driving licence ", "12345678", "."),
        ("my driver's license is ", "2270-66-1551", ""),
    ],
    "UK_NATIONAL_HEALTH_SERVICE_NUMBER": [("NHS number ", "943 476 5919", "")],
    "UK_NATIONAL_INSURANCE_NUMBER": [("", "AB 12 34 56 C", ""), ("", "AB123456C", "로")],
    "CA_SOCIAL_INSURANCE_NUMBER": [("social insurance number ", "130 692 544", "")],
    "VEHICLE_IDENTIFICATION_NUMBER": [("VIN ", "1M8GDM9AXKP042788", ""), ("차대번호 ", "1M8GDM9AXKP042788", "인")],
    "URL": [("see ", "https://example.com/a?b=1", "."), ("", "www.example.com", "로"), ("", "HTTP://Example.com", ",")],
    "KR_RRN": [
        ("주민번호 ", "900101-1234567", "인데요"),
        ("", "900101-1234568", ""),
        ("주민등록번호는 ", "9001011234567", "입니다"),
        ("번호", "900101 1234567", "로"),
        ("", "201105-3999999", " issued without a check digit"),
    ],
    "KR_FRN": [("외국인등록번호 ", "900101-5234567", "로"), ("", "900101-6234561", "")],
    "KR_BRN": [("사업자등록번호 ", "1208147521", "로"), ("", "120-81-47521", "의")],
    "KR_PASSPORT": [("여권번호 ", "M12345678", "은"), ("", "M123A4567", "을"), ("passport ", "S12345678", "")],
    "KR_DRIVER_LICENSE": [
        ("면허 ", "11-12-123456-12", "로"),
        ("운전면허번호 ", "111212345612", ""),
        ("", "28-99-123456-01", ""),
    ],
    "KR_PHONE": [
        ("", "010-1234-5678", "로 연락"),
        ("", "01012345678", "이에요"),
        ("", "+82 10-1234-5678", "로"),
        ("", "02-123-4567", ""),
        ("", "(031) 123-4567", "에"),
        ("연락처 ", "0311234567", ""),
        ("고객센터 ", "1588-1234", "로"),
        ("", "070-1234-5678", ""),
    ],
    "KR_BANK_ACCOUNT": [("국민은행 ", "123456-01-234567", "로"), ("계좌 ", "3333-01-1234567", "에 입금")],
    "KR_CARD": [("카드번호 ", "9410-1234-5678-9010", "로"), ("", "9410123456789010", "")],
}

LOOK_ALIKES = {
    "EMAIL": ["logo@2x.png", "@app.route", "git@github.com:org/repo", "react@18.2.0", "a @ b.com", "x@y", "@@a.com"],
    "PHONE": [
        "2024-11-20 12:30",
        "1592-1598",
        "order 202-555",
        "pi is 3.14159265358979",
        "call at 2024-11-20",
        "12.5 kg",
    ],
    "CREDIT_DEBIT_CARD_NUMBER": ["4111 1111 1111 1112", "0000 0000 0000 0000", "8801331002115", "1700000000000000"],
    "INTERNATIONAL_BANK_ACCOUNT_NUMBER": ["GB82 WEST 1234 5698 7654 33", "AB12 is a row", "ISBN 978-89-2910-10-1"],
    "IP_ADDRESS": [
        "1.2.3",
        "version 1.2.3.4",
        "v1.2.3.4",
        "256.1.1.1",
        "127.0.0.1",
        "xs[1::2]",
        "std::vector",
        "12:30:45",
    ],
    "MAC_ADDRESS": ["00:00:00:00:00:00", "12:30:45:10:20", "aa:bb:cc:dd:ee:fg", "00-1b-44-11-3a-b7-00"],
    "SWIFT_CODE": ["DEUTDEFF", "the SWIFT language has OPTIONAL", "SWIFT ABCDZZFF"],
    "US_BANK_ROUTING_NUMBER": ["021000021", "routing number 021000022"],
    "US_SOCIAL_SECURITY_NUMBER": [
        "000-12-3456",
        "666-12-3456",
        "123-00-4567",
        "123456789",
        "912-11-1234",
        "1123-45-6789",
    ],
    "US_INDIVIDUAL_TAX_IDENTIFICATION_NUMBER": ["912-10-1234", "912701234"],
    "DRIVER_ID": ["A1234567", "license MIT 2024"],
    "UK_NATIONAL_HEALTH_SERVICE_NUMBER": ["943 476 5919", "NHS number 943 476 5918"],
    "UK_NATIONAL_INSURANCE_NUMBER": ["GB 12 34 56 C", "AB 12 34 56 E", "xAB123456C"],
    "CA_SOCIAL_INSURANCE_NUMBER": ["130 692 544", "sin 130 692 545"],
    "VEHICLE_IDENTIFICATION_NUMBER": ["1M8GDM9A1KP042788", "11111111111111111", "ABCDEFGHJKLMNPRST"],
    "URL": ["example.com", "http://", "a://b", "wwwx"],
    "KR_RRN": ["901301-1234567", "900230-1234567", "9001011234567", "주문번호 900101-1234567", "9900101-12345671"],
    "KR_FRN": ["901301-5234567", "9001015234567", "900101-9234567"],
    "KR_BRN": ["120-81-47522", "1208147521", "2024-11-20123"],
    "KR_PASSPORT": ["M1234567", "AM12345678", "part M12345678"],
    "KR_DRIVER_LICENSE": ["10-12-123456-12", "29-12-123456-12", "111212345612", "11-12-123456-123"],
    "KR_PHONE": ["010-12-5678", "2010-1234-5678", "0311234567", "1588-1234", "1592-1598", "법령 제366555호"],
    "KR_BANK_ACCOUNT": ["123456-01-234567", "계좌 12-34", "주문번호 285735-1318", "송장번호 530190604411"],
    "KR_CARD": ["9410-1234-5678-9011", "9999999999999999"],
}


def rails(category, action="mask"):
    return compile_rails([{"pii": {"entities": [category], "action": action}}])


@pytest.mark.parametrize(
    ("category", "before", "value", "after"),
    [(category, *sentence) for category, sentences in FOUND.items() for sentence in sentences],
)
def test_a_value_is_found_exactly(category, before, value, after):
    verdict = rails(category).check(before + value + after)
    assert [(f.category, f.start, f.end) for f in verdict.findings] == [
        (category, len(before), len(before) + len(value))
    ]
    assert verdict.text == f"{before}[{category}_1]{after}"


@pytest.mark.parametrize(
    ("category", "text"), [(category, text) for category, texts in LOOK_ALIKES.items() for text in texts]
)
def test_a_look_alike_is_left_alone(category, text):
    assert rails(category).check(text).findings == ()


def test_every_category_has_its_cases():
    assert set(FOUND) == set(LOOK_ALIKES) == set(BY_NAME)


@pytest.mark.parametrize(
    ("category", "value"),
    [(category, sentence[1]) for category, sentences in FOUND.items() for sentence in sentences[:1]],
)
def test_all_entities_together_name_it_the_same(category, value):
    before = FOUND[category][0][0]
    found = compile_rails([{"pii": {"entities": ["all"]}}]).check(before + value).findings
    assert [f.category for f in found] == [category]


@pytest.mark.parametrize(
    "hidden", ["０１０－１２３４－５６７８", "010\u200b-1234\u2060-5678", "010–1234–5678", "٠١٠-١٢٣٤-٥٦٧٨"]
)
def test_disguised_digits_are_still_digits(hidden):
    verdict = rails("KR_PHONE").check(f"전화 {hidden}로")
    assert verdict.text == "전화 [KR_PHONE_1]로"
    assert (verdict.findings[0].start, verdict.findings[0].end) == (3, 3 + len(hidden))


def test_the_check_digit_raises_the_score_and_does_not_decide():
    with_digit, without = (
        rails("KR_RRN").check(value).findings[0].score for value in ("900101-1234568", "900101-1234567")
    )
    assert with_digit > without > 0.5


def test_an_entity_has_its_own_action():
    compiled = compile_rails(
        [{"pii": {"entities": ["EMAIL", "KR_RRN"], "action": "mask", "actions": {"KR_RRN": "block"}}}]
    )
    assert compiled.check("a@example.com").action is Action.MASK
    assert compiled.check("a@example.com 900101-1234567").action is Action.BLOCK


def test_an_entity_can_be_left_out_of_its_group():
    compiled = compile_rails([{"pii": {"entities": ["korean"], "actions": {"KR_PHONE": "none"}}}])
    assert compiled.check("010-1234-5678").action is Action.NONE


def test_a_group_only_reports_web_addresses():
    compiled = compile_rails([{"pii": {"entities": ["all"], "action": "block"}}])
    assert compiled.check("https://example.com/a").action is Action.DETECT


def test_the_wider_category_takes_the_korean_ones_along():
    compiled = compile_rails([{"pii": {"entities": ["PHONE", "CREDIT_DEBIT_CARD_NUMBER"]}}])
    assert compiled.check("010-1234-5678, 9410123456789010").text == "[PHONE_1], [CREDIT_DEBIT_CARD_NUMBER_1]"


def test_an_allowed_value_is_nobodys_secret():
    compiled = compile_rails([{"pii": {"entities": ["EMAIL"], "allow": ["help@example.com"]}}])
    assert compiled.check("help@example.com, me@example.com").text == "help@example.com, [EMAIL_1]"


@pytest.mark.parametrize(
    ("settings", "path", "hint"),
    [
        ({"entities": ["EMIAL"]}, ("entities", 0), "EMAIL"),
        ({"entities": ["EMAIL", "US_SSN"]}, ("entities", 1), "US_SOCIAL_SECURITY_NUMBER"),
        ({"actions": {"EMAIL_ADDRESS": "mask"}}, ("actions", "EMAIL_ADDRESS"), "EMAIL"),
        ({"entities": []}, ("entities",), ""),
        ({"action": "delete"}, ("action",), ""),
        ({"entitys": ["EMAIL"]}, ("entitys",), "entities"),
    ],
)
def test_a_mistake_is_named_with_its_place(settings, path, hint):
    with pytest.raises(GuardConfigErrors) as caught:
        compile_rails([{"pii": settings}])
    (error,) = caught.value.errors
    assert error.path == (0, "pii", *path)
    assert hint in error.hint
