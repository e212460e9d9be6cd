"""WeChat as the engine sees it. Joins the pure parts to the sender; holds no rule of its own."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from engage.channels.contract import Contact, Message, NoWay, Payload, Way, Window
from engage.channels.wechat import payload as wording
from engage.channels.wechat import way
from engage.channels.wechat import window as windows
from engage.channels.wechat.send import Sender
from engage.clock import Clock
from engage.config import WeChat
from engage.core.catalog import TopicClass
from engage.core.fact import Act
from engage.core.outcome import SendOutcome


class WeChatChannel:
    name = "wechat"
    talks = True

    def __init__(self, config: WeChat, clock: Clock) -> None:
        self.concurrency = config.concurrency
        self.per_second = config.per_second
        self._sender = Sender(config, clock)

    def supports(self, front: Mapping[str, Any], topic_class: TopicClass) -> bool:
        return way.supports(front, topic_class)

    def way(self, front: Mapping[str, Any], contact: Contact, topic_class: TopicClass, now: datetime) -> Way | NoWay:
        return way.find_way(front, contact, topic_class, now)

    def window_after(self, window: Window | None, act: Act, at: datetime) -> Window | None:
        return windows.window_after(window, act, at)

    def compose(self, message: Message) -> Payload:
        return wording.compose(message)

    def quote(self, message: Message) -> Payload:
        return self.compose(message)

    async def send(self, payload: Payload, timeout: float) -> SendOutcome:
        return await self._sender.send(payload, timeout)

    @property
    def token_age(self) -> float | None:
        return self._sender.token_age

    async def close(self) -> None:
        await self._sender.close()
