"""Whether a message may go out on a channel now: the gates in order, then the hours, then the frequency cap.

Every refusal is a sentence that `engage explain` shows; none of them is an error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from engage.core.catalog import TopicClass
from engage.core.duration import format_duration
from engage.core.quiet import next_allowed

# A service reply this soon after the member's own act ignores quiet hours: they are awake and waiting.
REPLY_WINDOW = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of one member on one channel, for one message."""

    channel: str
    has_template: bool
    address: str | None
    status: str = "active"  # of the contact point
    suppressed: str | None = None  # why, if the address is on the suppression list
    consent: bool | None = None  # the member's word for this topic here; None: nothing on file
    closed: str | None = None  # why there is no lawful way now, if there is none
    resting: str | None = None  # why the channel takes nothing now: its provider is out of order, or it is paused
    tried: bool = False  # an earlier hop of the same message went here


def refusal(standing: Standing, topic: str, topic_class: TopicClass, *, is_reply: bool) -> str | None:
    """The first gate that is shut, in words; None if all are open. A reply to the member's own act needs no grant."""
    if not standing.has_template:
        return f"template has no {standing.channel} version"
    if standing.address is None:
        return "no address on file"
    if standing.suppressed is not None:
        return f"suppressed: {standing.suppressed}"
    if standing.status != "active":
        return {"bounced": "hard bounce", "invalid": "address is invalid"}.get(standing.status, standing.status)
    if not is_reply and standing.consent is False:
        return f"refused {topic} on {standing.channel}"
    if not is_reply and topic_class is TopicClass.MARKETING and standing.consent is None:
        return f"no consent on file for {topic} on {standing.channel}"
    if standing.closed is not None:
        return standing.closed
    if standing.resting is not None:
        return standing.resting
    if standing.tried:
        return "already tried"
    return None


@dataclass(frozen=True, slots=True)
class DailySpan:
    start: time
    end: time


@dataclass(frozen=True, slots=True)
class HoursRule:
    """When messages may arrive, in the member's own time."""

    quiet: DailySpan
    marketing: DailySpan | None = None  # of this channel


def may_send_from(
    now: datetime, zone: ZoneInfo, rule: HoursRule, topic_class: TopicClass, last_act_at: datetime | None
) -> datetime:
    """`now`, or the first later moment the hours allow. An act far ahead of us says nothing: a clock was set back."""
    just_acted = last_act_at is not None and abs(now - last_act_at) <= REPLY_WINDOW
    if topic_class is TopicClass.SERVICE and just_acted:
        return now
    allowed = rule.marketing if topic_class is TopicClass.MARKETING else None
    quiet = (rule.quiet.start, rule.quiet.end)
    return next_allowed(now, zone, quiet, (allowed.start, allowed.end) if allowed else None)


@dataclass(frozen=True, slots=True)
class CapRule:
    count: int
    within: timedelta


def over_cap(rules: Sequence[CapRule], intents: Sequence[datetime], now: datetime) -> str | None:
    """Which cap one more message would break. `intents`: when earlier messages under the same cap were committed."""
    for rule in rules:
        taken = sum(1 for at in intents if at > now - rule.within)
        if taken >= rule.count:
            return f"frequency cap: {taken} in {format_duration(rule.within)}, {rule.count} allowed"
    return None
