"""E-mail, web and network addresses."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING

from guardrails.matching import Candidate, Kind, Rule, by_pattern, gate_by, run_start, starts_by
from guardrails.pii.shape import HEX, gate_by_shape

if TYPE_CHECKING:
    from collections.abc import Iterator

_ALNUM = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

# --- e-mail -----------------------------------------------------------------------------------------
_LOCAL = _ALNUM + "._%+-'"
_LOCAL_MAX = 64
_LOCAL_FRONT = ".%+-'"
_DOMAIN = re.compile(r"(?:[A-Za-z0-9-]{1,63}\.){1,6}[A-Za-z]{2,24}(?![A-Za-z0-9])", re.ASCII)
_EMAIL_MAX = _LOCAL_MAX + 1 + 6 * 64 + 24
# `logo@2x.png` is a picture, not a person.
_FILE_ENDINGS = frozenset(
    ("png", "jpg", "jpeg", "gif", "svg", "webp", "ico", "css", "js", "ts", "map", "json", "html", "md", "py")
)


def _find_email(text: str, start: int) -> Iterator[tuple[int, int]]:
    at = text.find("@", start)
    while at >= 0:
        local = text[max(start, at - _LOCAL_MAX) : at]
        local = local[len(local.rstrip(_LOCAL)) :].lstrip(_LOCAL_FRONT)
        domain = _DOMAIN.match(text, at + 1) if local and not local.endswith(".") else None
        if domain:
            start = domain.end()
            yield at - len(local), start
        at = text.find("@", start if domain else at + 1)


def _judge_email(candidate: Candidate) -> float:
    local, _, domain = candidate.value.partition("@")
    if domain.startswith("-") or domain.rpartition(".")[2].lower() in _FILE_ENDINGS:
        return 0.0
    if local == "git" and candidate.text[candidate.end : candidate.end + 1] == ":":
        return 0.0  # git@host:path is an address of code
    return 0.99


def _live_email(text: str) -> int:
    start = run_start(text, _LOCAL + "@", _EMAIL_MAX)
    if text.find("@", start) < 0:
        start = max(start, len(text) - _LOCAL_MAX)
    tail = text[start:]
    return start + len(tail) - len(tail.lstrip(_LOCAL_FRONT + "@"))


EMAIL = Kind("email", gate_by("@"), _live_email, _EMAIL_MAX)

# --- web --------------------------------------------------------------------------------------------
_URL_CHARS = _ALNUM + "-._~:/?#[]@!$&'()*+,;=%"
_URL_MAX = 2048
_URL = re.compile(
    r"(?:(?i:https?|ftp)://|(?<![A-Za-z0-9.@/-])www\.)[A-Za-z0-9\[\]._~:/?#@!$&'()*+,;=%-]{3,2060}", re.ASCII
)
_URL_HEADS = ("http", "www.", "ftp:")
_URL_PARTS = tuple(head[:size] for size in (3, 2, 1) for head in _URL_HEADS)


def _find_url(text: str, start: int) -> Iterator[tuple[int, int]]:
    for match in _URL.finditer(text, start):
        yield match.start(), match.start() + len(match.group().rstrip(".,;:!?)'"))


def _live_url(text: str) -> int:
    start = run_start(text, _URL_CHARS, _URL_MAX + 20)
    tail = text[start:].lower()
    begun = [at for head in _URL_HEADS if (at := tail.find(head)) >= 0]
    if begun:
        return start + min(begun)
    for part in _URL_PARTS:
        if tail.endswith(part):
            return len(text) - len(part)
    return len(text)


def _judge_url(candidate: Candidate) -> float:
    return 0.95 if "." in candidate.value or "localhost" in candidate.value else 0.0


URL = Kind("url", gate_by(r"://|www\."), _live_url, _URL_MAX + 20)

# --- network ----------------------------------------------------------------------------------------
# A version, or a paragraph of a standard.
_VERSION = re.compile(
    r"(?:version|release|firmware|build|ver\.?|rfc ?[0-9]{0,5},?|section|clause|chapter|버전|펌웨어)"
    r"\s{0,2}[:=]?\s{0,2}\Z",
    re.IGNORECASE,
)


def _judge_ipv4(candidate: Candidate) -> float:
    parts = candidate.value.split(".")
    if any(int(part) > 255 or (len(part) > 1 and part[0] == "0") for part in parts):
        return 0.0
    if parts[0] in {"0", "127", "255"}:
        return 0.0  # this host, nobody's address
    if _VERSION.search(candidate.text[max(0, candidate.start - 16) : candidate.start]):
        return 0.0
    return 0.95


def _judge_ipv6(candidate: Candidate) -> float:
    try:
        address = ipaddress.IPv6Address(candidate.value)
    except ValueError:
        return 0.0
    groups = [group for group in candidate.value.split(":") if group]
    if address.is_loopback or address.is_unspecified:
        return 0.0
    if len(groups) < 3 and len(groups[0]) < 4:
        return 0.0
    if len(groups) < 8 and not any(char.isdigit() for char in candidate.value):
        return 0.0  # `dead::beef` may be a name in a program
    return 0.95


def _judge_mac(candidate: Candidate) -> float:
    nibbles = [char for char in candidate.value.lower() if char in HEX]
    return 0.0 if len(set(nibbles)) == 1 else 0.95


# An old address may stand at its end: `::ffff:192.0.2.1`.
_IPV6 = re.compile(
    r"(?<![\w:.])(?:[0-9A-Fa-f]{0,4}:){2,7}(?:[0-9]{1,3}(?:\.[0-9]{1,3}){3}|[0-9A-Fa-f]{0,4})(?![\w:]|\.[0-9])",
    re.ASCII,
)
# The first colon of an address; colons are rarer than hexadecimal letters.
_COLON = re.compile(r":(?=[0-9A-Fa-f]{0,4}:)")


def _find_ipv6(text: str, start: int) -> Iterator[tuple[int, int]]:
    colon = _COLON.search(text, start)
    while colon:
        at = colon.start()
        head = text[max(start, at - 4) : at]
        match = _IPV6.match(text, at - len(head) + len(head.rstrip(HEX)))
        if match:
            start = match.end()
            yield match.span()
        colon = _COLON.search(text, start if match else at + 1)


IPV4 = Kind(
    "ipv4",
    gate_by(r"\.[0-9]{1,3}\.[0-9]"),
    lambda text: run_start(text, "0123456789.", 18),
    18,
    digits=True,
    starts=starts_by(r"[0-9](?<![\w.].)(?=[0-9]{0,2}\.[0-9]{1,3}\.[0-9])"),
)
IPV6 = Kind("ipv6", _COLON.search, lambda text: run_start(text, HEX + ":.", 60), 60)
MAC = Kind(
    "mac",
    gate_by_shape({"0": HEX, ":": ":-", ".": "."}, ("00:00:00:00:00:00", "0000.0000.0000")),
    lambda text: run_start(text, HEX + ":.-", 48),
    48,
)

RULES: tuple[tuple[Kind, Rule], ...] = (
    (EMAIL, Rule("EMAIL", _find_email, _judge_email)),
    (URL, Rule("URL", _find_url, _judge_url, limit=_URL_MAX)),
    (
        IPV4,
        Rule("IP_ADDRESS", by_pattern(r"(?<![\w.])(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?!\w|\.[0-9])"), _judge_ipv4),
    ),
    (IPV6, Rule("IP_ADDRESS", _find_ipv6, _judge_ipv6)),
    (
        MAC,
        Rule(
            "MAC_ADDRESS",
            by_pattern(
                r"(?<![\w:.-])(?:[0-9A-Fa-f]{2}([:-])(?:[0-9A-Fa-f]{2}\1){4}[0-9A-Fa-f]{2}"
                r"|[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4})(?!\w|[:-][0-9A-Fa-f])"
            ),
            _judge_mac,
        ),
    ),
)
