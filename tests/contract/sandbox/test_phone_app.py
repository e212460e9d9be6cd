"""The phone page over real HTTP: what it is told, what a tap does in the world, and whom it does not obey."""

from __future__ import annotations

import smtplib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email import policy
from email.message import EmailMessage
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from sandbox_bench import CHEN, LIN, WANG, Bench

from engage.sandbox.loopback import Answer
from engage.sandbox.model import FillSurvey, OneClickUnsubscribe, OpenLink, SendForm, Type
from engage.sandbox.phone import JourneyLine, phone_app
from engage.sandbox.truth import Done, TruthLog
from engage.web.server import Server

OPENID = LIN.openid or ""
MAILBOX = LIN.email or ""


@dataclass
class Driver:
    """The demo's driver, as far as the page knows it."""

    bench: Bench
    lines: list[JourneyLine] | None = field(default_factory=list)

    def now(self) -> datetime:
        return self.bench.clock.now()

    def forward(self, period: timedelta) -> None:
        self.bench.go_on(period)

    def journeys(self, key: str) -> list[JourneyLine] | None:
        return self.lines


@dataclass
class PhonePage:
    """A browser that shows the page: it says where its requests come from, and stays on the page's site."""

    bench: Bench
    driver: Driver
    http: httpx.Client

    def see(self, key: str) -> dict[str, Any]:
        answer = self.http.get(f"/api/phones/{quote(key, safe='')}")
        assert answer.status_code == 200
        return dict(answer.json())

    def do(self, key: str, **act: str) -> bool:
        answer = self.http.post(f"/api/phones/{quote(key, safe='')}/acts", json=act)
        assert answer.status_code == 200, answer.text
        return bool(answer.json()["done"])

    def acts(self) -> list[Any]:
        """What people did, as the truth log has it."""
        log = TruthLog(self.bench.folder / "truth")
        log.close()
        return [record.act for record in log.past() if isinstance(record, Done)]


@pytest.fixture
def page(bench: Bench) -> Iterator[PhonePage]:
    driver = Driver(bench)
    server = Server(phone_app(bench.world, driver, "山野茶事"), "127.0.0.1", 0)
    server.start()
    with httpx.Client(base_url=server.url, headers={"sec-fetch-site": "same-origin"}, trust_env=False) as http:
        yield PhonePage(bench, driver, http)
    server.stop()


def mail(bench: Bench, html: str) -> str:
    """A letter in Lin's mailbox; its handover's id."""
    message = EmailMessage(policy=policy.SMTP)
    message["From"], message["To"], message["Subject"] = "山野茶事 <tea@example.com>", MAILBOX, '"茶"到了 <b>'
    message["List-Unsubscribe"] = f"<{bench.settings.engine_url}/u/abc>"
    message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message.set_content("茶到了\n")
    message.add_alternative(html, subtype="html")
    with smtplib.SMTP(bench.world.smtp_host, bench.world.smtp_port, timeout=5) as client:
        client.sendmail("b@bounce.example.com", MAILBOX, message.as_bytes())
    return bench.world.phone(LIN.key).received[-1].id


def show_pages(bench: Bench, words: str = "<form method=post>您的意见</form>") -> None:
    page = Answer(200, words.encode(), "text/html; charset=utf-8")
    bench.engine.answers |= {"/s/": page, "/u/": page}


# --- reading ---


def test_the_list_shows_everybody_and_what_came_last(page: PhonePage) -> None:
    page.bench.say(OPENID, "您好，\n茶到了")  # refused: no window is open
    page.bench.world.act(Type("wechat", OPENID, "在吗"))
    page.bench.say(OPENID, "在的，\n茶到了")
    listed = page.http.get("/api/people").json()
    rows = {row["key"]: row for row in listed["people"]}
    assert listed["now"] == "3月2日 周一 10:00"
    assert [row["name"] for row in listed["people"]] == ["林晚", "王岩", "陈禾"]
    assert rows[LIN.key]["last"] == {
        "when": "10:00",
        "at": page.bench.clock.now().timestamp(),
        "words": "在的， 茶到了",
    }
    assert rows[LIN.key]["received"] == {"wechat": 1, "sms": 0, "email": 0}
    assert (rows[WANG.key]["channels"], rows[WANG.key]["last"]) == (["sms", "email"], None)
    assert (rows[CHEN.key]["channels"], rows[CHEN.key]["following"]) == (["wechat"], False)


