"""Simulated, and run: the same people, doing the same things, are sent the same by the virtual world that `engage test`
and `engage simulate` stand on as by the engine over real HTTP and SMTP. All shipped journeys are in force in both.

The script of a play is a test file, and it is read twice: the world plays it as `engage test` does, the stage acts it
out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from receiver import Receiver
from sqlalchemy import select
from stage import OpenStage, Stage
from stage_cast import CHANNELS, ZONE
from stage_wiring import read_files, shipped_files

from engage.content.test_files import read_test_files
from engage.core.journey.model import OnEvent
from engage.core.testfile.model import (
    Answers,
    Case,
    ClosesTask,
    Doing,
    Follows,
    Happens,
    Responds,
    Says,
    TestFile,
)
from engage.sandbox.model import ChannelName
from engage.simulation.casting import Role, cast
from engage.simulation.ground import Ground
from engage.simulation.script import Script
from engage.simulation.settings import USUAL
from engage.store.tables import delivery

HOUR = timedelta(hours=1)
_SIGNED = {"sms": USUAL.channels.sms.model_copy(update={"sign_name": "山野茶事"})} if USUAL.channels.sms else {}
HOUSE = USUAL.model_copy(update={"channels": USUAL.channels.model_copy(update=_SIGNED)})
LINK = re.compile(r"https?://\S+?/([csu])/[\w\-.=]+")  # each has a secret, and a host, of its own

PLAYS = {
    "welcome": """
  小李: { wechat: yes, sms: yes }
  小陈: { email: yes, sms: yes, consent: { marketing: no } }
  小何: { sms: yes, email: yes, wechat: { followed: no }, lifecycle: 活跃 }
tests:
  - name: 写过话，点开了
    member: 小李
    when:
      - { at: day 0 12:00, text: 你们几点开门 }
      - { at: day 1 20:00, text: 周末也开吗 }
      - { at: day 2 11:00, event: clicked }
    expect: [ { enter: welcome } ]
  - name: 没有同意营销
    member: 小陈
    expect: [ { enter: welcome } ]
  - name: 关注以后下单
    member: 小何
    when:
      - { at: day 1 23:10, follow: wechat }
      - { at: day 4 21:30, event: order_paid, order_id: A1, amount: 168 }
    expect: [ { enter: welcome } ]
""",
    "winback": """
  王芳:
    email: yes
    sms: yes
    wechat: yes
    history:
      - { event: order_paid, at: 2026-08-25 10:30, order_id: B1, amount: 800 }
  老周:
    email: yes
    sms: yes
    history:
      - { event: order_paid, at: 2026-08-25 10:30, order_id: B2, amount: 4000 }
  阿明:
    sms: yes
    history:
      - { event: order_paid, at: 2026-08-25 10:30, order_id: B3, amount: 90 }
tests:
  - name: 换渠道之后点开，用了券
    member: 王芳
    when:
      - { at: day 0 10:00, text: 在吗 }
      - { at: day 3 12:00, event: clicked }
      - { at: day 5 15:00, event: coupon_used, code: C1 }
    expect: [ { enter: winback } ]
  - name: 花得多的，打电话
    member: 老周
    when: [ { at: day 15 16:00, task_done: 会员运营, outcome: 已约 } ]
    expect: [ { enter: winback } ]
  - name: 退订
    member: 阿明
    when: [ { at: day 1 12:00, text: 退订 } ]
    expect: [ { enter: winback } ]
""",
    "nps": """
  赵敏:
    email: yes
    sms: yes
    lifecycle: 活跃
    history:
      - { event: order_paid, at: 2026-09-20 10:00, order_id: D0, amount: 10 }
      - { event: order_paid, at: 2026-08-01 10:00, order_id: D1, amount: 168 }
  孙悦:
    wechat: yes
    sms: yes
    lifecycle: 新客
    history:
      - { event: order_paid, at: 2026-08-20 10:00, order_id: D2, amount: 90 }
      - { event: order_paid, at: 2026-10-20 10:00, order_id: D3, amount: 90 }
tests:
  - name: 提醒之后短信回了三分，补救，又说好了
    member: 赵敏
    when:
      - { at: day 2 12:00, answer: 3, comment: 包装破了, channel: sms }
      - { at: day 3 09:30, task_done: 客服一组, outcome: 已致歉 }
      - { at: day 10 11:00, answer: 5 }
    expect: [ { enter: nps } ]
  - name: 微信上打了九分，分享了
    member: 孙悦
    when:
      - { at: day 0 09:45, text: 今天有活动吗 }
      - { at: day 0 10:30, answer: 9 }
      - { at: day 0 10:35, comment: 茶好 }
      - { at: day 3 12:00, event: referral_shared }
    expect: [ { enter: nps } ]
