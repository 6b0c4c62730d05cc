"""Policy versions: the files of all layers as they were, in a folder named by the policy's content hash.

A version never changes. It is read from its own files alone, so it can be served and restored after every file it came
from is gone. Two files that decide alike are one version; the first one's letters are kept.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import shutil
from collections.abc import Sequence
from pathlib import Path

import msgspec

from policies.load import load_layers, load_policy
from policies.mistakes import Mistakes
from policies.policy import Policy
from router.types import Frozen

MANIFEST = "manifest.json"
_HASH = re.compile(r"[0-9a-f]{64}")


class VersionError(ValueError):
    """A version is not there, or not as it was kept; the message says which file and what to do."""


class KeptFile(Frozen, frozen=True, kw_only=True):
    """One layer: its file here, its SHA-256, and where it came from."""

    file: str
    sha256: str
    source: str


class Manifest(Frozen, frozen=True, kw_only=True):
    """What is in a version's folder; the layers lowest floor first."""

    hash: str
    name: str
    layers: tuple[KeptFile, ...]


def folder(home: Path) -> Path:
    """Where the versions lie."""
    return home / "registry" / "versions"


def keep(home: Path, source: str | Path | Sequence[Path]) -> Policy:
    """Keep a policy's files under its content hash; one that is kept already is left as it is.

    ``source`` is the policy, or the very files of its layers, the lowest floor first. What is named is read back from
    the copies, so that an edit in between cannot get in.

    Raises:
        Mistakes: the policy is wrong. VersionError: the folder cannot be written.
    """
    files = load_policy(source).files if isinstance(source, str | Path) else source
    place = folder(home)
    new = place / f".{secrets.token_hex(8)}.new"
    try:
        new.mkdir(mode=0o700, parents=True)
        names = [f"{index}-{path.name}" for index, path in enumerate(files)]
        for name, path in zip(names, files, strict=True):
            (new / name).write_bytes(path.read_bytes())
        policy = load_layers([new / name for name in names])
        layers = tuple(
            KeptFile(file=name, sha256=_sha256(new / name), source=str(path))
            for name, path in zip(names, files, strict=True)
        )
        manifest = Manifest(hash=policy.hash, name=policy.name, layers=layers)
        (new / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n")
        _move(new, place / policy.hash)
    except OSError as error:
        raise VersionError(f"{place}: {error.strerror or error}. Is STILLHOUSE_HOME writable?") from None
    finally:
        shutil.rmtree(new, ignore_errors=True)
    return read(home, policy.hash)


def manifest(home: Path, version: str) -> Manifest:
    """What a version holds; its files are checked.

    Raises:
        VersionError: it is not there, or a file is not as it was kept.
    """
    if not _HASH.fullmatch(version):
        raise VersionError(f"{version!r} is no version's name; 'stillhouse policy status' shows them")
    place = folder(home) / version
    try:
        found = msgspec.json.decode((place / MANIFEST).read_bytes(), type=Manifest)
        for layer in found.layers:
            if "/" in layer.file or _sha256(place / layer.file) != layer.sha256:
                raise VersionError(f"{place / layer.file}: not as it was kept. Restore it from a copy, or roll back")
    except (OSError, msgspec.MsgspecError) as error:
        said = error.strerror if isinstance(error, OSError) else error
        raise VersionError(f"{place}: version {version[:12]} cannot be read ({said})") from None
    return found


def read(home: Path, version: str, *, families: frozenset[str] | None = None) -> Policy:
    """Load a version from its own files.

    After an upgrade of this program the same files may be named otherwise (a new setting is part of every hash); they
    are served all the same, for their letters are what was approved.

    Raises:
        VersionError: it is not there, or a file is not as it was kept, or this program cannot load it.
    """
    place = folder(home) / version
    kept = manifest(home, version)
    try:
        return load_layers([place / layer.file for layer in kept.layers], families=families)
    except Mistakes as mistakes:
        raise VersionError(f"version {version[:12]} cannot be loaded:\n{mistakes}") from None


def find(home: Path, first: str) -> str:
    """The full name of the version that begins so.

    Raises:
        VersionError: none does, or several do.
    """
    names = [path.name for path in folder(home).glob(f"{first}*") if _HASH.fullmatch(path.name)] if first else []
    if len(names) != 1:
        raise VersionError(f"{'several versions begin' if names else 'no version begins'} with {first!r}")
    return names[0]


def restore(home: Path, version: str, into: Path) -> Sequence[Path]:
    """Copy a version's files out, each under the name it had; returns them, the lowest floor first.

    Raises:
        VersionError: see ``manifest``; or a file of that name is there already.
    """
    kept = manifest(home, version)
    targets = [into / layer.file.split("-", 1)[1] for layer in kept.layers]
    if len(set(targets)) != len(targets):  # a preset under a file of the same name
        targets = [into / layer.file for layer in kept.layers]
    if there := [path for path in targets if path.exists()]:
        raise VersionError(f"{there[0]}: is there already; choose an empty folder")
    try:
        into.mkdir(parents=True, exist_ok=True)
        for layer, target in zip(kept.layers, targets, strict=True):
            shutil.copyfile(folder(home) / version / layer.file, target)
    except OSError as error:
        raise VersionError(f"{into}: {error.strerror or error}") from None
    return targets


def _move(new: Path, place: Path) -> None:
    """Into place, unless another command was faster: what it kept under the same hash is as good."""
    if place.exists():
        return
    try:
        new.rename(place)
    except OSError:
        if not place.exists():
            raise


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
