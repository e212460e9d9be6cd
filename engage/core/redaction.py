"""A raw record without what would let its reader act as somebody else: signatures, tokens, keys, signed links."""

from __future__ import annotations

import json
import re
from typing import Any

HIDDEN = "‹hidden›"
_NAMES = r"token|secret|signature|sign|password|authorization|api_?key|encrypt|ticket|credential|session_?key"
_IS_SECRET = re.compile(rf"(?:\w*_)?(?:{_NAMES})", re.IGNORECASE)
_IN_XML = re.compile(rf"<((?:\w*_)?(?:{_NAMES}))>.*?</\1>", re.IGNORECASE | re.DOTALL)
_IN_QUERY = re.compile(rf"\b((?:\w*_)?(?:{_NAMES}))=[^&\s\"']+", re.IGNORECASE)
_SIGNED_LINK = re.compile(r"(/[csu]/)[\w-]{20,}")


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
            return {key: HIDDEN if _IS_SECRET.fullmatch(key) else _redacted_data(value) for key, value in data.items()}
        case list():
            return [_redacted_data(item) for item in data]
        case str():
            return _without_secrets(data)
        case _:
            return data


def _without_secrets(text: str) -> str:
    return _SIGNED_LINK.sub(rf"\1{HIDDEN}", _IN_QUERY.sub(rf"\1={HIDDEN}", text))
