"""Personal data to seed: written by us, or generated with right check digits. Nobody's: no number here was given out.

Each kind is a way to make a value and the sentences that people put it in. ``PROMISED`` are the ways in which people
tell such things to an assistant; none of them may get through. ``HARD`` says them so that no form, cue or likelihood
gives them away: what gets through there is measured, not promised.
"""

from __future__ import annotations

import random
import string
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from guardrails.pii import checks

Make = Callable[[random.Random], str]


class Kind(NamedTuple):
    """One kind of personal data.

    Attributes:
        number: how many are seeded. make: gives a value. says: sentences with ``{}`` for it.
    """

    number: int
    make: Make
    says: tuple[str, ...]


_GIVEN: Final = (
    "Anna", "Robert", "Maria", "Thomas", "Julia", "Daniel", "Elizabeth", "Michael", "Priya", "Rajesh", "Fatima", "Omar",
    "Chinedu", "Ngozi", "Katarzyna", "Piotr", "Sofia", "Mateo", "Ingrid", "Lars", "Yuki", "Hiroshi", "Mei", "Wei",
    "Olga", "Dmitri", "Chloé", "Antoine", "Giulia", "Marco", "Aoife", "Declan", "Hannah", "Samuel", "Zeynep", "Emre",
)  # fmt: skip
_FAMILY: Final = (
    "Kovacs", "Lindström", "Moretti", "Fernandes", "Hughes", "Novak", "Okafor", "Adeyemi", "Nowak", "Wiśniewski",
    "Sharma", "Iyer", "Haddad", "Rahman", "Tanaka", "Watanabe", "Petrov", "Ivanova", "Dubois", "Lefèvre", "Schneider",
    "Hoffmann", "O'Connell", "Murphy", "Jensen", "Yilmaz", "García", "Gutiérrez", "Thompson", "Ramirez", "Van Dijk",
    "Papadopoulos", "Andersson", "Mbeki", "Castellano", "Whitaker",
)  # fmt: skip
_SURNAMES_KO: Final = tuple("김이박최정강조윤장임한오서신권황안송류홍")
_GIVEN_KO: Final = (
    "민준", "서연", "지훈", "수빈", "예은", "도윤", "하준", "지우", "은지", "현우", "미경", "영수", "정호", "혜진",
    "성민", "유진", "태현", "다은", "승현", "보라", "경희", "동훈", "나연", "재원",
)  # fmt: skip
_STREETS: Final = ("Maple", "Harbor", "Chestnut", "Kingsley", "Willow Creek", "Fairmount", "Station", "Mill", "Abbey")
_WAYS: Final = ("Street", "Avenue", "Road", "Lane", "Drive", "St.", "Blvd")
_TOWNS: Final = (
    ("Springfield", "IL", "627"), ("Portland", "OR", "972"), ("Austin", "TX", "787"), ("Dayton", "OH", "454"),
    ("Tampa", "FL", "336"), ("Fresno", "CA", "937"),
)  # fmt: skip
_PLACES_KO: Final = (
    ("서울특별시 강남구", "테헤란로"), ("서울특별시 마포구", "월드컵북로"), ("부산광역시 해운대구", "센텀중앙로"),
    ("경기도 성남시 분당구", "판교역로"), ("대전광역시 유성구", "대학로"), ("인천광역시 연수구", "송도과학로"),
)  # fmt: skip
_BASE62: Final = string.ascii_letters + string.digits


def _digits(rng: random.Random, n: int) -> str:
    return "".join(rng.choices(string.digits, k=n))


def _valid(make: Callable[[], str], check: Callable[[str], bool]) -> str:
    """The first value that passes; one in ten or so does."""
    for _ in range(5_000):
        if check(value := make()):
            return value
    raise AssertionError("no value passes its check")


def _name(rng: random.Random) -> str:
    return f"{rng.choice(_GIVEN)} {rng.choice(_FAMILY)}"


