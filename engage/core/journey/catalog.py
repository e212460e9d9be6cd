"""`catalog.yaml` → `Catalog`: the fields, events, segments, topics and teams that journeys and templates may use."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from types import MappingProxyType
from zoneinfo import ZoneInfo

from engage.core.catalog import (
    MEMBER_EVENTS,
    RANK,
    RESPONSE_EVENTS,
    Aggregate,
    Brand,
    Catalog,
    Computed,
    Event,
    Field,
    Team,
    Topic,
    TopicClass,
    ranked_by,
)
from engage.core.condition import Condition, ValueType
from engage.core.journey import misfits, mistakes, scalars
from engage.core.journey.actions import field_value
from engage.core.journey.conditions import NOBODY, Scope, read_condition, read_event_name
from engage.core.journey.nodes import Entry, Listing, Node, Scalar, Table, read_nodes
from engage.core.journey.options import Options, is_empty, read_table, values_by_name
from engage.core.journey.vocabulary import nearest
from engage.core.problem import Problem, Said

DEFAULT_TIMEZONE = "Asia/Shanghai"
# What people call it.
_CHINA = re.compile(
    r"(?:Asia/)?(?:Beijing|Peking|China)|北京.*|上海.*|中国.*|(?:UTC|GMT)?\+0?8(?::?00)?|CST", re.IGNORECASE
)
_KEYS = ("brand", "timezone", "fields", "events", "segments", "topics", "teams", "webhooks")
_FIELD_TYPES = (ValueType.TEXT, ValueType.NUMBER, ValueType.BOOLEAN, ValueType.DATE, ValueType.ANNIVERSARY)
_PAYLOAD_TYPES = (ValueType.TEXT, ValueType.NUMBER, ValueType.BOOLEAN, ValueType.DATE)
# Words that begin a condition line or a dotted subject: a field of that name could never be tested.
_TAKEN = frozenset({"any", "all", "not", "tag", "segment", "did", "event", "var"})
_WEBHOOK = Said("the name of a webhook: its URL goes to config.yaml", "webhook 的名字，网址请写在 config.yaml 里")
_BUILT_IN: Mapping[str, Mapping[str, ValueType]] = {**MEMBER_EVENTS, **RESPONSE_EVENTS}


def read_catalog(source: str, file: str) -> tuple[Catalog | None, list[Problem]]:
    """None only if the file is not a mapping at all. Problems come in file order."""
    node, problems = read_nodes(source, file)
    table = None
    if node is not None:
        table = read_table(node, Said("the catalog", "目录"), problems, "brand: …")
    catalog = _read(table, problems) if table else None
    return catalog, mistakes.in_order(problems)


def _read(table: Table, problems: list[Problem]) -> Catalog:
    options = Options(table, _KEYS, Said("the catalog", "目录里"), problems)
    options.require("brand", table.entries[0].key.span if table.entries else table.span)
    events = _events(_section(options, "events"), problems)
    fields = _fields(_section(options, "fields"), events, problems)
    segments = Segments(_section(options, "segments"), fields, events, problems)
    return Catalog(
        brand=options.read("brand", _brand) or Brand("", "", {}),
        timezone=options.read("timezone", _timezone) or DEFAULT_TIMEZONE,
        fields=fields,
        events=events,
        segments=segments.all(),
        topics=_topics(_section(options, "topics"), problems),
        teams=_teams(_section(options, "teams"), problems),
        webhooks=options.read("webhooks", _names) or (),
    )


def _section(options: Options, key: str) -> tuple[Entry, ...]:
    """The entries of one section that have a usable name and a value."""
    table = options.read(
        key, lambda node, problems: read_table(node, mistakes.word(key), problems, f"{key}: {{ …: … }}")
    )
    usable = []
    for entry in table.entries if table else ():
        what = Said(f"a name in `{key}`", f"`{key}` 里的名字")
        if is_empty(entry.value):
            options.problems.append(mistakes.no_value(entry.key.span, entry.key.text))
            if key == "events":  # one that brings nothing is `{}`: what uses it is not wrong as well
                usable.append(Entry(entry.key, Table((), entry.value.span)))
        elif scalars.name(entry.key, what, options.problems):
            usable.append(entry)
    return tuple(usable)


# --- brand, timezone --------------------------------------------------------------------------------------------


def _brand(node: Node, problems: list[Problem]) -> Brand | None:
    table = read_table(node, mistakes.word("brand"), problems, "brand: { name: …, sms_sign: … }")
    if table is None:
        return None
    options = Options(table, ("name", "sms_sign", "links"), Said("`brand`", "`brand` 里"), problems)
    options.require("name", table.entries[0].key.span if table.entries else table.span)
    name = options.read("name", scalars.text) or ""
    links = options.read("links", _links) or {}
    return Brand(name, options.read("sms_sign", _sign) or name, MappingProxyType(dict(links)))


def _sign(node: Node, problems: list[Problem]) -> str | None:
    found = scalars.scalar(node, mistakes.word("sms_sign"), problems)
    if found is None:
        return None
    bare = found.text.strip("【】")
    if bare != found.text:
        said = Said("the platform puts 【】 around the signature itself", "签名两边的【】由平台加上")
        problems.append(mistakes.contradiction(found.span, said, Said(f"write {bare}", f"请写 {bare}")))
    return bare


def _links(node: Node, problems: list[Problem]) -> Mapping[str, str] | None:
    table = read_table(node, mistakes.word("links"), problems, "links: { shop: https://… }")
    return values_by_name(table, _link, problems) if table else None


def _link(node: Node, problems: list[Problem]) -> str | None:
    found = scalars.scalar(node, scalars.THIS, problems)
    if found is None or re.fullmatch(r"https?://[^\s/]\S*", found.text):
        return found.text if found else None
    wanted = Said("an address that starts with https://", "以 https:// 开头的网址")
    meant = f"https://{found.text}" if re.fullmatch(r"[\w.-]+\.[a-z]{2,}(?:/\S*)?", found.text) else None
    help = Said(f"write {meant}", f"请写 {meant}") if meant else None
    problems.append(mistakes.wrong_shape(found.span, Said("a link", "链接"), wanted, help))
    return None


def _timezone(node: Node, problems: list[Problem]) -> str | None:
    found = scalars.scalar(node, mistakes.word("timezone"), problems)
    if found is None:
        return None
    try:
        return ZoneInfo(found.text).key
    except (ValueError, OSError, KeyError):  # not a key at all, a directory of the zone database, an unknown key
        wanted = Said("a zone name like Asia/Shanghai", " Asia/Shanghai 这样的时区名")
        china = _CHINA.fullmatch(found.text)
        help = Said("write Asia/Shanghai", "请写 Asia/Shanghai") if china else None
        problems.append(mistakes.wrong_shape(found.span, mistakes.word("timezone"), wanted, help))
        return None


# --- events -----------------------------------------------------------------------------------------------------


def _events(entries: tuple[Entry, ...], problems: list[Problem]) -> Mapping[str, Event]:
    """Those of the file and those that Engage records itself. A file may add keys to the latter, not change them."""
    payloads = {name: dict(payload) for name, payload in _BUILT_IN.items()}
    for entry in entries:
        name = entry.key.text
        table = read_table(entry.value, Said("an event", "事件"), problems, "order_paid: { amount: number }")
        payload = payloads.setdefault(name, {})
        for key, type in values_by_name(table, _payload_type, problems).items() if table else ():
            if payload.setdefault(key, type) is not type and table:
                problems.append(_changed_key(table, name, key, payload[key]))
    return MappingProxyType({name: Event(name, MappingProxyType(payload)) for name, payload in payloads.items()})


def _changed_key(table: Table, event: str, key: str, type: ValueType) -> Problem:
    entry = table.entry(key)
    said = Said(f"Engage records `{event}` itself: `{key}` is {type}", f"`{event}` 由系统记录：`{key}` 是 {type}")
    return mistakes.contradiction(
        entry.value.span if entry else table.span, said, Said(f"write {type}", f"请写 {type}")
    )


def _payload_type(node: Node, problems: list[Problem]) -> ValueType | None:
    return _type(node, _PAYLOAD_TYPES, problems)


def _type(node: Node, allowed: tuple[ValueType, ...], problems: list[Problem]) -> ValueType | None:
    """Of a misspelt one the type that was probably meant, so that what uses it is not wrong as well."""
    found = scalars.scalar(node, Said("a type", "类型"), problems)
    if found is None:
        return None
    words = tuple(type.value for type in allowed)
    if found.text in words:
        return ValueType(found.text)
    problems.append(mistakes.not_one_of(found.span, found.text, Said("a type", "类型"), words))
    meant = nearest(found.text, words)
    return ValueType(meant) if meant else None


# --- fields -----------------------------------------------------------------------------------------------------


def _fields(entries: tuple[Entry, ...], events: Mapping[str, Event], problems: list[Problem]) -> Mapping[str, Field]:
    found: dict[str, Field] = {}
    for entry in entries:
        if entry.key.text in _TAKEN:
            why = Said("the word begins a condition", "这个词是条件的开头")
            other = f"{entry.key.text}_"
            help = Said(f"call it something else, e.g. {other}", f"请换一个名字，例如 {other}")
            problems.append(misfits.not_in_reach(entry.key.span, entry.key.text, why, help))
        elif field := _field(entry, events, problems):
            found[field.name] = field
    problems += [_taken_by_a_rank(entry, base) for entry in entries if (base := ranked_by(entry.key.text, found))]
    return MappingProxyType(found)


def _taken_by_a_rank(entry: Entry, base: Field) -> Problem:
    name = entry.key.text
    why = Said(f"it is the rank of `{base.name}` already", f"它已经是 `{base.name}` 的名次")
    return misfits.not_in_reach(
        entry.key.span, name, why, Said("give the field another name", "请给这个字段换一个名字")
    )


def _field(entry: Entry, events: Mapping[str, Event], problems: list[Problem]) -> Field | None:
    name, node = entry.key.text, entry.value
    if not isinstance(node, Table):
        return _plain_field(name, node, None, problems)
    aggregate = next((each for each in Aggregate if node.entry(each)), None)
    if aggregate:
        return _computed_field(name, node, aggregate, events, problems)
    if rank := node.entry("rank"):
        why = Said("every number field has its rank by itself", "每个数字字段本来就有名次")
        help = Said(f"write  spent{RANK}: ..20%  in a condition", f"直接在条件里写 spent{RANK}: ..20%")
        problems.append(misfits.not_in_reach(rank.key.span, "rank", why, help))
        return None
    if node.entries and not any(node.entry(word) for word in ("type", "default")):
        problems.append(_no_aggregate(node, name))
        return Field(name, ValueType.NUMBER)
    options = Options(node, ("type", "default"), Said(f"the field `{name}`", f"字段 `{name}` 里"), problems)
    options.require("type", entry.key.span)
    kind = options.node("type")
    return None if kind is None else _plain_field(name, kind, options.node("default"), problems)


def _no_aggregate(table: Table, name: str) -> Problem:
    """`{ avg: order_paid.amount }`. A number in any case: what uses the field is not wrong as well."""
    key = table.entries[0].key
    allowed = (*(each.value for each in Aggregate), "type")
    return mistakes.unknown_option(key.span, key.text, Said(f"the field `{name}`", f"字段 `{name}` 里"), allowed)


def _plain_field(name: str, kind: Node, default: Node | None, problems: list[Problem]) -> Field | None:
    if isinstance(kind, Listing):
        wanted = Said("a list of values", "一列取值")
        values = scalars.scalars(kind, mistakes.word(name), wanted, problems) or ()
        problems.extend(_listed_twice(values))
        field = Field(name, ValueType.TEXT, tuple(dict.fromkeys(value.text for value in values)))
    else:
        type = _type(kind, _FIELD_TYPES, problems)
        if type is None:
            return None
        field = Field(name, type)
    printed = scalars.scalar(default, mistakes.word("default"), problems) if default else None
    value = field_value(printed, field, problems) if printed else None
    return Field(name, field.type, field.values, value)


def _listed_twice(values: tuple[Scalar, ...]) -> Iterator[Problem]:
    seen: set[str] = set()
    for value in values:
        if value.text in seen:
            said = Said(f"“{value.text}” is listed twice", f"“{value.text}”列了两次")
            yield mistakes.contradiction(value.span, said, Said("each value once", "每个值只写一次"))
        seen.add(value.text)


def _computed_field(
    name: str, table: Table, aggregate: Aggregate, events: Mapping[str, Event], problems: list[Problem]
) -> Field:
    """Of its type in any case: what uses a field that is written wrong is not wrong as well."""
    type = ValueType.NUMBER if aggregate in (Aggregate.COUNT, Aggregate.SUM) else ValueType.INSTANT
    return Field(name, type, computed=_computed(name, table, aggregate, events, problems))


def _computed(
    name: str, table: Table, aggregate: Aggregate, events: Mapping[str, Event], problems: list[Problem]
) -> Computed | None:
    options = Options(table, (aggregate, "within"), Said(f"the field `{name}`", f"字段 `{name}` 里"), problems)
    within = options.read("within", scalars.duration)
    source = options.node(aggregate)
    if source is None:
        return None
    found = scalars.scalars(
        source, mistakes.word(aggregate), Said("an event, or a list", "一个事件或一列事件"), problems
    )
    if found is None:
        return None
    if aggregate is Aggregate.SUM:
        return _sum(found, within, events, problems)
    names = [read_event_name(item, events, problems) for item in found]
    counted = tuple(event for event in names if event is not None)
    return Computed(aggregate, counted, within=within) if counted else None


def _sum(
    found: tuple[Scalar, ...], within: timedelta | None, events: Mapping[str, Event], problems: list[Problem]
) -> Computed | None:
    item = found[0]
    event, dot, key = item.text.partition(".")
    if len(found) > 1 or not dot:
        wanted = Said("<event>.<number>, e.g. order_paid.amount", "<事件>.<数字>，例如 order_paid.amount")
        problems.append(mistakes.wrong_shape(item.span, mistakes.word("sum"), wanted))
        return None
    if event not in events:
        problems.append(misfits.unknown("event", item.part(0, len(event)), event, events))
        return None
    payload = events[event].payload
    if payload.get(key) is not ValueType.NUMBER:
        numbers = [one for one, type in payload.items() if type is ValueType.NUMBER]
        if key in payload:
            adds_up = " · ".join(f"{event}.{one}" for one in numbers) or None
            problems.append(misfits.wrong_type(item.span, item.text, payload[key], adds_up))
        else:
            problems.append(misfits.unknown_key(item.span, key, mistakes.word(event), numbers, origin=event))
        return None
    return Computed(Aggregate.SUM, (event,), key, within)


# --- segments ---------------------------------------------------------------------------------------------------


class Segments:
    """Segments may refer to each other in any order, so each is read when it is first asked for."""

    def __init__(
        self,
        entries: tuple[Entry, ...],
        fields: Mapping[str, Field],
        events: Mapping[str, Event],
        problems: list[Problem],
    ) -> None:
        self._nodes = {entry.key.text: entry.value for entry in entries}
        self._problems = problems
        self._read: dict[str, Condition] = {}
        self._reading: list[str] = []
        self._scope = Scope(fields=fields, events=events, segment=self._refer)

    def all(self) -> Mapping[str, Condition]:
        return MappingProxyType({name: self._condition(name) for name in self._nodes})

    def _refer(self, found: Scalar, problems: list[Problem]) -> Condition | None:
        name = found.text
        if name in self._reading:
            circle = [*self._reading[self._reading.index(name) :], name]
            problems.append(misfits.segment_circle(found.span, circle))
            return NOBODY
        if name not in self._nodes:
            problems.append(misfits.unknown("segment", found.span, name, self._nodes))
            return None
        return self._condition(name)

    def _condition(self, name: str) -> Condition:
        if name not in self._read:
            self._reading.append(name)
            self._read[name] = read_condition(self._nodes[name], self._scope, self._problems)
            self._reading.pop()
        return self._read[name]


# --- topics, teams, webhooks ------------------------------------------------------------------------------------


def _topics(entries: tuple[Entry, ...], problems: list[Problem]) -> Mapping[str, Topic]:
    found: dict[str, Topic] = {}
    for entry in entries:
        name = entry.key.text
        table = read_table(entry.value, Said("a topic", "主题"), problems, "survey: { class: marketing, label: … }")
        if table is None:
            continue
        options = Options(table, ("class", "label"), Said(f"the topic `{name}`", f"主题 `{name}` 里"), problems)
        options.require("class", entry.key.span)
        topic_class = options.read("class", _topic_class)
        label = options.read("label", scalars.text)
        # Of a class nobody can read: the one that asks for nothing, so that no message under it is wrong as well.
        found[name] = Topic(name, topic_class or TopicClass.SERVICE, label or name)
    return MappingProxyType(found)


def _topic_class(node: Node, problems: list[Problem]) -> TopicClass | None:
    return scalars.choice(node, TopicClass, Said("a legal class", "法律类别"), problems)


def _teams(entries: tuple[Entry, ...], problems: list[Problem]) -> Mapping[str, Team]:
    found: dict[str, Team] = {}
    for entry in entries:
        name = entry.key.text
        table = read_table(entry.value, Said("a team", "团队"), problems, f"{name}: {{ email: cs@example.com }}")
        if table is None:
            continue
        options = Options(table, ("webhook", "email"), Said(f"the team `{name}`", f"团队 `{name}` 里"), problems)
        found[name] = Team(name, options.read("webhook", _webhook), options.read("email", _address))
    return MappingProxyType(found)


def _address(node: Node, problems: list[Problem]) -> str | None:
    found = scalars.scalar(node, mistakes.word("email"), problems)
    """A faulty one, too: that nobody is told then need not be said."""
    found = scalars.scalar(node, mistakes.word("email"), problems)
    if found is not None and not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", found.text):
        wanted = Said("an address like cs@example.com", " cs@example.com 这样的邮箱地址")
        problems.append(mistakes.wrong_shape(found.span, mistakes.word("email"), wanted))
    return found.text if found is not None else None


def _webhook(node: Node, problems: list[Problem]) -> str | None:
    found = scalars.scalar(node, mistakes.word("webhook"), problems)
    if found is not None:
        scalars.name(found, _WEBHOOK, problems)
    return found.text if found is not None else None


def _names(node: Node, problems: list[Problem]) -> tuple[str, ...] | None:
    found = scalars.scalars(node, mistakes.word("webhooks"), Said("a list of names", "一列名字"), problems) or ()
    problems.extend(_listed_twice(found))
    return tuple(item.text for item in found if scalars.name(item, _WEBHOOK, problems))
