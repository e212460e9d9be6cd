"""`engage trace` over the real engine: one thing, from the raw callback to what came of it."""

from __future__ import annotations

from typing import Any

import pytest
from small_journeys import COUPON, journey
from stage import Stage
from test_winback import EVERYBODY, falls_asleep

from engage.cli.screen import Screen
from engage.cli.trace_words import LINKS, link_words
from engage.core.problem import Lang
from engage.runtime.insight.tracing import Chain, Link, Match, Tracer

ASK = "ask: nps\nquestion: 您会推荐我们吗？\nanswer_within: 2d\nchannels: [wechat]"


def find(stage: Stage, handle: str) -> list[Match]:
    with stage.database.read() as connection:
        return Tracer(stage.house.app.context, connection).find(handle)


def traced(stage: Stage, handle: str) -> Chain:
    with stage.database.read() as connection:
        tracer = Tracer(stage.house.app.context, connection)
        (match,) = tracer.find(handle)
        return tracer.follow(match)


def whats(chain: Chain) -> list[str]:
    return [link.what for link in chain.links]


def links_of(chain: Chain, what: str) -> list[Link]:
    return [link for link in chain.links if link.what == what]


def advert(stage: Stage, name: str = "王芳", **person: Any) -> Any:
    """One advert has gone out to them."""
    stage.member(name, **(person or {"sms": True}))
    stage.apply({"visit": journey("store_visited", COUPON)})
    stage.happens(name, "store_visited", store="湖滨店")
    stage.passes("5m")
    return stage.delivery(name)


def test_a_providers_id_leads_through_every_state_of_the_protocol(stage: Stage) -> None:
    row = advert(stage)
    chain = traced(stage, row.provider_id)
    assert (chain.match.handle, chain.member) == (f"delivery:{row.id}", (stage.ref("王芳").id, "M0001", "王芳"))
    told = whats(chain)
    states = ["run", "queued", "claimed", "intended", "called", "recorded"]
    assert [what for what in told if what in states] == states
    moments = [link.at for link in chain.links if link.what in states and link.at is not None]
    assert moments == sorted(moments)
    (outcome,) = links_of(chain, "recorded")
    assert (outcome.facts["status"], outcome.facts["provider_id"]) == ("sent", row.provider_id)
    assert links_of(chain, "arrival")[0].facts["arrival"] == "delivered"
    receipt = next(link for link in links_of(chain, "event") if link.facts["name"] == "delivered")
    assert receipt.facts["inbound_id"] is not None


def test_a_raw_receipt_leads_to_its_delivery_and_the_event_that_was_recorded(stage: Stage) -> None:
    row = advert(stage)
    (record,) = stage.inbox("aliyun_sms")
    chain = traced(stage, f"inbound:{record.id}")
    assert whats(chain)[:3] == ["received", "read", "fact"]
    (fact,) = links_of(chain, "fact")
    assert (fact.facts["fact"], fact.facts["provider_id"]) == ("Receipt", row.provider_id)
    (event,) = links_of(chain, "event")
    assert (event.facts["name"], event.facts["delivery_id"]) == ("delivered", row.id)
    assert chain.raw is not None
    assert row.provider_id in chain.raw


def test_the_shops_own_key_leads_from_an_event_to_the_run_it_began(stage: Stage) -> None:
    advert(stage)
    (event,) = stage.events("王芳", "store_visited")
    chain = (
        traced(stage, event.dedupe_key) if not find(stage, event.dedupe_key)[1:] else traced(stage, f"event:{event.id}")
    )
    assert whats(chain) == ["received", "read", "event", "run"]
    assert links_of(chain, "run")[0].facts["id"] == stage.run("王芳", "visit").id


def test_an_answer_typed_in_the_chat_leads_to_the_decision_it_made_and_the_message_that_followed(stage: Stage) -> None:
    stage.member("王芳", wechat=True)
    stage.apply({"ask": journey("store_visited", ASK, "send: birthday_coupon\nchannels: [wechat]")})
    stage.types("王芳", "你好")
    stage.happens("王芳", "store_visited", store="湖滨店")
    stage.passes("5m")
    stage.types("王芳", "9")
    record = stage.inbox("wechat")[-1]
    chain = traced(stage, f"inbound:{record.id}")
    assert [link.facts["name"] for link in links_of(chain, "event")][:1] == ["replied"]
    assert {link.facts["name"] for link in links_of(chain, "event")} >= {"replied", "answered", "nps_answered"}
    assert [link.facts["what"] for link in links_of(chain, "decided")] == ["answered"]
    assert [link.facts["template"] for link in links_of(chain, "queued")] == ["birthday_coupon"]
    asked = stage.delivery("王芳", purpose="ask")
    (answer,) = links_of(traced(stage, f"delivery:{asked.id}"), "answer")
    assert answer.facts["score"] == 9


