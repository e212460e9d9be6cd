"""The schema, as SQLAlchemy Core tables. Alembic owns how a database gets there; a test holds that both agree.

`bucket` (crc32(member id) & 255) is in every member-owned key, which lets the same schema and statements run on Citus.
It comes second, after the id that it is made of or that goes with it: ids grow, so what is new stands side by side at
the end of each index. If it led, a batch of 500 runs would write to 256 places in each. Times are UTC. Tables that
belong to no member have none.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Dialect,
    Double,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB


class Instant(TypeDecorator[datetime]):
    """An aware moment in Python; `timestamptz` on PostgreSQL, text in UTC on SQLite. Refuses naive values.

    It reads and writes by itself: there are several in every row of a hot path.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[datetime | None], Any]:
        write = moment_in_text(dialect) if dialect.name == "sqlite" else _aware
        return lambda value: None if value is None else write(value)

    def result_processor(self, dialect: Dialect, coltype: Any) -> Callable[[str | None], datetime | None] | None:
        # PostgreSQL's driver returns aware moments, in the zone of its session: UTC.
        return _moment_on_sqlite if dialect.name == "sqlite" else None


def moment_in_text(dialect: Dialect) -> Callable[[datetime], str]:
    """How a moment is written into a text that this database reads as one."""
    return _text_on_sqlite if dialect.name == "sqlite" else lambda value: _aware(value).isoformat()


