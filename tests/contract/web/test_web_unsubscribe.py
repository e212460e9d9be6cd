"""`/u/<token>`: a GET changes nothing; a POST opts out, by the reader's choice or by the mail client's one click."""

from __future__ import annotations

from datetime import timedelta

import pytest
from web_world import World

from engage.core.fact import OptedOut


def _path(world: World, delivery_id: int) -> str:
    return world.path(world.links.unsubscribe(delivery_id))


def test_looking_changes_nothing(world: World) -> None:
    delivery_id = world.asked(topic="marketing")
    before = world.fingerprint()
    page = world.client.get(_path(world, delivery_id))
    assert page.status_code == 200
    assert "不再通过邮件收到「活动与优惠」" in page.text
    assert "<form" in page.text
    world.client.head(_path(world, delivery_id))
    assert world.fingerprint() == before


@pytest.mark.parametrize("how", ["urlencoded", "multipart"])
def test_one_click_opts_out_of_all_that_is_not_service(world: World, how: str) -> None:
    delivery_id = world.asked(topic="marketing")
    fields = {"List-Unsubscribe": "One-Click"}
    path = _path(world, delivery_id)
    if how == "urlencoded":
        response = world.client.post(path, data=fields)
    else:
        response = world.client.post(path, files={name: (None, value) for name, value in fields.items()})
    assert response.status_code == 200
    assert world.facts("page", f"optout:{delivery_id}:") == [
        OptedOut("email", world.clock.now(), "one-click", delivery_id=delivery_id)
    ]


def test_one_click_on_a_service_message_refuses_that_topic_too(world: World) -> None:
    delivery_id = world.asked(topic="service")
    world.client.post(_path(world, delivery_id), data={"List-Unsubscribe": "One-Click"})
    topics = {fact.topic for fact in world.facts("page", f"optout:{delivery_id}:") if isinstance(fact, OptedOut)}
    assert topics == {None, "service"}


@pytest.mark.parametrize(("scope", "topic"), [("topic", "survey"), ("all", None)])
def test_the_page_opts_out_of_what_was_chosen(world: World, scope: str, topic: str | None) -> None:
    delivery_id = world.asked(channel="sms")
    page = world.client.post(_path(world, delivery_id), data={"scope": scope})
    assert page.status_code == 200
    assert "已经为您退订" in page.text
    assert "短信" in page.text
    assert world.facts("page", f"optout:{delivery_id}:") == [
        OptedOut("sms", world.clock.now(), "page", delivery_id=delivery_id, topic=topic)
    ]


def test_repeats_are_one_row_but_a_refusal_next_week_counts_again(world: World) -> None:
    """Someone may have granted consent again in between."""
    delivery_id = world.asked()
    for _ in range(3):
        world.client.post(_path(world, delivery_id), data={"List-Unsubscribe": "One-Click"})
    assert len(world.stored("page", f"optout:{delivery_id}:")) == 1
    world.clock.advance_to(world.clock.now() + timedelta(days=7))
    world.client.post(_path(world, delivery_id), data={"List-Unsubscribe": "One-Click"})
    assert len(world.stored("page", f"optout:{delivery_id}:")) == 2


@pytest.mark.parametrize("form", [{}, {"scope": "everything"}, {"List-Unsubscribe": "no"}])
def test_a_form_without_a_choice_is_shown_again(world: World, form: dict[str, str]) -> None:
    delivery_id = world.asked()
    page = world.client.post(_path(world, delivery_id), data=form)
    assert page.status_code == 422
    assert "请先选一项" in page.text
    assert world.stored("page", f"optout:{delivery_id}:") == []


def test_forged_and_foreign_tokens_do_nothing(world: World) -> None:
    delivery_id = world.asked()
    waiting = world.asked(channel=None)  # nothing was sent yet: no such link can be in anyone's hands
    before = world.fingerprint()
    for token in (
        world.links.survey(delivery_id).rsplit("/", 1)[1],
        world.links.click(delivery_id, "shop").rsplit("/", 1)[1],
        world.links.unsubscribe(77_777_777).rsplit("/", 1)[1],
        world.links.unsubscribe(waiting).rsplit("/", 1)[1],
        "AAAA",
    ):
        assert world.client.get(f"/u/{token}").status_code == 404
        assert world.client.post(f"/u/{token}", data={"List-Unsubscribe": "One-Click"}).status_code == 404
    assert world.fingerprint() == before


def test_a_malformed_multipart_body_is_refused_without_a_traceback(world: World) -> None:
    delivery_id = world.asked()
    response = world.client.post(
        _path(world, delivery_id),
        content=b"--x\r\nnonsense",
        headers={"content-type": "multipart/form-data; boundary=y"},
    )
    assert response.status_code in (400, 422)
    assert "Traceback" not in response.text
