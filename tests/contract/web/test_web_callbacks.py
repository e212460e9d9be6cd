"""`/callbacks/…`: stored before they are answered, once each, many to a commit; never a 200 for what is not on disk."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from sqlalchemy import event
from web_world import SMS_SECRET, World

from engage.channels.email import inbound as mail_pushes
from engage.channels.sms import inbound as sms_pushes
from engage.channels.wechat import safe_mode
from engage.runtime.outage import Outage
from engage.store.databases.database import Database
from engage.store.inbound import Arrived
from engage.web import inbox
from engage.web.callbacks import BODY_LIMIT, BODY_LIMITS
from engage.web.inbox import Inbox


def test_a_genuine_callback_is_stored_then_answered(world: World) -> None:
    response = world.client.post("/callbacks/parrot/right", content="hello\nthere")
    assert response.status_code == 200
    assert response.content == b'{"code":0}'
    assert response.headers["content-type"] == "application/json"
    assert world.stored("parrot", "hello") == [("hello", "said hello")]
    assert world.stored("parrot", "there") == [("there", "said there")]


def test_a_handshake_is_answered_and_stores_nothing(world: World) -> None:
    before = world.fingerprint()
    assert world.client.get("/callbacks/parrot/right?echostr=12345").text == "12345"
    assert world.fingerprint() == before


def test_what_is_not_genuine_is_refused_without_a_reason(world: World) -> None:
    before = world.fingerprint()
    for path in ("/callbacks/parrot/wrong", "/callbacks/parrot"):
        response = world.client.post(path, content="x")
        assert (response.status_code, response.text) == (403, "refused")
    assert world.client.post("/callbacks/nobody/right", content="x").status_code == 404
    assert world.client.put("/callbacks/parrot/right", content="x").status_code == 405
    assert world.fingerprint() == before


def test_bodies_are_capped_however_they_are_sent(world: World) -> None:
    def stream() -> Iterator[bytes]:
        for _ in range(BODY_LIMIT // 1024 + 1):
            yield b"x" * 1024

    assert world.client.post("/callbacks/parrot/right", content=b"x" * (BODY_LIMIT + 1)).status_code == 413
    assert world.client.post("/callbacks/parrot/right", content=stream()).status_code == 413


def test_an_sms_push_of_many_hundred_reports_is_taken_whole(world: World) -> None:
    reports = [
        {"phone_number": "13800000001", "report_time": "2026-11-23 10:00:05", "success": True, "err_code": "DELIVERED",
         "err_msg": "用户接收成功", "sms_size": "1", "biz_id": f"93270230408041{number:06}^0", "out_id": str(number)}
        for number in range(1500)
    ]  # fmt: skip
    body = json.dumps(reports)
    assert BODY_LIMIT < len(body) < BODY_LIMITS["aliyun_sms"]
    assert world.client.post(f"/callbacks/aliyun_sms/{SMS_SECRET}", content=body).status_code == 200
    assert len(world.stored("aliyun_sms")) == 1500
    over = b" " * (BODY_LIMITS["aliyun_sms"] + 1)
    assert world.client.post(f"/callbacks/aliyun_sms/{SMS_SECRET}", content=over).status_code == 413


def test_the_door_lets_in_what_each_reader_takes() -> None:
    assert BODY_LIMITS == {"aliyun_sms": sms_pushes.BODY_LIMIT, "email": mail_pushes.BODY_LIMIT}
    assert safe_mode.BODY_LIMIT == BODY_LIMIT


def test_a_replay_changes_nothing(world: World) -> None:
    world.client.post("/callbacks/parrot/right", content="replayed")
    before = world.fingerprint()
    for _ in range(5):
        assert world.client.post("/callbacks/parrot/right", content="replayed").status_code == 200
    assert world.fingerprint() == before


def test_ten_percent_duplicates_have_one_effect(world: World) -> None:
    lines = [f"dup-{number}" for number in range(100)]
    sent = [*lines, *lines[::10]]
    with ThreadPoolExecutor(8) as pool:
        statuses = list(
            pool.map(lambda line: world.client.post("/callbacks/parrot/right", content=line).status_code, sent)
        )
    assert set(statuses) == {200}
    assert len(world.stored("parrot", "dup-")) == 100


def test_half_an_emoji_does_not_fail_its_neighbours(world: World) -> None:
    """A lone surrogate can be written in JSON (a truncated emoji), but not in UTF-8."""

    async def put_both() -> None:
        inbox = Inbox(world.database, world.clock, Outage(world.clock))
        bad, good = (Arrived("parrot", f"emoji-{name}", body) for name, body in (("bad", "\ud83d 好"), ("good", "茶")))
        await asyncio.gather(inbox.put([bad]), inbox.put([good]))

    asyncio.run(put_both())
    assert world.stored("parrot", "emoji-") == [("emoji-bad", "? 好"), ("emoji-good", "茶")]


def test_what_has_come_in_is_stored_whatever_else_the_event_loop_has_to_do(world: World) -> None:
    """The next commit does not wait until those before it are answered."""

    async def put_both() -> None:
        inbox = Inbox(world.database, world.clock, Outage(world.clock))
        with world.database.write() as connection:  # the first waits for us, and the second for the first
            connection.exec_driver_sql("SELECT 1")
            first = asyncio.create_task(inbox.put([Arrived("parrot", "busy-1", "一")]))
            await asyncio.sleep(0.1)
            second = asyncio.create_task(inbox.put([Arrived("parrot", "busy-2", "二")]))
            await asyncio.sleep(0)
        until = time.monotonic() + 10
        while len(world.stored("parrot", "busy-")) < 2:
            assert time.monotonic() < until, "it waits for the event loop"
        await asyncio.gather(first, second)

    asyncio.run(put_both())


def test_where_many_have_come_the_next_commit_waits_for_more(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a fifth less work, and nobody is answered later than by a machine that is busy with it."""
    waits, late = [], threading.Event()
    clock = SimpleNamespace(sleep=lambda seconds: waits.append((seconds, late.wait(10))))
    monkeypatch.setattr(inbox, "time", clock)

    async def put_ten() -> None:
        into = Inbox(world.database, world.clock, Outage(world.clock))
        with world.database.write() as connection:  # the first waits for us, eight for the first
            connection.exec_driver_sql("SELECT 1")
            first = asyncio.create_task(into.put([Arrived("parrot", "many-0", "茶")]))
            await asyncio.sleep(0.1)
            others = [asyncio.create_task(into.put([Arrived("parrot", f"many-{n}", "茶")])) for n in range(1, 9)]
            await asyncio.sleep(0)
        await first
        tenth = asyncio.create_task(into.put([Arrived("parrot", "many-9", "茶")]))
        await asyncio.sleep(0)
        late.set()
        await asyncio.gather(*others, tenth)

    before = world.database.written
    asyncio.run(put_ten())
    assert len(world.stored("parrot", "many-")) == 10
    assert world.database.written - before == 3  # ours, the first, the nine
    assert waits == [(0.015, True)]


