"""The schema and the statements on a real Citus, named by ENGAGE_CITUS_URL: an empty database with the extension, whose
tables these tests make, and drop. Skipped without one."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from sqlalchemy import text
from store_bench import MINUTE, NOW, Bench

from engage.core.delivery import Recorded, Status
from engage.errors import EngageError
from engage.store import advancing, dispatching, events, tasks, webhook_calls
from engage.store.databases.database import Database
from engage.store.databases.distributing import NoCitus, distribute, owned_tables
from engage.store.dispatching import Settled
from engage.store.tables import metadata

URL = os.environ.get("ENGAGE_CITUS_URL")
on_citus = pytest.mark.skipif(URL is None, reason="ENGAGE_CITUS_URL names no Citus")


def test_other_databases_are_not_spread(database: Database) -> None:
    with pytest.raises(NoCitus) as told:
        distribute(database)
    assert isinstance(told.value, EngageError)


@pytest.fixture(scope="module")
def citus() -> Iterator[Database]:
    database = Database(URL or "")
    database.create_all()
    assert {table.name for table in owned_tables()} < set(distribute(database))
    yield database
    metadata.drop_all(database.engine)
    database.close()


@on_citus
def test_what_is_spread_is_not_spread_again(citus: Database) -> None:
    assert distribute(citus) == []


@on_citus
def test_what_belongs_to_members_lies_together(citus: Database) -> None:
    with citus.read() as connection:
        query = "SELECT count(DISTINCT colocationid) FROM pg_dist_partition WHERE partmethod = 'h'"
        assert connection.scalar(text(query)) == 1


@on_citus
def test_a_message_goes_all_the_way(citus: Database) -> None:
    with citus.write() as connection:
        bench = Bench(connection)
        refs = [bench.member(("VIP",), city="上海") for _ in range(20)]
        for ref in refs:
            bench.happens(ref, "order_paid", amount=5)
            bench.queues(ref, enrolment_id=bench.enters(ref))
    with citus.write() as connection:
        claimed = dispatching.claim(connection, NOW, 15)
        assert len(claimed) == 15
        dispatching.begin_sending(connection, [(each, {"channel": "sms", "payload": {}}) for each in claimed], NOW)
    with citus.write() as connection:
        settled = [Settled(each, Recorded(Status.SENT), {}) for each in claimed]
        assert set(dispatching.record(connection, settled).values()) == {Status.SENT}


@on_citus
def test_every_claim_goes_bucket_by_bucket(citus: Database) -> None:
    with citus.write() as connection:
        bench = Bench(connection)
        for _ in range(5):
            bench.enters(bench.member())
        assert advancing.due(connection, NOW, 3)
        assert dispatching.expire_leases(connection, NOW) >= 0
        assert tasks.claim_notices(connection, NOW, 3, MINUTE) == []
        assert webhook_calls.claim(connection, NOW, 3, []) == []
        events.mark_seen(connection, events.fresh_events(connection, 10))
