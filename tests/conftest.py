"""What every test shares: how Hypothesis looks for counterexamples, and a watch over the SQL.

What changes or locks member-owned rows must say in which buckets they are. On Citus such a statement is routed by its
bucket; without one it is refused, or touches every node. Only a claim may look at all buckets at once. A row never
changes its bucket, and tables of members' are joined bucket by bucket: both Citus refuses as well.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from functools import lru_cache, wraps
from operator import eq
from typing import Any

import pytest
import structlog
from hypothesis import HealthCheck, settings
from sqlalchemy import Alias, BinaryExpression, Engine, Join, Select, TableClause, event
from sqlalchemy.sql.dml import Delete, Update
from sqlalchemy.sql.visitors import iterate

from engage.store.statements.claims import Claim
from engage.store.tables import metadata
from tests.postgresql import running_server

# No time limits: speed belongs to benchmarks. In CI the same examples every time, so that a red run can be repeated.
settings.register_profile(
    "engage", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize="CI" in os.environ
)
settings.load_profile("engage")

OWNED = frozenset(table.name for table in metadata.sorted_tables if "bucket" in table.primary_key.columns)
_astray: list[str] = []
_claiming = ContextVar("claiming", default=False)  # what does so knows how to, where rows are spread over servers


@event.listens_for(Engine, "before_execute")
def _watch(_connection: Any, statement: Any, *_: Any) -> None:
    # Collected, not raised: a loop would catch an exception, and a thread would swallow it.
    if (_changes(statement) or _locks(statement)) and not _names_buckets(statement):
        _astray.append(f"no bucket in the WHERE of: {statement}")
    elif _changes(statement) and _moves_rows(statement):
        _astray.append(f"rows would change their bucket: {statement}")
    elif isinstance(statement, Select) and _joins_apart(statement):
        _astray.append(f"tables of members' joined, but not by bucket: {statement}")


@wraps(take := Claim.take)
def _take(*args: Any, **given: Any) -> list[Any]:
    token = _claiming.set(True)
    try:
        return take(*args, **given)
    finally:
        _claiming.reset(token)


Claim.take = _take  # type: ignore[method-assign]


def _moves_rows(statement: Any) -> bool:
    values = getattr(statement, "_values", None) or {}
    return isinstance(statement, Update) and any(getattr(column, "name", column) == "bucket" for column in values)


@lru_cache(5_000)
def _joins_apart(statement: Any) -> bool:
    """Whether some SELECT in it goes over several tables of members' that no equality of buckets ties together."""
    ties = _ties(statement)
    selects = [each for each in iterate(statement) if isinstance(each, Select)]
    return any(not _tied(_owned_in(each), ties) for each in selects)


def _owned_in(select: Any) -> set[str]:
    """What is selected from a query of its own is looked at there."""
    return {name for start in select.get_final_froms() for name in _sides(start)} & OWNED


def _sides(start: Any) -> list[str]:
    return [*_sides(start.left), *_sides(start.right)] if isinstance(start, Join) else [_name(start)]


def _ties(statement: Any) -> list[set[str]]:
    sides = [(e.left, e.right) for e in iterate(statement) if isinstance(e, BinaryExpression) and e.operator is eq]
    buckets = [(a, b) for a, b in sides if getattr(a, "name", "") == getattr(b, "name", None) == "bucket"]
    return [{_name(a.table), _name(b.table)} for a, b in buckets]


def _name(table: Any) -> str:
    """Of the table itself, where this is an alias of it."""
    while isinstance(table, Alias):
        table = table.element
    return str(table.name) if isinstance(table, TableClause) else ""


def _tied(tables: set[str], ties: Sequence[set[str]]) -> bool:
    reached = {next(iter(tables))} if tables else set()
    while more := {name for tie in ties if tie & reached for name in tie & tables} - reached:
        reached |= more
    return reached == tables


def _changes(statement: Any) -> bool:
    return isinstance(statement, Update | Delete) and getattr(statement.table, "name", None) in OWNED


def _names_buckets(statement: Any) -> bool:
    return ".bucket" in str(statement.whereclause)


def _locks(statement: Any) -> bool:
    if not isinstance(statement, Select) or statement._for_update_arg is None or _claiming.get():
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
    assert not _astray, _astray[0]


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    """Commands that are run in this process set up logging for themselves; what they set up ends with the test."""
    root, config = logging.getLogger(), structlog.get_config()
    handlers, level = list(root.handlers), root.level
    yield
    structlog.configure(**config)
    root.handlers[:] = handlers
    root.setLevel(level)
