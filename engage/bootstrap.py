"""The only place where objects are wired together: config → database, channels, engine, web server."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import make_url

from engage.channels.registry import build_channels, build_sources
from engage.channels.staff import StaffMail, StaffRobot
from engage.channels.webhook import WebhookCaller
from engage.clock import Clock, SystemClock, VirtualClock
from engage.config import Config
from engage.content.links import Links
from engage.runtime.context import AppliedHolder, Context
from engage.runtime.engine import Engine
from engage.store import state
from engage.store.database import Database
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


def open_database(config: Config, folder: Path) -> Database:
    """The configured database. A relative SQLite path is relative to the folder of the config file."""
    url = make_url(config.database.url)
    if url.get_backend_name() == "sqlite" and url.database and url.database != ":memory:":
        url = url.set(database=str((folder / url.database).resolve()))
    return Database(url.render_as_string(hide_password=False))


def clock_of(database: Database) -> Clock:
    """The clock a database lives by: a demo's stands still where the demo left it; any other is the system's."""
    with database.read() as connection:
        moment = state.get(connection, state.VIRTUAL_NOW)
    return VirtualClock(datetime.fromisoformat(moment)) if moment is not None else SystemClock()


def build(config: Config, clock: Clock, folder: Path) -> App:
    """Wire everything. Opens the database and takes the web port; sends and schedules nothing."""
    database = open_database(config, folder)
    context = build_context(config, clock, database)
    server = Server(make_app(_web_deps(config, context)), config.web.host, config.web.port)
    return App(config, context, Engine(context), server)


def build_context(config: Config, clock: Clock, database: Database) -> Context:
    return Context(
        database=database,
        clock=clock,
        applied=AppliedHolder(database),
        policy=config.policy,
        links=Links(config.web.signing_key.get_secret_value(), config.web.public_url),
        channels=build_channels(config.channels, clock),
        sources=build_sources(config.channels),
        staff_robots={name: StaffRobot(webhook, clock) for name, webhook in config.webhooks.items()},
        staff_mail=StaffMail(config.channels.email, clock) if config.channels.email is not None else None,
        webhooks={name: WebhookCaller(webhook) for name, webhook in config.webhooks.items()},
    )


def _web_deps(config: Config, context: Context) -> WebDeps:
    return WebDeps(
        database=context.database,
        clock=context.clock,
        links=context.links,
        sources=context.sources,
        applied=context.applied.remembered,
        api_keys={name: key.get_secret_value() for name, key in config.web.api_keys.items()},
    )
