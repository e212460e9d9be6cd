"""What comes in: stored once, read once, in whatever order and however often it is told."""

from __future__ import annotations

from typing import NoReturn

import httpx
import pytest
from small_journeys import SERVICE, journey
from stage import Stage
from stage_wiring import shipped

from engage.core.fact import Receipt
from engage.errors import EngageError
from engage.runtime.context import AppliedHolder
from engage.runtime.receiving import receive
from engage.store import inbound

NOTE = {"note": journey("store_visited", SERVICE, topic="service")}
NPS = "ask: nps\nquestion: 会推荐给朋友吗？\nanswer_within: 3d\ntopic: service"


def visits(stage: Stage) -> None:
    stage.happens("王芳", "store_visited", store="湖滨店")


def receipt(stage: Stage, delivered: bool = True, code: str = "DELIVERED", **changed: str) -> dict[str, object]:
    """As Aliyun reports on the newest SMS of 王芳."""
    row = stage.deliveries("王芳")[-1]
    told = {
        "phone_number": stage.address("王芳", "sms"),
        "send_time": "2026-11-23 10:00:00",
        "report_time": "2026-11-23 10:00:05",
        "success": delivered,
        "err_code": code,
        "err_msg": "",
        "sms_size": "1",
        "biz_id": row.provider_id or "9999^0",
        "out_id": (row.payload or {}).get("OutId", ""),
    }
    return told | changed


def reply(stage: Stage, text: str, number: str = "71", at: str = "2026-11-23 10:00:00") -> dict[str, object]:
    return {
        "phone_number": stage.address("王芳", "sms"),
        "content": text,
        "send_time": at,
        "dest_code": "10690000101",
        "sequence_id": number,
    }


@pytest.mark.parametrize(
    ("told", "believed"),
    [
        ("2026-11-24 09:00:00", (1, "09:00")),
        ("2026-11-24 11:00:00", (0, "10:00")),
        ("9999-12-31 23:59:59", (0, "10:00")),
    ],
)
def test_a_moment_that_is_more_than_a_day_ahead_is_not_believed(
    stage: Stage, told: str, believed: tuple[int, str]
) -> None:
    stage.member("王芳", sms=True)
    stage.apply(NOTE)
    stage.sms_pushes(reply(stage, "在吗", at=told))
    assert [event.at for event in stage.events("王芳", "replied")] == [stage.moment(*believed)]


def test_a_reply_told_twice_is_answered_once(stage: Stage) -> None:
    stage.member("王芳", sms=True)
    stage.apply({"ask": journey("store_visited", NPS, topic="service")})
    visits(stage)
    for _ in range(3):
        stage.sms_pushes(reply(stage, "3 包装破了"))
    (given,) = stage.answers("王芳")
    assert (given.score, given.comment) == (3, "包装破了")
    assert len(stage.events("王芳", "replied")) == 1
    assert [row.key for row in stage.inbox("aliyun_sms")].count("up:71") == 1


def test_a_repeat_after_the_first_was_worked_on_changes_nothing(stage: Stage) -> None:
    stage.member("王芳", sms=True)
    stage.apply(NOTE)
    stage.sms_pushes(reply(stage, "下午打给我"))
    stage.run_until(at="12:00")
    stage.sms_pushes(reply(stage, "下午打给我"))
    assert len(stage.tasks()) == 1


def test_two_facts_in_one_post_are_two_facts(stage: Stage) -> None:
    stage.member("王芳", sms=True)
    stage.apply(NOTE)
    stage.sms_pushes(reply(stage, "在吗", "71"), reply(stage, "有人吗", "72"))
    assert sorted(task.words for task in stage.tasks()) == ["王芳：“在吗”", "王芳：“有人吗”"]


def test_the_shop_reports_the_same_order_twice_and_it_counts_once(stage: Stage) -> None:
    stage.member("王芳", sms=True)
    stage.apply(NOTE)
    order = {"id": "o1", "member": "M0001", "event": "order_paid", "data": {"order_id": "A1", "amount": 100}}
    for _ in range(2):
        stage.posts("/api/events", order)
    assert (stage.profile("王芳")["orders"], stage.profile("王芳")["spent"]) == (1, 100)


def test_the_same_order_by_file_and_by_api_counts_once(stage: Stage) -> None:
    stage.member("王芳", sms=True)
    stage.history("王芳", "order_paid", "2h", order_id="A1", amount=100)
    stage.apply(NOTE)
    order = {"id": "h0", "member": "M0001", "event": "order_paid", "data": {"order_id": "A1", "amount": 100}}
    stage.posts("/api/events", order)
    assert stage.profile("王芳")["orders"] == 1


