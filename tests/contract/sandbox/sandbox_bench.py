"""A small world, a stand-in for the engine that only listens, and people who do what a test tells them to."""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
from wechatpy import parse_message
from wechatpy.crypto import WeChatCrypto

from engage.clock import VirtualClock
from engage.sandbox.loopback import Answer, HangUp, Request
from engage.sandbox.model import (
    Act,
    Handover,
    Person,
    Phone,
    Planned,
    Reaction,
    SandboxSettings,
)
from engage.sandbox.world import World

HTTP = httpx.Client(trust_env=False)
_nonces = itertools.count()
START = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)  # Monday, ten in the morning in China
LIN, WANG, CHEN = (
    Person(
        key="p0001",
        name="林晚",
        ref="M00001",
        openid="oLinWan00000000000000000001",
        phone="13900000001",
        email="lin@example.com",
        follows=True,
    ),
    Person(key="p0002", name="王岩", ref="M00002", phone="13900000002", email="wang@example.com", phone_dead=True),
    Person(key="p0003", name="陈禾", ref=None, openid="oChenHe00000000000000000003"),
)


@dataclass
class Engine:
    """Listens where the engine would, keeps every request, and answers as a test says."""

    requests: list[Request] = field(default_factory=list)
    answers: dict[str, Answer | HangUp] = field(default_factory=dict)  # by the path's beginning
    watcher: Callable[[Request], None] = lambda request: None

    def respond(self, request: Request) -> Answer | HangUp:
        self.requests.append(request)
        self.watcher(request)
        for beginning, answer in self.answers.items():
            if request.path.startswith(beginning):
                return answer
        if request.path.startswith("/callbacks/aliyun_sms"):
            return Answer(200, '{"code":0,"msg":"接收成功"}'.encode())
        if request.path.startswith("/callbacks/wechat"):
            return Answer(200, b"success", "text/plain")
        return Answer(202 if request.path.startswith("/api") else 200, b"")

    def at(self, beginning: str) -> list[Request]:
        return [request for request in self.requests if request.path.startswith(beginning)]


@dataclass
class Told:
    """People who react as the test's functions say, and otherwise do nothing."""

    react: Callable[[Phone, Handover, random.Random], Sequence[Reaction]] = lambda phone, handover, rng: ()
    follow_up: Callable[[Person, Act, datetime, random.Random], Sequence[Reaction]] = lambda *about: ()
    sensible: Callable[[Phone, Planned], bool] = lambda phone, planned: True

    def reactions(self, phone: Phone, handover: Handover, rng: random.Random) -> Sequence[Reaction]:
        return self.react(phone, handover, rng)

    def consequences(self, person: Person, act: Act, at: datetime, rng: random.Random) -> Sequence[Reaction]:
        return self.follow_up(person, act, at, rng)

    def still_makes_sense(self, phone: Phone, planned: Planned) -> bool:
        return self.sensible(phone, planned)


@dataclass
class Bench:
    """One world under test, with its clock and the engine's stand-in."""

    world: World
    clock: VirtualClock
    engine: Engine
    settings: SandboxSettings
    folder: Path
    sms_texts: dict[str, str]  # approved, by code

    def go_on(self, span: timedelta) -> None:
        """Let time pass, stopping at each thing that is due on the way, as the driver does."""
        until = self.clock.now() + span
        while (due := self.world.next_due()) is not None and due <= until:
            self.clock.advance_to(due)
            self.world.tick()
        self.clock.advance_to(until)

    def token(self) -> str:
        body = {
            "grant_type": "client_credential",
            "appid": self.settings.app_id,
            "secret": self.settings.app_secret,
            "force_refresh": False,
        }
        answer = HTTP.post(f"{self.world.wechat_url}/cgi-bin/stable_token", json=body).json()
        return str(answer["access_token"])

    def wechat(self, method: str, body: Mapping[str, Any]) -> dict[str, Any]:
        url = f"{self.world.wechat_url}/cgi-bin/{method}"
        answer = HTTP.post(url, params={"access_token": self.token()}, json=dict(body))
        assert answer.status_code == 200
        return dict(answer.json())

    def say(self, openid: str, text: str) -> dict[str, Any]:
        body = {"touser": openid, "msgtype": "text", "text": {"content": text}}
        return self.wechat("message/custom/send", body)

    def notify(self, openid: str, key: str, **fields: str) -> dict[str, Any]:
        data = {name: {"value": value} for name, value in fields.items()}
        body = {"touser": openid, "template_id": "TM_1", "client_msg_id": key, "data": data}
        return self.wechat("message/template/send", body)

    def sign_and_send(self, query: Mapping[str, str], **changes: str) -> httpx.Response:
        """SendSms as the provider's documentation says. `changes` replace signed headers (`_` for `-`)."""
        headers = {
            "host": self.world.sms_url.removeprefix("http://"),
            "x-acs-action": "SendSms",
            "x-acs-version": "2017-05-25",
            "x-acs-date": self.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ"),
            "x-acs-signature-nonce": f"nonce-{next(_nonces)}",
            "x-acs-content-sha256": hashlib.sha256(b"").hexdigest(),
        }
        encoded = "&".join(f"{quote(name, safe='~')}={quote(query[name], safe='~')}" for name in sorted(query))
        names = ";".join(sorted(headers))
        lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
        canonical = f"POST\n/\n{encoded}\n{lines}\n{names}\n{headers['x-acs-content-sha256']}"
        text = f"ACS3-HMAC-SHA256\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        mac = hmac.new(self.settings.sms_access_key_secret.encode(), text.encode(), hashlib.sha256).hexdigest()
        credential = self.settings.sms_access_key_id
        headers["authorization"] = f"ACS3-HMAC-SHA256 Credential={credential},SignedHeaders={names},Signature={mac}"
        headers |= {name.replace("_", "-"): value for name, value in changes.items()}
        return HTTP.post(f"{self.world.sms_url}/?{encoded}", headers=headers)

    def text_message(self, phone: str = LIN.phone or "", template: str = "SMS_1", **others: str) -> dict[str, Any]:
        query = {
            "PhoneNumbers": phone,
            "SignName": "山野茶事",
            "TemplateCode": template,
            "TemplateParam": json.dumps({"name": "林晚"}, ensure_ascii=False),
            "OutId": "d42",
        }
        answer = self.sign_and_send(query | others)
        assert answer.status_code == 200
        return dict(answer.json())

    def told(self) -> list[Any]:
        """The WeChat callbacks that reached the engine, checked, decrypted and parsed by wechatpy."""
        crypto = WeChatCrypto(self.settings.callback_token, self.settings.encoding_aes_key, self.settings.app_id)
        return [
            parse_message(
                crypto.decrypt_message(
                    request.body.decode(),
                    request.query["msg_signature"],
                    request.query["timestamp"],
                    request.query["nonce"],
                )
            )
            for request in self.engine.at("/callbacks/wechat")
        ]


MakeBench = Callable[..., Bench]
