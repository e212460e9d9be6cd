"""A real server on loopback over a real SQLite file, and builders for the rows its pages read."""

from __future__ import annotations

import hashlib
import itertools
import threading
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
from sqlalchemy import JSON, Boolean, Integer, String, Table, insert, select

from engage.channels.contract import CallbackRequest, CallbackSource, RawRecord, Received, Refused
from engage.channels.registry import build_sources
from engage.clock import VirtualClock
from engage.config import Config
from engage.content.library import Library
from engage.content.links import Links
from engage.core.catalog import RESPONSE_EVENTS, Brand, Catalog, Event, Field, Topic, TopicClass
from engage.core.condition import ValueType
from engage.core.fact import Fact
from engage.core.fact_json import fact_from_json
from engage.core.journey.model import Ask, Journey, Manual, ScoreCase, Survey, Switch, Words
from engage.core.journey.program import Program
from engage.core.problem import Span
from engage.runtime.applied import Active, Applied
from engage.runtime.outage import Outage
from engage.store import members
from engage.store.databases.database import Database
from engage.store.tables import Instant, answer, delivery, enrolment, inbound, metadata
from engage.web.app import make_app
from engage.web.deps import WebDeps
from engage.web.server import Server

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)  # Monday 10:00 in Shanghai
API_KEY = "shop-key-of-the-tests"
SIGNING_KEY = "0123456789abcdef0123456789abcdef"
SMS_SECRET = "push-secret-of-the-tests"
SMS = {"access_key_id": "k", "access_key_secret": "s", "sign_name": "山野茶事", "callback_secret": SMS_SECRET}
CONFIG = Config.model_validate({"web": {"signing_key": SIGNING_KEY}, "channels": {"sms": SMS}})
SPAN = Span("journeys/nps.yaml", 1, 1, 1, 1)

CATALOG = Catalog(
    brand=Brand("山野茶事", "山野茶事", {"shop": "https://shop.example/", "gift": "https://shop.example/gift?a=1&b=2"}),
    timezone="Asia/Shanghai",
    fields={
        "name": Field("name", ValueType.TEXT),
        "city": Field("city", ValueType.TEXT),
        "lifecycle": Field("lifecycle", ValueType.TEXT, values=("新客", "活跃", "沉睡", "流失")),
        "points": Field("points", ValueType.NUMBER),
        "birthday": Field("birthday", ValueType.ANNIVERSARY),
        "employee": Field("employee", ValueType.BOOLEAN),
    },
    events={
        "order_paid": Event("order_paid", {"order_id": ValueType.TEXT, "amount": ValueType.NUMBER}),
        "store_visited": Event("store_visited", {"store": ValueType.TEXT}),
        **{name: Event(name, payload) for name, payload in RESPONSE_EVENTS.items()},
    },
    topics={
        "service": Topic("service", TopicClass.SERVICE, "服务通知"),
        "survey": Topic("survey", TopicClass.MARKETING, "满意度调查"),
        "marketing": Topic("marketing", TopicClass.MARKETING, "活动与优惠"),
    },
)


def _ask(step_id: str, survey: Survey, question: str, **more: object) -> Ask:
    return Ask(id=step_id, span=SPAN, survey=survey, question=Words(question, SPAN), **more)  # type: ignore[arg-type]


NPS = _ask("nps", Survey.NPS, "您有多大可能把「山野茶事」推荐给朋友？", comment=Words("我们怎样能做得更好？", SPAN))
CSAT = _ask("csat", Survey.CSAT, "这次泡茶顺利吗？", comment=Words("{{ member.name }}，哪里可以更好？", SPAN))
CHOICE = _ask("taste", Survey.CHOICE, "您更常喝哪一种？", options=("绿茶", "红茶"))
TEXT = _ask("why", Survey.TEXT, "是什么让您不满意？ <b>请直说</b>")
VISIT = _ask("visit", Survey.CSAT, "{{ member.name }}，{{ event.store }}的茶还满意吗？上次您给了 {{ nps.score }} 分")
JOURNEY = Journey(
    id="nps",
    title="NPS 回访",
    start=Manual(),
    # Most questions stand inside another step, as follow-ups do.
    steps=(NPS, Switch(id="switch", span=SPAN, answer="nps", cases=(ScoreCase(0, 10, (CSAT, CHOICE, TEXT, VISIT)),))),
)


def _applied() -> Applied:
    library, problems = Library.read({}, CATALOG)
    assert not problems
    active = Active(
        JOURNEY, Program(JOURNEY), version=1, draining=False, since=NOW, interests=frozenset(), any_event=False
    )
    return Applied(CATALOG, {JOURNEY.id: active}, library, "1")


_LEAST: tuple[tuple[type, object], ...] = ((Instant, NOW), (JSON, {}), (Boolean, False), (String, ""), (Integer, 0))


def _row(table: Table, **given: object) -> dict[str, object]:
    """A row of which only `given` matters: whatever else must be filled gets the least value of its type."""
    needed = {
        column.name: next(least for kind, least in _LEAST if isinstance(column.type, kind))
        for column in table.columns
        if not column.nullable and column.server_default is None
    }
    return {**needed, **given}


