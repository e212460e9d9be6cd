"""A stage: a real engine on a real SQLite file, a sandbox world on loopback, one clock that moves when it is told to.

Members are brought on stage first (`member`), then the curtain rises (`apply`): the files are applied, the members
imported as a shop's list would be, silently. From there on everything happens over the network, as in life. What
reached people is read from the sandbox's truth, never from our own tables.

Times are the business's own: `day 0` is the day the curtain rises.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
from by_hand import ByHand
from sqlalchemy import Connection, select
from stage_wiring import API_KEY, House, Setup, build_house, config_of, read_files, shipped_files

from engage.bootstrap import build_context
from engage.clock import VirtualClock
from engage.core import schedule
from engage.core.duration import parse_duration
from engage.core.journey.model import OnDate, OnSchedule
from engage.core.quiet import zone_of
from engage.exchange.importing import import_events, import_members
from engage.runtime.applied import Applied
from engage.runtime.applying import ApplyReport, apply
from engage.runtime.engine import Engine
from engage.sandbox.loopback import LoopbackServer
from engage.sandbox.model import (
    Act,
    ChannelName,
    FillSurvey,
    Follow,
    Handover,
    OneClickUnsubscribe,
    OpenLink,
    Person,
    ShopEvent,
    TapMenu,
    Type,
    Unfollow,
)
from engage.sandbox.world import ActResult, World
from engage.store import advancing, dispatching, events, members, state, tasks
from engage.store.database import Database
from engage.store.members import MemberRef
from engage.store.tables import answer, consent, contact_point, decision, delivery, enrolment, event, inbound, tag, task
from engage.store.tasks import TaskRow

ZONE = ZoneInfo("Asia/Shanghai")
_CHANNELS: tuple[ChannelName, ...] = ("wechat", "sms", "email")
_HTTP = httpx.Client(trust_env=False)


@dataclass(frozen=True, slots=True)
class Came:
    """One message on a phone."""

    when: str  # "day 2 10:00", in the business's zone
    channel: str
    text: str
    handover: Handover = field(repr=False, compare=False)


@dataclass
class Stage:
    folder: Path
    starts: str = "2026-11-23 10:00"
    faults: bool = False
    setup: Setup = field(default_factory=Setup)

    def __post_init__(self) -> None:
        self.began = datetime.fromisoformat(self.starts).replace(tzinfo=ZONE)
        self.clock = VirtualClock(self.began)
        self._people: dict[str, Person] = {}
        self._rows: list[dict[str, str]] = []
        self._history: list[dict[str, str]] = []
        self._reported = 0
        self._servers: list[LoopbackServer] = []
        self._house: House | None = None
        self._down = False
        self.engine: Engine

    # --- before the curtain rises -------------------------------------------------------------------------------

    def member(
        self,
        name: str,
        *,
        wechat: bool | str = False,
        sms: bool | str = False,
        email: bool | str = False,
        consents: str = "yes",
        tags: str = "",
        zone: str = "",
        on_file: bool = True,
        follows: bool = True,
        phone_dead: bool = False,
        mailbox_dead: bool = False,
        **fields: object,
    ) -> None:
        """Someone the shop knows; an address may be given instead of True. `on_file=False`: not imported, they register
        later. `follows=False`: they have WeChat, and do not follow the account yet."""
        number = len(self._people) + 1
        person = Person(
            key=name,
            name=name,
            ref=f"M{number:04d}",
            openid=_address(wechat, f"oFollower{number:019d}"),
            phone=_address(sms, f"138{number:08d}"),
            email=_address(email, f"m{number}@example.com"),
            follows=bool(wechat) and follows,
            phone_dead=phone_dead,
            mailbox_dead=mailbox_dead,
        )
        self._people[name] = person
        row = {"member": person.ref or "", "name": name, "consent": consents, "tags": tags, "timezone": zone}
        row |= {channel: person.address(channel) or "" for channel in _CHANNELS}
        if on_file:
            self._rows.append(row | {key: str(value) for key, value in fields.items()})

    def stranger(self, name: str) -> None:
        """Someone with WeChat whom the shop does not know, and who does not follow yet."""
        self._people[name] = Person(key=name, name=name, ref=None, openid=f"oStranger{len(self._people):019d}")

    def history(self, name: str, event: str, ago: str, **data: object) -> None:
        """Something that happened before the curtain rose; comes with the shop's file."""
        at = self.began - _span(ago)
        row = {"id": f"h{len(self._history)}", "member": self._people[name].ref or "", "event": event}
        self._history.append(row | {"at": at.isoformat()} | {key: str(value) for key, value in data.items()})

    def apply(
        self,
        journeys: Mapping[str, str] | None = None,
        *,
        templates: Mapping[str, str] | None = None,
        catalog: str | None = None,
        existing: bool = False,
    ) -> ApplyReport:
        """Apply the shipped project; or, of journeys, only these, with the shipped words. The first time the curtain
        rises: the members are imported once the files are in force."""
        project = read_files(_files(journeys, templates or {}, catalog))
        first = self._house is None
        if first:
            self._rise()
        report = apply(self.database, project, self.clock.now(), existing=existing)
        if first:
            self.house.app.server.start()
            self.imports(self._rows, self._history)
        return report

    def _rise(self) -> None:
        people = list(self._people.values())
        self._house = build_house(self.folder, self.clock, people, faults=self.faults, setup=self.setup)
        self.engine = self._house.app.engine

    def close(self) -> None:
        if self._house is not None:
            self.engine.close()
            self._house.close()
        for server in self._servers:
            server.stop()

    # --- what is on stage ---------------------------------------------------------------------------------------

    @property
    def house(self) -> House:
        assert self._house is not None, "the curtain has not risen: apply() first"
        return self._house

    @property
    def world(self) -> World:
        return self.house.world

    @property
    def database(self) -> Database:
        return self.house.app.context.database

    @property
    def applied(self) -> Applied:
        return self.house.app.context.applied.current()

    def engine_dies(self) -> None:
        """The process is gone, with all it had in memory; another one takes up the database."""
        self.engine.close()
        self.engine = Engine(self.house.app.context)

    def reconfigures(self, setup: Setup) -> None:
        """Ops correct `config.yaml` and start the daemon again."""
        self.engine.close()
        config = config_of(self.world, self.house.app.server.port, setup)
        self.engine = Engine(build_context(config, self.clock, self.database))

    def owns(self, server: LoopbackServer) -> None:
        """A server of the business's own, stopped with the stage."""
        self._servers.append(server)

    @property
    def url(self) -> str:
        return self.house.app.server.url

    # --- time ---------------------------------------------------------------------------------------------------

    def run_until(self, day: int = 0, at: str = "10:00") -> None:
        self.run_to(self.moment(day, at))

    def passes(self, span: str) -> None:
        self.run_to(self.clock.now() + _span(span))

    def passes_seconds(self, seconds: int) -> None:
        self.run_to(self.clock.now() + timedelta(seconds=seconds))

    def run_to(self, end: datetime) -> None:
        """Let time pass, stopping at each thing that is due on the way."""
        self.settle()
        while not self._down and (moment := self._next_moment()) <= end:
            self.clock.advance_to(moment)
            self.settle()
        self.clock.advance_to(end)
        self.settle()

    def settle(self) -> None:
        """Until nothing is left to do at this moment."""
        while (0 if self._down else self.engine.run_until_idle()) + self.world.tick():
            pass

    @contextmanager
    def daemon_down(self) -> Iterator[None]:
        """The loops stand still; callbacks are still taken in, and the world goes on."""
        self._down = True
        yield
        self._down = False
        self.settle()

    @contextmanager
    def by_hand(self) -> Iterator[ByHand]:
        """The loops go only as far as they are told."""
        with self.daemon_down():
            yield ByHand(self.engine, self.applied, self.clock)

    @contextmanager
    def another_worker(self) -> Iterator[ByHand]:
        """A second process on the same database."""
        engine = Engine(self.house.app.context)
        yield ByHand(engine, self.applied, self.clock)
        engine.close()

    def moment(self, day: int, at: str) -> datetime:
        return self.moment_of(f"{(self.began + timedelta(days=day)).date().isoformat()} {at}")

    def moment_of(self, local: str) -> datetime:
        return datetime.fromisoformat(local).replace(tzinfo=ZONE).astimezone(UTC)

    def local(self, at: datetime) -> datetime:
        return at.astimezone(ZONE)

    def _next_moment(self) -> datetime:
        """What is due next. The engine's own hourly look at segments is left to the moments at which there is
        something else to do, and to ten o'clock: so a month passes in a second."""
        now = self.clock.now()
        with self.database.read() as connection:
            due = [
                advancing.next_due(connection, now),
                dispatching.next_due(connection, now),
                tasks.next_notice_due(connection, now),
                self.world.next_due(),
                *self._starts_after(connection, now),
            ]
        ten = self.local(now).replace(hour=10, minute=0, second=0, microsecond=0)
        look = ten if ten > now else ten + timedelta(days=1)
        return max(min([look, *(moment for moment in due if moment is not None)]), now)

    def _starts_after(self, connection: Connection, now: datetime) -> Iterator[datetime]:
        for zone_name in members.timezones(connection):
            zone = zone_of(zone_name, self.applied.catalog.timezone)
            for active in self.applied.journeys.values():
                if isinstance(active.journey.start, OnDate | OnSchedule) and not active.draining:
                    yield schedule.next_slot(active.journey.start, now, zone).at

    # --- what people and the shop do ----------------------------------------------------------------------------

    def happens(self, name: str, event: str, **data: object) -> None:
        """The shop reports it, over the HTTP API."""
        self._reported += 1
        self._does(ShopEvent(name, event, data, f"e{self._reported}"))

    def registers(self, name: str, *, consents: Sequence[str] = (), zone: str | None = None, **fields: object) -> None:
        """The shop registers the member over the HTTP API. `consents`: topics, granted on every channel they have."""
        person = self._people[name]
        addresses = {c: address for c in _CHANNELS if (address := person.address(c)) is not None}
        granted = [
            {"topic": topic, "channel": channel, "granted": True, "evidence": "门店登记表"}
            for topic in consents
            for channel in addresses
        ]
        body: dict[str, Any] = {"member": person.ref, "fields": {"name": name, **fields}, "addresses": addresses}
        self.posts("/api/members", body | {"consents": granted} | ({"timezone": zone} if zone else {}))

    def posts(self, path: str, body: Mapping[str, Any]) -> None:
        told = _HTTP.post(self.url + path, json=dict(body), headers={"Authorization": f"Bearer {API_KEY}"})
        assert told.status_code == 202, told.text
        self.settle()

    def sms_pushes(self, *items: Mapping[str, object]) -> None:
        """One post of the SMS provider."""
        told = _HTTP.post(f"{self.url}/callbacks/aliyun_sms/smscb", json=[dict(item) for item in items])
        assert told.status_code == 200, told.text
        self.settle()

    def types(self, name: str, text: str, channel: ChannelName = "wechat") -> None:
        self._does(Type(channel, self.address(name, channel), text))

    def taps(self, name: str, words: str) -> None:
        """An item of the last WeChat menu message."""
        menu = self.last(name, "wechat").handover.menu
        item = next(item for item in menu if item[1] == words)
        self._does(TapMenu(self.address(name, "wechat"), *item))

    def clicks(self, name: str, channel: ChannelName | None = None) -> None:
        """The first link of the last message."""
        assert self.opens(name, self.last(name, channel).handover.links[0].url, channel).status == 302

    def opens(self, name: str, url: str, channel: ChannelName | None = None) -> ActResult:
        """An address from the last message."""
        came = self.last(name, channel)
        return self._does(OpenLink(came.handover.channel, came.handover.address, url))

    def fills(self, name: str, score: int, comment: str | None = None, channel: ChannelName = "email") -> ActResult:
        """The survey page behind the last message: opened, and sent."""
        came = self.last(name, channel)
        link = next(link.url for link in came.handover.links if "/s/" in link.url)
        return self._does(FillSurvey(channel, came.handover.address, link, score, comment))

    def follows(self, name: str) -> None:
        self._does(Follow(self.address(name, "wechat")))

    def unfollows(self, name: str) -> None:
        self._does(Unfollow(self.address(name, "wechat")))

    def unsubscribes(self, name: str) -> None:
        """By the mail client's own button."""
        came = self.last(name, "email")
        assert came.handover.unsubscribe_url is not None
        self._does(OneClickUnsubscribe(came.handover.address, came.handover.unsubscribe_url))

    def _does(self, act: Act) -> ActResult:
        result = self.world.act(act)
        assert result.done, f"{act} could not be done"
        self.settle()
        return result

    def closes_task(self, row: TaskRow, outcome: str) -> None:
        """A colleague has done it: the task is closed, and that is an event."""
        now = self.clock.now()
        with self.database.write() as connection:
            assert tasks.close(connection, row, outcome, "小周", now)
            done = events.NewEvent(
                row.member,
                "task_done",
                now,
                f"task_done:{row.id}",
                {"outcome": outcome},
                enrolment_id=row.enrolment_id,
                journey_id=row.journey_id,
                step_id=row.step_id,
            )
            events.record(connection, self.applied.catalog, [done], now)
        self.settle()

    def sets_zone(self, name: str, zone: str) -> None:
        """As an older list may have left it: no door of today's lets such a zone in."""
        with self.database.write() as connection:
            members.set_timezone(connection, self.ref(name), zone, self.clock.now())

    def suppress(self, name: str, channel: ChannelName, reason: str) -> None:
        """The address is on the do-not-contact list."""
        (point,) = [point for point in self.points(name) if point.channel == channel]
        with self.database.write() as connection:
            members.suppress(connection, channel, point.address, reason, self.clock.now())

    def refuses(self, name: str, topic: str, channel: ChannelName) -> None:
        """The member says so at the counter."""
        self.posts(
            "/api/members",
            {
                "member": self._people[name].ref,
                "consents": [{"topic": topic, "channel": channel, "granted": False, "evidence": "柜台"}],
            },
        )

    def pauses(self, scope: str) -> None:
        with self.database.write() as connection:
            state.pause_scopes(connection, [scope], "值班", self.clock.now())

    def resumes(self, scope: str) -> None:
        with self.database.write() as connection:
            assert state.resume_scopes(connection, [scope]) == 1

    def imports(self, rows: Sequence[Mapping[str, str]], history: Sequence[Mapping[str, str]] = ()) -> None:
        """Files of the shop: members first, then what happened to them. Silent."""
        database, now = self.database, self.clock.now()
        if rows:
            report = import_members(database, self.applied.catalog, self._csv("members.csv", rows), now)
            assert report.accepted == len(rows), report
        self.settle()
        if history:
            report = import_events(database, self.applied.catalog, self._csv("events.csv", history), now)
            assert report.accepted == len(history), report
        self.settle()

    def imports_again(self) -> tuple[int, int]:
        """The same list of members once more: (rows read, rows accepted)."""
        path = self._csv("members again.csv", self._rows)
        report = import_members(self.database, self.applied.catalog, path, self.clock.now())
        self.settle()
        return report.read, report.accepted

    def _csv(self, name: str, rows: Sequence[Mapping[str, str]]) -> Path:
        path = self.folder / name
        columns = list(dict.fromkeys(key for row in rows for key in row))
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, columns, restval="")
            writer.writeheader()
            writer.writerows(rows)
        return path

    # --- what reached people ------------------------------------------------------------------------------------

    def address(self, name: str, channel: ChannelName) -> str:
        address = self._people[name].address(channel)
        assert address is not None, f"{name} has no {channel}"
        return address

    def phone(self, name: str) -> list[Came]:
        """All that reached them, oldest first, by the sandbox's truth."""
        return [
            Came(self.when(handover.at), handover.channel, _words(handover), handover)
            for handover in self.world.phone(name).received
        ]

    def last(self, name: str, channel: ChannelName | None = None) -> Came:
        came = [c for c in self.phone(name) if channel in (None, c.channel)]
        assert came, f"nothing reached {name}"
        return came[-1]

    def got(self, name: str) -> list[tuple[str, str]]:
        """(when, channel) of all that reached them."""
        return [(came.when, came.channel) for came in self.phone(name)]

    def when(self, at: datetime) -> str:
        local = self.local(at)
        return f"day {(local.date() - self.began.date()).days} {local:%H:%M}"

    # --- what Engage has on file --------------------------------------------------------------------------------

    def ref(self, name: str) -> MemberRef:
        person = self._people[name]
        by = (members.MEMBER_KIND, person.ref) if person.ref is not None else ("wechat", person.openid)
        with self.database.read() as connection:
            return members.find(connection, by[0], [by[1] or ""])[by[1] or ""]

    def profile(self, name: str) -> Mapping[str, Any]:
        ref = self.ref(name)
        with self.database.read() as connection:
            return members.profiles(connection, self.applied.catalog, [ref], self.clock.now())[ref.id].values

    def tags(self, name: str) -> set[str]:
        return {row.tag for row in self.rows(tag, name)}

    def rows(self, table: Any, name: str | None = None, **where: object) -> list[Any]:
        """Rows of a table, in id order; of one member, if named."""
        query = select(table).where(*(table.c[column] == value for column, value in where.items()))
        if name is not None:
            query = query.where(table.c.member_id == self.ref(name).id)
        if "id" in table.c:
            query = query.order_by(table.c.id)
        with self.database.read() as connection:
            return list(connection.execute(query))

    def deliveries(self, name: str | None = None, **where: object) -> list[Any]:
        return self.rows(delivery, name, **where)

    def delivery(self, name: str, **where: object) -> Any:
        (row,) = self.deliveries(name, **where)
        return row

    def runs(self, name: str, journey: str | None = None) -> list[Any]:
        return self.rows(enrolment, name, **({"journey_id": journey} if journey else {}))

    def run(self, name: str, journey: str) -> Any:
        (row,) = self.runs(name, journey)
        return row

    def points(self, name: str) -> list[Any]:
        return self.rows(contact_point, name)

    def consents(self, name: str) -> list[Any]:
        return self.rows(consent, name)

    def answers(self, name: str) -> list[Any]:
        return self.rows(answer, name)

    def events(self, name: str, kind: str) -> list[Any]:
        return [row for row in self.rows(event, name) if row.name == kind]

    def inbox(self, **where: object) -> list[Any]:
        return self.rows(inbound, **where)

    def trail(self, name: str, journey: str) -> list[str]:
        """What the member's run decided, as `step: what`."""
        run = self.run(name, journey)
        return [f"{row.step_id}: {row.what}" for row in self.rows(decision, enrolment_id=run.id)]

    def notes(self, name: str, journey: str, what: str) -> list[Mapping[str, Any]]:
        """The details of one kind of decision in the member's newest run."""
        run = self.runs(name, journey)[-1]
        return [row.detail for row in self.rows(decision, enrolment_id=run.id, what=what)]

    def tasks(self) -> list[TaskRow]:
        """The open ones."""
        with self.database.read() as connection:
            return tasks.open_tasks(connection)

    def all_tasks(self, name: str) -> list[Any]:
        return self.rows(task, name)


OpenStage = Callable[..., Stage]


def _address(given: bool | str, usual: str) -> str | None:
    return usual if given is True else given or None


def _span(text: str) -> timedelta:
    span = parse_duration(text)
    assert span is not None, f"“{text}” is not a duration"
    return span


def _files(journeys: Mapping[str, str] | None, templates: Mapping[str, str], catalog: str | None) -> dict[str, str]:
    """The shipped project; of its journeys only these, if any are given."""
    files = dict(shipped_files())
    if journeys is not None:
        kept = {path: text for path, text in files.items() if not path.startswith("journeys/")}
        own = {f"journeys/{name}.yaml": text for name, text in journeys.items()}
        files = kept | {"journeys/catalog.yaml": files["journeys/catalog.yaml"]} | own
    files |= {f"templates/{name}.j2": text for name, text in templates.items()}
    return files | ({"journeys/catalog.yaml": catalog} if catalog is not None else {})


def _words(handover: Handover) -> str:
    return f"{handover.subject}\n{handover.text}" if handover.subject else handover.text
