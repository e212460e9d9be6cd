"""What people write: to which question it belongs, and when only a person can answer."""

from __future__ import annotations

from small_journeys import journey
from stage import OpenStage, Stage

# Service questions, so that neither consent nor caps are in the way of asking twice.
CSAT = "ask: csat\nid: taste\nquestion: 茶还好喝吗？\ncomment: 哪里还可以更好？\nanswer_within: 3d\ntopic: service"
NPS = "ask: nps\nquestion: 会推荐给朋友吗？\nanswer_within: 3d\ntopic: service"
CHOICE = "ask: choice\nid: kind\nquestion: 更常喝哪种？\noptions: [绿茶, 红茶, 岩茶]\nanswer_within: 3d\ntopic: service"
OPEN = "ask: text\nid: why\nquestion: 最近怎么没来？\nanswer_within: 3d\ntopic: service"
BOTH = {
    "csat_first": journey("store_visited", CSAT, topic="service"),
    "nps_later": journey("coupon_used", NPS, topic="service"),
}


def scores(stage: Stage) -> dict[str, int]:
    return {given.step_id: given.score for given in stage.answers("王芳")}


def both_open(stage: Stage) -> None:
    """1–5 was asked at ten, 0–10 at eleven, both by SMS."""
    stage.member("王芳", sms=True)
    stage.apply(BOTH)
    stage.happens("王芳", "store_visited", store="湖滨店")
    stage.run_until(at="11:00")
    stage.happens("王芳", "coupon_used", code="C1")


def test_a_number_that_fits_both_questions_answers_the_later_one(stage: Stage) -> None:
    both_open(stage)
    stage.types("王芳", "3", channel="sms")
    assert scores(stage) == {"nps": 3}


def test_then_the_next_number_answers_the_earlier_one(stage: Stage) -> None:
    both_open(stage)
    stage.types("王芳", "9", channel="sms")
    stage.types("王芳", "4", channel="sms")
    assert scores(stage) == {"nps": 9, "taste": 4}


def test_a_number_that_fits_one_question_answers_that_one(stage: Stage) -> None:
    stage.member("王芳", sms=True)
    stage.apply(BOTH)
    stage.happens("王芳", "coupon_used", code="C1")
    stage.run_until(at="11:00")
    stage.happens("王芳", "store_visited", store="湖滨店")
    stage.types("王芳", "8", channel="sms")
    assert scores(stage) == {"nps": 8}


def test_a_number_out_of_range_is_for_a_person(stage: Stage) -> None:
    both_open(stage)
    stage.types("王芳", "11", channel="sms")
    assert scores(stage) == {}
    assert [task.words for task in stage.tasks()] == ["王芳：“11”"]


def test_scores_are_read_as_people_write_them(open_stage: OpenStage) -> None:
    for text, comment in (("９", None), ("9分", None), (" 9。茶很香 ", "茶很香"), ("9 分，茶很香", "茶很香")):
        stage = open_stage()
        stage.member("王芳", sms=True)
        stage.apply({"nps_later": BOTH["nps_later"]})
        stage.happens("王芳", "coupon_used", code="C1")
        stage.types("王芳", text, channel="sms")
        (given,) = stage.answers("王芳")
        assert (given.score, given.comment) == (9, comment), text


def test_a_digit_that_a_later_menu_offers_is_no_score(stage: Stage) -> None:
    stage.member("王芳", wechat=True)
    menu = {"hello": journey("store_visited", "send: welcome", topic="service"), "nps_later": BOTH["nps_later"]}
    stage.apply(menu)
    stage.types("王芳", "在吗")
    stage.happens("王芳", "coupon_used", code="C1")
    stage.run_until(at="11:00")
    stage.happens("王芳", "store_visited", store="湖滨店")
    assert "回复【1】领一份" in stage.last("王芳").text
    stage.types("王芳", "1")
    assert scores(stage) == {}
    assert stage.tasks()[-1].words == "王芳：“1”"
    stage.types("王芳", "9")  # no menu offers that
    assert scores(stage) == {"nps": 9}


def test_a_choice_is_taken_by_number_and_by_word(stage: Stage) -> None:
    for name in ("王芳", "李雷"):
        stage.member(name, sms=True)
    stage.apply({"kind": journey("store_visited", CHOICE, topic="service")})
    for name, text in (("王芳", "3"), ("李雷", "红茶")):
        stage.happens(name, "store_visited", store="湖滨店")
        stage.types(name, text, channel="sms")
    assert [stage.answers(name)[0].choice for name in ("王芳", "李雷")] == ["岩茶", "红茶"]


def test_whatever_is_written_answers_an_open_question(stage: Stage) -> None:
    stage.member("王芳", sms=True)
    stage.apply({"why": journey("store_visited", OPEN, topic="service")})
    stage.happens("王芳", "store_visited", store="湖滨店")
    stage.types("王芳", "搬家了，离得远", channel="sms")
    (given,) = stage.answers("王芳")
    assert given.comment == "搬家了，离得远"
    assert stage.run("王芳", "why").status == "ended"
    assert stage.tasks() == []


def test_a_reply_that_answers_nothing_is_put_before_a_person_with_what_it_follows(stage: Stage) -> None:
    stage.member("王芳", sms=True)
    stage.apply({"note": journey("store_visited", "send: sorry_personal", topic="service")})
    stage.happens("王芳", "store_visited", store="湖滨店")
    stage.types("王芳", "下午给我打电话吧", channel="sms")
    (task,) = stage.tasks()
    assert (task.kind, task.team, task.words) == ("inbox", None, "王芳：“下午给我打电话吧”")
    assert (task.journey_id, task.step_id) == ("note", "sorry_personal")


