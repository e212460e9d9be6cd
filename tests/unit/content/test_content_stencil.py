"""A mail made with a stencil is the mail it would have been without."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engage.content import stencil
from engage.content.mail import finish_mail
from engage.content.stencil import Stencil

STYLED = """<!doctype html><html><head><title>{a}</title><style>.b [ color: red ] p [ margin: 0 ]</style></head>
<body><p class="b">{a}，您好 {b}</p><p>  <a href="{c}">{c}</a> <a href="{c}">{b}</a><img src="x.png" alt="{b}"></p>
<ul><li>{a}</li><li>{d}</li></ul></body></html>"""
AWKWARD = [
    "王芳",
    "",
    "a & b",
    "<b>",
    'say "hi"',
    "it's",
    " x ",
    "a  b",
    "a\nb",
    "{{ x }}",
    "\ue0000\ue001",
    "a\xa0b",
    "%}",
]


class Events(HTMLParser):
    """What a reader of the HTML is told, however its characters are spelt."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.told: list[object] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.told.append((tag, attrs))

    def handle_data(self, data: str) -> None:
        self.told.append(data)


def printed(form: str, values: dict[str, str], mark: object) -> str:
    escaped = {ord("&"): "&amp;", ord("<"): "&lt;", ord(">"): "&gt;", ord('"'): "&#34;", ord("'"): "&#39;"}
    return form.format(**{name: mark(value).translate(escaped) for name, value in values.items()})  # type: ignore[operator]


def mail(form: str, values: dict[str, str]) -> tuple[tuple[str, str] | None, tuple[str, str]]:
    """With a stencil, and without. The braces of styles are written [ ]."""
    made, marked, plain = Stencil(), "", ""
    for piece in form.replace("{", "\0{").split("\0"):
        name, brace, rest = piece.partition("}") if piece.startswith("{") else ("", "", piece)
        rest = rest.translate({ord("["): "{", ord("]"): "}"})
        value = {"v": values[name[1:]]} if brace else {"v": ""}
        marked += (printed("{v}", value, made.mark) if brace else "") + rest
        plain += (printed("{v}", value, str) if brace else "") + rest
    return made.finish(marked), finish_mail(plain)


@settings(max_examples=200, deadline=None)
@given(st.tuples(*[st.one_of(st.sampled_from(AWKWARD), st.text(max_size=12))] * 4))
def test_with_a_stencil_or_without_it_is_the_same_mail(texts: tuple[str, ...]) -> None:
    with_one, without = mail(STYLED, dict(zip("abcd", texts, strict=True)))
    if with_one is not None:
        assert Events(with_one[0]).told == Events(without[0]).told
        assert with_one[1] == without[1]


def test_members_who_take_the_same_branches_share_one_shape() -> None:
    stencil._finish.cache_clear()
    for name in ("王芳", "李雷", "韩梅梅 & 儿子"):
        found, _ = mail("<p>{a}</p>", {"a": name})
        assert found is not None
    assert stencil._finish.cache_info().misses == 1


@pytest.mark.parametrize(
    "form",
    [
        '<p class="{a}">x</p>',
        '<p style="color: {a}">x</p>',
        "<style>p [ color: {a} ]</style><p>x</p>",
        "<!-- {a} --><p>x</p>",
        "<{a}>x</{a}>",
    ],
)
def test_where_styles_could_go_by_a_value_the_mail_is_finished_on_its_own(form: str) -> None:
    found, _ = mail(form, {"a": "red"})
    assert found is None


def test_a_value_that_looks_like_a_mark_is_none() -> None:
    found, _ = mail("<p>{a} {b}</p>", {"a": "\ue0000\ue001", "b": "王芳"})
    assert found is None
