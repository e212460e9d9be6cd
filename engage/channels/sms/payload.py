"""What goes to Aliyun: an approved template's code and its parameters. Pure.

The provider fills its own approved text; the body of our template is that text with the values in it, kept so that
people can read what the member read, and to count segments.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from decimal import Decimal

from engage.channels.composing import Uncomposable
from engage.channels.contract import Message, Payload
from engage.channels.sms.phone import to_provider

_ONE_SEGMENT = 70
_PER_SEGMENT = 67  # of a longer message: three characters a segment go to the joining header
_LONGEST = 500
_LONGEST_VALUE = 35  # characters of one template variable


def compose(message: Message, sign: str, price: Decimal) -> Payload:
    """The SendSms parameters. Raises `Uncomposable` for what Aliyun or the law would refuse."""
    front = message.rendered.front
    template = front.get("sms_template")
    if not template:
        raise Uncomposable("an SMS needs sms_template, the provider's approved template")
    body = message.rendered.body.strip()
    if not body or "【" in body or "】" in body:
        raise Uncomposable("an SMS needs words, and no 【】 in them: the provider adds the signature")
    text = f"【{sign}】{body}"
    segments = count_segments(text)
    data = {
        "PhoneNumbers": to_provider(message.address),
        "SignName": sign,
        "TemplateCode": str(template),
        "TemplateParam": _parameters(front.get("params") or {}),
        "OutId": str(message.delivery_id),
    }
    return Payload(data, text, segments, segments * price)


def count_segments(text: str) -> int:
    """At most 70 characters are one segment, else every 67 begin one; the signature counts.

    Counted in UTF-16 units, as the carrier does: an emoji takes two.
    """
    length = len(text.encode("utf-16-le")) // 2
    if length > _LONGEST:
        raise Uncomposable(f"an SMS has at most {_LONGEST} characters; this one has {length}")
    return 1 if length <= _ONE_SEGMENT else math.ceil(length / _PER_SEGMENT)


def _parameters(params: Mapping[str, object]) -> str:
    values = {str(name): _value(str(name), str(value)) for name, value in params.items()}
    return json.dumps(values, ensure_ascii=False, separators=(",", ":"))


def _value(name: str, value: str) -> str:
    value = " ".join(value.split())
    if not 1 <= len(value) <= _LONGEST_VALUE:
        raise Uncomposable(f"the SMS parameter {name} has {len(value)} characters; 1 to {_LONGEST_VALUE} are allowed")
    if "://" in value or "【" in value or "】" in value:
        raise Uncomposable(f"the SMS parameter {name} may carry neither a URL nor 【】")
    return value