def test_a_page_that_is_up_to_date_is_told_so(page: PhonePage) -> None:
    first = page.http.get(f"/api/phones/{LIN.key}")
    etag = {"if-none-match": first.headers["etag"]}
    assert page.http.get(f"/api/phones/{LIN.key}", headers=etag).status_code == 304
    page.do(LIN.key, act="type", channel="wechat", text="在吗")
    assert page.http.get(f"/api/phones/{LIN.key}", headers=etag).status_code == 200


def test_pages_run_their_own_script_only_and_are_framed_by_nobody(page: PhonePage) -> None:
    for path in ("/", f"/p/{LIN.key}"):
        answer = page.http.get(path)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'; script-src 'self'; style-src 'self';" in policy
        assert "frame-ancestors 'none'" in policy
        assert "http" not in answer.text  # nothing comes from elsewhere
        for name in ("onclick=", "style=", "<script>"):
            assert name not in answer.text
    assert page.http.get("/static/phone.js").headers["content-type"].startswith("text/javascript")


def test_the_journeys_and_the_time_are_the_drivers(page: PhonePage) -> None:
    now = page.driver.now()
    page.driver.lines = [
        JourneyLine("NPS 回访", "等回答", now + timedelta(days=2)),
        JourneyLine("新客90天陪伴", "等到第 3 天", now + timedelta(hours=3)),
        JourneyLine("生日祝福", "等短信送达"),
    ]
    seen = page.see(LIN.key)
    assert seen["journeys"][1] == {"title": "新客90天陪伴", "step": "等到第 3 天", "next": "3月2日 周一 13:00"}
    assert seen["journeys"][2]["next"] is None
    assert seen["next"] is True
    page.http.post(f"/api/phones/{LIN.key}/forward", json={"by": "next"})
    assert page.see(LIN.key)["now"] == "3月2日 周一 13:00"
    page.http.post(f"/api/phones/{LIN.key}/forward", json={"by": "1d"})
    assert page.see(LIN.key)["now"] == "3月3日 周二 13:00"


def test_where_nothing_is_due_time_stands_still(page: PhonePage) -> None:
    page.driver.lines = None
    before = page.driver.now()
    assert page.see(LIN.key)["journeys"] is None
    assert page.http.post(f"/api/phones/{LIN.key}/forward", json={"by": "next"}).json() == {"done": False}
    assert page.http.post(f"/api/phones/{LIN.key}/forward", json={"by": "99y"}).json() == {"done": False}
    assert page.driver.now() == before


# --- WeChat ---


def test_a_visitor_takes_a_new_phone_and_follows(page: PhonePage) -> None:
    taken = page.http.post("/api/phones", json={"name": ' 小 "雨"\n<b> '})
    assert taken.status_code == 201
    key = taken.json()["key"]
    fresh = page.see(key)
    assert (fresh["name"], fresh["following"], fresh["chats"]["wechat"]) == ('小 "雨" <b>', False, [])
    assert page.do(key, act="type", channel="wechat", text="在吗") is False  # nobody listens before the follow
    assert page.do(key, act="follow")
    (event,) = page.bench.told()
    assert (event.event, f"wechat:{event.source}") == ("subscribe", key)
    followed = page.see(key)
    assert (followed["name"], followed["following"]) == ('小 "雨" <b>', True)
    assert followed["window"] == "还可回复 3 条，1 分钟内"
    assert followed["chats"]["wechat"][0]["text"] == "你已关注山野茶事"


def test_each_new_phone_is_another_one(page: PhonePage) -> None:
    keys = [page.http.post("/api/phones", json={}).json()["key"] for _ in range(2)]
    page.do(keys[0], act="follow")
    keys.append(page.http.post("/api/phones", json={}).json()["key"])
    assert len(set(keys)) == 3
    assert all(len(key.removeprefix("wechat:")) == 28 for key in keys)
    assert [page.see(key)["name"] for key in keys] == ["新手机 1", "新手机 2", "新手机 3"]
    listed = [row["key"] for row in page.http.get("/api/people").json()["people"]]
    assert sorted(listed) == sorted([LIN.key, WANG.key, CHEN.key, *keys])


