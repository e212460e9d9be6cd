"""the first schema"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from engage.store import tables

revision = "0001_5009bce1"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "anniversary",
        sa.Column("bucket", sa.SmallInteger(), nullable=False),
        sa.Column("member_id", sa.BigInteger(), nullable=False),
        sa.Column("field", sa.String(length=64), nullable=False),
        sa.Column("calendar", sa.String(length=5), nullable=False),
        sa.Column("month", sa.SmallInteger(), nullable=False),
        sa.Column("day", sa.SmallInteger(), nullable=False),
        sa.Column("leap", sa.Boolean(), nullable=False),
        sa.Column("year", sa.SmallInteger(), nullable=True),
        sa.PrimaryKeyConstraint("member_id", "bucket", "field", name=op.f("pk_anniversary")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("anniversary", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_anniversary_field_calendar_month_day"), ["field", "calendar", "month", "day"], unique=False
        )

    op.create_table(
        "answer",
        sa.Column("bucket", sa.SmallInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("member_id", sa.BigInteger(), nullable=False),
        sa.Column("enrolment_id", sa.BigInteger(), nullable=False),
        sa.Column("journey_id", sa.String(length=64), nullable=False),
        sa.Column("step_id", sa.String(length=120), nullable=False),
        sa.Column("visit", sa.Integer(), nullable=False),
        sa.Column("delivery_id", sa.BigInteger(), nullable=False),
        sa.Column("survey", sa.String(length=16), nullable=False),
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column("typed", sa.Boolean(), nullable=False),
        sa.Column("score", sa.Integer(), nullable=True),
        sa.Column("choice", sa.String(length=200), nullable=True),
        sa.Column("comment", sa.Text(), nullable=True),
        sa.Column("answered_at", tables.Instant(timezone=True), nullable=False),
        sa.Column("comment_at", tables.Instant(timezone=True), nullable=True),
        sa.Column("corrected_at", tables.Instant(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", "bucket", name=op.f("pk_answer")),
        sa.UniqueConstraint(
            "enrolment_id", "bucket", "step_id", "visit", name=op.f("uq_answer_enrolment_id_bucket_step_id_visit")
        ),
    )
    with op.batch_alter_table("answer", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_answer_survey_answered_at"), ["survey", "answered_at"], unique=False)

    op.create_table(
        "applied_file",
        sa.Column("path", sa.String(length=300), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("applied_at", tables.Instant(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("path", name=op.f("pk_applied_file")),
    )
    op.create_table(
        "approval",
        sa.Column("about", sa.String(length=40), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("by", sa.String(length=100), nullable=False),
        sa.Column("at", tables.Instant(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("about", "digest", "by", name=op.f("pk_approval")),
    )
    op.create_table(
        "arm",
        sa.Column("bucket", sa.SmallInteger(), nullable=False),
        sa.Column("enrolment_id", sa.BigInteger(), nullable=False),
        sa.Column("split_id", sa.String(length=120), nullable=False),
        sa.Column("journey_id", sa.String(length=64), nullable=False),
        sa.Column("way", sa.String(length=64), nullable=False),
        sa.Column("taken_at", tables.Instant(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("enrolment_id", "bucket", "split_id", name=op.f("pk_arm")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("arm", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_arm_journey_id_split_id_way"), ["journey_id", "split_id", "way"], unique=False
        )

    op.create_table(
        "consent",
        sa.Column("bucket", sa.SmallInteger(), nullable=False),
        sa.Column("member_id", sa.BigInteger(), nullable=False),
        sa.Column("topic", sa.String(length=64), nullable=False),
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column("granted", sa.Boolean(), nullable=False),
        sa.Column("own_word", sa.Boolean(), nullable=False),
        sa.Column("evidence", sa.String(length=500), nullable=False),
        sa.Column("at", tables.Instant(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("member_id", "bucket", "topic", "channel", name=op.f("pk_consent")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "contact_point",
        sa.Column("bucket", sa.SmallInteger(), nullable=False),
        sa.Column("member_id", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column("address", sa.String(length=200), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("status_at", tables.Instant(timezone=True), nullable=False),
        sa.Column("last_inbound_at", tables.Instant(timezone=True), nullable=True),
        sa.Column("window_act", sa.String(length=16), nullable=True),
        sa.Column("window_opened_at", tables.Instant(timezone=True), nullable=True),
        sa.Column("window_used", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("member_id", "bucket", "channel", name=op.f("pk_contact_point")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "decision",
        sa.Column("bucket", sa.SmallInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("enrolment_id", sa.BigInteger(), nullable=False),
        sa.Column("at", tables.Instant(timezone=True), nullable=False),
        sa.Column("step_id", sa.String(length=120), nullable=True),
        sa.Column("what", sa.String(length=32), nullable=False),
        sa.Column("detail", sa.JSON(none_as_null=True), nullable=False),
        sa.PrimaryKeyConstraint("enrolment_id", "bucket", "id", "at", name=op.f("pk_decision")),
        postgresql_partition_by="RANGE (at)",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "delivery",
        sa.Column("bucket", sa.SmallInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("member_id", sa.BigInteger(), nullable=False),
        sa.Column("message_key", sa.String(length=200), nullable=False),
        sa.Column("hop", sa.SmallInteger(), nullable=False),
        sa.Column("purpose", sa.String(length=16), nullable=False),
        sa.Column("enrolment_id", sa.BigInteger(), nullable=True),
        sa.Column("journey_id", sa.String(length=64), nullable=True),
        sa.Column("version", sa.Integer(), nullable=True),
        sa.Column("pinned_version", sa.Integer(), nullable=True),
        sa.Column("step_id", sa.String(length=120), nullable=True),
        sa.Column("visit", sa.Integer(), nullable=True),
        sa.Column("topic", sa.String(length=64), nullable=False),
        sa.Column("priority", sa.SmallInteger(), nullable=False),
        sa.Column("template", sa.String(length=120), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=300), nullable=True),
        sa.Column("held_back", sa.String(length=300), nullable=True),
        sa.Column("queued_at", tables.Instant(timezone=True), nullable=False),
        sa.Column("due_at", tables.Instant(timezone=True), nullable=True),
        sa.Column("claimed_at", tables.Instant(timezone=True), nullable=True),
        sa.Column("late_at", tables.Instant(timezone=True), nullable=True),
        sa.Column("channel", sa.String(length=16), nullable=True),
        sa.Column("address", sa.String(length=200), nullable=True),
        sa.Column("mode", sa.String(length=32), nullable=True),
        sa.Column("decision", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("payload", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("payload_hash", sa.String(length=64), nullable=True),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("offers", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("fence", sa.Integer(), server_default="0", nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("first_sent_at", tables.Instant(timezone=True), nullable=True),
        sa.Column("sent_at", tables.Instant(timezone=True), nullable=True),
        sa.Column("called_at", tables.Instant(timezone=True), nullable=True),
        sa.Column("recorded_at", tables.Instant(timezone=True), nullable=True),
        sa.Column("repeat_until", tables.Instant(timezone=True), nullable=True),
        sa.Column("repeats_left", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("provider_id", sa.String(length=200), nullable=True),
        sa.Column("code", sa.String(length=100), nullable=True),
        sa.Column("segments", sa.Integer(), nullable=True),
        sa.Column("cost", sa.Double(), nullable=True),
        sa.Column("arrival", sa.String(length=16), nullable=True),
        sa.Column("arrival_at", tables.Instant(timezone=True), nullable=True),
        sa.Column("filed_at", tables.Instant(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", "bucket", name=op.f("pk_delivery")),
        sa.UniqueConstraint("message_key", "bucket", "hop", name=op.f("uq_delivery_message_key_bucket_hop")),
        postgresql_with={"fillfactor": 85},
    )
    with op.batch_alter_table("delivery", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_delivery_enrolment_id_bucket"), ["enrolment_id", "bucket"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_delivery_channel_address_sent_at"),
            ["channel", "address", "sent_at"],
            unique=False,
            sqlite_where=sa.text("address IS NOT NULL"),
            postgresql_where=sa.text("address IS NOT NULL"),
        )
        batch_op.create_index(
            batch_op.f("ix_delivery_channel_provider_id"),
            ["channel", "provider_id"],
            unique=False,
            sqlite_where=sa.text("provider_id IS NOT NULL"),
            postgresql_where=sa.text("provider_id IS NOT NULL"),
        )
        batch_op.create_index(
            "ix_delivery_in_hand",
            ["status", "due_at"],
            unique=False,
            sqlite_where=sa.text("status IN ('claimed', 'sending', 'ambiguous')"),
            postgresql_where=sa.text("status IN ('claimed', 'sending', 'ambiguous')"),
        )
        batch_op.create_index(
            "ix_delivery_of_no_run",
            ["member_id", "bucket"],
            unique=False,
            sqlite_where=sa.text("enrolment_id IS NULL"),
            postgresql_where=sa.text("enrolment_id IS NULL"),
        )
        batch_op.create_index(
            "ix_delivery_sent_to",
            ["member_id", "bucket", "first_sent_at"],
            unique=False,
            sqlite_where=sa.text("first_sent_at IS NOT NULL"),
            postgresql_where=sa.text("first_sent_at IS NOT NULL"),
        )
        batch_op.create_index(
            "ix_delivery_to_file",
            ["queued_at"],
            unique=False,
            sqlite_where=sa.text("filed_at IS NULL AND status IN ('sent', 'failed', 'skipped', 'cancelled')"),
            postgresql_where=sa.text("filed_at IS NULL AND status IN ('sent', 'failed', 'skipped', 'cancelled')"),
        )
        batch_op.create_index(
            "ix_delivery_waiting",
            ["priority", "channel", "due_at", "id"],
            unique=False,
            sqlite_where=sa.text("status = 'pending'"),
            postgresql_where=sa.text("status = 'pending'"),
        )

    op.create_table(
        "delivery_ledger",
        sa.Column("bucket", sa.SmallInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("queued_at", tables.Instant(timezone=True), nullable=False),
        sa.Column("decision", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("payload", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("text", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", "bucket", "queued_at", name=op.f("pk_delivery_ledger")),
        postgresql_partition_by="RANGE (queued_at)",
    )
    op.create_table(
        "early_receipt",
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column("provider_id", sa.String(length=200), nullable=False),
        sa.Column("inbound_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("channel", "provider_id", "inbound_id", name=op.f("pk_early_receipt")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("early_receipt", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_early_receipt_inbound_id"), ["inbound_id"], unique=False)

    op.create_table(
        "enrolment",
        sa.Column("bucket", sa.SmallInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("member_id", sa.BigInteger(), nullable=False),
        sa.Column("journey_id", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("occurrence", sa.String(length=200), nullable=False),
        sa.Column("per_value", sa.String(length=200), nullable=False),
        sa.Column("holdout", sa.Boolean(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("end_kind", sa.String(length=16), nullable=True),
        sa.Column("end_reason", sa.String(length=200), nullable=True),
        sa.Column("entered_at", tables.Instant(timezone=True), nullable=False),
        sa.Column("ended_at", tables.Instant(timezone=True), nullable=True),
        sa.Column("context", tables.SearchedJson, nullable=False),
        sa.Column("after_event", sa.BigInteger(), nullable=False),
        sa.Column("step_id", sa.String(length=120), nullable=True),
        sa.Column("visit", sa.Integer(), server_default="0", nullable=False),
        sa.Column("jumps", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("walked_on", sa.Date(), nullable=True),
        sa.Column("walked_steps", sa.Integer(), nullable=True),
        sa.Column("step_started_at", tables.Instant(timezone=True), nullable=True),
        sa.Column("pinned_version", sa.Integer(), nullable=True),
        sa.Column("step_after_event", sa.BigInteger(), nullable=True),
        sa.Column("phase", sa.String(length=16), nullable=True),
        sa.Column("deadline_at", tables.Instant(timezone=True), nullable=True),
        sa.Column("due_at", tables.Instant(timezone=True), nullable=True),
        sa.Column("last_message_at", tables.Instant(timezone=True), nullable=True),
        sa.Column("goal_at", tables.Instant(timezone=True), nullable=True),
        sa.Column("goal_counts", sa.Boolean(), nullable=True),
        sa.Column("hold_id", sa.BigInteger(), nullable=True),
        sa.Column("hold_stage", sa.SmallInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", "bucket", name=op.f("pk_enrolment")),
        sa.UniqueConstraint(
            "member_id",
            "bucket",
            "journey_id",
            "occurrence",
            name=op.f("uq_enrolment_member_id_bucket_journey_id_occurrence"),
        ),
        postgresql_with={"fillfactor": 85},
    )
    with op.batch_alter_table("enrolment", schema=None) as batch_op:
        batch_op.create_index(
            "ix_enrolment_due",
            ["due_at", "id"],
            unique=False,
            sqlite_where=sa.text("status = 'live'"),
            postgresql_where=sa.text("status = 'live'"),
        )
        batch_op.create_index(
            "ix_enrolment_ended",
            ["journey_id", "ended_at", "end_kind", "holdout"],
            unique=False,
            sqlite_where=sa.text("status = 'ended'"),
            postgresql_where=sa.text("status = 'ended'"),
        )
        batch_op.create_index(
            batch_op.f("ix_enrolment_hold_id_status_hold_stage"),
            ["hold_id", "status", "hold_stage"],
            unique=False,
            sqlite_where=sa.text("hold_id IS NOT NULL"),
            postgresql_where=sa.text("hold_id IS NOT NULL"),
        )
        batch_op.create_index(
            batch_op.f("ix_enrolment_journey_id_step_id"),
            ["journey_id", "step_id"],
            unique=False,
            sqlite_where=sa.text("status = 'live'"),
            postgresql_where=sa.text("status = 'live'"),
        )

    op.create_table(
        "enrolment_move",
        sa.Column("bucket", sa.SmallInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("enrolment_id", sa.BigInteger(), nullable=False),
        sa.Column("plan_id", sa.String(length=40), nullable=False),
        sa.Column("what", sa.String(length=16), nullable=False),
        sa.Column("before", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("after", sa.JSON(none_as_null=True), nullable=False),
        sa.PrimaryKeyConstraint("id", "bucket", name=op.f("pk_enrolment_move")),
    )
    with op.batch_alter_table("enrolment_move", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_enrolment_move_plan_id"), ["plan_id"], unique=False)

    op.create_table(
        "event",
        sa.Column("bucket", sa.SmallInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("member_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("at", tables.Instant(timezone=True), nullable=False),
        sa.Column("payload", tables.SearchedJson, nullable=False),
        sa.Column("dedupe_key", sa.String(length=200), nullable=False),
        sa.Column("recorded_at", tables.Instant(timezone=True), nullable=False),
        sa.Column("fresh", sa.Boolean(), nullable=False),
        sa.Column("inbound_id", sa.BigInteger(), nullable=True),
        sa.Column("channel", sa.String(length=16), nullable=True),
        sa.Column("delivery_id", sa.BigInteger(), nullable=True),
        sa.Column("enrolment_id", sa.BigInteger(), nullable=True),
        sa.Column("journey_id", sa.String(length=64), nullable=True),
        sa.Column("step_id", sa.String(length=120), nullable=True),
        sa.PrimaryKeyConstraint("id", "bucket", name=op.f("pk_event")),
        sa.UniqueConstraint("dedupe_key", "bucket", name=op.f("uq_event_dedupe_key_bucket")),
    )
    with op.batch_alter_table("event", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_event_enrolment_id_bucket_name"),
            ["enrolment_id", "bucket", "name"],
            unique=False,
            sqlite_where=sa.text("enrolment_id IS NOT NULL"),
            postgresql_where=sa.text("enrolment_id IS NOT NULL"),
        )
        batch_op.create_index(
            batch_op.f("ix_event_member_id_bucket_name_at"), ["member_id", "bucket", "name", "at"], unique=False
        )
        batch_op.create_index(
            "ix_event_fresh", ["id"], unique=False, sqlite_where=sa.text("fresh = 1"), postgresql_where=sa.text("fresh")
        )
        batch_op.create_index(batch_op.f("ix_event_name_at"), ["name", "at"], unique=False)

    op.create_table(
        "hold",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("journey_id", sa.String(length=64), nullable=False),
        sa.Column("start", sa.String(length=200), nullable=False),
        sa.Column("made_at", tables.Instant(timezone=True), nullable=False),
        sa.Column("members", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("why", sa.String(length=300), nullable=False),
        sa.Column("stages", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("stage", sa.SmallInteger(), nullable=False),
        sa.Column("let_go_at", tables.Instant(timezone=True), nullable=True),
        sa.Column("next_at", tables.Instant(timezone=True), nullable=True),
        sa.Column("digest", sa.String(length=64), nullable=True),
        sa.Column("approved_for", sa.BigInteger(), nullable=True),
        sa.Column("settled_at", tables.Instant(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hold")),
    )
    with op.batch_alter_table("hold", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_hold_status_next_at"), ["status", "next_at"], unique=False)

    op.create_table(
        "id_block",
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("next_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("kind", name=op.f("pk_id_block")),
    )
    op.create_table(
        "identity",
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("value", sa.String(length=200), nullable=False),
        sa.Column("bucket", sa.SmallInteger(), nullable=False),
        sa.Column("member_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "value", name=op.f("pk_identity")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "inbound",
        sa.Column("id", sa.Integer().with_variant(sa.BigInteger(), "postgresql"), nullable=False),
        sa.Column("source", sa.String(length=32), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("bulk", sa.Boolean(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("received_at", tables.Instant(timezone=True), nullable=False),
        sa.Column("status", sa.String(length=16), server_default="new", nullable=False),
        sa.Column("processed_at", tables.Instant(timezone=True), nullable=True),
        sa.Column("error", sa.String(length=500), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inbound")),
        sa.UniqueConstraint("source", "key", name=op.f("uq_inbound_source_key")),
    )
    with op.batch_alter_table("inbound", schema=None) as batch_op:
        batch_op.create_index(
            "ix_inbound_new",
            ["bulk", "id"],
            unique=False,
            sqlite_where=sa.text("status = 'new'"),
            postgresql_where=sa.text("status = 'new'"),
        )

    op.create_table(
        "job_slot",
        sa.Column("job", sa.String(length=200), nullable=False),
        sa.Column("slot", sa.String(length=100), nullable=False),
        sa.Column("done_at", tables.Instant(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("job", "slot", name=op.f("pk_job_slot")),
    )
    op.create_table(
        "journey",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_journey")),
    )
    op.create_table(
        "journey_version",
        sa.Column("journey_id", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("applied_at", tables.Instant(timezone=True), nullable=False),
        sa.Column("plan_id", sa.String(length=40), nullable=True),
        sa.Column("names", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("record", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("pinned", sa.Boolean(), server_default=sa.text("(false)"), nullable=False),
        sa.PrimaryKeyConstraint("journey_id", "version", name=op.f("pk_journey_version")),
    )
    op.create_table(
        "member",
        sa.Column("bucket", sa.SmallInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("external_id", sa.String(length=200), nullable=True),
        sa.Column("timezone", sa.String(length=64), nullable=True),
        sa.Column("timezone_at", tables.Instant(timezone=True), nullable=True),
        sa.Column("last_event", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("created_at", tables.Instant(timezone=True), nullable=False),
        sa.Column("updated_at", tables.Instant(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", "bucket", name=op.f("pk_member")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("member", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_member_timezone"), ["timezone"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_member_timezone_at"),
            ["timezone_at"],
            unique=False,
            sqlite_where=sa.text("timezone_at IS NOT NULL"),
            postgresql_where=sa.text("timezone_at IS NOT NULL"),
        )

    op.create_table(
        "member_value",
        sa.Column("bucket", sa.SmallInteger(), nullable=False),
        sa.Column("member_id", sa.BigInteger(), nullable=False),
        sa.Column("field", sa.String(length=64), nullable=False),
        sa.Column("text_value", sa.String(length=500), nullable=True),
        sa.Column("number_value", sa.Double(), nullable=True),
        sa.Column("flag_value", sa.Boolean(), nullable=True),
        sa.Column("day_value", sa.Date(), nullable=True),
        sa.Column("at_value", tables.Instant(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("member_id", "bucket", "field", name=op.f("pk_member_value")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("member_value", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_member_value_field_at_value"),
            ["field", "at_value"],
            unique=False,
            sqlite_where=sa.text("at_value IS NOT NULL"),
            postgresql_where=sa.text("at_value IS NOT NULL"),
        )
        batch_op.create_index(
            batch_op.f("ix_member_value_field_day_value"),
            ["field", "day_value"],
            unique=False,
            sqlite_where=sa.text("day_value IS NOT NULL"),
            postgresql_where=sa.text("day_value IS NOT NULL"),
        )
        batch_op.create_index(
            batch_op.f("ix_member_value_field_flag_value"),
            ["field", "flag_value"],
            unique=False,
            sqlite_where=sa.text("flag_value IS NOT NULL"),
            postgresql_where=sa.text("flag_value IS NOT NULL"),
        )
        batch_op.create_index(
            batch_op.f("ix_member_value_field_number_value"),
            ["field", "number_value"],
            unique=False,
            sqlite_where=sa.text("number_value IS NOT NULL"),
            postgresql_where=sa.text("number_value IS NOT NULL"),
        )
        batch_op.create_index(
            batch_op.f("ix_member_value_field_text_value"),
            ["field", "text_value"],
            unique=False,
            sqlite_where=sa.text("text_value IS NOT NULL"),
            postgresql_where=sa.text("text_value IS NOT NULL"),
        )

    op.create_table(
        "notice",
        sa.Column("bucket", sa.SmallInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("task_id", sa.BigInteger(), nullable=False),
        sa.Column("team", sa.String(length=64), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("due_at", tables.Instant(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("reason", sa.String(length=300), nullable=True),
        sa.PrimaryKeyConstraint("id", "bucket", name=op.f("pk_notice")),
        sa.UniqueConstraint("task_id", "bucket", "team", name=op.f("uq_notice_task_id_bucket_team")),
    )
    with op.batch_alter_table("notice", schema=None) as batch_op:
        batch_op.create_index(
            "ix_notice_due",
            ["due_at"],
            unique=False,
            sqlite_where=sa.text("status = 'pending'"),
            postgresql_where=sa.text("status = 'pending'"),
        )

    op.create_table(
        "pause",
        sa.Column("scope", sa.String(length=80), nullable=False),
        sa.Column("since", tables.Instant(timezone=True), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=True),
        sa.PrimaryKeyConstraint("scope", name=op.f("pk_pause")),
    )
    op.create_table(
        "plan",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("made_at", tables.Instant(timezone=True), nullable=False),
        sa.Column("mark", sa.String(length=20), nullable=False),
        sa.Column("before", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("files", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("options", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("effect", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("applied_at", tables.Instant(timezone=True), nullable=True),
        sa.Column("undone_by", sa.String(length=40), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plan")),
    )
    op.create_table(
        "rank_threshold",
        sa.Column("field", sa.String(length=64), nullable=False),
        sa.Column("percent", sa.SmallInteger(), nullable=False),
        sa.Column("value", sa.Double(), nullable=True),
        sa.Column("ranked", sa.BigInteger(), nullable=False),
        sa.Column("computed_at", tables.Instant(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("field", "percent", name=op.f("pk_rank_threshold")),
    )
    op.create_table(
        "segment_member",
        sa.Column("bucket", sa.SmallInteger(), nullable=False),
        sa.Column("member_id", sa.BigInteger(), nullable=False),
        sa.Column("segment", sa.String(length=64), nullable=False),
        sa.Column("entered_at", tables.Instant(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("member_id", "bucket", "segment", name=op.f("pk_segment_member")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("segment_member", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_segment_member_segment"), ["segment"], unique=False)

    op.create_table(
        "split_decision",
        sa.Column("journey_id", sa.String(length=64), nullable=False),
        sa.Column("split_id", sa.String(length=120), nullable=False),
        sa.Column("first_at", tables.Instant(timezone=True), nullable=False),
        sa.Column("decided_at", tables.Instant(timezone=True), nullable=True),
        sa.Column("ruling", sa.String(length=16), nullable=True),
        sa.Column("winner", sa.String(length=64), nullable=True),
        sa.Column("figures", sa.JSON(none_as_null=True), nullable=True),
        sa.PrimaryKeyConstraint("journey_id", "split_id", name=op.f("pk_split_decision")),
    )
    op.create_table(
        "state",
        sa.Column("key", sa.String(length=100), nullable=False),
        sa.Column("value", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("at", tables.Instant(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_state")),
    )
    op.create_table(
        "suppression",
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column("address", sa.String(length=200), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("at", tables.Instant(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("channel", "address", name=op.f("pk_suppression")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "tag",
        sa.Column("bucket", sa.SmallInteger(), nullable=False),
        sa.Column("member_id", sa.BigInteger(), nullable=False),
        sa.Column("tag", sa.String(length=64), nullable=False),
        sa.Column("added_at", tables.Instant(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("member_id", "bucket", "tag", name=op.f("pk_tag")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("tag", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_tag_tag"), ["tag"], unique=False)

    op.create_table(
        "tally",
        sa.Column("name", sa.String(length=300), nullable=False),
        sa.Column("minute", tables.Instant(timezone=True), nullable=False),
        sa.Column("slot", sa.SmallInteger(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", "minute", "slot", name=op.f("pk_tally")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "task",
        sa.Column("bucket", sa.SmallInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("member_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("team", sa.String(length=64), nullable=True),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("urgent", sa.Boolean(), nullable=False),
        sa.Column("opened_at", tables.Instant(timezone=True), nullable=False),
        sa.Column("due_at", tables.Instant(timezone=True), nullable=True),
        sa.Column("enrolment_id", sa.BigInteger(), nullable=True),
        sa.Column("journey_id", sa.String(length=64), nullable=True),
        sa.Column("step_id", sa.String(length=120), nullable=True),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("closed_at", tables.Instant(timezone=True), nullable=True),
        sa.Column("closed_by", sa.String(length=100), nullable=True),
        sa.Column("outcome", sa.String(length=500), nullable=True),
        sa.PrimaryKeyConstraint("id", "bucket", name=op.f("pk_task")),
        sa.UniqueConstraint("key", "bucket", name=op.f("uq_task_key_bucket")),
    )
    with op.batch_alter_table("task", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_task_member_id_bucket"), ["member_id", "bucket"], unique=False)
        batch_op.create_index(batch_op.f("ix_task_closed_at_due_at"), ["closed_at", "due_at"], unique=False)

    op.create_table(
        "webhook_call",
        sa.Column("bucket", sa.SmallInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("enrolment_id", sa.BigInteger(), nullable=False),
        sa.Column("journey_id", sa.String(length=64), nullable=False),
        sa.Column("step_id", sa.String(length=120), nullable=False),
        sa.Column("visit", sa.Integer(), nullable=False),
        sa.Column("webhook", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("queued_at", tables.Instant(timezone=True), nullable=False),
        sa.Column("due_at", tables.Instant(timezone=True), nullable=False),
        sa.Column("give_up_at", tables.Instant(timezone=True), nullable=False),
        sa.Column("fence", sa.Integer(), server_default="0", nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("reason", sa.String(length=300), nullable=True),
        sa.Column("settled_at", tables.Instant(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", "bucket", name=op.f("pk_webhook_call")),
        sa.UniqueConstraint(
            "enrolment_id", "bucket", "step_id", "visit", name=op.f("uq_webhook_call_enrolment_id_bucket_step_id_visit")
        ),
    )
    with op.batch_alter_table("webhook_call", schema=None) as batch_op:
        batch_op.create_index(
            "ix_webhook_call_due",
            ["due_at"],
            unique=False,
            sqlite_where=sa.text("status = 'open'"),
            postgresql_where=sa.text("status = 'open'"),
        )
        batch_op.create_index(batch_op.f("ix_webhook_call_settled_at"), ["settled_at"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("webhook_call", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_webhook_call_settled_at"))
        batch_op.drop_index(
            "ix_webhook_call_due", sqlite_where=sa.text("status = 'open'"), postgresql_where=sa.text("status = 'open'")
        )

    op.drop_table("webhook_call")
    with op.batch_alter_table("task", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_task_closed_at_due_at"))
        batch_op.drop_index(batch_op.f("ix_task_member_id_bucket"))

    op.drop_table("task")
    op.drop_table("tally")
    with op.batch_alter_table("tag", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_tag_tag"))

    op.drop_table("tag")
    op.drop_table("suppression")
    op.drop_table("state")
    op.drop_table("split_decision")
    with op.batch_alter_table("segment_member", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_segment_member_segment"))

    op.drop_table("segment_member")
    op.drop_table("rank_threshold")
    op.drop_table("plan")
    op.drop_table("pause")
    with op.batch_alter_table("notice", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_notice_due", sqlite_where=sa.text("status = 'pending'"), postgresql_where=sa.text("status = 'pending'")
        )

    op.drop_table("notice")
    with op.batch_alter_table("member_value", schema=None) as batch_op:
        batch_op.drop_index(
            batch_op.f("ix_member_value_field_text_value"),
            sqlite_where=sa.text("text_value IS NOT NULL"),
            postgresql_where=sa.text("text_value IS NOT NULL"),
        )
        batch_op.drop_index(
            batch_op.f("ix_member_value_field_number_value"),
            sqlite_where=sa.text("number_value IS NOT NULL"),
            postgresql_where=sa.text("number_value IS NOT NULL"),
        )
        batch_op.drop_index(
            batch_op.f("ix_member_value_field_flag_value"),
            sqlite_where=sa.text("flag_value IS NOT NULL"),
            postgresql_where=sa.text("flag_value IS NOT NULL"),
        )
        batch_op.drop_index(
            batch_op.f("ix_member_value_field_day_value"),
            sqlite_where=sa.text("day_value IS NOT NULL"),
            postgresql_where=sa.text("day_value IS NOT NULL"),
        )
        batch_op.drop_index(
            batch_op.f("ix_member_value_field_at_value"),
            sqlite_where=sa.text("at_value IS NOT NULL"),
            postgresql_where=sa.text("at_value IS NOT NULL"),
        )

    op.drop_table("member_value")
    with op.batch_alter_table("member", schema=None) as batch_op:
        batch_op.drop_index(
            batch_op.f("ix_member_timezone_at"),
            sqlite_where=sa.text("timezone_at IS NOT NULL"),
            postgresql_where=sa.text("timezone_at IS NOT NULL"),
        )
        batch_op.drop_index(batch_op.f("ix_member_timezone"))

    op.drop_table("member")
    op.drop_table("journey_version")
    op.drop_table("journey")
    op.drop_table("job_slot")
    with op.batch_alter_table("inbound", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_inbound_new", sqlite_where=sa.text("status = 'new'"), postgresql_where=sa.text("status = 'new'")
        )

    op.drop_table("inbound")
    op.drop_table("identity")
    op.drop_table("id_block")
    with op.batch_alter_table("hold", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_hold_status_next_at"))

    op.drop_table("hold")
    with op.batch_alter_table("event", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_event_name_at"))
        batch_op.drop_index("ix_event_fresh", sqlite_where=sa.text("fresh = 1"), postgresql_where=sa.text("fresh"))
        batch_op.drop_index(batch_op.f("ix_event_member_id_bucket_name_at"))
        batch_op.drop_index(
            batch_op.f("ix_event_enrolment_id_bucket_name"),
            sqlite_where=sa.text("enrolment_id IS NOT NULL"),
            postgresql_where=sa.text("enrolment_id IS NOT NULL"),
        )

    op.drop_table("event")
    with op.batch_alter_table("enrolment_move", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_enrolment_move_plan_id"))

    op.drop_table("enrolment_move")
    with op.batch_alter_table("enrolment", schema=None) as batch_op:
        batch_op.drop_index(
            batch_op.f("ix_enrolment_journey_id_step_id"),
            sqlite_where=sa.text("status = 'live'"),
            postgresql_where=sa.text("status = 'live'"),
        )
        batch_op.drop_index(
            batch_op.f("ix_enrolment_hold_id_status_hold_stage"),
            sqlite_where=sa.text("hold_id IS NOT NULL"),
            postgresql_where=sa.text("hold_id IS NOT NULL"),
        )
        batch_op.drop_index(
            "ix_enrolment_ended",
            sqlite_where=sa.text("status = 'ended'"),
            postgresql_where=sa.text("status = 'ended'"),
        )
        batch_op.drop_index(
            "ix_enrolment_due", sqlite_where=sa.text("status = 'live'"), postgresql_where=sa.text("status = 'live'")
        )

    op.drop_table("enrolment")
    with op.batch_alter_table("early_receipt", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_early_receipt_inbound_id"))

    op.drop_table("early_receipt")
    op.drop_table("delivery_ledger")
    with op.batch_alter_table("delivery", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_delivery_waiting",
            sqlite_where=sa.text("status = 'pending'"),
            postgresql_where=sa.text("status = 'pending'"),
        )
        batch_op.drop_index(
            "ix_delivery_to_file",
            sqlite_where=sa.text("filed_at IS NULL AND status IN ('sent', 'failed', 'skipped', 'cancelled')"),
            postgresql_where=sa.text("filed_at IS NULL AND status IN ('sent', 'failed', 'skipped', 'cancelled')"),
        )
        batch_op.drop_index(
            "ix_delivery_sent_to",
            sqlite_where=sa.text("first_sent_at IS NOT NULL"),
            postgresql_where=sa.text("first_sent_at IS NOT NULL"),
        )
        batch_op.drop_index(
            "ix_delivery_of_no_run",
            sqlite_where=sa.text("enrolment_id IS NULL"),
            postgresql_where=sa.text("enrolment_id IS NULL"),
        )
        batch_op.drop_index(
            "ix_delivery_in_hand",
            sqlite_where=sa.text("status IN ('claimed', 'sending', 'ambiguous')"),
            postgresql_where=sa.text("status IN ('claimed', 'sending', 'ambiguous')"),
        )
        batch_op.drop_index(
            batch_op.f("ix_delivery_channel_provider_id"),
            sqlite_where=sa.text("provider_id IS NOT NULL"),
            postgresql_where=sa.text("provider_id IS NOT NULL"),
        )
        batch_op.drop_index(
            batch_op.f("ix_delivery_channel_address_sent_at"),
            sqlite_where=sa.text("address IS NOT NULL"),
            postgresql_where=sa.text("address IS NOT NULL"),
        )
        batch_op.drop_index(batch_op.f("ix_delivery_enrolment_id_bucket"))

    op.drop_table("delivery")
    op.drop_table("decision")
    op.drop_table("contact_point")
    op.drop_table("consent")
    with op.batch_alter_table("arm", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_arm_journey_id_split_id_way"))

    op.drop_table("arm")
    op.drop_table("approval")
    op.drop_table("applied_file")
    with op.batch_alter_table("answer", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_answer_survey_answered_at"))

    op.drop_table("answer")
    with op.batch_alter_table("anniversary", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_anniversary_field_calendar_month_day"))

    op.drop_table("anniversary")