""",
    "birthday": """
  老张: { sms: yes, email: yes, birthday: lunar 10-20, level: 3 }
  晓雯: { wechat: yes, sms: yes, birthday: 11-30, level: 1 }
tests:
  - name: 农历
    member: 老张
    when: [ { at: day 2 12:00, event: clicked } ]
    expect: [ { enter: birthday } ]
  - name: 公历，前一晚写过话
    member: 晓雯
    when: [ { at: day 6 20:00, text: 明天营业吗 } ]
    expect: [ { enter: birthday } ]
""",
    "refill_hard": """
  林姐:
    email: yes
    sms: yes
    history:
      - { event: order_paid, at: 2026-10-20 10:00, order_id: F1, amount: 90 }
      - { event: order_paid, at: 2026-11-20 10:00, order_id: F2, amount: 90 }
  老郑:
    wechat: yes
    sms: yes
    history:
      - { event: order_paid, at: 2026-10-20 10:00, order_id: F3, amount: 90 }
      - { event: order_paid, at: 2026-11-20 10:00, order_id: F4, amount: 90 }
tests:
  - name: 点开，发券，再提醒
    member: 林姐
    start_event: { order_id: F2, category: 茶叶, grams: 200, sku: ROUGUI-50 }
    arms: { 首触文案: 关怀 }
    when: [ { at: day 25 12:00, event: clicked } ]
    expect: [ { enter: refill_hard } ]
  - name: 没有动静，最后一封
    member: 老郑
    start_event: { order_id: F4, category: 茶叶, grams: 100, sku: ROUGUI-50 }
    arms: { 首触文案: 优惠 }
    when: [ { at: day 24 09:00, text: 有新茶吗 } ]
    expect: [ { enter: refill_hard } ]
""",
    "onboarding_90d": """
  小吴: { email: yes, wechat: yes, lifecycle: 新客 }
  小郭: { sms: yes, lifecycle: 新客 }
tests:
  - name: 第七天打了两分，客服两天没有联系
    member: 小吴
    start_event: { order_id: G1 }
    when:
      - { at: day 7 12:00, answer: 2, comment: 有点涩 }
      - { at: day 10 18:00, task_done: 店长群, outcome: 已上门 }
      - { at: day 17 12:00, answer: 5 }
    expect: [ { enter: onboarding_90d } ]
  - name: 不回答，又买了一次
    member: 小郭
    start_event: { order_id: G2 }
    when:
      - { at: day 20 12:00, event: order_paid, order_id: G3, amount: 90 }
      - { at: day 26 12:00, event: store_visited, store: 人民路店 }
    expect: [ { enter: onboarding_90d } ]
