"""What becomes of one claimed message now: facts loaded for the batch, gates, ranking, hours, caps. It sends nothing.

The same judgement is made twice: when a message is claimed, to choose its channel, and inside the intent's transaction,
where it may no longer change its mind about the channel, only about sending.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection

from engage.channels.contract import Contact, NoWay, Way
from engage.content.template import Template
from engage.core.advance import Purpose
from engage.core.catalog import TopicClass
from engage.core.choose import Candidate, choose
from engage.core.delivery import Status
from engage.core.eligibility import CapRule, DailySpan, HoursRule, Standing, may_send_from, over_cap, refusal
from engage.core.journey.model import Ask, Send, Unless
from engage.core.quiet import zone_of
from engage.core.reply import CORRECTION_WINDOW
from engage.runtime.advance import ends
from engage.runtime.applied import Active, Applied
from engage.runtime.context import Context
from engage.runtime.follow_up import policy_of, step_of
from engage.runtime.membership import window_of
from engage.store import advancing, dispatching, members, state
from engage.store.dispatching import Claimed, Hop, Spent
from engage.store.members import PointRow, Profile

# Answers to the member's own act: no grant, no cap, no quiet hours; they are waiting for it.
_REPLIES = frozenset({Purpose.COMMENT, Purpose.CONFIRM})
_PAUSED_FOR = timedelta(minutes=1)
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


@dataclass
class Judge:
    """Loaded once for a batch, then asked for each message in it, the most important first."""

    context: Context
    applied: Applied
    now: datetime
    profiles: Mapping[int, Profile]
    points: Mapping[tuple[int, str], PointRow]
    consents: Mapping[tuple[int, str, str], bool]
    suppressed: Mapping[tuple[str, str], str]
    resting: Mapping[str, datetime]
    paused: frozenset[str]
    hops: Mapping[str, list[Hop]]
    taken_up: set[str]
    arrived: set[str]
    runs: Mapping[int, Any]
    in_conversation: set[int]  # runs whose question the member has answered within a day: what follows is a reply
    ended: Mapping[int, str]
    passed_over: set[int]
    spent: dict[int, list[Spent]]

    @classmethod
    def load(cls, context: Context, connection: Connection, applied: Applied, batch: Sequence[Claimed]) -> Judge:
        now = context.clock.now()
        refs = sorted({claimed.member for claimed in batch})
        points = members.contact_points(connection, refs)
        addresses = [(channel, point["address"]) for (_, channel), point in points.items()]
        runs = dispatching.enrolments_of(connection, batch)
        ended, passed_over = _looked_again(connection, applied, batch, now)
        longest = max((cap.within for caps in context.policy.caps.values() for cap in caps), default=timedelta(0))
        return cls(
            context=context,
            applied=applied,
            now=now,
            profiles=members.profiles(connection, applied.catalog, refs, now),
            points=points,
            consents=members.consents(connection, refs),
            suppressed=members.suppressions(connection, addresses),
            resting=resting_channels(connection, context, now),
            paused=state.paused(connection),
            hops=dispatching.earlier_hops(connection, batch),
            taken_up=dispatching.taken_up(connection, batch),
            arrived=dispatching.arrived(connection, batch),
            runs=runs,
            in_conversation=advancing.answered_since(connection, list(runs), now - CORRECTION_WINDOW),
            ended=ended,
            passed_over=passed_over,
            spent=dispatching.recent_messages(connection, refs, now - longest),
        )

    def judge(self, claimed: Claimed) -> Verdict:
        """Which channel, or why not now, or why not at all."""
        found = step_of(self.applied, claimed.journey_id, claimed.step_id)
        stopped = self._stopped(claimed, found[1] if found is not None else None)
        if stopped is not None:
            return stopped
        if claimed.late_at is not None and self.now > claimed.late_at:
            return Skip("late: its time has passed")
        over = self._over_cap(claimed)
        if over is not None:
            return Skip(over)
        return self._choose(claimed, found)

    def confirm(self, claimed: Claimed, clear: Clear) -> Verdict:
        """Judge again, inside the intent's transaction: only the channel chosen before will do."""
        verdict = self.judge(claimed)
        if isinstance(verdict, Clear) and verdict.channel != clear.channel:
            return Later(self.now, "the channel it was worded for is no longer the best")
        return verdict

    def reserve(self, claimed: Claimed, clear: Clear) -> None:
        """The next messages of this batch see what this one has taken: the cap, and the reply window's count."""
        self.spent.setdefault(claimed.member.id, []).append(Spent(claimed.key, claimed.topic, self.now))
        if clear.way.uses_window:
            point = dict(self.points[claimed.member.id, clear.channel])
            point["window_used"] += 1
            self.points = {**self.points, (claimed.member.id, clear.channel): point}

    # --- is it still wanted? ------------------------------------------------------------------------------------

    def _stopped(self, claimed: Claimed, step: Send | Ask | None) -> Later | Skip | Overtaken | None:
        scopes = {state.ALL, f"journey:{claimed.journey_id}"}
        if self.paused & scopes:
            return Later(self.now + _PAUSED_FOR, "paused")
        if claimed.enrolment_id is None:
            return None
        if step is None:
            return Overtaken("the applied journey has no such step any more")
        if claimed.enrolment_id in self.ended:
            return Overtaken(f"the run ends: {self.ended[claimed.enrolment_id]}")
        if claimed.id in self.passed_over:
            return Skip("only_if does not hold any more")
        return self._follow_up_stopped(claimed, step)

    def _follow_up_stopped(self, claimed: Claimed, step: Send | Ask) -> Overtaken | None:
        """Reminders and fallbacks, which run beside the journey: only while nothing has come of the message."""
        run = self.runs.get(claimed.enrolment_id or 0)
        if claimed.purpose is Purpose.COMMENT or claimed.hop == 0 or run is None:
            return None
        if run.status != "live":
            return Overtaken("the run has ended")
        if claimed.purpose in (Purpose.ASK, Purpose.REMIND) and run.step_id != claimed.step_id:
            return Overtaken("the question is closed")
        if claimed.key in self.taken_up:
            return Overtaken("the member has responded")
        fallback = policy_of(self.applied.journeys[claimed.journey_id or ""].journey, step).fallback
        until_delivered = fallback is not None and fallback.unless is Unless.DELIVERED
        if until_delivered and claimed.key in self.arrived:
            return Overtaken("it was delivered")
        if any(hop.status in (Status.AMBIGUOUS, Status.SENDING) for hop in self.hops.get(claimed.key, [])):
            return Overtaken("an earlier attempt is ambiguous: it may have arrived")
        return None

    # --- caps ---------------------------------------------------------------------------------------------------

    def _over_cap(self, claimed: Claimed) -> str | None:
        """A fallback or a reminder is the same message; a reply to the member uses no cap."""
        if claimed.purpose in _REPLIES or claimed.enrolment_id in self.in_conversation:
            return None
        cap = self._cap_of(claimed.topic)
        rules = [CapRule(rule.count, rule.within) for rule in self.context.policy.caps.get(cap or "", [])]
        spent = self.spent.get(claimed.member.id, [])
        earlier = [s.at for s in spent if s.key != claimed.key and self._cap_of(s.topic) == cap]
        return over_cap(rules, earlier, self.now)

    def _cap_of(self, topic: str) -> str | None:
        """A topic's own row; topics of the marketing class without one share the row `marketing`."""
        if topic in self.context.policy.caps:
            return topic
        return "marketing" if self.applied.topic_class(topic) is TopicClass.MARKETING else None

    # --- the channel --------------------------------------------------------------------------------------------

    def _choose(self, claimed: Claimed, found: tuple[Active, Send | Ask] | None) -> Verdict:
        is_reply = claimed.purpose in _REPLIES
        topic_class = TopicClass.SERVICE if is_reply else self.applied.topic_class(claimed.topic)
        order = self._order(claimed, found)
        options = {name: self._option(claimed, found, name, topic_class, is_reply) for name in self.context.channels}
        choice = choose([o.candidate for o in options.values()], order, self.context.policy.response_value)
        if not choice.channels:
            return self._nothing_open(claimed, options, choice.trace, order)
        best = options[choice.channels[0]]
        send_from = self._send_from(claimed, best.candidate.channel, topic_class)
        if send_from > self.now:
            return Later(send_from, "outside sending hours", choice.trace)
        if best.template is None or best.way is None or best.address is None:
            raise AssertionError("an open channel has a template, a way and an address")
        return Clear(best.template, best.candidate.channel, best.address, best.way, choice.trace)

    def _order(self, claimed: Claimed, found: tuple[Active, Send | Ask] | None) -> tuple[str, ...] | None:
        if claimed.purpose in _REPLIES and claimed.channel is not None:
            return (claimed.channel,)
        return policy_of(found[0].journey, found[1]).order if found is not None else None

    def _nothing_open(
        self,
        claimed: Claimed,
        options: Mapping[str, _Option],
        trace: tuple[Mapping[str, Any], ...],
        order: tuple[str, ...] | None,
    ) -> Later | Skip:
        """If only a provider's trouble is in the way, wait for it; else the message is not sent."""
        waiting = [o.resting_until for name, o in options.items() if order is None or name in order]
        until = min((moment for moment in waiting if moment is not None), default=None)
        if until is not None:
            return Later(until, "provider is out of order", trace)
        tried = any(hop.channel is not None for hop in self.hops.get(claimed.key, []))
        return Skip("no channel left to fall back to" if tried else "no channel can be used", trace)

    def _send_from(self, claimed: Claimed, channel: str, topic_class: TopicClass) -> datetime:
        if claimed.purpose in _REPLIES:
            return self.now
        profile = self.profiles.get(claimed.member.id)
        zone = zone_of(profile.timezone if profile is not None else None, self.applied.catalog.timezone)
        policy = self.context.policy
        marketing = policy.marketing_hours.get(channel)
        rule = HoursRule(
            DailySpan(policy.quiet_hours.start, policy.quiet_hours.end),
            DailySpan(marketing.start, marketing.end) if marketing is not None else None,
        )
        return may_send_from(self.now, zone, rule, topic_class, self._last_act(claimed))

    def _last_act(self, claimed: Claimed) -> datetime | None:
        acts = [p["last_inbound_at"] for (member_id, _), p in self.points.items() if member_id == claimed.member.id]
        return max((at for at in acts if at is not None), default=None)

    def _option(
        self,
        claimed: Claimed,
        found: tuple[Active, Send | Ask] | None,
        channel: str,
        topic_class: TopicClass,
        is_reply: bool,
    ) -> _Option:
        point = self.points.get((claimed.member.id, channel))
        template = self._template(claimed, found, channel)
        way: Way | NoWay | None = None
        if point is not None and template is not None:
            contact = Contact(point["address"], window_of(point))
            way = self.context.channels[channel].way(template.front, contact, topic_class, self.now)
        standing = Standing(
            channel=channel,
            has_template=template is not None,
            address=point["address"] if point is not None else None,
            status=point["status"] if point is not None else "active",
            suppressed=self.suppressed.get((channel, point["address"])) if point is not None else None,
            consent=self.consents.get((claimed.member.id, claimed.topic, channel)),
            closed=way.why if isinstance(way, NoWay) else None,
            resting_until=self.resting.get(channel),
            tried=self._tried(claimed, channel),
        )
        shut = refusal(standing, claimed.topic, topic_class, is_reply=is_reply)
        if shut is None and f"channel:{channel}" in self.paused:
            shut = "channel is paused"
        open_way = way if isinstance(way, Way) else None
        candidate = Candidate(
            channel,
            shut,
            open_way.why if open_way is not None else "",
            open_way.price if open_way is not None else _NOTHING,
            self.context.policy.engagement.get(channel, _NOTHING),
        )
        only_resting = shut == "provider is out of order"
        return _Option(
            candidate, template, open_way, standing.address, standing.resting_until if only_resting else None
        )

    def _tried(self, claimed: Claimed, channel: str) -> bool:
        """Each channel once; a reminder may use the same one again if the member has no other."""
        before = [hop.channel for hop in self.hops.get(claimed.key, []) if hop.channel is not None]
        if claimed.purpose is not Purpose.REMIND:
            return channel in before
        others = {name for (member_id, name) in self.points if member_id == claimed.member.id} - set(before)
        return channel in before and bool(others)

    def _template(self, claimed: Claimed, found: tuple[Active, Send | Ask] | None, channel: str) -> Template | None:
        library = self.applied.library
        if claimed.purpose in _REPLIES:
            return library.find(claimed.template, channel)
        if found is None:
            return None
        active, step = found
        if isinstance(step, Ask):
            return library.for_ask(step.id, step.survey, channel)
        return library.for_send(step, active.journey, channel)


