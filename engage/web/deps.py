"""What the web layer is given, and nothing else it may reach for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from engage.channels.contract import CallbackSource
from engage.clock import Clock
from engage.content.links import Links
from engage.core.catalog import Catalog
from engage.runtime.applied import Applied
from engage.runtime.observing import Observer, Unobserved
from engage.runtime.outage import Outage
from engage.store.databases.database import Database


@dataclass(frozen=True, slots=True)
class WebDeps:
    """`applied` gives what is applied now: it may change while the server runs. It is called on the event loop, so it
    answers from memory."""

    database: Database
    clock: Clock
    outage: Outage
    links: Links
    sources: Mapping[str, CallbackSource]  # by name, as in /callbacks/<name>
    applied: Callable[[], Applied]
    api_keys: Mapping[str, str] = field(default_factory=dict, repr=False)  # name → key
    observer: Observer = field(default_factory=Unobserved)
    arrived: Callable[[], None] = lambda: None  # called, on any thread, when something was stored

    def catalog(self) -> Catalog:
        return self.applied().catalog
