"""Reading what the shop tells, by API or in a file: members and events. The bulk of what comes: a batch at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence

from engage.content.values import show_masked
from engage.core.fact import Happened, MemberGiven
from engage.runtime.batches import each_once
from engage.runtime.receiving.reading import Reading
from engage.store import events, members, reaching, tasks
from engage.store.events import NewEvent
from engage.store.inbound import Record
from engage.store.members import MemberRef
from engage.store.reaching import Consents
from engage.store.tasks import NewTask

_ADDRESS_WORDS = {"wechat": "微信", "sms": "手机号", "email": "邮箱"}

Entry = tuple[Record, MemberGiven]


def happened(reading: Reading, told: Sequence[tuple[Record, Happened]]) -> None:
    """Business events. The order may be told before the customer: kept for them, and nothing can be sent without a
    consent."""
    connection = reading.connection
    known = members.find(connection, members.MEMBER_KIND, {fact.member for _, fact in told})
    unknown = list(dict.fromkeys(fact.member for _, fact in told if fact.member not in known))
    created = members.create_all(connection, reading.now, [(member, None) for member in unknown])
    known |= dict(zip(unknown, created, strict=True))
    # The key the outside gave: the same order told by API and by file is one event.
    new = [
        NewEvent(known[fact.member], fact.event, fact.at, record.key, fact.payload, inbound_id=record.id)
        for record, fact in told
    ]
    events.record(connection, reading.applied.catalog, new, reading.now)


def given(reading: Reading, entries: Sequence[Entry]) -> None:
    """Members as the outside knows them: created, or brought up to date. Absent keys leave what is on file. The same
    member or address twice is read twice, in order."""
    for batch in each_once(entries, _keys):
        _write(reading, batch)


def _keys(entry: Entry) -> Iterator[Hashable]:
    _, fact = entry
    yield fact.member
    yield from fact.addresses.items()


def _write(reading: Reading, batch: Sequence[Entry]) -> None:
    connection, now = reading.connection, reading.now
    known = _known(reading, [fact for _, fact in batch])
    new = [fact for _, fact in batch if fact.member not in known]
    created = members.create_all(connection, now, [(fact.member, fact.timezone) for fact in new])
    refs = known | {fact.member: ref for fact, ref in zip(new, created, strict=True)}
    by_ref = {refs[fact.member]: fact for _, fact in batch}
    members.set_values(connection, reading.applied.catalog, {ref: fact.values for ref, fact in by_ref.items()}, now)
    _set_timezones(reading, by_ref)
    _put_addresses(reading, batch, refs)
    told = {ref: Consents(fact.consents, fact.evidence) for ref, fact in by_ref.items()}
    reaching.put_consents(connection, told, now, own_word=False)
    members.add_tags(connection, {ref: fact.tags for ref, fact in by_ref.items()}, now)
    told_of = [_event(entry, refs[entry[1].member], entry[1].member not in known) for entry in batch]
    events.record(connection, reading.applied.catalog, told_of, now)


def _known(reading: Reading, facts: Sequence[MemberGiven]) -> dict[str, MemberRef]:
    """By the shop's id; else somebody who came by a channel of their own and has no id yet."""
    connection = reading.connection
    known = members.find(connection, members.MEMBER_KIND, [fact.member for fact in facts])
    unknown = [fact for fact in facts if fact.member not in known]
    for fact, met in _met(reading, unknown):
        if fact.member not in known and members.external_id_of(connection, met) is None:
            members.name_member(connection, met, fact.member, reading.now)
            known[fact.member] = met
    return known


def _met(reading: Reading, facts: Sequence[MemberGiven]) -> list[tuple[MemberGiven, MemberRef]]:
    """Who stands at the addresses that are given for them."""
    asked: dict[str, list[str]] = defaultdict(list)
    for fact in facts:
        for channel, address in fact.addresses.items():
            asked[channel].append(address)
    found = {channel: members.find(reading.connection, channel, wanted) for channel, wanted in asked.items()}
    return [(fact, found[c][a]) for fact in facts for c, a in fact.addresses.items() if a in found[c]]


def _set_timezones(reading: Reading, by_ref: Mapping[MemberRef, MemberGiven]) -> None:
    zones: dict[str, list[MemberRef]] = defaultdict(list)
    for ref, fact in by_ref.items():
        if fact.timezone is not None:
            zones[fact.timezone].append(ref)
    for zone, refs in zones.items():
        members.set_timezone(reading.connection, refs, zone, reading.now)


def _put_addresses(reading: Reading, batch: Sequence[Entry], refs: Mapping[str, MemberRef]) -> None:
    points = [(refs[fact.member], c, address, fact.at) for _, fact in batch for c, address in fact.addresses.items()]
    taken = {(ref, channel) for ref, channel, _, _ in reaching.put_contact_points(reading.connection, points)}
    if not taken:
        return
    names = members.names_of(reading.connection, {ref for ref, _ in taken})
    unclear = [
        _ask_whose(record.id, ref, names.get(ref), fact.member, channel, address)
        for record, fact in batch
        for channel, address in fact.addresses.items()
        if ((ref := refs[fact.member]), channel) in taken
    ]
    tasks.open_all(reading.connection, unclear, reading.now)


def _ask_whose(
    inbound_id: int, ref: MemberRef, name: str | None, external_id: str, channel: str, address: str
) -> NewTask:
    """The shop gave an address that leads to another member. One person twice, or a number with a new owner: only a
    person can tell, and until then it stays where it was."""
    who = name or "一位会员"
    what = f"{_ADDRESS_WORDS.get(channel, channel)} {show_masked(address)} "
    words = (
        f"{who}（{external_id}）登记的{what}已经属于另一位会员，这次没有改动。请核实：是同一个人，还是地址换了主人？"
    )
    return NewTask(member=ref, key=f"address:{inbound_id}:{channel}", kind="inbox", team=None, words=words)


def _event(entry: Entry, ref: MemberRef, created: bool) -> NewEvent:
    record, fact = entry
    if created and fact.announce:
        return NewEvent(ref, "member_created", fact.at, f"created:{ref.id}", {}, inbound_id=record.id)
    name = "member_updated" if fact.announce else "member_imported"
    return NewEvent(ref, name, fact.at, f"in:{record.id}", {}, inbound_id=record.id)
