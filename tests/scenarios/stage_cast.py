"""Who is on stage: members of the shop with their addresses, strangers, and what happened before the curtain rises."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from engage.core.duration import parse_duration
from engage.sandbox.model import ChannelName, Person

ZONE = ZoneInfo("Asia/Shanghai")
CHANNELS: tuple[ChannelName, ...] = ("wechat", "sms", "email")


class Cast:
    def __init__(self, starts: str) -> None:
        self.began = datetime.fromisoformat(starts).replace(tzinfo=ZONE)
        self._people: dict[str, Person] = {}
        self._rows: list[dict[str, str]] = []
        self._history: list[dict[str, str]] = []

    def member(
        self,
        name: str,
        *,
        wechat: bool | str = False,
        sms: bool | str = False,
        email: bool | str = False,
        consents: str = "yes",
        tags: str = "",
        zone: str = "",
        on_file: bool = True,
        follows: bool = True,
        phone_dead: bool = False,
        mailbox_dead: bool = False,
        **fields: object,
    ) -> None:
        """Someone the shop knows; an address may be given instead of True. `on_file=False`: not imported, they register
        later. `follows=False`: they have WeChat, and do not follow the account yet."""
        number = len(self._people) + 1
        person = Person(
            key=name,
            name=name,
            ref=f"M{number:04d}",
            openid=_address(wechat, f"oFollower{number:019d}"),
            phone=_address(sms, f"138{number:08d}"),
            email=_address(email, f"m{number}@example.com"),
            follows=bool(wechat) and follows,
            phone_dead=phone_dead,
            mailbox_dead=mailbox_dead,
        )
        self._people[name] = person
        row = {"member": person.ref or "", "name": name, "consent": consents, "tags": tags, "timezone": zone}
        row |= {channel: person.address(channel) or "" for channel in CHANNELS}
        if on_file:
            self._rows.append(row | {key: str(value) for key, value in fields.items()})

    def stranger(self, name: str) -> None:
        """Someone with WeChat whom the shop does not know, and who does not follow yet."""
        self._people[name] = Person(key=name, name=name, ref=None, openid=f"oStranger{len(self._people):019d}")

    def history(self, name: str, event: str, ago: str, **data: object) -> None:
        """Something that happened before the curtain rose; comes with the shop's file."""
        at = self.began - span(ago)
        row = {"id": f"h{len(self._history)}", "member": self._people[name].ref or "", "event": event}
        self._history.append(row | {"at": at.isoformat()} | {key: str(value) for key, value in data.items()})

    def address(self, name: str, channel: ChannelName) -> str:
        address = self._people[name].address(channel)
        assert address is not None, f"{name} has no {channel}"
        return address


def span(text: str) -> timedelta:
    found = parse_duration(text)
    assert found is not None, f"“{text}” is not a duration"
    return found


def _address(given: bool | str, usual: str) -> str | None:
    return usual if given is True else given or None
