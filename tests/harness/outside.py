"""What members, the shop, the staff and the providers tell, and the log of it: what was committed, and when.

Facts go through the inbox, like everything that comes from outside. A fact counts from the moment at which a worker
has committed having read it; the harness looks for that after every commit, and keeps it here.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from sqlalchemy import select

from engage.core.fact import (
    Arrival,
    Clicked,
    Fact,
    Followed,
    Happened,
    MemberGiven,
    OptedOut,
    Receipt,
    Typed,
    Unfollowed,
)
from engage.core.fact_json import fact_to_json
from engage.core.outcome import Failure
from engage.store import inbound, state
from engage.store.databases.database import Database
from engage.store.inbound import Arrived
from engage.store.tables import enrolment
from engage.store.tables import inbound as inbound_table
from tests.harness.cast import BY_CANARY, EVIDENCE, GRANTED, PEOPLE, Person
from tests.harness.clock import SkippingClock
from tests.harness.dice import Dice
from tests.harness.project import ENOUGH_POINTS, MARKETING, SERVICE, journey_of
from tests.harness.truth import Call, Saying
from tests.harness.weather import Weather


@dataclass(eq=False)
class Told:
    """A fact in the inbox. `read`: when a worker committed having read it."""

    key: str
    fact: Fact
    read: datetime | None = None  # the true time
    read_by_clock: datetime | None = None
    live: frozenset[str] = frozenset()  # references of the runs it met on their way


@dataclass(eq=False)
class Pause:
    scope: str
    since: datetime
    ends: datetime
    until: datetime | None = None  # when it was lifted


@dataclass
class Log:
    """Which words were committed, and when."""

    told: list[Told] = field(default_factory=list)
    pauses: list[Pause] = field(default_factory=list)
    edited: bool = False

    def read(self) -> Iterator[tuple[Told, datetime]]:
        return ((told, told.read) for told in self.told if told.read is not None)


class Outside:
    """The shop tells by the servers' clock; WeChat, of who follows, by its own, which is right."""

    def __init__(self, database: Database, clock: SkippingClock, weather: Weather, dice: Dice) -> None:
        self.log = Log()
        self._database = database
        self._clock = clock
        self.weather = weather
        self._dice = dice
        self._keys = count(1)
        self._refs = count(1)
        self._ahead: list[tuple[datetime, int, str, Fact]] = []
        self._to_pause: list[tuple[datetime, str]] = []
        self._unread: dict[str, Told] = {}

    # --- told ---------------------------------------------------------------------------------------------------

    def next_due(self) -> datetime | None:
        ends = [pause.ends for pause in self.log.pauses if pause.until is None]
        begins = [moment for moment, _ in self._to_pause]
        return min([*ends, *begins, *(moment for moment, *_ in self._ahead[:1])], default=None)

    def later(self, after: timedelta, fact: Fact, *, key: str | None = None) -> None:
        number = next(self._keys)
        heapq.heappush(self._ahead, (self._clock.true + after, number, key or f"fact:{number}", fact))

    def tells_what_is_due(self) -> None:
        while self._ahead and self._ahead[0][0] <= self._clock.true:
            _, _, key, fact = heapq.heappop(self._ahead)
            self._tell(key, fact)
        for moment, scope in [each for each in self._to_pause if each[0] <= self._clock.true]:
            self._to_pause.remove((moment, scope))
            self._pauses(scope)
        self.resumes(until=self._clock.true)

    def _tell(self, key: str, fact: Fact) -> None:
        source = inbound.API if isinstance(fact, Happened | MemberGiven) else inbound.PAGE
        with self._database.write() as connection:
            new = inbound.put(connection, [Arrived(source, key, fact_to_json(fact))], self._clock.now())
        if new:
            self._unread[key] = Told(key, fact)
            self.log.told.append(self._unread[key])

    def unreadable(self) -> None:
        """A record that says nothing to anybody."""
        with self._database.write() as connection:
            broken = Arrived(inbound.PAGE, f"broken:{next(self._keys)}", "{not a fact")
            inbound.put(connection, [broken], self._clock.now())

    def looks_what_was_read(self) -> None:
        """To be asked after every commit of a worker."""
        if not self._unread:
            return
        wanted = inbound_table.c.key.in_(list(self._unread))
        with self._database.read() as connection:
            read = connection.scalars(select(inbound_table.c.key).where(wanted, inbound_table.c.status == "done")).all()
            if not read:
                return
            live = connection.execute(_LIVE).all()
        for key in read:
            told = self._unread.pop(key)
            told.read, told.read_by_clock = self._clock.true, self._clock.now()
            told.live = frozenset(f"{row.journey_id}/{ref_of(row)}" for row in live)

    # --- what may happen ----------------------------------------------------------------------------------------

    def something_happens(self) -> str:
        person = PEOPLE[0] if self._dice.hits(self.weather.throng) else self._dice.one_of(PEOPLE)
        act = self._dice.by_weight(_ACTS)
        now, address = self._clock.now(), person.addresses
        match act:
            case "bought" | "shipped" | "visited" | "asked_back":
                self.starts(person, act)
            case "paid" | "refunded":
                self.later(_NOW, Happened(person.ref, act, {"ref": self._any_ref()}, now))
            case "words on wechat":
                self.later(_NOW, Typed("wechat", address["wechat"], self._dice.one_of(["你好", "9", "3", "很好"]), now))
            case "words by sms":
                self.later(_NOW, Typed("sms", address["sms"], self._dice.one_of(["10", "2", "谢谢"]), now))
            case "opts out":
                channel = self._dice.one_of(list(address))
                topic = self._dice.one_of([None, None, "survey", "marketing"])
                self.later(_NOW, OptedOut(channel, now, "page", address=address[channel], topic=topic))
            case "types td":
                self.later(_NOW, Typed("sms", address["sms"], "TD", now))
            case "unfollows":
                self.later(_NOW, Unfollowed("wechat", address["wechat"], self._clock.true))
            case "follows":
                self.later(_NOW, Followed("wechat", address["wechat"], self._clock.true))
            case "earns points":
                self.later(_NOW, self._earned(person))
            case "nonsense":
                self.unreadable()
            case "a receipt of nobody's":
                self.later(_NOW, Receipt("sms", Arrival.DELIVERED, now, delivery_id=999_999))
            case _:
                self._pauses(self._dice.one_of(_SCOPES))
        return f"{act} ({person.ref})"

    def turns_against(self, channel: str, saying: Saying) -> str:
        """What must stop this message comes while it is being worded."""
        act = self._dice.one_of(list(_against(channel, saying)))
        self._acts_against(act, _NOW, channel, saying)
        return f"{act}, while {saying} is being worded"

    def changes_meanwhile(self, call: Call) -> str:
        """Something that matters to another call comes before that can be made."""
        person = BY_CANARY[call.saying.canary]
        after = self._dice.between(_NOW, self._dice.one_of([timedelta(seconds=50), timedelta(minutes=9)]))
        if self._dice.hits(0.6):
            self.later(after, self._earned(person))
            return f"earns points, while nobody knows of {call.saying}"
        act = self._dice.one_of(list(_against(call.channel, call.saying)))
        self._acts_against(act, after, call.channel, call.saying)
        return f"{act}, while nobody knows of {call.saying}"

    def _acts_against(self, act: str, after: timedelta, channel: str, saying: Saying) -> None:
        person, now = BY_CANARY[saying.canary], self._clock.now()
        match act:
            case "says no":
                self.later(after, OptedOut(channel, now, "page", address=person.addresses[channel]))
            case "unfollows":
                self.later(after, Unfollowed(channel, person.addresses[channel], self._clock.true))
            case "paid" | "refunded":
                self.later(after, Happened(person.ref, act, {"ref": saying.ref}, now))
            case "has enough points":
                self.later(after, self._earned(person, at_least=ENOUGH_POINTS + 1))
            case "visits":
                self.starts(person, "visited")
            case _:
                scope = self._dice.one_of(["all", f"channel:{channel}", f"journey:{journey_of(saying.message)}"])
                self._to_pause.append((self._clock.true + after, scope))

    def starts(self, person: Person, event: str) -> None:
        fact = Happened(person.ref, event, {"ref": f"r{next(self._refs)}"}, self._clock.now())
        key = f"start:{next(self._keys)}"
        self.later(_NOW, fact, key=key)
        if self._dice.hits(0.2):  # told twice
            self.later(timedelta(minutes=1), fact, key=key)

    def _earned(self, person: Person, at_least: int = 1) -> MemberGiven:
        """The shop's list says of everybody that they have agreed to all, whatever they have said to us since."""
        values = {"points": self._dice.some(at_least, 99)}
        return MemberGiven(person.ref, self._clock.now(), values, {}, GRANTED, EVIDENCE)

    def _any_ref(self) -> str:
        told = [t.fact.payload["ref"] for t in self.log.told if isinstance(t.fact, Happened)]
        return str(self._dice.one_of(told)) if told else "r0"

    def _pauses(self, scope: str) -> None:
        if any(pause.scope == scope and pause.until is None for pause in self.log.pauses):
            return
        with self._database.write() as connection:
            state.pause_scopes(connection, [scope], "值班", self._clock.now())
        ends = self._clock.true + self._dice.between(timedelta(minutes=3), timedelta(minutes=40))
        self.log.pauses.append(Pause(scope, self._clock.true, ends))

    def resumes(self, until: datetime) -> None:
        """What was to be paused until then."""
        for pause in self.log.pauses:
            if pause.until is None and pause.ends <= until:
                with self._database.write() as connection:
                    state.resume_scopes(connection, [pause.scope])
                pause.until = self._clock.true

    # --- what providers report ----------------------------------------------------------------------------------

    def provider_reports(self, call: Call) -> None:
        """Receipts of a message that is on a phone: perhaps at once, days late, twice, out of order, never."""
        how = self._dice.by_weight(self.weather.receipts or {"none": 1.0})
        arrivals = [Arrival(word) for word in how.split(", ") if word != "none"]
        if not arrivals or (call.delivery_id is None and call.provider_id is None):
            return
        early = self._dice.hits(self.weather.early)
        for arrival in arrivals:
            after = _NOW if early else self._dice.between(_NOW, self._dice.one_of(_DELAYS))
            key = f"receipt:{next(self._keys)}"
            for again in range(2 if self._dice.hits(0.1) else 1):
                self.later(after * (again + 1), self._receipt(call, arrival), key=key if self._dice.hits(0.5) else None)
        if call.delivery_id is not None and self._dice.hits(0.3):
            after = self._dice.between(_NOW, timedelta(hours=5))
            self.later(after, Clicked(call.delivery_id, "shop", self._clock.now() + after))

    def _receipt(self, call: Call, arrival: Arrival) -> Receipt:
        own_id = call.delivery_id if call.channel != "wechat" else None
        named = None if own_id is not None else call.provider_id
        failure = Failure.UNREACHABLE if arrival is Arrival.BOUNCED else None
        return Receipt(call.channel, arrival, self._clock.now(), own_id, named, failure=failure, code="R")


