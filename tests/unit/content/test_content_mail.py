"""Mails: escaped values, the layout around them, styles inlined, and the plain-text part."""

from __future__ import annotations

import pytest
from content_builders import LAYOUT, said

from engage.content.plain_text import plain_text
from engage.content.render import Missing
from engage.core.words import Rendered

MAIL = """---
subject: "{{ member.name }}，您好"
preheader: 试饮装
---
<p>{{ member.name }}，<a href="{{ link('shop') }}">看看</a></p>
"""


def a_mail(source: str = MAIL, layout: str | None = LAYOUT, **member: object) -> Rendered:
    rendered = said(source, {"member": member, "brand": {"name": "山野茶事"}}, "email", layout)
    assert isinstance(rendered, Rendered), rendered
    return rendered


def test_values_are_escaped_in_html_and_plain_elsewhere() -> None:
    mail = a_mail(name="<b>王&芳</b>")
    assert "&lt;b&gt;王&amp;芳&lt;/b&gt;，" in mail.body
    assert mail.subject == "<b>王&芳</b>，您好"
    assert mail.plain is not None
    assert mail.plain.startswith("<b>王&芳</b>，看看：https://engage.example/c/")


def test_a_line_break_in_a_name_makes_no_new_header() -> None:
    assert a_mail(name="王芳\r\nBcc: x@example.com").subject == "王芳 Bcc: x@example.com，您好"


def test_subject_and_preheader_stand_beside_the_front_matter() -> None:
    mail = a_mail(name="王芳")
    assert (mail.subject, mail.preheader, mail.front) == ("王芳，您好", "试饮装", {})


def test_the_layout_holds_the_words_and_the_way_out() -> None:
    mail = a_mail(name="王芳")
    assert mail.body.startswith("<html")
    assert mail.body.count("<p>") == 1
    assert "https://engage.example/u/" in mail.body
    assert "https://engage.example/u/" in (mail.plain or "")


def test_a_mail_may_go_without_a_layout() -> None:
    bare = a_mail(MAIL.replace("preheader: 试饮装", "layout: none"), name="王芳")
    assert "/u/" not in bare.body
    assert bare.body.startswith("<!DOCTYPE html>")


def test_styles_are_inlined_and_media_rules_stay() -> None:
    styles = "p { color: red } @media (max-width: 9px) { p { color: blue } }"
    layout = LAYOUT.replace("<html>", f"<html><head><style>{styles}</style></head>")
    mail = a_mail(layout=layout, name="王芳")
    assert '<p style="color: red;">' in mail.body
    assert "@media (max-width: 9px)" in mail.body


def test_a_missing_subject_value_stops_the_mail() -> None:
    found = said(MAIL.replace("member.name }}，您好", "member.city }}，您好"), {}, "email", LAYOUT)
    assert isinstance(found, Missing)
    assert found.names == ("member.city",)


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>一</p><p>二</p>", "一\n\n二\n"),
        ("<h1>题</h1>\n  <p>字\n   字</p>", "题\n\n字 字\n"),
        ("<p>一<br>二</p>", "一\n二\n"),
        ('<p><a href="https://x.y/?a=1&amp;b=2">看看</a></p>', "看看：https://x.y/?a=1&b=2\n"),
        ('<a href="https://x.y">https://x.y</a>', "https://x.y\n"),
        ('<a href="https://x.y"><img src="a.png" alt="一罐茶"></a>', "一罐茶：https://x.y\n"),
        ('<a href="https://x.y"></a>', "https://x.y\n"),
        ('<a href="https://x.y/0">0</a> <a href="https://x.y/1">1</a>', "0：https://x.y/0\n1：https://x.y/1\n"),
        ("<ul><li>苦</li><li>淡</li></ul>", "· 苦\n· 淡\n"),
        ("<table><tr><td>左</td><td>右</td></tr></table>", "左 右\n"),
        ('<div style="DISPLAY : none">藏<p>起<br>来</p></div><p>见</p>', "见\n"),
        ("<head><title>题</title><style>p{}</style></head><p>见</p>", "见\n"),
        ("<p>&lt;b&gt; &amp; &nbsp;空</p>", "<b> & 空\n"),
        ("<!-- 注 --><p>见</p><script>x</script>", "见\n"),
        ("", "\n"),
    ],
)
def test_plain_text_keeps_words_and_addresses(html: str, text: str) -> None:
    assert plain_text(html) == text
