"""What `engage run` runs: an engine here, a web server in a process of its own, the pages of ops; and how all of it
takes up a changed config."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import structlog
from starlette.types import ASGIApp

from engage.bootstrap import build_context, open_database
from engage.clock import SystemClock
from engage.config import Config, load_config
from engage.errors import ConfigError, DatabaseUnavailable, EngageError
from engage.ops.app import Alive, OpsDeps, make_ops_app
from engage.ops.gauges import Gauges
from engage.ops.measures import Measures
from engage.runtime.context import AppliedHolder
from engage.runtime.engine import Engine
from engage.runtime.observing import Observer
from engage.runtime.outage import Outage
from engage.serving import web_deps
from engage.web.app import make_app
from engage.web.process import WebProcess
from engage.web.server import Server

log = structlog.get_logger("engage.daemon")


class Service:
    """A wired engine and its web process, not yet started. To be made before this process has threads or connections.

    `taken_up` is told of each config, also in the web process.
    """

    def __init__(self, config: Config, folder: Path, observer: Observer, taken_up: Callable[[Config], None]) -> None:
        self.config = config
        self.server = WebProcess(config, partial(_Front, folder, taken_up), observer)
        try:
            self.context = build_context(config, SystemClock(), open_database(config, folder), observer)
            self.engine = Engine(self.context)
        except BaseException:
            self.server.stop()
            raise

    def change(self, config: Config) -> Engine:
        """Everything anew but the database and the ports: callbacks are answered by the new config from now on, and the
        engine that is returned is to run in the place of the one before, whose calls may still be on the wire."""
        before = self.context
        context = build_context(config, before.clock, before.database, before.observer)
        engine = Engine(context)
        self.server.change(config)
        self.config, self.context, self.engine = config, context, engine
        return engine

    def close(self) -> None:
        self.server.stop()
        self.engine.close()
        self.context.database.close()


class _Front:
    """What the web process answers with: connections of its own to the same database."""

    def __init__(
        self,
        folder: Path,
        taken_up: Callable[[Config], None],
        config: Config,
        observer: Observer,
        arrived: Callable[[], None],
    ) -> None:
        self._database = open_database(config, folder, goes_first=True)
        self._applied = AppliedHolder(self._database)
        self._outage = Outage(SystemClock())
        self._taken_up = taken_up
        self._observer = observer
        self._arrived = arrived

    def app(self, config: Config) -> ASGIApp:
        self._taken_up(config)
        deps = web_deps(config, self._database, SystemClock(), self._applied, self._observer)
        return make_app(replace(deps, outage=self._outage, arrived=self._arrived))

    def look(self) -> None:
        """Where nothing can be read, what was in force until now stays so."""
        try:
            self._applied.current()
            self._outage.over("applied")
        except DatabaseUnavailable as error:
            self._outage.begun("applied", error)
        except EngageError as error:
            log.warning("applied_not_read", error=type(error).__name__)


def ops_server(service: Service, measures: Measures, daemon: Alive) -> Server:
    """Takes its port; not yet started."""
    context = service.context
    measures.watch_web(service.server.pid)
    measures.registry.register(Gauges(context.database, context.clock, lambda: service.context.channels))
    deps = OpsDeps(daemon, context.database, lambda: service.context.applied.current(), measures.registry)
    return Server(make_ops_app(deps), service.config.ops.host, service.config.ops.port, "ops.port")


# --- a changed config -------------------------------------------------------------------------------------------

# What a process is tied to from its start to its end.
_FIXED = ("database.url", "web.host", "web.port", "ops.host", "ops.port")


class Renewal:
    """What a SIGHUP asks for. A config that cannot be used changes nothing; what cannot change while the process runs
    stays as it was. Both are said in the log, with the keys and never with a value."""

    def __init__(self, service: Service, path: Path, taken_up: Callable[[Config], None]) -> None:
        self._service = service
        self._path = path
        self._taken_up = taken_up

    def __call__(self) -> Engine | None:
        """The engine that is to run from now on; None: the one that runs."""
        try:
            written = load_config(self._path)
            config = _with_fixed(written, self._service.config)
            changed, fixed = list(_differing(self._service.config, config)), list(_differing(config, written))
            engine = self._service.change(config) if changed else None
        except ConfigError as error:
            log.error("config_refused", why=error.said.en)
            return None
        if fixed:
            log.warning("config_needs_a_restart", keys=fixed)
        if engine is None:
            log.info("config_unchanged")
            return None
        self._taken_up(config)
        log.info("config_taken_up", keys=changed)
        return engine


def _with_fixed(written: Config, runs: Config) -> Config:
    """As it is written, but for what is fixed."""
    sections: dict[str, dict[str, Any]] = {}
    for key in _FIXED:
        section, name = key.split(".")
        sections.setdefault(section, {})[name] = getattr(getattr(runs, section), name)
    kept = {name: getattr(written, name).model_copy(update=update) for name, update in sections.items()}
    return written.model_copy(update=kept)


def _differing(one: Config, other: Config) -> Iterator[str]:
    """Keys, as deep as both have them."""
    yield from _differing_keys(one.model_dump(), other.model_dump())


def _differing_keys(one: Mapping[str, Any], other: Mapping[str, Any], above: str = "") -> Iterator[str]:
    for key in sorted({*one, *other}, key=str):
        before, after = one.get(key), other.get(key)
        if isinstance(before, dict) and isinstance(after, dict):
            yield from _differing_keys(before, after, f"{above}{key}.")
        elif before != after:
            yield f"{above}{key}"
