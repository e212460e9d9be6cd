"""The phone page in a real browser, over a real world, with a small engine that answers whatever it is told."""

from __future__ import annotations

import shutil
import smtplib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, FrameLocator, Page, Route, expect, sync_playwright
from wechatpy import parse_message
from wechatpy.crypto import WeChatCrypto

from engage.clock import VirtualClock
from engage.sandbox.loopback import Answer, LoopbackServer, Request
from engage.sandbox.model import FillSurvey, Handover, OpenLink, Person, Phone, Planned, Reaction, SandboxSettings
from engage.sandbox.phone import JourneyLine, phone_app
from engage.sandbox.truth import Done, TruthLog
from engage.sandbox.world import World
from engage.web.server import Server

_QUIET = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
_PHONES = [(360, 740), (390, 844), (430, 932)]
_SURVEY = """<!doctype html><meta charset="utf-8"><title>您的意见</title><h1>愿意推荐我们吗？</h1>
<form method="post"><input type="radio" name="score" value="9" checked><button>提交</button></form>"""
_HOSTILE = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
_LIN = Person(
    key="p0001",
    name="林晚\"'><b>",
    ref="M00001",
    openid="oLinWan000000000000000000001",
    phone="13900000001",
    email="lin@example.com",
    follows=True,
)


class Quiet:
    """People who do nothing by themselves."""

    def reactions(self, phone: Phone, handover: Handover, rng: object) -> Sequence[Reaction]:
        return ()

    def consequences(self, person: Person, act: object, at: datetime, rng: object) -> Sequence[Reaction]:
        return ()

    def still_makes_sense(self, phone: Phone, planned: Planned) -> bool:
        return True


@dataclass
class SmallEngine:
    """Says hello to whoever follows, and repeats to whoever writes what they wrote."""

    settings: SandboxSettings | None = None
    world: World | None = None

    def respond(self, request: Request) -> Answer:
        if request.path.startswith("/callbacks/wechat"):
            self._hear(request)
            return Answer(200, b"success", "text/plain")
        if request.path.startswith("/s/") and request.method == "GET":
            return Answer(200, _SURVEY.encode(), "text/html; charset=utf-8")
        if request.path.startswith("/s/"):
            return Answer(200, "<!doctype html><meta charset=utf-8><h1>谢谢您</h1>".encode(), "text/html")
        return Answer(200, b"unsubscribed", "text/plain")

    def _hear(self, request: Request) -> None:
        assert self.settings is not None
        crypto = WeChatCrypto(self.settings.callback_token, self.settings.encoding_aes_key, self.settings.app_id)
        query = request.query
        sealed = request.body.decode()
        message = parse_message(
            crypto.decrypt_message(sealed, query["msg_signature"], query["timestamp"], query["nonce"])
        )
        if message.type == "text":
            self.say(message.source, f"收到：{message.content}")
        elif message.event == "subscribe":
            self.say(message.source, "欢迎来喝茶。")

    def say(self, openid: str, words: str) -> None:
        assert self.settings is not None
        assert self.world is not None
        secret = {"appid": self.settings.app_id, "secret": self.settings.app_secret}
        with httpx.Client(base_url=f"{self.world.wechat_url}/cgi-bin", trust_env=False) as http:
            token = http.post("/stable_token", json={"grant_type": "client_credential", **secret}).json()
            body = {"touser": openid, "msgtype": "text", "text": {"content": words}}
            query = {"access_token": token["access_token"]}
            assert http.post("/message/custom/send", params=query, json=body).json()["errcode"] == 0


@dataclass
class Driver:
    clock: VirtualClock
    forwarded: list[timedelta] = field(default_factory=list)

    def now(self) -> datetime:
        return self.clock.now()

    def forward(self, period: timedelta) -> None:
        self.forwarded.append(period)
        self.clock.advance_to(self.clock.now() + period)

    def journeys(self, key: str) -> list[JourneyLine]:
        return [JourneyLine("NPS 回访", "等回答", datetime(2026, 11, 25, 2, 7, tzinfo=UTC))]


