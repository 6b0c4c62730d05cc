import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from router.registry.weights_fetch import FetchError, fetch, without_secrets
from tests.support.gguf import gguf_bytes

DATA = gguf_bytes(padding=3_000_000)
DIGEST = hashlib.sha256(DATA).hexdigest()


class Mirror(ThreadingHTTPServer):
    """Serves DATA; a test says how badly."""

    cut = 0
    ranges = True
    announces = True
    moved_to = ""
    status = 200
    data = DATA

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str | None] = []

    def handle_error(self, *args: object) -> None:
        """A client that hangs up early is what some tests are about."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/a.gguf"


class Handler(BaseHTTPRequestHandler):
    server: Mirror

    def do_GET(self) -> None:
        mirror = self.server
        mirror.asked.append(self.headers.get("Range"))
        if mirror.moved_to:
            self.send_response(302)
            self.send_header("Location", mirror.moved_to)
            self.end_headers()
            return
        if mirror.status != 200:
            self.send_error(mirror.status)
            return
        asked = self.headers.get("Range")
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and mirror.ranges else 0
        if start >= len(mirror.data):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(mirror.data) - 1}/{len(mirror.data)}")
        if mirror.announces:
            self.send_header("Content-Length", str(len(mirror.data) - start))
        self.end_headers()
        self.wfile.write(mirror.data[start : mirror.cut or None])

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    with Mirror() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_download_becomes_visible_under_its_digest(tmp_path: Path, mirror: Mirror) -> None:
    path = fetch(mirror.url, DIGEST, tmp_path / "models")
    assert path == tmp_path / f"models/{DIGEST}.gguf"
    assert path.read_bytes() == DATA
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_file_that_is_there_is_not_fetched_again(tmp_path: Path, mirror: Mirror) -> None:
    fetch(mirror.url, DIGEST, tmp_path / "w")
    fetch(mirror.url, DIGEST, tmp_path / "w")
    assert len(mirror.asked) == 1


def test_a_damaged_file_is_fetched_again(tmp_path: Path, mirror: Mirror) -> None:
    path = fetch(mirror.url, DIGEST, tmp_path / "w")
    path.write_bytes(b"GGUF?")
    assert fetch(mirror.url, DIGEST, tmp_path / "w").read_bytes() == DATA


@pytest.mark.parametrize("ranges", [True, False], ids=["the server resumes", "the server begins again"])
def test_a_download_that_broke_off_is_resumed(tmp_path: Path, mirror: Mirror, ranges: bool) -> None:
    mirror.cut, mirror.ranges = 2_000_000, ranges
    with pytest.raises(FetchError, match="broke off") as caught:
        fetch(mirror.url, DIGEST, tmp_path / "w")
    assert "resumes" in caught.value.hint
    assert not (tmp_path / f"w/{DIGEST}.gguf").exists()
    mirror.cut = 0
    assert fetch(mirror.url, DIGEST, tmp_path / "w").read_bytes() == DATA
    assert mirror.asked == [None, "bytes=2000000-"]


def test_a_part_that_is_already_whole_is_taken(tmp_path: Path, mirror: Mirror) -> None:
    (tmp_path / "w").mkdir()
    (tmp_path / f"w/{DIGEST}.part").write_bytes(DATA)
    assert fetch(mirror.url, DIGEST, tmp_path / "w").read_bytes() == DATA


def test_a_part_of_another_file_is_dropped(tmp_path: Path, mirror: Mirror) -> None:
    (tmp_path / "w").mkdir()
    (tmp_path / f"w/{DIGEST}.part").write_bytes(b"GGUF" + b"x" * 100)
    with pytest.raises(FetchError, match="SHA-256"):
        fetch(mirror.url, DIGEST, tmp_path / "w")
    assert fetch(mirror.url, DIGEST, tmp_path / "w").read_bytes() == DATA


def test_the_wrong_digest_is_never_visible(tmp_path: Path, mirror: Mirror) -> None:
    with pytest.raises(FetchError, match="SHA-256"):
        fetch(mirror.url, "0" * 64, tmp_path / "w")
    assert list((tmp_path / "w").iterdir()) == []


def test_a_page_is_not_taken_for_weights(tmp_path: Path, mirror: Mirror) -> None:
    mirror.data = b"<!doctype html>" + bytes(100)
    with pytest.raises(FetchError, match="not a GGUF"):
        fetch(mirror.url, DIGEST, tmp_path / "w")


@pytest.mark.parametrize("announces", [True, False])
def test_a_file_that_is_too_large_is_refused(tmp_path: Path, mirror: Mirror, announces: bool) -> None:
    mirror.announces = announces
    with pytest.raises(FetchError, match="allowed"):
        fetch(mirror.url, DIGEST, tmp_path / "w", max_bytes=1_500_000)
    assert list((tmp_path / "w").iterdir()) == []


@pytest.mark.parametrize("url", ["http://example.org/a.gguf", "ftp://example.org/a", "file:///etc/passwd"])
def test_only_https_leaves_this_machine(tmp_path: Path, url: str) -> None:
    with pytest.raises(FetchError, match="not fetched over"):
        fetch(url, DIGEST, tmp_path)


def test_a_redirect_is_held_to_the_same_rule(tmp_path: Path, mirror: Mirror) -> None:
    mirror.moved_to = "http://example.org/a.gguf"
    with pytest.raises(FetchError, match=r"not fetched over http:// from example\.org"):
        fetch(mirror.url, DIGEST, tmp_path / "w")


def test_a_missing_page_is_said(tmp_path: Path, mirror: Mirror) -> None:
    mirror.status = 404
    with pytest.raises(FetchError, match="HTTP 404"):
        fetch(mirror.url, DIGEST, tmp_path / "w")


def test_a_server_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(FetchError, match="cannot be reached"):
        fetch("http://127.0.0.1:9/a.gguf", DIGEST, tmp_path)


@pytest.mark.parametrize("source", ["missing.gguf", "."])
def test_a_path_that_is_no_file_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FetchError, match="directory"):
        fetch(source, DIGEST, tmp_path / "models")


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("https://user:key@host.example:8443/a/b.gguf?token=1#x", "https://host.example:8443/a/b.gguf"),
        ("http://[::1]:80/a", "http://[::1]:80/a"),
        ("./a.gguf", "./a.gguf"),
    ],
)
def test_what_is_kept_of_a_source_holds_no_secret(source: str, shown: str) -> None:
    assert without_secrets(source) == shown
