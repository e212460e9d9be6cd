"""Alembic's environment. `engage db upgrade` gives it the connection; the schema is `engage.store.tables`."""

from __future__ import annotations

from alembic import context

from engage.store.databases.months import is_month
from engage.store.tables import metadata

connection = context.config.attributes["connection"]


def include(name: str | None, kind: str, _parents: object) -> bool:
    """Months of a table are made as they come, see `engage.store.databases.months`."""
    return kind != "table" or name is None or not is_month(name)


context.configure(
    connection=connection,
    target_metadata=metadata,
    include_name=include,
    render_as_batch=True,
    compare_type=True,
    transaction_per_migration=True,  # on SQLite all of them are in one of `engage db upgrade`'s
)
with context.begin_transaction():
    context.run_migrations()