def ref_of(run: Any) -> str:
    """Whoever was not brought by an event has none."""
    return str(run.context.get("event", {}).get("ref", "r0"))


def _against(channel: str, saying: Saying) -> Iterator[str]:
    journey = journey_of(saying.message)
    yield "pauses"
    if saying.message not in SERVICE:
        yield "says no"
    if channel == "wechat":
        yield "unfollows"
    if journey in ("promo", "care"):
        yield "paid" if journey == "promo" else "refunded"
    if saying.message == "thanks":
        yield "has enough points"
    if saying.message in MARKETING:
        yield "visits"  # and what that brings uses the same cap


_NOW = timedelta(0)
_SCOPES = ["all", "journey:promo", "journey:care", "channel:sms", "channel:email"]
_DELAYS = [timedelta(seconds=30), timedelta(minutes=8), timedelta(hours=4), timedelta(days=2)]
_LIVE = select(enrolment.c.journey_id, enrolment.c.context).where(enrolment.c.status == "live")
_ACTS = {
    "bought": 6.0, "shipped": 6.0, "visited": 5.0, "asked_back": 5.0, "paid": 1.5, "refunded": 1.0,
    "words on wechat": 3.0, "words by sms": 3.0, "opts out": 1.5, "types td": 0.7, "unfollows": 0.5, "follows": 0.8,
    "earns points": 2.0, "nonsense": 0.3, "a receipt of nobody's": 0.3, "pauses": 0.8,
}  # fmt: skip
