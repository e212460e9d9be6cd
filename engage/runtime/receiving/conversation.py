"""Reading what members write: scores, choices, comments, opt-out words, and what only a person can answer.

Words are read as of the moment they were written: a record may wait here, and meanwhile its run may have gone on. They
are read a batch at a time, in which every member stands once: what they wrote may follow from what they wrote before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import assert_never

from engage.core.fact import Typed
from engage.core.journey.model import Ask
from engage.core.reply import (
    ChoiceGiven,
    CommentGiven,
    ForAPerson,
    MenuWord,
    Offer,
    OpenQuestion,
    OptOutWord,
    ScoreGiven,
    interpret,
)
from engage.runtime.batches import each_once
from engage.runtime.receiving import membership
from engage.runtime.receiving.answers import Answer, ask_of, take
from engage.runtime.receiving.membership import Heard, Refusal
from engage.runtime.receiving.reading import Reading
from engage.store import members, questions, receiving, tasks
from engage.store.events import NewEvent
from engage.store.inbound import Record
from engage.store.members import MemberRef
from engage.store.questions import AskedRow, Given, Wrote
from engage.store.receiving import DeliveryRow
from engage.store.tasks import NewTask

# A reply that answers nothing is shown with the message it most likely follows, if that is not older than this.
REPLIES_TO = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class _Words:
    """What a member wrote."""

    inbound_id: int
    fact: Typed
    member: MemberRef


def typed(reading: Reading, told: Sequence[tuple[Record, Typed]]) -> None:
    """Words in the chat or by SMS."""
    heard = [Heard(fact.channel, fact.address, fact.at, record.id) for record, fact in told]
    met = membership.met(reading, heard)
    said = [_Words(record.id, fact, ref) for (record, fact), ref in zip(told, met, strict=True)]
    for batch in each_once(said, lambda words: [words.member]):
        _read(reading, batch)


def _read(reading: Reading, batch: Sequence[_Words]) -> None:
    membership.all_acted(reading, [(w.member, w.fact.channel, w.fact.act, w.fact.at) for w in batch])
    meant = _understood(reading, batch)
    late = {answer.row.member for answer in take(reading, [m for _, m in meant if isinstance(m, Answer)])}
    offers = _offers_taken(reading, meant)
    follows = _what_they_follow(reading, [words for words, m in meant if isinstance(m, OptOutWord | ForAPerson)])
    for_a_person: list[tuple[_Words, DeliveryRow | None]] = []
    for words, meaning in meant:
        match meaning:
            case Answer(row=row):
                if words.member in late:
                    for_a_person.append((words, row))
            case OptOutWord():
                _opt_out(reading.of(words.inbound_id), words, follows[words.member])
            case MenuWord():
                for_a_person.append((words, offers.get(words.member)))
            case ForAPerson():
                for_a_person.append((words, follows[words.member]))
            case _:
                assert_never(meaning)
    _put_before_people(reading, for_a_person)


# --- what they mean ---------------------------------------------------------------------------------------------

_Asked = tuple[AskedRow, Ask]
_Meaning = Answer | OptOutWord | MenuWord | ForAPerson


def _understood(reading: Reading, batch: Sequence[_Words]) -> list[tuple[_Words, _Meaning]]:
    wrote = [Wrote(words.member, words.fact.channel, words.fact.at) for words in batch]
    asked = questions.asked(reading.connection, wrote)
    offers = questions.offers(reading.connection, wrote)
    return [
        (words, _meaning(words, _open_questions(reading, rows, words.fact.at), offered))
        for words, rows, offered in zip(batch, asked, offers, strict=True)
    ]


def _open_questions(reading: Reading, rows: Sequence[AskedRow], at: datetime) -> dict[int, _Asked]:
    """By the delivery that put them."""
    return {
        row.delivery.id: (row, ask)
        for row in rows
        if (ask := ask_of(reading, row.delivery)) is not None and _was_open(row, ask, at)
    }


def _was_open(asked: AskedRow, ask: Ask, at: datetime) -> bool:
    """An answer in time counts although its run, not knowing of it yet, has gone on in the meantime."""
    return asked.standing or asked.answered_at is not None or at < asked.began_at + ask.answer_within


def _meaning(words: _Words, asked: Mapping[int, _Asked], offers: Sequence[Offer]) -> _Meaning:
    fact = words.fact
    meaning = interpret(fact.text, [_question(*each) for each in asked.values()], offers, fact.at)
    match meaning:
        case ScoreGiven(delivery_id, score, comment):
            given = Given(score=score, comment=comment, typed=True)
        case ChoiceGiven(delivery_id, choice):
            given = Given(choice=choice, typed=True)
        case CommentGiven(delivery_id, comment):
            given = Given(comment=comment, typed=True)
        case OptOutWord() | MenuWord() | ForAPerson():
            return meaning
        case _:
            assert_never(meaning)
    row, ask = asked[delivery_id]
    return Answer(words.inbound_id, row.delivery, ask, given, fact.at, fact.text)


def _question(row: AskedRow, ask: Ask) -> OpenQuestion:
    return OpenQuestion(
        delivery_id=row.delivery.id,
        survey=ask.survey,
        asked_at=row.asked_at,
        options=ask.options,
        answered_at=row.answered_at,
        wants_comment=ask.comment is not None,
        has_comment=row.comment_at is not None,
    )


# --- which message they are about -------------------------------------------------------------------------------


def _offers_taken(reading: Reading, meant: Sequence[tuple[_Words, _Meaning]]) -> dict[MemberRef, DeliveryRow]:
    """The messages whose menu words were typed. They arrived: where else would somebody know the word from?"""
    offering = {meaning.delivery_id: words for words, meaning in meant if isinstance(meaning, MenuWord)}
    rows = receiving.deliveries_by_id(reading.connection, offering) if offering else {}
    receiving.prove_arrivals(reading.connection, [(row, offering[i].fact.at) for i, row in rows.items()])
    return {row.member: row for row in rows.values()}


def _what_they_follow(reading: Reading, some: Sequence[_Words]) -> dict[MemberRef, DeliveryRow | None]:
    """The messages that these words most likely follow."""
    wrote = [Wrote(words.member, words.fact.channel, words.fact.at) for words in some]
    last = questions.last_messages(reading.connection, wrote, REPLIES_TO)
    return {words.member: row for words, row in zip(some, last, strict=True)}


# --- what only a person can do ----------------------------------------------------------------------------------


def _opt_out(reading: Reading, words: _Words, about: DeliveryRow | None) -> None:
    fact = words.fact
    evidence = f"typed “{fact.text.strip()}” on {fact.channel}"
    key = f"in:{reading.inbound_id}"
    if membership.refuse(reading, Refusal(words.member, fact.channel, evidence, fact.at, key, about=about)):
        membership.confirm_opt_out(reading, words.member, fact.channel)


def _put_before_people(reading: Reading, some: Sequence[tuple[_Words, DeliveryRow | None]]) -> None:
    """Kept as replies, and put into the inbox: nobody who writes to us is left unread."""
    if not some:
        return
    reading.record([_replied(reading.of(words.inbound_id), words, about) for words, about in some])
    names = members.names_of(reading.connection, [words.member for words, _ in some])
    new = [_task(words, about, names.get(words.member)) for words, about in some]
    tasks.open_all(reading.connection, new, reading.now)


def _replied(reading: Reading, words: _Words, about: DeliveryRow | None) -> NewEvent:
    fact, key, told = words.fact, f"in:{reading.inbound_id}", {"text": words.fact.text}
    if about is not None:
        return reading.about_delivery(about, "replied", fact.at, key, told)
    return reading.about_member(words.member, "replied", fact.at, key, fact.channel, told)


def _task(words: _Words, about: DeliveryRow | None, name: str | None) -> NewTask:
    return NewTask(
        member=words.member,
        key=f"inbox:{words.inbound_id}",
        kind="inbox",
        team=None,
        words=f"{name or '一位会员'}：“{words.fact.text.strip()}”",
        journey_id=about.journey_id if about is not None else None,
        step_id=about.step_id if about is not None else None,
    )