def test_a_receipt_before_our_own_record_is_not_lost(stage: Stage) -> None:
    stage.member("王芳", sms=True, email=True)
    both = SERVICE + "\nchannels: { try: [sms, email], fallback: 2h }"
    stage.apply({"note": journey("store_visited", both, "wait: 2d", topic="service")})
    with stage.by_hand() as hand:
        visits(stage)
        hand.up_to_the_wire()
        stage.sms_pushes(receipt(stage))
        hand.queue()
        assert stage.delivery("王芳").status == "sent"
        hand.hand_over()
    row = stage.deliveries("王芳")[0]
    assert (row.status, row.arrival) == ("sent", "delivered")
    assert row.provider_id is not None
    stage.run_until(at="13:00")
    assert [channel for _, channel in stage.got("王芳")] == ["sms", "email"]  # nobody answered: the fallback stands


def test_a_bounce_after_delivered_stands_and_delivered_after_a_bounce_does_not(stage: Stage) -> None:
    stage.member("王芳", sms=True)
    stage.apply(NOTE)
    visits(stage)
    stage.sms_pushes(receipt(stage, False, "UNDELIV"), receipt(stage))
    assert stage.delivery("王芳").arrival == "bounced"
    assert len(stage.events("王芳", "bounced")) == 1
    assert stage.points("王芳")[0].status == "unreachable"


def test_a_receipt_about_a_message_we_never_sent_is_kept_and_changes_nothing(stage: Stage) -> None:
    stage.member("王芳", sms=True)
    stage.apply(NOTE)
    visits(stage)
    before = stage.delivery("王芳")
    stage.sms_pushes(receipt(stage, False, "MK:0001", biz_id="1^0", out_id="999999"))
    stage.sms_pushes(receipt(stage, False, "MK:0001", biz_id="2^0", out_id="somebody else's"))
    assert stage.delivery("王芳") == before
    # Of an id of the provider's alone nobody can know yet that it is never to be ours.
    assert [row.status for row in stage.inbox("aliyun_sms")] == ["done", "early"]


FORGED = """\
From: somebody@evil.example
To: {to}
Date: Mon, 23 Nov 2026 12:00:00 +0800
Content-Type: multipart/report; report-type={kind}; boundary=B

--B
Content-Type: message/{kind}

{words}

--B--
"""
BOUNCE = "Reporting-MTA: dns; evil.example\n\nAction: failed\nStatus: 5.1.1\n{about}"
COMPLAINT = "Feedback-Type: abuse\n{about}"


def posts_mail(stage: Stage, to: str, kind: str, words: str) -> None:
    mail = FORGED.format(to=to, kind=kind, words=words).encode()
    assert httpx.post(f"{stage.url}/callbacks/email/mailcb", content=mail).status_code == 200
    stage.settle()


def test_who_guesses_the_number_of_a_message_reports_nothing_on_it(stage: Stage) -> None:
    stage.member("王芳", email=True, consents="yes")
    stage.apply(NOTE)
    visits(stage)
    before = stage.delivery("王芳"), stage.points("王芳"), stage.consents("王芳")
    for about in ("", f"Original-Rcpt-To: {before[0].address}", f"Final-Recipient: rfc822; {before[0].address}"):
        to = f"b+{before[0].id}@bounce.shanye.example"
        posts_mail(stage, to, "delivery-status", BOUNCE.format(about=about))
        posts_mail(stage, to, "feedback-report", COMPLAINT.format(about=about))
    assert (stage.delivery("王芳"), stage.points("王芳"), stage.consents("王芳")) == before
    assert {row.status for row in stage.inbox("email")} == {"done"}


def test_a_mail_was_forwarded_to_an_address_that_is_no_more_and_who_complains_is_not_named(stage: Stage) -> None:
    """Who passes complaints on makes addresses unreadable: RFC 6590."""
    stage.member("王芳", email=True, consents="yes")
    stage.apply(NOTE)
    visits(stage)
    to, before = stage.delivery("王芳").payload["mail_from"], stage.points("王芳")
    posts_mail(stage, to, "delivery-status", BOUNCE.format(about="Final-Recipient: rfc822; former@example.org"))
    assert stage.points("王芳") == before
    posts_mail(stage, to, "feedback-report", COMPLAINT.format(about="Original-Rcpt-To: 7kQ0x@example.com"))
    assert [event.channel for event in stage.events("王芳", "unsubscribed")] == ["email"]


def test_a_receipt_about_another_number_is_not_believed(stage: Stage) -> None:
    stage.member("王芳", sms=True)
    stage.apply(NOTE)
    visits(stage)
    stage.sms_pushes(receipt(stage, False, "MK:0001", phone_number="13999999999"))
    assert stage.delivery("王芳").arrival is None
    assert stage.points("王芳")[0].status == "active"


