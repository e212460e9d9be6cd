"""`kill -9` at random moments under load. How often: ENGAGE_KILLS, by default ten times on each database."""

from __future__ import annotations

import os
from pathlib import Path

from tests.acceptance.kills import Aftermath, Ordeal, survive
from tests.postgresql import behind_a_pooler, one_more_database

KILLS = int(os.environ.get("ENGAGE_KILLS", "10"))
MEMBERS = 400 + 100 * KILLS


def assert_kept(aftermath: Aftermath) -> None:
    assert aftermath.breaches == [], aftermath
    assert aftermath.acknowledged > 0
    assert aftermath.handed_over > aftermath.acknowledged  # two each, but for those nobody knows about


def test_a_daemon_on_sqlite_sends_nothing_twice_and_loses_nothing(tmp_path: Path) -> None:
    assert_kept(survive(tmp_path, f"sqlite:///{tmp_path}/engage.db", Ordeal(KILLS, members=MEMBERS)))


def test_two_daemons_on_postgresql_send_nothing_twice_and_lose_nothing(tmp_path: Path, postgresql_url: str) -> None:
    with one_more_database(postgresql_url, "kills") as url:
        assert_kept(survive(tmp_path, url, Ordeal(KILLS, daemons=2, members=MEMBERS)))


def test_nor_do_they_behind_a_pooler(tmp_path: Path, postgresql_url: str) -> None:
    """A killed daemon leaves its transactions to the pooler."""
    with one_more_database(postgresql_url, "kills_pooled") as url, behind_a_pooler(url, sessions=40) as through:
        assert_kept(survive(tmp_path, through, Ordeal(KILLS // 3, daemons=2, members=MEMBERS)))
