"""All that a database holds, to be compared with all that another one holds."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, select

from engage.store.tables import metadata


def every_row(connection: Connection, *, unnumbered: Collection[str]) -> dict[str, list[dict[str, Any]]]:
    """By table. `unnumbered`: tables of which the ids say nothing, as long as each row has one."""
    return {
        table.name: sorted(
            (
                {name: value for name, value in row.items() if name != "id" or table.name not in unnumbered}
                for row in connection.execute(select(table)).mappings()
            ),
            key=repr,
        )
        for table in metadata.sorted_tables
    }
