"""The daemon's whole: a wired engine and its web server."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from engage.bootstrap import build_context, open_database
from engage.clock import Clock
from engage.config import Config
from engage.runtime.context import Context
from engage.runtime.engine import Engine
from engage.web.app import make_app
from engage.web.deps import WebDeps
from engage.web.server import Server


@dataclass(frozen=True)
class App:
    """A wired engine and its web server, not yet started."""

    config: Config
    context: Context
    engine: Engine
    server: Server

    def close(self) -> None:
        self.server.stop()
        self.engine.close()
        for channel in self.context.channels.values():
            channel.close()
        self.context.database.close()


def build(config: Config, clock: Clock, folder: Path) -> App:
    """Wire everything. Opens the database and takes the web port; sends and schedules nothing."""
    database = open_database(config, folder)
    context = build_context(config, clock, database)
    server = Server(make_app(_web_deps(config, context)), config.web.host, config.web.port)
    return App(config, context, Engine(context), server)


def _web_deps(config: Config, context: Context) -> WebDeps:
    return WebDeps(
        database=context.database,
        clock=context.clock,
        links=context.links,
        sources=context.sources,
        applied=context.applied.remembered,
        api_keys={name: key.get_secret_value() for name, key in config.web.api_keys.items()},
    )
