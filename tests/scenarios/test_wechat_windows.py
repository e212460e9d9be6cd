"""What WeChat allows: five messages in 48 hours after words, three in a minute after a tap, templates for service."""

from __future__ import annotations

from small_journeys import COUPON, SERVICE, journey
from stage import OpenStage, Stage

NOTES = {"note": journey("coupon_used", SERVICE, topic="service")}
ADVERT = {"advert": journey("store_visited", COUPON)}


def note(stage: Stage, code: str = "C") -> None:
    stage.happens("王芳", "coupon_used", code=code)


def modes(stage: Stage) -> list[str]:
    return [row.mode for row in stage.deliveries("王芳", channel="wechat")]


def test_after_words_five_free_messages_then_templates(stage: Stage) -> None:
    stage.member("王芳", wechat=True)
    stage.apply(NOTES)
    stage.types("王芳", "在吗")
    for number in range(6):
        note(stage, str(number))
    assert modes(stage) == ["customer_service"] * 5 + ["template"]
    assert len(stage.phone("王芳")) == 6


def test_the_window_closes_after_exactly_48_hours(stage: Stage) -> None:
    stage.member("王芳", wechat=True)
    stage.apply(NOTES)
    stage.types("王芳", "在吗")
    stage.run_until(day=2, at="09:59")
    note(stage)
    stage.run_until(day=2, at="10:00")
    note(stage)
    assert modes(stage) == ["customer_service", "template"]


def test_new_words_open_a_new_window(open_stage: OpenStage) -> None:
    stage = open_stage(policy={"limits": {"same_words": {}}})  # the sixth time is meant
    stage.member("王芳", wechat=True)
    stage.apply(NOTES)
    stage.types("王芳", "在吗")
    for _ in range(5):
        note(stage)
    stage.types("王芳", "还在吗")
    note(stage)
    assert modes(stage) == ["customer_service"] * 6


def test_following_opens_three_messages_for_a_minute(stage: Stage) -> None:
    stage.member("王芳", wechat=True, follows=False)
    stage.apply(NOTES)
    stage.follows("王芳")
    for _ in range(4):
        note(stage)
    assert modes(stage) == ["customer_service"] * 3 + ["template"]


def test_a_minute_after_following_the_window_is_closed(stage: Stage) -> None:
    stage.member("王芳", wechat=True, follows=False)
    stage.apply(NOTES)
    stage.follows("王芳")
    stage.passes("1m")
    note(stage)
    assert modes(stage) == ["template"]


def test_advertising_goes_to_an_open_chat_and_never_by_template(stage: Stage) -> None:
    stage.member("王芳", wechat=True)
    stage.apply(ADVERT)
    stage.happens("王芳", "store_visited", store="湖滨店")
    row = stage.delivery("王芳")
    assert row.status == "skipped"
    why = {line["channel"]: line["why"] for line in row.decision}
    assert why["wechat"] == "no reply window is open; marketing may not use template messages"
    stage.types("王芳", "在吗")
    stage.happens("王芳", "store_visited", store="湖滨店")
    assert modes(stage) == ["customer_service"]


def test_a_window_that_closes_before_the_night_is_over_is_not_counted_on(stage: Stage) -> None:
    """Words on day 0 at 10:00; an advert due at 22:00 on day 1 waits for the morning of day 2, and there is 09:00."""
    stage.member("王芳", wechat=True)
    stage.apply(ADVERT)
    stage.types("王芳", "在吗")
    stage.run_until(day=1, at="22:00")
    stage.happens("王芳", "store_visited", store="湖滨店")
    stage.run_until(day=3)
    assert stage.got("王芳") == [("day 2 09:00", "wechat")]


def test_a_tap_on_a_menu_message_answers_and_opens_no_more_than_a_minute(stage: Stage) -> None:
    ask = "ask: csat\nquestion: 喝着还满意吗？\nanswer_within: 3d"
    stage.member("王芳", wechat=True)
    stage.apply(NOTES | {"ask": journey("store_visited", ask)})
    stage.types("王芳", "在吗")
    stage.happens("王芳", "store_visited", store="湖滨店")
    stage.run_until(day=2, at="12:00")  # the 48 hours are over
    stage.taps("王芳", "4 分")
    assert [given.score for given in stage.answers("王芳")] == [4]
    note(stage)
    stage.passes("1m")
    note(stage)
    assert modes(stage) == ["customer_service", "customer_service", "template"]


def test_our_own_count_and_wechats_agree_after_all_of_it(stage: Stage) -> None:
    stage.member("王芳", wechat=True)
    stage.apply(NOTES)
    stage.types("王芳", "在吗")
    for _ in range(3):
        note(stage)
    window = stage.world.reply_window("王芳")
    assert window is not None
    (point,) = stage.points("王芳")
    assert (window.left, point.window_used) == (2, 3)
