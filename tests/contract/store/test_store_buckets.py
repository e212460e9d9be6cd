"""The watch over buckets (tests/conftest.py) sees what it should; every other test is held to it."""

from __future__ import annotations

import pytest
from sqlalchemy import Executable, UniqueConstraint, delete, exists, select, union, update
from store_bench import NOW, Bench

from engage.store.databases.distributing import owned_tables
from engage.store.statements.claims import Claim
from engage.store.tables import delivery, enrolment, event, inbound, member, suppression, tag

HERE = (member.c.bucket == 1) & (member.c.id == 1)


@pytest.mark.parametrize(
    "statement",
    [
        update(delivery).values(status="pending"),
        update(delivery).where(delivery.c.id == 1).values(status="pending"),
        update(enrolment).where(enrolment.c.due_at <= NOW).values(bucket=3),
        delete(tag).where(tag.c.member_id == 1),
        select(event).where(event.c.id == 1).with_for_update(),
        select(event).where(event.c.fresh).with_for_update(skip_locked=True),
        update(tag).where(tag.c.bucket == 1, tag.c.member_id == 1).values(bucket=2),
        select(tag.c.tag).join(member, member.c.id == tag.c.member_id),
        select(member.c.id).where(exists(select(tag.c.tag).join(event, event.c.member_id == tag.c.member_id))),
    ],
    ids=str,
)
def test_a_statement_that_names_no_bucket_is_noticed(
    bench: Bench, statements_without_bucket: list[str], statement: Executable
) -> None:
    bench.connection.execute(statement)
    assert len(statements_without_bucket) == 1
    statements_without_bucket.clear()


@pytest.mark.parametrize(
    "statement",
    [
        update(member).where(HERE).values(updated_at=NOW),
        update(tag).where(tag.c.bucket.in_([1, 2]), tag.c.member_id.in_([7])).values(tag="x"),
        delete(suppression).where(suppression.c.channel == "sms"),
        update(inbound).where(inbound.c.id == 1).values(status="done"),
        select(event).where(event.c.id == 1),
        select(member).where(HERE).with_for_update(),
        select(tag.c.tag).join(member, (member.c.bucket == tag.c.bucket) & (member.c.id == tag.c.member_id)),
        union(select(member.c.id), select(tag.c.member_id)),
    ],
    ids=str,
)
def test_a_statement_that_names_its_bucket_or_needs_none_is_not(
    bench: Bench, statements_without_bucket: list[str], statement: Executable
) -> None:
    bench.connection.execute(statement)
    assert statements_without_bucket == []


def test_a_claim_may_look_at_all_buckets(bench: Bench, statements_without_bucket: list[str]) -> None:
    """It knows where it may not."""
    assert Claim(event, select(event).where(event.c.fresh)).take(bench.connection, NOW, 1) == []
    assert statements_without_bucket == []


def test_whatever_is_unique_among_members_rows_is_unique_within_a_bucket() -> None:
    """Citus can promise nothing else."""
    for table in owned_tables():
        keys = [each.columns for each in table.constraints if isinstance(each, UniqueConstraint)]
        keys += [index.columns for index in table.indexes if index.unique]
        assert all("bucket" in key for key in [table.primary_key.columns, *keys]), table.name
