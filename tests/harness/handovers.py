"""The promise about handovers: one for each message, a repeat only under shelter, another channel only where asked."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from engage.core.delivery import Status
from engage.core.fact import Arrival, Clicked, Receipt
from tests.harness.outside import Told
from tests.harness.project import FALLS_BACK_AFTER, REPEATED, journey_of
from tests.harness.promised import DEDUPED_FOR, LEASE, MOST_REPEATS, ON_THE_WAY, REPEAT_PAUSE
from tests.harness.truth import Call, Saying
from tests.harness.world import Life

_MOST = {"booking": 1 + MOST_REPEATS, "nps": 2, "nag": 2}
"""Handovers of one saying on one channel; the others have one. `nps` is put and asked again, `nag` has two visits."""


def handed_over_once(life: Life) -> Iterator[str]:
    calls_of = by_delivery(life)
    reached = [
        c for c in life.truth.calls if c.reached and not _is_excused(life, _unsure(calls_of[c.about or 0])[:1], c)
    ]
    counted = Counter((c.channel, c.saying) for c in reached if c.saying.message != "confirm")
    for (channel, saying), times in counted.items():
        if times > _MOST.get(saying.message, 1):
            yield f"{saying} reached {channel} {times} times"
    handed_over = Counter(c.about for c in reached if c.about is not None)
    for delivery_id, times in handed_over.items():
        if times > 1 and _template(life, delivery_id) not in REPEATED:
            yield f"delivery {delivery_id} was handed over {times} times"


def _is_excused(life: Life, first: Sequence[Call], call: Call) -> bool:
    """By a clock that was set back to soon after the first call, nobody can tell how old that is: the one thing that
    `docs/promise.md` excepts."""
    if not first or first[0] is call or call.key is None or not life.set_back:
        return False
    return timedelta(0) <= call.clock - first[0].clock < DEDUPED_FOR


def repeated_only_under_shelter(life: Life) -> Iterator[str]:
    """After a call whose outcome nobody knows, none is made but where the provider's key or the step allows it; and
    then with the same bytes."""
    for calls in by_delivery(life).values():
        first = calls[0]
        for before, call in pairwise(calls):
            if before.answer == "refused" and before is first:
                first = call  # surely not sent: whatever comes next is the first
                continue
            what = f"{call.saying} on {call.channel} at {call.began:%d %H:%M:%S}"
            if call.digest != first.digest:
                yield f"{what} was repeated with other bytes"
            if _is_excused(life, [first], call):
                continue
            if call.key is None and call.clock - before.clock < REPEAT_PAUSE - ON_THE_WAY and not life.jumps:
                yield f"{what} was repeated {call.clock - before.clock} after the call before"
            if not _is_sheltered(first, call) and call.saying.message not in REPEATED:
                yield f"{what} was repeated without shelter, {call.began - first.began} after {first.answer}"


def repeated_as_often_as_asked(life: Life) -> Iterator[str]:
    """After the first call of which it is not on record that it was refused: under the provider's key while that is
    known, and else as often as the step says."""
    for calls in by_delivery(life).values():
        first, repeats = _unsure(calls)[:1], _unsure(calls)[1:]
        unsheltered = [c for c in repeats if not _is_sheltered(first[0], c) and not _is_excused(life, first, c)]
        if len(unsheltered) > (MOST_REPEATS if calls[0].saying.message in REPEATED else 0):
            yield f"{calls[0].saying} on {calls[0].channel} was repeated {len(unsheltered)} times"


def _unsure(calls: Sequence[Call]) -> Sequence[Call]:
    """From the first on of which it is not on record that it was refused."""
    return calls[next((number for number, call in enumerate(calls) if not _is_known_refused(call)), len(calls)) :]


def _is_known_refused(call: Call) -> bool:
    return call.answer == "refused" and call.noted is not None


def _is_sheltered(first: Call, call: Call) -> bool:
    return call.key is not None and call.began - first.began < DEDUPED_FOR


def never_again_once_known(life: Life) -> Iterator[str]:
    """A call that was accepted, and recorded while the lease lasted, is the last; and so is one of which a receipt has
    been read."""
    for calls in by_delivery(life).values():
        for before, call in pairwise(calls):
            if before.answer == "accepted" and noted_in_time(before) and not life.jumps:
                yield f"{call.saying} on {call.channel} was called again after it had been accepted"
        for told, at in life.log.read():
            late = [call for call in calls if call.began > at + ON_THE_WAY]
            if late and isinstance(told.fact, Receipt) and is_about(told, late[0]):
                yield f"{late[0].saying} on {late[0].channel} was called again after {told.fact.arrival} had been told"


def known_is_recorded(life: Life) -> Iterator[str]:
    """What was accepted, and noted while the lease lasted, does not count as unknown."""
    for calls in by_delivery(life).values():
        row = life.delivery(calls[0].about)
        known = [call for call in calls if call.answer == "accepted" and noted_in_time(call)]
        if known and row.status != Status.SENT and not life.jumps:
            yield f"delivery {row.id} is {row.status}, though {known[0].saying} was accepted on {known[0].channel}"


def another_channel_only_where_asked(life: Life) -> Iterator[str]:
    """`promo` has a fallback, `nps` a reminder. A fallback is a repeat: not while the first may have arrived."""
    by_saying: dict[Saying, list[Call]] = defaultdict(list)
    for call in life.truth.calls:
        by_saying[call.saying].append(call)
    for saying, calls in by_saying.items():
        if saying.message in ("nps", "confirm"):
            continue
        if journey_of(saying.message) != "promo" and len({c.channel for c in calls if c.reached}) > 1:
            yield f"{saying} reached {sorted({c.channel for c in calls if c.reached})}, and nobody asked for that"
        for number, call in enumerate(calls):
            for before in calls[:number]:
                if before.channel == call.channel:
                    continue
                if not _is_known(life, before, by=call.began):
                    yield f"{saying} went to {call.channel} while {before.channel} was ambiguous"
                if _was_clicked(life, before, by=call.began - ON_THE_WAY):
                    yield f"{saying} went to {call.channel} after a click on {before.channel}"
                if before.taken and not _has_waited(life, before, call):
                    yield f"{saying} went to {call.channel} {call.began - before.began} after {before.channel}"


def _has_waited(life: Life, before: Call, call: Call) -> bool:
    """As long as the journey says, unless the first is known not to have arrived."""
    bounced = any(
        isinstance(told.fact, Receipt) and told.fact.arrival is Arrival.BOUNCED and is_about(told, before)
        for told, at in life.log.read()
        if at <= call.began
    )
    return bounced or bool(life.jumps) or call.began - before.began > FALLS_BACK_AFTER - ON_THE_WAY


def _is_known(life: Life, call: Call, by: datetime) -> bool:
    if call.answer == "refused":
        return True
    told = any(is_about(told, call) and at <= by for told, at in life.log.read())
    if call.answer == "accepted":
        row = life.delivery(call.about)
        return told or row is None or row.status != Status.AMBIGUOUS
    later = [c for c in life.truth.calls if c.about == call.about and call.began < c.began <= by]
    return told or (call.about is not None and any(c.answer == "accepted" for c in later))


def _was_clicked(life: Life, call: Call, by: datetime) -> bool:
    return any(isinstance(told.fact, Clicked) and is_about(told, call) and at <= by for told, at in life.log.read())


# --- reading ----------------------------------------------------------------------------------------------------


def by_delivery(life: Life) -> dict[int, list[Call]]:
    found: dict[int, list[Call]] = defaultdict(list)
    for call in life.truth.calls:
        if call.about is not None:
            found[call.about].append(call)
    return found


def noted_in_time(call: Call) -> bool:
    """Whoever called has committed what it was told, while nobody else could have taken the message up."""
    return call.noted is not None and call.noted - call.began < LEASE / 2


def is_about(told: Told, call: Call) -> bool:
    match told.fact:
        case Receipt(channel=channel, delivery_id=int(delivery_id)):
            return (channel, delivery_id) == (call.channel, call.delivery_id)
        case Receipt(channel=channel, provider_id=str(provider_id)):
            return (channel, provider_id) == (call.channel, call.provider_id)
        case Clicked(delivery_id=delivery_id):
            return bool(delivery_id == call.delivery_id)
        case _:
            return False


def _template(life: Life, delivery_id: int | None) -> str | None:
    row = life.delivery(delivery_id)
    return row.template if row is not None else None
