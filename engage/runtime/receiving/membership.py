"""Reading what members do about themselves: following, unfollowing, opting out. (What a shop gives: `roster`.)

Callbacks come late and out of order. Each fact counts as of its own time, so that any order of reading ends the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from engage.channels.contract import Window
from engage.core.fact import Act, Followed, OptedOut, Unfollowed
from engage.core.turn import Purpose
from engage.runtime.receiving.reading import Reading
from engage.store import dispatching, members, reaching, receiving
from engage.store.dispatching import NewMessage
from engage.store.members import MemberRef
from engage.store.receiving import DeliveryRow

# Above every journey: a confirmation is the last word on the matter.
_CONFIRM_PRIORITY = 100
_UNFOLLOWED = "unfollowed"


@dataclass(frozen=True, slots=True)
class Heard:
    """Somebody was heard from at an address."""

    channel: str
    address: str
    at: datetime
    inbound_id: int


def met(reading: Reading, heard: Sequence[Heard]) -> list[MemberRef]:
    """For each, the member at the address; somebody new where nobody is known."""
    known = _known_at(reading, heard)
    strangers: dict[tuple[str, str], Heard] = {}
    for each in heard:
        if (each.channel, each.address) not in known:
            strangers.setdefault((each.channel, each.address), each)
    if strangers:
        known |= zip(strangers, _create(reading, list(strangers.values())), strict=True)
    return [known[each.channel, each.address] for each in heard]


def _known_at(reading: Reading, heard: Sequence[Heard]) -> dict[tuple[str, str], MemberRef]:
    channels = sorted({each.channel for each in heard})
    return {
        (channel, address): ref
        for channel in channels
        for address, ref in members.find(
            reading.connection, channel, {each.address for each in heard if each.channel == channel}
        ).items()
    }


def _create(reading: Reading, strangers: Sequence[Heard]) -> list[MemberRef]:
    refs = members.create_all(reading.connection, reading.now, [(None, None)] * len(strangers))
    theirs = list(zip(refs, strangers, strict=True))
    reaching.put_contact_points(
        reading.connection, [(ref, each.channel, each.address, each.at) for ref, each in theirs]
    )
    reading.record(
        [
            reading.of(each.inbound_id).about_member(
                ref, "member_created", each.at, f"created:{ref.id}", each.channel, {}
            )
            for ref, each in theirs
        ]
    )
    return refs


Acted = tuple[MemberRef, str, Act, datetime]
"""Who, on which channel, what they did, and when."""


def acted(reading: Reading, ref: MemberRef, channel: str, act: Act, at: datetime) -> None:
    """The member did something on a channel: note when, and the reply window it opens there."""
    all_acted(reading, [(ref, channel, act, at)])


def all_acted(reading: Reading, acts: Sequence[Acted]) -> None:
    """The same of several members, one act of each."""
    reaching.note_inbound(reading.connection, [(ref, channel, at) for ref, channel, _, at in acts])
    points = reaching.contact_points(reading.connection, [ref for ref, *_ in acts])
    windows = []
    for ref, channel, act, at in acts:
        point = points.get((ref.id, channel))
        if point is None or channel not in reading.channels or _has_left_since(point, at):
            continue
        opened = reading.channels[channel].window_after(window_of(point), act, at)
        if opened is not None:
            windows.append((ref, channel, opened.act, opened.opened_at, opened.used))
    reaching.put_windows(reading.connection, windows)


def _has_left_since(point: reaching.PointRow, at: datetime) -> bool:
    """What was open then was closed when they unfollowed."""
    return bool(point["status"] == _UNFOLLOWED and point["status_at"] > at)


def window_of(point: reaching.PointRow) -> Window | None:
    """The reply window a contact point has open or had open last."""
    if point["window_act"] is None:
        return None
    return Window(Act(point["window_act"]), point["window_opened_at"], point["window_used"])


# --- following --------------------------------------------------------------------------------------------------


def followed(reading: Reading, fact: Followed) -> None:
    """Following grants `service` on that channel, and nothing more."""
    (ref,) = met(reading, [Heard(fact.channel, fact.address, fact.at, reading.inbound_id)])
    reaching.change_status(reading.connection, ref, fact.channel, "active", fact.at)
    topic = reading.applied.service_topic
    evidence = "followed the account"
    reaching.put_consent(reading.connection, ref, [topic], fact.channel, True, evidence, fact.at, own_word=True)
    acted(reading, ref, fact.channel, fact.act, fact.at)
    key = f"in:{reading.inbound_id}"
    told = {"scene": fact.scene}
    reading.record([reading.about_member(ref, f"{fact.channel}_followed", fact.at, key, fact.channel, told)])


def unfollowed(reading: Reading, fact: Unfollowed) -> None:
    """Nothing reaches them there until they follow again; the reply window they had is closed."""
    known = members.find(reading.connection, fact.channel, [fact.address]).get(fact.address)
    if known is None:
        return
    reaching.change_status(reading.connection, known, fact.channel, _UNFOLLOWED, fact.at)
    reaching.close_window(reading.connection, known, fact.channel, fact.at)
    name, key = f"{fact.channel}_unfollowed", f"in:{reading.inbound_id}"
    reading.record([reading.about_member(known, name, fact.at, key, fact.channel, {})])


# --- opting out -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Refusal:
    """A member's no to one topic, or to all that are not service, on one channel."""

    member: MemberRef
    channel: str
    how: str  # the evidence that is kept
    at: datetime
    key: str  # of the event: the same refusal told twice is one
    topic: str | None = None
    about: DeliveryRow | None = None  # the message it answers


def opted_out(reading: Reading, fact: OptedOut) -> None:
    """A refusal from a page, a mail client's one-click, or a complaint. It needs no confirmation message."""
    row = receiving.delivery_by_id(reading.connection, fact.delivery_id) if fact.delivery_id is not None else None
    if row is not None:
        key = f"unsubscribed:{row.id}:{fact.topic or 'all'}"
        refuse(reading, Refusal(row.member, fact.channel, fact.how, fact.at, key, fact.topic, row))
        return
    known = members.find(reading.connection, fact.channel, [fact.address or ""]).get(fact.address or "")
    if known is not None:
        refuse(reading, Refusal(known, fact.channel, fact.how, fact.at, f"in:{reading.inbound_id}", fact.topic))


def refuse(reading: Reading, no: Refusal) -> bool:
    """Record a refusal, and the event that it happened. False if all of it was refused before."""
    topics = [no.topic] if no.topic is not None else reading.applied.refusable_topics
    before = reaching.consents(reading.connection, [no.member])
    reaching.put_consent(reading.connection, no.member, topics, no.channel, False, no.how, no.at, own_word=True)
    told = {"channel": no.channel, "topic": no.topic}
    if no.about is not None:
        event = reading.about_delivery(no.about, "unsubscribed", no.at, no.key, told)
    else:
        event = reading.about_member(no.member, "unsubscribed", no.at, no.key, no.channel, told)
    reading.record([event])
    return any(before.get((no.member.id, name, no.channel)) is not False for name in topics)


def confirm_opt_out(reading: Reading, ref: MemberRef, channel: str) -> None:
    message = NewMessage(
        member=ref,
        key=f"confirm:{reading.inbound_id}",
        purpose=Purpose.CONFIRM,
        topic=reading.applied.service_topic,
        priority=_CONFIRM_PRIORITY,
        template="optout-confirm",
        due_at=reading.now,
        channel=channel,
    )
    dispatching.queue(reading.connection, [message], reading.now)
