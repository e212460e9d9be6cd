"""`engage apply` on a running business: who stays, who moves, who is left alone."""

from __future__ import annotations

from small_journeys import COUPON, SERVICE, journey
from stage import Stage
from stage_wiring import shipped

from engage.runtime.edits.plan import Change

WAITS = journey("store_visited", SERVICE, "wait: 3d at 10:00", "send: thanks_repeat", topic="service")


def visits(stage: Stage, name: str = "王芳") -> None:
    stage.happens(name, "store_visited", store="湖滨店")


def test_a_step_added_ahead_is_taken_and_one_added_behind_is_not(stage: Stage) -> None:
    stage.member("王芳", sms=True)
    stage.apply({"note": WAITS})
    visits(stage)
    more = ("send: tips30", SERVICE, "wait: 3d at 10:00", "send: thanks_repeat", "send: tips60")
    report = stage.apply({"note": journey("store_visited", *more, topic="service")})
    assert report.those(Change.CHANGED) == ("note",)
    stage.run_until(day=4)
    texts = "\n".join(came.text for came in stage.phone("王芳"))
    assert "密封、避光" in texts
    assert "把水温降到90度" not in texts


def test_new_words_are_used_for_what_is_worded_from_then_on(stage: Stage) -> None:
    stage.member("王芳", email=True)
    stage.apply({"note": WAITS})
    visits(stage)
    stage.apply({"note": WAITS}, templates={"thanks_repeat.email": "---\nsubject: 新主题\n---\n<p>新的话。</p>\n"})
    stage.run_until(day=4)
    assert stage.last("王芳").text.startswith("新主题")


def test_a_journey_whose_file_is_gone_is_finished_by_those_in_it_and_entered_by_nobody(stage: Stage) -> None:
    for name in ("王芳", "李雷"):
        stage.member(name, sms=True)
    stage.apply({"note": WAITS, "other": journey("coupon_used", COUPON)})
    visits(stage)
    report = stage.apply({"other": journey("coupon_used", COUPON)})
    assert report.those(Change.DRAINED) == ("note",)
    visits(stage, "李雷")
    stage.run_until(day=4)
    assert len(stage.phone("王芳")) == 2
    assert stage.run("王芳", "note").end_kind == "completed"
    assert stage.runs("李雷") == []


def test_a_draft_stays_out(stage: Stage) -> None:
    stage.member("王芳", sms=True)
    report = stage.apply({"note": WAITS.replace("topic: service", "draft: yes\ntopic: service", 1)})
    assert (report.drafts, report.journeys) == (("note",), ())
    visits(stage)
    assert stage.runs("王芳") == []


WINBACK = {"winback": shipped("winback", ("holdout: 10%", "holdout: 0%"))}
NOBODY_SLEEPS = shipped("catalog", ("  沉睡90天: { last_order_at: over 90d ago, orders: 1.. }\n", ""))


def long_asleep(stage: Stage) -> None:
    """On file for a while, when the segment is written for the first time."""
    stage.member("王芳", sms=True)
    stage.history("王芳", "order_paid", "100d", order_id="A1", amount=100)
    stage.apply({"note": WAITS}, catalog=NOBODY_SLEEPS)


def test_members_already_in_a_new_segment_stay_out(stage: Stage) -> None:
    long_asleep(stage)
    stage.apply(WINBACK)
    stage.run_until(day=3)
    assert stage.runs("王芳") == []


def test_members_already_in_a_new_segment_enter_when_that_is_asked_for(stage: Stage) -> None:
    long_asleep(stage)
    stage.apply(WINBACK, existing=True)
    stage.run_until(day=3)
    assert len(stage.runs("王芳", "winback")) == 1


def test_imported_members_and_their_history_start_nothing(stage: Stage) -> None:
    stage.member("王芳", sms=True)
    stage.history("王芳", "order_paid", "100d", order_id="A1", amount=100)
    stage.history("王芳", "first_order_delivered", "2d", order_id="A1")
    stage.apply()
    stage.run_until(day=2)
    assert stage.runs("王芳") == []
    assert stage.phone("王芳") == []
    assert stage.profile("王芳")["orders"] == 1


def test_an_imported_member_falls_asleep_like_any_other(stage: Stage) -> None:
    stage.member("王芳", sms=True)
    stage.history("王芳", "order_paid", "89d", order_id="A1", amount=100)
    stage.apply(WINBACK)
    stage.run_until(day=2)
    assert len(stage.runs("王芳", "winback")) == 1


def test_who_falls_asleep_before_the_daemon_is_first_started_is_missed_by_nobody(stage: Stage) -> None:
    """Applied and imported on Monday; the daemon is started on Wednesday."""
    stage.member("王芳", sms=True)
    stage.history("王芳", "order_paid", "89d", order_id="A1", amount=100)
    with stage.daemon_down():
        stage.apply(WINBACK)
        while stage.engine.receive.tick():  # as `engage import` does itself
            pass
        stage.run_until(day=2)
    assert len(stage.runs("王芳", "winback")) == 1


def test_a_second_import_of_the_same_list_changes_nothing(stage: Stage) -> None:
    stage.member("王芳", sms=True)
    stage.apply({"note": WAITS})
    assert stage.imports_again() == (1, 0)  # read, accepted


def test_applying_the_same_files_again_changes_nothing(stage: Stage) -> None:
    stage.member("王芳", sms=True)
    stage.apply({"note": WAITS})
    visits(stage)
    report = stage.apply({"note": WAITS})
    assert (report.unchanged, report.is_empty) == (("note",), True)
    stage.run_until(day=4)
    assert len(stage.phone("王芳")) == 2
