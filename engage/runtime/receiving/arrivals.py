"""Reading what became of messages: receipts and clicks. One or two come for each message that goes out, so they are
read a batch at a time; what follows from a few of them (a bounce, a send that is settled at last) is done one by one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from engage.core.delivery import Status
from engage.core.fact import Arrival, Clicked, Receipt
from engage.core.journey.model import Fallback
from engage.core.outcome import Failure
from engage.core.turn import Purpose
from engage.runtime.dispatching.addresses import mark_address
from engage.runtime.dispatching.follow_up import after_failing, after_sending, fallback_of
from engage.runtime.receiving import membership
from engage.runtime.receiving.membership import Refusal
from engage.runtime.receiving.reading import Reading
from engage.store import inbound, reaching, receiving
from engage.store.events import NewEvent
from engage.store.inbound import Record
from engage.store.members import MemberRef
from engage.store.receiving import DeliveryRow, Told


@dataclass(frozen=True, slots=True)
class _About:
    """A fact with the delivery that it is about."""

    record: Record
    fact: Receipt | Clicked
    row: DeliveryRow


_News = tuple[_About, DeliveryRow | None]  # with the delivery as it was until then; None: it is no news of that


def read(reading: Reading, told: Sequence[tuple[Record, Receipt | Clicked]]) -> None:
    """A receipt counts if it is news, a click however often. Either settles a send whose outcome was unknown."""
    connection = reading.connection
    known = list(_with_their_deliveries(reading, told))
    before = receiving.note_arrivals(connection, [_told(each) for each in known])
    news = [(about, was) for about, was in zip(known, before, strict=True) if _counts(about, was)]
    clicks = [about for about, _ in news if isinstance(about.fact, Clicked)]
    reaching.note_inbound(
        connection, [(each.row.member, each.row.channel, each.fact.at) for each in clicks if each.row.channel]
    )
    for stretch in _until_somebody_refused(news):
        responses = [new for about, _ in stretch if (new := _response(reading.of(about.record.id), about)) is not None]
        reading.record(responses)
        for about, was in stretch:
            if isinstance(about.fact, Receipt) and was is not None:
                _follow_up(reading.of(about.record.id), about.fact, was)


def _until_somebody_refused(news: Iterable[_News]) -> Iterator[list[_News]]:
    """A refusal is an event as well. What comes of the same member after it is recorded after it."""
    stretch: list[_News] = []
    refused: set[MemberRef] = set()
    for about, was in news:
        if about.row.member in refused:
            yield stretch
            stretch, refused = [], set()
        stretch.append((about, was))
        if isinstance(about.fact, Receipt) and about.fact.failure is Failure.OPTED_OUT:
            refused.add(about.row.member)
    yield stretch


def _told(about: _About) -> Told:
    match about.fact:
        case Receipt(arrival=arrival, at=at, code=code):
            return Told(about.row, arrival, at, code)
        case Clicked(at=at):
            return Told(about.row, Arrival.DELIVERED, at, proof=True)


def _counts(about: _About, was: DeliveryRow | None) -> bool:
    return was is not None or isinstance(about.fact, Clicked)


def _response(reading: Reading, about: _About) -> NewEvent | None:
    """A provider that still tries has no news for a journey."""
    row = about.row
    match about.fact:
        case Clicked(at=at, link=link):
            return reading.about_delivery(row, "clicked", at, f"in:{reading.inbound_id}", {"link": link})
        case Receipt(arrival=Arrival.DELIVERED, at=at):
            return reading.about_delivery(row, "delivered", at, f"delivered:{row.id}", {})
        case Receipt(arrival=Arrival.BOUNCED, at=at, code=code):
            return reading.about_delivery(row, "bounced", at, f"bounced:{row.id}", {"code": code})
        case Receipt():
            return None


# --- what follows -----------------------------------------------------------------------------------------------


def _follow_up(reading: Reading, fact: Receipt, row: DeliveryRow) -> None:
    """`row`: as it was until this receipt."""
    match fact.arrival:
        case Arrival.BOUNCED:
            _bounced(reading, fact, row)
        case Arrival.DELIVERED if row.status is Status.AMBIGUOUS and row.purpose in (Purpose.SEND, Purpose.ASK):
            # Known to have gone out after all: now the next channel may be waited for.
            after_sending(reading.connection, _fallback(reading, row), row.member, row.id, reading.now)
        case _:
            pass


def _bounced(reading: Reading, fact: Receipt, row: DeliveryRow) -> None:
    _mark_address(reading, row, fact)
    if fact.failure is Failure.OPTED_OUT:
        how, key = f"the carrier refuses: {fact.code}", f"unsubscribed:{row.id}:all"
        membership.refuse(reading, Refusal(row.member, fact.channel, how, fact.at, key, about=row))
    after_failing(reading.connection, _fallback(reading, row), row.member, row.id, reading.now)


def _mark_address(reading: Reading, row: DeliveryRow, fact: Receipt) -> None:
    if fact.failure is not None and row.address is not None:
        mark_address(
            reading.connection,
            row.member,
            fact.channel,
            row.address,
            fact.failure,
            fact.code,
            at=fact.at,
            now=reading.now,
        )


def _fallback(reading: Reading, row: DeliveryRow) -> Fallback | None:
    return fallback_of(reading.applied, row.journey_id, row.step_id, row.pinned_version)


# --- which message ----------------------------------------------------------------------------------------------


def _with_their_deliveries(reading: Reading, told: Sequence[tuple[Record, Receipt | Clicked]]) -> Iterator[_About]:
    """Without what is about no message of ours; without a scanner's visits, which stay in the inbox as they came. A
    receipt may be quicker than our own record of the provider's id: it is laid by until then."""
    facts = [fact for _, fact in told]
    by_id = receiving.deliveries_by_id(reading.connection, {f.delivery_id for f in facts if f.delivery_id is not None})
    early: list[tuple[int, str, str]] = []
    by_provider = _by_provider_id(reading, [f for f in facts if isinstance(f, Receipt) and f.delivery_id is None])
    for record, fact in told:
        match fact:
            case Clicked(delivery_id=delivery_id, machine=machine):
                row = by_id.get(delivery_id) if not machine else None
            case Receipt(delivery_id=None, channel=channel, provider_id=provider_id):
                row = by_provider.get((channel, provider_id or ""))
            case Receipt(delivery_id=int(delivery_id)):
                row = by_id.get(delivery_id)
        if row is None and isinstance(fact, Receipt) and fact.delivery_id is None and fact.provider_id is not None:
            early.append((record.id, fact.channel, fact.provider_id))
        if row is not None and (isinstance(fact, Clicked) or _fits(fact, row)):
            yield _About(record, fact, row)
    inbound.lay_by(reading.connection, early)


_Named = dict[tuple[str, str], DeliveryRow]  # by channel and the provider's id


def _by_provider_id(reading: Reading, facts: Sequence[Receipt]) -> _Named:
    """What is not found may be on its way to the database at this moment: then it is waited for."""
    found = _on_record(reading, facts)
    unknown = [fact for fact in facts if fact.provider_id and (fact.channel, fact.provider_id) not in found]
    if not unknown:
        return found
    inbound.begin_laying_by(reading.connection)
    return found | _on_record(reading, unknown)


def _on_record(reading: Reading, facts: Iterable[Receipt]) -> _Named:
    asked: dict[str, set[str]] = defaultdict(set)
    for fact in facts:
        if fact.provider_id is not None:
            asked[fact.channel].add(fact.provider_id)
    return {
        (channel, row.provider_id or ""): row
        for channel, wanted in asked.items()
        for row in receiving.deliveries_by_provider_id(reading.connection, channel, wanted)
    }


def _fits(fact: Receipt, row: DeliveryRow) -> bool:
    """Not where the receipt speaks of another address: one that a mail was forwarded to, say."""
    return row.channel == fact.channel and fact.address in (None, row.address)
