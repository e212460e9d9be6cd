"""What a stage stands on: a SQLite file of its own, or a PostgreSQL database whose rows go with it. Making the tables
takes longer than most scenarios, so the databases of a server are made once and taken in turn."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import create_engine, make_url, text

from engage.store.databases.database import Database
from tests.postgresql import empty

ON_FILE = "sqlite:///engage.db"
# Which databases every scenario is played on: `sqlite`, `postgresql`, or both, with a comma in between.
KINDS = os.environ.get("ENGAGE_SCENARIOS_ON", "sqlite,postgresql").split(",")


class Databases:
    """The databases of one server; free ones are empty."""

    def __init__(self, server_url: str) -> None:
        self._server_url = server_url
        self._free: list[Database] = []
        self._made = 0

    @contextmanager
    def one(self) -> Iterator[str]:
        """The URL of a database with empty tables."""
        database = self._free.pop() if self._free else self._another()
        yield database.url.render_as_string(hide_password=False)
        empty(database, ids_begin_anew=True)
        self._free.append(database)

    def _another(self) -> Database:
        self._made += 1
        url = make_url(self._server_url).set(database=f"stage_{self._made}")
        engine = create_engine(self._server_url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {url.database}"))
        engine.dispose()
        database = Database(url.render_as_string(hide_password=False))
        database.create_all()
        return database


NewDatabase = Callable[[], str]
"""Where another stage stands."""
