"""WeChat's callback signatures and safe-mode encryption, as the platform does them. Pure.

AES-256-CBC; the key is the EncodingAESKey decoded, the IV its first 16 bytes. Inside: 16 random bytes, the length of
the message as 4 bytes in network order, the message, the appid; padded as PKCS7 does, but to blocks of 32.
"""

from __future__ import annotations

import base64
import hashlib
import struct

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

_BLOCK = 32


def signature(*parts: str) -> str:
    """`signature` over token, timestamp and nonce; `msg_signature` over these and the encrypted text."""
    return hashlib.sha1("".join(sorted(parts)).encode(), usedforsecurity=False).hexdigest()


def seal(message: bytes, app_id: str, encoding_aes_key: str, random16: bytes) -> str:
    key = base64.b64decode(encoding_aes_key + "=")
    plain = random16 + struct.pack("!I", len(message)) + message + app_id.encode()
    padding = _BLOCK - len(plain) % _BLOCK
    encryptor = Cipher(AES(key), CBC(key[:16])).encryptor()
    return base64.b64encode(encryptor.update(plain + bytes([padding]) * padding) + encryptor.finalize()).decode()
