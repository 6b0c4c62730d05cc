"""The process around one local model: ``python -m router.upstream.local_child``, started by ``local.py``.

Laws of this process:

- It speaks over its standard input and output only. What the engine prints goes nowhere, since it may
  hold prompts; no core file is written.
- The engine insists on a listener. It gets a Unix socket (mode 0600) in a fresh folder (mode 0700) with
  a random key, and the socket's name is removed as soon as it is bound: nobody can connect to it.
- It never outlives its parent: the kernel kills it then, and the end of its input ends it too.
- A call is stopped at the next event of the engine: one token, or one batch of the prompt.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import stat
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from router.upstream.child import die_with, no_core_file, take_pipes
from router.upstream.local_chat import Answer, Refused, engine_request, refusal_of, refusal_of_words
from router.upstream.local_frames import Frame, Kind, pack, read

_BIG_WEIGHTS = 400_000_000
_PRIVATE_FOLDER = 0o700
_PRIVATE_SOCKET = 0o600


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What to load and how. ``context`` is tokens a slot."""

    path: str
    model: str
    fingerprint: str
    context: int
    slots: int
    threads: int
    tools: bool
    prompt_cache: bool
    parent: int


def load_engine(load: Load) -> tuple[Any, dict[str, object]]:
    """The engine with its model, and where it listens (for the parent's log and for tests)."""
    import xllamacpp

    folder = Path(tempfile.mkdtemp(prefix="stillhouse-"))  # born 0700
    os.umask(0o177)  # the socket is born 0600
    socket = folder / "engine.sock"
    params = xllamacpp.CommonParams()
    params.model.path = load.path
    params.hostnames = [str(socket)]
    params.api_keys = [secrets.token_hex(32)]
    params.n_ctx = load.context * load.slots
    params.n_parallel = load.slots
    params.cpuparams.n_threads = load.threads
    params.cpuparams_batch.n_threads = load.threads
    # A call can be stopped between batches. Small ones cost no speed on a CPU (measured: 64 against 2048).
    params.n_batch = params.n_ubatch = 64 if Path(load.path).stat().st_size < _BIG_WEIGHTS else 32
    params.cache_ram_mib = 0  # the engine would keep 8 GiB of old prompts
    params.n_ctx_checkpoints = 0
    params.ctx_shift = False
    params.warmup = False
    params.offline = True
    params.ui = False
    params.endpoint_props = False
    params.endpoint_slots = False
    params.verbosity = -1
    try:
        engine = xllamacpp.Server(params)
        modes = {"folder": stat.S_IMODE(folder.stat().st_mode), "socket": stat.S_IMODE(socket.stat().st_mode)}
        if modes != {"folder": _PRIVATE_FOLDER, "socket": _PRIVATE_SOCKET}:
            raise RuntimeError(f"the engine's socket is not private: {modes}")
    finally:
        with contextlib.suppress(FileNotFoundError):
            socket.unlink()
        folder.rmdir()
    return engine, {"listener": engine.listening_address, **modes}


class Child:
    """One model behind two pipes."""

    def __init__(self, load: Load, engine: Any, answers: BinaryIO) -> None:
        self._load = load
        self._engine = engine
        self._answers = answers
        self._writing = threading.Lock()
        self._stops: dict[int, threading.Event] = {}
        self._workers = ThreadPoolExecutor(load.slots, thread_name_prefix="slot")

    def serve(self, questions: BinaryIO) -> None:
        """Work until the other side is gone."""
        while (frame := read(questions)) is not None:
            if frame.kind is Kind.CANCEL:
                stop = self._stops.get(frame.call)
                if stop is not None:
                    stop.set()
            else:
                self._stops[frame.call] = threading.Event()
                self._workers.submit(self._work, frame)

    def say(self, kind: Kind, call: int = 0, payload: bytes = b"") -> None:
        """Send one frame."""
        with self._writing:
            self._answers.write(pack(kind, call, payload))
            self._answers.flush()

    def _work(self, frame: Frame) -> None:
        try:
            self._answer(frame)
        except Refused as refused:
            self.say(Kind.REFUSED, frame.call, refused.payload())
        except (
            ValueError,
            TypeError,
            OverflowError,
            RuntimeError,
        ) as error:  # how the engine says "bad request"
            self.say(Kind.REFUSED, frame.call, refusal_of_words(str(error)).payload())
        except Exception:  # noqa: BLE001  (a slot must come free whatever happens)
            self.say(Kind.REFUSED, frame.call, refusal_of_words("", status=500).payload())
        finally:
            del self._stops[frame.call]
            self.say(Kind.END, frame.call)

    def _answer(self, frame: Frame) -> None:
        stop = self._stops[frame.call]
        asked = engine_request(frame.payload, tools=self._load.tools, prompt_cache=self._load.prompt_cache)
        request = json.loads(frame.payload)
        model = request["model"] if isinstance(request.get("model"), str) else self._load.model
        answer = Answer(model, self._load.fingerprint, request.get("top_logprobs") or 0)
        streams = frame.kind is Kind.ASK_STREAM
        refused: list[Refused] = []
        begun = False

        def on_event(event: dict[str, Any]) -> bool:
            nonlocal begun
            if "error" in event:
                refused.append(refusal_of(event))
                return True
            for chunk in answer.chunks(event):
                if streams:
                    self.say(Kind.EVENT, frame.call, msgspec.json.encode(chunk))
                    continue
                answer.add(chunk)
                if not begun:
                    self.say(Kind.BEGAN, frame.call)
                    begun = True
            return stop.is_set()

        if not stop.is_set():
            self._engine.handle_chat_completions(asked, on_event)
        if refused:
            raise refused[0]
        if not streams and not stop.is_set():
            self.say(Kind.ANSWER, frame.call, msgspec.json.encode(answer.whole()))


def main() -> None:
    """Load the model that the first frame names, then answer until the input ends."""
    questions, answers = take_pipes()
    no_core_file()
    first = read(questions)
    if first is None:
        return
    load = msgspec.json.decode(first.payload, type=Load)
    die_with(load.parent)
    try:
        engine, listener = load_engine(load)
    except ImportError:
        answers.write(pack(Kind.FAILED, payload=b"the engine xllamacpp is not installed (extra: local)"))
        answers.close()
        return
    except Exception as error:  # noqa: BLE001  (whatever the engine says, the operator has to read it)
        answers.write(pack(Kind.FAILED, payload=str(error).encode()))
        answers.close()
        return
    child = Child(load, engine, answers)
    child.say(Kind.READY, payload=json.dumps(listener).encode())
    with contextlib.suppress(BrokenPipeError):
        child.serve(questions)
    os._exit(0)  # not through the engine's destructors: they wait for running calls


if __name__ == "__main__":
    main()
