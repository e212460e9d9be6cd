"""Watches the SQL of every test: what changes or locks member-owned rows must say in which buckets they are.

On Citus such a statement is routed by its bucket; without one it is refused, or touches every node (architecture,
“bucket”). Only a claim may look at all buckets at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, Select, event
from sqlalchemy.sql.dml import Delete, Update

from engage.store.tables import metadata

OWNED = frozenset(table.name for table in metadata.sorted_tables if "bucket" in table.primary_key.columns)
_astray: list[str] = []


@event.listens_for(Engine, "before_execute")
def _watch(_connection: Any, statement: Any, *_: Any) -> None:
    # Collected, not raised: a loop would catch an exception, and a thread would swallow it.
    if isinstance(statement, Update | Delete) and statement.table.name in OWNED and not _names_buckets(statement):
        _astray.append(str(statement))
    if isinstance(statement, Select) and _locks(statement) and not _names_buckets(statement):
        _astray.append(str(statement))


def _names_buckets(statement: Any) -> bool:
    return ".bucket" in str(statement.whereclause)


def _locks(statement: Select[Any]) -> bool:
    """A lock that skips rows others hold is a claim."""
    lock = statement._for_update_arg
    owned = any(getattr(table, "name", None) in OWNED for table in statement.get_final_froms())
    return lock is not None and not lock.skip_locked and owned


@pytest.fixture(autouse=True)
def statements_without_bucket() -> Iterator[list[str]]:
    """Must be empty when a test ends."""
    _astray.clear()
    yield _astray
    assert not _astray, f"no bucket in the WHERE of: {_astray[0]}"
