"""Behind a pooler each transaction has another session: nothing is expected to be there from the one before, nothing is
left behind for the one after. A real PgBouncer in front of a real server."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from sqlalchemy import make_url, text

from engage.store.databases import migrating
from engage.store.databases.database import Database
from engage.store.databases.migrating import UpgradeHindered, require_current, upgrade
from tests.postgresql import behind_a_pooler, one_more_database

LIMITS = text("SELECT current_setting('lock_timeout'), current_setting('timezone')")


@pytest.fixture
def pooled(postgresql_url: str) -> Iterator[Database]:
    """Two sessions for whoever comes."""
    with one_more_database(postgresql_url, "pooled") as url, behind_a_pooler(url, sessions=2) as through:
        database = Database(through)
        yield database
        database.close()


def test_every_transaction_has_its_limits_and_leaves_none_behind(pooled: Database) -> None:
    with pooled.read() as one, pooled.write() as other:
        assert one.execute(LIMITS).one() == other.execute(LIMITS).one() == ("15s", "UTC")
    address = make_url(pooled.url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address, prepare_threshold=None) as strangers:
        assert strangers.execute("SELECT current_setting('lock_timeout')").fetchone() == ("0",)


def test_two_daemons_prepare_no_statement_in_a_session_they_share(pooled: Database) -> None:
    """The driver would, after a few times, under a name that the other one's driver gives to its own."""
    another = Database(pooled.url.render_as_string(hide_password=False))
    for _ in range(10):
        for database in (pooled, another):
            with database.read() as connection:
                assert connection.scalar(text("SELECT :n + 1"), {"n": 1}) == 2
    another.close()


def test_the_schema_is_brought_up_to_date_by_one_at_a_time(pooled: Database) -> None:
    with migrating._alone(pooled), pytest.raises(UpgradeHindered, match="another upgrade"):
        upgrade(pooled)
    upgrade(pooled)
    require_current(pooled)
