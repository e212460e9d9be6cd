"""What the web layer is given, and nothing else it may reach for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from engage.channels.contract import CallbackSource
from engage.clock import Clock
from engage.content.links import Links
from engage.core.catalog import Catalog
from engage.core.journey.model import Journey
from engage.store.database import Database


@dataclass(frozen=True, slots=True)
class WebDeps:
    """`catalog` and `journeys` give what is applied now: both may change while the server runs. They are called on the
    event loop, so they answer from memory."""

    database: Database
    clock: Clock
    links: Links
    sources: Mapping[str, CallbackSource]  # by name, as in /callbacks/<name>
    catalog: Callable[[], Catalog]
    journeys: Callable[[], Mapping[str, Journey]]  # by id
    api_keys: Mapping[str, str] = field(default_factory=dict, repr=False)  # name → key
