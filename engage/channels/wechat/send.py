"""Handing over to WeChat: one call, and one more only after a stale token, which is a sure refusal.

The requests are wechatpy's, byte for byte, but not made by its session, which is synchronous, takes four times the
processor, and repeats on its own (a token that stays stale ends in 486 sends and a RecursionError). Custom messages
have no idempotency key, so anything that may have left without a clear answer is `Unknown`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import quote

from engage.channels.contract import Payload
from engage.channels.http_answer import Deadline, json_object, not_sent, without_verdict
from engage.channels.http_calls import HttpAnswer, HttpCaller
from engage.channels.wechat import errors
from engage.channels.wechat.token import Grant, TokenKeeper, token_request
from engage.clock import Clock
from engage.config import WeChat
from engage.core.outcome import Accepted, Rejected, SendOutcome, Unknown

_JSON = {"Content-Type": "application/json"}


class Sender:
    def __init__(self, config: WeChat, clock: Clock) -> None:
        self._config = config
        self._api = f"{config.base_url}/cgi-bin"
        self._http = HttpCaller(config.concurrency)
        self._tokens = TokenKeeper(clock, self._fetch_token)

    async def send(self, payload: Payload, timeout: float) -> SendOutcome:
        deadline = Deadline(timeout)
        token = await self._tokens.current(deadline)
        if isinstance(token, Rejected):
            return token
        outcome = await self._hand_over(payload, token, deadline)
        if not (isinstance(outcome, Rejected) and outcome.code in errors.STALE_TOKEN):
            return outcome
        renewed = await self._tokens.renew(token, deadline)
        return renewed if isinstance(renewed, Rejected) else await self._hand_over(payload, renewed, deadline)

    @property
    def token_age(self) -> float | None:
        return self._tokens.age

    async def close(self) -> None:
        await self._http.close()

    async def _hand_over(self, payload: Payload, token: str, deadline: Deadline) -> SendOutcome:
        endpoint = f"{payload.data['endpoint']}?access_token={quote(token)}"
        answer = await self._post(endpoint, payload.data["body"], deadline)
        if isinstance(answer, Rejected | Unknown):
            return answer
        if answer.get("errcode") != 0:
            return Unknown("an answer without errcode")
        msgid = answer.get("msgid")
        return Accepted(None if msgid is None else str(msgid), payload.segments, payload.cost)

    async def _fetch_token(self, deadline: Deadline) -> Grant | Rejected:
        match await self._post("stable_token", token_request(self._config), deadline):
            case Rejected() as refused:
                return refused
            case Unknown(detail):
                return not_sent(f"no access token: {detail}")
            case {"access_token": str(token), "expires_in": int(seconds)} if token:
                return Grant(token, timedelta(seconds=seconds))
            case _:
                return not_sent("no access token: an answer without one")

    async def _post(
        self, endpoint: str, body: Mapping[str, Any], deadline: Deadline
    ) -> Mapping[str, Any] | Rejected | Unknown:
        """The answer as a JSON object with errcode 0 or none; else what the failure means."""
        # Real characters: WeChat shows members \\u escapes as they are.
        words = json.dumps(body, ensure_ascii=False).encode()
        answer = await self._http.post(f"{self._api}/{endpoint}", _JSON, words, deadline)
        return _verdict(answer) if isinstance(answer, HttpAnswer) else answer


def _verdict(answer: HttpAnswer) -> Mapping[str, Any] | Rejected | Unknown:
    if answer.status >= 300:
        return without_verdict(answer.status)
    said = json_object(answer.body)
    if said is None:
        return Unknown("an answer that cannot be read")
    match said.get("errcode"):
        case None | 0:
            return said
        case int(code):
            return errors.rejected(code, said.get("errmsg"))
        case _:
            return Unknown("an errcode that is no number")
