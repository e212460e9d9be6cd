"""The promise, read from what is left of a world: the providers' truth, the log of what was said, the final tables.

No rule trusts one of the three alone, and none asks the engine. What a message is, it says itself (`truth.Saying`).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from engage.core.delivery import Status
from engage.core.fact import Arrival, Clicked, Fact, Followed, Happened, OptedOut, Receipt, Typed, Unfollowed
from tests.harness.cast import BY_CANARY, PEOPLE, Person
from tests.harness.grounds import CAPS, LIMITS
from tests.harness.handovers import (
    another_channel_only_where_asked,
    handed_over_once,
    known_is_recorded,
    never_again_once_known,
    repeated_as_often_as_asked,
    repeated_only_under_shelter,
)
from tests.harness.outside import Told
from tests.harness.project import CONVERSATION, MARKETING, SERVICE, journey_of
from tests.harness.promised import ON_THE_WAY, WIRE_DEADLINE
from tests.harness.refusals import (
    channels_rest_when_told,
    given_up_after_six,
    nothing_to_a_dead_address,
    only_in_an_open_window,
    refused_is_not_forgotten,
    tried_again_with_patience,
)
from tests.harness.runs import (
    answered_is_not_reminded,
    every_run_ends,
    nobody_is_lost,
    not_too_late,
    nothing_is_left_out,
    only_while_it_holds,
)
from tests.harness.truth import Call, Saying
from tests.harness.world import Life

Rule = Callable[[Life], Iterator[str]]


def violations(life: Life) -> list[str]:
    return [f"{rule.__name__}: {what}" for rule in RULES for what in rule(life)]


def only_what_befell_it_went_wrong(life: Life) -> Iterator[str]:
    yield from life.complaints


# --- consent, pause, stop ---------------------------------------------------------------------------------------


def nothing_after_a_no(life: Life) -> Iterator[str]:
    for told, at in life.log.read():
        match told.fact:
            case OptedOut(channel=channel, address=str(address), topic=topic):
                covered = _TOPICS[topic]
            case Typed(channel=channel, address=address, text="TD"):
                covered = _TOPICS[None]
            case Unfollowed(channel=channel, address=address):
                covered = MARKETING | SERVICE | {"nps", "why", "glad", "confirm"}
            case _:
                continue
        until = _follows_again(life, told.fact, at)
        for call in life.truth.calls:
            to_them = call.channel == channel and address.endswith(call.address)
            late = at + ON_THE_WAY < call.began < until
            if to_them and late and call.saying.message in covered:
                word = type(told.fact).__name__
                yield f"{call.saying} on {channel} at {call.began:%d %H:%M:%S}, after {word} at {at:%d %H:%M:%S}"


_TOPICS = {"survey": {"nps", "why", "glad"}, "marketing": MARKETING, None: MARKETING | {"nps", "why", "glad"}}


def _follows_again(life: Life, no: Fact, read: datetime) -> datetime:
    """When it was read that they follow since: callbacks come late and out of order, and each tells its moment."""
    if not isinstance(no, Unfollowed):
        return _NEVER
    follows = [(each.fact, then) for each, then in life.log.read() if isinstance(each.fact, Followed)]
    theirs = [(fact, then) for fact, then in follows if fact.address == no.address]
    return min((then for fact, then in theirs if _is_since((fact.at, then), (no.at, read))), default=_NEVER)


def _is_since(followed: tuple[datetime, datetime], left: tuple[datetime, datetime]) -> bool:
    """Each happened, and was read. Moments are whole seconds: within one, what was read later counts; and of what was
    read at once nobody can tell."""
    second, second_left = (at.replace(microsecond=0) for at, _ in (followed, left))
    return (second, followed[1]) >= (second_left, left[1])


def nothing_while_paused(life: Life) -> Iterator[str]:
    for pause in life.log.pauses:
        kind, _, name = pause.scope.partition(":")
        for call in life.truth.calls:
            concerned = {
                "all": True,
                "channel": call.channel == name,
                "journey": journey_of(call.saying.message) == name,
            }[kind]
            if concerned and pause.since + ON_THE_WAY < call.began < (pause.until or _NEVER):
                yield f"{call.saying} on {call.channel} at {call.began:%d %H:%M:%S}, while {pause.scope} was paused"


def nothing_after_the_end(life: Life) -> Iterator[str]:
    """A goal ends the runs it meets, an exit the run of its reference."""
    for told, at in life.log.read():
        match told.fact:
            case Happened(event="paid"):
                journey, refs = "promo", _refs(told, "promo")
            case Happened(event="refunded", payload=payload):
                journey, refs = "care", _refs(told, "care") & {payload["ref"]}
            case _:
                continue
        for call in life.truth.calls:
            theirs = BY_CANARY[call.saying.canary].ref == told.fact.member and call.saying.ref in refs
            if theirs and journey_of(call.saying.message) == journey and call.began > at + ON_THE_WAY:
                yield f"{call.saying} at {call.began:%d %H:%M:%S}, after {told.fact.event} at {at:%d %H:%M:%S}"


def _refs(told: Told, journey: str) -> set[str]:
    return {run.partition("/")[2] for run in told.live if run.startswith(f"{journey}/")}


# --- truth and tables -------------------------------------------------------------------------------------------


def sent_means_accepted(life: Life) -> Iterator[str]:
    taken = {c.delivery_id for c in life.truth.calls if c.taken} | {
        c.provider_id for c in life.truth.calls if c.taken and c.delivery_id is None
    }
    for row in life.tables["delivery"]:
        if row.status == Status.SENT and not taken & {row.id, row.provider_id} and row.purpose == "send":
            yield f"delivery {row.id} ({row.template}) counts as sent, and no provider took it"


def intended_before_the_call(life: Life) -> Iterator[str]:
    """When the call was made, its intent was committed, with these bytes; and no older than the deadline."""
    made: Counter[int | None] = Counter()
    for call in life.truth.calls:
        made[call.about] += 1
        row = call.committed
        what = f"{call.saying} on {call.channel} at {call.began:%d %H:%M:%S}"
        if row is None or row["status"] not in (Status.SENDING, Status.SENT, Status.AMBIGUOUS):
            yield f"{what}: no intent was committed ({row['status'] if row else 'no such delivery'})"
            continue
        if row["payload"] != call.wire or row["address"] is None or not row["address"].endswith(call.address):
            yield f"{what}: other bytes were intended"
        if row["attempts"] < made[call.about]:
            yield f"{what}: call {made[call.about]} of {row['attempts']} intents"
        made[call.about] -= call.is_of_the_account
        if call.intended is not None and call.began > call.intended + ON_THE_WAY:
            yield f"{what}: the intent was {call.began - call.intended} old, whatever the servers' clock showed"
        if call.clock > row["sent_at"] + WIRE_DEADLINE + timedelta(seconds=1):
            yield f"{what}: the intent was {call.clock - row['sent_at']} old"


def only_their_own_words(life: Life) -> Iterator[str]:
    """A member's canary goes to that member's address, and nobody else's comes along."""
    for call in life.truth.calls:
        canaries = {saying.canary for saying in call.sayings}
        person = BY_CANARY.get(min(canaries, default=""))
        if len(canaries) != 1 or person is None:
            yield f"{call.channel} to {call.address} carries {sorted(canaries)}"
        elif not person.addresses[call.channel].endswith(call.address):
            yield f"{person.canary} went to {call.address}"


