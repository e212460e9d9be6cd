"""What becomes of one claimed message now: gates, ranking, hours, caps. It decides; it loads and sends nothing.

The same judgement is made twice: when a message is claimed, to choose its channel, and inside the intent's transaction,
where it may no longer change its mind about the channel, only about sending.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from engage.channels.contract import NoWay, Way
from engage.config import Policy
from engage.content.template import Template
from engage.core.catalog import TopicClass
from engage.core.choose import Candidate, choose
from engage.core.delivery import Status
from engage.core.eligibility import CapRule, DailySpan, HoursRule, Standing, may_send_from, over_cap, refusal
from engage.core.journey.model import Ask, Send, Unless
from engage.core.quiet import zone_of
from engage.core.turn import EndKind, Phase, Purpose
from engage.runtime.applied import Active, Applied
from engage.runtime.context import Context
from engage.runtime.dispatching.follow_up import fallback_of, policy_of, step_of
from engage.runtime.dispatching.situation import PAUSED_FOR, Resting, Situation
from engage.store import state
from engage.store.dispatching import Claimed

_NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class Clear:
    """Send it: this template, on this channel, in this way."""

    template: Template
    channel: str
    address: str
    way: Way
    trace: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Later:
    until: datetime
    why: str
    trace: tuple[Mapping[str, Any], ...] = ()
    channel: str | None = None  # the one it waits for, if that is why


@dataclass(frozen=True, slots=True)
class Skip:
    """A deliberate non-send, with its reason."""

    why: str
    trace: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Overtaken:
    """Nobody needs it any more."""

    why: str


Verdict = Clear | Later | Skip | Overtaken


class Judge:
    """Asked for each message of a batch, the most important first."""

    def __init__(self, context: Context, applied: Applied, situation: Situation) -> None:
        self._policy = context.policy
        self._channels = context.channels
        self._applied = applied
        self.situation = situation

    def judge(self, claimed: Claimed) -> Verdict:
        """Which channel, or why not now, or why not at all."""
        found = step_of(self._applied, claimed.journey_id, claimed.step_id, claimed.pinned_version)
        stopped = self._stopped(claimed, found[1] if found is not None else None)
        if stopped is not None:
            return stopped
        if claimed.late_at is not None and self.situation.now > claimed.late_at:
            return Skip("late: its time has passed")
        if claimed.unsheltered and self._applied.topic_class(claimed.topic) is not TopicClass.SERVICE:
            return Skip("only service messages are sent again")
        over = self._over_cap(claimed)
        if over is not None:
            return Skip(over)
        return self._choose(claimed, found)

    def confirm(self, claimed: Claimed, clear: Clear) -> Verdict:
        """Judge again, inside the intent's transaction: only the channel chosen before will do."""
        verdict = self.judge(claimed)
        if not isinstance(verdict, Clear) or (claimed.repeat and not claimed.unsheltered):
            return verdict
        worded_for = (clear.channel, clear.address, clear.way.mode)
        if (verdict.channel, verdict.address, verdict.way.mode) != worded_for:
            return Later(self.situation.now, "the way it was worded for is no longer the best")
        return verdict

    def reserve(self, claimed: Claimed, clear: Clear) -> None:
        """Take what the message needs, before the next one of the batch is judged."""
        self.situation.reserve(claimed, clear.channel, uses_window=clear.way.uses_window)

    # --- is it still wanted? ------------------------------------------------------------------------------------

    def _stopped(self, claimed: Claimed, step: Send | Ask | None) -> Later | Skip | Overtaken | None:
        if self.situation.paused & {*state.EVERYTHING, f"journey:{claimed.journey_id}"}:
            return Later(self.situation.now + PAUSED_FOR, "paused")
        if claimed.enrolment_id is None:
            return None
        if step is None:
            return Overtaken("the applied journey has no such step any more")
        if claimed.enrolment_id in self.situation.ended:
            return Overtaken(f"the run ends: {self.situation.ended[claimed.enrolment_id]}")
        if claimed.id in self.situation.passed_over:
            return Skip("only_if does not hold any more")
        return self._follow_up_stopped(claimed)

    def _follow_up_stopped(self, claimed: Claimed) -> Overtaken | None:
        """Reminders and fallbacks, which run beside the journey: only while nothing has come of the message."""
        run = self.situation.runs.get(claimed.enrolment_id or 0)
        if run is None:
            return None
        if claimed.purpose is Purpose.COMMENT:
            return self._prompt_stopped(claimed, run)
        if claimed.purpose in (Purpose.ASK, Purpose.REMIND) and not _stands_at(run, claimed):
            return Overtaken("the question is closed")
        if claimed.hop == 0:
            return None
        if run.status != "live" and run.end_kind != EndKind.COMPLETED:
            return Overtaken("the run has ended")
        if claimed.key in self.situation.going_out:
            return Overtaken("another hop of the same message goes out now")
        if self.situation.newest.get(run.id, claimed.key) != claimed.key:
            return Overtaken("overtaken by the next message")
        if claimed.key in self.situation.taken_up:
            return Overtaken("the member has responded")
        fallback = fallback_of(self._applied, claimed.journey_id, claimed.step_id, claimed.pinned_version)
        until_delivered = fallback is not None and fallback.unless is Unless.DELIVERED
        if until_delivered and claimed.key in self.situation.arrived:
            return Overtaken("it was delivered")
        if any(hop.status in (Status.AMBIGUOUS, Status.SENDING) for hop in self.situation.hops.get(claimed.key, [])):
            return Overtaken("an earlier attempt is ambiguous: it may have arrived")
        return None

    def _prompt_stopped(self, claimed: Claimed, run: Any) -> Overtaken | None:
        """The open question after a score: only while its ten minutes last, and never to somebody who has refused."""
        if not _stands_at(run, claimed) or run.phase != Phase.COMMENTING:
            return Overtaken("the time for words has passed")
        if self.situation.consents.get((claimed.member.id, claimed.topic, claimed.channel or "")) is False:
            return Overtaken("the member has refused")
        return None

    # --- caps ---------------------------------------------------------------------------------------------------

    def _over_cap(self, claimed: Claimed) -> str | None:
        """A fallback or a reminder is the same message; a reply to the member uses no cap."""
        if claimed.purpose.is_reply or claimed.enrolment_id in self.situation.in_conversation:
            return None
        cap = cap_of(self._policy, self._applied, claimed.topic)
        rules = [CapRule(rule.count, rule.within) for rule in self._policy.caps.get(cap or "", [])]
        spent = self.situation.spent.get(claimed.member.id, [])
        earlier = [s.at for s in spent if s.key != claimed.key and cap_of(self._policy, self._applied, s.topic) == cap]
        return over_cap(rules, earlier, self.situation.now)

    # --- the channel --------------------------------------------------------------------------------------------

    def _choose(self, claimed: Claimed, found: tuple[Active, Send | Ask] | None) -> Verdict:
        is_reply = claimed.purpose.is_reply
        topic_class = TopicClass.SERVICE if is_reply else self._applied.topic_class(claimed.topic)
        order = self._order(claimed, found)
        names = [name for name in self._channels if order is None or name in order]
        heeded = (True, False) if claimed.purpose is Purpose.REMIND else (True,)  # once more where it was, if need be
        for once_each in heeded:
            options = {name: self._option(claimed, found, name, topic_class, is_reply, once_each) for name in names}
            choice = choose([o.candidate for o in options.values()], order, self._policy.response_value)
            if choice.channels:
                break
        if not choice.channels:
            return self._nothing_open(claimed, options, choice.trace)
        best = options[choice.channels[0]]
        send_from = self._send_from(claimed, best.candidate.channel, topic_class)
        if send_from > self.situation.now:
            return Later(send_from, "outside sending hours", choice.trace)
        if best.template is None or best.way is None or best.address is None:
            raise AssertionError("an open channel has a template, a way and an address")
        return Clear(best.template, best.candidate.channel, best.address, best.way, choice.trace)

    def _order(self, claimed: Claimed, found: tuple[Active, Send | Ask] | None) -> tuple[str, ...] | None:
        if (claimed.purpose.is_reply or claimed.repeat) and claimed.channel is not None:
            return (claimed.channel,)
        return policy_of(found[0].journey, found[1]).order if found is not None else None

    def _nothing_open(
        self,
        claimed: Claimed,
        options: Mapping[str, _Option],
        trace: tuple[Mapping[str, Any], ...],
    ) -> Later | Skip:
        """If only a resting channel is in the way, wait for it; else the message is not sent."""
        waiting = [(name, o.resting) for name, o in options.items() if o.resting]
        if waiting:
            channel, soonest = min(waiting, key=lambda each: each[1].until)
            return Later(soonest.until, soonest.why, trace, channel)
        tried = self.situation.channels_tried(claimed.key)
        return Skip("no channel left to fall back to" if tried else "no channel can be used", trace)

    def _send_from(self, claimed: Claimed, channel: str, topic_class: TopicClass) -> datetime:
        if claimed.purpose.is_reply:
            return self.situation.now
        zone = zone_of(self.situation.zones.get(claimed.member.id), self._applied.catalog.timezone)
        policy = self._policy
        marketing = policy.marketing_hours.get(channel)
        rule = HoursRule(
            DailySpan(policy.quiet_hours.start, policy.quiet_hours.end),
            DailySpan(marketing.start, marketing.end) if marketing is not None else None,
        )
        return may_send_from(self.situation.now, zone, rule, topic_class, self.situation.last_act(claimed.member.id))

    def _option(
        self,
        claimed: Claimed,
        found: tuple[Active, Send | Ask] | None,
        channel: str,
        topic_class: TopicClass,
        is_reply: bool,
        once_each: bool,
    ) -> _Option:
        template = self._template(claimed, found, channel)
        way = self._way(claimed, template, channel, topic_class)
        resting = self.situation.resting.get(channel)
        tried = once_each and channel in self.situation.channels_tried(claimed.key)
        standing = self._standing(claimed, template, channel, way, tried=tried)
        shut = refusal(standing, claimed.topic, topic_class, is_reply=is_reply)
        open_way = way if isinstance(way, Way) else None
        candidate = Candidate(
            channel,
            shut,
            open_way.why if open_way is not None else "",
            open_way.price if open_way is not None else _NOTHING,
            self._policy.engagement.get(channel, _NOTHING),
        )
        only_resting = resting if resting is not None and shut == resting.why else None
        return _Option(candidate, template, open_way, standing.address, only_resting)

    def _way(
        self, claimed: Claimed, template: Template | None, channel: str, topic_class: TopicClass
    ) -> Way | NoWay | None:
        contact = self.situation.contact(claimed.member.id, channel)
        if contact is None or template is None:
            return None
        return self._channels[channel].way(template.front, contact, topic_class, self.situation.now)

    def _standing(
        self, claimed: Claimed, template: Template | None, channel: str, way: Way | NoWay | None, *, tried: bool
    ) -> Standing:
        point = self.situation.points.get((claimed.member.id, channel))
        resting = self.situation.resting.get(channel)
        return Standing(
            channel=channel,
            has_template=template is not None,
            address=point["address"] if point is not None else None,
            status=point["status"] if point is not None else "active",
            suppressed=self.situation.suppressed.get((channel, point["address"])) if point is not None else None,
            consent=self.situation.consents.get((claimed.member.id, claimed.topic, channel)),
            closed=way.why if isinstance(way, NoWay) else None,
            resting=resting.why if resting is not None else None,
            tried=tried,
        )

    def _template(self, claimed: Claimed, found: tuple[Active, Send | Ask] | None, channel: str) -> Template | None:
        library = self._applied.library
        if claimed.purpose.is_reply:
            return library.find(claimed.template, channel)
        if found is None:
            return None
        active, step = found
        if isinstance(step, Ask):
            return library.for_ask(step.id, step.survey, channel)
        return library.for_send(step, active.journey, channel)


def cap_of(policy: Policy, applied: Applied, topic: str) -> str | None:
    """The row of `policy.caps` a topic falls under: its own; topics of the marketing class without one share the row
    `marketing`."""
    if topic in policy.caps:
        return topic
    return "marketing" if applied.topic_class(topic) is TopicClass.MARKETING else None


def _stands_at(run: Any, claimed: Claimed) -> bool:
    return bool(run.status == "live" and run.step_id == claimed.step_id)


@dataclass(frozen=True, slots=True)
class _Option:
    candidate: Candidate
    template: Template | None
    way: Way | None
    address: str | None
    resting: Resting | None  # set if that alone is in the way