def test_what_is_typed_and_answered_stands_in_the_chat(page: PhonePage) -> None:
    assert page.do(LIN.key, act="type", channel="wechat", text="  1\n")
    page.bench.clock.advance_to(page.bench.clock.now() + timedelta(minutes=6))
    hostile = "<script>alert(1)</script> 看<a href='http://shop.example/a?b=1&c=2'>这里</a>，或 http://x.example/y"
    page.bench.say(OPENID, hostile)
    wrote, came = page.see(LIN.key)["chats"]["wechat"]
    assert wrote == {"kind": "wrote", "text": "1", "time": "3月2日 周一 10:00"}
    assert came["time"] == "3月2日 周一 10:06"
    assert came["runs"] == [
        {"text": "<script>alert(1)</script> 看"},
        {"text": "这里", "link": 0},
        {"text": "，或 "},
        {"text": "http://x.example/y", "link": 1},
    ]
    assert [message.content for message in page.bench.told()] == ["1"]


def test_a_menu_is_tapped(page: PhonePage) -> None:
    page.do(LIN.key, act="type", channel="wechat", text="在吗")
    items = [{"id": "s5", "content": "很满意"}, {"id": "s1", "content": "不满意"}]
    menu = {"head_content": "喝着还满意吗？", "list": items, "tail_content": "也可以打字"}
    page.bench.wechat("message/custom/send", {"touser": OPENID, "msgtype": "msgmenu", "msgmenu": menu})
    drawn = page.see(LIN.key)["chats"]["wechat"][-1]
    assert (drawn["shape"], drawn["head"], drawn["tail"]) == (
        "menu",
        [{"text": "喝着还满意吗？"}],
        [{"text": "也可以打字"}],
    )
    assert drawn["items"] == [{"id": "s5", "words": "很满意"}, {"id": "s1", "words": "不满意"}]
    assert page.do(LIN.key, act="tap", message=drawn["id"], item="s5")
    assert page.bench.told()[-1].content == "很满意"
    assert page.see(LIN.key)["chats"]["wechat"][-1]["text"] == "很满意"


def test_links_above_and_below_the_choices_of_a_menu_can_be_tapped(page: PhonePage) -> None:
    page.do(LIN.key, act="type", channel="wechat", text="在吗")
    menu = {
        "head_content": "<a href='http://x.example/one'>这里</a>看答案",
        "list": [{"id": "s5", "content": "很满意"}],
        "tail_content": "或 <a href='http://x.example/two'>这里</a>",
    }
    page.bench.wechat("message/custom/send", {"touser": OPENID, "msgtype": "msgmenu", "msgmenu": menu})
    drawn = page.see(LIN.key)["chats"]["wechat"][-1]
    assert drawn["head"] == [{"text": "这里", "link": 0}, {"text": "看答案"}]
    assert drawn["tail"] == [{"text": "或 "}, {"text": "这里", "link": 1}]
    handover = page.bench.world.phone(LIN.key).received[-1]
    assert [link.url for link in handover.links] == ["http://x.example/one", "http://x.example/two"]
    assert "<a" not in handover.text


def test_cards_have_a_title_rows_and_a_link(page: PhonePage) -> None:
    data = {"first": {"value": "x"}, "thing1": {"value": "订单已发出"}, "time2": {"value": "3月2日"}}
    body = {"touser": OPENID, "template_id": "T", "client_msg_id": "k", "url": "http://x.example/", "data": data}
    page.bench.wechat("message/template/send", body)
    page.do(LIN.key, act="type", channel="wechat", text="在吗")
    article = {"title": "新茶", "description": "松烟香", "url": "http://x.example/", "picurl": ""}
    news = {"touser": OPENID, "msgtype": "news", "news": {"articles": [article]}}
    page.bench.wechat("message/custom/send", news)
    notice, _, card = page.see(LIN.key)["chats"]["wechat"]
    assert notice["rows"] == [{"label": "", "value": "订单已发出"}, {"label": "时间", "value": "3月2日"}]
    assert (notice["shape"], notice["link"]) == ("notice", 0)
    assert (card["shape"], card["title"], card["words"], card["link"]) == ("news", "新茶", "松烟香", 0)


