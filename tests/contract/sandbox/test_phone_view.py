"""How moments, messages and letters are put for the page."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from engage.sandbox.model import Handover, Link
from engage.sandbox.phone.letters import letter_page
from engage.sandbox.phone.messages import drawn, runs, snippet
from engage.sandbox.phone.moments import in_full, in_short
from engage.sandbox.phone.view import chat_view
from engage.sandbox.phones import Came, Notice, Wrote

NOW = datetime(2026, 11, 23, 2, 7, tzinfo=UTC)


def message(text: str, **more: Any) -> Handover:
    given = {"id": "sms:1:1", "channel": "sms", "at": NOW, "address": "1", "payload": {}} | more
    return Handover(text=text, **given)


def test_moments_are_those_of_a_clock_in_china() -> None:
    late = datetime(2026, 12, 31, 16, 5, tzinfo=UTC)  # five past midnight in Shanghai
    assert in_full(NOW) == "11月23日 周一 10:07"
    assert in_full(late) == "1月1日 周五 00:05"
    assert in_short(late, late + timedelta(hours=23)) == "00:05"
    assert in_short(NOW, NOW + timedelta(days=1)) == "11月23日"
    assert in_short(NOW, late) == "2026年11月23日"


@pytest.mark.parametrize(
    ("text", "links", "pieces"),
    [
        ("茶", [], [{"text": "茶"}]),
        ("看这里和这里", ["这里", "这里"], [("看",), ("这里", 0), ("和",), ("这里", 1)]),
        ("看这里", ["没有", "这里"], [("看",), ("这里", 1)]),
        ("看", [""], [("看",)]),
        ("这里", ["这里"], [("这里", 0)]),
    ],
)
def test_a_text_is_cut_at_its_links(text: str, links: list[str], pieces: list[Any]) -> None:
    expected = [
        piece if isinstance(piece, dict) else dict(zip(("text", "link"), piece, strict=False)) for piece in pieces
    ]
    assert runs(text, [Link("http://x.example/", words) for words in links]) == expected


def test_a_snippet_is_one_line_and_short() -> None:
    assert snippet(message("茶到了\n\n  请来取")) == "茶到了 请来取"
    assert snippet(message("正文", subject="主题")) == "主题"
    long = snippet(message("茶" * 200))
    assert (len(long), long[-1]) == (60, "…")


def test_time_lines_stand_after_five_minutes_of_silence() -> None:
    minutes = (0, 5, 11)
    items = [Wrote(NOW + timedelta(minutes=minute), "在吗") for minute in minutes]
    assert [view.get("time") for view in chat_view(items, "山野茶事")] == [
        "11月23日 周一 10:07",
        None,
        "11月23日 周一 10:18",
    ]


def test_grey_lines_name_the_account_and_leave_addresses_out() -> None:
    texts = ["已关注公众号", "已取消关注", "打开了链接 http://127.0.0.1:1/c/abc", "已一键退订"]
    views = chat_view([Notice(NOW, text) for text in texts], "山野茶事")
    assert [view["text"] for view in views] == ["你已关注山野茶事", "你已取消关注山野茶事", "打开了链接", "已一键退订"]


def test_a_letter_without_html_is_shown_as_its_words() -> None:
    letter = message(
        "看 http://x.example/", channel="email", subject="", links=(Link("http://x.example/", "http://x.example/"),)
    )
    (view,) = chat_view([Came(NOW, letter)], "山野茶事")
    assert (view["subject"], view["sender"], view["html"], view["unsubscribe"]) == (
        "（无主题）",
        "（无发件人）",
        False,
        False,
    )
    assert view["runs"] == [{"text": "看 "}, {"text": "http://x.example/", "link": 0}]


def test_a_sender_without_a_name_goes_by_the_address() -> None:
    letter = message("茶", channel="email", payload={"mime": "From: tea@example.com\r\n\r\nFrom: 假的 <x@y.z>"})
    assert drawn(letter)["sender"] == "tea@example.com"


def test_only_links_of_anchors_are_led_through_the_phone() -> None:
    html = (
        '<link href="http://x/"><abbr href="http://x/">'
        "<a\nclass=b href = 'http://x/?a=1&amp;b=2'>1</a><a name=n>2</a><a data-href=\"http://x/\">3</a>"
    )
    asked: list[str] = []

    def open_url(url: str) -> str:
        asked.append(url)
        return '/open?"&'

    led = letter_page(html, open_url)
    assert asked == ["http://x/?a=1&b=2"]
    assert 'href = "/open?&quot;&amp;">1</a>' in led
    assert led.startswith('<link href="http://x/"><abbr href="http://x/">')
    assert led.endswith('<a name=n>2</a><a data-href="http://x/">3</a>')
