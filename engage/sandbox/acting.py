"""How an act that somebody has done reaches the engine: as a callback, an API call, or a visit to its pages. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, assert_never

from engage.sandbox.chance import Chance
from engage.sandbox.model import (
    FillSurvey,
    Follow,
    OneClickUnsubscribe,
    OpenLink,
    Person,
    Register,
    SendForm,
    ShopEvent,
    TapMenu,
    Type,
    Unfollow,
)
from engage.sandbox.population import birthday_text, consents
from engage.sandbox.pushes import Errand, ShopPost, SmsPush, Visit, WeChatPush, beijing, wechat_xml
from engage.sandbox.truth import Done

_PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148"
_IN_WECHAT = f"{_PHONE} MicroMessenger/8.0.50 NetType/WIFI Language/zh_CN"
_IN_BROWSER = f"{_PHONE} Version/17.5 Safari/604.1"
_MAIL_PROGRAM = "MailClient/1.0"
_SMS_NUMBER = "10690000101"


def errand(done: Done, person: Person, sms_extension: str, account: str, chance: Chance) -> Errand:
    """What the act sends. `sms_extension`: the extension code of the message an SMS reply answers."""
    act = done.act
    match act:
        case Follow(openid, scene):
            event: dict[str, str | int] = {"Event": "subscribe", "EventKey": f"qrscene_{scene}" if scene else ""}
            return _event(done, account, openid, event)
        case Unfollow(openid):
            return _event(done, account, openid, {"Event": "unsubscribe", "EventKey": ""})
        case Type(channel="sms", address=phone, text=text):
            return _sms_reply(done, phone, text, sms_extension, chance)
        case Type(address=openid, text=text):
            return _chat_text(done, account, openid, {"Content": text}, chance)
        case TapMenu(openid, item, words):
            return _chat_text(done, account, openid, {"Content": words, "bizmsgmenuid": item}, chance)
        case OpenLink(channel, _, url):
            return Visit(done.key, url, _IN_WECHAT if channel == "wechat" else _IN_BROWSER)
        case FillSurvey(channel, _, url):
            return Visit(done.key, url, _IN_WECHAT if channel == "wechat" else _IN_BROWSER, form=_survey_form(act))
        case SendForm(channel, _, url, fields):
            return Visit(done.key, url, _IN_WECHAT if channel == "wechat" else _IN_BROWSER, form=dict(fields))
        case OneClickUnsubscribe(_, url):
            return Visit(done.key, url, _MAIL_PROGRAM, opens=False, form={"List-Unsubscribe": "One-Click"})
        case ShopEvent():
            return _shop_event(done, act, person)
        case Register():
            return ShopPost(done.key, "/api/members", {"members": [_member(person, chance.seed)]})
        case _:
            assert_never(act)


def _event(done: Done, account: str, openid: str, fields: Mapping[str, str | int]) -> WeChatPush:
    return WeChatPush(done.key, openid, wechat_xml(account, openid, done.at, "event", fields))


def _chat_text(done: Done, account: str, openid: str, fields: Mapping[str, str | int], chance: Chance) -> WeChatPush:
    numbered = dict(fields) | {"MsgId": chance.number(62, "MsgId", done.key)}
    return WeChatPush(done.key, openid, wechat_xml(account, openid, done.at, "text", numbered), shown=True)


def _sms_reply(done: Done, phone: str, text: str, extension: str, chance: Chance) -> SmsPush:
    item = {
        "phone_number": phone,
        "content": text,
        "send_time": beijing(done.at),
        "dest_code": _SMS_NUMBER + extension,
        "sequence_id": str(chance.number(40, "sequence_id", done.key)),
    }
    return SmsPush(done.key, item)


def _survey_form(act: FillSurvey) -> dict[str, str]:
    given = {"score": None if act.score is None else str(act.score), "comment": act.comment}
    return {name: value for name, value in given.items() if value is not None}


def _shop_event(done: Done, act: ShopEvent, person: Person) -> ShopPost:
    event = {
        "id": act.external_id,
        "member": person.ref,
        "event": act.event,
        "at": done.at.isoformat(),
        "data": dict(act.payload),
    }
    return ShopPost(done.key, "/api/events", {"events": [event]})


def _member(person: Person, seed: int) -> dict[str, Any]:
    """A member as the shop's form gives them: addresses as far as they were left, and the boxes that were ticked."""
    addresses = {"sms": person.phone, "email": person.email, "wechat": person.openid}
    birthday = birthday_text(person.birthday) if person.birthday else None
    fields = {"name": person.name, "city": person.city, "birthday": birthday, "lifecycle": "新客"}
    return {
        "member": person.ref,
        "fields": {name: value for name, value in fields.items() if value},
        "addresses": {channel: address for channel, address in addresses.items() if address},
        "consents": [
            {"topic": topic, "channel": channel, "granted": True, "evidence": "门店会员登记表"}
            for topic, channels in consents(person, seed).items()
            for channel in channels
        ],
        "timezone": "Asia/Shanghai",
    }
