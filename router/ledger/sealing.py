"""Encryption of what is kept: AES-256-GCM, each value under a nonce of its own and bound to where it stands.

The one module that imports ``cryptography`` (the extra ``encrypt``), and only where a key is given.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from typing import Any, Final

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
_HEX: Final = re.compile(r"[0-9A-Fa-f]{64}")


class SealError(ValueError):
    """What is sealed cannot be opened, or nothing can be sealed; the message never holds key or text."""


class Seal:
    """One key at work.

    Attributes:
        id: names the key without giving it away: 12 hex digits.
    """

    __slots__ = ("_aes", "_fault", "id")

    def __init__(self, key: str) -> None:
        """Take up a key.

        Args:
            key: 64 hex digits.

        Raises:
            SealError: it is no key, or the library is missing.
        """
        if not _HEX.fullmatch(key):
            raise SealError("a capture key is 64 hex digits (256 bits); 'openssl rand -hex 32' makes one")
        try:
            from cryptography.exceptions import InvalidTag
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM
        except ImportError:
            raise SealError(
                "a capture key is set, and the library that encrypts is missing: pip install 'stillhouse[encrypt]'"
            ) from None
        raw = bytes.fromhex(key)
        self._aes: Any = AESGCM(raw)
        self._fault: type[Exception] = InvalidTag
        self.id = hashlib.sha256(b"stillhouse-capture\0" + raw).hexdigest()[:12]

    def seal(self, data: bytes, place: bytes) -> bytes:
        """Encrypt. A random nonce of 96 bits is safe for 2**32 values a key (NIST SP 800-38D, 8.3).

        Args:
            data: what is hidden.
            place: what stands beside it in the clear: with another, it does not open.
        """
        nonce = secrets.token_bytes(NONCE_BYTES)
        sealed: bytes = self._aes.encrypt(nonce, data, place)
        return nonce + sealed

    def open(self, sealed: bytes, place: bytes) -> bytes:
        """Decrypt what ``seal`` made.

        Raises:
            SealError: it was made with another key, for another place, or is damaged.
        """
        try:
            data: bytes = self._aes.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], place)
        except (self._fault, ValueError):
            raise SealError("a capture does not open: it is damaged, or was moved") from None
        return data