def every_delivery_is_settled(life: Life) -> Iterator[str]:
    ended = {Status.SENT, Status.FAILED, Status.SKIPPED, Status.CANCELLED}
    for row in life.tables["delivery"]:
        if row.status == Status.AMBIGUOUS and (row.due_at is not None or not row.reason):
            yield f"delivery {row.id} is ambiguous, due {row.due_at}, because {row.reason}"
        elif row.status != Status.AMBIGUOUS and row.status not in ended:
            yield f"delivery {row.id} is still {row.status}, due {row.due_at}, {row.reason}"
        elif row.status in (Status.SKIPPED, Status.CANCELLED, Status.FAILED) and not row.reason:
            yield f"delivery {row.id} is {row.status} without a reason"
    hops: dict[str, list[int]] = defaultdict(list)
    for row in life.tables["delivery"]:
        hops[row.message_key].append(row.hop)
    for key, numbers in hops.items():
        if sorted(numbers) != list(range(len(numbers))):
            yield f"hops of {key}: {sorted(numbers)}"


def ambiguous_is_what_may_have_arrived(life: Life) -> Iterator[str]:
    """What was never intended surely did not; and what is on a phone has not failed."""
    reached = {call.about for call in life.truth.calls if call.reached}
    for row in life.tables["delivery"]:
        if row.status == Status.AMBIGUOUS and not row.attempts:
            yield f"delivery {row.id} is ambiguous, and nobody has ever meant to send it"
        if row.status == Status.FAILED and row.id in reached:
            yield f"delivery {row.id} counts as failed, and it is on a phone"


