"""Virtual keys: who may call the gateway, and what each may do. One JSON file, read whole, replaced whole.

A key is ``sk-stillhouse-<id>-<secret>``; the secret is 256 random bits and only the SHA-256 of the whole
token is kept. A slow hash protects secrets that people choose, because those can be guessed; 2^256
random values cannot, so a fast hash is as safe and costs a request one microsecond instead of
a hundred thousand. The look-up is a dictionary on that digest: how long it takes says something about
the digest, which a caller cannot steer, and nothing about the token; the final comparison is constant-time.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import hmac
import json
import os
import re
import secrets
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import msgspec

Scope = Literal["chat", "embeddings", "route", "guard", "admin"]
Header = Literal["policy", "tier", "tag", "session", "guard-tag", "priority"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
HEADERS: tuple[Header, ...] = get_args(Header)
USUAL_SCOPES: tuple[Scope, ...] = ("chat", "embeddings", "route", "guard")
USUAL_HEADERS: tuple[Header, ...] = ("tag", "session")

PREFIX = "sk-stillhouse-"
_TOKEN_CHARS = 128  # ours have 66; a longer one is not hashed
_SHARED_WRITE = 0o022
_TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

_Name = Annotated[str, msgspec.Meta(pattern=rf"^{_TENANT.pattern}$")]
_Digest = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}$")]
_Time = Annotated[datetime, msgspec.Meta(tz=True)]


class KeyFileError(ValueError):
    """The key file cannot be used; the message says where and how to mend it. It never holds a token."""


class Key(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One virtual key, without its secret.

    Attributes:
        id: public name, part of the token; what the ledger keeps.
        tenant: whom its requests are counted for.
        sha256: hex digest of the whole token.
        scopes: endpoints it may use. headers: which ``x-stillhouse-*`` headers it may send.
        models: model names it may ask for; empty means all.
        created, expires, revoked: with their time zone.
        note: the operator's own words.
    """

    id: _Name
    tenant: _Name
    sha256: _Digest
    created: _Time
    scopes: tuple[Scope, ...] = USUAL_SCOPES
    headers: tuple[Header, ...] = USUAL_HEADERS
    models: tuple[str, ...] = ()
    expires: _Time | None = None
    revoked: _Time | None = None
    note: str = ""

    def expired(self, now_ms: int) -> bool:
        """Whether its time is over at ``now_ms`` (milliseconds since the epoch)."""
        return self.expires is not None and now_ms >= self.expires.timestamp() * 1e3


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    stillhouse_keys: Literal[1]
    keys: tuple[Key, ...]


