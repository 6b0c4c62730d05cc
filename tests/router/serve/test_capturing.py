"""Texts that a policy lets be kept: those, masked, and no others."""

import asyncio
import logging
import sys
from datetime import UTC, datetime

import pytest

from router.core.captures import drawn
from router.ledger.captures import erase_captures, read_captures
from router.registry.keys import KeyStore
from router.registry.salt import CAPTURES
from router.serve.cell import open_cell
from router.serve.upkeep import forget
from tests.router.serve.conftest import PLAIN, settings_for
from tests.support.personal import seeded
from tests.support.upstream import Answer, chunk, finish

ALL = PLAIN + "capture: {tenants: [default], share: 100%, keep_days: 7}\n"
CASCADE = ALL.replace("name: plain", "name: tries") + "stream: checked\ncascade: {start: small, checks: [refusal]}\n"
DAY_MS = 86_400_000


def kept(gw):
    assert gw.cell.captures.flush()
    path = gw.cell.captures.path
    return list(read_captures(path)) if path.exists() else []


def echo(words="I heard: {}"):
    """An upstream that repeats what was asked, whole or in events."""

    def answer(seen):
        said = words.format(seen.json["messages"][0]["content"])
        if not seen.json.get("stream"):
            return Answer.completion(said)
        cuts = [said[at : at + 7] for at in range(0, len(said), 7)]
        return Answer.stream(chunk("", role="assistant"), *map(chunk, cuts), finish())

    return answer


async def test_a_request_is_kept_with_its_answer_and_where_it_belongs(serve, up):
    gw = await serve(ALL)
    up.script(Answer.completion("Four."))
    messages = [{"role": "system", "content": "Be short."}, {"role": "user", "content": "What is 2 + 2?"}]
    answer = await gw.chat(messages=messages, headers={"x-stillhouse-tag": "sums"})
    (one,) = kept(gw)
    record = await gw.record(answer)
    assert [(said.role, said.text) for said in one.messages] == [("system", "Be short."), ("user", "What is 2 + 2?")]
    assert (one.answer, one.finish, one.tag, one.policy) == ("Four.", "stop", "sums", "plain")
    assert (one.id, one.tier, one.model) == (record["id"], record["tier_served"], record["model"])
    assert one.until_ms - one.at_ms == 7 * DAY_MS
    assert b"stillhouse_captures_total 1" in (await gw.http.get("/metrics")).content


async def test_a_streamed_answer_is_kept_as_the_caller_got_it(serve, up):
    gw = await serve(ALL)
    up.always(echo("{} {}".format("{}", "and more")))
    assert (await gw.chat("A text", stream=True)).status_code == 200
    assert [(one.answer, one.finish) for one in kept(gw)] == [("A text and more", "stop")]


async def test_a_policy_without_capture_keeps_nothing_and_makes_no_file(serve, home):
    gw = await serve()
    await gw.chat("What is 2 + 2?")
    assert kept(gw) == []
    assert not list(home.glob("*captures*"))


async def test_only_tenants_that_are_named_are_kept(serve, home):
    store, now = KeyStore(home / "keys.json"), datetime(2026, 11, 1, tzinfo=UTC)
    tokens = {tenant: store.add(tenant=tenant, now=now)[1] for tenant in ("named", "other")}
    gw = await serve(ALL.replace("default", "named"), keys="required")
    for tenant, token in tokens.items():
        answer = await gw.chat(f"I am {tenant}.", headers={"authorization": f"Bearer {token}"})
        assert answer.status_code == 200
    assert [(one.tenant, one.messages[0].text) for one in kept(gw)] == [("named", "I am named.")]


async def test_the_share_is_drawn_by_the_request_id_alone(serve, home):
    gw = await serve(ALL.replace("100%", "0.3"))
    ids = [(await gw.chat(f"Question {n}")).headers["x-request-id"] for n in range(40)]
    salt = (home / CAPTURES).read_bytes()
    assert {one.id for one in kept(gw)} == {each for each in ids if drawn(salt, each, 0.3)}