@dataclass(frozen=True, slots=True)
class _Option:
    candidate: Candidate
    template: Template | None
    way: Way | None
    address: str | None
    resting_until: datetime | None


def resting_channels(connection: Connection, context: Context, now: datetime) -> dict[str, datetime]:
    """Channels left alone until a moment, because their provider is out of order."""
    until = {name: state.get(connection, f"resting:{name}") for name in context.channels}
    moments = {name: datetime.fromisoformat(value) for name, value in until.items() if value is not None}
    return {name: moment for name, moment in moments.items() if moment > now}


def _looked_again(
    connection: Connection, applied: Applied, batch: Sequence[Claimed], now: datetime
) -> tuple[dict[int, str], set[int]]:
    """Goal, exit and `only_if` once more: ended runs with the reason, and messages whose `only_if` holds no more. Runs
    that came to their natural end are asked, too: their last message may still wait for the morning."""
    by_run = {c.enrolment_id: c for c in batch if c.enrolment_id is not None}
    runs = advancing.runs_by_id(connection, [(c.member.bucket, i) for i, c in by_run.items()])
    ended: dict[int, str] = {}
    passed_over: set[int] = set()
    for journey_id in {run.journey_id for run in runs}:
        active = applied.journeys.get(journey_id)
        if active is None:
            continue
        group = [run for run in runs if run.journey_id == journey_id]
        ended |= {i: reason for i, (_, reason, _) in ends(connection, applied, active, group, now).items()}
        passed_over |= _not_holding(connection, applied, active, batch, group, now)
    return ended, passed_over


def _not_holding(
    connection: Connection,
    applied: Applied,
    active: Active,
    batch: Sequence[Claimed],
    group: Sequence[advancing.RunRow],
    now: datetime,
) -> set[int]:
    ids = {run.id for run in group}
    gone: set[int] = set()
    for step_id in {c.step_id for c in batch if c.enrolment_id in ids and c.step_id in active.program.ids}:
        condition = active.program.step(step_id or "").only_if
        if condition is None:
            continue
        asked = [c for c in batch if c.step_id == step_id and c.enrolment_id in ids]
        runs = [run for run in group if run.id in {c.enrolment_id for c in asked}]
        holding = advancing.holding(connection, applied.catalog, [condition], runs, now)
        gone |= {c.id for c in asked if not holding.get(c.enrolment_id or 0, (True,))[0]}
    return gone
