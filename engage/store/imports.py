"""What was said of members before, so that a file told again, or with a few rows changed, changes only what is new."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, func, select

from engage.store.databases.dialects import listed
from engage.store.inbound import API, FILE
from engage.store.tables import inbound

_SOURCES = [API, FILE]


def newest_keys(connection: Connection, prefixes: Collection[str]) -> list[str]:
    """For each prefix the key of the newest record from a file or over the API that begins with it, where there is one.

    Two range searches in the unique index for each prefix, all in one statement.
    """
    asked = listed(prefixes, "asked")
    # Keys go on in hex digits, which come before `g` in whatever language the database sorts.
    begins_so = (inbound.c.key > asked.c.value) & (inbound.c.key < asked.c.value.concat("g"))
    # For the newest id itself PostgreSQL would go backwards through all that was ever received: it takes one row in
    # two hundred for meant. Among 300,000, a thousand prefixes took 70 seconds so.
    newest_id = func.max(inbound.c.id + 0)
    newest = select(newest_id).where(inbound.c.source.in_(_SOURCES), begins_so).scalar_subquery()
    return list(connection.scalars(select(inbound.c.key).where(inbound.c.id.in_(select(newest).select_from(asked)))))
