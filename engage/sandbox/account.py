"""What WeChat knows about one service account: its followers, their reply windows, and what it has already taken.

The windows are those of the platform since 2023-06-12. Where several are open at once the documentation does not say
whether they add up; here each counts what was sent since it opened, and the largest allowance holds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum

from engage.sandbox.model import Follow, Handover, Person, TapMenu, Type, Unfollow
from engage.sandbox.truth import Done, HandedOver, Record

_FOLLOWED_LONG_AGO = datetime(2024, 1, 1, tzinfo=UTC)  # by those who follow when the world begins
_DEDUPE_WINDOW = timedelta(minutes=10)  # of a template message's client_msg_id


class Opening(Enum):
    """A follower's act that lets the account write to them."""

    MESSAGE = "message"
    MENU = "menu"  # a tap on a msgmenu item counts as a menu click
    FOLLOW = "follow"
    SCAN = "scan"


_LIMITS = {  # how many messages, and for how long
    Opening.MESSAGE: (5, timedelta(hours=48)),
    Opening.MENU: (3, timedelta(minutes=1)),
    Opening.FOLLOW: (3, timedelta(minutes=1)),
    Opening.SCAN: (3, timedelta(minutes=1)),
}


class Standing(Enum):
    """How an openid stands to the account."""

    UNKNOWN = "unknown"
    NEVER_FOLLOWED = "never followed"
    LEFT = "left"
    FOLLOWS = "follows"


@dataclass(frozen=True, slots=True)
class ReplyWindow:
    """What the account may still write to one follower, until when."""

    left: int
    until: datetime

    def words(self, now: datetime) -> str:
        """As the phone page shows it: 还可回复 5 条，48 小时内."""
        seconds = (self.until - now).total_seconds()
        hours, minutes = -int(-seconds // 3600), -int(-seconds // 60)
        within = f"{hours} 小时" if minutes >= 60 else f"{minutes} 分钟"
        return f"还可回复 {self.left} 条，{within}内" if self.left else f"{within}内的回复条数已用完"


@dataclass(slots=True)
class _Span:
    """The messages since one opening."""

    opening: Opening
    opened_at: datetime
    sent: int = 0

    def window(self) -> ReplyWindow:
        count, length = _LIMITS[self.opening]
        return ReplyWindow(max(count - self.sent, 0), self.opened_at + length)


@dataclass(slots=True)
class Follower:
    openid: str
    followed_at: datetime | None = None  # None: not following
    scene: str | None = None
    ever: bool = False
    spans: dict[Opening, _Span] = field(default_factory=dict)


class Account:
    """A fold over the truth log. Not thread-safe: its owner holds a lock."""

    def __init__(self, people: Iterable[Person]) -> None:
        self._followers: dict[str, Follower] = {}
        self._taken: dict[tuple[str, str], tuple[datetime, str]] = {}  # (openid, client_msg_id) → when, msgid
        for person in people:
            if person.openid is not None:
                since = _FOLLOWED_LONG_AGO if person.follows else None
                self._followers[person.openid] = Follower(person.openid, since, ever=person.follows)

    def absorb(self, record: Record) -> None:
        match record:
            case HandedOver(handover=Handover(channel="wechat") as handover, provider_id=msgid):
                self._took(handover, msgid)
            case Done(act=Follow(openid, scene), at=at):
                follower = self._followers.setdefault(openid, Follower(openid))
                follower.followed_at, follower.scene, follower.ever = at, scene, True
                self._open(openid, Opening.SCAN if scene else Opening.FOLLOW, at)
            case Done(act=Unfollow(openid)):
                self._followers[openid].followed_at = None
                self._followers[openid].spans.clear()
            case Done(act=Type(channel="wechat", address=openid), at=at):
                self._open(openid, Opening.MESSAGE, at)
            case Done(act=TapMenu(openid), at=at):
                self._open(openid, Opening.MENU, at)
            case _:
                pass

    def standing(self, openid: str) -> Standing:
        follower = self._followers.get(openid)
        if follower is None:
            return Standing.UNKNOWN
        if follower.followed_at is not None:
            return Standing.FOLLOWS
        return Standing.LEFT if follower.ever else Standing.NEVER_FOLLOWED

    def follows(self, openid: str | None) -> bool:
        return openid is not None and self.standing(openid) is Standing.FOLLOWS

    def follower(self, openid: str) -> Follower:
        return self._followers[openid]

    def followers(self) -> tuple[str, ...]:
        """Who follows now, in the order of their openids."""
        return tuple(sorted(openid for openid in self._followers if self.follows(openid)))

    def window(self, openid: str, now: datetime) -> ReplyWindow | None:
        """None: no window is open. One with `left` 0 is open and used up."""
        follower = self._followers.get(openid)
        spans = follower.spans.values() if follower else ()
        windows = [window for span in spans if now < (window := span.window()).until]
        return max(windows, key=lambda window: (window.left, window.until), default=None)

    def taken_before(self, openid: str, client_msg_id: str, now: datetime) -> str | None:
        """The msgid of the same template message, if it came within the dedupe window."""
        at, msgid = self._taken.get((openid, client_msg_id), (None, ""))
        return msgid if at is not None and now < at + _DEDUPE_WINDOW else None

    def _open(self, openid: str, opening: Opening, at: datetime) -> None:
        self._followers[openid].spans[opening] = _Span(opening, at)

    def _took(self, handover: Handover, msgid: str | None) -> None:
        if "template_id" in handover.payload:
            if client_msg_id := handover.payload.get("client_msg_id"):
                self._taken[handover.address, client_msg_id] = (handover.at, msgid or "")
            return
        for span in self._followers[handover.address].spans.values():
            span.sent += 1
