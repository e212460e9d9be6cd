"""What of ours comes back from outside is signed, so that nobody can make it up: links, and addresses of bounces."""

from __future__ import annotations

import hashlib
import hmac

MAC_BYTES = 16  # 128 bits: beyond guessing, and a link stays short enough for a chat


class Signer:
    """Signs for one purpose, with a key of its own: what is signed for another purpose means nothing to it."""

    def __init__(self, signing_key: str, purpose: str) -> None:
        self._key = hmac.digest(signing_key.encode(), f"engage {purpose}".encode(), hashlib.sha256)

    def mac(self, claim: bytes) -> bytes:
        return hmac.digest(self._key, claim, hashlib.sha256)[:MAC_BYTES]
