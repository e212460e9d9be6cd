"""`/s/<token>`: a score in a link is only marked; a POST answers, once, and may be corrected for a day."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from web_world import NOW, World

from engage.core.fact import Answered

_CHECKED = re.compile(r'name="(?:score|choice)" value="([^"]+)"[^>]* checked')


def _path(world: World, delivery_id: int, score: int | None = None) -> str:
    return world.path(world.links.survey(delivery_id, score))


def test_a_score_in_the_link_is_marked_but_not_stored(world: World) -> None:
    delivery_id = world.asked()
    before = world.fingerprint()
    page = world.client.get(_path(world, delivery_id, 9))
    assert page.status_code == 200
    assert _CHECKED.findall(page.text) == ["9"]
    assert "点「提交」后才算数" in page.text
    assert "您有多大可能把「山野茶事」推荐给朋友？" in page.text
    assert "我们怎样能做得更好？" in page.text
    assert world.client.head(_path(world, delivery_id, 9)).status_code == 200
    assert world.fingerprint() == before


def test_posting_the_form_answers(world: World) -> None:
    delivery_id = world.asked()
    page = world.client.post(_path(world, delivery_id, 9), data={"score": "3", "comment": " 包装破了\r\n两次 "})
    assert page.status_code == 200
    assert "您给的是 3 分" in page.text
    assert world.facts("page", f"answer:{delivery_id}:") == [
        Answered(delivery_id, world.clock.now(), score=3, comment="包装破了\n两次")
    ]


def test_the_same_form_sent_twice_is_one_answer_and_a_changed_one_is_another(world: World) -> None:
    delivery_id = world.asked()
    for score in ("3", "3", "8"):
        world.client.post(_path(world, delivery_id), data={"score": score})
    assert [fact.score for fact in world.facts("page", f"answer:{delivery_id}:") if isinstance(fact, Answered)] == [
        3,
        8,
    ]


@pytest.mark.parametrize("score", ["", "11", "-1", "9.5", "nine", "９９", "00000000001"])
def test_a_score_outside_the_survey_is_asked_for_again_kindly(world: World, score: str) -> None:
    delivery_id = world.asked()
    page = world.client.post(_path(world, delivery_id), data={"score": score, "comment": "很好喝"})
    assert page.status_code == 422
    assert "请先选一个分数" in page.text
    assert "很好喝" in page.text  # nothing typed is lost
    assert world.stored("page", f"answer:{delivery_id}:") == []


def test_a_csat_page_offers_one_to_five(world: World) -> None:
    delivery_id = world.asked("csat")
    page = world.client.get(_path(world, delivery_id, 9))
    assert re.findall(r'name="score" value="(\d+)"', page.text) == ["1", "2", "3", "4", "5"]
    assert _CHECKED.findall(page.text) == []  # 9 is no score here
    assert world.client.post(_path(world, delivery_id), data={"score": "5"}).status_code == 200


def test_a_choice_takes_only_its_own_options(world: World) -> None:
    delivery_id = world.asked("taste")
    assert world.client.post(_path(world, delivery_id), data={"choice": "咖啡"}).status_code == 422
    assert world.client.post(_path(world, delivery_id), data={"choice": "红茶"}).status_code == 200
    assert world.facts("page", f"answer:{delivery_id}:") == [Answered(delivery_id, world.clock.now(), choice="红茶")]


def test_an_open_question_needs_words_and_escapes_its_own(world: World) -> None:
    delivery_id = world.asked("why")
    page = world.client.get(_path(world, delivery_id))
    assert "&lt;b&gt;请直说&lt;/b&gt;" in page.text
    assert world.client.post(_path(world, delivery_id), data={"comment": "  "}).status_code == 422
    assert world.client.post(_path(world, delivery_id), data={"comment": "太慢"}).status_code == 200


def test_the_page_puts_the_question_as_the_message_did(world: World) -> None:
    """With the member's fields, what began the run, and their earlier answers."""
    delivery_id = world.asked("visit", name="王<芳>", context={"event": {"store": "湖滨店"}, "var": {}})
    world.answered(delivery_id, ago=timedelta(hours=2), score=9)
    page = world.client.get(_path(world, delivery_id))
    assert "<h1>王&lt;芳&gt;，湖滨店的茶还满意吗？上次您给了 9 分</h1>" in page.text


