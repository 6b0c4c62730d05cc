"""``stillhouse distill import``: every source, what failed, what is left out, nothing personal."""

import json
import random

import pytest
from click.testing import CliRunner

from evals.distill.curate.rules import Rules
from evals.distill.curate.run import curate
from evals.distill.example import read_examples
from evals.distill.folder import Folder
from router.core.captures import Capture, Rejected, Said
from router.ledger.captures import Captures
from router.ledger.feedback import Feedback, give
from router.ledger.sealing import Seal
from router.ledger.writer import Ledger
from stillhouse.cli.distill import command
from tests.evals.distill import made
from tests.support.records import NOON, attempt, request

NEVER = 1 << 60


def run(*arguments):
    return CliRunner().invoke(command, ["import", "loop", *map(str, arguments)], catch_exceptions=False)


def told(*arguments):
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.output.splitlines()[-1])


def rows(home, source):
    return list(read_examples(Folder.of(home, "loop").rows(source)))


def capture(number, **more):
    given = {
        "id": f"req-{number}", "at_ms": NOON + number, "until_ms": NEVER, "tenant": "acme", "policy": "plain",
        "messages": (Said("user", f"Question {number}?"),), "answer": "Right.", "tier": "large", "model": "big-1",
        "finish": "stop",
    }  # fmt: skip
    return Capture(**{**given, **more})


def keep(home, *captures, seal=None):
    store = Captures(home / "ledger.db.captures", seal)
    for each in captures:
        store.record(lambda each=each: each)
    store.close()


WRONG = Rejected(tier="small", model="tiny", text="Wrong.")
SMALL = {"tier": "small", "model": "tiny"}


def test_captures_say_how_the_small_tier_failed_and_what_is_to_be_learned(home):
    keep(
        home, capture(1, rejected=(WRONG,), tag="sums"), capture(2, rejected=(WRONG,), finish="length"), capture(3),
        capture(4, **SMALL), capture(5, **SMALL, rejected=(Rejected(tier="small", model="tiny", text="?", kept=True),)),
        capture(6, **SMALL), capture(7, **SMALL), capture(8, rejected=(WRONG,)),
    )  # fmt: skip
    book = Ledger(home / "ledger.db")
    for number in range(1, 9):
        book.record(request(f"req-{number}", at_ms=NOON + number), [attempt()])
    book.close()
    for number, who, score in ((6, "person", 0.0), (7, "judge", 0.2), (8, "person", 0.0), (4, "person", 1.0)):
        give(home / "ledger.db", Feedback(request_id=f"req-{number}", at_ms=NOON, who=who, score=score, given_ms=1))
    said = told("--from", "captures", "--licence", "big-*=allowed")
    assert said["failed"] == {"disliked": 1, "escalated": 3, "judged": 1, "turned_down": 1}
    found = rows(home, "captures")
    assert [(one.failure, one.answer, one.rejected) for one in found] == [
        ("escalated", "Right.", "Wrong."),
        ("escalated", None, "Wrong."),  # cut off: nobody's target
        (None, "Right.", None),
        (None, None, None),
        ("turned_down", None, "Right."),
        ("disliked", None, "Right."),
        ("judged", None, "Right."),
        ("escalated", None, "Wrong."),  # disliked: nobody's target
    ]
    assert (found[0].route, found[0].teacher, found[0].licence) == ("sums", "big-1", "allowed")
    assert (found[2].route, found[3].teacher, found[3].licence) == ("plain", "", "unknown")


def test_the_same_captures_give_the_same_bytes_and_are_ready_to_be_curated(home):
    rng = random.Random(5)
    for start in (0, 70):
        said = [(Said("user", made.text(rng, made.SUBJECTS[n % 8])),) for n in range(start, start + 70)]
        keep(home, *(capture(start + n, messages=each, rejected=(WRONG,)) for n, each in enumerate(said)))
    first = told("--from", "captures")
    assert told("--from", "captures") == first
    folder = Folder.of(home, "loop")
    manifest = curate([folder.rows("captures")], folder, Rules(budget=60, holdout_rows=5))
    assert manifest["rows"]["read"] == 140
    assert folder.root.stat().st_mode & 0o077 == 0


def test_captures_whose_time_is_over_are_not_imported(home):
    keep(home, capture(1, until_ms=5), capture(2))
    assert told("--from", "captures")["rows"] == 1


def test_sealed_captures_need_their_key(home, monkeypatch):
    pytest.importorskip("cryptography", reason="the extra 'encrypt' is not installed")
    keep(home, capture(1), seal=Seal("0f" * 32))
    refused = run("--from", "captures")
    assert refused.exit_code == 2
    assert "no key is given" in refused.output
    assert not Folder.of(home, "loop").rows("captures").exists()
    monkeypatch.setenv("CAPTURE_KEY", "0f" * 32)
    assert told("--from", "captures", "--capture-key", "env:CAPTURE_KEY")["rows"] == 1