def test_a_few_callers_who_wait_for_their_answers_wait_for_nobody_else(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr(inbox, "time", SimpleNamespace(sleep=waits.append))

    async def put_all(into: Inbox, caller: int) -> None:
        for number in range(25):
            await into.put([Arrived("parrot", f"few-{caller}-{number}", "茶")])

    async def call() -> None:
        into = Inbox(world.database, world.clock, Outage(world.clock))
        await asyncio.gather(*(put_all(into, caller) for caller in range(4)))

    asyncio.run(call())
    assert len(world.stored("parrot", "few-")) == 100
    assert waits == []


def test_fifty_callbacks_at_once_share_commits_and_wait_for_theirs(tmp_path: Path) -> None:
    world = World(tmp_path)
    commits: list[int] = []
    event.listen(world.database.engine, "commit", lambda connection: commits.append(1))

    async def post_all(url: str) -> list[httpx.Response]:
        limits = httpx.Limits(max_connections=50)
        async with httpx.AsyncClient(base_url=url, limits=limits, timeout=20) as client:
            return await asyncio.gather(
                *(client.post("/callbacks/parrot/right", content=f"line-{number}") for number in range(50))
            )

    try:
        with ThreadPoolExecutor(1) as pool:
            with world.database.write() as connection:  # someone else holds the write lock
                connection.exec_driver_sql("SELECT 1")
                posting = pool.submit(asyncio.run, post_all(world.server.url))
                world.parrot.wait_until_opened(50)
                assert not posting.done()
            responses = posting.result(timeout=20)
        assert {response.status_code for response in responses} == {200}
        assert len(world.stored("parrot")) == 50
        # Ours here, the first to arrive, and all who waited for it; one more for stragglers.
        assert len(commits) <= 5
    finally:
        world.close()


def test_what_a_busy_database_cannot_store_is_refused_while_its_sender_still_listens(tmp_path: Path) -> None:
    """Also what comes in while others wait in vain."""
    world, busy = World(tmp_path, goes_first=True), Database(f"sqlite:///{tmp_path}/engage.db")

    def status(line: str) -> tuple[int, float]:
        began = time.monotonic()
        status = world.client.post("/callbacks/parrot/right", content=line).status_code
        return status, time.monotonic() - began

    with ThreadPoolExecutor(2) as pool:
        with busy.write():
            first = pool.submit(status, "first")
            world.parrot.wait_until_opened(1)
            second = pool.submit(status, "second")
            answers = [first.result(), second.result()]
        assert status("first")[0] == 200
    assert [code for code, _ in answers] == [503, 503]
    assert max(seconds for _, seconds in answers) < 3
    busy.close()
    world.close()


@pytest.mark.parametrize("path", ["/callbacks/parrot/right", "/api/events"])
def test_a_database_that_fails_is_a_503_never_a_200(tmp_path: Path, path: str) -> None:
    world = World(tmp_path, schema=False)
    try:
        body = '{"id": "1", "member": "M1", "event": "store_visited"}'
        headers = {"authorization": "Bearer another key"}
        response = world.client.post(path, content=body, headers=headers)
        assert response.status_code == 503
        click = world.client.get(world.path(world.links.click(1, "shop")))
        assert click.status_code == 503
        assert "请稍等" in click.text
        # It recovers by itself once the database does.
        world.database.create_all()
        assert world.client.post(path, content=body, headers=headers).status_code in (200, 202)
    finally:
        world.close()
