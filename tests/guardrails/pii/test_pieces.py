"""In pieces as in one, for what is told by the words around it: the rails of names, addresses, context."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrails import Rails, compile_rails

MASKING = compile_rails([{"pii": {"entities": ["all", "URL"], "action": "mask"}}])
CONTEXT = compile_rails([{"pii": {"entities": ["context"], "action": "mask"}}])
PERSONAL = compile_rails([{"pii": {"entities": ["personal"], "action": "mask", "actions": {"AGE": "detect"}}}])
DEFAULT = compile_rails([{"pii": None}, {"secrets": {"action": "mask"}}])
RAILS = [MASKING, CONTEXT, PERSONAL, DEFAULT]

KEY = "aB3dE5gH7jK9mN1pQ4rS" * 2
CASES = [
    "My PIN is 4711, cvv: 123, exp 03/29.",
    "비밀번호는 hunter2!입니다. 핀번호 1234요 😀",
    'password = "s3cret99!", password: str = None',
    "password is password: abc123. passwd:=x9y8z7",
    "account number 1234 5678 90, acct # 12345678-",
    "US passport number A12345678 여권번호 M12345678",
    "UTR 12345 67890 health card 1234-567-890-AB",
    "plate number ABC-1234, 12가3456, 차량번호 123나 4567로",
    "I am 34 years old, a 5-year-old, 만 34세입니다, 21세기 3세대",
    "username: jsmith_92, 아이디는 kim.ms입니다",
    f"aws_secret_access_key = '{KEY}'",
    "Mr. David Hrůza met John F. Kennedy and J. R. R. Tolkien",
    "Dear Mary Ann van den Berg,\nSincerely,\nJane O'Brien",
    "A. Report it\nB. Ignore Smith",
    "제 이름은 곽승현이고, 예금주 이지혜 으로, 김민수 변호사님께서는",
    "남궁민수님과 황보관 씨, 이동하는 이용자님",
    "서울특별시 강남구 테헤란로 152, 3층 (역삼동)에서 101동 1502호",
    "부산광역시 동구 선릉가 47 (춘자오리)에 사는 성상호의 번호",
    "다시 친구 구로 10 서울로 3 그대로 3번",
    "12 Main Street, Apt. 4, Springfield, IL 62701-1234. Next",
    "at 45 Chausseestr. 32\n Suite 772\n Ahrensburg\n Chad 12345",
    "PSC 4574, Box 8393\nAPO AA 81998; ul. Miła 53",
    "zip code: 90210, 우편번호 06236, SW1A 1AA",
    "APO AA 12345 Box 12\n 테헤란로 53. O'Brien\n  ul. B 152\n다",
    "\u200b０３/29 cvv １２３ 만 ３４세",
    "2001:db8::8a2e:370:7334 ::1 a:b:c 00-1B-44-11-3A-B7",
    "İİİ password: İx1234 PIN:İ 1234",
]


def streamed(rails: Rails, pieces):
    stream = rails.stream()
    return "".join([*map(stream.feed, pieces), stream.finish()]), stream


def assert_same(rails: Rails, pieces):
    whole = rails.check("".join(pieces))
    sent, stream = streamed(rails, pieces)
    assert stream.findings == whole.findings
    assert sent == whole.text
    assert stream.held == 0


def bounds(text, size):
    return [text[at : at + size] for at in range(0, len(text), size)]


@pytest.mark.parametrize("text", CASES)
@pytest.mark.parametrize("rails", [MASKING, CONTEXT, PERSONAL], ids=["all", "context", "personal"])
def test_every_single_cut_changes_nothing(rails, text):
    for cut in range(len(text) + 1):
        assert_same(rails, [text[:cut], text[cut:]])


@pytest.mark.parametrize("text", CASES)
@pytest.mark.parametrize("size", [1, 2, 3])
def test_pieces_of_one_size_change_nothing(text, size):
    for rails in (MASKING, PERSONAL):
        assert_same(rails, bounds(text, size))


@pytest.mark.parametrize("rails", RAILS, ids=["all", "context", "personal", "default"])
def test_a_long_text_is_read_the_same_after_the_window_moved(rails):
    text = " ".join(CASES) * 3
    for size in (1, 7):
        assert_same(rails, bounds(text, size))


FRAGMENTS = st.sampled_from(
    [
        *" \n.,:-'()/0123\u200b😀０aAİ가이님",
        *CASES,
        *"PIN cvv password 비밀번호 : = is 는 1234 03/29 Mr. John Smith van O'Brien J. 김민수 이지혜 씨 님 서울 강남구 로 길".split(),
        *"테헤란로 152 Street 12 Main Apt. 45 Suite Box PSC 34 세 살 years old zip 90210 AB12 12가 3456 account number".split(),
    ]
)


@settings(max_examples=400, deadline=None)
@given(st.lists(FRAGMENTS, max_size=14), st.randoms(use_true_random=False), st.sampled_from(RAILS), st.booleans())
def test_any_text_in_any_pieces_is_the_whole_text(fragments, chance, rails, apart):
    text = (" " if apart else "").join(fragments)
    cuts = sorted(chance.sample(range(len(text) + 1), min(len(text), chance.randint(0, 9))))
    assert_same(rails, [text[a:b] for a, b in itertools.pairwise([0, *cuts, len(text)])])
