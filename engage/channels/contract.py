"""What a channel is to the rest of Engage. `registry` builds one of each; the engine knows only these types.

A channel answers three questions: in which *way* could this member be reached now (pure), what exactly goes on the wire
(pure, and stored before it goes), and what became of handing it over (the only call to the outside).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple, Protocol, runtime_checkable

from engage.core.catalog import Brand, TopicClass
from engage.core.fact import Act, Fact
from engage.core.outcome import SendOutcome
from engage.core.words import Rendered

# --- reaching a member ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Window:
    """The reply window a member's own act has opened, and how many messages it has taken so far."""

    act: Act
    opened_at: datetime
    used: int = 0


@dataclass(frozen=True, slots=True)
class Contact:
    """A member's address on one channel."""

    address: str
    window: Window | None = None


@dataclass(frozen=True, slots=True)
class Way:
    """How this message could go out now. `why` is for people (`engage explain`)."""

    mode: str
    why: str
    uses_window: bool = False  # takes one of the window's messages
    valid_until: datetime | None = None  # the window's end, if one limits this way
    repeat_within: timedelta | None = None  # the provider surely drops a second call with the same key this long
    price: Decimal = Decimal(0)  # expected, for ranking


@dataclass(frozen=True, slots=True)
class NoWay:
    """Not reachable lawfully on this channel now."""

    why: str


# --- one message ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Message:
    """Everything a channel needs to word one delivery."""

    delivery_id: int
    key: str  # idempotency key: the same for every attempt of this delivery
    address: str
    mode: str  # of the chosen Way
    rendered: Rendered
    topic: str
    topic_class: TopicClass
    brand: Brand
    unsubscribe_url: str  # one-click (RFC 8058) and page; bound to this delivery
    at: datetime


@dataclass(frozen=True, slots=True)
class Payload:
    """What goes on the wire, as JSON data: stored, hashed, and sent again byte for byte or not at all."""

    data: Mapping[str, Any]
    text: str  # what the member will read, for people who look later
    segments: int = 1
    cost: Decimal = Decimal(0)


class Channel(Protocol):
    name: str  # as in YAML: "wechat"
    concurrency: int  # calls at once
    per_second: float | None  # calls in a second at most, of all daemons together; None: no limit
    talks: bool  # whether members can write back here, and are read

    def supports(self, front: Mapping[str, Any], topic_class: TopicClass) -> bool:
        """Whether a template with this front matter has any way on this channel at all (checked when it is loaded)."""
        ...

    def way(self, front: Mapping[str, Any], contact: Contact, topic_class: TopicClass, now: datetime) -> Way | NoWay:
        """The best lawful way to reach the contact at `now`. Pure. `front` is the template's raw front matter."""
        ...

    def window_after(self, window: Window | None, act: Act, at: datetime) -> Window | None:
        """The window in force once the member has done `act`. None on channels without windows. Pure."""
        ...

    def compose(self, message: Message) -> Payload:
        """The wire form. Pure: the same message gives the same bytes."""
        ...

    def quote(self, message: Message) -> Payload:
        """What `compose` would come to (text, segments, cost), and no bytes where making them takes long: for worlds in
        which nothing is handed over. Pure."""
        ...

    async def send(self, payload: Payload, timeout: float) -> SendOutcome:
        """Hand over once, within `timeout` seconds. Never retries, never raises for what a provider or network does:
        anything after the request may have left that is not a definite answer is `Unknown`. All calls of a channel are
        made on one event loop."""
        ...

    async def close(self) -> None:
        """Drop connections: on the loop that made the calls, once they are over. A later call opens them anew."""
        ...


@runtime_checkable
class HoldsToken(Protocol):
    """A channel that is let in by a token it has to renew."""

    @property
    def token_age(self) -> float | None:
        """Seconds since the token in force was fetched; None if there is none yet."""
        ...


# --- callbacks --------------------------------------------------------------------------------------------------


class CallbackRequest(NamedTuple):
    """One HTTP request of a provider. `secret` is the last part of the path."""

    method: str
    secret: str
    query: Mapping[str, str]
    headers: Mapping[str, str]  # lower-case names
    body: bytes


class RawRecord(NamedTuple):
    """One fact as received, to be stored once under (source, key) before it is acknowledged."""

    key: str
    body: str


class Received(NamedTuple):
    """Genuine. Store the records, then answer. No records: nothing to store (a handshake)."""

    records: tuple[RawRecord, ...]
    answer: bytes = b""
    media_type: str = "text/plain"


@dataclass(frozen=True, slots=True)
class Refused:
    status: int
    why: str  # for the log; the caller learns nothing


class CallbackSource(Protocol):
    name: str  # the last but one part of the callback path, and `inbound.source`

    def open(self, request: CallbackRequest, now: datetime) -> Received | Refused:
        """Check that it is genuine and fresh, decrypt it, cut it into records. Pure; answers in microseconds."""
        ...

    def facts(self, body: str) -> tuple[Fact, ...]:
        """What a stored record says. Pure; run later, off the queue. Unknown kinds give no facts.
        Raises ValueError for a record that cannot be read."""
        ...
