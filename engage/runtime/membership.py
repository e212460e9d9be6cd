"""Reading what members do about themselves: following, unfollowing, opting out. (What a shop gives: `roster`.)

Callbacks come late and out of order. Each fact counts as of its own time, so that any order of reading ends the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from engage.channels.contract import Window
from engage.core.fact import Act, Followed, OptedOut, Unfollowed
from engage.core.turn import Purpose
from engage.runtime.reading import Reading
from engage.store import dispatching, members, reaching, receiving
from engage.store.dispatching import NewMessage
from engage.store.members import MemberRef
from engage.store.receiving import DeliveryRow

# Above every journey: a confirmation is the last word on the matter.
_CONFIRM_PRIORITY = 100
_UNFOLLOWED = "unfollowed"


def met(reading: Reading, channel: str, address: str, at: datetime) -> tuple[MemberRef, bool]:
    """The member at this address; somebody new if nobody is known there."""
    known = members.find(reading.connection, channel, [address]).get(address)
    if known is not None:
        return known, False
    ref = members.create(reading.connection, reading.now, None, None)
    reaching.put_contact_point(reading.connection, ref, channel, address, at)
    reading.about_member(ref, "member_created", at, f"created:{ref.id}", channel, {})
    return ref, True


def acted(reading: Reading, ref: MemberRef, channel: str, act: Act, at: datetime) -> None:
    """The member did something on a channel: note when, and the reply window it opens there."""
    touched(reading, ref, channel, at)
    point = reaching.contact_points(reading.connection, [ref]).get((ref.id, channel))
    if point is None or channel not in reading.channels or _has_left_since(point, at):
        return
    opened = reading.channels[channel].window_after(window_of(point), act, at)
    if opened is not None:
        window = {"window_act": opened.act, "window_opened_at": opened.opened_at, "window_used": opened.used}
        reaching.change_contact_point(reading.connection, ref, channel, **window)


def _has_left_since(point: reaching.PointRow, at: datetime) -> bool:
    """What was open then was closed when they unfollowed."""
    return bool(point["status"] == _UNFOLLOWED and point["status_at"] > at)


def touched(reading: Reading, ref: MemberRef, channel: str, at: datetime) -> None:
    """The member did something with a message of this channel, outside its chat: no reply window opens."""
    reaching.note_inbound(reading.connection, [(ref, channel, at)])


def window_of(point: reaching.PointRow) -> Window | None:
    """The reply window a contact point has open or had open last."""
    if point["window_act"] is None:
        return None
    return Window(Act(point["window_act"]), point["window_opened_at"], point["window_used"])


# --- following --------------------------------------------------------------------------------------------------


def followed(reading: Reading, fact: Followed) -> None:
    """Following grants `service` on that channel, and nothing more."""
    ref, _ = met(reading, fact.channel, fact.address, fact.at)
    reaching.change_status(reading.connection, ref, fact.channel, "active", fact.at)
    topic = reading.applied.service_topic
    evidence = "followed the account"
    reaching.put_consent(reading.connection, ref, [topic], fact.channel, True, evidence, fact.at, own_word=True)
    acted(reading, ref, fact.channel, fact.act, fact.at)
    key = f"in:{reading.inbound_id}"
    reading.about_member(ref, f"{fact.channel}_followed", fact.at, key, fact.channel, {"scene": fact.scene})


def unfollowed(reading: Reading, fact: Unfollowed) -> None:
    """Nothing reaches them there until they follow again; the reply window they had is closed."""
    known = members.find(reading.connection, fact.channel, [fact.address]).get(fact.address)
    if known is None:
        return
    reaching.change_status(reading.connection, known, fact.channel, _UNFOLLOWED, fact.at)
    reaching.close_window(reading.connection, known, fact.channel, fact.at)
    reading.about_member(known, f"{fact.channel}_unfollowed", fact.at, f"in:{reading.inbound_id}", fact.channel, {})


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
        reading.about_delivery(no.about, "unsubscribed", no.at, no.key, told)
    else:
        reading.about_member(no.member, "unsubscribed", no.at, no.key, no.channel, told)
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