def test_words_nobody_asked_for_lead_to_their_task(stage: Stage) -> None:
    stage.member("王芳", wechat=True)
    stage.apply({"visit": journey("store_visited", COUPON)})
    stage.types("王芳", "你们几点开门")
    (record,) = stage.inbox("wechat")
    chain = traced(stage, f"inbound:{record.id}")
    (task,) = links_of(chain, "task")
    assert "你们几点开门" in task.facts["words"]
    assert whats(traced(stage, f"task:{task.facts['id']}")) == ["task"]


def test_a_signed_link_leads_to_the_message_it_stands_in(stage: Stage) -> None:
    falls_asleep(stage, email=True)
    stage.apply(EVERYBODY)
    stage.run_until(day=1, at="12:00")
    link = stage.last("王芳").handover.links[0].url
    stage.clicks("王芳")
    chain = traced(stage, link)
    assert chain.match.handle == f"delivery:{stage.delivery('王芳', hop=0).id}"
    assert "clicked" in [event.facts["name"] for event in links_of(chain, "event")]
    assert find(stage, link[:-3] + "AAA") == []  # a link that was tampered with is nobody's


def test_hops_of_one_message_know_each_other(stage: Stage) -> None:
    falls_asleep(stage, sms=True, email=True)
    stage.apply(EVERYBODY)
    stage.run_until(day=5, at="12:00")
    first, second, third = stage.deliveries("王芳", step_id="winback_story")
    others = links_of(traced(stage, f"delivery:{first.id}"), "other_hop")
    assert [other.facts["delivery"] for other in others] == [second.id, third.id]
    assert [match.id for match in find(stage, first.message_key)] == [first.id, second.id, third.id]


def test_a_number_that_many_things_bear_is_never_guessed(stage: Stage) -> None:
    advert(stage)
    found = {match.handle for match in find(stage, "1")}
    assert {"delivery:1", "inbound:1", "event:1", "run:1"} <= found
    assert find(stage, "no such thing") == []
    assert find(stage, "delivery:99") == []


@pytest.mark.parametrize("handle", ["M0001", "王芳", "13800000001", "138 0000 0001"])
def test_a_member_is_found_however_they_are_called(stage: Stage, handle: str) -> None:
    row = advert(stage)
    chain = traced(stage, handle)
    assert chain.match.handle == f"member:{stage.ref('王芳').id}"
    assert row.id in [link.facts["id"] for link in links_of(chain, "queued")]


@pytest.mark.parametrize(("scope", "claimed_as"), [("journey:visit", ["paused"]), ("all", [])])
def test_a_message_that_waits_says_what_for(stage: Stage, scope: str, claimed_as: list[str]) -> None:
    """Also where nobody has claimed it, as everything is paused."""
    stage.member("王芳", sms=True)
    stage.apply({"visit": journey("store_visited", COUPON)})
    stage.pauses(scope)
    stage.happens("王芳", "store_visited", store="湖滨店")
    chain = traced(stage, f"delivery:{stage.delivery('王芳').id}")
    (stands,) = links_of(chain, "stands")
    assert (stands.facts["status"], stands.facts["reason"]) == ("pending", "paused")
    assert [link.facts["held_back"] for link in links_of(chain, "claimed")] == claimed_as


def test_a_record_that_could_not_be_read_says_why(stage: Stage) -> None:
    stage.member("王芳", sms=True)
    stage.apply({"visit": journey("store_visited", COUPON)})
    stage.sms_pushes({"phone_number": "13800000001", "content": "hi"})
    (record,) = stage.inbox("aliyun_sms")
    chain = traced(stage, f"inbound:{record.id}")
    assert whats(chain)[0] == "received"
    assert record.status in ("unreadable", "done")


def test_every_link_has_words_in_both_languages_that_say_what_is_on_file(stage: Stage) -> None:
    falls_asleep(stage, sms=True, email=True)
    stage.apply(EVERYBODY)
    stage.run_until(day=1, at="12:00")
    stage.clicks("王芳")
    stage.run_until(day=16)
    handles = [f"delivery:{row.id}" for row in stage.deliveries("王芳")] + ["run:1", "王芳", "inbound:3"]
    for chain in (traced(stage, handle) for handle in handles):
        for link in chain.links:
            for lang in Lang:
                words = link_words(Screen(lang), link, chain.zone)
                assert words, link
                assert "{" not in words.replace('{"', ""), words
    assert {said.in_(lang) for said in LINKS.values() for lang in Lang}


@pytest.mark.parametrize("handle", ["{}", "delivery:{}", "engage-{}", "member:{}"])
def test_a_number_of_so_many_digits_is_nobodys(stage: Stage, handle: str) -> None:
    """A card's has twenty, and a database takes nineteen."""
    advert(stage)
    assert find(stage, handle.format("9" * 20)) == []
