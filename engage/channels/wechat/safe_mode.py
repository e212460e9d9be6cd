"""Safe mode (安全模式) of WeChat's callbacks: is a request genuine and fresh, and what does it hold? Pure.

The plain `signature` does not cover the body, so only safe mode is accepted; there `msg_signature` does. wechatpy does
the AES; what it leaves out stands here: comparison in constant time, freshness, a cap on the body before anything is
parsed, no DOCTYPE, and one clean refusal for every malformed body.
"""

from __future__ import annotations

import binascii
import hashlib
import struct
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from wechatpy.crypto import WeChatCrypto
from wechatpy.exceptions import WeChatException

from engage.channels.callback import oversized, same
from engage.channels.contract import CallbackRequest, Refused
from engage.channels.wechat.xml import read_fields
from engage.config import WeChat
from engage.errors import ConfigError

BODY_LIMIT = 64 * 1024  # 8 MB of tiny elements cost the parser 13-15 s; a real message has a few kB
FRESH_FOR = timedelta(minutes=5)


class SafeMode:
    def __init__(self, config: WeChat) -> None:
        self._token = config.callback_token.get_secret_value()
        try:
            self._crypto = WeChatCrypto(self._token, config.encoding_aes_key.get_secret_value(), config.app_id)
        except (AssertionError, binascii.Error):
            raise ConfigError(
                "channels.wechat.encoding_aes_key: must be the 43 characters WeChat shows",
                "channels.wechat.encoding_aes_key：应该是公众号后台显示的那 43 个字符",
            ) from None

    def refusal(self, request: CallbackRequest, now: datetime) -> Refused | None:
        """Why a request is refused by its size and query alone; None if it is not."""
        query = request.query
        timestamp, nonce, signature = (query.get(name, "") for name in ("timestamp", "nonce", "signature"))
        if refused := oversized(request, BODY_LIMIT):
            return refused
        if not (timestamp and nonce and signature and self._token):
            return Refused(400, "signature, timestamp or nonce is missing")
        if not _fresh(timestamp, now):
            return Refused(403, "the timestamp is more than 5 minutes off")
        if not same(signature, sign(self._token, timestamp, nonce)):
            return Refused(403, "the signature is wrong")
        return None

    def unseal(self, request: CallbackRequest) -> str | Refused:
        """The message inside, as WeChat wrote it. Only for requests that `refusal` let pass."""
        query = request.query
        if query.get("encrypt_type") != "aes":
            return Refused(400, "not in safe mode: switch the account's message encryption to 安全模式")
        try:
            encrypted = read_fields(request.body.decode())["Encrypt"]
        except (ValueError, KeyError):
            return Refused(400, "not a WeChat envelope")
        expected = sign(self._token, query["timestamp"], query["nonce"], encrypted)
        if not same(query.get("msg_signature", ""), expected):
            return Refused(403, "msg_signature is wrong")
        return self._decrypt(encrypted, expected, query)

    def _decrypt(self, encrypted: str, signature: str, query: Mapping[str, str]) -> str | Refused:
        """Decrypts, and checks the app id inside."""
        envelope = {"Encrypt": encrypted}
        try:
            return str(self._crypto.decrypt_message(envelope, signature, query["timestamp"], query["nonce"]))
        except (WeChatException, ValueError, IndexError, struct.error):
            return Refused(403, "encrypted for another key or app id")


def sign(*parts: str) -> str:
    """SHA-1 of the sorted parts: what WeChat calls a signature."""
    return hashlib.sha1("".join(sorted(parts)).encode("utf-8", "replace"), usedforsecurity=False).hexdigest()


def _fresh(timestamp: str, now: datetime) -> bool:
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 11):
        return False
    return abs(now - datetime.fromtimestamp(int(timestamp), UTC)) <= FRESH_FOR
