"""Texts without what their reader must not have. A raw record: without what would let its reader act as somebody else
(signatures, tokens, keys, signed links). A line of a log: without addresses of people, too."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from typing import Any

HIDDEN = "‹hidden›"
_NAMES = (
    r"token|secret|signature|sign|password|authorization|api_?key|encrypt|ticket|credential|session_?key"
    r"|sslpassword|passfile|scram_client_key|scram_server_key"  # of libpq
)
_IS_SECRET = re.compile(rf"(?:\w*_)?(?:{_NAMES})", re.IGNORECASE)
_IN_XML = re.compile(rf"<((?:\w*_)?(?:{_NAMES}))>.*?</\1>", re.IGNORECASE | re.DOTALL)
_IN_QUERY = re.compile(rf"\b((?:\w*_)?(?:{_NAMES}))=[^&\s\"']+", re.IGNORECASE)
_SIGNED_LINK = re.compile(r"(/[csu]/)[\w-]{20,}")
_ADDRESS = re.compile(
    r"(?<!\w)\+\d[\d -]{6,18}\d(?!\w)"  # a phone number with its country
    r"|(?<![\w.])1[3-9]\d[ -]?\d{4}[ -]?\d{4}(?![\w.])"  # or a Chinese one without
    r"|[\w.%+-]+@[\w-]+(?:\.[\w-]+)+"  # a mailbox
    r"|(?<!\w)o[\w-]{27}(?!\w)"  # an openid
)
_LOGIN_IN_URL = re.compile(r"(://[^/\s:@]*):[^\s@]+@")
# PostgreSQL tells in lines of their own which values it did not like, as many as these have; what comes after them is
# its next word, or what SQLAlchemy or Python says.
_VALUES_TOLD = re.compile(
    r"^(DETAIL|CONTEXT): .*?"
    r"(?=\n(?:DETAIL: |HINT: |CONTEXT: |\[SQL: |\(Background on |\nThe above |\nDuring handling )|\Z)",
    re.MULTILINE | re.DOTALL,
)
_SHORTEST = 6  # secrets that are shorter occur in any text


def is_secret(name: str) -> bool:
    """Whether what has this name opens a door."""
    return _IS_SECRET.fullmatch(name) is not None


def redacted(body: str) -> str:
    """JSON stays JSON; anything else stays as it was but for the secrets in it."""
    try:
        data = json.loads(body)
    except ValueError:
        return _without_secrets(_IN_XML.sub(rf"<\1>{HIDDEN}</\1>", body))
    return json.dumps(_redacted_data(data), ensure_ascii=False)


def _redacted_data(data: Any) -> Any:
    match data:
        case dict():
            return {key: HIDDEN if is_secret(key) else _redacted_data(value) for key, value in data.items()}
        case list():
            return [_redacted_data(item) for item in data]
        case str():
            return _without_secrets(data)
        case _:
            return data


def anonymous(text: str, secrets: Collection[str] = ()) -> str:
    """A line for a log, an error, a screen that anybody may see: nobody's address, and nothing that opens a door.
    `secrets`: values that must not be in it whatever is around them."""
    for secret in secrets:
        if len(secret) >= _SHORTEST:
            text = text.replace(secret, HIDDEN)
    text = _LOGIN_IN_URL.sub(rf"\1:{HIDDEN}@", _VALUES_TOLD.sub(rf"\1: {HIDDEN}", text))
    return _ADDRESS.sub(HIDDEN, _without_secrets(text))


def _without_secrets(text: str) -> str:
    return _SIGNED_LINK.sub(rf"\1{HIDDEN}", _IN_QUERY.sub(rf"\1={HIDDEN}", text))
