"""What the loops share: the database, the clock, what is applied, and the ways out. Wired in `bootstrap`."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

from engage.channels.contract import CallbackSource, Channel
from engage.clock import Clock
from engage.config import Policy
from engage.content.links import Links
from engage.core.outcome import SendOutcome
from engage.core.webhook_call import CallOutcome
from engage.runtime.applied import Applied, load_applied
from engage.runtime.observing import Observer, Unobserved
from engage.store import journeys
from engage.store.databases.database import Database


class StaffRobot(Protocol):
    """Tells a group of staff something."""

    def send(self, text: str, timeout: float) -> SendOutcome: ...


class StaffMail(Protocol):
    """Writes to a colleague."""

    def send(self, to: str, subject: str, text: str, timeout: float) -> SendOutcome: ...


class WebhookReceiver(Protocol):
    """Takes the calls of webhook steps."""

    def call(self, body: str, key: str, timeout: float) -> CallOutcome: ...


class AppliedSource(Protocol):
    """Knows what is in force."""

    def current(self) -> Applied: ...

    def remembered(self) -> Applied: ...


class AppliedHolder:
    """The applied project, read again when somebody has applied another one."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._current: Applied | None = None

    def current(self) -> Applied:
        """Raises EngageError if nothing that can be run is applied."""
        with self._lock, self._database.read() as connection:
            if self._current is None or self._current.mark != journeys.mark(connection):
                self._current = load_applied(connection)
            return self._current

    def remembered(self) -> Applied:
        """What was current a moment ago, without asking the database again: for answers in a hurry."""
        return self._current or self.current()


@dataclass(frozen=True)
class Context:
    database: Database
    clock: Clock
    applied: AppliedSource
    policy: Policy
    links: Links
    channels: Mapping[str, Channel]
    sources: Mapping[str, CallbackSource]
    staff_robots: Mapping[str, StaffRobot] = field(default_factory=dict)  # by webhook name
    staff_mail: StaffMail | None = None
    webhooks: Mapping[str, WebhookReceiver] = field(default_factory=dict)  # of journeys, by name
    allowed: frozenset[str] | None = None  # the only addresses that may be written to; None: any, this is production
    guarded: bool = True  # starts that bring many are held back; no: nobody is there to let them go on, and it is noted
    sweep_every: timedelta = timedelta(hours=1)  # how often, at least, starts are looked for, and who crosses with time
    observer: Observer = field(default_factory=Unobserved)
