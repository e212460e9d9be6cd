"""What people make of messages: the words are those of the shipped templates."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from engage.sandbox.model import ChannelName, Handover, Link
from engage.sandbox.reading import Scale, read, survey_link, typed_score

AT = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
NPS = "您有多大可能把「山野茶事」推荐给朋友或同事？0=完全不会，10=非常愿意"
WELCOME = "小李，您好，这里是山野茶事。\n回复【1】领一份 5 泡试饮装，回复【2】看这季新茶。"


def message(
    text: str,
    channel: ChannelName = "wechat",
    links: tuple[Link, ...] = (),
    menu: tuple[tuple[str, str], ...] = (),
    unsubscribe_url: str | None = None,
) -> Handover:
    return Handover(
        id="h1",
        channel=channel,
        at=AT,
        address="o1",
        payload={},
        text=text,
        links=links,
        menu=menu,
        unsubscribe_url=unsubscribe_url,
    )


def buttons(low: int, high: int) -> tuple[Link, ...]:
    return tuple(Link(f"http://e/s/t?score={n}", str(n)) for n in range(low, high + 1))


@pytest.mark.parametrize(
    ("text", "scale"),
    [
        (f"{NPS}\n直接回复 0-10 的数字就好：0 是完全不会，10 是非常愿意。", Scale(0, 10)),
        (f"【山野茶事】{NPS}请直接回复0–10的数字。拒收请回复R", Scale(0, 10)),
        ("收到茶一周了，喝着还满意吗？请回复 1-5 分（5=非常满意）", Scale(1, 5)),
        ("请打分：１到５", Scale(1, 5)),
    ],
)
def test_a_question_with_a_range_asks_for_a_number(text: str, scale: Scale) -> None:
    assert read(message(text)).scale == scale
    assert read(message(text)).takes_a_digit


@pytest.mark.parametrize(
    "text",
    [
        "泡茶三件小事：水要开、汤要快、头泡别倒。\n点这里看 60 秒视频：http://e/c/x",
        "谢谢您打了 8 分。离满分还差的那一点，我们接着做。",
        "小李，第一单给您减 20 元，7 天内有效，已经放进卡包：http://e/c/x",
        "茶会在 1-5 天内送到。",
        "2026-10-01 到 2026-10-07 门店休息。",
    ],
)
def test_news_with_numbers_in_it_asks_for_nothing(text: str) -> None:
    reading = read(message(text))
    assert reading.scale is None
    assert not reading.wants_words
    assert not reading.takes_a_digit


def test_buttons_and_menus_are_questions_too() -> None:
    assert read(message("您的看法？", "email", links=buttons(0, 10))).scale == Scale(0, 10)
    assert read(message("还满意吗", menu=tuple((f"s{n}", f"{n} 分") for n in range(5, 0, -1)))).scale == Scale(1, 5)
    assert read(message("看看这三款", menu=(("1", "1 号"), ("2", "2 号"), ("3", "3 号")))).scale is None


@pytest.mark.parametrize(
    "text",
    [
        "收到，谢谢您。我们怎样能做得更好？\n直接回复就好，一句话也行；不方便写也没关系。",
        "收到，谢谢您。哪里还可以更好？直接回复这条短信就好，一句话也行。拒收请回复R",
        "收到，谢谢您。还有什么想告诉店长的？\n直接回复就好。",
    ],
)
def test_an_open_question_asks_for_words(text: str) -> None:
    reading = read(message(text))
    assert reading.wants_words
    assert not reading.takes_a_digit


def test_no_mail_asks_for_words_since_none_takes_a_reply() -> None:
    assert not read(message("我们怎样能做得更好？直接回复就好。", "email")).wants_words


def test_offers_are_the_words_in_brackets_after_reply() -> None:
    assert read(message(WELCOME)).offers == ("1", "2")
    assert read(message(WELCOME)).takes_a_digit
    howto = read(message("茶泡得顺手吗？\n回复【苦】【淡】【涩】，我们告诉您怎么调。"))
    assert howto.offers == ("苦", "淡", "涩")
    assert not howto.takes_a_digit
    assert not howto.wants_words


@pytest.mark.parametrize(
    "text",
    [
        "您最常喝哪一种？\n\n1. 岩茶\n2. 白茶\n3. 红茶\n直接回复前面的数字就好",
        "【山野茶事】您最常喝哪一种？请直接回复前面的数字：1 岩茶，2 白茶，3 红茶。拒收请回复R",
    ],
)
def test_the_numbers_of_a_list_are_offers(text: str) -> None:
    assert read(message(text)).offers == ("1", "2", "3")
    assert read(message(text)).takes_a_digit


def test_the_signature_and_the_way_out_of_an_sms_are_no_offers() -> None:
    assert read(message("【山野茶事】好久没见。拒收请回复R", "sms")).offers == ()


def test_a_confirmed_opt_out_is_a_farewell() -> None:
    assert read(message("已为您退订活动、问卷和祝福短信。订单、售后这类服务通知还会发给您。", "sms")).farewell
    assert read(message("已为您退订山野茶事的活动，不会再给您推送。")).farewell


def test_the_footer_of_a_mail_is_no_farewell_and_its_way_out_no_link() -> None:
    links = (Link("http://e/c/story", "看看那片茶"), Link("http://e/u/t", "取消订阅"), Link("http://e/u/t2", "这里"))
    reading = read(message("好久没见。\n退订后不会再给您发送。", "email", links, unsubscribe_url="http://e/u/t2"))
    assert not reading.farewell
    assert reading.links == links[:1]


def test_gifts_visits_recommendations_and_apologies_are_recognised() -> None:
    assert read(message("为您留了一份老枞小样，到店报手机号即可领取")).gift
    assert read(message("第一单给您减 20 元，7 天内有效")).gift
    assert read(message("今天到任意门店，都有一碗长寿面和一杯岩茶等您。")).visit
    assert read(message("把茶送给一位朋友，您和 TA 各得一泡")).recommend
    assert read(message("您的评价我们看到了，非常抱歉。")).care


def test_a_score_has_its_own_link_and_otherwise_the_page_is_opened() -> None:
    email = read(message(NPS, "email", links=buttons(0, 10)))
    for score in (0, 1, 10):
        link = survey_link(email, score)
        assert link is not None
        assert link.url == f"http://e/s/t?score={score}"
    chat = read(message(f"{NPS} 回复 0-10，或点这里 http://e/s/t", links=(Link("http://e/s/t", "http://e/s/t"),)))
    assert survey_link(chat, 9) == Link("http://e/s/t", "http://e/s/t")
    assert survey_link(read(message(NPS)), 9) is None


def test_scores_are_read_off_the_front_of_words() -> None:
    assert [typed_score(words) for words in ("9", "９分", "１０", "3 包装破了", "5 非常满意")] == [9, 9, 10, 3, 5]
    assert [typed_score(words) for words in ("R", "你好", "2026 年", "")] == [None] * 4


def test_a_mood_becomes_a_score_within_the_scale() -> None:
    assert [Scale(0, 10).score(mood) for mood in (-1.0, 0.0, 0.5, 1.0, 2.0)] == [0, 0, 5, 10, 10]
    assert [Scale(1, 5).score(mood) for mood in (0.0, 0.5, 1.0)] == [1, 3, 5]