def test_what_is_not_known_of_the_member_is_a_dash(world: World) -> None:
    page = world.client.get(_path(world, world.asked("visit")))
    assert page.status_code == 200
    assert "<h1>—，—的茶还满意吗？上次您给了 — 分</h1>" in page.text


def test_the_comment_is_asked_for_in_the_words_of_the_journey(world: World) -> None:
    page = world.client.get(_path(world, world.asked("csat", name="王芳")))
    assert "王芳，哪里可以更好？" in page.text


def test_what_a_member_types_is_never_markup(world: World) -> None:
    delivery_id = world.asked()
    page = world.client.post(_path(world, delivery_id), data={"score": "x", "comment": "</textarea><script>alert(1)"})
    assert "<script" not in page.text


def test_a_comment_is_cut_to_length_and_cleaned(world: World) -> None:
    delivery_id = world.asked()
    world.client.post(_path(world, delivery_id), data={"score": "7", "comment": "茶\x00\x1b" + "好" * 3000})
    [fact] = world.facts("page", f"answer:{delivery_id}:")
    assert isinstance(fact, Answered)
    assert fact.comment == "茶" + "好" * 1999


def test_within_a_day_the_page_shows_what_was_given_and_takes_a_correction(world: World) -> None:
    delivery_id = world.asked(now_at="csat")  # the journey has gone on
    world.answered(delivery_id, ago=timedelta(hours=23), score=8, comment="还不错")
    page = world.client.get(_path(world, delivery_id))
    assert "您之前给的是 8 分" in page.text
    assert "还不错" in page.text
    assert _CHECKED.findall(page.text) == ["8"]
    assert world.client.post(_path(world, delivery_id), data={"score": "2"}).status_code == 200


def test_after_a_day_the_answer_stands(world: World) -> None:
    delivery_id = world.asked()
    world.answered(delivery_id, ago=timedelta(hours=25), score=8)
    assert world.client.get(_path(world, delivery_id)).status_code == 410
    page = world.client.post(_path(world, delivery_id), data={"score": "2"})
    assert page.status_code == 410
    assert "已经结束" in page.text
    assert world.stored("page", f"answer:{delivery_id}:") == []


@pytest.mark.parametrize(
    "closed",
    [{"status": "ended"}, {"now_at": "csat"}, {"deadline_at": NOW - timedelta(seconds=1)}, {"step_id": "gone"}],
    ids=["the run has ended", "the run has gone on", "the time is over", "the step is gone"],
)
def test_a_question_nobody_waits_for_is_closed_kindly(world: World, closed: dict[str, object]) -> None:
    delivery_id = world.asked(**closed)  # type: ignore[arg-type]
    assert world.client.get(_path(world, delivery_id)).status_code == 410
    assert world.client.post(_path(world, delivery_id), data={"score": "2"}).status_code == 410
    assert world.stored("page", f"answer:{delivery_id}:") == []


def test_unknown_and_forged_links_get_the_uniform_page(world: World) -> None:
    delivery_id = world.asked()
    missing = world.path(world.links.survey(88_888_888))
    foreign = f"/s/{world.links.unsubscribe(delivery_id).rsplit('/', 1)[1]}"
    answers = [world.client.get(path) for path in (missing, foreign, "/s/x", "/nowhere", "/")]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.text for answer in answers}) == 1
    assert world.client.post(foreign, data={"score": "9"}).status_code == 404


def test_pages_speak_english_to_those_who_ask_for_it(world: World) -> None:
    delivery_id = world.asked()
    english = world.client.get(_path(world, delivery_id), headers={"accept-language": "en-GB,en;q=0.9,zh;q=0.2"})
    assert 'lang="en"' in english.text
    assert "Submit" in english.text
    chinese = world.client.get(_path(world, delivery_id), headers={"accept-language": "zh-CN,zh;q=0.9,en;q=0.8"})
    assert "提交" in chinese.text


def test_a_long_form_is_refused(world: World) -> None:
    delivery_id = world.asked()
    page = world.client.post(_path(world, delivery_id), data={"score": "9", "comment": "a" * 70_000})
    assert page.status_code == 413
    assert "<html" in page.text
