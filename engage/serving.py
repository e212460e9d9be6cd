"""An engine and its web server in one process, under one clock: for the demo and for tests. The daemon's are in
`running`."""

from __future__ import annotations

from pathlib import Path

from engage.bootstrap import build_context, links_of, open_database
from engage.channels.registry import build_sources
from engage.clock import Clock
from engage.config import Config
from engage.runtime.context import AppliedSource, Context
from engage.runtime.engine import Engine
from engage.runtime.observing import Observer
from engage.runtime.outage import Outage
from engage.store.databases.database import Database
from engage.web.app import make_app
from engage.web.deps import WebDeps
from engage.web.server import Server


class App:
    """A wired engine and its web server, not yet started."""

    def __init__(self, config: Config, context: Context) -> None:
        self.context = context
        self.engine = Engine(context)
        deps = web_deps(config, context.database, context.clock, context.applied, context.observer)
        self.server = Server(make_app(deps), config.web.host, config.web.port)

    def close(self) -> None:
        self.server.stop()
        self.engine.close()
        self.context.database.close()


def build(config: Config, clock: Clock, folder: Path) -> App:
    """Wire everything. Opens the database and takes the web port; sends and schedules nothing."""
    return App(config, build_context(config, clock, open_database(config, folder)))


def web_deps(config: Config, database: Database, clock: Clock, applied: AppliedSource, observer: Observer) -> WebDeps:
    return WebDeps(
        database=database,
        clock=clock,
        outage=Outage(clock),
        links=links_of(config),
        sources=build_sources(config),
        applied=applied.remembered,
        api_keys={name: key.get_secret_value() for name, key in config.web.api_keys.items()},
        observer=observer,
    )
