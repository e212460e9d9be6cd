"""A member's trail: in the order things happened, with every channel's reason, in both languages."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import JSON, Boolean, Integer, String, insert

from engage.cli.channels_shown import channel_lines
from engage.cli.explain_words import message_words, step_words
from engage.cli.screen import Screen
from engage.cli.shipped import ROOT
from engage.content.project import project_files, read_project
from engage.core.problem import Lang
from engage.runtime.applying import apply
from engage.runtime.context import AppliedHolder
from engage.runtime.explaining import explain
from engage.store.database import Database
from engage.store.members import MemberRef
from engage.store.tables import Instant, bucket_of, decision, delivery, enrolment, member

START = datetime(2026, 11, 23, 12, 30, tzinfo=UTC)  # 20:30 in Shanghai
REF = MemberRef(bucket_of(1), 1)
_LEAST = ((Instant, START), (JSON, {}), (Boolean, False), (String, ""), (Integer, 0))
_OPEN = {"channel": "wechat", "open": True, "why": "客服消息 (wrote to us 1d7h ago, 1/5 left)"}
_OPEN |= {"engagement": "30%", "price": "0", "score": "30.0"}
_SHUT = {"channel": "email", "open": False, "why": "hard bounce"}


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    """A run of the shipped winback: a message, its fallback that found no channel, a click, a second message that
    waited for the morning, its fallback that the goal overtook."""
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('explain') / 'engage.db'}")
    database.create_all()
    project, _ = read_project(project_files(ROOT)[0])
    apply(database, project, START)
    goal_at = _at(4)
    run = {"id": 1, "journey_id": "winback", "version": 1, "status": "ended", "end_kind": "goal", "end_reason": "goal"}
    rows = [
        (member, {"id": 1, "external_id": "M1", "timezone": "Asia/Shanghai"}),
        (enrolment, run | {"member_id": 1, "entered_at": START, "ended_at": goal_at}),
        *(_trail(*line) for line in _TRAIL),
        _message(1, "winback_story", 0, _at(0), status="sent", first_sent_at=_at(0), decision=[_OPEN, _SHUT]),
        _message(2, "winback_story", 1, _at(0), status="skipped", reason="no channel left to fall back to"),
        _message(3, "winback_gift", 0, _at(3), status="sent", first_sent_at=_at(3, 10), arrival="delivered"),
        _message(4, "winback_gift", 1, _at(3, 10), status="cancelled", reason="the run ended: goal"),
    ]
    with database.write() as connection:
        for table, given in rows:
            connection.execute(insert(table).values(_row(table, given)))
    with database.read() as connection:
        told = explain(connection, AppliedHolder(database).current(), REF, _at(9), "winback")
    database.close()
    return told


def _at(days, hours=0):
    return START + timedelta(days=days, hours=hours)


_TRAIL = (
    (0, None, "enter", {}),
    (0, "wait_for-clicked", "wait_for", {"events": ["clicked"], "until": _at(5).isoformat()}),
    (3, "wait_for-clicked", "happened", {"event": "clicked", "at": _at(3).isoformat()}),
    (3, "wait_for-coupon_used", "wait_for", {"events": ["coupon_used"], "until": _at(12).isoformat()}),
    (4, "wait_for-coupon_used", "exit", {"kind": "goal", "reason": "goal"}),
)


def _trail(day, step_id, what, detail):
    given = {"id": _TRAIL.index((day, step_id, what, detail)) + 1, "enrolment_id": 1}
    return decision, given | {"at": _at(day), "step_id": step_id, "what": what, "detail": detail}


def _message(number, template, hop, queued_at, **given):
    head = {"id": number, "member_id": 1, "enrolment_id": 1, "journey_id": "winback", "message_key": f"1:{template}"}
    head |= {"step_id": template, "purpose": "send", "template": template, "hop": hop, "queued_at": queued_at}
    return delivery, head | {"channel": "wechat", **given}


def _row(table, given):
    needed = {
        column.name: next(least for kind, least in _LEAST if isinstance(column.type, kind))
        for column in table.columns
        if not column.nullable and column.server_default is None
    }
    return {**needed, "bucket": REF.bucket, **given}


def _words(story, lang):
    screen = Screen(lang)
    (run,) = story.runs
    return [
        step_words(screen, story, line) if line.message is None else message_words(screen, story, line.message).plain
        for line in run.lines
    ]


def test_the_trail_reads_as_it_happened(story):
    assert _words(story, Lang.EN) == [
        "enter",
        "send winback_story via wechat",
        "wait for clicked  until 11-28 20:30",
        "fall back with winback_story — skipped: no channel left to fall back to",
        "happened clicked",
        "send winback_gift via wechat (went out 11-27 06:30, delivered)",
        "wait for coupon_used  until 12-05 20:30",
        "fall back with winback_gift — cancelled: the run ended: goal",
        "goal reached",
    ]


def test_fallbacks_stand_where_their_time_came_and_cancelled_ones_no_later_than_the_end(story):
    (run,) = story.runs
    fallbacks = [line.at for line in run.lines if line.message is not None and line.message.hop]
    assert fallbacks == [_at(2), _at(4)]


def test_the_same_in_chinese(story):
    told = _words(story, Lang.ZH)
    assert told[1] == "发送 winback_story，经 wechat"
    assert told[3] == "换渠道发送 winback_story —— 跳过：没有其他渠道可换"
    assert told[5] == "发送 winback_gift，经 wechat（11-27 06:30 发出，已送达）"
    assert told[-1] == "达成目标"


def test_every_channel_says_why(story):
    (run,) = story.runs
    shown = {lang: [line.plain for line in channel_lines(Screen(lang), run.lines[1].message.decision)] for lang in Lang}
    assert shown[Lang.EN] == [
        "✓ wechat  客服消息 (wrote to us 1d7h ago, 1/5 left); engagement 30%, cost ¥0.000, score 30.0",
        "✗ email   hard bounce",
    ]
    assert shown[Lang.ZH] == [
        "✓ wechat  客服消息 (1d7h 前来过消息，还可发 1/5 条)；预计回应率 30%，成本 ¥0.000，得分 30.0",
        "✗ email   地址永久退信",
    ]