def test_unfollowing_ends_the_chat(page: PhonePage) -> None:
    assert page.do(LIN.key, act="unfollow")
    seen = page.see(LIN.key)
    assert (seen["following"], seen["window"]) == (False, None)
    assert seen["chats"]["wechat"][-1]["text"] == "你已取消关注山野茶事"
    assert page.do(LIN.key, act="type", channel="wechat", text="在吗") is False


# --- SMS and links ---


def test_an_sms_is_answered(page: PhonePage) -> None:
    assert page.do(LIN.key, act="type", channel="sms", text="R")
    assert page.see(LIN.key)["chats"]["sms"][-1]["text"] == "R"
    (push,) = page.bench.engine.at("/callbacks/aliyun_sms")
    assert '"content":"R"' in push.body.decode().replace(" ", "")


def test_a_link_is_opened_by_the_person_and_shows_the_engines_page(page: PhonePage) -> None:
    show_pages(page.bench)
    page.do(LIN.key, act="type", channel="wechat", text="在吗")
    url = f"{page.bench.settings.engine_url}/s/abc"
    page.bench.say(OPENID, f"请点 {url}")
    message = page.bench.world.phone(LIN.key).received[-1].id
    opened = page.http.get(f"/p/{LIN.key}/open", params={"message": message, "link": 0})
    assert "您的意见" in opened.text
    assert "sandbox allow-same-origin allow-forms" in opened.headers["content-security-policy"]
    assert page.acts()[-1] == OpenLink("wechat", OPENID, url, about=message)
    place = f"/p/{LIN.key}/open?message={quote(message)}&link=0"
    assert "您的意见" in page.http.post(place, data={"score": "9", "comment": "很好"}).text
    assert page.acts()[-1] == FillSurvey("wechat", OPENID, url, 9, "很好", about=message)
    assert page.bench.engine.requests[-1].body.decode() == "score=9&comment=%E5%BE%88%E5%A5%BD"
    page.http.post(place, data={"scope": "topic"})
    assert page.acts()[-1] == SendForm("wechat", OPENID, url, {"scope": "topic"}, about=message)
    assert page.bench.engine.requests[-1].body == b"scope=topic"


def test_a_link_that_leads_away_is_named_not_loaded(page: PhonePage) -> None:
    page.do(LIN.key, act="type", channel="wechat", text="在吗")
    page.bench.say(OPENID, "去店里 https://shop.example/tea?<b>=1")
    message = page.bench.world.phone(LIN.key).received[-1].id
    opened = page.http.get(f"/p/{LIN.key}/open", params={"message": message, "link": 0})
    assert "已打开" in opened.text
    assert "https://shop.example/tea?" in opened.text
    assert "<b>" not in opened.text


def test_only_links_on_the_phone_can_be_opened(page: PhonePage) -> None:
    message = mail(page.bench, "<p>茶到了</p>")
    for asked, status in (
        ({"message": message, "link": "0"}, 404),
        ({"message": "email:somebody@example.com:1", "link": "0"}, 404),
        ({"message": message, "link": "x"}, 400),
        ({}, 400),
    ):
        assert page.http.get(f"/p/{LIN.key}/open", params=asked).status_code == status
    assert page.acts() == []


# --- mail ---


def test_a_letter_is_shown_in_a_frame_that_runs_and_loads_nothing(page: PhonePage) -> None:
    engine = page.bench.settings.engine_url
    html = (
        f'<p onclick="x()">茶</p><script>parent.x()</script><a class="b" href="{engine}/s/a?x=1&amp;score=9">9 分</a>'
        f"<A HREF='{engine}/u/abc'>退订</A><a href=\"javascript:parent.x()\">点</a>"
    )
    message = mail(page.bench, html)
    (row,) = page.see(LIN.key)["chats"]["email"]
    assert (row["subject"], row["sender"], row["html"]) == ('"茶"到了 <b>', "山野茶事", True)
    shown = page.http.get(f"/p/{LIN.key}/letter", params={"message": message})
    policy = shown.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src")
    assert "script-src" not in policy
    assert "allow-scripts" not in policy
    place = f"/p/{LIN.key}/open?message={quote(message, safe='')}"
    assert f'<a class="b" href="{place}&amp;link=0">9 分</a>' in shown.text
    assert f'href="{place}&amp;link=1">退订' in shown.text.replace("HREF=", "href=")
    assert 'href="#">点' in shown.text
    assert engine not in shown.text