def test_a_carrier_that_knows_of_a_refusal_is_believed(stage: Stage) -> None:
    """MBBLACK: the member has refused this sender at the carrier."""
    stage.member("王芳", sms=True)
    stage.apply(NOTE)
    visits(stage)
    stage.sms_pushes(receipt(stage, False, "MBBLACK"))
    refused = {row.topic for row in stage.consents("王芳") if not row.granted and row.own_word}
    assert refused == {"survey", "lifecycle", "marketing"}


def test_a_record_nobody_can_read_is_kept_and_holds_up_nobody(stage: Stage) -> None:
    stage.member("王芳", sms=True)
    stage.apply(NOTE)
    stage.sms_pushes(
        reply(stage, "在吗", "71") | {"phone_number": "not a number"},
        reply(stage, "有人吗", "72"),
        reply(stage, "喂", "73") | {"content": ["a list"]},
    )
    kept = {row.key: (row.status, row.error) for row in stage.inbox("aliyun_sms")}
    assert kept["up:71"] == ("unreadable", "a reply from something that is not a phone number")
    assert kept["up:72"] == ("done", None)
    assert "王芳：“有人吗”" in [task.words for task in stage.tasks()]
    visits(stage)
    assert len(stage.phone("王芳")) == 1  # and the daemon goes on


@pytest.mark.parametrize("told", ["0001-01-01 00:00:00", "9999-12-31 23:59:59", "1970-01-01 00:00:00", "yesterday", ""])
def test_a_date_that_cannot_be_meant_costs_nobody_their_opt_out(stage: Stage, told: str) -> None:
    stage.member("王芳", sms=True)
    stage.apply(NOTE)
    stage.sms_pushes(reply(stage, "R", at=told))
    (event,) = stage.events("王芳", "unsubscribed")
    assert event.at == stage.clock.now()