@dataclass
class Demo:
    """Everything that stands behind the page."""

    folder: Path
    url: str
    world: World
    engine: SmallEngine
    engine_url: str
    driver: Driver

    def acts(self) -> list[object]:
        log = TruthLog(self.folder / "truth")
        log.close()
        return [record.act for record in log.past() if isinstance(record, Done)]

    def mail(self, html: str) -> None:
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = "山野茶事 <tea@example.com>", _LIN.email, "茶到了"
        message["List-Unsubscribe"] = f"<{self.engine_url}/u/abc>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        message.set_content("茶到了\n")
        message.add_alternative(html, subtype="html")
        with smtplib.SMTP(self.world.smtp_host, self.world.smtp_port, timeout=5) as client:
            client.sendmail("b@example.com", [str(_LIN.email)], message.as_bytes())


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("there is no Chromium on this machine (apt-get install chromium): the phone page was not opened")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=_QUIET)
        yield browser
        browser.close()


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    engine = SmallEngine()
    engine_server = LoopbackServer(engine.respond)
    engine_server.start()
    engine.settings = SandboxSettings(
        engine_url=engine_server.url,
        app_id="wx0000000000000001",
        app_secret="app-secret",
        account="gh_0001",
        callback_token="callback-token",
        encoding_aes_key="abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG",
        sms_access_key_id="LTAI0001",
        sms_access_key_secret="sms-secret",
        sms_callback_secret="sms-path",
        email_callback_secret="mail-path",
        api_key="shop-key",
        faults=False,
    )
    clock = VirtualClock(datetime(2026, 11, 23, 2, 7, tzinfo=UTC))
    world = engine.world = World(tmp_path, clock, 7, engine.settings, [_LIN], Quiet(), ())
    world.start()
    driver = Driver(clock)
    server = Server(phone_app(world, driver, "山野茶事"), "127.0.0.1", 0)
    server.start()
    yield Demo(tmp_path, server.url, world, engine, engine_server.url, driver)
    server.stop()
    world.stop()
    engine_server.stop()


@pytest.fixture
def on_a_phone(browser: Browser) -> Iterator[Page]:
    with browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, locale="zh-CN") as context:
        page = context.new_page()
        page.set_default_timeout(8000)
        failures: list[str] = []
        page.on("pageerror", lambda error: failures.append(str(error)))
        yield page
        assert failures == []


def fits(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


def opened_letter(page: Page) -> FrameLocator:
    page.get_by_role("tab", name="邮件").click()
    page.get_by_role("button", name="茶到了").click()
    return page.frame_locator(".letter iframe")


def test_a_visitor_follows_types_and_is_answered(demo: Demo, on_a_phone: Page) -> None:
    page = on_a_phone
    page.goto(demo.url)
    page.get_by_label("怎么称呼").fill("小雨")
    page.get_by_role("button", name="打开新手机").click()
    page.get_by_role("button", name="关注公众号").click()
    chat = page.get_by_role("log", name="微信聊天")
    expect(chat.get_by_text("你已关注山野茶事")).to_be_visible()
    expect(chat.get_by_text("欢迎来喝茶。")).to_be_visible()
    page.get_by_label("发消息给公众号").fill("想要试饮装")
    page.keyboard.press("Enter")
    expect(chat.get_by_text("想要试饮装", exact=True)).to_be_visible()
    expect(chat.get_by_text("收到：想要试饮装")).to_be_visible()
    expect(page.get_by_text("公众号还可回复 4 条，48 小时内")).to_be_visible()
    expect(page.get_by_text("11月23日 周一 10:07").first).to_be_visible()
    assert page.title() == "小雨的手机"


@pytest.mark.parametrize("size", _PHONES, ids=str)
def test_it_fits_every_phone(demo: Demo, on_a_phone: Page, size: tuple[int, int]) -> None:
    page = on_a_phone
    page.set_viewport_size({"width": size[0], "height": size[1]})
    demo.mail("<h1>茶到了</h1>")
    page.goto(demo.url)
    expect(page.get_by_role("link", name="林晚")).to_be_visible()
    assert fits(page)
    page.get_by_role("link", name="林晚").click()
    page.get_by_label("发消息给公众号").fill("长" * 200 + "a" * 200)
    page.keyboard.press("Enter")
    expect(page.locator(".bubble").last).to_contain_text("收到")
    assert fits(page)
    expect(opened_letter(page).get_by_role("heading")).to_be_visible()
    assert fits(page)
    small = [
        box
        for target in page.locator("button:visible, a:visible, input:visible").all()
        if (box := target.bounding_box()) is not None and (box["height"] < 43.5 or box["width"] < 43.5)
    ]
    assert small == []


def test_new_messages_appear_by_themselves_and_are_counted_on_their_tab(demo: Demo, on_a_phone: Page) -> None:
    page = on_a_phone
    page.goto(f"{demo.url}/p/{_LIN.key}#wechat")
    expect(page.get_by_text("还没有消息")).to_be_visible()
    demo.mail("<h1>茶到了</h1>")
    badge = page.get_by_role("tab", name="邮件").locator(".badge")
    expect(badge).to_have_text("1")
    page.get_by_role("tab", name="邮件").click()
    expect(badge).to_be_hidden()


def test_what_others_wrote_is_words_and_runs_nothing(demo: Demo, on_a_phone: Page) -> None:
    page = on_a_phone
    demo.mail(f'{_HOSTILE}<a href="javascript:document.title=1">点</a><h1>茶到了</h1>')
    page.goto(demo.url)
    expect(page.get_by_role("link", name=_LIN.name)).to_be_visible()
    page.goto(f"{demo.url}/p/{_LIN.key}")
    page.get_by_label("发消息给公众号").fill(_HOSTILE)
    page.keyboard.press("Enter")
    expect(page.locator(".bubble").last).to_have_text(f"收到：{_HOSTILE}")
    assert page.locator(".bubble img").count() == 0
    expect(opened_letter(page).get_by_role("heading")).to_be_visible()
    assert page.title() == f"{_LIN.name}的手机"


def test_a_letters_link_leads_to_the_survey_and_its_answer_is_an_act(demo: Demo, on_a_phone: Page) -> None:
    page = on_a_phone
    url = f"{demo.engine_url}/s/abc"
    demo.mail(f'<h1>茶到了</h1><a href="{url}">说两句</a>')
    page.goto(f"{demo.url}/p/{_LIN.key}")
    letter = opened_letter(page)
    letter.get_by_role("link", name="说两句").click()
    letter.get_by_role("button", name="提交").click()
    expect(letter.get_by_role("heading", name="谢谢您")).to_be_visible()
    message = demo.world.phone(_LIN.key).received[-1].id
    opened = OpenLink("email", str(_LIN.email), url, about=message)
    assert demo.acts() == [opened, FillSurvey("email", str(_LIN.email), url, 9, None, about=message)]
    page.get_by_role("button", name="回到邮件").click()
    expect(letter.get_by_role("heading", name="茶到了")).to_be_visible()
    page.get_by_role("button", name="退订这类邮件").click()
    expect(page.get_by_text("已退订这类邮件")).to_be_visible()


def test_a_link_in_the_chat_opens_in_the_phones_browser(demo: Demo, on_a_phone: Page) -> None:
    page = on_a_phone
    page.goto(f"{demo.url}/p/{_LIN.key}")
    page.get_by_label("发消息给公众号").fill(f"{demo.engine_url}/s/abc")
    page.keyboard.press("Enter")
    page.locator(".bubble a").click()
    expect(page.get_by_role("dialog", name="您的意见")).to_be_visible()
    page.frame_locator("#browser iframe").get_by_role("button", name="提交").click()
    expect(page.frame_locator("#browser iframe").get_by_role("heading", name="谢谢您")).to_be_visible()
    page.get_by_role("button", name="完成").click()
    expect(page.get_by_text("提交了问卷：9 分")).to_be_visible()


def test_on_a_desk_the_journeys_stand_beside_the_phone(demo: Demo, browser: Browser) -> None:
    with browser.new_context(viewport={"width": 1280, "height": 900}, locale="zh-CN") as context:
        page = context.new_page()
        page.set_default_timeout(8000)
        page.goto(f"{demo.url}/p/{_LIN.key}")
        panel = page.get_by_role("complementary", name="旅程与时间")
        expect(panel.get_by_text("NPS 回访")).to_be_visible()
        expect(panel.get_by_text("11月25日 周三 10:07")).to_be_visible()
        panel.get_by_role("button", name="+1 小时").click()
        expect(panel.get_by_text("现在是 11月23日 周一 11:07")).to_be_visible()
        panel.get_by_role("button", name="到下一件事").click()
        expect(panel.get_by_text("现在是 11月25日 周三 10:07")).to_be_visible()
        assert demo.driver.forwarded == [timedelta(hours=1), timedelta(hours=47)]


def test_the_keyboard_is_enough(demo: Demo, on_a_phone: Page) -> None:
    page = on_a_phone
    page.goto(f"{demo.url}/p/{_LIN.key}")
    page.get_by_role("tab", name="微信").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="短信")).to_be_focused()
    expect(page.get_by_label("回复短信")).to_be_visible()
    page.get_by_role("button", name="旅程").click()
    expect(page.get_by_role("button", name="收起")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="旅程")).to_be_focused()
    expect(page.get_by_role("button", name="收起")).to_be_hidden()


