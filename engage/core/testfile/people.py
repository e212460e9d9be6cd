"""The members of a test file: how they can be reached, what is known of them, and what they have done before."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import available_timezones

from engage.core.catalog import Catalog
from engage.core.fact import Act
from engage.core.journey import misfits, scalars
from engage.core.journey import mistakes as form
from engage.core.journey.conditions import read_tags
from engage.core.journey.nodes import Entry, Listing, Node, Scalar, Table
from engage.core.journey.options import Options, read_table
from engage.core.journey.vocabulary import CHANNELS
from engage.core.problem import Problem, Said
from engage.core.testfile import mistakes
from engage.core.testfile.model import PastEvent, Person, Reach
from engage.core.testfile.moments import read_when
from engage.core.testfile.values import read_field, read_payload

WORDS = ("tags", "segments", "consent", "history", "timezone")
_SHAPES = {"sms": re.compile(r"\+?[0-9][0-9 -]{9,18}"), "email": re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")}
# What a member did in a chat last, and the reply window that opens (engage.channels.wechat.window).
_ACTS = {"last_message_at": Act.MESSAGE, "last_touch_at": Act.FOLLOW}


def read_person(name: Scalar, node: Node, catalog: Catalog, clock: datetime, problems: list[Problem]) -> Person | None:
    """One entry of `members`."""
    table = read_table(node, form.word(name.text), problems, f"{name.text}: {{ sms: yes, … }}")
    if table is None:
        return None
    own, fields = _sorted_out(table)
    options = Options(own, (*CHANNELS, *WORDS), Said("a member", "会员"), problems)
    values: dict[str, Any] = {} if "name" not in catalog.fields else {"name": name.text}
    for entry in fields:
        value = read_field(entry, catalog, clock, problems, also=(*CHANNELS, *WORDS))
        if value is not None:
            values[entry.key.text] = value
    reaches = {channel: _reach(options, channel, clock) for channel in CHANNELS if channel in options}
    return Person(
        name=name.text,
        span=name.span,
        reaches={channel: reach for channel, reach in reaches.items() if reach is not None},
        values=values,
        tags=options.read("tags", read_tags) or (),
        segments=options.read("segments", lambda node, found: _segments(node, catalog, found)) or (),
        segments_span=options.key_span("segments") if "segments" in options else None,
        consent=options.read("consent", lambda node, found: _consent(node, catalog, found)) or {},
        history=options.read("history", lambda node, found: _history(node, catalog, clock, found)) or (),
        timezone=options.read("timezone", _zone),
    )


def _sorted_out(table: Table) -> tuple[Table, list[Entry]]:
    """The words of test files, and the fields of the catalog."""
    words = (*CHANNELS, *WORDS)
    own = tuple(entry for entry in table.entries if entry.key.text in words)
    return Table(own, table.span), [entry for entry in table.entries if entry.key.text not in words]


# --- channels ---------------------------------------------------------------------------------------------------


def _reach(options: Options, channel: str, clock: datetime) -> Reach | None:
    """`yes`, `no`, an address, or `{ last_message_at: 30h ago }`."""
    node = options.node(channel)
    if isinstance(node, Table):
        return _chat(node, channel, clock, options.problems)
    found = scalars.scalar(node, form.word(channel), options.problems) if node is not None else None
    if found is None:
        return None
    truth = scalars.parse_yes_no(found.text)
    if truth is None:
        _tell_if_no_address(found, channel, options.problems)
        return Reach(address=found.text)
    return Reach() if truth else None


def _tell_if_no_address(found: Scalar, channel: str, problems: list[Problem]) -> None:
    """How it is written on the wire is the channel's business; here it must only look like an address."""
    shape = _SHAPES.get(channel)
    if shape is not None and not shape.fullmatch(found.text):
        problems.append(mistakes.not_an_address(found.span, found.text, channel))


def _chat(table: Table, channel: str, clock: datetime, problems: list[Problem]) -> Reach | None:
    options = Options(table, ("address", "followed", *_ACTS), Said(f"`{channel}`", f"`{channel}` 里"), problems)
    address = options.read("address", lambda node, found: _address(node, channel, found))
    followed = options.read("followed", scalars.yes_no)
    acts = {word: options.read(word, lambda node, found: read_when(node, clock, found)) for word in _ACTS}
    done = [(at, _ACTS[word]) for word, at in acts.items() if at is not None]
    last_at, last_act = max(done) if done else (None, None)
    return Reach(address, followed is not False, last_act, last_at)


