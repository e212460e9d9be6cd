"""What the web layer reads from a request: the reader's language, and whether a person sent it."""

from __future__ import annotations

import pytest
from starlette.requests import Request

from engage.core.problem import Lang
from engage.web.clicks import looks_like_a_machine
from engage.web.pages import preferred_lang


def a_request(method: str = "GET", **headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()]
    return Request({"type": "http", "method": method, "path": "/", "query_string": b"", "headers": raw})


@pytest.mark.parametrize(
    ("accept", "lang"),
    [
        ("", Lang.ZH),
        ("zh-CN,zh;q=0.9,en;q=0.8", Lang.ZH),
        ("en-US,en;q=0.9", Lang.EN),
        ("fr-FR,fr;q=0.9,en;q=0.5", Lang.EN),
        ("fr-FR,de", Lang.ZH),
        ("en;q=0.3,zh-TW;q=0.7", Lang.ZH),
        ("en;q=0, zh;q=0", Lang.ZH),
        ("EN", Lang.EN),
        ("en;q=nonsense", Lang.ZH),
        (",,;;=,q=1", Lang.ZH),
        ("*", Lang.ZH),
    ],
)
def test_the_language_is_the_first_of_ours_that_the_reader_wants(accept: str, lang: Lang) -> None:
    assert preferred_lang(a_request(accept_language=accept), Lang.ZH) is lang


@pytest.mark.parametrize(
    "agent",
    [
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 MicroMessenger/8.0.50",
        "Mozilla/5.0 (Linux; Android 14; HUAWEI) AppleWebKit/537.36 Chrome/120.0 Mobile Safari/537.36",
        "Mozilla/5.0 (X11; Cubot Note) Chrome/120.0",  # a phone whose name ends like a robot's
        "",
    ],
)
def test_people_are_not_taken_for_machines(agent: str) -> None:
    assert not looks_like_a_machine(a_request(user_agent=agent, accept="text/html"))


@pytest.mark.parametrize(
    "agent", ["Googlebot/2.1", "BarracudaCentral", "Slackbot-LinkExpanding 1.0", "curl/8.4.0", "WhatsApp link preview"]
)
def test_machines_that_say_so_are_believed(agent: str) -> None:
    assert looks_like_a_machine(a_request(user_agent=agent))


def test_head_and_prefetch_are_machines_whatever_they_call_themselves() -> None:
    assert looks_like_a_machine(a_request("HEAD", user_agent="Mozilla/5.0"))
    assert looks_like_a_machine(a_request(user_agent="Mozilla/5.0", sec_purpose="prefetch;anonymous-client-ip"))
