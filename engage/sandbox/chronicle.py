"""What has happened in the sandbox, and what follows from it. The heart of the world; no network in here.

Everything that happens is written to the truth log first and then absorbed: by WeChat's books, by the phones, and by
making plans (receipts, reactions, consequences). A world that starts again absorbs its log in the same way, so that it
cannot come out different; plans already carried out are known by their keys.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol, assert_never

from engage.clock import Clock
from engage.sandbox.account import Account
from engage.sandbox.acting import errand
from engage.sandbox.agenda import Agenda
from engage.sandbox.chance import Chance
from engage.sandbox.faults import Fault, Faults
from engage.sandbox.model import (
    Act,
    ChannelName,
    FillSurvey,
    Follow,
    Handover,
    OneClickUnsubscribe,
    OpenLink,
    Person,
    Phone,
    Planned,
    Reaction,
    Register,
    SendForm,
    ShopEvent,
    TapMenu,
    Type,
    Unfollow,
)
from engage.sandbox.phones import Phones
from engage.sandbox.pushes import Errand
from engage.sandbox.receipts import receipt
from engage.sandbox.truth import Done, HandedOver, Record, TruthLog, place_of

# A world that starts again tells the engine once more what it told it in its last minute: it may not have been stored.
# Words that were due before that minute and were not typed made no sense at their time; they are not typed now.
_RETOLD = timedelta(seconds=60)


class Behaviour(Protocol):
    """How people react. Each call gets a random stream of its own: the same call always gives the same answer."""

    def reactions(self, phone: Phone, handover: Handover, rng: random.Random) -> Sequence[Reaction]:
        """What they will do about a message that has just reached them (the last of `phone.received`)."""
        ...

    def consequences(self, person: Person, act: Act, at: datetime, rng: random.Random) -> Sequence[Reaction]:
        """What they, or the shop about them, will do after an act: buy with the coupon they have just opened."""
        ...

    def still_makes_sense(self, phone: Phone, planned: Planned) -> bool:
        """Asked just before words are typed: whether what arrived meanwhile has made them pointless."""
        ...


@dataclass(frozen=True, slots=True)
class Telling:
    """The engine is to be told something, for the `attempt`-th time."""

    errand: Errand
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a world is made of, and stays the same when it starts again."""

    seed: int
    account: str  # gh_…
    people: Sequence[Person]
    behaviour: Behaviour
    script: Sequence[Planned]


