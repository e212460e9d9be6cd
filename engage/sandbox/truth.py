"""The truth log: what really reached a phone or bounced, and what people really did, one JSON line each.

The engine never reads it; a checker reads nothing else. It is also the sandbox's only memory: a world that was
killed is built again from these lines, so a line is written and flushed before anybody is told of what it says.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from io import TextIOWrapper
from pathlib import Path
from typing import Any, Literal, assert_never

from engage.sandbox.model import (
    Act,
    ChannelName,
    FillSurvey,
    Follow,
    Handover,
    Link,
    OneClickUnsubscribe,
    OpenLink,
    Register,
    SendForm,
    ShopEvent,
    TapMenu,
    Type,
    Unfollow,
)

LogName = Literal["wechat", "sms", "email", "shop"]
LOGS: tuple[LogName, ...] = ("wechat", "sms", "email", "shop")


@dataclass(frozen=True, slots=True)
class HandedOver:
    """A provider took responsibility for a message. `provider_id` is what it called it in its answer, if anything."""

    seq: int  # over all logs, so that they can be read back as one story
    handover: Handover
    provider_id: str | None

    @property
    def at(self) -> datetime:
        return self.handover.at


@dataclass(frozen=True, slots=True)
class Done:
    """A person, or the shop, did something."""

    seq: int
    at: datetime
    key: str  # of the Planned act
    act: Act


Record = HandedOver | Done

PhoneAct = Follow | Unfollow | Type | TapMenu | OpenLink | FillSurvey | SendForm | OneClickUnsubscribe  # not the shop's

_ACTS: Mapping[str, type[Act]] = {
    "follow": Follow,
    "unfollow": Unfollow,
    "type": Type,
    "tap_menu": TapMenu,
    "open_link": OpenLink,
    "fill_survey": FillSurvey,
    "send_form": SendForm,
    "one_click_unsubscribe": OneClickUnsubscribe,
    "shop_event": ShopEvent,
    "register": Register,
}
_NAMES = {kind: name for name, kind in _ACTS.items()}


class TruthLog:
    """The four files of one world. Opening an existing folder drops a line that was cut off in the middle."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._records: list[Record] = []
        self._files: dict[LogName, TextIOWrapper] = {}
        for name in LOGS:
            path = folder / f"{name}.jsonl"
            self._records += _read(path)
            self._files[name] = path.open("a", encoding="utf-8")
        self._records.sort(key=lambda record: record.seq)
        self._last = self._records[-1].seq if self._records else 0

    def past(self) -> tuple[Record, ...]:
        """What the files held when they were opened, as one story, oldest first."""
        return tuple(self._records)

    def hand_over(self, handover: Handover, provider_id: str | None) -> HandedOver:
        with self._lock:
            record = HandedOver(self._next(), handover, provider_id)
            self._write(handover.channel, _handover_line(record))
        return record

    def do(self, at: datetime, key: str, act: Act) -> Done:
        with self._lock:
            record = Done(self._next(), at, key, act)
            self._write("shop" if isinstance(act, ShopEvent | Register) else place_of(act)[0], _act_line(record))
        return record

    def close(self) -> None:
        for file in self._files.values():
            file.close()

    @property
    def last(self) -> int:
        """The number of the newest line, over all logs; 0 if there is none."""
        return self._last

    def _next(self) -> int:
        self._last += 1
        return self._last

    def _write(self, log: LogName, line: Mapping[str, Any]) -> None:
        file = self._files[log]
        file.write(json.dumps(line, ensure_ascii=False) + "\n")
        file.flush()  # into the operating system: survives the death of this process


def place_of(act: PhoneAct) -> tuple[ChannelName, str]:
    """The channel whose app the act is done in, and the address of the phone there."""
    match act:
        case Follow() | Unfollow() | TapMenu():
            return "wechat", act.openid
        case Type() | OpenLink() | FillSurvey() | SendForm():
            return act.channel, act.address
        case OneClickUnsubscribe():
            return "email", act.address
        case _:
            assert_never(act)


# --- one line ---------------------------------------------------------------------------------------------------


def _handover_line(record: HandedOver) -> dict[str, Any]:
    handover = record.handover
    line: dict[str, Any] = {
        "seq": record.seq,
        "time": handover.at.isoformat(),
        "kind": "handover",
        "id": handover.id,
        "address": handover.address,
        "reached": handover.reached,
        "provider_id": record.provider_id,
        "text": handover.text,
        "subject": handover.subject,
        "links": [[link.url, link.words] for link in handover.links],
        "menu": [list(item) for item in handover.menu],
        "unsubscribe_url": handover.unsubscribe_url,
        "payload": dict(handover.payload),
        "html": handover.html,
    }
    return {name: value for name, value in line.items() if value is not None and value != []}


def _act_line(record: Done) -> dict[str, Any]:
    act = record.act
    line: dict[str, Any] = {
        "seq": record.seq,
        "time": record.at.isoformat(),
        "kind": "act",
        "key": record.key,
        "act": _NAMES[type(act)],
    }
    if not isinstance(act, ShopEvent | Register):
        line["address"] = place_of(act)[1]
    return line | {field.name: getattr(act, field.name) for field in fields(act)}


def _read(path: Path) -> list[Record]:
    """The records of one file. A last line without its end was never acknowledged to anybody: it is cut away."""
    if not path.exists():
        return []
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if len(whole) < len(content):
        os.truncate(path, len(whole))
    channel = path.stem
    return [_record(channel, json.loads(line)) for line in whole.decode("utf-8").splitlines()]


def _record(log: str, line: Mapping[str, Any]) -> Record:
    at = datetime.fromisoformat(line["time"])
    if line["kind"] == "handover":
        return HandedOver(line["seq"], _handover(log, at, line), line.get("provider_id"))
    kind = _ACTS[line["act"]]
    return Done(line["seq"], at, line["key"], kind(**{field.name: line[field.name] for field in fields(kind)}))


def _handover(log: str, at: datetime, line: Mapping[str, Any]) -> Handover:
    return Handover(
        id=line["id"],
        channel=_channel(log),
        at=at,
        address=line["address"],
        payload=line["payload"],
        text=line["text"],
        subject=line.get("subject"),
        links=tuple(Link(url, words) for url, words in line.get("links", ())),
        menu=tuple((item, words) for item, words in line.get("menu", ())),
        unsubscribe_url=line.get("unsubscribe_url"),
        html=line.get("html"),
        reached=line["reached"],
    )


def _channel(log: str) -> ChannelName:
    match log:
        case "wechat" | "sms" | "email":
            return log
        case _:
            raise ValueError(f"{log}.jsonl cannot hold handovers")