def test_texts_kept_elsewhere_meet_the_ledger(home, tmp_path):
    book = Ledger(home / "ledger.db")
    escalated = [attempt(0, outcome="not_good_enough"), attempt(1, tier="large", kind="escalation")]
    book.record(request("up", tier_served="large", model="big-1", tag="sums"), escalated)
    book.record(request("kept"), [attempt(0, outcome="not_good_enough"), attempt(1, tier="large", outcome="error")])
    book.record(request("bad", outcome="upstream_error", status=502), [attempt(outcome="error")])
    book.close()
    texts = [{"id": name, "messages": [{"role": "user", "content": f"{name}?"}], "answer": "Yes."}
             for name in ("up", "kept", "bad", "unknown")]  # fmt: skip
    (tmp_path / "t.jsonl").write_text("\n".join(map(json.dumps, texts)))
    said = told("--from", "ledger", tmp_path / "t.jsonl")
    assert said["left_out"] == {"the ledger does not know the request": 1, "the request did not go well": 1}
    found = {one.messages[0].content: one for one in rows(home, "ledger")}
    assert (found["up?"].failure, found["up?"].answer, found["up?"].route) == ("escalated", "Yes.", "sums")
    assert (found["kept?"].failure, found["kept?"].answer, found["kept?"].rejected) == ("turned_down", None, "Yes.")


def stored(number, **more):
    return {"id": f"chatcmpl-{number}", "object": "chat.completion", "created": 1_760_000_000 + number, "model": "gpt-x",
            "messages": {"object": "list", "data": [{"role": "user", "content": f"Mail jo{number}@example.com?"}]},
            "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Sent."}}],
            "usage": {"prompt_tokens": 5, "completion_tokens": 2}, **more}  # fmt: skip


def test_stored_completions_are_masked_and_what_they_lack_is_counted(home, tmp_path):
    listed = {"object": "list", "data": [
        stored(1), stored(2, messages=None), stored(3, model="tiny"), stored(4, tools=[{"type": "function"}]),
        {"messages": [{"role": "user", "content": "A?"}, {"role": "assistant", "content": "B."}]},
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]},
    ]}  # fmt: skip
    (tmp_path / "stored.json").write_text(json.dumps(listed))
    said = told("--from", "openai-stored", tmp_path / "stored.json", "--small", "tiny", "--licence", "gpt-x=forbidden")
    assert said["left_out"] == {
        "it holds more than text": 1, "it offers tools": 1,
        "what was asked is not in it: put the completion's /messages into the row as 'messages'": 1,
    }  # fmt: skip
    found = {one.messages[0].content: one for one in rows(home, "openai-stored")}
    assert set(found) == {"A?", "Mail [EMAIL_1]?"}
    assert (found["A?"].answer, found["A?"].licence) == ("B.", "unknown")
    mail = [one for one in rows(home, "openai-stored") if one.messages[0].content != "A?"]
    assert [(one.teacher, one.licence, one.tier, one.answer) for one in mail] == [
        ("gpt-x", "forbidden", "", "Sent."), ("", "unknown", "small", None),
    ]  # fmt: skip
    assert b"@example.com" not in Folder.of(home, "loop").rows("openai-stored").read_bytes()


def test_logs_of_litellm_and_bedrock_become_rows(home, tmp_path):
    spent = {"request_id": "r1", "startTime": "2026-11-24T12:00:00Z", "endTime": "2026-11-24T12:00:01Z", "model": "m-1",
             "call_type": "acompletion", "messages": [{"role": "user", "content": "How?"}],
             "response": {"choices": [{"message": {"content": "So."}, "finish_reason": "length"}]}}  # fmt: skip
    (tmp_path / "spend.jsonl").write_text(json.dumps(spent))
    told("--from", "litellm-logs", tmp_path / "spend.jsonl")
    invoked = {"schemaType": "ModelInvocationLog", "timestamp": "2026-11-24T12:00:00Z", "requestId": "b1",
               "operation": "Converse", "modelId": "amazon.nova-lite-v1:0",
               "input": {"inputBodyJson": {"messages": [{"role": "user", "content": [{"text": "Why?"}]}]}},
               "output": {"outputBodyJson": {"output": {"message": {"content": [{"text": "Thus."}]}},
                                             "stopReason": "end_turn"}}}  # fmt: skip
    (tmp_path / "bedrock.json").write_text(json.dumps(invoked))
    told("--from", "bedrock-logs", tmp_path / "bedrock.json", "--licence", "amazon.*=allowed")
    (one,), (other,) = rows(home, "litellm-logs"), rows(home, "bedrock-logs")
    assert (one.messages[0].content, one.answer) == ("How?", None)
    assert (other.messages[0].content, other.answer, other.licence) == ("Why?", "Thus.", "allowed")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--from", "captures"), "a policy with 'capture' makes them"),
        (("--from", "captures", "--licence", "m"), "write MODEL=allowed"),
        (("--from", "captures", "--licence", "m=perhaps"), "write MODEL=allowed"),
        (("--from", "captures", "--capture-key", "0f0f"), "names a variable or a file"),
        (("--from", "captures", "--capture-key", "env:NOT_THERE"), "NOT_THERE is not set"),
        (("--from", "openai-stored"), "reads FILES"),
    ],
)
def test_what_is_missing_or_wrong_is_said_and_nothing_written(home, arguments, words):
    result = run(*arguments)
    assert result.exit_code == 2
    assert words in result.output
    assert not Folder.of(home, "loop").rows("captures").exists()


def test_a_bad_row_is_named_by_its_line_and_never_shown(home, tmp_path):
    (tmp_path / "x.jsonl").write_text(json.dumps(stored(1)) + "\n" + json.dumps({"secret": "CANARY"}))
    result = run("--from", "openai-stored", tmp_path / "x.jsonl")
    assert result.exit_code == 2
    assert "x.jsonl:2: it is neither a chat.completion nor a conversation" in result.output
    assert "CANARY" not in result.output
