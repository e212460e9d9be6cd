"""Carries errands to the engine over HTTP, as providers, shops and phones do: their patience, their idea of success.

Never goes anywhere else: a link that leads off the engine is noted, not fetched.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import assert_never
from urllib.parse import urljoin, urlsplit

import httpx

from engage.clock import Clock
from engage.sandbox.chance import Chance
from engage.sandbox.model import SandboxSettings
from engage.sandbox.pushes import MailPush, Push, ShopPost, SmsPush, Visit, WeChatPush
from engage.sandbox.wechat_crypto import seal, signature

_ANSWER_WITHIN = 5.0  # seconds; WeChat disconnects then
_REDIRECTS = 5
_MINUTES = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 10))
_PATIENCE: dict[type[Push], tuple[timedelta, ...]] = {
    WeChatPush: (timedelta(seconds=5), timedelta(seconds=5)),  # three tries in all
    SmsPush: _MINUTES,
    MailPush: tuple(timedelta(minutes=minutes) for minutes in (5, 15, 30)),
    ShopPost: _MINUTES,
}


@dataclass(frozen=True, slots=True)
class Posted:
    accepted: bool
    answer: str  # for people: the status and the beginning of the body, or why there is none
    final: bool = False  # refused for what it says: asking again would change nothing


@dataclass(frozen=True, slots=True)
class Landing:
    """Where a visit ended: the last status the engine answered, the address it led away to, the page to read."""

    status: int | None
    location: str | None = None
    page: str | None = None  # HTML, where there was any


def retry_after(push: Push, attempt: int) -> timedelta | None:
    """How long the sender waits after its `attempt`-th try has failed. None: it gives up."""
    waits = _PATIENCE[type(push)]
    return waits[attempt - 1] if attempt <= len(waits) else None


class Courier:
    def __init__(self, settings: SandboxSettings, clock: Clock, chance: Chance) -> None:
        self._settings = settings
        self._clock = clock
        self._chance = chance
        # trust_env: a proxy from the environment has no business on loopback
        self._http = httpx.Client(timeout=_ANSWER_WITHIN, follow_redirects=False, trust_env=False)

    def close(self) -> None:
        self._http.close()

    def post(self, push: Push, attempt: int) -> Posted:
        try:
            response = self._http.send(self._request(push, attempt))
        except httpx.HTTPError as error:
            return Posted(False, type(error).__name__)
        answer = f"{response.status_code} {response.text[:200]}"
        match push:
            case WeChatPush():
                return Posted(response.status_code == 200 and response.content in (b"success", b""), answer)
            case SmsPush():
                return Posted(response.status_code == 200 and _code(response) == 0, answer)
            case MailPush():
                return Posted(response.is_success, answer)
            case ShopPost():
                return Posted(response.is_success, answer, final=response.status_code in (400, 401, 403, 404, 422))
            case _:
                assert_never(push)

    def visit(self, visit: Visit) -> Landing:
        headers = {"User-Agent": visit.agent}
        if not self._is_engine(visit.url):
            return Landing(None, visit.url)
        try:
            landing = self._open(visit.url, headers) if visit.opens else Landing(200)
            if visit.form is None or landing.status != 200:
                return landing
            response = self._http.post(visit.url, data=dict(visit.form), headers=headers)
        except httpx.HTTPError:
            return Landing(None)
        return Landing(response.status_code, response.headers.get("location"), response.text or None)

    def _open(self, url: str, headers: dict[str, str]) -> Landing:
        """GET, through the engine's own redirects."""
        for _ in range(_REDIRECTS):
            response = self._http.get(url, headers=headers)
            if not response.has_redirect_location:
                return Landing(response.status_code, page=response.text or None)
            url = urljoin(url, response.headers["location"])
            if not self._is_engine(url):
                return Landing(response.status_code, url)
        return Landing(response.status_code, url)

    def _is_engine(self, url: str) -> bool:
        return urlsplit(url).netloc == urlsplit(self._settings.engine_url).netloc

    def _request(self, push: Push, attempt: int) -> httpx.Request:
        url = self._settings.engine_url.rstrip("/")
        match push:
            case WeChatPush():
                return self._sealed(push, attempt)
            case SmsPush(_, item):
                url += f"/callbacks/aliyun_sms/{self._settings.sms_callback_secret}"
                return self._http.build_request("POST", url, json=[dict(item)])
            case MailPush(_, message):
                url += f"/callbacks/email/{self._settings.email_callback_secret}"
                headers = {"Content-Type": "message/rfc822"}
                return self._http.build_request("POST", url, content=message, headers=headers)
            case ShopPost(_, path, body):
                headers = {"Authorization": f"Bearer {self._settings.api_key}"}
                return self._http.build_request("POST", url + path, json=dict(body), headers=headers)
            case _:
                assert_never(push)

    def _sealed(self, push: WeChatPush, attempt: int) -> httpx.Request:
        """Safe mode: the content is the same at each try, timestamp and nonce are new."""
        settings = self._settings
        timestamp = str(int(self._clock.now().timestamp()))
        nonce = str(self._chance.number(31, "nonce", push.key, attempt))
        random16 = bytes.fromhex(self._chance.token(32, "random16", push.key, attempt))
        sealed = seal(push.xml.encode(), settings.app_id, settings.encoding_aes_key, random16)
        query = {
            "signature": signature(settings.callback_token, timestamp, nonce),
            "timestamp": timestamp,
            "nonce": nonce,
            "openid": push.openid,
            "encrypt_type": "aes",
            "msg_signature": signature(settings.callback_token, timestamp, nonce, sealed),
        }
        body = (
            f"<xml><ToUserName><![CDATA[{settings.account}]]></ToUserName><Encrypt><![CDATA[{sealed}]]></Encrypt></xml>"
        )
        url = f"{settings.engine_url.rstrip('/')}/callbacks/wechat"
        headers = {"Content-Type": "text/xml"}
        return self._http.build_request("POST", url, params=query, content=body.encode(), headers=headers)


def _code(response: httpx.Response) -> object:
    try:
        answer = response.json()
    except json.JSONDecodeError:
        return None
    return answer.get("code") if isinstance(answer, dict) else None
