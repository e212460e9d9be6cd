"""`/c/<token>`: clicks are recorded once, lead only to the catalog's links, and forged tokens lead nowhere."""

from __future__ import annotations

import base64
from datetime import timedelta

import pytest
from web_world import World

from engage.content.links import Links
from engage.core.fact import Clicked


def test_a_click_is_recorded_and_leads_to_the_catalogs_link(world: World) -> None:
    response = world.client.get(world.path(world.links.click(9001, "gift")))
    assert response.status_code == 302
    assert response.headers["location"] == "https://shop.example/gift?a=1&b=2"
    assert world.facts("page", "click:9001:") == [Clicked(9001, "gift", world.clock.now(), machine=False)]


def test_a_second_tap_within_the_minute_is_the_same_click_a_later_one_is_another(world: World) -> None:
    path = world.path(world.links.click(9002, "shop"))
    world.client.get(path)
    world.client.get(path)
    assert len(world.facts("page", "click:9002:")) == 1
    world.clock.advance_to(world.clock.now() + timedelta(minutes=2))
    world.client.get(path)
    assert len(world.facts("page", "click:9002:")) == 2


@pytest.mark.parametrize(
    "headers",
    [
        {"user-agent": "Mozilla/5.0 (compatible; bingbot/2.0)"},
        {"user-agent": "Mozilla/5.0 GoogleImageProxy"},
        {"user-agent": "facebookexternalhit/1.1"},
        {"purpose": "prefetch"},
        {"sec-purpose": "prefetch;prerender"},
        {"x-moz": "prefetch"},
    ],
)
def test_scanners_and_prefetchers_are_recorded_as_machines(world: World, headers: dict[str, str]) -> None:
    delivery_id = 9100 + len(repr(headers))
    world.client.get(world.path(world.links.click(delivery_id, "shop")), headers=headers)
    [fact] = world.facts("page", f"click:{delivery_id}:")
    assert isinstance(fact, Clicked)
    assert fact.machine


def test_head_is_a_machine_and_does_not_hide_the_person_who_follows(world: World) -> None:
    path = world.path(world.links.click(9003, "shop"))
    assert world.client.head(path).status_code == 302
    world.client.get(path)
    facts = world.facts("page", "click:9003:")
    assert [fact.machine for fact in facts if isinstance(fact, Clicked)] == [True, False]


def test_forged_tokens_get_the_same_page_and_store_nothing(world: World) -> None:
    good = world.path(world.links.click(9004, "shop")).removeprefix("/c/")
    raw = bytearray(base64.urlsafe_b64decode(good + "=="))
    raw[-1] ^= 1
    forged = [
        good[:-2],
        good + "A",
        base64.urlsafe_b64encode(bytes(raw)).decode().rstrip("="),
        Links("another key of thirty-two letters", "http://x").click(9004, "shop").rsplit("/", 1)[1],
        world.links.survey(9004).rsplit("/", 1)[1],  # another purpose
        world.links.unsubscribe(9004).rsplit("/", 1)[1],
        world.links.click(9004, "no-such-target").rsplit("/", 1)[1],
        "x",
        "..%2f..%2fetc",
        "A" * 5000,
        "茶",
    ]
    before = world.fingerprint()
    bodies = set()
    for token in forged:
        response = world.client.get(f"/c/{token}")
        assert response.status_code == 404, token
        bodies.add(response.text)
    assert len(bodies) == 1
    assert world.fingerprint() == before


def test_a_link_never_follows_an_address_from_the_query(world: World) -> None:
    response = world.client.get(world.path(world.links.click(9005, "shop")) + "?url=https://evil.example&next=//evil")
    assert response.headers["location"] == "https://shop.example/"
