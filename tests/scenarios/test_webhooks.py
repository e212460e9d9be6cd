"""The webhook step: a system of the business is called, again and again under one key, and the run waits for it."""

from __future__ import annotations

import hashlib
import hmac

from receiver import DOWN, NO, OK, Receiver
from small_journeys import SERVICE, journey
from stage import OpenStage, Stage
from stage_wiring import Setup

from engage.core.webhook_call import CallOutcome
from engage.sandbox.loopback import HangUp, json_answer
from engage.store import webhook_calls
from engage.store.tables import webhook_call

CALL = 'webhook: coupon_issue\nwith: { store: "{{ event.store }}", who: "{{ member.name }}" }'


def call(open_stage: OpenStage, *more: str, answers: list[object] | None = None) -> tuple[Stage, Receiver]:
    """A visit to the store at ten calls the coupon system; then a message goes out."""
    receiver = Receiver()
    receiver.answers = answers or [OK]
    stage = open_stage(webhooks={"coupon_issue": receiver.config})
    stage.owns(receiver.server)
    stage.member("王芳", sms=True)
    step = "\n".join([CALL, *more])
    stage.apply({"visit": journey("store_visited", step, SERVICE, topic="service")})
    stage.happens("王芳", "store_visited", store="湖滨店")
    return stage, receiver


def test_a_call_says_who_where_and_what_and_is_signed(open_stage: OpenStage) -> None:
    stage, receiver = call(open_stage)
    (request,) = receiver.requests
    assert (request.method, request.path) == ("POST", "/coupons")
    (told,) = receiver.told
    assert told["journey"] == "visit"
    assert told["member"] == {"id": stage.ref("王芳").id, "external_id": "M0001"}
    assert told["data"] == {"store": "湖滨店", "who": "王芳"}
    signed = hmac.new(b"coupon-secret", request.body, hashlib.sha256).hexdigest()
    assert request.headers["x-engage-signature"] == f"sha256={signed}"
    assert len(stage.phone("王芳")) == 1
    assert stage.trail("王芳", "visit")[1:3] == ["webhook-coupon_issue: webhook", "webhook-coupon_issue: webhook_done"]


def test_the_run_waits_until_the_call_has_succeeded_however_often_it_is_tried(open_stage: OpenStage) -> None:
    stage, receiver = call(open_stage, answers=[DOWN, HangUp(), json_answer({}, 429), OK])
    assert stage.phone("王芳") == []
    stage.passes_seconds(10)
    stage.passes_seconds(20)
    assert stage.phone("王芳") == []
    stage.passes_seconds(40)
    assert len(receiver.requests) == 4
    assert len(stage.phone("王芳")) == 1
    assert len(set(receiver.keys)) == 1
    assert len({request.body for request in receiver.requests}) == 1


def test_what_is_refused_for_good_is_not_asked_again(open_stage: OpenStage) -> None:
    stage, receiver = call(open_stage, "on_fail: exit", answers=[NO])
    stage.run_until(day=2)
    assert len(receiver.requests) == 1
    run = stage.run("王芳", "visit")
    assert (run.end_kind, run.end_reason) == ("exit", "webhook coupon_issue failed")
    assert stage.notes("王芳", "visit", "webhook_failed")[0]["why"] == "http 422"
    assert stage.phone("王芳") == []


def test_a_redirect_is_not_followed(open_stage: OpenStage) -> None:
    elsewhere = Receiver()
    stage, receiver = call(open_stage, "on_fail: continue", answers=[json_answer({"to": elsewhere.server.url}, 307)])
    stage.owns(elsewhere.server)
    assert (len(receiver.requests), len(elsewhere.requests)) == (1, 0)
    assert len(stage.phone("王芳")) == 1


def test_by_default_it_is_tried_for_a_day_and_then_the_run_ends(open_stage: OpenStage) -> None:
    stage, receiver = call(open_stage, answers=[DOWN])
    stage.run_until(day=0, at="23:00")
    assert stage.run("王芳", "visit").status == "live"
    stage.run_until(day=2)
    run = stage.run("王芳", "visit")
    assert (run.end_kind, stage.when(run.ended_at)) == ("exit", "day 1 10:00")
    (row,) = stage.rows(webhook_call)
    assert (row.status, row.reason, row.attempts) == ("failed", "http 503", len(receiver.requests))
    assert 25 < row.attempts < 40
    assert stage.phone("王芳") == []


def test_continue_goes_on_after_ten_minutes(open_stage: OpenStage) -> None:
    stage, _ = call(open_stage, "on_fail: continue", answers=[DOWN])
    stage.run_until(at="11:00")
    assert stage.got("王芳") == [("day 0 10:10", "sms")]


