"""What a provider reports after a handover: a template message's finish event, an SMS receipt, a bounced mail. Pure.

All of it follows from the handover, so that it need not be remembered.
"""

from __future__ import annotations

import math
from datetime import datetime, timedelta

from engage.sandbox.chance import Chance
from engage.sandbox.mail_bounce import bounce
from engage.sandbox.model import Handover
from engage.sandbox.pushes import MailPush, Push, SmsPush, WeChatPush, beijing, wechat_xml
from engage.sandbox.truth import HandedOver


def receipt(record: HandedOver, account: str, chance: Chance) -> tuple[datetime, Push] | None:
    """When the provider reports, and what. None: it never will."""
    handover = record.handover
    match handover.channel:
        case "wechat":
            return _finish(record, account, chance) if "template_id" in handover.payload else None
        case "sms":
            return _report(record, chance)
        case "email":
            return None if handover.reached else _bounce(handover, chance)


def _finish(record: HandedOver, account: str, chance: Chance) -> tuple[datetime, Push]:
    handover = record.handover
    at = handover.at + _after(chance, handover, seconds=(1, 4))
    xml = wechat_xml(
        account,
        handover.address,
        at,
        "event",
        {
            "Event": "TEMPLATESENDJOBFINISH",
            "MsgID": int(record.provider_id or 0),
            "Status": "success" if handover.reached else "failed:user block",
        },
    )
    return at, WeChatPush(f"{handover.id}/receipt", handover.address, xml)


def _report(record: HandedOver, chance: Chance) -> tuple[datetime, Push]:
    handover = record.handover
    at = handover.at + _after(chance, handover, seconds=(3, 9))
    code, words = ("DELIVERED", "用户接收成功") if handover.reached else ("MK:0001", "空号")
    item = {
        "phone_number": handover.address,
        "send_time": beijing(handover.at),
        "report_time": beijing(at),
        "success": handover.reached,
        "err_code": code,
        "err_msg": words,
        "sms_size": str(_segments(handover.text)),
        "biz_id": record.provider_id,
        "out_id": handover.payload.get("OutId", ""),
    }
    return at, SmsPush(f"{handover.id}/receipt", item)


def _bounce(handover: Handover, chance: Chance) -> tuple[datetime, Push]:
    at = handover.at + _after(chance, handover, seconds=(20, 240))
    return at, MailPush(f"{handover.id}/receipt", bounce(handover, at))


def _segments(text: str) -> int:
    """70 characters fit into one; a longer text is cut into pieces of 67."""
    return 1 if len(text) <= 70 else math.ceil(len(text) / 67)


def _after(chance: Chance, handover: Handover, seconds: tuple[int, int]) -> timedelta:
    return timedelta(seconds=chance.stream("receipt", handover.id).randint(*seconds))