@pytest.mark.parametrize("where", ["in a parser", "in a reader"])
def test_a_fault_of_ours_over_all_that_one_source_tells_keeps_no_other_one_waiting(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """And nothing of it is lost: also what comes alone meanwhile is read when the fault is mended."""

    def fails(*_: object) -> NoReturn:
        raise TypeError("a bad release")

    monkeypatch.setattr(receive, "BATCH", 3)
    stage.member("王芳", sms=True, wechat=True)
    stage.apply(NOTE)
    visits(stage)
    with stage.daemon_down():
        stage.sms_pushes(*(receipt(stage, biz_id=f"{number}^0") for number in range(3)))
        stage.types("王芳", "在吗")
        stage.sms_pushes(reply(stage, "R"))
        with monkeypatch.context() as patch:
            if where == "in a parser":
                patch.setattr("engage.channels.sms.inbound.own_id", fails)
            else:
                patch.setitem(receive._READERS, Receipt, fails)
            with pytest.raises(TypeError):
                stage.engine.receive.tick()
            stage.engine.receive.tick()
            stage.sms_pushes(receipt(stage, biz_id="later^0"))
            stage.engine.receive.tick()
        assert [row.status for row in stage.inbox("aliyun_sms")] == ["new"] * 5
        assert [row.status for row in stage.inbox("wechat")][-1] == "done"
    stage.passes("1m")
    assert {row.status for row in stage.inbox("aliyun_sms")} == {"early", "done"}
    assert len(stage.events("王芳", "unsubscribed")) == 1


def test_what_came_for_a_channel_that_the_config_lacked_is_read_when_it_is_there_again(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It came to another daemon, or before the config was changed."""
    stage.member("王芳", sms=True)
    stage.apply(NOTE)
    with monkeypatch.context() as without:
        without.delitem(stage.engine.context.sources, "aliyun_sms")
        stage.sms_pushes(reply(stage, "有人吗"))
        (kept,) = stage.inbox("aliyun_sms")
        assert kept.status == "unreadable"
        assert kept.error.startswith("no channel in config.yaml takes in what aliyun_sms tells")
    with stage.database.write() as connection:
        inbound.read_again(connection, inbound.unreadable(connection))
    stage.settle()
    (kept,) = stage.inbox("aliyun_sms")
    assert (kept.status, kept.error) == ("done", None)
    assert [task.words for task in stage.tasks()] == ["王芳：“有人吗”"]


def test_a_member_told_in_words_the_catalog_no_longer_has_holds_up_nobody(stage: Stage) -> None:
    """Told while the old catalog was in force, read under the new one."""
    stage.member("王芳", sms=True)
    stage.apply(NOTE, catalog=shipped("catalog", ("  level: number", "  level: number\n  tea_age: number")))
    with stage.daemon_down():
        stage.registers("王芳", tea_age=7, city="福州")
        stage.apply(NOTE)
    assert "tea_age" not in stage.profile("王芳")
    visits(stage)
    assert len(stage.phone("王芳")) == 1


def test_what_happened_days_ago_starts_nothing(stage: Stage) -> None:
    stage.member("王芳", sms=True)
    stage.apply(NOTE)
    visit = {"id": "v1", "member": "M0001", "event": "store_visited", "data": {"store": "湖滨店"}}
    stage.posts("/api/events", visit | {"at": "2026-11-21 10:00"})
    assert stage.runs("王芳") == []
    assert len(stage.events("王芳", "store_visited")) == 1
    stage.posts("/api/events", visit | {"id": "v2", "at": "2026-11-22 18:00"})
    assert len(stage.runs("王芳")) == 1  # yesterday evening is still news


def test_what_was_told_in_time_starts_its_journey_however_late_somebody_looks_at_it(stage: Stage) -> None:
    stage.member("王芳", sms=True)
    stage.apply(NOTE)
    with stage.daemon_down():
        stage.happens("王芳", "store_visited", store="湖滨店")
        while stage.engine.receive.tick():
            pass
        stage.run_until(day=2)
    stage.passes("1h")
    assert len(stage.got("王芳")) == 1


def test_where_what_is_applied_cannot_be_read_no_record_and_no_run_is_to_blame(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An older version, beside a newer one that has applied something."""

    def fails(_: AppliedHolder) -> NoReturn:
        raise EngageError("what is applied cannot be run by this version", "")

    stage.member("王芳", sms=True)
    stage.apply({"note": journey("store_visited", "wait: 1d", SERVICE, topic="service")})
    stage.happens("王芳", "store_visited", store="湖滨店")
    with stage.daemon_down():
        stage.happens("王芳", "store_visited", store="湖滨店")
        stage.run_until(day=1, at="12:00")
        monkeypatch.setattr(AppliedHolder, "current", fails)
        for loop in (stage.engine.receive, stage.engine.advance):
            with pytest.raises(EngageError):
                loop.tick()
        monkeypatch.undo()
    stage.passes("1m")
    assert [when for when, _ in stage.got("王芳")] == ["day 1 12:00"]
    assert len(stage.events("王芳", "store_visited")) == 2


def test_an_event_about_somebody_unknown_is_kept_for_them(stage: Stage) -> None:
    stage.member("新人", sms=True, on_file=False)
    stage.apply(NOTE)
    order = {"id": "o1", "member": "M0001", "event": "order_paid", "data": {"order_id": "A1", "amount": 100}}
    stage.posts("/api/events", order)
    stage.registers("新人")
    assert stage.profile("新人")["orders"] == 1


def test_a_callback_with_the_wrong_secret_is_not_taken_in(stage: Stage) -> None:
    stage.member("王芳", sms=True)
    stage.apply(NOTE)
    answer = httpx.post(f"{stage.url}/callbacks/aliyun_sms/guess", json=[reply(stage, "TD")])
    stage.settle()
    assert answer.status_code in (403, 404)
    assert stage.events("王芳", "unsubscribed") == []


def test_a_wechat_message_told_again_with_another_seal_is_one_message(stage: Stage) -> None:
    """WeChat tells three times what is not answered in five seconds; MsgId stays, time and nonce do not."""
    stage.member("王芳", wechat=True)
    stage.apply({"ask": journey("store_visited", NPS, topic="service")})
    stage.types("王芳", "在吗")
    visits(stage)
    for attempt in (1, 2, 3):
        assert stage.wechat_pushes("王芳", "9", msg_id=4242, attempt=attempt) == "success"
    assert [given.score for given in stage.answers("王芳")] == [9]
    assert [row.key for row in stage.inbox("wechat")].count("message:4242") == 1


def test_an_address_that_is_somebody_elses_is_put_before_a_person(stage: Stage) -> None:
    stage.member("王芳", sms=True)
    stage.member("李雷", email=True)
    stage.apply(NOTE)
    number = stage.address("王芳", "sms")
    stage.posts("/api/members", {"member": "M0002", "addresses": {"sms": number}})
    assert [point.channel for point in stage.points("李雷")] == ["email"]
    (task,) = stage.tasks()
    assert (task.kind, task.name) == ("inbox", "李雷")
    assert task.words == (
        "李雷（M0002）登记的手机号 138****0001 已经属于另一位会员，这次没有改动。请核实：是同一个人，还是地址换了主人？"
    )


def test_a_list_says_only_what_is_new_to_the_address(stage: Stage) -> None:
    """The same number again is no conflict with oneself, and what is known of it stays."""
    stage.member("王芳", sms=True)
    stage.apply(NOTE)
    visits(stage)
    stage.sms_pushes(receipt(stage, False, "UNDELIV"))
    stage.registers("王芳", city="福州")
    assert stage.points("王芳")[0].status == "unreachable"
    assert stage.tasks() == []
