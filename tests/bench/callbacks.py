"""How many callbacks a daemon takes while its loops have all they can do, and how long each waits for its answer."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select

from engage.channels.sms.inbound import AliyunCallbacks
from engage.core.delivery import Status
from engage.sandbox.pushes import beijing, wechat_xml
from engage.sandbox.wechat_crypto import seal, signature
from engage.store.databases.database import Database
from engage.store.members import MemberRef
from engage.store.statements.rows import add_rows
from engage.store.tables import delivery, event, inbound
from tests.bench import ground
from tests.bench.callers import call, post
from tests.bench.figures import Figure, Goal, Scale
from tests.bench.providers import provider
from tests.bench.running import AES_KEY, SMS_SECRET, WECHAT, business, daemon, openid, phone

TITLE = "Callbacks"
ABOUT = (
    "Receipts over HTTP into a running daemon, from a process of its own: one half WeChat's, encrypted and signed, the"
    " other Aliyun's, one in ten of them a repetition. They come at a steady rate, whatever becomes of the answers, and"
    " each counts from the moment it was due. Meanwhile the daemon has more messages to send than it can, to a provider"
    " in a process of its own."
)
JOURNEY = """
    journey: 测速
    start: { event: store_visited }
    reentry: always
    topic: service
    steps:
      - send: sorry_personal
        channels: { try: [sms] }
"""
PER_SECOND = 2_050
_REPEATED = 0.1
_BATCH = 10_000
_DRAINS_WITHIN = 600.0  # seconds


def measure(scale: Scale) -> Iterator[Figure]:
    with ground.sqlite(scale) as database:
        yield from _measure(scale, database, "SQLite")
    with ground.postgresql() as database:
        yield from _measure(scale, database, "PostgreSQL")


def _measure(scale: Scale, database: Database, where: str) -> Iterator[Figure]:
    seconds = scale.of(60, 5)
    calls = PER_SECOND * seconds
    sent = round(calls / (1 + _REPEATED))
    context, refs = business(database, JOURNEY, sent)
    numbers = _have_sent(database, refs)
    ground.enter(context, refs)
    ground.vacuum(database)
    with provider() as other_end, daemon(scale.folder / where, database, other_end.url) as running:
        answers = call(running.port, Receipts(numbers, calls), PER_SECOND)
        assert set(answers.statuses) == {200}, answers.statuses
        behind = _unread(database)
        drained = _seconds_to_drain(database)
        sends = other_end.truth().calls.total()
    how = f"{calls:,} calls; {sends:,} messages were sent meanwhile"
    yield Figure(f"taken on {where}", answers.per_second, "callbacks/s", goal=Goal(at_least=2_000), how=how)
    p99, slowest = answers.percentile(0.99) * 1000, max(answers.seconds) * 1000
    yield Figure(f"p99 on {where}", p99, "ms", goal=Goal(at_most=200))
    yield Figure(f"slowest on {where}", slowest, "ms", goal=Goal(at_most=3_000))
    yield Figure(f"not read yet when the last was answered, on {where}", behind, "callbacks", how="all were stored")
    yield Figure(f"all read on {where}", drained, "s later")
    effects = _effects(database)
    assert effects == len(numbers), f"{len(numbers)} messages arrived once each; {effects} arrivals are on file"


# --- messages that receipts are about ---------------------------------------------------------------------------


def _have_sent(database: Database, refs: Sequence[MemberRef]) -> range:
    """Every member has been sent one message, the n-th of them with the provider's id n."""
    now = datetime.now(UTC) - timedelta(minutes=5)
    same = {"hop": 0, "purpose": "send", "topic": "service", "priority": 50, "template": "sorry_personal"}
    same |= {"status": Status.SENT, "queued_at": now, "sent_at": now, "first_sent_at": now, "recorded_at": now}
    for first in range(0, len(refs), _BATCH):
        rows = [
            {"bucket": ref.bucket, "id": -1 - number, "member_id": ref.id, "message_key": f"before:{number}"}
            | _sent_to(number)
            | same
            for number, ref in enumerate(refs[first : first + _BATCH], first)
        ]
        with database.write() as connection:
            add_rows(connection, delivery, rows)
    return range(len(refs))


def _sent_to(number: int) -> dict[str, str]:
    if number % 2:
        return {"channel": "wechat", "address": openid(number), "provider_id": str(number)}
    return {"channel": "sms", "address": phone(number), "provider_id": f"before-{number}"}


def _unread(database: Database) -> int:
    with database.read() as connection:
        return connection.scalar(select(func.count()).where(inbound.c.status == "new")) or 0


def _seconds_to_drain(database: Database) -> float:
    began = time.monotonic()
    while _unread(database) > 0:
        assert time.monotonic() - began < _DRAINS_WITHIN, "callbacks are not read"
        time.sleep(0.5)
    return time.monotonic() - began


def _effects(database: Database) -> int:
    with database.read() as connection:
        arrived = select(func.count()).where(event.c.name == "delivered", event.c.delivery_id < 0)
        return connection.scalar(arrived) or 0


# --- receipts ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Receipts:
    """What the providers send: one for each message, and some of them again."""

    numbers: range
    calls: int

    def __call__(self) -> list[bytes]:
        chance = random.Random(1)
        again = chance.choices(self.numbers, k=self.calls - len(self.numbers))
        order = [*self.numbers, *again]
        chance.shuffle(order)
        now = datetime.now(UTC)
        return [_of_wechat(number, now) if number % 2 else _of_aliyun(number, now) for number in order]


def _of_wechat(number: int, now: datetime) -> bytes:
    """Sealed anew each time, as WeChat does."""
    told: dict[str, str | int] = {"Event": "TEMPLATESENDJOBFINISH", "MsgID": number, "Status": "success"}
    xml = wechat_xml(WECHAT["account"], openid(number), now - timedelta(seconds=1), "event", told)
    sealed = seal(xml.encode(), WECHAT["app_id"], AES_KEY, b"sixteen letters.")
    moment, token = str(int(now.timestamp())), WECHAT["callback_token"]
    query = f"timestamp={moment}&nonce={number}&signature={signature(token, moment, str(number))}&encrypt_type=aes"
    query += f"&msg_signature={signature(token, moment, str(number), sealed)}&openid={openid(number)}"
    body = f"<xml><ToUserName><![CDATA[{WECHAT['account']}]]></ToUserName><Encrypt><![CDATA[{sealed}]]></Encrypt></xml>"
    return post(f"/callbacks/wechat?{query}", body.encode(), "text/xml")


def _of_aliyun(number: int, now: datetime) -> bytes:
    report = {
        "phone_number": phone(number).removeprefix("+86"),
        "send_time": beijing(now - timedelta(minutes=1)),
        "report_time": beijing(now),
        "success": True,
        "err_code": "DELIVERED",
        "err_msg": "用户接收成功",
        "sms_size": "1",
        "biz_id": f"before-{number}",
        "out_id": "",
    }
    body = json.dumps([report], ensure_ascii=False).encode()
    return post(f"/callbacks/{AliyunCallbacks.name}/{SMS_SECRET}", body, "application/json")
