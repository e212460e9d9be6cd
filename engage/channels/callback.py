"""What a callback is checked for before anyone looks inside: its size and, where a provider does not sign, its path.

Aliyun's pushes and a mail server's posts carry no signature, so the last part of their path is a secret; it is compared
in constant time, and a wrong one looks like any unknown path.
"""

from __future__ import annotations

import hashlib
import hmac

from engage.channels.contract import CallbackRequest, Refused

KEY_LENGTH = 200  # of `inbound.key`
_LARGEST_ID = 2**63 - 1  # of a bigint column


def same(given: str, expected: str) -> bool:
    """Equality in constant time; an empty expectation equals nothing."""
    return bool(expected) and hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode())


def oversized(request: CallbackRequest, limit: int) -> Refused | None:
    if len(request.body) > limit:
        return Refused(413, f"the body has {len(request.body)} bytes; {limit} are allowed")
    return None


def refusal(request: CallbackRequest, secret: str, limit: int) -> Refused | None:
    """Why a POST to a secret path is refused; None if it is not."""
    if not same(request.secret, secret):
        return Refused(404, "the secret in the path is wrong")
    if request.method != "POST":
        return Refused(405, f"{request.method} is not answered here")
    return oversized(request, limit)


def digest(text: str | bytes) -> str:
    return hashlib.sha256(text.encode() if isinstance(text, str) else text).hexdigest()


def storable(text: str) -> str:
    """Without what no database text can hold: NUL and lone surrogates, both of which JSON can smuggle in."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def own_id(text: str) -> int | None:
    """One of our ids as a provider echoes it; None for anything that cannot be one."""
    if not (text.isascii() and text.isdigit() and len(text) <= 19):
        return None
    return int(text) if int(text) <= _LARGEST_ID else None


def bounded_key(key: str) -> str:
    """A dedupe key as the column takes it: over-long ones are replaced by their hash."""
    key = storable(key)
    return key if len(key) <= KEY_LENGTH else f"sha256:{digest(key)}"
