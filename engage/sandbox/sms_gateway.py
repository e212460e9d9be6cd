"""Aliyun's SMS gateway (Dysmsapi 2017-05-25), as far as one message to one number goes.

The provider, not the caller, holds the approved template texts: the gateway is told where to ask for them, and fills
them in.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from engage.sandbox.chronicle import Chronicle
from engage.sandbox.faults import Fault
from engage.sandbox.links import links_in
from engage.sandbox.loopback import Answer, HangUp, Request, json_answer
from engage.sandbox.model import Handover, SandboxSettings
from engage.sandbox.sms_signature import refusal

_CLOCK_SKEW = timedelta(minutes=15)
_MOBILE = re.compile(r"(?:\+?86)?(1[3-9]\d{9})")
_VARIABLE = re.compile(r"\$\{(\w+)\}")
_VARIABLE_CHARACTERS = 35
_HTTP_STATUS = {"InvalidAccessKeyId.NotFound": 404, "ServiceUnavailable": 503}  # of what fails before the SMS service
_MESSAGES = {
    "isv.BUSINESS_LIMIT_CONTROL": "触发分钟级流控Permits:1",
    "isv.MOBILE_NUMBER_ILLEGAL": "非法手机号",
    "isv.SMS_SIGN_ILLEGAL": "短信签名不合法",
    "isv.SMS_TEMPLATE_ILLEGAL": "短信模板不合法",
    "isv.INVALID_JSON_PARAM": "JSON参数不合法，只接受字符串值",
    "isv.TEMPLATE_MISSING_PARAMETERS": "模板变量缺少对应参数值",
    "isv.PARAM_LENGTH_LIMIT": "参数超过长度限制",
    "isv.PARAM_NOT_SUPPORT_URL": "变量不支持传入URL",
}


# By template code, with `${name}` variables. Asked for with every message: another text may have been approved by now.
ApprovedTexts = Callable[[], Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class _Filled:
    phone: str  # 11 digits
    text: str  # with the sign in front, as the phone shows it


class SmsGateway:
    def __init__(self, chronicle: Chronicle, settings: SandboxSettings, approved: ApprovedTexts) -> None:
        self._chronicle = chronicle
        self._settings = settings
        self._approved = approved
        self._nonces: dict[str, datetime] = {}
        self._lock = threading.Lock()

    def respond(self, request: Request) -> Answer | HangUp:
        code = refusal(request, self._settings.sms_access_key_id, self._settings.sms_access_key_secret)
        if code := code or self._stale(request):
            return self._error(code, _HTTP_STATUS.get(code, 400))
        if request.headers["x-acs-action"] != "SendSms" or request.headers["x-acs-version"] != "2017-05-25":
            return self._error("InvalidAction.NotFound", 404)
        filled = self._fill(request.query)
        if isinstance(filled, str):
            return self._error(filled)
        return self._take(filled, request.query)

    def _take(self, filled: _Filled, query: Mapping[str, str]) -> Answer | HangUp:
        with self._chronicle.lock:
            fault = self._chronicle.next_fault("sms", filled.phone)
            match fault:
                case Fault.THROTTLED:
                    return self._error("isv.BUSINESS_LIMIT_CONTROL")
                case Fault.SYSTEM_ERROR:
                    return self._error("ServiceUnavailable", 503)
                case Fault.HUNG_UP_BEFORE:
                    return HangUp()
            handover = self._handover(filled, query)
            biz_id = f"{self._chronicle.chance.number(59, 'BizId', handover.id)}^0"
            self._chronicle.take(handover, biz_id)
        if fault is Fault.HUNG_UP_AFTER:
            return HangUp()
        return json_answer({"Code": "OK", "Message": "OK", "BizId": biz_id, "RequestId": self._request_id(handover.id)})

    def _handover(self, filled: _Filled, query: Mapping[str, str]) -> Handover:
        owner = self._chronicle.phones.owner("sms", filled.phone)
        return Handover(
            id=self._chronicle.next_id("sms", filled.phone),
            channel="sms",
            at=self._chronicle.clock.now(),
            address=filled.phone,
            payload=query,
            text=filled.text,
            links=links_in(filled.text),
            reached=owner is None or not owner.phone_dead,
        )

    def _fill(self, query: Mapping[str, str]) -> _Filled | str:
        """The message as the phone shows it, or the code of what is wrong with the request."""
        mobile = _MOBILE.fullmatch(query.get("PhoneNumbers", ""))
        if mobile is None:
            return "isv.MOBILE_NUMBER_ILLEGAL"
        sign = query.get("SignName", "")
        if not sign or "【" in sign:
            return "isv.SMS_SIGN_ILLEGAL"
        template = self._approved().get(query.get("TemplateCode", ""))
        if template is None:
            return "isv.SMS_TEMPLATE_ILLEGAL"
        values = _values(query.get("TemplateParam") or "{}")
        if values is None:
            return "isv.INVALID_JSON_PARAM"
        wanted = _VARIABLE.findall(template)
        if code := _value_fault(values, wanted):
            return code
        return _Filled(mobile[1], f"【{sign}】" + _VARIABLE.sub(lambda found: values[found[1]], template))

    def _stale(self, request: Request) -> str | None:
        """A request is good for 15 minutes, and once."""
        now = self._chronicle.clock.now()
        try:
            signed_at = datetime.strptime(request.headers["x-acs-date"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        except ValueError:
            return "InvalidTimeStamp.Format"
        if abs(now - signed_at) > _CLOCK_SKEW:
            return "InvalidTimeStamp.Expired"
        with self._lock:
            self._nonces = {nonce: at for nonce, at in self._nonces.items() if now - at <= 2 * _CLOCK_SKEW}
            nonce = request.headers["x-acs-signature-nonce"]
            if nonce in self._nonces:
                return "SignatureNonceUsed"
            self._nonces[nonce] = now
        return None

    def _error(self, code: str, status: int = 200) -> Answer:
        body = {"Code": code, "Message": _MESSAGES.get(code, code), "RequestId": self._request_id(code)}
        return json_answer(body, status)

    def _request_id(self, about: str) -> str:
        token = self._chronicle.chance.token(32, "RequestId", about, self._chronicle.clock.now()).upper()
        return "-".join([token[:8], token[8:12], token[12:16], token[16:20], token[20:]])


def _values(text: str) -> dict[str, str] | None:
    try:
        given = json.loads(text)
    except ValueError:
        return None
    if not isinstance(given, dict) or not all(isinstance(value, str | int) for value in given.values()):
        return None
    return {name: str(value) for name, value in given.items()}


def _value_fault(values: Mapping[str, str], wanted: list[str]) -> str | None:
    if any(not values.get(name) for name in wanted):
        return "isv.TEMPLATE_MISSING_PARAMETERS"
    if any(len(values[name]) > _VARIABLE_CHARACTERS for name in wanted):
        return "isv.PARAM_LENGTH_LIMIT"
    if any("http://" in values[name] or "https://" in values[name] for name in wanted):
        return "isv.PARAM_NOT_SUPPORT_URL"
    return None
