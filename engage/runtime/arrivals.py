"""Reading what became of messages: receipts and clicks."""

from __future__ import annotations

from engage.core.delivery import Status
from engage.core.fact import Arrival, Clicked, Receipt
from engage.core.journey.model import Fallback
from engage.core.outcome import Failure
from engage.core.turn import Purpose
from engage.runtime import membership
from engage.runtime.addresses import mark_address
from engage.runtime.follow_up import after_failing, after_sending, fallback_of
from engage.runtime.membership import Refusal
from engage.runtime.reading import Reading
from engage.store import receiving
from engage.store.receiving import DeliveryRow


def receipt(reading: Reading, fact: Receipt) -> None:
    """A delivery receipt. It also settles a send whose outcome was unknown."""
    row = _delivery_of(reading, fact)
    if row is None or not receiving.note_arrival(reading.connection, row, fact.arrival, fact.code, fact.at):
        return
    match fact.arrival:
        case Arrival.DELIVERED:
            reading.about_delivery(row, "delivered", fact.at, f"delivered:{row.id}", {})
            if row.status is Status.AMBIGUOUS and row.purpose in (Purpose.SEND, Purpose.ASK):
                # Known to have gone out after all: now the next channel may be waited for.
                after_sending(reading.connection, _fallback(reading, row), row.member, row.id, reading.now)
        case Arrival.BOUNCED:
            reading.about_delivery(row, "bounced", fact.at, f"bounced:{row.id}", {"code": fact.code})
            _mark_address(reading, row, fact)
            if fact.failure is Failure.OPTED_OUT:
                how, key = f"the carrier refuses: {fact.code}", f"unsubscribed:{row.id}:all"
                membership.refuse(reading, Refusal(row.member, fact.channel, how, fact.at, key, about=row))
            after_failing(reading.connection, _fallback(reading, row), row.member, row.id, reading.now)
        case Arrival.DEFERRED:
            pass  # the provider still tries; nothing to do yet


def clicked(reading: Reading, fact: Clicked) -> None:
    """A link was opened. A scanner's visit stays in the inbox as it came and counts for nothing."""
    row = receiving.delivery_by_id(reading.connection, fact.delivery_id)
    if row is None or fact.machine:
        return
    receiving.prove_arrival(reading.connection, row, fact.at)
    if row.channel is not None:
        membership.touched(reading, row.member, row.channel, fact.at)
    reading.about_delivery(row, "clicked", fact.at, f"in:{reading.inbound_id}", {"link": fact.link})


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


def _delivery_of(reading: Reading, fact: Receipt) -> DeliveryRow | None:
    """None also where the receipt speaks of another address: bounces are mail, and anybody can write mail."""
    if fact.delivery_id is not None:
        row = receiving.delivery_by_id(reading.connection, fact.delivery_id)
    elif fact.provider_id is not None:
        row = receiving.delivery_by_provider_id(reading.connection, fact.channel, fact.provider_id)
    else:
        row = None
    if row is None or row.channel != fact.channel or fact.address not in (None, row.address):
        return None
    return row