""",
}


def script_of(journey: str) -> TestFile:
    path = f"journeys/{journey}.test.yaml"
    text = f"journey: {journey}\nclock: 2026-11-23 09:30\nmembers:{PLAYS[journey]}"
    (file,), problems = read_test_files({path: text}, read_files(shipped_files()))
    assert problems == []
    return file


def end_of(file: TestFile) -> datetime:
    """Long enough after the last deed for what it leads to."""
    last = max(deed.at.day for case in file.cases for deed in case.deeds)
    return file.clock + timedelta(days=last + 12)


@pytest.mark.parametrize("journey", PLAYS)
def test_the_engine_on_the_network_sends_what_the_simulation_said(open_stage: OpenStage, journey: str) -> None:
    file = script_of(journey)
    simulated, ids = in_a_world(file)
    receiver = Receiver()
    stage = open_stage("2026-11-23 09:00", webhooks={"coupon_issue": receiver.config})
    stage.owns(receiver.server)
    run = on_stage(stage, file, ids)
    assert run == simulated
    assert all(len(sends) >= 1 for sends in simulated.values())


# --- in the world of a simulation --------------------------------------------------------------------------------


def in_a_world(file: TestFile) -> tuple[dict[str, list[Any]], dict[str, int]]:
    """What each member is sent, and the ids that they have there."""
    with (
        Ground(read_files(shipped_files()), HOUSE) as ground,
        ground.world(file.clock - HOUR / 2, sweep_every=HOUR) as world,
    ):
        roles = cast(world, file.journey, file.cases)
        world.run_to(end_of(file), Script(world, file.journey, file.clock, roles))
        with world.database.read() as connection:
            rows = list(connection.execute(select(delivery).order_by(delivery.c.id)))
    sent = {name_of(role): sends(row for row in rows if row.member_id == role.ref.id) for role in roles}
    return sent, {name_of(role): role.ref.id for role in roles}


def name_of(role: Role) -> str:
    return role.case.member.name


def sends(rows: Iterable[Any]) -> list[Any]:
    """Journey, step, channel, local time and words of what went out."""
    return sorted(
        (f"{row.sent_at.astimezone(ZONE):%m-%d %H:%M}", row.journey_id, row.step_id, row.channel, plain(row.text))
        for row in rows
        if row.sent_at is not None
    )


def plain(text: str) -> str:
    return LINK.sub(r"…/\1/…", text)


# --- on the stage ------------------------------------------------------------------------------------------------


def on_stage(stage: Stage, file: TestFile, ids: dict[str, int]) -> dict[str, list[Any]]:
    bring(stage, file, ids)
    stage.apply()
    for case in file.cases:
        if any(not reach.follows for reach in case.member.reaches.values()):
            stage.unfollows(case.member.name)
    stage.run_to(file.clock)
    begin(stage, file)
    for moment, name, doing in sorted(script(file), key=lambda due: due[0]):
        stage.run_to(moment)
        if doing is not None:
            act(stage, name, doing)
    stage.run_to(end_of(file))
    assert {name: stage.ref(name).id for name in ids} == ids
    return {name: sends(stage.deliveries(name)) for name in ids}


def bring(stage: Stage, file: TestFile, ids: dict[str, int]) -> None:
    """The members as the file describes them, each under the id they have in the simulation: control groups and splits
    go by it. Nobody in particular has the ids between."""
    by_id = {ids[case.member.name]: case for case in file.cases}
    for number in range(1, max(by_id) + 1):
        if number in by_id:
            bring_one(stage, by_id[number], file.clock)
        else:
            stage.member(f"路人{number}", consents="no")


def bring_one(stage: Stage, case: Case, clock: datetime) -> None:
    person = case.member
    has: dict[str, Any] = {channel: channel in person.reaches for channel in CHANNELS}
    refused = {topic for topic, _ in person.consent}
    consents = [f"{topic}:no" if topic in refused else f"{topic}:all" for topic in ("survey", "lifecycle", "marketing")]
    fields = {field: in_a_file(value) for field, value in person.values.items() if field != "name"}
    stage.member(person.name, **has, consents=";".join(consents), **fields)
    for past in person.history:
        ago = stage.began - past.at
        stage.history(person.name, past.event, f"{ago.days}d{ago.seconds // 60}m", **past.payload)


def in_a_file(value: Any) -> str:
    """As a shop's list has it."""
    if isinstance(value, dict):
        return f"{'lunar ' if value['calendar'] == 'lunar' else ''}{value['month']:02}-{value['day']:02}"
    return str(value)


def begin(stage: Stage, file: TestFile) -> None:
    """What starts the journey happens to everybody; segments, dates and schedules come by themselves."""
    start = stage.applied.journeys[file.journey].journey.start
    if isinstance(start, OnEvent):
        for case in file.cases:
            stage.happens(case.member.name, start.event, **case.start_event)


def script(file: TestFile) -> Iterator[tuple[datetime, str, Doing | None]]:
    """All deeds; and one moment at which there is nothing to do but to look at segments, which the stage by itself
    leaves to ten o'clock."""
    yield file.clock.replace(hour=11, minute=0), "", None
    for case in file.cases:
        for deed in case.deeds:
            day = file.clock.date() + timedelta(days=deed.at.day)
            yield datetime.combine(day, deed.at.at, ZONE), case.member.name, deed.doing


def act(stage: Stage, name: str, doing: Doing) -> None:
    match doing:
        case Responds("clicked"):
            stage.clicks(name)
        case Happens(event, payload):
            stage.happens(name, event, **payload)
        case Says(text, channel):
            stage.types(name, text, channel_of(stage, name, channel))
        case Answers(answer, comment, channel):
            asked = channel_of(stage, name, channel or stage.last(name).channel)
            if asked == "email":
                stage.fills(name, int(answer or 0), comment)
            else:
                stage.types(name, " ".join(words for words in (answer, comment) if words), asked)
        case Follows():
            stage.follows(name)
        case ClosesTask(team, outcome):
            row = next(task for task in stage.tasks() if task.team == team and task.member == stage.ref(name))
            stage.closes_task(row, outcome)
        case _:
            raise AssertionError(f"no play has {doing}")


def channel_of(stage: Stage, name: str, channel: str | None) -> ChannelName:
    """The channel that is named; else the first on which they can write."""
    known = {point.channel for point in stage.points(name)}
    return next(each for each in CHANNELS if each == channel or (channel is None and each in known))
