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
    "CREDIT_DEBIT_CARD_CVV": [
        ("cvv: ", "123", ""),
        ("CVC 번호는 ", "4321", "입니다"),
        ("security code is ", "987", "."),
    ],
    "CREDIT_DEBIT_CARD_EXPIRY": [
        ("card exp ", "03/29", ","),
        ("my visa expires on ", "12/2031", "."),
        ("카드 유효기간 ", "03/29", "까지"),
    ],
    "PIN": [("my PIN is ", "4711", "."), ("pin code: ", "112233", ""), ("핀번호는 ", "1234", "입니다")],
    "PASSWORD": [
        ("the password is ", "hunter2!", "."),
        ("비밀번호는 ", "abc123!", "입니다"),
        ('passwd="', "s3cret99", '"'),
        ("비번: ", "qwer1234", "로"),
    ],
    "US_BANK_ACCOUNT_NUMBER": [("account number ", "12345678", ""), ("acct #", "000123456789", ".")],
    "US_PASSPORT_NUMBER": [("US passport number ", "A12345678", ""), ("passport no. ", "123456789", ".")],
    "UK_UNIQUE_TAXPAYER_REFERENCE_NUMBER": [
        ("UTR: ", "12345 67890", ""),
        ("unique taxpayer reference ", "1234567890", "."),
    ],
    "CA_HEALTH_NUMBER": [("ontario health card ", "1234-567-890-AB", ""), ("RAMQ ", "TREM 1234 5678", ".")],
    "LICENSE_PLATE": [
        ("차량번호 ", "12가 3456", "로"),
        ("", "123나4567", "이 지나갔다"),
        ("license plate ", "ABC-1234", "."),
        ("number plate is ", "AB12 CDE", ""),
    ],
    "NAME": [
        ("예금주 ", "김민수", "로"),
        ("제 이름은 ", "남궁민수", "입니다"),
        ("my name is ", "Jane Doe", "."),
        ("ask Mr. ", "O'Brien", " first"),
        ("by ", "J. R. R. Tolkien", ","),
        ("", "Kevin", "'s dog"),
        ("", "이지혜", " 변호사님께"),
    ],
    "ADDRESS": [
        ("주소는 ", "서울특별시 강남구 테헤란로 152, 3층", "입니다"),
        ("", "경기도 성남시 분당구 판교역로 166", "에 산다"),
        ("at ", "12 Main Street, Apt. 4, Springfield, IL 62701", "."),
        ("in der ", "Chausseestr. 32", "!"),
        ("to ", "P.O. Box 123", ";"),
        ("zip code: ", "90210", ""),
    ],
    "AGE": [
        ("I am ", "34 years old", ""),
        ("a ", "5-year-old", " boy"),
        ("만 ", "34세", "입니다"),
        ("나이: ", "28", ""),
    ],
    "USERNAME": [("username: ", "jsmith_92", ""), ("아이디는 ", "kim.ms", "입니다")],
    "AWS_ACCESS_KEY": [("the key ", "AKIA" + "QYZ4H7BN2MPLW3RD", " leaked")],
    "AWS_SECRET_KEY": [("aws_secret_access_key = ", "aB3dE5gH7jK9mN1pQ4rS" + "tV8wX0yZ2cD4eF6gH8jK", "")],
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
    "CREDIT_DEBIT_CARD_CVV": ["cvv is on the back", "123", "error code 123", "cvv: 12345"],
    "CREDIT_DEBIT_CARD_EXPIRY": ["03/29", "the offer expires 12/25", "exp 13/29", "exp(03/29)"],
    "PIN": ["pin 13 = 4000", "GPIO pin 7", "shipping 4711", "pinned 4711", "PIN is secret", "4711"],
    "PASSWORD": [
        "password: str = None",
        "the password is incorrect",
        "password = config.get('x1')",
        "password=os.environ.PW1",
        "password == other1",
        "비밀번호는 8자리 이상",
        "비밀번호를 잊었어요",
        "password: must be 8 characters",
    ],
    "US_BANK_ACCOUNT_NUMBER": ["12345678", "account 12345678", "account number 123", "an account of 1066"],
    "US_PASSPORT_NUMBER": ["A12345678", "passport 1234", "passport to 123456789"],
    "UK_UNIQUE_TAXPAYER_REFERENCE_NUMBER": ["1234567890", "UTR 123", "3' UTR of mRNA"],
    "CA_HEALTH_NUMBER": ["1234-567-890-AB", "health 100", "public health 1234567890"],
    "LICENSE_PLATE": ["15조3000억", "20도 1500", "ABC-1234", "12월 2024", "a plate of 1234", "license plate frame"],
    "NAME": [
        "The United States of America",
        "Use Python and Django with Visual Studio Code",
        "A. Report it",
        "Dear Sir or Madam",
        "New York Times",
        "S3, EKS and C4",
        "이동하는 이용자님께",
        "name: Annotated[str]",
        "21세기 최고의 이야기",
        "Machine Learning",
        "고객님 안녕하세요",
    ],
    "ADDRESS": [
        "그대로 3번",
        "서울로 3",
        "During 1972, Main",
        "B. 8",
        "chapter 12 of 30",
        "version 3 Street",
        "도로 2개",
    ],
    "AGE": ["21세기", "3세대", "34 years ago", "v1.34 years old", "the age of reason", "page 34"],
    "USERNAME": ["username: str", "username = request.form", "the username is required", "login 12345"],
    "AWS_ACCESS_KEY": ["AKIA", "S3 and EKS", "AKIA1234"],
    "AWS_SECRET_KEY": ["aws_secret_access_key = get_key()", "aB3dE5gH7jK9mN1pQ4rStV8wX0yZ2cD4eF6gH8jK"],
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