class Parrot:
    """A provider whose callbacks are `<secret>` in the path and a line per fact; it can tell how many have come."""

    name = "parrot"

    def __init__(self) -> None:
        self._arrived = threading.Condition()
        self.opened = 0

    def open(self, request: CallbackRequest, now: datetime) -> Received | Refused:
        with self._arrived:
            self.opened += 1
            self._arrived.notify_all()
        if request.secret != "right":
            return Refused(403, "wrong secret")
        if request.method == "GET":
            return Received((), request.query["echostr"].encode())
        lines = request.body.decode().split("\n")
        return Received(
            tuple(RawRecord(f"{line}", f"said {line}") for line in lines), b'{"code":0}', "application/json"
        )

    def facts(self, body: str) -> tuple[Fact, ...]:
        return ()

    def wait_until_opened(self, count: int) -> None:
        with self._arrived:
            assert self._arrived.wait_for(lambda: self.opened >= count, timeout=20)


class World:
    """`client` talks to the server as a browser would, without following redirects."""

    def __init__(self, folder: Path, *, schema: bool = True, file: str = "engage.db", goes_first: bool = False) -> None:
        self.database = Database(f"sqlite:///{folder / file}", goes_first=goes_first)
        if schema:
            metadata.create_all(self.database.engine)
        self.clock = VirtualClock(NOW)
        self.links = Links(SIGNING_KEY, "http://engage.test")
        self.parrot = Parrot()
        self._numbers = itertools.count(1)
        sources: Mapping[str, CallbackSource] = {"parrot": self.parrot, **build_sources(CONFIG)}
        applied = _applied()
        deps = WebDeps(
            database=self.database,
            clock=self.clock,
            outage=Outage(self.clock),
            links=self.links,
            sources=sources,
            applied=lambda: applied,
            api_keys={"shop": API_KEY, "crm": "another key"},
        )
        self.server = Server(make_app(deps), "127.0.0.1", 0)
        self.server.start()
        self.client = httpx.Client(base_url=self.server.url, headers={"user-agent": "Mozilla/5.0 (iPhone)"}, timeout=20)

    def close(self) -> None:
        self.client.close()
        self.server.stop()
        self.database.close()

    # --- rows ---------------------------------------------------------------------------------------------------

    def asked(
        self,
        step_id: str = "nps",
        *,
        channel: str | None = "email",
        topic: str = "survey",
        status: str = "live",
        now_at: str | None = None,
        deadline_at: datetime | None = None,
        name: str | None = None,
        context: Mapping[str, object] | None = None,
    ) -> int:
        """A delivery that asked `step_id`, of an enrolment that stands at it (or at `now_at`); its id."""
        number = next(self._numbers)
        with self.database.write() as connection:
            ref = members.create(connection, self.clock.now(), None, None)
            members.set_values(connection, CATALOG, {ref: {"name": name}}, self.clock.now())
        run = _row(
            enrolment,
            bucket=ref.bucket,
            id=number,
            member_id=ref.id,
            context=context or {},
            journey_id="nps",
            occurrence=str(number),
            status=status,
            step_id=now_at or step_id,
            phase="waiting",
            deadline_at=deadline_at or self.clock.now() + timedelta(days=5),
        )
        sent = _row(
            delivery,
            bucket=ref.bucket,
            id=number,
            member_id=ref.id,
            message_key=f"m{number}",
            purpose="ask",
            enrolment_id=number,
            journey_id="nps",
            step_id=step_id,
            visit=0,
            topic=topic,
            status="sent",
            channel=channel,
            sent_at=self.clock.now(),
        )
        with self.database.write() as connection:
            connection.execute(insert(enrolment), [run])
            connection.execute(insert(delivery), [sent])
        return number

    def answered(self, delivery_id: int, *, ago: timedelta, **given: object) -> None:
        with self.database.write() as connection:
            row = _row(
                answer,
                bucket=connection.scalar(select(delivery.c.bucket).where(delivery.c.id == delivery_id)),
                id=delivery_id,
                enrolment_id=delivery_id,
                step_id="nps",
                delivery_id=delivery_id,
                answered_at=self.clock.now() - ago,
                **given,
            )
            connection.execute(insert(answer), [row])

    # --- what was stored ----------------------------------------------------------------------------------------

    def stored(self, source: str, key_part: str = "") -> list[tuple[str, str]]:
        """(key, body) of the inbox, oldest first, where the key has `key_part` in it."""
        with self.database.read() as connection:
            rows = connection.execute(
                select(inbound.c.key, inbound.c.body)
                .where(inbound.c.source == source, inbound.c.key.contains(key_part, autoescape=True))
                .order_by(inbound.c.id)
            ).all()
        return [(row.key, row.body) for row in rows]

    def facts(self, source: str, key_part: str = "") -> list[Fact]:
        return [fact_from_json(body) for _, body in self.stored(source, key_part)]

    def fingerprint(self) -> str:
        """Of everything on file: what a request must not have changed."""
        with self.database.read() as connection:
            rows = [repr(connection.execute(table.select()).all()) for table in metadata.sorted_tables]
        return hashlib.sha256("".join(rows).encode()).hexdigest()

    def path(self, url: str) -> str:
        return url.removeprefix("http://engage.test")
