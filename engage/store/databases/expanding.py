"""What a migration script adds to tables that are in use: without holding anybody up, and again if it was interrupted.

A new column is nullable, or has a constant default: PostgreSQL then writes down that there is one and touches no row. A
new table is in nobody's way. An index is built here, in a script that does nothing else: while that goes on, there is
no transaction that could take the rest back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from alembic import op
from sqlalchemy import text


def add_index(name: str, table: str, columns: Sequence[str], **options: Any) -> None:
    """While rows are written. On PostgreSQL half an index stays behind an interruption, and nothing reads it: it is
    built anew."""
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        op.create_index(name, table, list(columns), **options)
        return
    with op.get_context().autocommit_block():
        half = text("SELECT 1 FROM pg_index WHERE indexrelid = to_regclass(:name) AND NOT indisvalid")
        if op.get_bind().execute(half, {"name": name}).first() is not None:
            op.drop_index(name, table_name=table, postgresql_concurrently=True)
        op.create_index(name, table, list(columns), postgresql_concurrently=True, if_not_exists=True, **options)
