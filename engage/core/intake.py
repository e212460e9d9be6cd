"""Members and events from outside, held against the catalog before anything is stored: for the HTTP API and for files.

All that is wrong with one item is collected. A `Wrong` never repeats a phone number, an address or a name: it may be
printed on a terminal or written into a log.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import phonenumbers

from engage.core import coerce
from engage.core.catalog import RESPONSE_EVENTS, Catalog, Event, Field
from engage.core.condition import ValueType
from engage.core.fact import Happened, MemberGiven
from engage.core.problem import Said

ID_LIMIT = 150  # of a member's or an event's outside id: with its prefix it has to fit the 200 characters of a key
_EVIDENCE_LIMIT = 500
_TAG_LIMIT = 64

# What Engage itself finds out, and records with the delivery or consent it belongs to: nobody else may report it.
_OURS = frozenset({*RESPONSE_EVENTS, "wechat_followed", "wechat_unfollowed"})


@dataclass(frozen=True, slots=True)
class Wrong:
    """One thing that keeps an item out: where in the item (`event`, `data.amount`, `addresses.sms`), and why."""

    where: str
    why: Said


# --- the two questions ------------------------------------------------------------------------------------------


def happened(
    catalog: Catalog, *, member: str, event: str, at: datetime, data: Mapping[str, object]
) -> Happened | list[Wrong]:
    """A business event. Payload keys that are None or empty count as absent."""
    wrong = _member_id(member)
    known = catalog.events.get(event)
    if event in _OURS:
        wrong.append(Wrong("event", _recorded_by_us(event)))
    elif known is None:
        wrong.append(Wrong("event", _unknown("event", "事件", event, set(catalog.events) - _OURS)))
    payload = _payload(known, data, ZoneInfo(catalog.timezone), wrong) if known and event not in _OURS else {}
    return wrong or Happened(member.strip(), event, payload, at)


def member_given(
    catalog: Catalog,
    *,
    member: str,
    fields: Mapping[str, object],
    addresses: Mapping[str, str | None],
    consents: Mapping[tuple[str, str], bool],
    tags: Iterable[str],
    timezone: str | None,
    at: datetime,
    evidence: str,
    announce: bool = True,
) -> MemberGiven | list[Wrong]:
    """A member as a shop or a file knows them. What is None or empty counts as absent, and leaves what is on file."""
    wrong = _member_id(member)
    given = MemberGiven(
        member=member.strip(),
        at=at,
        values=_fields(catalog, fields, wrong),
        addresses=_addresses(addresses, wrong),
        consents=_consents(catalog, consents, evidence, wrong),
        evidence=evidence.strip(),
        tags=_tags(tags, wrong),
        timezone=_timezone(timezone, wrong),
        announce=announce,
    )
    return wrong or given


# --- addresses --------------------------------------------------------------------------------------------------

_TRAILING_ZERO = re.compile(r"\.0+$")  # a phone number that a spreadsheet took for a number
_PHONE_SHAPE = re.compile(r"\+?[\d\s().-]{5,30}")
_MAINLAND_MOBILE = re.compile(r"1[3-9]\d{9}")
_EMAIL = re.compile(
    r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])"
)
_OPENID = re.compile(r"[A-Za-z0-9_-]{6,64}")


def phone(text: str) -> str | None:
    """A number that takes SMS, as E.164 (`+8613800138000`); without a country code it is a mainland one.

    Scientific notation is refused (its last digits are lost), and so are landlines.
    """
    written = _TRAILING_ZERO.sub("", coerce.plain(text).lstrip("'’("))
    if not _PHONE_SHAPE.fullmatch(written):
        return None
    digits = re.sub(r"\D", "", written)
    international = written.startswith(("+", "00"))
    number = digits if written.startswith("+") else digits.removeprefix("00")
    # Carriers open new prefixes sooner than libraries learn of them: a mainland mobile is known by its shape.
    mainland = number.removeprefix("86")
    if _MAINLAND_MOBILE.fullmatch(mainland) and (not international or mainland != number):
        return f"+86{mainland}"
    return _abroad(f"+{number}") if international else None


def _abroad(number: str) -> str | None:
    try:
        parsed = phonenumbers.parse(number, None)
    except phonenumbers.NumberParseException:
        return None
    kinds = (phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE)
    if parsed.country_code == 86 or phonenumbers.number_type(parsed) not in kinds:
        return None
    return str(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164))


def email(text: str) -> str | None:
    """A lower-case address with an ASCII local part: others need SMTPUTF8, which few servers offer. A domain in
    Chinese is written as its IDNA form."""
    written = coerce.plain(text).removeprefix("mailto:").lower()
    local, at, domain = written.rpartition("@")
    try:
        written = f"{local}{at}{domain.encode('idna').decode()}" if not domain.isascii() else written
    except UnicodeError:
        return None
    return written if len(written) <= 200 and len(local) <= 64 and _EMAIL.fullmatch(written) else None


def openid(text: str) -> str | None:
    written = text.strip()
    return written if _OPENID.fullmatch(written) else None


def address(text: str) -> str:
    """As it is kept, whatever the channel: a number, a mail address, else as it was written."""
    return phone(text) or email(text) or text


@dataclass(frozen=True, slots=True)
class _AddressKind:
    read: Callable[[str], str | None]
    wrong: Said


# What an address is on each channel.
ADDRESSES: Mapping[str, _AddressKind] = {
    "wechat": _AddressKind(
        openid, Said("this is not an openid (28 letters, digits, - and _)", "这不是 openid（28 位字母、数字、-、_）")
    ),
    "sms": _AddressKind(
        phone,
        Said(
            "this is not a mobile number that can be texted; write it as text, like 13800138000 or +85291234567",
            "这不是能收短信的手机号；请按文本写，例如 13800138000 或 +85291234567",
        ),
    ),
    "email": _AddressKind(email, Said("this is not an email address", "这不是有效的邮箱地址")),
}


# --- parts of an item -------------------------------------------------------------------------------------------


def _member_id(member: str) -> list[Wrong]:
    text = member.strip()
    if not text:
        return [Wrong("member", Said("the member's id is missing", "缺少会员号"))]
    if len(text) > ID_LIMIT or coerce.has_control(text):
        why = Said(
            f"a member's id has at most {ID_LIMIT} characters, on one line", f"会员号最多 {ID_LIMIT} 个字符，不能换行"
        )
        return [Wrong("member", why)]
    return []


def _payload(event: Event, data: Mapping[str, object], zone: ZoneInfo, wrong: list[Wrong]) -> dict[str, Any]:
    payload = {}
    for key, raw in _filled(data).items():
        kind = event.payload.get(key)
        if kind is None:
            wrong.append(
                Wrong(f"data.{key}", _unknown(f"key of {event.name}", f"{event.name} 的字段", key, event.payload))
            )
            continue
        value = coerce.payload_value(kind, raw, zone)
        if value is None:
            wrong.append(Wrong(f"data.{key}", EXPECTED[kind]))
        else:
            payload[key] = value
    return payload


def _fields(catalog: Catalog, fields: Mapping[str, object], wrong: list[Wrong]) -> dict[str, Any]:
    zone = ZoneInfo(catalog.timezone)
    values = {}
    for name, raw in _filled(fields).items():
        known = catalog.fields.get(name)
        if known is None:
            wrong.append(Wrong(f"fields.{name}", _unknown("field", "会员字段", name, catalog.fields)))
            continue
        value = coerce.field_value(known.type, raw, zone)
        why = _field_fault(known, value)
        if why is None:
            values[name] = value
        else:
            wrong.append(Wrong(f"fields.{name}", why))
    return values


def _field_fault(field: Field, value: object) -> Said | None:
    if field.computed is not None:
        return Said(
            "Engage keeps this field from events; send the events instead", "这个字段由系统按事件计算，请上报事件"
        )
    if value is None:
        return EXPECTED[field.type]
    if field.values and value not in field.values:
        listed = " · ".join(field.values)
        return Said(f"this is not one of: {listed}", f"不在可选值之中：{listed}")
    return None


def _addresses(addresses: Mapping[str, str | None], wrong: list[Wrong]) -> dict[str, str]:
    read = {}
    for channel, raw in _filled(addresses).items():
        kind = ADDRESSES.get(channel)
        if kind is None:
            wrong.append(Wrong(f"addresses.{channel}", _unknown("channel", "渠道", channel, ADDRESSES)))
            continue
        address = kind.read(str(raw))
        if address is None:
            wrong.append(Wrong(f"addresses.{channel}", kind.wrong))
        else:
            read[channel] = address
    return read


def _consents(
    catalog: Catalog, consents: Mapping[tuple[str, str], bool], evidence: str, wrong: list[Wrong]
) -> dict[tuple[str, str], bool]:
    for topic, channel in consents:
        if topic not in catalog.topics:
            wrong.append(Wrong("consents.topic", _unknown("topic", "主题", topic, catalog.topics)))
        if channel not in ADDRESSES:
            wrong.append(Wrong("consents.channel", _unknown("channel", "渠道", channel, ADDRESSES)))
    if any(consents.values()) and not evidence.strip():
        wrong.append(Wrong("consents.evidence", EVIDENCE_MISSING))
    if len(evidence) > _EVIDENCE_LIMIT or coerce.has_control(evidence):
        why = Said(f"at most {_EVIDENCE_LIMIT} characters, on one line", f"最多 {_EVIDENCE_LIMIT} 个字符，不能换行")
        wrong.append(Wrong("consents.evidence", why))
    return dict(consents)


def _tags(tags: Iterable[str], wrong: list[Wrong]) -> tuple[str, ...]:
    cleaned = tuple(dict.fromkeys(tag.strip() for tag in tags if tag.strip()))
    if any(len(tag) > _TAG_LIMIT or coerce.has_control(tag) for tag in cleaned):
        why = Said(f"a tag has at most {_TAG_LIMIT} characters, on one line", f"标签最多 {_TAG_LIMIT} 个字符，不能换行")
        wrong.append(Wrong("tags", why))
    return cleaned


def _timezone(name: str | None, wrong: list[Wrong]) -> str | None:
    if not name or not name.strip():
        return None
    try:
        return ZoneInfo(name.strip()).key
    except (KeyError, ValueError, OSError):
        why = Said("not a time zone; zones look like Asia/Shanghai", "时区写得不对；请写成 Asia/Shanghai 这样的名称")
        wrong.append(Wrong("timezone", why))
        return None


def _filled(values: Mapping[str, object]) -> dict[str, object]:
    """Without what is None or blank: an empty cell says nothing about a member."""
    return {
        key: raw for key, raw in values.items() if raw is not None and not (isinstance(raw, str) and not raw.strip())
    }


# --- words ------------------------------------------------------------------------------------------------------

# PIPL 14: whoever processes personal data has to be able to show the consent.
EVIDENCE_MISSING = Said(
    "say where this consent comes from, in `evidence`: a form, a contract, a call",
    "请在 evidence 里写明这份同意从哪里来：表单、合同、电话记录",
)

EXPECTED: Mapping[ValueType, Said] = {
    ValueType.TEXT: Said("this is not plain text, or it is too long", "这里应当是文字，且不能过长、不能带控制字符"),
    ValueType.NUMBER: Said("this is not a number, such as 128 or 1,280.50", "这里应当是数字，例如 128 或 1,280.50"),
    ValueType.BOOLEAN: Said("this is neither yes nor no", "这里应当是「是」或「否」"),
    ValueType.DATE: Said("this is not a date, such as 2026-11-23", "这里应当是日期，例如 2026-11-23"),
    ValueType.INSTANT: Said(
        "this is not a time, such as 2026-11-23T10:00:00+08:00", "这里应当是时间，例如 2026-11-23T10:00:00+08:00"
    ),
    ValueType.ANNIVERSARY: Said(
        "this is not a yearly date, such as 1990-05-12, 05-12 or 农历八月十五",
        "这里应当是周年日期，例如 1990-05-12、05-12 或 农历八月十五",
    ),
}


_PERSONAL = re.compile(r"\d{5}|@")


def _unknown(what_en: str, what_zh: str, name: str, known: Iterable[str]) -> Said:
    # In a shifted row anything may stand where a name should.
    shown = "…" if len(name) > 60 or _PERSONAL.search(name) else name
    close = difflib.get_close_matches(name, list(known), n=1)
    en = f"the catalog has no {what_en} “{shown}”"
    zh = f"目录里没有{what_zh}「{shown}」"
    return Said(f"{en}; did you mean “{close[0]}”?", f"{zh}；是不是「{close[0]}」？") if close else Said(en, zh)


def _recorded_by_us(event: str) -> Said:
    return Said(
        f"“{event}” is recorded by Engage itself, never reported to it", f"「{event}」由系统自己记录，不接受外部上报"
    )
