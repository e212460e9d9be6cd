"""Aliyun's pushes: delivery reports (SmsReport) and replies (SmsUp), each a JSON array, several facts per post. Pure.

They carry no signature, so the path ends in a secret (and ops allow-list Aliyun's addresses). Aliyun tries again after
1, 5 and 10 minutes, and duplicates are possible: every item has a key of its own. Their times are Beijing local time.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

from engage.channels.callback import bounded_key, digest, own_id, refusal, storable
from engage.channels.contract import CallbackRequest, RawRecord, Received, Refused
from engage.channels.http_answer import json_object
from engage.channels.sms.errors import receipt_failure
from engage.channels.sms.phone import from_provider
from engage.config import Sms
from engage.core.fact import Arrival, Fact, Receipt, Typed, moment_told

BODY_LIMIT = 512 * 1024
_BEIJING = timezone(timedelta(hours=8))
_ANSWER = json.dumps({"code": 0, "msg": "接收成功"}, ensure_ascii=False).encode()


class AliyunCallbacks:
    name = "aliyun_sms"

    def __init__(self, config: Sms) -> None:
        self._secret = config.callback_secret.get_secret_value()

    def open(self, request: CallbackRequest, now: datetime) -> Received | Refused:
        if refused := refusal(request, self._secret, BODY_LIMIT):
            return refused
        items = _items(request.body)
        if items is None:
            return Refused(400, "not a JSON array of reports or replies")
        return Received(tuple(_record(item) for item in items), answer=_ANSWER, media_type="application/json")

    def facts(self, body: str) -> tuple[Fact, ...]:
        item = json_object(body.encode())
        if item is None:
            raise ValueError("not a JSON object")
        if _is_report(item):
            return (_receipt(item),)
        return (_reply(item),) if _is_reply(item) else ()


def _items(body: bytes) -> list[dict[str, Any]] | None:
    try:
        items = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        return None
    return items


def _is_report(item: Mapping[str, Any]) -> bool:
    return "biz_id" in item and "success" in item


def _is_reply(item: Mapping[str, Any]) -> bool:
    return "content" in item and "phone_number" in item


def _record(item: dict[str, Any]) -> RawRecord:
    clean = {name: storable(value) if isinstance(value, str) else value for name, value in item.items()}
    body = storable(json.dumps(clean, ensure_ascii=False, sort_keys=True))
    return RawRecord(bounded_key(_key(clean, body)), body)


def _key(item: Mapping[str, Any], body: str) -> str:
    if _is_report(item):
        status = item.get("err_code") or item["success"]
        return f"report:{item['biz_id']}:{item.get('phone_number')}:{status}"
    if _is_reply(item) and item.get("sequence_id"):  # a string now, a number once
        return f"up:{item['sequence_id']}"
    return f"other:{digest(body)}"


def _receipt(item: Mapping[str, Any]) -> Receipt:
    arrived = item["success"] in (True, "true")
    code = str(item.get("err_code") or "")
    return Receipt(
        channel="sms",
        arrival=Arrival.DELIVERED if arrived else Arrival.BOUNCED,
        at=_moment(item.get("report_time") or item.get("send_time")),
        delivery_id=own_id(str(item.get("out_id") or "")),
        provider_id=str(item["biz_id"]),
        address=from_provider(str(item.get("phone_number") or "")),
        failure=None if arrived else receipt_failure(code),
        code=code[:100],
    )


def _reply(item: Mapping[str, Any]) -> Typed:
    address = from_provider(str(item["phone_number"]))
    if address is None:
        raise ValueError("a reply from something that is not a phone number")
    return Typed("sms", address, str(item["content"]), _moment(item.get("send_time")))


def _moment(text: object) -> datetime:
    return moment_told(lambda: datetime.strptime(str(text), "%Y-%m-%d %H:%M:%S").replace(tzinfo=_BEIJING))
