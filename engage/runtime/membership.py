"""Reading facts about members themselves: given by the shop, following, unfollowing, opting out."""

from __future__ import annotations

from datetime import datetime

from engage.channels.contract import Window
from engage.core.advance import Purpose
from engage.core.fact import Act, Followed, MemberGiven, OptedOut, Unfollowed
from engage.runtime.reading import Reading
from engage.store import dispatching, members, receiving
from engage.store.dispatching import NewMessage
from engage.store.members import MemberRef

# Above every journey: a confirmation is the last word on the matter.
_CONFIRM_PRIORITY = 100


def given(reading: Reading, fact: MemberGiven) -> None:
    """A member as the outside knows them: created, or brought up to date. Absent keys leave what is on file."""
    ref, created = _find_or_create(reading, fact)
    members.set_values(reading.connection, reading.applied.catalog, ref, fact.values, reading.now)
    if fact.timezone is not None:
        members.set_timezone(reading.connection, ref, fact.timezone, reading.now)
    for channel, address in fact.addresses.items():
        members.put_contact_point(reading.connection, ref, channel, address, reading.now)
    for (topic, channel), granted in fact.consents.items():
        members.put_consent(
            reading.connection, ref, [topic], channel, granted, fact.evidence, reading.now, own_word=False
        )
    members.change_tags(reading.connection, ref, fact.tags, (), reading.now)
    if created and fact.announce:
        reading.about_member(ref, "member_created", fact.at, f"created:{ref.id}", None, {})
    else:
        name = "member_updated" if fact.announce else "member_imported"
        reading.about_member(ref, name, fact.at, f"in:{reading.inbound_id}", None, {})


def _find_or_create(reading: Reading, fact: MemberGiven) -> tuple[MemberRef, bool]:
    """By the shop's id; else somebody who came by a channel of their own and has no id yet; else somebody new."""
    known = members.find(reading.connection, members.MEMBER_KIND, [fact.member]).get(fact.member)
    if known is not None:
        return known, False
    for channel, address in fact.addresses.items():
        met = members.find(reading.connection, channel, [address]).get(address)
        if met is not None and members.external_id_of(reading.connection, met) is None:
            members.name_member(reading.connection, met, fact.member, reading.now)
            return met, False
    return members.create(reading.connection, reading.now, fact.member, fact.timezone), True


def met(reading: Reading, channel: str, address: str, at: datetime) -> tuple[MemberRef, bool]:
    """The member at this address; somebody new if nobody is known there."""
    known = members.find(reading.connection, channel, [address]).get(address)
    if known is not None:
        return known, False
    ref = members.create(reading.connection, reading.now, None, None)
    members.put_contact_point(reading.connection, ref, channel, address, reading.now)
    reading.about_member(ref, "member_created", at, f"created:{ref.id}", channel, {})
    return ref, True


def acted(reading: Reading, ref: MemberRef, channel: str, act: Act, at: datetime) -> None:
    """The member did something on a channel: note when, and the reply window it opens there."""
    point = members.contact_points(reading.connection, [ref]).get((ref.id, channel))
    if point is None:
        return
    window = window_of(point)
    opened = reading.channels[channel].window_after(window, act, at) if channel in reading.channels else None
    changes: dict[str, object] = {"last_inbound_at": max(at, point["last_inbound_at"] or at)}
    if opened is not None:
        changes |= {"window_act": opened.act, "window_opened_at": opened.opened_at, "window_used": opened.used}
    members.change_contact_point(reading.connection, ref, channel, **changes)


def touched(reading: Reading, ref: MemberRef, channel: str, at: datetime) -> None:
    """The member did something with a message of this channel, outside its chat: no reply window opens."""
    members.change_contact_point(reading.connection, ref, channel, last_inbound_at=at)


def window_of(point: members.PointRow) -> Window | None:
    """The reply window a contact point has open or had open last."""
    if point["window_act"] is None:
        return None
    return Window(Act(point["window_act"]), point["window_opened_at"], point["window_used"])


# --- following --------------------------------------------------------------------------------------------------


def followed(reading: Reading, fact: Followed) -> None:
    """Following grants `service` on that channel, and nothing more."""
    ref, _ = met(reading, fact.channel, fact.address, fact.at)
    active = {"status": "active", "status_at": fact.at}
    members.change_contact_point(reading.connection, ref, fact.channel, **active)
    topic = reading.applied.service_topic
    evidence = "followed the account"
    members.put_consent(reading.connection, ref, [topic], fact.channel, True, evidence, fact.at, own_word=True)
    acted(reading, ref, fact.channel, fact.act, fact.at)
    key = f"in:{reading.inbound_id}"
    reading.about_member(ref, f"{fact.channel}_followed", fact.at, key, fact.channel, {"scene": fact.scene})


def unfollowed(reading: Reading, fact: Unfollowed) -> None:
    known = members.find(reading.connection, fact.channel, [fact.address]).get(fact.address)
    if known is None:
        return
    gone = {"status": "unfollowed", "status_at": fact.at, "window_act": None, "window_opened_at": None}
    members.change_contact_point(reading.connection, known, fact.channel, **gone)
    reading.about_member(known, f"{fact.channel}_unfollowed", fact.at, f"in:{reading.inbound_id}", fact.channel, {})


# --- opting out -------------------------------------------------------------------------------------------------


def opted_out(reading: Reading, fact: OptedOut) -> None:
    """A refusal from a page, a mail client's one-click, or a complaint. It needs no confirmation message."""
    row = receiving.delivery_by_id(reading.connection, fact.delivery_id) if fact.delivery_id is not None else None
    refused = {"channel": fact.channel, "topic": fact.topic}
    if row is not None:
        refuse(reading, row.member, fact.channel, fact.how, fact.at, fact.topic)
        key = f"unsubscribed:{row.id}:{fact.topic or 'all'}"
        reading.about_delivery(row, "unsubscribed", fact.at, key, refused)
        return
    known = members.find(reading.connection, fact.channel, [fact.address or ""]).get(fact.address or "")
    if known is not None:
        refuse(reading, known, fact.channel, fact.how, fact.at, fact.topic)
        key = f"in:{reading.inbound_id}"
        reading.about_member(known, "unsubscribed", fact.at, key, fact.channel, refused)


def refuse(reading: Reading, ref: MemberRef, channel: str, how: str, at: datetime, topic: str | None = None) -> bool:
    """Record the refusal of one topic, or of all that are not service. False if all were refused before."""
    topics = [topic] if topic is not None else reading.applied.refusable_topics
    before = members.consents(reading.connection, [ref])
    members.put_consent(reading.connection, ref, topics, channel, False, how, at, own_word=True)
    return any(before.get((ref.id, name, channel)) is not False for name in topics)


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
