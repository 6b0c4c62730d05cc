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
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import msgspec

from router.core.limits import Allowance

Scope = Literal["chat", "embeddings", "route", "guard", "media", "admin"]
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
_TAG = re.compile(r"[!-+\--~]{1,64}")
_Tag = Annotated[str, msgspec.Meta(pattern=rf"^{_TAG.pattern}$")]
_Digest = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}$")]
_Time = Annotated[datetime, msgspec.Meta(tz=True)]


class KeyFileError(ValueError):
    """The key file cannot be used; the message says where and how to mend it. It never holds a token."""


class Former(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A secret that was replaced and is still good ``until`` then."""

    sha256: _Digest
    until: _Time


class Key(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One virtual key, without its secret.

    Attributes:
        id: public name, part of the token; what the ledger keeps.
        tenant: whom its requests are counted for.
        sha256: hex digest of the whole token.
        scopes: endpoints it may use. headers: which ``x-stillhouse-*`` headers it may send.
        models: model names it may ask for; empty means all.
        team: the team of its tenant that it belongs to, if any. tags: what rules see and the ledger keeps of its
            requests, beside the caller's own.
        limits: what it may use; what is left open is without limit, or as the settings say for every key.
        former: secrets that ``rotate`` replaced.
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
    team: _Name | None = None
    tags: tuple[_Tag, ...] = ()
    limits: Allowance | None = None
    former: tuple[Former, ...] = ()
    expires: _Time | None = None
    revoked: _Time | None = None
    note: str = ""

    def of_former(self, former: Former) -> Key:
        """The key as its former secret opens it."""
        ends = former.until if self.expires is None else min(self.expires, former.until)
        return msgspec.structs.replace(self, sha256=former.sha256, expires=ends)

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
        self._live: dict[bytes, Key] = {}
        for key in keys:
            if key.revoked is None:
                self._live[bytes.fromhex(key.sha256)] = key
                self._live |= {bytes.fromhex(old.sha256): key.of_former(old) for old in key.former}

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
        team: str | None = None,
        tags: Iterable[str] = (),
        limits: Allowance | None = None,
    ) -> tuple[Key, str]:
        """Make a key, write the file, return the key and its token. The token is kept nowhere.

        Raises:
            KeyFileError: the file cannot be read or written.
            ValueError: the tenant's or team's name is not one, or a tag is none.
        """
        _check_names(tenant, team, tags := tuple(dict.fromkeys(tags)))
        name = secrets.token_hex(4)
        token, digest = _new_token(name)
        key = Key(
            id=name,
            tenant=tenant,
            sha256=digest,
            created=now,
            scopes=tuple(dict.fromkeys(scopes)),
            headers=tuple(dict.fromkeys(headers)),
            models=tuple(dict.fromkeys(models)),
            team=team,
            tags=tags,
            limits=limits,
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

    def edit(self, key_id: str, change: Callable[[Key], Key]) -> Key:
        """Change what a live key may do or use; its secret stays.

        Raises:
            KeyFileError: the file cannot be read or written.
            KeyError: no key has this id. ValueError: it is revoked, or a name is none.
        """
        with self._editing():
            key = self._one(key_id)
            if key.revoked is not None:
                raise ValueError(f"the key {key_id} is revoked; make a new one")
            new = change(key)
            _check_names(new.tenant, new.team, new.tags)
            self._write(tuple(new if other is key else other for other in self.keys))
        return new

    def rotate(self, key_id: str, *, now: datetime, overlap: timedelta) -> tuple[Key, str]:
        """Give a key another secret; the one it had is good for ``overlap`` more. Everything else stays.

        Raises:
            KeyFileError: the file cannot be read or written.
            KeyError: no key has this id. ValueError: it is revoked.
        """
        token, digest = _new_token(key_id)

        def change(key: Key) -> Key:
            kept = tuple(old for old in key.former if old.until > now)
            last = (Former(sha256=key.sha256, until=now + overlap),) if overlap else ()
            return msgspec.structs.replace(key, sha256=digest, former=(*kept, *last))

        return self.edit(key_id, change), token

    def _one(self, key_id: str) -> Key:
        key = next((key for key in self.keys if key.id == key_id), None)
        if key is None:
            raise KeyError(key_id)
        return key

    def revoke(self, key_id: str, *, now: datetime) -> Key:
        """End a key for good; it stays in the file so that the ledger's key ids keep their meaning.

        Raises:
            KeyFileError: the file cannot be read or written.
            KeyError: no key has this id.
        """
        with self._editing():
            key = self._one(key_id)
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


def _new_token(name: str) -> tuple[str, str]:
    """A new token of the key ``name``, and its digest."""
    token = f"{PREFIX}{name}-{secrets.token_urlsafe(32)}"
    return token, hashlib.sha256(token.encode()).hexdigest()


def _check_names(tenant: str, team: str | None, tags: Iterable[str]) -> None:
    for what, name in (("tenant", tenant), ("team", team)):
        if name is not None and not _TENANT.fullmatch(name):
            raise ValueError(
                f"{name!r} cannot name a {what}: use up to 64 letters, digits, dots, dashes, underscores, "
                "from a letter or digit on"
            )
    for tag in tags:
        if not _TAG.fullmatch(tag):
            raise ValueError(f"{tag!r} is no tag: use up to 64 printable characters without commas and spaces")


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
