"""Trying WeChat: an access token is asked for. That says whether app id and secret are right, and whether our
address is on the list; `stable_token` answers the same token to everybody, so that nobody else's becomes stale."""

from __future__ import annotations

import httpx

from engage.channels.http_answer import json_object, not_sent, without_verdict
from engage.channels.probe import Probed, ask
from engage.channels.wechat import errors
from engage.channels.wechat.token import token_request
from engage.config import WeChat
from engage.core.outcome import Rejected


def probe(config: WeChat, timeout: float) -> Probed:
    return ask(f"{config.base_url}/cgi-bin/stable_token", timeout, _refused, json=token_request(config))


def _refused(answer: httpx.Response) -> Rejected | None:
    match json_object(answer.content):
        case {"access_token": str(token)} if token:
            return None
        case {"errcode": int(code), **more}:
            return errors.rejected(code, more.get("errmsg", ""))
        case _:
            verdict = without_verdict(answer.status_code)
            return verdict if isinstance(verdict, Rejected) else not_sent(verdict.detail)