@pytest.mark.parametrize(
    "fields",
    [
        {"n": 2},
        {"tools": [{"type": "function", "function": {"name": "f"}}]},
        {"content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}]},
        {"content": "x" * 300_000},
    ],
)
async def test_what_is_no_text_with_one_answer_or_too_long_is_not_kept(serve, fields):
    gw = await serve(ALL + "unguarded: accepted\n")
    assert (await gw.chat(**fields)).status_code == 200
    assert kept(gw) == []


async def test_what_was_blocked_or_failed_is_not_kept(serve, up):
    words = "guards: {{{}: [{{words: {{words: [zebra], action: block}}}}]}}\n"
    gw = await serve(ALL + words.format("input"), (ALL + words.format("output")).replace("plain", "careful"))
    await gw.chat("a zebra")
    up.script(Answer.completion("a zebra"))
    await gw.chat("a horse", model="careful")
    up.always(Answer.error(400, "no"))
    await gw.chat("a horse")
    assert kept(gw) == []


async def test_answers_that_were_turned_down_are_kept_beside_the_one_that_was_not(serve, up):
    gw = await serve(CASCADE)
    for stream in (False, True):
        up.script(*_escalation(stream))
        await gw.chat("What is 2 + 2?", stream=stream)
    whole, streamed = kept(gw)
    for one in (whole, streamed):
        assert (one.answer, one.tier) == ("Four.", "medium")
        assert [(each.tier, each.model, each.text, each.kept) for each in one.rejected] == [
            ("small", "m-small", "I'm sorry, but I can't help.", False)
        ]


def _escalation(stream):
    said = ("I'm sorry, but I can't help.", "Four.")
    if not stream:
        return map(Answer.completion, said)
    return [Answer.stream(chunk("", role="assistant"), chunk(each), finish()) for each in said]


async def test_an_answer_that_was_turned_down_and_kept_for_want_of_a_better_one_says_so(serve, up):
    gw = await serve(CASCADE)
    for stream in (False, True):
        up.always(next(iter(_escalation(stream))), model="m-small")
        for tier in ("medium", "large"):
            up.always(Answer.error(500), model=f"m-{tier}")
        assert (await gw.chat("What is 2 + 2?", stream=stream)).status_code == 200
    assert [[each.kept for each in one.rejected] for one in kept(gw)] == [[True], [True]]


async def test_what_the_policy_masked_is_not_kept_where_the_caller_gets_it_back(serve, up):
    mask = "[{regex: {name: STAFF, pattern: 'E-[0-9]{4}', action: mask, max_length: 8}}]"
    gw = await serve(ALL + f"guards: {{restore: true, input: {mask}}}\n")
    up.always(echo())
    for stream in (False, True):
        answer = await gw.chat("Who is E-4711?", stream=stream)
        assert "E-4711" in answer.text
    assert ["E-4711" in one.messages[0].text + one.answer for one in kept(gw)] == [False, False]
    assert b"E-4711" not in gw.cell.captures.path.read_bytes()


async def test_none_of_500_seeded_personal_values_reaches_disk_or_log(serve, up, home, caplog):
    for name in ("stillhouse", "router", "uvicorn", "asyncio"):
        caplog.set_level(logging.DEBUG, name)
    gw = await serve(CASCADE)
    up.always(echo("I'm sorry, but I can't help with: {}"), model="m-small")
    up.always(echo(), model="m-medium")
    values = seeded(500)
    asks = [" ".join(said for said, _ in values[at : at + 5]) for at in range(0, 500, 5)]
    turns = asyncio.Semaphore(16)

    async def ask(number, said):
        async with turns:
            told = {"role": "system", "content": f"the CANARY sings. {said}"}
            messages = [told, {"role": "user", "content": "What is 2 + 2?"}]  # known ground: the cascade climbs
            answer = await gw.chat(messages=messages, stream=number % 5 == 0)
            assert answer.status_code == 200

    await asyncio.gather(*(ask(number, said) for number, said in enumerate(asks)))
    found = kept(gw)
    assert len(found) == len(asks)
    assert all(one.masked >= 5 and "I heard: the CANARY" in one.answer for one in found)
    assert all("the CANARY" in one.rejected[0].text for one in found)
    gw.cell.ledger.flush()
    raw = b"".join(file.read_bytes() for file in home.rglob("*") if file.is_file())
    assert b"the CANARY sings" in raw
    assert [value for _, value in values if value.encode() in raw] == []
    assert "the CANARY sings" not in caplog.text
    assert [value for _, value in values if value in caplog.text] == []


async def test_erasing_a_tenant_takes_what_was_kept_of_it(serve):
    gw = await serve(ALL)
    await gw.chat("What is 2 + 2?")
    assert len(kept(gw)) == 1
    assert erase_captures(gw.cell.captures.path, "default") == 1
    assert kept(gw) == []


async def test_upkeep_removes_what_has_had_its_time(serve, caplog):
    gw = await serve(ALL)
    await gw.chat("What is 2 + 2?")
    (one,) = kept(gw)
    forget(gw.cell.captures.path, one.until_ms - 1)
    assert len(kept(gw)) == 1
    forget(gw.cell.captures.path, one.until_ms)
    assert kept(gw) == []
    gw.cell.captures.path.write_bytes(b"no database, but long enough to be looked at as one")
    forget(gw.cell.captures.path, 1)
    assert "captures: their upkeep failed" in caplog.text


async def test_a_full_disk_costs_captures_and_no_answer(serve, monkeypatch):
    gw = await serve(ALL)
    monkeypatch.setattr("router.ledger.captures._writer", _full)
    assert (await gw.chat("What is 2 + 2?")).status_code == 200
    assert gw.cell.captures.flush()
    assert gw.cell.captures.lost == 1
    assert (await gw.http.get("/readyz")).status_code == 200


def _full(path):
    raise OSError(28, "No space left on device")


# --- the key


def open_with(home, monkeypatch, value, text=ALL):
    class Up:
        base_url = "http://127.0.0.1:9"

    monkeypatch.setenv("CAPTURE_KEY", value)
    (home / "policy.yaml").write_text(text)
    settings = settings_for(Up, (str(home / "policy.yaml"),))
    return open_cell(settings.model_copy(update={"capture_key": "env:CAPTURE_KEY"}), ledger=home / "ledger.db")


@pytest.mark.parametrize("text", [ALL, PLAIN])
def test_a_gateway_does_not_start_with_a_key_it_cannot_use(home, monkeypatch, text):
    for name in ("cryptography.exceptions", "cryptography.hazmat.primitives.ciphers.aead"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ValueError, match=r"capture_key: .*pip install 'stillhouse\[encrypt\]'"):
        open_with(home, monkeypatch, "0f" * 32, text)
    with pytest.raises(ValueError, match="capture_key: a capture key is 64 hex digits"):
        open_with(home, monkeypatch, "secret-word", text)


def test_a_gateway_that_captures_does_not_start_where_captures_cannot_be_written(home, monkeypatch):
    (home / "ledger.db.captures").mkdir()
    with pytest.raises(Exception, match=r"the captures in .* cannot be used"):
        open_with(home, monkeypatch, "0f" * 32)


async def test_with_a_key_nothing_can_be_read_from_the_file(serve, monkeypatch):
    pytest.importorskip("cryptography", reason="the extra 'encrypt' is not installed")
    monkeypatch.setenv("CAPTURE_KEY", "0f" * 32)
    gw = await serve(ALL, change=lambda settings: settings.model_copy(update={"capture_key": "env:CAPTURE_KEY"}))
    await gw.chat("A sentence to be hidden")
    assert gw.cell.captures.flush()
    assert gw.cell.captures.kept == 1
    assert b"hidden" not in gw.cell.captures.path.read_bytes()
