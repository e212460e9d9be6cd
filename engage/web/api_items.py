"""The shape of the API's items: JSON → what `core.intake` checks against the catalog. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from engage.core import coerce, intake
from engage.core.catalog import Catalog
from engage.core.condition import ValueType
from engage.core.fact import Happened, MemberGiven
from engage.core.intake import Wrong
from engage.core.problem import Said
from engage.core.report_key import member_key

# Clocks differ by minutes, not by more: an order dated next year would count as recent until then.
_AHEAD_AT_MOST = timedelta(days=1)

_EVENT_KEYS = ("id", "member", "event", "at", "data")
_MEMBER_KEYS = ("member", "fields", "addresses", "consents", "tags", "timezone")
_CONSENT_KEYS = ("topic", "channel", "granted", "evidence")


@dataclass(frozen=True, slots=True)
class Intake:
    """A fact, and its key: the id the shop gave an event; what is said of a member."""

    key: str
    fact: Happened | MemberGiven


def read_event(catalog: Catalog, item: object, now: datetime) -> Intake | list[Wrong]:
    """`{"id", "member", "event", "at", "data"}`; without `at` it happened now."""
    reader = _Reader(item, _EVENT_KEYS)
    key = reader.text("id")
    at = _at(reader, catalog, now)
    data = reader.mapping("data")
    read = intake.happened(catalog, member=reader.text("member"), event=reader.text("event"), at=at, data=data)
    wrong = [*reader.wrong, *_event_id(key), *(read if isinstance(read, list) else [])]
    return Intake(key, read) if isinstance(read, Happened) and not wrong else wrong


def read_member(catalog: Catalog, item: object, now: datetime) -> Intake | list[Wrong]:
    """`{"member", "fields", "addresses", "consents", "tags", "timezone"}`: all but `member` may be absent."""
    reader = _Reader(item, _MEMBER_KEYS)
    consents, evidence = _consents(reader)
    read = intake.member_given(
        catalog,
        member=reader.text("member"),
        fields=reader.mapping("fields"),
        addresses=_addresses(reader),
        consents=consents,
        tags=_tags(reader),
        timezone=reader.text("timezone"),
        at=now,
        evidence=evidence,
    )
    wrong = [*reader.wrong, *(read if isinstance(read, list) else [])]
    return Intake(member_key(read), read) if isinstance(read, MemberGiven) and not wrong else wrong


class _Reader:
    """Takes an item apart; what has the wrong shape is noted, and read as absent."""

    def __init__(self, item: object, keys: tuple[str, ...], where: str = "") -> None:
        self.wrong: list[Wrong] = []
        self._where = where
        self._item: Mapping[str, Any] = item if isinstance(item, Mapping) else {}
        if not isinstance(item, Mapping):
            self.refuse("", Said("this is not a JSON object", "这里应当是一个 JSON 对象"))
        for key in self._item.keys() - set(keys):
            self.refuse(key, _unknown_key(key, keys))

    def text(self, key: str) -> str:
        """Numbers are taken as they are written: many shops have numeric ids."""
        value = self._item.get(key)
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        if value is not None and not isinstance(value, str):
            self.refuse(key, Said("this is not text", "这里应当是文字"))
        return value if isinstance(value, str) else ""

    def mapping(self, key: str) -> Mapping[str, Any]:
        value = self._item.get(key)
        if value is not None and not isinstance(value, Mapping):
            self.refuse(key, Said("this is not a JSON object", "这里应当是一个 JSON 对象"))
        return value if isinstance(value, Mapping) else {}

    def items(self, key: str) -> list[Any]:
        value = self._item.get(key)
        if value is not None and not isinstance(value, list):
            self.refuse(key, Said("this is not a list", "这里应当是一个列表"))
        return value if isinstance(value, list) else []

    def flag(self, key: str) -> bool:
        value = self._item.get(key)
        if not isinstance(value, bool):
            self.refuse(key, Said("this must be true or false", "这里应当是 true 或 false"))
        return value is True

    def raw(self, key: str) -> Any:
        return self._item.get(key)

    def refuse(self, key: str, why: Said) -> None:
        self.wrong.append(Wrong(".".join(part for part in (self._where, key) if part) or "item", why))


def _event_id(key: str) -> list[Wrong]:
    if not key.strip():
        why = Said(
            "the event's own id is missing: it makes a repeated report harmless",
            "缺少事件编号：有了它，重复上报才不会重复计算",
        )
        return [Wrong("id", why)]
    if len(key) > intake.ID_LIMIT or coerce.has_control(key):
        why = Said(
            f"an id has at most {intake.ID_LIMIT} characters, on one line",
            f"编号最多 {intake.ID_LIMIT} 个字符，不能换行",
        )
        return [Wrong("id", why)]
    return []


def _at(reader: _Reader, catalog: Catalog, now: datetime) -> datetime:
    raw = reader.raw("at")
    if raw is None:
        return now
    at = coerce.read_moment(raw, ZoneInfo(catalog.timezone)) if isinstance(raw, str) else None
    if at is None:
        reader.refuse("at", intake.EXPECTED[ValueType.INSTANT])
    elif at > now + _AHEAD_AT_MOST:
        reader.refuse("at", Said("this lies in the future", "这个时间还没有到"))
    return at or now


def _addresses(reader: _Reader) -> dict[str, str]:
    addresses = {}
    for channel, value in reader.mapping("addresses").items():
        if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
            addresses[channel] = str(value)
        elif value is not None:
            reader.refuse(f"addresses.{channel}", Said("this is not text", "这里应当是文字"))
    return addresses


def _tags(reader: _Reader) -> list[str]:
    tags = reader.items("tags")
    if not all(isinstance(tag, str) for tag in tags):
        reader.refuse("tags", Said("tags are a list of words", "标签应当是一组文字"))
        return []
    return tags


def _consents(reader: _Reader) -> tuple[dict[tuple[str, str], bool], str]:
    """The consents, and all the evidence given for them."""
    consents: dict[tuple[str, str], bool] = {}
    evidence: dict[str, None] = {}  # in order, each once
    for index, item in enumerate(reader.items("consents")):
        one = _Reader(item, _CONSENT_KEYS, f"consents.{index}")
        granted, proof = one.flag("granted"), one.text("evidence").strip()
        if granted and not proof:
            one.refuse("evidence", intake.EVIDENCE_MISSING)
        consents[(one.text("topic"), one.text("channel"))] = granted
        evidence.update({proof: None} if proof else {})
        reader.wrong.extend(one.wrong)
    return consents, "; ".join(evidence)


def _unknown_key(key: str, known: tuple[str, ...]) -> Said:
    shown = key[:60]
    close = difflib.get_close_matches(shown, known, n=1)
    if close:
        return Said(f"unknown key; did you mean “{close[0]}”?", f"没有这个键；是不是「{close[0]}」？")
    listed = ", ".join(known)
    return Said(f"unknown key; known are {listed}", f"没有这个键；可用的有 {listed}")