class KeyStore:
    """The keys of one file. ``find`` reads memory only; ``add`` and ``revoke`` change the file first."""

    def __init__(self, path: Path, keys: Iterable[Key] = ()) -> None:
        self.path = path
        self._take(tuple(keys))

    def _take(self, keys: tuple[Key, ...]) -> None:
        self.keys = keys
        self._live = {bytes.fromhex(key.sha256): key for key in keys if key.revoked is None}

    @classmethod
    def load(cls, path: Path) -> KeyStore:
        """Read ``path``; a file that is not there holds no keys.

        Raises:
            KeyFileError: the file is unreadable, open to other users' edits, or not a key file.
        """
        return cls(path, _read(path))

    def find(self, token: str) -> Key | None:
        """The key of this token; None for an unknown or revoked one. Expiry is the caller's to check."""
        if len(token) > _TOKEN_CHARS or not token.isascii():
            return None
        digest = hashlib.sha256(token.encode()).digest()
        key = self._live.get(digest)
        if key is None or not hmac.compare_digest(bytes.fromhex(key.sha256), digest):
            return None
        return key

    def add(
        self,
        tenant: str,
        *,
        now: datetime,
        scopes: Iterable[Scope] = USUAL_SCOPES,
        headers: Iterable[Header] = USUAL_HEADERS,
        models: Iterable[str] = (),
        expires: datetime | None = None,
        note: str = "",
    ) -> tuple[Key, str]:
        """Make a key, write the file, return the key and its token. The token is kept nowhere.

        Raises:
            KeyFileError: the file cannot be read or written.
            ValueError: the tenant's name is not one.
        """
        if not _TENANT.fullmatch(tenant):
            raise ValueError(
                f"{tenant!r} cannot name a tenant: use up to 64 letters, digits, dots, dashes, underscores, "
                "from a letter or digit on"
            )
        name = secrets.token_hex(4)
        token = f"{PREFIX}{name}-{secrets.token_urlsafe(32)}"
        key = Key(
            id=name,
            tenant=tenant,
            sha256=hashlib.sha256(token.encode()).hexdigest(),
            created=now,
            scopes=tuple(dict.fromkeys(scopes)),
            headers=tuple(dict.fromkeys(headers)),
            models=tuple(dict.fromkeys(models)),
            expires=expires,
            note=note,
        )
        with self._editing():
            self._write((*self.keys, key))
        return key, token

    def adopt(self, keys: Iterable[Key]) -> None:
        """Take in keys that were made elsewhere and are known by their hashes.

        Raises:
            KeyFileError: the file cannot be read or written, or holds one of these ids or hashes already.
        """
        new = tuple(keys)
        with self._editing():
            for key in new:
                if any(key.id == other.id or key.sha256 == other.sha256 for other in self.keys):
                    raise KeyFileError(f"{self.path}: the key {key.id} is in it already. Name another file.")
            self._write((*self.keys, *new))

    def revoke(self, key_id: str, *, now: datetime) -> Key:
        """End a key for good; it stays in the file so that the ledger's key ids keep their meaning.

        Raises:
            KeyFileError: the file cannot be read or written.
            KeyError: no key has this id.
        """
        with self._editing():
            key = next((key for key in self.keys if key.id == key_id), None)
            if key is None:
                raise KeyError(key_id)
            if key.revoked is None:
                ended = msgspec.structs.replace(key, revoked=now)
                self._write(tuple(ended if other is key else other for other in self.keys))
                return ended
        return key

    @contextlib.contextmanager
    def _editing(self) -> Iterator[None]:
        """Hold the file against other editors, and start from what it says now."""
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with _lock_file(self.path).open("a") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                self._take(_read(self.path))
                yield
        except OSError as error:
            raise KeyFileError(f"{self.path}: {_reason(error)}. Name a key file that you may write to.") from error

    def _write(self, keys: tuple[Key, ...]) -> None:
        text = msgspec.json.format(msgspec.json.encode(_File(stillhouse_keys=1, keys=keys)), indent=2)
        new = self.path.with_name(f"{self.path.name}.{secrets.token_hex(4)}.new")
        try:
            with os.fdopen(os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
                file.write(text + b"\n")
                file.flush()
                os.fsync(file.fileno())
            new.replace(self.path)
        finally:
            new.unlink(missing_ok=True)
        self._take(keys)


def _lock_file(path: Path) -> Path:
    return path.with_name(f".{path.name}.lock")


def _read(path: Path) -> tuple[Key, ...]:
    try:
        mode = path.stat().st_mode
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return ()
    except UnicodeDecodeError as error:
        raise KeyFileError(f"{path}: it is not UTF-8. Restore it from a copy.") from error
    except OSError as error:
        raise KeyFileError(f"{path}: {_reason(error)}. Name a key file that you may read.") from error
    if mode & _SHARED_WRITE:
        raise KeyFileError(f"{path}: other users may write to it, and so make keys. Run: chmod 600 {path}")
    try:
        content = msgspec.convert(json.loads(text, object_pairs_hook=_once), _File)
    except json.JSONDecodeError as error:
        raise KeyFileError(
            f"{path}:{error.lineno}:{error.colno}: it is not JSON: {error.msg}. Restore it from a copy."
        ) from error
    except ValueError as error:
        raise KeyFileError(f"{path}: {error}. Mend the entry, or make a new key with 'stillhouse keys add'.") from error
    for what, seen in (
        ("id", Counter(key.id for key in content.keys)),
        ("sha256", Counter(key.sha256 for key in content.keys)),
    ):
        if twice := [value for value, count in seen.items() if count > 1]:
            raise KeyFileError(f"{path}: two keys have the same {what}, {twice[0][:12]}. Remove one of them.")
    return content.keys


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise ValueError(f"the name {twice!r} stands twice in one object")
    return content


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
