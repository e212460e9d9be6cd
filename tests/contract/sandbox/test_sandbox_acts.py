"""What people and the shop do, as the engine's pages and API see it; and what they do by themselves."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

import pytest
from sandbox_bench import CHEN, LIN, START, Bench, MakeBench, Told

from engage.sandbox.loopback import Answer, HangUp, Request
from engage.sandbox.model import (
    Act,
    Birthday,
    FillSurvey,
    Follow,
    Handover,
    OpenLink,
    Person,
    Phone,
    Planned,
    Reaction,
    Register,
    ShopEvent,
    TapMenu,
    Type,
)
from engage.sandbox.phones import Came, Notice, Wrote
from engage.sandbox.world import ActResult

OPENID = LIN.openid or ""


# --- pages ---


def test_a_click_notes_where_the_engine_leads_and_goes_no_further(bench: Bench) -> None:
    url = f"{bench.settings.engine_url}/c/abc"
    landing = bench.world.act(OpenLink("wechat", OPENID, url))
    assert landing == ActResult(True, 200, None)
    (request,) = bench.engine.requests
    assert (request.method, request.path) == ("GET", "/c/abc")
    assert "MicroMessenger" in request.headers["user-agent"]


class Redirecting(BaseHTTPRequestHandler):
    """An engine that leads a click on, first to a page of its own, then away."""

    def do_GET(self) -> None:
        self.send_response(302)
        self.send_header("Location", "/c/def" if self.path == "/c/abc" else "https://shop.example/tea")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


def test_a_link_that_leads_off_the_engine_is_noted_and_not_fetched(make_bench: MakeBench) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Redirecting) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}"
        bench = make_bench(engine_url=url)
        away = bench.world.act(OpenLink("sms", LIN.phone or "", f"{url}/c/abc"))
        at_once = bench.world.act(OpenLink("sms", LIN.phone or "", "https://shop.example/"))
        server.shutdown()
        thread.join()
    assert away == ActResult(True, 302, "https://shop.example/tea")
    assert at_once == ActResult(True, None, "https://shop.example/")


def test_a_survey_is_opened_and_then_submitted_to_the_same_address(bench: Bench) -> None:
    url = f"{bench.settings.engine_url}/s/abc?score=9"
    assert bench.world.act(FillSurvey("email", LIN.email or "", url, score=9, comment="好茶")).status == 200
    seen, sent = bench.engine.requests
    assert (seen.method, seen.path, seen.query) == ("GET", "/s/abc", {"score": "9"})
    assert (sent.method, sent.path, sent.query) == ("POST", "/s/abc", {"score": "9"})
    assert parse_qs(sent.body.decode()) == {"score": ["9"], "comment": ["好茶"]}


def test_a_survey_page_that_does_not_open_is_not_submitted(bench: Bench) -> None:
    bench.engine.answers["/s"] = Answer(404, b"")
    url = f"{bench.settings.engine_url}/s/abc"
    assert bench.world.act(FillSurvey("email", LIN.email or "", url, score=None)).status == 404
    assert [request.method for request in bench.engine.requests] == ["GET"]


# --- the shop ---


def test_the_shop_reports_with_its_key(bench: Bench) -> None:
    bench.world.act(ShopEvent(LIN.key, "order_paid", {"order_id": "A1", "amount": 128}, "A1/paid"))
    (request,) = bench.engine.at("/api/events")
    assert request.headers["authorization"] == "Bearer shop-key"
    assert json.loads(request.body) == {
        "events": [
            {
                "id": "A1/paid",
                "member": "M00001",
                "event": "order_paid",
                "at": START.isoformat(),
                "data": {"order_id": "A1", "amount": 128},
            }
        ]
    }


def test_the_shop_speaks_of_its_members_only(bench: Bench) -> None:
    assert not bench.world.act(ShopEvent(CHEN.key, "order_paid", {}, "A2/paid")).done
    assert not bench.world.act(Register(CHEN.key)).done
    assert bench.engine.requests == []


def test_a_member_is_registered_with_what_they_left(make_bench: MakeBench) -> None:
    person = replace(LIN, openid=None, city="杭州", birthday=Birthday("lunar", 8, 15))
    bench = make_bench(people=[person])
    bench.world.act(Register(person.key))
    (request,) = bench.engine.at("/api/members")
    (member,) = json.loads(request.body)["members"]
    assert member["member"] == "M00001"
    assert member["fields"] == {"name": "林晚", "city": "杭州", "birthday": "农历八月十五", "lifecycle": "新客"}
    assert member["addresses"] == {"sms": person.phone, "email": person.email}
    assert {consent["channel"] for consent in member["consents"]} <= {"sms", "email"}
    assert all(consent["granted"] and consent["evidence"] for consent in member["consents"])


def test_the_shop_repeats_what_was_not_heard_but_not_what_was_refused(bench: Bench) -> None:
    bench.engine.answers["/api/events"] = HangUp()
    bench.world.act(ShopEvent(LIN.key, "store_visited", {}, "v1"))
    bench.go_on(timedelta(hours=1))
    assert len(bench.engine.at("/api/events")) == 4
    bench.engine.answers["/api/events"] = Answer(422, b"unknown event")
    bench.world.act(ShopEvent(LIN.key, "nonsense", {}, "n1"))
    bench.go_on(timedelta(hours=1))
    assert len(bench.engine.at("/api/events")) == 5
    assert [missed.answer for missed in bench.world.given_up()] == ["RemoteProtocolError", "422 unknown event"]


# --- by themselves ---


def test_people_react_after_a_while_and_one_thing_leads_to_another(make_bench: MakeBench) -> None:
    """A message is answered; the answer has a consequence in the shop; all of it at its moment."""

    def react(phone: Phone, handover: Handover, rng: random.Random) -> Sequence[Reaction]:
        assert phone.received[-1] == handover
        assert phone.following
        return [Reaction(timedelta(minutes=3), "answer", Type("wechat", OPENID, "9", about=handover.id))]

    def follow_up(person: Person, act: Act, at: datetime, rng: random.Random) -> Sequence[Reaction]:
        if not isinstance(act, Type) or act.text != "9":
            return ()
        return [Reaction(timedelta(hours=1), "buys", ShopEvent(person.key, "order_paid", {}, "A1"))]

    bench = make_bench(Told(react, follow_up))
    bench.world.act(Type("wechat", OPENID, "在吗"))
    bench.say(OPENID, "0–10 您打几分")
    assert bench.world.next_due() == START + timedelta(minutes=3)
    assert bench.world.tick() == 0
    bench.go_on(timedelta(days=1))
    assert [message.content for message in bench.told()] == ["在吗", "9"]
    (order,) = bench.engine.at("/api/events")
    assert json.loads(order.body)["events"][0]["at"] == (START + timedelta(minutes=63)).isoformat()
    assert bench.world.next_due() is None


def test_words_that_no_longer_make_sense_are_not_typed(make_bench: MakeBench) -> None:
    answer = Reaction(timedelta(minutes=3), "answer", Type("wechat", OPENID, "9"))
    asked: list[tuple[int, str]] = []

    def sensible(phone: Phone, planned: Planned) -> bool:
        asked.append((len(phone.received), planned.key))
        return False

    bench = make_bench(Told(lambda phone, handover, rng: [answer], sensible=sensible))
    bench.notify(OPENID, "k1", thing1="已发货")
    bench.go_on(timedelta(hours=1))
    assert asked == [(1, f"wechat:{OPENID}:1/answer")]
    assert [message.type for message in bench.told()] == ["event"]


def test_a_person_at_the_phone_page_is_not_asked_whether_it_makes_sense(make_bench: MakeBench) -> None:
    bench = make_bench(Told(sensible=lambda phone, planned: False))
    assert bench.world.act(Type("wechat", OPENID, "9")).done


def test_nobody_reacts_to_what_did_not_reach_them(make_bench: MakeBench) -> None:
    dead = replace(LIN, mailbox_dead=True, phone_dead=True)

    def react(phone: Phone, handover: Handover, rng: random.Random) -> Sequence[Reaction]:
        raise AssertionError(f"{handover.id} was seen")

    bench = make_bench(Told(react), people=[dead])
    assert bench.text_message(dead.phone or "")["Code"] == "OK"
    bench.go_on(timedelta(hours=1))


def test_the_script_is_done_in_order_and_once(make_bench: MakeBench) -> None:
    later, same = START + timedelta(hours=2), START + timedelta(hours=1)
    script = [
        Planned(later, "c", Follow(CHEN.openid or "")),
        Planned(same, "b", ShopEvent(LIN.key, "order_paid", {}, "2")),
        Planned(same, "a", ShopEvent(LIN.key, "order_paid", {}, "1")),
    ]
    bench = make_bench(script=script)
    bench.go_on(timedelta(minutes=30))
    assert bench.engine.requests == []
    bench.clock.advance_to(later)
    assert bench.world.tick() == 3
    assert bench.world.tick() == 0
    ids = [json.loads(request.body)["events"][0]["id"] for request in bench.engine.at("/api/events")]
    assert ids == ["1", "2"]
    assert [message.event for message in bench.told()] == ["subscribe"]


def test_a_planned_act_is_done_once_whoever_asks(bench: Bench) -> None:
    planned = Planned(START, "hello", Type("wechat", OPENID, "在吗"))
    assert (bench.world.act(planned).done, bench.world.act(planned).done) == (True, False)
    assert len(bench.told()) == 1


# --- the phone page ---


def test_a_chat_holds_both_sides_and_the_grey_lines(bench: Bench) -> None:
    openid = CHEN.openid or ""
    bench.world.act(Follow(openid))
    bench.say(openid, "欢迎")
    bench.world.act(TapMenu(openid, "1", "看新茶"))
    bench.world.act(OpenLink("wechat", openid, "https://shop.example/"))
    followed, came, tapped, opened = bench.world.chat(CHEN.key, "wechat")
    assert isinstance(came, Came)
    assert came.handover.text == "欢迎"
    assert (followed, tapped) == (Notice(START, "已关注公众号"), Wrote(START, "看新茶"))
    assert opened == Notice(START, "打开了链接 https://shop.example/")
    assert bench.world.chat(CHEN.key, "sms") == ()


def test_nobody_has_an_unknown_key(bench: Bench) -> None:
    with pytest.raises(KeyError):
        bench.world.phone("p9999")


def test_the_truth_is_written_before_the_engine_hears_of_it(make_bench: MakeBench) -> None:
    bench = make_bench()
    lines: list[str] = []

    def watch(request: Request) -> None:
        lines.extend((bench.folder / "truth" / "wechat.jsonl").read_text().splitlines())

    bench.engine.watcher = watch
    bench.world.act(Type("wechat", OPENID, "在吗"))
    (line,) = [json.loads(line) for line in lines]
    assert (line["kind"], line["act"], line["text"], line["address"]) == ("act", "type", "在吗", OPENID)