def _aware(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError(f"a naive datetime reached the database: {value!r}")
    return value


def _text_on_sqlite(value: datetime) -> str:
    """Moments are compared as text there: all have microseconds, none a zone."""
    return _aware(value).astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")


def _moment_on_sqlite(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text).replace(tzinfo=UTC)


# None is NULL, as in any other column.
Json = JSON(none_as_null=True)
# What conditions look into. Other JSON stays text on PostgreSQL as well: `jsonb` reorders keys, and a message that is
# repeated is repeated byte by byte.
SearchedJson = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


BUCKETS = 256


def bucket_of(member_id: int) -> int:
    """Fixed for ever: changing it would orphan every row."""
    return zlib.crc32(str(member_id).encode()) & (BUCKETS - 1)


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _bucket() -> Column[int]:
    return Column("bucket", SmallInteger, nullable=False)


def _owned_id() -> Column[int]:
    return Column("id", BigInteger, nullable=False)


def _partial(name: str | None, *columns: str, where: str) -> Index:
    """An index of those rows alone. A query that means to use it says the same words, see `IS_LIVE` and the others."""
    return Index(name, *columns, sqlite_where=text(where), postgresql_where=text(where))


# SQLite keeps such rows in the order of their key: one page to read instead of an index's and the row's, and what is
# known of a member side by side. For small rows alone, of which many share a page (https://sqlite.org/withoutrowid.html
# advises a twentieth of one each).
_BY_KEY: dict[str, Any] = {"sqlite_with_rowid": False}


# --- members ----------------------------------------------------------------------------------------------------

member = Table(
    "member",
    metadata,
    _bucket(),
    _owned_id(),
    Column("external_id", String(200)),  # what the shop calls them; also a row of `identity`
    Column("timezone", String(64)),  # None: the business's own
    Column("timezone_at", Instant),  # when they came to it from another one
    Column("last_event", BigInteger, nullable=False, server_default="0"),  # the number their last event was given
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    PrimaryKeyConstraint("id", "bucket"),
    Index(None, "timezone"),
    _partial(None, "timezone_at", where="timezone_at IS NOT NULL"),
    **_BY_KEY,
)

# Who an outside name or address is: kind "member" (the shop's id), or a channel's name. Not member-owned: it is how a
# member is found before the bucket is known.
identity = Table(
    "identity",
    metadata,
    Column("kind", String(16), nullable=False),
    Column("value", String(200), nullable=False),
    Column("bucket", SmallInteger, nullable=False),
    Column("member_id", BigInteger, nullable=False),
    PrimaryKeyConstraint("kind", "value"),
    **_BY_KEY,
)

# One typed value for each catalog field a member has, computed fields included. Exactly one value column is filled, and
# the row is in that one's index alone: whoever looks for a field's values compares them or says they are not NULL.
member_value = Table(
    "member_value",
    metadata,
    _bucket(),
    Column("member_id", BigInteger, nullable=False),
    Column("field", String(64), nullable=False),
    Column("text_value", String(500)),
    Column("number_value", Double),
    Column("flag_value", Boolean),
    Column("day_value", Date),
    Column("at_value", Instant),
    PrimaryKeyConstraint("member_id", "bucket", "field"),
    _partial(None, "field", "text_value", where="text_value IS NOT NULL"),
    _partial(None, "field", "number_value", where="number_value IS NOT NULL"),
    _partial(None, "field", "flag_value", where="flag_value IS NOT NULL"),
    _partial(None, "field", "day_value", where="day_value IS NOT NULL"),
    _partial(None, "field", "at_value", where="at_value IS NOT NULL"),
    **_BY_KEY,
)

anniversary = Table(
    "anniversary",
    metadata,
    _bucket(),
    Column("member_id", BigInteger, nullable=False),
    Column("field", String(64), nullable=False),
    Column("calendar", String(5), nullable=False),  # solar | lunar
    Column("month", SmallInteger, nullable=False),
    Column("day", SmallInteger, nullable=False),
    Column("leap", Boolean, nullable=False),
    Column("year", SmallInteger),  # of birth, if known: for the age only
    PrimaryKeyConstraint("member_id", "bucket", "field"),
    Index(None, "field", "calendar", "month", "day"),
    **_BY_KEY,
)

tag = Table(
    "tag",
    metadata,
    _bucket(),
    Column("member_id", BigInteger, nullable=False),
    Column("tag", String(64), nullable=False),
    Column("added_at", Instant, nullable=False),
    PrimaryKeyConstraint("member_id", "bucket", "tag"),
    Index(None, "tag"),
    **_BY_KEY,
)

contact_point = Table(
    "contact_point",
    metadata,
    _bucket(),
    Column("member_id", BigInteger, nullable=False),
    Column("channel", String(16), nullable=False),
    Column("address", String(200), nullable=False),
    Column("status", String(16), nullable=False),  # active | bounced | unfollowed | invalid
    Column("status_at", Instant, nullable=False),
    Column("last_inbound_at", Instant),
    Column("window_act", String(16)),
    Column("window_opened_at", Instant),
    Column("window_used", Integer, nullable=False, server_default="0"),
    PrimaryKeyConstraint("member_id", "bucket", "channel"),
    **_BY_KEY,
)

consent = Table(
    "consent",
    metadata,
    _bucket(),
    Column("member_id", BigInteger, nullable=False),
    Column("topic", String(64), nullable=False),
    Column("channel", String(16), nullable=False),
    Column("granted", Boolean, nullable=False),
    Column("own_word", Boolean, nullable=False),  # the member said so themselves: no list of the shop's overrides it
    Column("evidence", String(500), nullable=False),  # where this comes from: a form, a file's row, a callback
    Column("at", Instant, nullable=False),
    PrimaryKeyConstraint("member_id", "bucket", "topic", "channel"),
    **_BY_KEY,
)

# Do not contact, by address: wins over every consent.
suppression = Table(
    "suppression",
    metadata,
    Column("channel", String(16), nullable=False),
    Column("address", String(200), nullable=False),
    Column("reason", String(200), nullable=False),
    Column("at", Instant, nullable=False),
    PrimaryKeyConstraint("channel", "address"),
    **_BY_KEY,
)

segment_member = Table(
    "segment_member",
    metadata,
    _bucket(),
    Column("member_id", BigInteger, nullable=False),
    Column("segment", String(64), nullable=False),
    Column("entered_at", Instant, nullable=False),
    PrimaryKeyConstraint("member_id", "bucket", "segment"),
    Index(None, "segment"),
    **_BY_KEY,
)

# What a member must have to be among the top `percent` of all who have a value in a number field, as of last night.
rank_threshold = Table(
    "rank_threshold",
    metadata,
    Column("field", String(64), nullable=False),
    Column("percent", SmallInteger, nullable=False),
    Column("value", Double),  # None: nobody was ranked
    Column("ranked", BigInteger, nullable=False),  # how many members had a value
    Column("computed_at", Instant, nullable=False),
    PrimaryKeyConstraint("field", "percent"),
)

# --- what came in -----------------------------------------------------------------------------------------------

# Every inbound fact as it was received, once, before it is acknowledged. Belongs to no member until it is read.
inbound = Table(
    "inbound",
    metadata,
    Column("id", Integer().with_variant(BigInteger, "postgresql"), primary_key=True),
    Column("source", String(32), nullable=False),
    Column("key", String(200), nullable=False),
    Column("bulk", Boolean, nullable=False),  # what the shop tells by the thousand; the rest is read before it
    Column("body", Text, nullable=False),
    Column("received_at", Instant, nullable=False),
    Column("status", String(16), nullable=False, server_default="new"),  # new | early | done | unreadable
    Column("processed_at", Instant),
    Column("error", String(500)),
    UniqueConstraint("source", "key"),
    _partial("ix_inbound_new", "bulk", "id", where="status = 'new'"),
)

# For which messages the records that are `early` wait: receipts that name them by the provider's id, before that is on
# record. See `store.inbound`.
early_receipt = Table(
    "early_receipt",
    metadata,
    Column("channel", String(16), nullable=False),
    Column("provider_id", String(200), nullable=False),
    Column("inbound_id", BigInteger, nullable=False),
    PrimaryKeyConstraint("channel", "provider_id", "inbound_id"),
    Index(None, "inbound_id"),
    **_BY_KEY,
)

# Everything that happened to a member: business events, and responses, which carry the delivery and step they answer.
event = Table(
    "event",
    metadata,
    _bucket(),
    _owned_id(),
    Column("member_id", BigInteger, nullable=False),
    Column("number", BigInteger, nullable=False),  # grows in the order in which the member's events were committed
    Column("name", String(64), nullable=False),
    Column("at", Instant, nullable=False),
    Column("payload", SearchedJson, nullable=False),
    Column("dedupe_key", String(200), nullable=False),
    Column("recorded_at", Instant, nullable=False),
    Column("fresh", Boolean, nullable=False),  # the enrol loop has not looked at it yet
    Column("inbound_id", BigInteger),
    Column("channel", String(16)),
    Column("delivery_id", BigInteger),
    Column("enrolment_id", BigInteger),
    Column("journey_id", String(64)),
    Column("step_id", String(120)),
    PrimaryKeyConstraint("id", "bucket"),
    UniqueConstraint("dedupe_key", "bucket"),
    Index(None, "member_id", "bucket", "name", "at"),
    Index(None, "name", "at"),
    _partial(None, "enrolment_id", "bucket", "name", where="enrolment_id IS NOT NULL"),
    Index("ix_event_fresh", "id", sqlite_where=text("fresh = 1"), postgresql_where=text("fresh")),
)

answer = Table(
    "answer",
    metadata,
    _bucket(),
    _owned_id(),
    Column("member_id", BigInteger, nullable=False),
    Column("enrolment_id", BigInteger, nullable=False),
    Column("journey_id", String(64), nullable=False),
    Column("step_id", String(120), nullable=False),
    Column("visit", Integer, nullable=False),
    Column("delivery_id", BigInteger, nullable=False),
    Column("survey", String(16), nullable=False),
    Column("channel", String(16), nullable=False),
    Column("typed", Boolean, nullable=False),  # in the chat or by SMS; a page takes score and comment together
    Column("score", Integer),
    Column("choice", String(200)),
    Column("comment", Text),
    Column("answered_at", Instant, nullable=False),
    Column("comment_at", Instant),
    Column("corrected_at", Instant),
    PrimaryKeyConstraint("id", "bucket"),
    UniqueConstraint("enrolment_id", "bucket", "step_id", "visit"),
    Index(None, "survey", "answered_at"),
)

task = Table(
    "task",
    metadata,
    _bucket(),
    _owned_id(),
    Column("member_id", BigInteger, nullable=False),
    Column("kind", String(16), nullable=False),  # journey: a notify step · inbox: a reply nobody asked for
    Column("team", String(64)),
    Column("words", Text, nullable=False),
    Column("urgent", Boolean, nullable=False),
    Column("opened_at", Instant, nullable=False),
    Column("due_at", Instant),
    Column("enrolment_id", BigInteger),
    Column("journey_id", String(64)),
    Column("step_id", String(120)),
    Column("key", String(200), nullable=False),  # opened once: enrolment, step and visit, or the inbound record
    Column("closed_at", Instant),
    Column("closed_by", String(100)),
    Column("outcome", String(500)),
    PrimaryKeyConstraint("id", "bucket"),
    UniqueConstraint("key", "bucket"),
    Index(None, "member_id", "bucket"),
    Index(None, "closed_at", "due_at"),
)

# --- journeys ---------------------------------------------------------------------------------------------------

journey = Table(
    "journey",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("title", String(200), nullable=False),
    Column("version", Integer, nullable=False),  # the applied one
    Column("status", String(16), nullable=False),  # active | draining (its file is gone: nobody new enters)
)

journey_version = Table(
    "journey_version",
    metadata,
    Column("journey_id", String(64), nullable=False),
    Column("version", Integer, nullable=False),
    Column("source", Text, nullable=False),
    Column("hash", String(64), nullable=False),
    Column("applied_at", Instant, nullable=False),
    Column("plan_id", String(40)),  # what brought it
    Column("names", Json),  # of each step of the version before that lives on in this one, the id it has here
    Column("record", Json, nullable=False),  # the names under which what is on record about steps went on with it
    Column("pinned", Boolean, nullable=False, server_default=text("false")),  # runs are to finish in it
    PrimaryKeyConstraint("journey_id", "version"),
)

# What `engage plan` has shown, and what became of it. Files are those that differ from what was applied: path → text,
# None if there is none.
plan = Table(
    "plan",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("digest", String(64), nullable=False),  # of all that follows: the same plan made twice is one
    Column("made_at", Instant, nullable=False),
    Column("mark", String(20), nullable=False),  # of what was applied when it was made
    Column("before", Json, nullable=False),
    Column("files", Json, nullable=False),  # as they were read
    Column("options", Json, nullable=False),
    Column("effect", Json, nullable=False),  # whom it moves, and how many, as it was shown
    Column("applied_at", Instant),
    Column("undone_by", String(40)),
)

# The catalog and the templates as applied: a half-saved file never runs.
applied_file = Table(
    "applied_file",
    metadata,
    Column("path", String(300), primary_key=True),
    Column("source", Text, nullable=False),
    Column("hash", String(64), nullable=False),
    Column("applied_at", Instant, nullable=False),
)

# Once-only work: whichever process writes the row does it.
job_slot = Table(
    "job_slot",
    metadata,
    Column("job", String(200), nullable=False),
    Column("slot", String(100), nullable=False),
    Column("done_at", Instant, nullable=False),
    PrimaryKeyConstraint("job", "slot"),
)

# What new rows fill of each page, in percent: the rest is for their next versions, beside the ones before.
_ROOM_TO_CHANGE = {"fillfactor": 85}

enrolment = Table(
    "enrolment",
    metadata,
    _bucket(),
    _owned_id(),
    Column("member_id", BigInteger, nullable=False),
    Column("journey_id", String(64), nullable=False),
    Column("version", Integer, nullable=False),  # the version they entered
    Column("occurrence", String(200), nullable=False),  # what makes this run the same run when it is offered twice
    Column("per_value", String(200), nullable=False),  # of journeys with `per`; else empty
    Column("holdout", Boolean, nullable=False),
    Column("status", String(16), nullable=False),  # held (has not begun) | live | ended
    Column("end_kind", String(16)),  # goal | exit | completed | never_began: see core.turn
    Column("end_reason", String(200)),
    Column("entered_at", Instant, nullable=False),
    Column("ended_at", Instant),
    Column("context", SearchedJson, nullable=False),  # {"event": {…}, "var": {…}}
    Column("after_event", BigInteger, nullable=False),  # the member's events up to this number are no news to this run
    Column("step_id", String(120)),
    Column("visit", Integer, nullable=False, server_default="0"),  # how often a `goto` has led back
    Column("jumps", Json),  # how often each `goto` was taken, by step id; None: never
    Column("walked_on", Date),  # where a `goto` leads back: the day on which it last went on, …
    Column("walked_steps", Integer),  # … and how many steps it took that day
    Column("step_started_at", Instant),
    Column("pinned_version", Integer),  # the version to finish in; None: follows the journey
    Column("step_after_event", BigInteger),  # those up to this number happened before the step was reached
    Column("phase", String(16)),  # arriving | waiting | commenting: see core.advance
    Column("deadline_at", Instant),  # when the wait of this step, or for it, is over
    Column("due_at", Instant),  # when to look again
    Column("last_message_at", Instant),
    Column("goal_at", Instant),
    Column("goal_counts", Boolean),  # inside the attribution window
    Column("hold_id", BigInteger),  # of a start that is, or was, held back
    Column("hold_stage", SmallInteger),  # in which of its stages they are let go
    PrimaryKeyConstraint("id", "bucket"),
    UniqueConstraint("member_id", "bucket", "journey_id", "occurrence"),
    _partial("ix_enrolment_due", "due_at", "id", where="status = 'live'"),
    _partial(None, "journey_id", "step_id", where="status = 'live'"),
    _partial(None, "hold_id", "status", "hold_stage", where="hold_id IS NOT NULL"),
    # Written once for each run, when it ends: no step pays for it. Plans ask who was there, and who has just ended.
    _partial("ix_enrolment_ended", "journey_id", "ended_at", "holdout", where="status = 'ended'"),
    postgresql_with=_ROOM_TO_CHANGE,
)

# What applying a plan did to a run: the columns it changed, as they were and as they are since.
enrolment_move = Table(
    "enrolment_move",
    metadata,
    _bucket(),
    _owned_id(),
    Column("enrolment_id", BigInteger, nullable=False),
    Column("plan_id", String(40), nullable=False),
    Column("what", String(16), nullable=False),  # renamed | retimed | past | onward | afresh | pinned | stopped | …
    Column("before", Json, nullable=False),
    Column("after", Json, nullable=False),
    PrimaryKeyConstraint("id", "bucket"),
    Index(None, "plan_id"),
)

# The way a run took at a split, and keeps.
arm = Table(
    "arm",
    metadata,
    _bucket(),
    Column("enrolment_id", BigInteger, nullable=False),
    Column("split_id", String(120), nullable=False),
    Column("journey_id", String(64), nullable=False),
    Column("way", String(64), nullable=False),
    Column("taken_at", Instant, nullable=False),
    PrimaryKeyConstraint("enrolment_id", "bucket", "split_id"),
    Index(None, "journey_id", "split_id", "way"),
    **_BY_KEY,
)

# Which way of a split has won, decided once. The row is made when the first member passes the split.
split_decision = Table(
    "split_decision",
    metadata,
    Column("journey_id", String(64), nullable=False),
    Column("split_id", String(120), nullable=False),
    Column("first_at", Instant, nullable=False),
    Column("decided_at", Instant),
    Column("ruling", String(16)),  # won | too_few | no_difference
    Column("winner", String(64)),
    Column("figures", Json),  # what it was decided by, way by way
    PrimaryKeyConstraint("journey_id", "split_id"),
)

# The trail: what each run decided and why; deliveries keep their own in `decision`. By months, see `store.months`.
decision = Table(
    "decision",
    metadata,
    _bucket(),
    _owned_id(),
    Column("enrolment_id", BigInteger, nullable=False),
    Column("at", Instant, nullable=False),
    Column("step_id", String(120)),
    Column("what", String(32), nullable=False),
    Column("detail", Json, nullable=False),
    PrimaryKeyConstraint("enrolment_id", "bucket", "id", "at"),
    postgresql_partition_by="RANGE (at)",
    **_BY_KEY,
)

# --- messages ---------------------------------------------------------------------------------------------------

# The outbox. `status` follows the send protocol (core.delivery); `arrival` what receipts say later.
delivery = Table(
    "delivery",
    metadata,
    _bucket(),
    _owned_id(),
    Column("member_id", BigInteger, nullable=False),
    Column("message_key", String(200), nullable=False),  # enrolment, step, visit, purpose: one logical message
    Column("hop", SmallInteger, nullable=False),  # 0 the first channel; each fallback or reminder adds one
    Column("purpose", String(16), nullable=False),  # send | ask | remind | comment | confirm
    Column("enrolment_id", BigInteger),
    Column("journey_id", String(64)),
    Column("version", Integer),
    Column("pinned_version", Integer),  # of a run that finishes in an earlier version: that one
    Column("step_id", String(120)),
    Column("visit", Integer),
    Column("topic", String(64), nullable=False),
    Column("priority", SmallInteger, nullable=False),
    Column("template", String(120), nullable=False),
    Column("status", String(16), nullable=False),
    Column("reason", String(300)),  # why it was skipped, failed or cancelled
    Column("held_back", String(300)),  # why it was put back last, whatever became of it since
    Column("queued_at", Instant, nullable=False),
    Column("due_at", Instant),  # when to look again: to send, to repeat, or because a lease has ended; None: never
    Column("claimed_at", Instant),  # by the process that last judged it
    Column("late_at", Instant),  # not sent after this
    Column("channel", String(16)),
    Column("address", String(200)),
    Column("mode", String(32)),
    Column("decision", Json),  # every channel with its reason and score, then gates passed
    Column("payload", Json),  # what goes on the wire
    Column("payload_hash", String(64)),
    Column("text", Text),  # what the member reads
    Column("offers", Json),  # menu words this message offers (「回复【1】」): never taken for a score
    Column("fence", Integer, nullable=False, server_default="0"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("first_sent_at", Instant),  # of the first intent that was not surely refused: what frequency caps count
    Column("sent_at", Instant),  # of the last intent
    Column("called_at", Instant),  # when the provider was called last
    Column("recorded_at", Instant),  # when the outcome of that call was written down, or known to be lost
    Column("repeat_until", Instant),  # a repeat with the same key is surely dropped by the provider until then
    Column("repeats_left", SmallInteger, nullable=False, server_default="0"),  # `on_ambiguous: repeat`, after that
    Column("provider_id", String(200)),
    Column("code", String(100)),  # the provider's last word
    Column("segments", Integer),
    Column("cost", Double),
    Column("arrival", String(16)),  # delivered | deferred | bounced
    Column("arrival_at", Instant),
    Column("filed_at", Instant),  # when decision, payload and text went to the ledger
    PrimaryKeyConstraint("id", "bucket"),
    UniqueConstraint("message_key", "bucket", "hop"),
    # No row is in both: a planner that knows a backlog only from before it came could else take the one that does not
    # have it in the order in which it is wanted, and sort it all for every claim.
    _partial("ix_delivery_waiting", "priority", "channel", "due_at", "id", where="status = 'pending'"),  # see `lanes`
    _partial("ix_delivery_in_hand", "status", "due_at", where="status IN ('claimed', 'sending', 'ambiguous')"),
    # By member: what was sent, and what no run has sent; `ledger.of_member` finds the rest by the runs. Most of a
    # message's changes come before it is sent, and each would write a page of its own to an index of members.
    _partial("ix_delivery_sent_to", "member_id", "bucket", "first_sent_at", where="first_sent_at IS NOT NULL"),
    _partial("ix_delivery_of_no_run", "member_id", "bucket", where="enrolment_id IS NULL"),
    Index(None, "enrolment_id", "bucket"),
    _partial(None, "channel", "provider_id", where="provider_id IS NOT NULL"),
    _partial(None, "channel", "address", "sent_at", where="address IS NOT NULL"),
    _partial(
        "ix_delivery_to_file",
        "queued_at",
        where="filed_at IS NULL AND status IN ('sent', 'failed', 'skipped', 'cancelled')",
    ),
    postgresql_with=_ROOM_TO_CHANGE,
)

# What was said in a message that is long over, and why: the greater part of its row. What guards against saying it
# twice, and what caps, receipts and reports look for, stays in the outbox. By months, see `store.months`.
delivery_ledger = Table(
    "delivery_ledger",
    metadata,
    _bucket(),
    _owned_id(),
    Column("queued_at", Instant, nullable=False),
    Column("decision", Json),
    Column("payload", Json),
    Column("text", Text),
    PrimaryKeyConstraint("id", "bucket", "queued_at"),
    postgresql_partition_by="RANGE (queued_at)",
)

# Word to staff about a task. At least once: a colleague told twice is better than a detractor nobody calls.
notice = Table(
    "notice",
    metadata,
    _bucket(),
    _owned_id(),
    Column("task_id", BigInteger, nullable=False),
    Column("team", String(64), nullable=False),
    Column("status", String(16), nullable=False),  # pending | sent | failed
    Column("due_at", Instant, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("reason", String(300)),
    PrimaryKeyConstraint("id", "bucket"),
    UniqueConstraint("task_id", "bucket", "team"),
    _partial("ix_notice_due", "due_at", where="status = 'pending'"),
)

# Calls of webhook steps. Repeated under the same key until they have succeeded or are given up.
webhook_call = Table(
    "webhook_call",
    metadata,
    _bucket(),
    _owned_id(),
    Column("enrolment_id", BigInteger, nullable=False),
    Column("journey_id", String(64), nullable=False),
    Column("step_id", String(120), nullable=False),
    Column("visit", Integer, nullable=False),
    Column("webhook", String(64), nullable=False),
    Column("key", String(64), nullable=False),  # the receiver drops what it has had under the same key
    Column("body", Text, nullable=False),  # what is posted, the same in every attempt
    Column("status", String(16), nullable=False),  # open | done | failed
    Column("queued_at", Instant, nullable=False),
    Column("due_at", Instant, nullable=False),  # when to try (again), or when a lease has ended
    Column("give_up_at", Instant, nullable=False),
    Column("fence", Integer, nullable=False, server_default="0"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("reason", String(300)),  # why the last attempt did not succeed
    Column("settled_at", Instant),
    PrimaryKeyConstraint("id", "bucket"),
    UniqueConstraint("enrolment_id", "bucket", "step_id", "visit"),
    _partial("ix_webhook_call_due", "due_at", where="status = 'open'"),
    Index(None, "settled_at"),
)

# What queries say to have these partial indexes used: SQLite takes one only where its own words stand in the query, not
# where a bound value happens to mean the same.
IS_LIVE = text("enrolment.status = 'live'")
IS_ENDED = text("enrolment.status = 'ended'")
IS_PENDING = text("delivery.status = 'pending'")
IS_IN_HAND = text("delivery.status IN ('claimed', 'sending', 'ambiguous')")
IS_TO_FILE = text("delivery.filed_at IS NULL AND delivery.status IN ('sent', 'failed', 'skipped', 'cancelled')")
IS_UNREAD = text("inbound.status = 'new'")
IS_UNTOLD = text("notice.status = 'pending'")
IS_OPEN_CALL = text("webhook_call.status = 'open'")

# --- running ----------------------------------------------------------------------------------------------------

# What is stopped by hand: scope "all", "journey:<id>" or "channel:<name>". Read inside the intent's transaction.
pause = Table(
    "pause",
    metadata,
    Column("scope", String(80), primary_key=True),
    Column("since", Instant, nullable=False),
    Column("reason", String(200)),
)

# Small facts of the running system: the virtual moment of a demo, the last segment sweep, a channel's health.
state = Table(
    "state",
    metadata,
    Column("key", String(100), primary_key=True),
    Column("value", Json, nullable=False),
    Column("at", Instant, nullable=False),
)

# A start that would bring many at once, and does not yet, or not all of them: its members have runs that are `held`.
hold = Table(
    "hold",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("journey_id", String(64), nullable=False),
    Column("start", String(200), nullable=False),  # what brought them
    Column("made_at", Instant, nullable=False),
    Column("members", BigInteger, nullable=False),
    Column("status", String(16), nullable=False),  # waiting (for approval) | going (on by itself) | released | refused
    Column("why", String(300), nullable=False),  # it waits, or goes by stages
    Column("stages", Json, nullable=False),  # percent of the members that are let go, growing to 100
    Column("stage", SmallInteger, nullable=False),  # the one that is let go; -1: none
    Column("let_go_at", Instant),  # when the last of the stage were
    Column("next_at", Instant),  # when there is something to do about it
    Column("digest", String(64)),  # of what they get who are let go
    Column("approved_for", BigInteger),  # members that there were when it was approved
    Column("settled_at", Instant),
    Index(None, "status", "next_at"),
)

# Who has let a plan or a hold go on, and what it was then: an edit afterwards voids it.
approval = Table(
    "approval",
    metadata,
    Column("about", String(40), nullable=False),  # plan-… or hold-…
    Column("digest", String(64), nullable=False),
    Column("by", String(100), nullable=False),
    Column("at", Instant, nullable=False),
    PrimaryKeyConstraint("about", "digest", "by"),
)

# How often something happened, minute by minute. Each daemon counts in a row of its own: none waits for another one.
tally = Table(
    "tally",
    metadata,
    Column("name", String(300), nullable=False),
    Column("minute", Instant, nullable=False),
    Column("slot", SmallInteger, nullable=False),
    Column("count", BigInteger, nullable=False),
    PrimaryKeyConstraint("name", "minute", "slot"),
    **_BY_KEY,
)

# Next free id of each table that does not number its rows by itself. See `store.ids`.
id_block = Table(
    "id_block",
    metadata,
    Column("kind", String(32), primary_key=True),
    Column("next_id", BigInteger, nullable=False),
)

Row = dict[str, Any]
