"""Wiring: config → database, channels, context. Only here and, for the daemon's engine and web server, in `serving`."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from engage.channels.registry import build_channels, build_sources
from engage.channels.staff import StaffMail, StaffRobot
from engage.channels.webhook import WebhookCaller
from engage.clock import Clock, SystemClock, VirtualClock
from engage.config import Config, secret_values
from engage.content.links import Links
from engage.errors import ConfigError
from engage.runtime.context import AppliedHolder, Context
from engage.runtime.observing import Observer, Unobserved
from engage.store import state
from engage.store.databases.database import Database, NoAddress, passwords_in, read_address


def open_database(config: Config, folder: Path, *, goes_first: bool = False) -> Database:
    """The configured database. A relative SQLite path is relative to the folder of the config file."""
    try:
        url = read_address(config.database.url)
    except NoAddress as error:
        raise ConfigError(f"database.url: {error.said.en}", f"database.url：{error.said.zh}") from None
    if url.get_backend_name() == "sqlite" and url.database and url.database != ":memory:":
        url = url.set(database=str((folder / url.database).resolve()))
    return Database(url.render_as_string(hide_password=False), goes_first=goes_first)


def secrets_in(config: Config) -> frozenset[str]:
    """The values of all of them, for whoever has to see to it that they are nowhere; and the passwords in the
    database's address."""
    return secret_values(config) | passwords_in(config.database.url)


def clock_of(database: Database) -> Clock:
    """The clock a database lives by: a demo's stands still where the demo left it; any other is the system's."""
    with database.read() as connection:
        moment = state.get(connection, state.VIRTUAL_NOW)
    return VirtualClock(datetime.fromisoformat(moment)) if moment is not None else SystemClock()


def links_of(config: Config) -> Links:
    return Links(config.web.signing_key.get_secret_value(), config.web.public_url)


def build_context(config: Config, clock: Clock, database: Database, observer: Observer | None = None) -> Context:
    return Context(
        database=database,
        clock=clock,
        applied=AppliedHolder(database),
        policy=config.policy,
        links=links_of(config),
        channels=build_channels(config, clock),
        sources=build_sources(config),
        staff_robots={name: StaffRobot(webhook, clock) for name, webhook in config.webhooks.items()},
        staff_mail=StaffMail(config.channels.email, clock) if config.channels.email is not None else None,
        webhooks={name: WebhookCaller(webhook) for name, webhook in config.webhooks.items()},
        observer=observer or Unobserved(),
        allowed=config.addresses_for_tests if config.environment == "test" else None,
    )
