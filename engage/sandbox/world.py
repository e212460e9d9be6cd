"""A world to run Engage in: WeChat, an SMS gateway, a mail server, and the people and the shop behind them.

Time comes from the clock alone. Under a virtual clock the driver steps: `next_due()`, advance, `tick()`. Under the real
one a thread calls `tick()` now and then. Providers' servers answer from threads of their own the whole time.

A world is continued by making it again over the same folder, with the same seed, people and script.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import assert_never

from engage.clock import Clock
from engage.sandbox.account import ReplyWindow
from engage.sandbox.chance import Chance
from engage.sandbox.chronicle import Behaviour, Chronicle, Conditions, Telling
from engage.sandbox.courier import Courier, retry_after
from engage.sandbox.faults import Faults
from engage.sandbox.loopback import LoopbackServer
from engage.sandbox.mail_sink import MailSink
from engage.sandbox.model import Act, ChannelName, Person, Phone, Planned, SandboxSettings
from engage.sandbox.phones import Item
from engage.sandbox.pushes import Push, Visit, WeChatPush
from engage.sandbox.sms_gateway import ApprovedTexts, SmsGateway
from engage.sandbox.staff_room import StaffRoom
from engage.sandbox.truth import TruthLog
from engage.sandbox.wechat_api import WeChatApi

__all__ = ["ActResult", "Behaviour", "GivenUp", "Ports", "World"]


@dataclass(frozen=True, slots=True)
class ActResult:
    """What came of an act: whether it was possible, and what the engine answered, where it answered a person."""

    done: bool
    status: int | None = None  # of the page visited
    location: str | None = None  # where a link led away to
    page: str | None = None  # HTML that the engine showed


@dataclass(frozen=True, slots=True)
class GivenUp:
    """Something the engine would not hear in spite of all tries."""

    key: str
    answer: str


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the providers listen; 0 takes a free port."""

    wechat: int = 0
    sms: int = 0
    smtp: int = 0


_FREE_PORTS = Ports()


class World:
    """`sms_texts`: the approved texts that the SMS provider holds at the moment. OSError if a port is taken."""

    def __init__(
        self,
        folder: Path,
        clock: Clock,
        seed: int,
        settings: SandboxSettings,
        people: Sequence[Person],
        behaviour: Behaviour,
        script: Sequence[Planned],
        sms_texts: ApprovedTexts = dict,
        ports: Ports = _FREE_PORTS,
    ) -> None:
        chance = Chance(seed)
        self._clock = clock
        self._truth = TruthLog(folder / "truth")
        conditions = Conditions(seed, settings.account, people, behaviour, script)
        self._chronicle = Chronicle(self._truth, clock, Faults(chance, settings.faults), conditions)
        self._courier = Courier(settings, clock, chance)
        self._wechat = LoopbackServer(WeChatApi(self._chronicle, settings).respond, ports.wechat)
        self._sms = LoopbackServer(SmsGateway(self._chronicle, settings, sms_texts).respond, ports.sms)
        self._mail = MailSink(self._chronicle, ports.smtp)
        self._staff = StaffRoom(folder, clock)
        self._hands = threading.RLock()  # one thing is done at a time; never held by a provider's server
        self._by_hand = self._truth.last  # beyond any act by hand of an earlier life of this world
        self._given_up: list[GivenUp] = []

    # --- servers ---

    @property
    def wechat_url(self) -> str:
        return self._wechat.url

    @property
    def sms_url(self) -> str:
        return self._sms.url

    @property
    def smtp_host(self) -> str:
        return self._mail.host

    @property
    def smtp_port(self) -> int:
        return self._mail.port

    @property
    def staff_url(self) -> str:
        """Where the staff's group robots listen: one path for each group."""
        return self._staff.url

    def start(self) -> None:
        self._staff.start()
        self._wechat.start()
        self._sms.start()
        self._mail.start()

    def stop(self) -> None:
        self._wechat.stop()
        self._sms.stop()
        self._mail.stop()
        self._staff.stop()
        with self._hands:
            self._courier.close()
            self._truth.close()

    # --- time ---

    def next_due(self) -> datetime | None:
        """The moment of the next thing to happen by itself; it may have passed already."""
        return self._chronicle.next_due()

    def tick(self) -> int:
        """Do all that is due now, what follows from it at once included. Returns how many things were done."""
        count = 0
        with self._hands:
            while (due := self._chronicle.take_due()) is not None:
                match due:
                    case Planned():
                        count += self._perform(due, asked=False).done
                    case Telling():
                        self._tell(due)
                        count += 1
                    case _:
                        assert_never(due)
        return count

    def act(self, act: Act | Planned) -> ActResult:
        """Somebody does this now, because a person at the phone page says so."""
        with self._hands:
            return self._perform(act if isinstance(act, Planned) else self._planned_by_hand(act), asked=True)

    def given_up(self) -> tuple[GivenUp, ...]:
        """What the engine has missed: nothing, in a healthy run."""
        return tuple(self._given_up)

    # --- the phone page ---

    def people(self) -> tuple[Person, ...]:
        """Everybody with a phone, strangers who turned up included."""
        with self._chronicle.lock:
            return self._chronicle.phones.people()

    def phone(self, key: str) -> Phone:
        """KeyError for a key nobody has."""
        return self._chronicle.phone(key)

    def chat(self, key: str, channel: ChannelName) -> tuple[Item, ...]:
        """One channel on one phone: what came, what the person wrote, and the grey lines between, oldest first."""
        with self._chronicle.lock:
            return self._chronicle.phones.chat(key, channel)

    def reply_window(self, key: str) -> ReplyWindow | None:
        """What the WeChat account may still write to them; None while it may write nothing but template messages."""
        with self._chronicle.lock:
            openid = self._chronicle.phones.person(key).openid
            return None if openid is None else self._chronicle.account.window(openid, self._clock.now())

    # --- doing ---

    def _planned_by_hand(self, act: Act) -> Planned:
        self._by_hand += 1
        now = self._clock.now()
        return Planned(now, f"hand:{now.isoformat()}:{self._by_hand}", act)

    def _perform(self, planned: Planned, asked: bool) -> ActResult:
        errand = self._chronicle.do(planned, asked)
        if errand is None:
            return ActResult(False)
        return self._tell(Telling(errand))

    def _tell(self, telling: Telling) -> ActResult:
        match telling.errand:
            case Visit() as visit:
                landing = self._courier.visit(visit)
                return ActResult(True, landing.status, landing.location, landing.page)
            case push:
                self._post(push, telling.attempt)
                return ActResult(True)

    def _post(self, push: Push, attempt: int) -> None:
        posted = self._courier.post(push, attempt)
        if posted.accepted:
            return
        wait = None if posted.final else retry_after(push, attempt)
        if wait is not None:
            self._chronicle.tell(self._clock.now() + wait, Telling(push, attempt + 1))
            return
        self._given_up.append(GivenUp(push.key, posted.answer))
        if isinstance(push, WeChatPush) and push.shown:
            with self._chronicle.lock:
                words = "该公众号暂时无法提供服务，请稍后再试"
                self._chronicle.phones.note("wechat", push.openid, self._clock.now(), words)