# --- caps, hours ------------------------------------------------------------------------------------------------


def never_more_than_the_cap(life: Life) -> Iterator[str]:
    """By the servers' clock, which may have been set back between two hops of a message."""
    for person in PEOPLE:
        first: dict[Saying, datetime] = {}
        for call in life.truth.calls:
            if call.reached and call.saying.canary == person.canary and call.saying.message in MARKETING:
                first[call.saying] = min(first.get(call.saying, call.clock), call.clock)
        for cap in CAPS["marketing"]:
            within = cap.within - 2 * ON_THE_WAY
            for at in first.values():
                inside = [s.message for s, then in first.items() if at - within < then <= at]
                if len(inside) > cap.count:
                    yield f"{person.canary} got {inside} within {cap.within}"


def never_over_a_last_limit(life: Life) -> Iterator[str]:
    """What no journey can talk its way past: so many to an address in an hour, but for those that were surely refused;
    so many calls on a channel in a minute."""
    (to_one,) = LIMITS.per_address
    first: dict[tuple[str, str], dict[int | None, datetime]] = defaultdict(dict)
    a_minute: Counter[tuple[str, str]] = Counter()
    for call in life.truth.calls:
        intended = call.committed["sent_at"] if call.committed is not None else None
        if intended is not None:
            if call.refused_for is None:
                first[call.channel, call.address].setdefault(call.about, intended)
            a_minute[call.channel, f"{intended:%d %H:%M}"] += 1
    for (channel, address), moments in first.items():
        for at in moments.values():
            inside = sum(at - to_one.within < then <= at for then in moments.values())
            if inside > to_one.count and not life.jumps:
                yield f"{inside} on {channel} to {address} in the hour before {at:%d %H:%M}"
    for (channel, minute), count in a_minute.items():
        if count > LIMITS.per_minute.get(channel, count):
            yield f"{count} calls on {channel} in the minute of {minute}"


def quiet_at_night(life: Life) -> Iterator[str]:
    for call in life.truth.calls:
        if call.saying.message in CONVERSATION | {"confirm"}:
            continue
        person = BY_CANARY[call.saying.canary]
        local = call.clock.astimezone(ZoneInfo(person.timezone)).time()
        marketing = call.saying.message in MARKETING
        ends = time(20, 31) if marketing and call.channel == "sms" else time(21, 1)
        if not time(9) <= local < ends and not (call.saying.message in SERVICE and _just_acted(life, person, call)):
            yield f"{call.saying} on {call.channel} at {local:%H:%M:%S} by their clock"


def _just_acted(life: Life, person: Person, call: Call) -> bool:
    acts = [each for each, _ in life.log.read() if isinstance(each.fact, Typed | Followed | Clicked)]
    return any(timedelta(minutes=-1) < call.clock - act.fact.at < timedelta(minutes=6) for act in acts)


