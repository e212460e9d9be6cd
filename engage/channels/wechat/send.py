"""Handing over to WeChat through wechatpy: one call, and one more only after a stale token, which is a sure refusal.

wechatpy's `auto_retry` is off (a token that stays stale ends in 486 sends and a RecursionError) and its token handling
is bypassed: the token is always given by us. Custom messages have no idempotency key, so anything that may have left
without a clear answer is `Unknown`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from requests import Response
from wechatpy import WeChatClient
from wechatpy.exceptions import WeChatClientException

from engage.channels.contract import Payload
from engage.channels.http_answer import Deadline, not_sent, without_verdict
from engage.channels.wechat import errors
from engage.channels.wechat.token import Grant, TokenKeeper
from engage.channels.wechat.transport import ForeignHostError, NeverSentError, NoAnswerError, mount
from engage.clock import Clock
from engage.config import WeChat
from engage.core.outcome import Accepted, Rejected, SendOutcome, Unknown


class Sender:
    def __init__(self, config: WeChat, clock: Clock) -> None:
        self._app_id = config.app_id
        self._app_secret = config.app_secret
        self._client = WeChatClient(config.app_id, secret="", auto_retry=False)  # the secret stays with us
        mount(self._client._http, config.base_url, config.concurrency)
        self._tokens = TokenKeeper(clock, self._fetch_token)

    def send(self, payload: Payload, timeout: float) -> SendOutcome:
        deadline = Deadline(timeout)
        token = self._tokens.current(deadline)
        if isinstance(token, Rejected):
            return token
        outcome = self._hand_over(payload, token, deadline)
        if not (isinstance(outcome, Rejected) and outcome.code in errors.STALE_TOKEN):
            return outcome
        renewed = self._tokens.renew(token, deadline)
        return renewed if isinstance(renewed, Rejected) else self._hand_over(payload, renewed, deadline)

    def close(self) -> None:
        self._client._http.close()

    def _hand_over(self, payload: Payload, token: str, deadline: Deadline) -> SendOutcome:
        answer = self._post(payload.data["endpoint"], payload.data["body"], {"access_token": token}, deadline)
        if isinstance(answer, Rejected | Unknown):
            return answer
        if answer.get("errcode") != 0:
            return Unknown("an answer without errcode")
        msgid = answer.get("msgid")
        return Accepted(None if msgid is None else str(msgid), payload.segments, payload.cost)

    def _fetch_token(self, deadline: Deadline) -> Grant | Rejected:
        body = {
            "grant_type": "client_credential",
            "appid": self._app_id,
            "secret": self._app_secret.get_secret_value(),
            "force_refresh": False,
        }
        answer = self._post("stable_token", body, (), deadline)
        match answer:
            case Rejected():
                return answer
            case Unknown(detail):
                return not_sent(f"no access token: {detail}")
            case {"access_token": str(token), "expires_in": int(seconds)} if token:
                return Grant(token, timedelta(seconds=seconds))
            case _:
                return not_sent("no access token: an answer without one")

    def _post(
        self, endpoint: str, body: Mapping[str, Any], params: dict[str, str] | tuple[()], deadline: Deadline
    ) -> dict[str, Any] | Rejected | Unknown:
        """The answer as a JSON object with errcode 0 or none; else what the failure means.

        `params` that is not a dict keeps wechatpy from adding (and fetching) a token of its own.
        """
        if not deadline.left():
            return not_sent("the time allowed was over before the call")
        try:
            answer = self._client.post(
                endpoint,
                data=dict(body),
                params=params,
                headers={"Content-Type": "application/json"},
                timeout=deadline.phases(),
                allow_redirects=False,
            )
        except WeChatClientException as error:
            return _refusal(error)
        except NeverSentError as error:
            return not_sent(str(error))
        except ForeignHostError as error:
            return not_sent(str(error))
        except NoAnswerError as error:
            return Unknown(str(error))
        except (AttributeError, TypeError, ValueError, RecursionError):  # what its parser raises, by the answer's form
            return Unknown("an answer that cannot be read")
        return answer if isinstance(answer, dict) else _not_json(answer)


def _refusal(error: WeChatClientException) -> Rejected | Unknown:
    if error.errcode is None:
        return without_verdict(error.response.status_code)
    return errors.rejected(error.errcode, error.errmsg)


def _not_json(answer: object) -> Rejected | Unknown:
    return without_verdict(answer.status_code) if isinstance(answer, Response) else Unknown("an answer of another form")