def _name_ko(rng: random.Random) -> str:
    return rng.choice(_SURNAMES_KO) + rng.choice(_GIVEN_KO)


def _address(rng: random.Random) -> str:
    town, state, zip_ = rng.choice(_TOWNS)
    flat = rng.choice(("", f", Apt. {rng.randint(1, 40)}", f", Suite {rng.randint(100, 900)}"))
    street = f"{rng.randint(10, 9_899)} {rng.choice(_STREETS)} {rng.choice(_WAYS)}"
    return f"{street}{flat}, {town}, {state} {zip_}{_digits(rng, 2)}"


def _address_ko(rng: random.Random) -> str:
    place, road = rng.choice(_PLACES_KO)
    floor = rng.choice(("", f", {rng.randint(2, 20)}층", f" {rng.randint(101, 120)}동 {rng.randint(101, 1504)}호"))
    return f"{place} {road} {rng.randint(2, 480)}{floor}"


def _email(rng: random.Random) -> str:
    name, host = rng.choice(_GIVEN).lower().replace("é", "e"), rng.choice(("mail", "post", "corp"))
    return f"{name}{rng.choice(('.', '_', ''))}{rng.randrange(10**5)}@{host}.example.com"


def _phone(rng: random.Random) -> str:
    return rng.choice((
        f"+1-{rng.randint(201, 989)}-555-01{_digits(rng, 2)}", f"({rng.randint(201, 989)}) 555-01{_digits(rng, 2)}",
        f"+44 20 7946 0{_digits(rng, 3)}", f"+49 30 {rng.randint(200_000, 999_999)}{_digits(rng, 2)}",
    ))  # fmt: skip


def _phone_ko(rng: random.Random) -> str:
    head, tail = rng.randint(2_000, 9_999), _digits(rng, 4)
    landline = f"02-{rng.randint(300, 999)}-{tail}"
    return rng.choice((f"010-{head}-{tail}", f"+82 10-{head}-{tail}", f"010{head}{tail}", landline))


def _card(rng: random.Random) -> str:
    head, size = rng.choice((("4", 16), ("5" + rng.choice("12345"), 16), ("37", 15)))
    digits = _valid(lambda: head + _digits(rng, size - len(head)), checks.luhn)
    if size == 15 or rng.random() < 0.3:
        return digits
    return rng.choice((" ", "-")).join(digits[at : at + 4] for at in range(0, 16, 4))


def _rrn(rng: random.Random) -> str:
    def make() -> str:
        return f"{rng.randint(50, 99)}{rng.randint(1, 12):02}{rng.randint(1, 28):02}{rng.choice('12')}{_digits(rng, 6)}"

    digits = _valid(make, checks.rrn)
    return f"{digits[:6]}-{digits[6:]}"


def _brn(rng: random.Random) -> str:
    digits = _valid(lambda: f"{rng.randint(101, 699)}{rng.randint(10, 89)}{_digits(rng, 5)}", checks.brn)
    return f"{digits[:3]}-{digits[3:5]}-{digits[5:]}"


def _ssn(rng: random.Random) -> str:
    return f"{rng.randint(1, 665):03}-{rng.randint(1, 99):02}-{rng.randint(1, 9_999):04}"


def _iban(rng: random.Random) -> str:
    bank = _digits(rng, 18)
    check = 98 - int(bank + str(int("D", 36)) + str(int("E", 36)) + "00") % 97
    return f"DE{check:02}{bank}"


def _key(rng: random.Random) -> str:
    def body(n: int, letters: str = _BASE62) -> str:
        return "".join(rng.choices(letters, k=n))

    return rng.choice((
        f"sk-proj-{body(120)}", f"sk-ant-api03-{body(93)}AA", f"ghp_{body(36)}", f"glpat-{body(20)}", f"hf_{body(34)}",
        f"AKIA{body(16, string.ascii_uppercase + '234567')}", f"npm_{body(36)}", f"AIzaSy{body(33)}",
    ))  # fmt: skip


