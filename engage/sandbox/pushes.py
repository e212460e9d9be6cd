"""What the engine is told from outside, and how: callbacks of providers, the shop's API calls, visits to pages. Pure.

A push is repeated until it is accepted or given up, always with the same content: a message keeps its MsgId and
CreateTime, a receipt its ids, an order its number. A visit is a person's: made once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

_BEIJING = timezone(timedelta(hours=8))
_ILLEGAL_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class WeChatPush:
    key: str
    openid: str
    xml: str  # in the clear; sealed anew for each try
    shown: bool = False  # whether the follower is told when the account does not answer


@dataclass(frozen=True, slots=True)
class SmsPush:
    key: str
    item: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class MailPush:
    key: str
    message: bytes  # RFC 822


@dataclass(frozen=True, slots=True)
class ShopPost:
    key: str
    path: str
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Visit:
    """A page is opened (unless a program does it for its reader), then a form is sent, if there is one."""

    key: str
    url: str
    agent: str
    opens: bool = True
    form: Mapping[str, str] | None = None


Push = WeChatPush | SmsPush | MailPush | ShopPost
Errand = Push | Visit


def wechat_xml(account: str, openid: str, at: datetime, msg_type: str, fields: Mapping[str, str | int]) -> str:
    """A callback in the clear. Numbers are written bare and words as CDATA, as the platform does."""
    head: dict[str, str | int] = {
        "ToUserName": account,
        "FromUserName": openid,
        "CreateTime": int(at.timestamp()),
        "MsgType": msg_type,
    }
    return "<xml>" + "".join(_element(name, value) for name, value in (head | dict(fields)).items()) + "</xml>"


def beijing(at: datetime) -> str:
    """A moment as Chinese SMS providers write it."""
    return at.astimezone(_BEIJING).strftime("%Y-%m-%d %H:%M:%S")


def _element(name: str, value: str | int) -> str:
    if isinstance(value, int):
        return f"<{name}>{value}</{name}>"
    legal = _ILLEGAL_IN_XML.sub("", value).replace("]]>", "]]]]><![CDATA[>")
    return f"<{name}><![CDATA[{legal}]]></{name}>"
