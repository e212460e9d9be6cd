"""Alembic's environment. `engage db upgrade` gives it the connection; the schema is `engage.store.tables`."""

from __future__ import annotations

from alembic import context

from engage.store.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, render_as_batch=True, compare_type=True)
with context.begin_transaction():
    context.run_migrations()
