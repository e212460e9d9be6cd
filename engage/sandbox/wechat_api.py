"""WeChat's API for one service account: tokens, customer-service and template messages, followers.

Errors come as HTTP 200 with an errcode and a request id, as from the platform. Bodies are JSON whatever their
Content-Type says: wechatpy sends none.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from engage.sandbox.account import Standing
from engage.sandbox.chronicle import Chronicle
from engage.sandbox.faults import Fault
from engage.sandbox.loopback import Answer, HangUp, Request, json_answer
from engage.sandbox.model import Handover, SandboxSettings
from engage.sandbox.wechat_tokens import Token, Tokens
from engage.sandbox.wechat_words import Refusal, Seen, read_custom, read_template

_PAGE = 10_000  # openids in one answer of user/get
_MESSAGES = {
    -1: "system error",
    40001: "invalid credential, access_token is invalid or not latest, could get access_token by getStableAccessToken, "
    "more details at https://mmbizurl.cn/s/JtxxFh33r",
    40002: "invalid grant_type",
    40003: "invalid openid",
    40008: "invalid message type",
    40013: "invalid appid",
    40037: "invalid template_id",
    40066: "invalid url",
    40125: "invalid appsecret, view more at http://t.cn/RAEkdVq",
    41001: "access_token missing",
    42001: "access_token expired",
    43001: "require GET method",
    43002: "require POST method",
    43004: "require subscribe",
    44004: "empty content",
    45002: "content size out of limit",
    45008: "article size out of limit",
    45009: "reach max api daily quota limit",
    45011: "api minute-quota reach limit, must slower, retry next minute",
    45015: "response out of time limit or subscription is canceled",
    45047: "out of response count limit",
    47001: "data format error",
    47003: "argument invalid!",
    48002: "user block receive message",
}

_Fields = Mapping[str, Any]
_Method = Callable[[_Fields], Answer | HangUp]


class WeChatApi:
    def __init__(self, chronicle: Chronicle, settings: SandboxSettings) -> None:
        self._chronicle = chronicle
        self._settings = settings
        self._tokens = Tokens(chronicle.chance)
        self._get: Mapping[str, _Method] = {"/cgi-bin/user/info": self._user_info, "/cgi-bin/user/get": self._user_get}
        self._post: Mapping[str, _Method] = {
            "/cgi-bin/message/custom/send": self._custom_send,
            "/cgi-bin/message/template/send": self._template_send,
        }

    def respond(self, request: Request) -> Answer | HangUp:
        match request.path:
            case "/cgi-bin/token":
                return self._classic_token(request)
            case "/cgi-bin/stable_token":
                return self._stable_token(request)
            case path if path in self._get or path in self._post:
                return self._authorised(request)
            case _:
                return self._error(Refusal(40066))

    # --- tokens ---

    def _classic_token(self, request: Request) -> Answer:
        if request.method != "GET":
            return self._error(Refusal(43001))
        if code := self._credential_fault(request.query):
            return self._error(Refusal(code))
        return self._token(self._tokens.classic(self._chronicle.clock.now()))

    def _stable_token(self, request: Request) -> Answer:
        if request.method != "POST":
            return self._error(Refusal(43002))
        body = _json(request.body)
        if body is None:
            return self._error(Refusal(47001))
        if code := self._credential_fault(body):
            return self._error(Refusal(code))
        now = self._chronicle.clock.now()
        token = self._tokens.forced(now) if body.get("force_refresh") else self._tokens.stable(now)
        return self._error(Refusal(token)) if isinstance(token, int) else self._token(token)

    def _credential_fault(self, given: _Fields) -> int | None:
        if given.get("grant_type") != "client_credential":
            return 40002
        if given.get("appid") != self._settings.app_id:
            return 40013
        return None if given.get("secret") == self._settings.app_secret else 40125

    def _token(self, token: Token) -> Answer:
        expires_in = token.expires_in(self._chronicle.clock.now())
        return json_answer({"access_token": token.value, "expires_in": expires_in})

    def _authorised(self, request: Request) -> Answer | HangUp:
        if code := self._tokens.fault_of(request.query.get("access_token"), self._chronicle.clock.now()):
            return self._error(Refusal(code))
        if method := self._get.get(request.path):
            return method(request.query)
        if request.method != "POST":
            return self._error(Refusal(43002))
        body = _json(request.body)
        return self._error(Refusal(47001)) if body is None else self._post[request.path](body)

    # --- messages ---

    def _custom_send(self, body: _Fields) -> Answer | HangUp:
        return self._send(body, read_custom(body), self._custom_refusal)

    def _template_send(self, body: _Fields) -> Answer | HangUp:
        return self._send(body, read_template(body), self._template_refusal)

    def _send(
        self, body: _Fields, seen: Seen | Refusal, refusal_of: Callable[[str], Refusal | None]
    ) -> Answer | HangUp:
        openid = str(body.get("touser", ""))
        with self._chronicle.lock:
            fault = self._chronicle.next_fault("wechat", openid)
            match fault:
                case Fault.THROTTLED:
                    return self._error(Refusal(45011))
                case Fault.SYSTEM_ERROR:
                    return self._error(Refusal(-1))
                case Fault.HUNG_UP_BEFORE:
                    return HangUp()
            if refusal := refusal_of(openid):
                return self._error(refusal)
            if isinstance(seen, Refusal):
                return self._error(seen)
            answer = self._take(openid, body, seen)
        return HangUp() if fault is Fault.HUNG_UP_AFTER else answer

    def _custom_refusal(self, openid: str) -> Refusal | None:
        account = self._chronicle.account
        match account.standing(openid):
            case Standing.UNKNOWN:
                return Refusal(40003)
            case Standing.NEVER_FOLLOWED:
                return Refusal(43004)
            case Standing.LEFT:
                return Refusal(45015)
        window = account.window(openid, self._chronicle.clock.now())
        if window is None:
            return Refusal(45015)
        if window.left == 0:
            return Refusal(45047)
        return Refusal(48002) if self._chronicle.blocks_account(openid) else None

    def _template_refusal(self, openid: str) -> Refusal | None:
        match self._chronicle.account.standing(openid):
            case Standing.UNKNOWN:
                return Refusal(40003)
            case Standing.FOLLOWS:
                return None
            case _:
                return Refusal(43004)

    def _take(self, openid: str, body: _Fields, seen: Seen) -> Answer:
        """Accept the message; of a template message only the first with its client_msg_id within ten minutes."""
        if "template_id" not in body:
            self._chronicle.take(self._handover(openid, body, seen, reached=True))
            return json_answer({"errcode": 0, "errmsg": "ok"})
        client_msg_id = str(body.get("client_msg_id", ""))
        msgid = self._chronicle.account.taken_before(openid, client_msg_id, self._chronicle.clock.now())
        if not client_msg_id or msgid is None:
            handover = self._handover(openid, body, seen, reached=not self._chronicle.blocks_account(openid))
            msgid = str(self._chronicle.chance.number(60, "msgid", handover.id))
            self._chronicle.take(handover, msgid)
        return json_answer({"errcode": 0, "errmsg": "ok", "msgid": int(msgid)})

    def _handover(self, openid: str, body: _Fields, seen: Seen, reached: bool) -> Handover:
        return Handover(
            id=self._chronicle.next_id("wechat", openid),
            channel="wechat",
            at=self._chronicle.clock.now(),
            address=openid,
            payload=body,
            text=seen.text,
            links=seen.links,
            menu=seen.menu,
            reached=reached,
        )

    # --- followers ---

    def _user_info(self, query: _Fields) -> Answer:
        openid = str(query.get("openid", ""))
        with self._chronicle.lock:
            standing = self._chronicle.account.standing(openid)
            if standing is Standing.UNKNOWN:
                return self._error(Refusal(40003))
            follower = self._chronicle.account.follower(openid)
            if follower.followed_at is None:
                return json_answer({"subscribe": 0, "openid": openid})
            scene = follower.scene or ""
            return json_answer(
                {
                    "subscribe": 1,
                    "openid": openid,
                    "language": "zh_CN",
                    "subscribe_time": int(follower.followed_at.timestamp()),
                    "remark": "",
                    "groupid": 0,
                    "tagid_list": [],
                    "subscribe_scene": "ADD_SCENE_QR_CODE" if scene else "ADD_SCENE_SEARCH",
                    "qr_scene": 0,
                    "qr_scene_str": scene,
                }
            )

    def _user_get(self, query: _Fields) -> Answer:
        """A page of followers. Its next_openid is its last one, on the last page too: the call after it has no data."""
        with self._chronicle.lock:
            followers = self._chronicle.account.followers()
        page = [openid for openid in followers if openid > str(query.get("next_openid", ""))][:_PAGE]
        answer: dict[str, Any] = {"total": len(followers), "count": len(page), "next_openid": page[-1] if page else ""}
        return json_answer(answer | ({"data": {"openid": page}} if page else {}))

    def _error(self, refusal: Refusal) -> Answer:
        words = refusal.detail or _MESSAGES[refusal.code]
        rid = self._chronicle.chance.token(24, "rid", refusal.code, self._chronicle.clock.now())
        return json_answer({"errcode": refusal.code, "errmsg": f"{words} rid: {rid[:8]}-{rid[8:16]}-{rid[16:]}"})


def _json(body: bytes) -> dict[str, Any] | None:
    try:
        data = json.loads(body)
    except ValueError:
        return None
    return data if isinstance(data, dict) else None