_TALK: Final = ("Please call {} back before noon.", "Send the contract to {} today.", "We met {} about it last week.",
                "The ticket was opened by {} this morning.", "{} asked for a refund again.")  # fmt: skip

PROMISED: Final[Mapping[str, Kind]] = {
    "name, introduced": Kind(40, _name, (
        "My name is {}.", "It was sent by Mr. {}.", "Dear {},\nthank you for waiting.", "I spoke with Dr. {} about it.",
        "Best regards,\n{}", "The customer's name: {}.",
    )),
    "name in a sentence": Kind(50, _name, _TALK),
    "Korean name": Kind(50, _name_ko, (
        "제 이름은 {}입니다.", "{} 고객님께 연락해 주세요.", "{}님이 환불을 요청하셨습니다.",
            "예금주 {} 앞으로 보내 주세요.",
        "담당자는 {} 씨입니다.",
    )),
    "address": Kind(35, _address, ("I live at {}.", "Ship it to {}, please.", "My address: {}.")),
    "Korean address": Kind(30, _address_ko, ("주소는 {}입니다.", "{}(으)로 보내 주세요.", "저는 {}에 살고 있어요.")),
    "e-mail address": Kind(45, _email, ("Write to {} please.", "이메일은 {}입니다.", "cc {} on it.")),
    "phone number": Kind(40, _phone, ("Call me at {}.", "My number is {}.", "Phone: {}.")),
    "Korean phone number": Kind(35, _phone_ko, ("{}로 연락 주세요.", "제 번호는 {}입니다.", "My phone number is {}.")),
    "card number": Kind(40, _card, ("My card is {}.", "카드번호 {}로 결제했어요.", "Charge {} instead.")),
    "Korean resident number": Kind(35, _rrn, ("주민번호는 {}입니다.", "My registration number is {}.", "{} 맞습니다.")),
    "Korean business number": Kind(10, _brn, ("사업자등록번호 {}로 발행해 주세요.", "Business number {}.")),
    "US social security number": Kind(20, _ssn, ("My SSN is {}.", "social security number {}")),
    "bank account (IBAN)": Kind(20, _iban, ("Refund it to {}.", "IBAN {} please.")),
    "key": Kind(40, _key, ("Use the key {} for it.", "export TOKEN={}", '{{"api_key": "{}"}}')),
    "user name": Kind(10, lambda r: f"{r.choice(_GIVEN).lower()}_{r.randrange(10_000)}x", (
        "username: {}", "My username is {}.", "아이디는 {}입니다.",
    )),
}  # fmt: skip

HARD: Final[Mapping[str, Kind]] = {
    "name in small letters": Kind(30, lambda r: _name(r).lower(), ("can you tell {} that i am late", "{} said no")),
    "name in capitals": Kind(20, lambda r: _name(r).upper(), ("ATTENTION {} THE ORDER IS LATE", "FORWARD TO {} NOW")),
    "first name alone": Kind(30, lambda r: r.choice(_GIVEN) + r.choice(("ka", "lyn", "ette")), _TALK),
    "made-up full name": Kind(30, lambda r: f"{_odd(r)} {_odd(r)}", _TALK),
    "Korean name without a title": Kind(30, _name_ko, ("{}한테 전화해 줘.", "어제 {}랑 이야기했어.")),
    "e-mail address in words": Kind(20, lambda r: _email(r).replace("@", " at ").replace(".", " dot "), ("mail {}",)),
    "phone number in words": Kind(20, lambda r: " ".join(r.choices(
        ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"), k=9)), ("call {} please",)),
    "street without a number": Kind(20, lambda r: f"{r.choice(_STREETS)} {r.choice(_WAYS[:5])} near the old school",
                                    ("I live on {}.",)),
}  # fmt: skip


def _odd(rng: random.Random) -> str:
    return "".join(rng.choice("bdgklmnrstvz") + rng.choice("aeiou") for _ in range(3)).capitalize()
