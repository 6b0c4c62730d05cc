"""Bring a file of weights into our folder: copied or downloaded, checked, and only then visible.

The bytes go to ``<sha256>.part`` first. It becomes ``<sha256>.gguf`` by one rename after its digest was
found right and it was written to the disk. A download that breaks off leaves the part behind, and the
next try resumes it.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import ipaddress
import os
import shutil
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any
from urllib.parse import SplitResult, urlsplit

from router.registry.gguf import GGUF_MAGIC

CHUNK = 1 << 20
MAX_BYTES = 64 << 30
_TIMEOUT = 30.0
_MAX_HINT = "Raise --max-gib if that is meant."
_PARTIAL, _RANGE_REFUSED = 206, 416

Progress = Callable[[Iterable[bytes], int | None, str], Iterable[bytes]]


class FetchError(ValueError):
    """The file could not be brought here. The message says why, the hint how to mend it."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def silent(chunks: Iterable[bytes], _total: int | None, _label: str) -> Iterable[bytes]:
    """Progress that says nothing."""
    return chunks


def is_url(source: str) -> bool:
    """Whether ``source`` is a URL and not a path."""
    return "://" in source


def without_secrets(source: str) -> str:
    """A URL without user, password, query and fragment: fit to be kept and shown."""
    if not is_url(source):
        return source
    parts = urlsplit(source)
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{host}{port}{parts.path}"


def digest_of(path: Path, progress: Progress = silent, label: str = "checking") -> str:
    """SHA-256 of a file in lower-case hex. Raises ``OSError``."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        total = -(-os.fstat(file.fileno()).st_size // CHUNK)
        for chunk in progress(_read(file), total, label):
            digest.update(chunk)
    return digest.hexdigest()


def fetch(source: str, sha256: str, folder: Path, *, max_bytes: int = MAX_BYTES, progress: Progress = silent) -> Path:
    """Copy or download ``source`` to ``<folder>/<sha256>.gguf`` and return that path.

    A file that is already there and right is kept as it is.

    Args:
        source: a path, an https URL, or an http URL of this machine.
        sha256: what the file's digest must be, in lower-case hex.
        folder: made if it is missing, for its owner only.
        max_bytes: larger files are refused, also when the sender does not announce their size.
        progress: wraps the chunks (of one MiB) as they come.

    Raises:
        FetchError: not found, refused, cut short, too large, no room, or the wrong digest.
    """
    target = folder / f"{sha256}.gguf"
    part = folder / f"{sha256}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _alone(folder / f"{sha256}.lock"):
            if target.exists() and digest_of(target) == sha256:
                return target
            if is_url(source):
                _download(source, part, max_bytes, progress)
            else:
                _copy(Path(source).expanduser(), part, max_bytes, progress)
            found = digest_of(part, progress)
            if found != sha256:
                part.unlink()
                raise FetchError(
                    f"the file's SHA-256 is {found}, not {sha256}",
                    "Nothing was kept. Compare the digest you gave with the publisher's.",
                )
            part.replace(target)
            _sync_folder(folder)
    except OSError as error:
        raise FetchError(f"{error.filename or folder}: {error.strerror or error}") from None
    return target


@contextlib.contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Two commands must not write the same part."""
    with lock.open("w") as file:
        if sys.platform != "win32":
            import fcntl

            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise FetchError("another command is fetching these weights", "Wait until it has finished.") from None
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)


def _copy(source: Path, part: Path, max_bytes: int, progress: Progress) -> None:
    with source.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        _room(size, part.parent, max_bytes)
        _write(part, "wb", progress(_read(file), -(-size // CHUNK), "copying"), max_bytes)


def _download(url: str, part: Path, max_bytes: int, progress: Progress) -> None:
    _allowed(urlsplit(url))
    have = part.stat().st_size if part.exists() else 0
    try:
        with _open(url, have) as response:
            resumed = response.status == _PARTIAL and _starts_at(response, have)
            have = have if resumed else 0
            announced = response.headers.get("Content-Length")
            size = have + int(announced) if announced and announced.isdigit() else None
            _room(size, part.parent, max_bytes, already=have)
            chunks = progress(_read(response), -(-(size - have) // CHUNK) if size else None, "downloading")
            written = _write(part, "ab" if resumed else "wb", chunks, max_bytes)
    except urllib.error.HTTPError as error:
        if error.code == _RANGE_REFUSED and have:
            return  # nothing is left to send: the digest tells whether that is true
        raise FetchError(f"{without_secrets(url)} answered HTTP {error.code}") from None
    except urllib.error.URLError as error:
        raise FetchError(f"{without_secrets(url)} cannot be reached: {error.reason}") from None
    except (http.client.HTTPException, TimeoutError, ConnectionError) as error:
        raise FetchError(f"the download broke off: {error!r}", "Run the same command again: it resumes.") from None
    if size is not None and written < size:
        raise FetchError(
            f"the download broke off after {written} of {size} bytes",
            "Run the same command again: it resumes.",
        )


def _open(url: str, have: int) -> Any:
    headers = {"User-Agent": "stillhouse", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    request = urllib.request.Request(url, headers=headers)  # noqa: S310  (the scheme is checked by _allowed)
    return urllib.request.build_opener(_CheckedRedirects).open(request, timeout=_TIMEOUT)


class _CheckedRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect must not lead where the first URL was not allowed to."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        _allowed(urlsplit(newurl))
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _allowed(url: SplitResult) -> None:
    if url.scheme == "https" or (url.scheme == "http" and _is_loopback(url.hostname or "")):
        return
    raise FetchError(
        f"weights are not fetched over {url.scheme}:// from {url.hostname or 'nowhere'}",
        "Use an https:// URL, or download the file yourself and name its path.",
    )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _starts_at(response: Any, offset: int) -> bool:
    return str(response.headers.get("Content-Range", "")).startswith(f"bytes {offset}-")


def _room(size: int | None, folder: Path, max_bytes: int, already: int = 0) -> None:
    if size is None:
        return
    if size > max_bytes:
        raise FetchError(f"the file has {size} bytes; at most {max_bytes} are allowed", _MAX_HINT)
    free = shutil.disk_usage(folder).free
    if size - already > free:
        raise FetchError(f"{folder} has {free} bytes free, the file needs {size - already}")


def _write(part: Path, mode: str, chunks: Iterable[bytes], max_bytes: int) -> int:
    """Write the chunks and bring them to the disk; the file's size afterwards."""
    with part.open(mode) as file:
        size = file.tell()
        for chunk in chunks:
            if size == 0 and not chunk.startswith(GGUF_MAGIC):
                raise FetchError(
                    "this is not a GGUF file (its first four bytes are not 'GGUF')",
                    "A page instead of the file? The URL has to be the one of the download itself.",
                )
            size += len(chunk)
            if size > max_bytes:
                part.unlink()
                raise FetchError(f"the file has more than the {max_bytes} bytes allowed", _MAX_HINT)
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    return size


def _read(file: Any) -> Iterator[bytes]:
    while chunk := file.read(CHUNK):
        yield chunk


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
