"""What holds for every answer: headers, size, and a server that starts and stops cleanly."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest
from web_world import World

from engage.web.server import Server, ServerError


def _every_page(world: World) -> dict[str, httpx.Response]:
    survey, text, choice = (world.path(world.links.survey(world.asked(step))) for step in ("nps", "why", "taste"))
    unsubscribe = world.path(world.links.unsubscribe(world.asked()))
    return {
        "survey": world.client.get(survey),
        "text survey": world.client.get(text),
        "choice survey": world.client.get(choice),
        "thanks": world.client.post(survey, data={"score": "9", "comment": "好"}),
        "missing score": world.client.post(survey, data={}),
        "closed": world.client.get(world.path(world.links.survey(world.asked(status="ended")))),
        "unsubscribe": world.client.get(unsubscribe),
        "unsubscribed": world.client.post(unsubscribe, data={"scope": "topic"}),
        "not found": world.client.get("/u/x"),
    }


def test_every_page_is_small_whole_and_calm(world: World) -> None:
    for name, page in _every_page(world).items():
        assert page.headers["content-type"].startswith("text/html"), name
        assert len(page.content) < 50_000, name
        assert "山野茶事" in page.text, name
        assert 'name="viewport"' in page.text, name
        # Nothing is fetched from anywhere, no script runs, nobody is shouted at.
        assert not re.search(r"<script|<img|<link|src=|https?://|@import|url\(", page.text), name
        assert "！" not in page.text, name
        assert not re.search(r"\w!", re.sub(r"<style>.*</style>", "", page.text, flags=re.DOTALL)), name


def test_every_answer_carries_the_security_headers(world: World) -> None:
    answers = [
        *_every_page(world).values(),
        world.client.get("/callbacks/nobody"),
        world.client.post("/api/events"),
        world.client.get(world.path(world.links.click(5, "shop"))),
    ]
    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'; form-action 'self'")
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert "set-cookie" not in answer.headers
        assert "server" not in answer.headers


@pytest.mark.parametrize("page", ["/healthz", "/readyz", "/metrics"])
def test_how_it_is_doing_is_not_for_the_outside(world: World, page: str) -> None:
    assert world.client.get(page).status_code == 404


def test_a_taken_port_is_a_plain_message(world: World) -> None:
    with pytest.raises(ServerError, match=r"web\.port"):
        Server(lambda scope, receive, send: None, "127.0.0.1", world.server.port)  # type: ignore[arg-type,return-value]


def test_a_stopped_server_answers_no_more(tmp_path: Path) -> None:
    world = World(tmp_path)
    assert world.client.get("/").status_code == 404
    world.close()
    with pytest.raises(httpx.ConnectError):
        httpx.get(world.server.url)


def test_a_server_that_never_started_can_be_stopped() -> None:
    Server(lambda scope, receive, send: None, "127.0.0.1", 0).stop()  # type: ignore[arg-type,return-value]
