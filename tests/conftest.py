"""What every test shares: how Hypothesis looks for counterexamples, and a watch over the SQL.

What changes or locks member-owned rows must say in which buckets they are. On Citus such a statement is routed by its
bucket; without one it is refused, or touches every node. Only a claim may look at all buckets at once.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from hypothesis import HealthCheck, settings
from sqlalchemy import Engine, Select, event
from sqlalchemy.sql.dml import Delete, Update

from engage.store.tables import metadata
from tests.postgresql import running_server

# No time limits: speed belongs to benchmarks. In CI the same examples every time, so that a red run can be repeated.
settings.register_profile(
    "engage", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize="CI" in os.environ
)
settings.load_profile("engage")

OWNED = frozenset(table.name for table in metadata.sorted_tables if "bucket" in table.primary_key.columns)
_astray: list[str] = []


@event.listens_for(Engine, "before_execute")
def _watch(_connection: Any, statement: Any, *_: Any) -> None:
    # Collected, not raised: a loop would catch an exception, and a thread would swallow it.
    if (_changes(statement) or _locks(statement)) and not _names_buckets(statement):
        _astray.append(str(statement))


def _changes(statement: Any) -> bool:
    return isinstance(statement, Update | Delete) and getattr(statement.table, "name", None) in OWNED


def _names_buckets(statement: Any) -> bool:
    return ".bucket" in str(statement.whereclause)


def _locks(statement: Any) -> bool:
    """A lock that skips the rows others hold is a claim."""
    lock = statement._for_update_arg if isinstance(statement, Select) else None
    if lock is None or lock.skip_locked:
        return False
    return any(getattr(table, "name", None) in OWNED for table in statement.get_final_froms())


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    """One server for the whole session, with one empty database. Whoever makes tables in it shares them."""
    with running_server() as url:
        yield url


@pytest.fixture(autouse=True)
def statements_without_bucket() -> Iterator[list[str]]:
    """Must be empty when a test ends."""
    _astray.clear()
    yield _astray
    assert not _astray, f"no bucket in the WHERE of: {_astray[0]}"


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    """Commands that are run in this process set up logging for themselves; what they set up ends with the test."""
    root, config = logging.getLogger(), structlog.get_config()
    handlers, level = list(root.handlers), root.level
    yield
    structlog.configure(**config)
    root.handlers[:] = handlers
    root.setLevel(level)