def test_the_keyboard_is_heard_before_the_phone_has_loaded(demo: Demo, on_a_phone: Page) -> None:
    page, held = on_a_phone, list[Route]()
    page.route(f"**/api/phones/{_LIN.key}", lambda route: held.append(route))
    page.goto(f"{demo.url}/p/{_LIN.key}")
    page.get_by_role("tab", name="微信").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="短信")).to_be_focused()
    assert held
    page.unroute_all()  # what is held goes on
    expect(page.get_by_role("heading", name="山野茶事")).to_be_visible()
    expect(page.get_by_label("回复短信")).to_be_visible()


def test_the_list_finds_people_and_says_who_has_new_messages(demo: Demo, on_a_phone: Page) -> None:
    page = on_a_phone
    demo.mail("<h1>来得早</h1>")
    page.goto(demo.url)
    row = page.get_by_role("link", name="林晚")
    expect(row).to_contain_text("茶到了")
    expect(row.locator(".badge")).to_have_count(0)  # whoever comes later has missed nothing
    demo.mail("<h1>刚刚来</h1>")
    expect(row.locator(".badge")).to_have_text("1")
    page.get_by_label("有新消息").check()
    expect(row).to_be_visible()
    page.get_by_label("按姓名、会员号或手机号查找").fill("13900000002")
    expect(page.get_by_text("没有找到，换个词试试")).to_be_visible()
    page.get_by_label("按姓名、会员号或手机号查找").fill("m00001")
    expect(row).to_be_visible()
