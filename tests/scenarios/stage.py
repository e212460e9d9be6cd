"""A stage: a real engine on a real SQLite file, a sandbox world on loopback, one clock that moves when it is told to.

Members are brought on stage first (`member`), then the curtain rises (`apply`): the files are applied, the members
imported as a shop's list would be, silently. From there on everything happens over the network, as in life. What
reached people is read from the sandbox's truth, never from our own tables.

Times are the business's own: `day 0` is the day the curtain rises.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
from stage_cast import CHANNELS
from stage_records import Records
from stage_wiring import AES_KEY, API_KEY, WECHAT, Setup

from engage.runtime.closing import close_task
from engage.sandbox.model import (
    Act,
    ChannelName,
    FillSurvey,
    Follow,
    OneClickUnsubscribe,
    OpenLink,
    ShopEvent,
    TapMenu,
    Type,
    Unfollow,
)
from engage.sandbox.pushes import wechat_xml
from engage.sandbox.wechat_crypto import seal, signature
from engage.sandbox.world import ActResult
from engage.store import members, reaching, state
from engage.store.tasks import TaskRow

_HTTP = httpx.Client(trust_env=False)


class Stage(Records):
    """What people, the shop and the staff do on it."""

    def __init__(self, folder: Path, starts: str, faults: bool, setup: Setup) -> None:
        super().__init__(folder, starts, faults, setup)
        self._reported = 0

    def happens(self, name: str, event: str, **data: object) -> None:
        """The shop reports it, over the HTTP API."""
        self._reported += 1
        self._does(ShopEvent(name, event, data, f"e{self._reported}"))

    def registers(self, name: str, *, consents: Sequence[str] = (), zone: str | None = None, **fields: object) -> None:
        """The shop registers the member over the HTTP API. `consents`: topics, granted on every channel they have."""
        person = self._people[name]
        addresses = {c: address for c in CHANNELS if (address := person.address(c)) is not None}
        granted = [
            {"topic": topic, "channel": channel, "granted": True, "evidence": "门店登记表"}
            for topic in consents
            for channel in addresses
        ]
        body: dict[str, Any] = {"member": person.ref, "fields": {"name": name, **fields}, "addresses": addresses}
        self.posts("/api/members", body | {"consents": granted} | ({"timezone": zone} if zone else {}))

    def posts(self, path: str, body: Mapping[str, Any]) -> None:
        told = _HTTP.post(self.url + path, json=dict(body), headers={"Authorization": f"Bearer {API_KEY}"})
        assert told.status_code == 202, told.text
        self.settle()

    def sms_pushes(self, *items: Mapping[str, object]) -> None:
        """One post of the SMS provider."""
        told = _HTTP.post(f"{self.url}/callbacks/aliyun_sms/smscb", json=[dict(item) for item in items])
        assert told.status_code == 200, told.text
        self.settle()

    def wechat_pushes(self, name: str, text: str, *, msg_id: int, attempt: int) -> str:
        """One callback of WeChat, sealed anew for each attempt; what we answered."""
        openid = self.address(name, "wechat")
        fields: dict[str, str | int] = {"Content": text, "MsgId": msg_id}
        xml = wechat_xml(WECHAT["account"], openid, self.clock.now(), "text", fields)
        timestamp, nonce = str(int(self.clock.now().timestamp())), f"nonce{attempt}"
        sealed = seal(xml.encode(), WECHAT["app_id"], AES_KEY, bytes([attempt]) * 16)
        signed = signature(WECHAT["callback_token"], timestamp, nonce, sealed)
        query = {"signature": signature(WECHAT["callback_token"], timestamp, nonce), "msg_signature": signed}
        query |= {"timestamp": timestamp, "nonce": nonce, "encrypt_type": "aes"}
        body = f"<xml><ToUserName>{WECHAT['account']}</ToUserName><Encrypt><![CDATA[{sealed}]]></Encrypt></xml>"
        told = _HTTP.post(f"{self.url}/callbacks/wechat", params=query, content=body.encode())
        self.settle()
        return told.text

    def types(self, name: str, text: str, channel: ChannelName = "wechat") -> None:
        self._does(Type(channel, self.address(name, channel), text))

    def taps(self, name: str, words: str) -> None:
        """An item of the last WeChat menu message."""
        menu = self.last(name, "wechat").handover.menu
        item = next(item for item in menu if item[1] == words)
        self._does(TapMenu(self.address(name, "wechat"), *item))

    def clicks(self, name: str, channel: ChannelName | None = None) -> None:
        """The first link of the last message."""
        assert self.opens(name, self.last(name, channel).handover.links[0].url, channel).status == 302

    def opens(self, name: str, url: str, channel: ChannelName | None = None) -> ActResult:
        """An address from the last message."""
        came = self.last(name, channel)
        return self._does(OpenLink(came.handover.channel, came.handover.address, url))

    def fills(self, name: str, score: int, comment: str | None = None, channel: ChannelName = "email") -> ActResult:
        """The survey page behind the last message: opened, and sent."""
        came = self.last(name, channel)
        link = next(link.url for link in came.handover.links if "/s/" in link.url)
        return self._does(FillSurvey(channel, came.handover.address, link, score, comment))

    def follows(self, name: str) -> None:
        self._does(Follow(self.address(name, "wechat")))

    def unfollows(self, name: str) -> None:
        self._does(Unfollow(self.address(name, "wechat")))

    def unsubscribes(self, name: str) -> None:
        """By the mail client's own button."""
        came = self.last(name, "email")
        assert came.handover.unsubscribe_url is not None
        self._does(OneClickUnsubscribe(came.handover.address, came.handover.unsubscribe_url))

    def _does(self, act: Act) -> ActResult:
        result = self.world.act(act)
        assert result.done, f"{act} could not be done"
        self.settle()
        return result

    def closes_task(self, row: TaskRow, outcome: str) -> None:
        """A colleague has done it: the task is closed, and that is an event."""
        now = self.clock.now()
        with self.database.write() as connection:
            assert close_task(connection, self.applied.catalog, row, outcome, "小周", now)
        self.settle()

    def sets_zone(self, name: str, zone: str) -> None:
        """As an older list may have left it: no door of today's lets such a zone in."""
        with self.database.write() as connection:
            members.set_timezone(connection, [self.ref(name)], zone, self.clock.now())

    def suppress(self, name: str, channel: ChannelName, reason: str) -> None:
        """The address is on the do-not-contact list."""
        (point,) = [point for point in self.points(name) if point.channel == channel]
        with self.database.write() as connection:
            reaching.suppress(connection, channel, point.address, reason, self.clock.now())

    def refuses(self, name: str, topic: str, channel: ChannelName) -> None:
        """The member says so at the counter."""
        self.posts(
            "/api/members",
            {
                "member": self._people[name].ref,
                "consents": [{"topic": topic, "channel": channel, "granted": False, "evidence": "柜台"}],
            },
        )

    def pauses(self, scope: str) -> None:
        with self.database.write() as connection:
            state.pause_scopes(connection, [scope], "值班", self.clock.now())

    def resumes(self, scope: str) -> None:
        with self.database.write() as connection:
            assert state.resume_scopes(connection, [scope]) == 1


OpenStage = Callable[..., Stage]
