"""Everything an export reads, in id order and in one snapshot. What the columns are called here is what people see.

Ids are our own; `member` is the shop's. Rows are streamed: no export is held in memory whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, Table, select

from engage.core.catalog import RESPONSE_EVENTS, Catalog
from engage.store.ledger import whole, with_ledger
from engage.store.members import MemberRef, given_refs, profiles
from engage.store.statements.keys import in_given_keys
from engage.store.tables import (
    anniversary,
    answer,
    consent,
    contact_point,
    delivery,
    enrolment,
    event,
    member,
    tag,
    task,
)

BATCH = 500  # rows fetched at a time


def _select(table: Table, *columns: Any) -> Select[Any]:
    """With the shop's id of the member in front."""
    who = (table.c.bucket == member.c.bucket) & (table.c.member_id == member.c.id)
    head = (table.c.id, table.c.member_id, member.c.external_id.label("member"))
    return select(*head, *columns).select_from(table.outerjoin(member, who)).order_by(table.c.id)


def _place(table: Table) -> tuple[Any, ...]:
    """The step of a journey that a row belongs to."""
    return (table.c.enrolment_id, table.c.journey_id.label("journey"), table.c.step_id.label("step"))


ENROLMENTS = _select(
    enrolment,
    enrolment.c.journey_id.label("journey"),
    enrolment.c.version,
    enrolment.c.occurrence,
    enrolment.c.per_value,
    enrolment.c.holdout,
    enrolment.c.status,
    enrolment.c.end_kind,
    enrolment.c.end_reason,
    enrolment.c.entered_at,
    enrolment.c.ended_at,
    enrolment.c.step_id.label("step"),
    enrolment.c.visit,
    enrolment.c.step_started_at,
    enrolment.c.phase,
    enrolment.c.deadline_at,
    enrolment.c.due_at,
    enrolment.c.last_message_at,
    enrolment.c.goal_at,
    enrolment.c.goal_counts,
    enrolment.c.context,
)

_DELIVERIES = _select(
    delivery,
    *_place(delivery),
    delivery.c.version,
    delivery.c.visit,
    delivery.c.purpose,
    delivery.c.hop,
    delivery.c.message_key,
    delivery.c.topic,
    delivery.c.priority,
    delivery.c.channel,
    delivery.c.address,
    delivery.c.mode,
    delivery.c.template,
    delivery.c.status,
    delivery.c.reason,
    whole("text"),
    whole("payload"),
    delivery.c.payload_hash,
    delivery.c.provider_id,
    delivery.c.code,
    delivery.c.queued_at,
    delivery.c.due_at,
    delivery.c.late_at,
    delivery.c.first_sent_at,
    delivery.c.sent_at,
    delivery.c.arrival,
    delivery.c.arrival_at,
    delivery.c.attempts,
    delivery.c.segments,
    delivery.c.cost,
)
DELIVERIES = with_ledger(_DELIVERIES)

_EVENT_HEAD = (event.c.name.label("event"), event.c.at, event.c.channel, event.c.delivery_id, *_place(event))

EVENTS = _select(event, *_EVENT_HEAD, event.c.payload, event.c.dedupe_key.label("key"), event.c.recorded_at)

# What members did with one message, each tied to the delivery that it answers.
RESPONSES = _select(event, *_EVENT_HEAD, event.c.payload, event.c.recorded_at).where(
    event.c.delivery_id.is_not(None), event.c.name.in_(sorted(RESPONSE_EVENTS))
)

ANSWERS = _select(
    answer,
    *_place(answer),
    answer.c.visit,
    answer.c.delivery_id,
    answer.c.survey,
    answer.c.channel,
    answer.c.typed,
    answer.c.score,
    answer.c.choice,
    answer.c.comment,
    answer.c.answered_at,
    answer.c.comment_at,
    answer.c.corrected_at,
)

TASKS = _select(
    task,
    task.c.kind,
    task.c.team,
    task.c.words,
    task.c.urgent,
    task.c.opened_at,
    task.c.due_at,
    *_place(task),
    task.c.closed_at,
    task.c.closed_by,
    task.c.outcome,
)

_MEMBERS = select(member).order_by(member.c.id)


def stream(connection: Connection, query: Select[Any]) -> Iterator[Sequence[RowMapping]]:
    """A query's rows, a batch at a time."""
    return connection.execute(query, execution_options={"yield_per": BATCH}).mappings().partitions(BATCH)


@dataclass(frozen=True, slots=True)
class MemberRow:
    """One member with all that is known of them; `head` is their row of the table."""

    head: RowMapping
    values: Mapping[str, Any]
    anniversaries: Mapping[str, RowMapping]
    contact_points: Mapping[str, RowMapping]
    consents: Sequence[tuple[str, str, bool]]  # topic, channel, granted
    tags: Sequence[str]


def members(connection: Connection, catalog: Catalog, now: datetime) -> Iterator[MemberRow]:
    """A handful of queries for each batch, none for a single member. Computed fields over a window are as of `now`."""
    for heads in stream(connection, _MEMBERS):
        refs = [MemberRef(head["bucket"], head["id"]) for head in heads]
        known = profiles(connection, catalog, refs, now)
        days, points, consents, tags = (
            _by_member(connection, table, refs) for table in (anniversary, contact_point, consent, tag)
        )
        for head in heads:
            member_id = head["id"]
            yield MemberRow(
                head=head,
                values=known[member_id].values,
                anniversaries={row["field"]: row for row in days.get(member_id, ())},
                contact_points={row["channel"]: row for row in points.get(member_id, ())},
                consents=[(row["topic"], row["channel"], row["granted"]) for row in consents.get(member_id, ())],
                tags=[row["tag"] for row in tags.get(member_id, ())],
            )


def _by_member(connection: Connection, table: Table, refs: Sequence[MemberRef]) -> dict[int, list[RowMapping]]:
    found: dict[int, list[RowMapping]] = {}
    query = select(table).where(in_given_keys(table, "member_id")).order_by(*table.primary_key)
    for row in connection.execute(query, given_refs(refs)).mappings():
        found.setdefault(row["member_id"], []).append(row)
    return found