# --- receipts, webhooks -----------------------------------------------------------------------------------------

_RANK = {None: 0, Arrival.DEFERRED: 1, Arrival.DELIVERED: 2, Arrival.BOUNCED: 3}


def receipts_commute(life: Life) -> Iterator[str]:
    """In whatever order they came, how often, how early: the furthest arrival stands, and an outcome that was not known
    is."""
    for row in life.tables["delivery"]:
        about = [
            told.fact.arrival
            for told, _ in life.log.read()
            if isinstance(told.fact, Receipt) and told.fact.channel == row.channel and _names(told.fact, row)
        ]
        furthest = max(about, key=_RANK.__getitem__, default=None)
        if row.arrival not in (furthest, max([*about, *_proven(life, row)], key=_RANK.__getitem__, default=None)):
            yield f"delivery {row.id}: {row.arrival}, though {furthest} was told"
        if about and row.status != Status.SENT:
            yield f"delivery {row.id}: {row.status}, though {furthest} was told"


def _proven(life: Life, row: Any) -> list[Arrival]:
    """A click, or words typed in answer, settle an outcome nobody knows: then it has arrived."""
    return [Arrival.DELIVERED] if any(_may_prove(told.fact, row) for told, _ in life.log.read()) else []


def _may_prove(fact: Fact, row: Any) -> bool:
    match fact:
        case Clicked(delivery_id=delivery_id):
            return bool(delivery_id == row.id)
        case Typed(channel=channel, address=address):
            return (channel, address) == (row.channel, row.address)
        case _:
            return False


def _names(receipt: Receipt, row: Any) -> bool:
    if receipt.delivery_id is not None:
        return bool(receipt.delivery_id == row.id)
    return receipt.provider_id is not None and bool(receipt.provider_id == row.provider_id)


def webhooks_repeat_themselves(life: Life) -> Iterator[str]:
    """At least once, under one key, with the same bytes; and whoever went past the step had its call made."""
    bodies: dict[str, set[str]] = defaultdict(set)
    for hook in life.truth.hooks:
        bodies[hook.key].add(hook.body)
    yield from (f"{key} came with {len(found)} bodies" for key, found in bodies.items() if len(found) > 1)
    ours = {row.key for row in life.tables["webhook_call"]}
    yield from (f"{key} is no key of ours" for key in bodies.keys() - ours)
    taken = {hook.key for hook in life.truth.hooks if hook.taken}
    for row in life.tables["webhook_call"]:
        if row.status == "done" and row.key not in taken:
            yield f"webhook call {row.id} is done, and nobody took it"
        if row.status == "open":
            yield f"webhook call {row.id} is still open"


# --- reading ----------------------------------------------------------------------------------------------------

_NEVER = datetime.max.replace(tzinfo=ZoneInfo("UTC"))


RULES: Sequence[Rule] = (
    only_what_befell_it_went_wrong,
    handed_over_once,
    repeated_only_under_shelter,
    repeated_as_often_as_asked,
    never_again_once_known,
    known_is_recorded,
    another_channel_only_where_asked,
    nothing_after_a_no,
    nothing_while_paused,
    nothing_after_the_end,
    only_while_it_holds,
    not_too_late,
    answered_is_not_reminded,
    sent_means_accepted,
    intended_before_the_call,
    only_their_own_words,
    every_delivery_is_settled,
    every_run_ends,
    nobody_is_lost,
    nothing_is_left_out,
    ambiguous_is_what_may_have_arrived,
    refused_is_not_forgotten,
    given_up_after_six,
    tried_again_with_patience,
    channels_rest_when_told,
    nothing_to_a_dead_address,
    only_in_an_open_window,
    never_more_than_the_cap,
    never_over_a_last_limit,
    quiet_at_night,
    receipts_commute,
    webhooks_repeat_themselves,
)