def test_one_click_unsubscribes(page: PhonePage) -> None:
    message = mail(page.bench, "<p>茶到了</p>")
    assert page.see(LIN.key)["chats"]["email"][0]["unsubscribe"] is True
    assert page.do(LIN.key, act="unsubscribe", message=message)
    (request,) = page.bench.engine.requests
    assert (request.method, request.path, request.body) == ("POST", "/u/abc", b"List-Unsubscribe=One-Click")
    assert page.acts() == [OneClickUnsubscribe(MAILBOX, f"{page.bench.settings.engine_url}/u/abc", about=message)]
    assert page.see(LIN.key)["chats"]["email"][-1] == {"kind": "line", "text": "已一键退订"}


def test_an_unsubscription_that_the_engine_refuses_is_not_called_done(page: PhonePage) -> None:
    page.bench.engine.answers["/u/"] = Answer(503, b"")
    message = mail(page.bench, "<p>茶到了</p>")
    assert page.do(LIN.key, act="unsubscribe", message=message) is False


# --- whom it does not obey ---


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "none"},
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {},
    ],
)
def test_other_sites_can_do_nothing(page: PhonePage, headers: dict[str, str]) -> None:
    message = mail(page.bench, f'<a href="{page.bench.settings.engine_url}/s/a">看</a>')
    link = {"message": message, "link": "0"}
    del page.http.headers["sec-fetch-site"]
    answers = [
        page.http.post("/api/phones", json={"name": "x"}, headers=headers),
        page.http.post(f"/api/phones/{LIN.key}/acts", json={"act": "unfollow"}, headers=headers),
        page.http.post(f"/api/phones/{LIN.key}/forward", json={"by": "1d"}, headers=headers),
        page.http.get(f"/p/{LIN.key}/open", params=link, headers=headers),
        page.http.post(f"/p/{LIN.key}/open", params=link, data={"score": "0"}, headers=headers),
    ]
    assert [answer.status_code for answer in answers] == [403] * 5
    assert page.acts() == []


def test_a_browser_that_only_names_its_origin_is_believed(page: PhonePage) -> None:
    del page.http.headers["sec-fetch-site"]
    origin = str(page.http.base_url).rstrip("/")
    answer = page.http.post(f"/api/phones/{LIN.key}/acts", json={"act": "unfollow"}, headers={"origin": origin})
    assert answer.json() == {"done": True}


@pytest.mark.parametrize(
    "asked",
    [
        {"act": "fly"},
        {"act": "type", "channel": "email", "text": "x"},
        {"act": "type", "channel": "wechat", "text": "  "},
        {"act": "tap", "message": "wechat:nobody:1", "item": "1"},
        {"act": "unsubscribe", "message": "email:nobody:1"},
        {},
    ],
)
def test_what_this_phone_cannot_do_is_refused(page: PhonePage, asked: dict[str, str]) -> None:
    assert page.http.post(f"/api/phones/{LIN.key}/acts", json=asked).status_code == 404
    assert page.acts() == []


def test_unreadable_requests_and_unknown_phones_are_refused(page: PhonePage) -> None:
    acts = f"/api/phones/{LIN.key}/acts"
    assert page.http.post(acts, content=b"{").status_code == 400
    assert page.http.post(acts, json=["follow"]).status_code == 400
    assert page.http.post(acts, json={"act": "type", "text": "x" * 70_000}).status_code == 413
    assert page.http.get("/api/phones/nobody").json() == {"problem": "没有这部手机"}
    assert page.http.get("/p/nobody/letter", params={"message": "m"}).status_code == 404
