"""Queries about what members were asked: which questions were open to them when they wrote, what messages had offered,
and what was answered. For many at once, each as of the moment they wrote."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, and_, bindparam, func, or_, select

from engage.core.reply import CORRECTION_WINDOW, Offer
from engage.core.turn import Purpose
from engage.store.databases.dialects import beside_index
from engage.store.members import MemberRef, given_refs
from engage.store.receiving import COLUMNS, MAY_HAVE_ARRIVED, DeliveryRow, delivery_row
from engage.store.statements.ids import take_ids
from engage.store.statements.keys import given_keys, in_given_keys
from engage.store.statements.rows import add_rows, change_rows
from engage.store.tables import Instant, answer, delivery, enrolment

A = answer.c
D = delivery.c
E = enrolment.c
# A menu word is taken as meant for the message that offered it this long: as long as WeChat lets us reply to it.
OFFER_FOR = timedelta(hours=48)


@dataclass(frozen=True, slots=True)
class Wrote:
    """Somebody wrote: what was open to them there and then?"""

    member: MemberRef
    channel: str
    at: datetime


def _given_writers(wrote: Sequence[Wrote]) -> dict[str, Any]:
    return given_refs({each.member for each in wrote}) | {"channels": sorted({each.channel for each in wrote})}


# Messages to these members on the channels they wrote on, which have millions: more than each may have meant.
_REACHED = and_(
    in_given_keys(delivery, "member_id"),
    beside_index(D.channel).in_(bindparam("channels", expanding=True)),
    D.first_sent_at.is_not(None),
    D.status.in_(MAY_HAVE_ARRIVED),
)
_SINCE = bindparam("since", type_=Instant())


def _earliest(wrote: Sequence[Wrote]) -> datetime:
    return min(each.at for each in wrote)


def last_messages(connection: Connection, wrote: Sequence[Wrote], within: timedelta) -> list[DeliveryRow | None]:
    """For each, the newest message the member may be replying to, if it is not older than `within`."""
    if not wrote:
        return []
    newest: dict[tuple[MemberRef, str], DeliveryRow] = {}
    for row in connection.execute(_LATELY, _given_writers(wrote) | {"since": _earliest(wrote) - within}):
        newest.setdefault((MemberRef(row.bucket, row.member_id), row.channel), delivery_row(row))
    found = [newest.get((each.member, each.channel)) for each in wrote]
    return [
        row if row is not None and row.sent_at is not None and row.sent_at >= each.at - within else None
        for row, each in zip(found, wrote, strict=True)
    ]


_LATELY = select(*COLUMNS).where(_REACHED, D.sent_at >= _SINCE).order_by(D.sent_at.desc(), D.id.desc())


# --- open questions ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AskedRow:
    """A question that may still be answered, corrected or commented on this channel. `standing`: its run waits at it;
    else it went on, or ended, without an answer that has been read."""

    delivery: DeliveryRow
    asked_at: datetime
    began_at: datetime  # when the wait for the answer began
    standing: bool
    answered_at: datetime | None
    comment_at: datetime | None


def asked(connection: Connection, wrote: Sequence[Wrote]) -> list[list[AskedRow]]:
    """For each, questions as they were then, newest first, one for each ask however often it was put: answered lately,
    or unanswered while the run had not ended. Whether one that was left behind could still be answered, its deadline
    says."""
    if not wrote:
        return []
    by_place: dict[tuple[MemberRef, str], list[Any]] = defaultdict(list)
    earliest = _earliest(wrote)
    moments = {"then": earliest, "since": earliest - CORRECTION_WINDOW}
    for row in connection.execute(_EVER_OPEN_SINCE, _given_writers(wrote) | moments):
        by_place[MemberRef(row.bucket, row.member_id), row.channel].append(row)
    return [_open_to(each, by_place.get((each.member, each.channel), ())) for each in wrote]


def _ever_open_since() -> Any:
    of_run = and_(E.bucket == D.bucket, E.id == D.enrolment_id)
    given = and_(A.bucket == D.bucket, A.enrolment_id == D.enrolment_id, A.step_id == D.step_id, A.visit == D.visit)
    live = E.status == "live"
    standing = and_(live, E.step_id == D.step_id, E.visit == D.visit)
    open_then = and_(or_(live, E.ended_at > bindparam("then", type_=Instant())), A.id.is_(None))
    of_answer = (A.answered_at, A.comment_at)
    return (
        select(*COLUMNS, _first_queued(), live.label("live"), E.ended_at, standing.label("standing"), *of_answer)
        .join_from(delivery, enrolment, of_run)
        .outerjoin(answer, given)
        .where(_REACHED, D.purpose.in_([Purpose.ASK, Purpose.REMIND]), or_(open_then, A.answered_at >= _SINCE))
        .order_by(D.sent_at.desc(), D.id.desc())
    )


def _first_queued() -> Any:
    """When the ask of this delivery was first put, on whichever channel: the moment its run came to the step."""
    first = delivery.alias("first")
    f = first.c
    of_run = and_(f.bucket == D.bucket, f.enrolment_id == D.enrolment_id)
    same = and_(of_run, f.step_id == D.step_id, f.visit == D.visit)
    return select(func.min(f.queued_at)).where(same).correlate(delivery).scalar_subquery().label("began_at")


_EVER_OPEN_SINCE = _ever_open_since()


def _open_to(wrote: Wrote, rows: Iterable[Any]) -> list[AskedRow]:
    newest: dict[str, AskedRow] = {}
    for row in rows:
        if _may_answer(row, wrote.at) and row.message_key not in newest:
            newest[row.message_key] = AskedRow(
                delivery_row(row),
                row.sent_at or wrote.at,
                row.began_at,
                bool(row.standing),
                row.answered_at,
                row.comment_at,
            )
    return list(newest.values())


def _may_answer(row: Any, at: datetime) -> bool:
    if row.answered_at is not None:
        return bool(row.answered_at >= at - CORRECTION_WINDOW)
    return bool(row.live or (row.ended_at is not None and row.ended_at > at))


# --- offers -----------------------------------------------------------------------------------------------------


def offers(connection: Connection, wrote: Sequence[Wrote]) -> list[list[Offer]]:
    """For each, the messages that offer menu words, of the two days before."""
    if not wrote:
        return []
    rows = connection.execute(_OFFERS, _given_writers(wrote) | {"since": _earliest(wrote) - OFFER_FOR})
    made: dict[tuple[MemberRef, str], list[Offer]] = defaultdict(list)
    for i, bucket, member_id, channel, at, words in rows:
        if words:
            made[MemberRef(bucket, member_id), channel].append(Offer(i, at, tuple(words)))
    return [
        [offer for offer in made.get((each.member, each.channel), ()) if offer.at > each.at - OFFER_FOR]
        for each in wrote
    ]


_OFFERS = (
    select(D.id, D.bucket, D.member_id, D.channel, D.sent_at, D.offers)
    .where(_REACHED, D.sent_at > _SINCE, D.offers.is_not(None))
    .order_by(D.id)
)


# --- answers ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Given:
    """An answer as it came in. None leaves what is on file."""

    score: int | None = None
    choice: str | None = None
    comment: str | None = None
    typed: bool = False


@dataclass(frozen=True, slots=True)
class NewAnswer:
    """What was given, and the message that it answers."""

    row: DeliveryRow
    survey: str
    given: Given
    at: datetime


def put_answers(connection: Connection, answers: Sequence[NewAnswer]) -> list[bool]:
    """The first answer wins; within a day it may be corrected, and words may be added. One to each question at most.
    Says of each whether it counts: False if it came too late."""
    on_file = _on_file(connection, answers)
    known = [(new, on_file.get(_question(new.row))) for new in answers]
    _insert(connection, [new for new, current in known if current is None])
    counts = [current is None or new.at - current.answered_at <= CORRECTION_WINDOW for new, current in known]
    for (new, current), in_time in zip(known, counts, strict=True):
        if current is not None and in_time:
            _correct(connection, current, new)
    return counts


def _question(row: Any) -> tuple[int, str, int]:
    """Of a message, or of an answer."""
    return row.enrolment_id, row.step_id, row.visit


def _on_file(connection: Connection, answers: Sequence[NewAnswer]) -> dict[tuple[int, str, int], Any]:
    runs = {(new.row.member.bucket, run) for new in answers if (run := new.row.enrolment_id) is not None}
    return {_question(row): row for row in connection.execute(_ANSWERS, given_keys(runs))} if runs else {}


def _insert(connection: Connection, answers: Sequence[NewAnswer]) -> None:
    if answers:
        ids = take_ids(connection, "answer", len(answers))
        add_rows(connection, answer, [_answer_row(new, i) for new, i in zip(answers, ids, strict=True)])


_ANSWERS = select(answer).where(in_given_keys(answer, "enrolment_id"))


def _answer_row(new: NewAnswer, answer_id: int) -> Mapping[str, Any]:
    row, given = new.row, new.given
    return {
        "bucket": row.member.bucket,
        "id": answer_id,
        "member_id": row.member.id,
        "enrolment_id": row.enrolment_id,
        "journey_id": row.journey_id,
        "step_id": row.step_id,
        "visit": row.visit,
        "delivery_id": row.id,
        "survey": new.survey,
        "channel": row.channel,
        "typed": given.typed,
        "score": given.score,
        "choice": given.choice,
        "comment": given.comment,
        "answered_at": new.at,
        "comment_at": new.at if given.comment else None,
    }


def _correct(connection: Connection, current: Any, new: NewAnswer) -> None:
    changes = _changes(current, new.given, new.at)
    if changes:
        change_rows(connection, answer, [{"bucket": current.bucket, "id": current.id} | changes])


def _changes(current: Any, given: Given, at: datetime) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    if given.score is not None and given.score != current.score:
        changes |= {"score": given.score, "corrected_at": at}
    if given.choice is not None and given.choice != current.choice:
        changes |= {"choice": given.choice, "corrected_at": at}
    if given.comment:
        joined = given.comment if not current.comment else f"{current.comment}\n{given.comment}"
        changes |= {"comment": joined, "comment_at": current.comment_at or at}
    return changes