def test_somebody_nobody_knows_is_listened_to_as_well(stage: Stage) -> None:
    stage.stranger("路人")
    stage.apply({"note": journey("store_visited", "send: sorry_personal", topic="service")})
    stage.follows("路人")
    stage.types("路人", "你们在哪里")
    assert [task.words for task in stage.tasks()] == ["一位会员：“你们在哪里”"]


def test_an_answer_wakes_the_journey_at_once(stage: Stage) -> None:
    stage.member("王芳", sms=True)
    stage.apply(
        {"ask": journey("store_visited", NPS, "notify: 客服一组\ntask: 打了 {{ nps.score }} 分", topic="service")}
    )
    stage.happens("王芳", "store_visited", store="湖滨店")
    stage.types("王芳", "10", channel="sms")
    assert [task.words for task in stage.tasks()] == ["打了 10 分"]


def test_the_words_after_a_score_are_asked_for_where_it_was_typed(stage: Stage) -> None:
    stage.member("王芳", sms=True, wechat=True)
    sms_only = CSAT + "\nchannels: [sms]"
    stage.apply({"ask": journey("store_visited", sms_only, topic="service")})
    stage.happens("王芳", "store_visited", store="湖滨店")
    stage.types("王芳", "2", channel="sms")
    assert [channel for _, channel in stage.got("王芳")] == ["sms", "sms"]
    stage.types("王芳", "有点苦", channel="sms")
    (given,) = stage.answers("王芳")
    assert (given.score, given.comment) == (2, "有点苦")
    assert stage.tasks() == []


def test_opt_out_words_count_alone_and_not_inside_a_sentence(stage: Stage) -> None:
    stage.member("王芳", sms=True)
    stage.apply({"note": journey("store_visited", "send: sorry_personal", topic="service")})
    stage.types("王芳", "这个月的退订单在哪里看", channel="sms")
    assert stage.events("王芳", "unsubscribed") == []
    stage.types("王芳", "ｔｄ", channel="sms")  # full width
    assert len(stage.events("王芳", "unsubscribed")) == 1


def test_an_answer_that_is_quicker_than_the_providers_is_an_answer(stage: Stage) -> None:
    """The message is on the phone while our call is still open."""
    stage.member("王芳", sms=True)
    stage.apply({"ask": journey("store_visited", CSAT, topic="service")})
    with stage.by_hand() as hand:
        stage.happens("王芳", "store_visited", store="湖滨店")
        hand.up_to_the_wire()
        stage.types("王芳", "4", channel="sms")
        hand.queue()
        row = stage.deliveries("王芳")[0]
        assert (row.status, row.arrival) == ("sent", "delivered")
        hand.hand_over()
    assert scores(stage) == {"taste": 4}
    assert stage.tasks() == []


def asked_for_a_day(stage: Stage) -> None:
    """At ten, by SMS; the run stays for a week afterwards."""
    question = NPS.replace("answer_within: 3d", "answer_within: 1d")
    stage.member("王芳", sms=True)
    stage.apply({"ask": journey("store_visited", question, "wait: 7d", topic="service")})
    stage.happens("王芳", "store_visited", store="湖滨店")


def test_an_answer_in_time_counts_although_the_run_went_on_before_it_was_read(stage: Stage) -> None:
    asked_for_a_day(stage)
    with stage.daemon_down():
        stage.run_until(day=1, at="09:50")
        stage.types("王芳", "9", channel="sms")
        stage.clock.advance_to(stage.moment(1, "10:05"))
        stage.engine.advance.tick()  # the loops of a daemon that comes up start in any order
        assert (stage.run("王芳", "ask").step_id, scores(stage)) == ("wait>end", {})
    stage.settle()
    assert scores(stage) == {"nps": 9}
    assert [event.payload["score"] for event in stage.events("王芳", "answered")] == [9]
    assert stage.tasks() == []


def test_an_answer_after_its_time_is_for_a_person(stage: Stage) -> None:
    asked_for_a_day(stage)
    stage.run_until(day=1, at="10:05")
    stage.types("王芳", "9", channel="sms")
    assert scores(stage) == {}
    assert [task.words for task in stage.tasks()] == ["王芳：“9”"]


def test_an_answer_written_after_the_run_was_over_is_for_a_person_although_its_time_was_not(stage: Stage) -> None:
    stage.member("王芳", sms=True)
    exits = "exit_if: [ { event: coupon_used } ]\n"
    stage.apply({"ask": journey("store_visited", NPS, topic="service", more=exits)})
    stage.happens("王芳", "store_visited", store="湖滨店")
    stage.run_until(at="11:00")
    stage.happens("王芳", "coupon_used", code="C1")
    stage.run_until(at="11:30")
    stage.types("王芳", "9", channel="sms")
    assert scores(stage) == {}


def test_a_digit_that_an_earlier_menu_offers_answers_the_question_that_came_after_it(stage: Stage) -> None:
    stage.member("王芳", wechat=True)
    menu = {"hello": journey("store_visited", "send: welcome", topic="service"), "nps_later": BOTH["nps_later"]}
    stage.apply(menu)
    stage.types("王芳", "在吗")
    stage.happens("王芳", "store_visited", store="湖滨店")
    stage.run_until(at="11:00")
    stage.happens("王芳", "coupon_used", code="C1")
    stage.types("王芳", "1")
    assert scores(stage) == {"nps": 1}