class Chronicle:
    """Thread-safe. `lock` may be held by providers over several calls: to look at a window and take a message."""

    def __init__(self, truth: TruthLog, clock: Clock, faults: Faults, conditions: Conditions) -> None:
        self.lock = threading.RLock()
        self.clock = clock
        self.chance = Chance(conditions.seed)
        self.account = Account(conditions.people)
        self.phones = Phones(conditions.people)
        self.agenda: Agenda[Planned | Telling] = Agenda()
        self._truth = truth
        self._faults = faults
        self._conditions = conditions
        self._done: set[str] = set()
        self._start_again(truth.past())

    # --- providers ---

    def next_fault(self, channel: ChannelName, address: str) -> Fault:
        with self.lock:
            return self._faults.of_next_try(channel, address, self.phones.taken(channel, address))

    def blocks_account(self, openid: str) -> bool:
        return self._faults.blocks_account(openid)

    def next_id(self, channel: ChannelName, address: str) -> str:
        """The id of the address's next handover; hold the lock until it is taken."""
        return f"{channel}:{address}:{self.phones.taken(channel, address) + 1}"

    def take(self, handover: Handover, provider_id: str | None = None) -> None:
        """The provider is responsible from here on. Written down before this returns."""
        with self.lock:
            for at, told in self._absorb(self._truth.hand_over(handover, provider_id)):
                self.tell(at, Telling(told))

    # --- people ---

    def do(self, planned: Planned, asked: bool) -> Errand | None:
        """Do it now: written down, absorbed; what the engine is to be told is returned. None: it cannot be done, or
        has been done. `asked`: somebody insists, so nobody asks whether it makes sense."""
        with self.lock:
            if planned.key in self._done or not self._possible(planned.act):
                return None
            if not asked and not self._makes_sense(planned):
                return None
            record = self._truth.do(self.clock.now(), planned.key, planned.act)
            self._done.add(record.key)
            ((_, told),) = self._absorb(record)
            return told

    def phone(self, key: str) -> Phone:
        with self.lock:
            person = self.phones.person(key)
            return Phone(person, self.phones.received(key), self.account.follows(person.openid))

    def doer(self, act: Act) -> Person:
        """Whose act it is; a stranger is met. KeyError for a shop event about nobody."""
        if isinstance(act, ShopEvent | Register):
            return self.phones.person(act.person)
        return self.phones.meet(*place_of(act))

    # --- plans ---

    def tell(self, at: datetime, telling: Telling) -> None:
        with self.lock:
            self.agenda.add(at, f"{telling.errand.key}#{telling.attempt}", telling)

    def take_due(self) -> Planned | Telling | None:
        with self.lock:
            return self.agenda.take_due(self.clock.now())

    def next_due(self) -> datetime | None:
        with self.lock:
            return self.agenda.next_at()

    def _start_again(self, past: Sequence[Record]) -> None:
        alive_until = min(self.clock.now(), past[-1].at) if past else self.clock.now()
        self._last_minute = alive_until - _RETOLD
        self._done = {record.key for record in past if isinstance(record, Done)}
        for planned in self._conditions.script:
            self._plan(planned)
        for record in past:
            for at, told in self._absorb(record):
                if at >= self._last_minute:
                    self.tell(at, Telling(told))

    def _absorb(self, record: Record) -> list[tuple[datetime, Errand]]:
        """Take in what happened and plan what people do about it. Returns what the engine is to be told, and when."""
        self.account.absorb(record)
        self.phones.absorb(record)
        match record:
            case HandedOver():
                self._plan_reactions(record.handover)
                told = receipt(record, self._conditions.account, self.chance)
                return [told] if told else []
            case Done():
                person = self.doer(record.act)
                self._plan_consequences(record, person)
                extension = self._extension_answered(record.act)
                return [(record.at, errand(record, person, extension, self._conditions.account, self.chance))]

    def _plan_reactions(self, handover: Handover) -> None:
        owner = self.phones.owner(handover.channel, handover.address)
        if not handover.reached or owner is None:
            return
        rng = self.chance.stream("reactions", handover.id)
        for reaction in self._conditions.behaviour.reactions(self.phone(owner.key), handover, rng):
            self._plan(Planned(handover.at + reaction.after, f"{handover.id}/{reaction.name}", reaction.act))

    def _plan_consequences(self, record: Done, person: Person) -> None:
        rng = self.chance.stream("consequences", record.key)
        for reaction in self._conditions.behaviour.consequences(person, record.act, record.at, rng):
            self._plan(Planned(record.at + reaction.after, f"{record.key}/{reaction.name}", reaction.act))

    def _plan(self, planned: Planned) -> None:
        dropped = planned.at < self._last_minute and isinstance(planned.act, Type | TapMenu)
        if planned.key not in self._done and not dropped:
            self.agenda.add(planned.at, planned.key, planned)

    def _possible(self, act: Act) -> bool:
        match act:
            case Follow(openid):
                return not self.account.follows(openid)
            case Unfollow(openid) | TapMenu(openid) | Type(channel="wechat", address=openid):
                return self.account.follows(openid)
            case Type(channel=channel):
                return channel == "sms"  # the account's mailbox takes no replies
            case OpenLink() | FillSurvey() | SendForm() | OneClickUnsubscribe():
                return True
            case ShopEvent() | Register():
                return self.doer(act).ref is not None  # the shop speaks of its members only
            case _:
                assert_never(act)

    def _makes_sense(self, planned: Planned) -> bool:
        if not isinstance(planned.act, Type):
            return True
        return self._conditions.behaviour.still_makes_sense(self.phone(self.doer(planned.act).key), planned)

    def _extension_answered(self, act: Act) -> str:
        """The extension code that the last SMS on this phone was sent from: a reply goes there."""
        if not isinstance(act, Type) or act.channel != "sms":
            return ""
        received = self.phones.received(self.doer(act).key)
        last = next((handover for handover in reversed(received) if handover.channel == "sms"), None)
        return "" if last is None else str(last.payload.get("SmsUpExtendCode", ""))