def _address(node: Node, channel: str, problems: list[Problem]) -> str | None:
    found = scalars.scalar(node, form.word("address"), problems)
    if found is not None:
        _tell_if_no_address(found, channel, problems)
    return found.text if found is not None else None


# --- what is known ----------------------------------------------------------------------------------------------


def _segments(node: Node, catalog: Catalog, problems: list[Problem]) -> tuple[str, ...]:
    wanted = Said("a segment, or a list of segments", "一个人群或一列人群")
    found = scalars.scalars(node, form.word("segments"), wanted, problems) or ()
    for item in found:
        if item.text not in catalog.segments:
            problems.append(misfits.unknown("segment", item.span, item.text, catalog.segments))
    return tuple(item.text for item in found if item.text in catalog.segments)


def _consent(node: Node, catalog: Catalog, problems: list[Problem]) -> Mapping[tuple[str, str], bool]:
    """`no` · `{ marketing: no }` · `{ marketing: { sms: no } }`. What is not named is granted."""
    if isinstance(node, Scalar):
        given = scalars.yes_no(node, problems)
        return {} if given is None else {(topic, c): given for topic in catalog.topics for c in CHANNELS}
    table = read_table(node, form.word("consent"), problems, "consent: { marketing: no }")
    consents: dict[tuple[str, str], bool] = {}
    for entry in table.entries if table is not None else ():
        topic = entry.key.text
        if topic not in catalog.topics:
            problems.append(misfits.unknown("topic", entry.key.span, topic, catalog.topics))
        else:
            consents |= {(topic, channel): given for channel, given in _by_channel(entry.value, problems).items()}
    return consents


def _by_channel(node: Node, problems: list[Problem]) -> dict[str, bool]:
    if not isinstance(node, Table):
        given = scalars.yes_no(node, problems)
        return {} if given is None else dict.fromkeys(CHANNELS, given)
    options = Options(node, CHANNELS, Said("`consent`", "`consent` 里"), problems)
    read = {channel: options.read(channel, scalars.yes_no) for channel in CHANNELS}
    return {channel: given for channel, given in read.items() if given is not None}


def _zone(node: Node, problems: list[Problem]) -> str | None:
    found = scalars.scalar(node, form.word("timezone"), problems)
    if found is None or found.text in available_timezones():
        return found.text if found else None
    problems.append(mistakes.unknown_zone(found.span, found.text))
    return None


# --- what they did before ---------------------------------------------------------------------------------------


def _history(node: Node, catalog: Catalog, clock: datetime, problems: list[Problem]) -> tuple[PastEvent, ...]:
    """`[ { event: order_paid, at: 95d ago, amount: 268 } ]`."""
    if not isinstance(node, Listing):
        wanted = Said("a list of events", "一列事件")
        problems.append(form.wrong_shape(node.span, form.word("history"), wanted))
        return ()
    read = (_past_event(item, catalog, clock, problems) for item in node.items)
    return tuple(past for past in read if past is not None)


def _past_event(node: Node, catalog: Catalog, clock: datetime, problems: list[Problem]) -> PastEvent | None:
    table = read_table(node, form.word("history"), problems, "{ event: order_paid, at: 95d ago }")
    if table is None:
        return None
    event = table.get("event")
    found = scalars.scalar(event, form.word("event"), problems) if event is not None else None
    when = table.get("at")
    at = read_when(when, clock, problems) if when is not None else None
    for key in ("event", "at"):
        if table.get(key) is None:
            problems.append(form.required(table.span, key))
    if found is None or at is None:
        return None
    if at > clock and isinstance(when, Scalar):
        problems.append(mistakes.not_yet(when.span, when.text))
        return None
    if found.text not in catalog.events:
        problems.append(misfits.unknown("event", found.span, found.text, catalog.events))
        return None
    rest = [entry for entry in table.entries if entry.key.text not in ("event", "at")]
    return PastEvent(found.text, at, read_payload(rest, found.text, catalog, problems))