def test_a_webhook_that_is_not_set_up_works_once_it_is(open_stage: OpenStage) -> None:
    stage = open_stage()
    stage.member("王芳", sms=True)
    stage.apply({"visit": journey("store_visited", CALL, SERVICE, topic="service")})
    stage.happens("王芳", "store_visited", store="湖滨店")
    (row,) = stage.rows(webhook_call)
    assert row.reason == "config.yaml has no webhook of this name"
    receiver = Receiver()
    stage.owns(receiver.server)
    stage.reconfigures(Setup(webhooks={"coupon_issue": receiver.config}))
    stage.passes("1h")
    assert len(receiver.requests) == len(stage.phone("王芳")) == 1


def test_a_run_that_ends_meanwhile_is_not_called_for_any_more(open_stage: OpenStage) -> None:
    receiver = Receiver()
    receiver.answers = [DOWN]
    stage = open_stage(webhooks={"coupon_issue": receiver.config})
    stage.owns(receiver.server)
    stage.member("王芳", sms=True)
    source = journey("store_visited", CALL, SERVICE, topic="service", more="exit_if: { event: refund_completed }\n")
    stage.apply({"visit": source})
    stage.happens("王芳", "store_visited", store="湖滨店")
    stage.happens("王芳", "refund_completed", order_id="A1", amount=1)
    receiver.answers = [OK]
    stage.passes("2h")
    assert len(receiver.requests) == 1
    (row,) = stage.rows(webhook_call)
    assert (row.status, row.reason) == ("failed", "its run no longer waits for it")
    assert stage.run("王芳", "visit").end_reason == "refund_completed"


def test_a_paused_journey_calls_nobody_until_it_goes_on(open_stage: OpenStage) -> None:
    receiver = Receiver()
    stage = open_stage(webhooks={"coupon_issue": receiver.config})
    stage.owns(receiver.server)
    stage.member("王芳", sms=True)
    stage.apply({"visit": journey("store_visited", CALL, SERVICE, topic="service")})
    stage.pauses("journey:visit")
    stage.happens("王芳", "store_visited", store="湖滨店")
    stage.passes("2h")
    assert receiver.requests == []
    stage.resumes("journey:visit")
    stage.passes("1m")
    assert len(receiver.requests) == len(stage.phone("王芳")) == 1


def test_a_daemon_that_was_down_for_days_still_tries_before_it_gives_up(open_stage: OpenStage) -> None:
    stage, receiver = call(open_stage, answers=[DOWN, OK])
    with stage.daemon_down():
        stage.run_until(day=3)
    assert len(receiver.requests) == 2
    assert len(stage.phone("王芳")) == 1


class Raises:
    """What no receiver is allowed to be."""

    def call(self, body: str, key: str, timeout: float) -> CallOutcome:
        raise UnicodeError("label empty or too long")


def test_a_call_that_raises_is_a_failure_of_its_own_and_the_others_are_recorded(open_stage: OpenStage) -> None:
    receiver = Receiver()
    stage = open_stage(webhooks={"coupon_issue": receiver.config})
    stage.owns(receiver.server)
    stage.member("王芳", sms=True)
    good = journey("store_visited", CALL, SERVICE, topic="service")
    bad = journey("store_visited", "webhook: crm_sync\non_fail: continue", topic="service")
    stage.apply({"good": good, "bad": bad})
    stage.house.app.context.webhooks["crm_sync"] = Raises()  # type: ignore[index]
    stage.happens("王芳", "store_visited", store="湖滨店")
    stage.passes("20m")
    assert len(receiver.requests) == len(stage.phone("王芳")) == 1
    assert {row.webhook: (row.status, row.reason) for row in stage.rows(webhook_call)} == {
        "coupon_issue": ("done", None),
        "crm_sync": ("failed", "UnicodeError while calling"),
    }
    assert stage.run("王芳", "bad").end_reason == "end"


def test_a_process_that_died_over_a_call_leaves_it_to_the_next_under_the_same_key(open_stage: OpenStage) -> None:
    stage, receiver = call(open_stage, answers=[DOWN, OK])
    with stage.daemon_down():
        stage.passes_seconds(10)
        with stage.database.write() as connection:
            (held,) = webhook_calls.claim(connection, stage.clock.now(), 10, ())
        assert held.attempts == 2
    assert len(receiver.requests) == 1  # the lease holds
    stage.passes("4m")
    assert len(receiver.requests) == 2
    assert len(set(receiver.keys)) == 1
    assert len(stage.phone("王芳")) == 1
