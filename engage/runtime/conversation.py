"""Reading what members say: scores, choices, comments, opt-out words, and what only a person can answer.

Words are read as of the moment they were written: a record may wait here, and meanwhile its run may have gone on.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import assert_never

from engage.core.fact import Answered, Typed
from engage.core.journey.model import Ask, Survey
from engage.core.reply import (
    ChoiceGiven,
    CommentGiven,
    ForAPerson,
    MenuWord,
    OpenQuestion,
    OptOutWord,
    ScoreGiven,
    interpret,
)
from engage.runtime import membership
from engage.runtime.follow_up import step_of
from engage.runtime.membership import Refusal
from engage.runtime.reading import Reading
from engage.store import members, receiving
from engage.store.members import MemberRef
from engage.store.receiving import AskedRow, DeliveryRow, Given
from engage.store.tasks import NewTask, open_task

# A reply that answers nothing is shown with the message it most likely follows, if that is not older than this.
REPLIES_TO = timedelta(days=7)


def typed(reading: Reading, fact: Typed) -> None:
    """Words in the chat or by SMS."""
    ref, _ = membership.met(reading, fact.channel, fact.address, fact.at)
    membership.acted(reading, ref, fact.channel, fact.act, fact.at)
    questions = _open_questions(reading, ref, fact.channel, fact.at)
    offers = receiving.offers(reading.connection, ref, fact.channel, fact.at)
    meaning = interpret(fact.text, questions, offers, fact.at)
    match meaning:
        case OptOutWord():
            _opt_out(reading, ref, fact)
        case ScoreGiven(delivery_id, score, comment):
            _take(reading, ref, fact, delivery_id, Given(score=score, comment=comment, typed=True))
        case ChoiceGiven(delivery_id, choice):
            _take(reading, ref, fact, delivery_id, Given(choice=choice, typed=True))
        case CommentGiven(delivery_id, comment):
            _take(reading, ref, fact, delivery_id, Given(comment=comment, typed=True))
        case MenuWord(delivery_id, _):
            offered = receiving.delivery_by_id(reading.connection, delivery_id)
            if offered is not None:
                receiving.prove_arrival(reading.connection, offered, fact.at)  # where else would they know it from?
            _for_a_person(reading, ref, fact, offered)
        case ForAPerson():
            _for_a_person(reading, ref, fact, _follows(reading, ref, fact))
        case _:
            assert_never(meaning)


def answered(reading: Reading, fact: Answered) -> None:
    """An answer from the survey page, score and words together."""
    row = receiving.delivery_by_id(reading.connection, fact.delivery_id)
    if row is None:
        return
    given = Given(score=fact.score, choice=fact.choice, comment=fact.comment)
    if row.channel is not None:
        membership.touched(reading, row.member, row.channel, fact.at)
    ask = _ask_of(reading, row)
    if ask is not None and receiving.put_answer(reading.connection, row, ask.survey, given, fact.at):
        _tell(reading, row, ask, given, fact)


# --- questions --------------------------------------------------------------------------------------------------


def _open_questions(reading: Reading, ref: MemberRef, channel: str, at: datetime) -> list[OpenQuestion]:
    found = []
    for asked in receiving.asked(reading.connection, ref, channel, at):
        ask = _ask_of(reading, asked.delivery)
        if ask is not None and _was_open(asked, ask, at):
            question = OpenQuestion(
                delivery_id=asked.delivery.id,
                survey=ask.survey,
                asked_at=asked.asked_at,
                options=ask.options,
                answered_at=asked.answered_at,
                wants_comment=ask.comment is not None,
                has_comment=asked.comment_at is not None,
            )
            found.append(question)
    return found


def _was_open(asked: AskedRow, ask: Ask, at: datetime) -> bool:
    """An answer in time counts although its run, not knowing of it yet, has gone on in the meantime."""
    return asked.standing or asked.answered_at is not None or at < asked.began_at + ask.answer_within


def _ask_of(reading: Reading, row: DeliveryRow) -> Ask | None:
    found = step_of(reading.applied, row.journey_id, row.step_id, row.pinned_version)
    return found[1] if found is not None and isinstance(found[1], Ask) else None


# --- taking answers ---------------------------------------------------------------------------------------------


def _take(reading: Reading, ref: MemberRef, fact: Typed, delivery_id: int, given: Given) -> None:
    row = receiving.delivery_by_id(reading.connection, delivery_id)
    ask = _ask_of(reading, row) if row is not None else None
    if row is None or ask is None or not receiving.put_answer(reading.connection, row, ask.survey, given, fact.at):
        _for_a_person(reading, ref, fact, row)
        return
    reading.about_delivery(row, "replied", fact.at, f"in:{reading.inbound_id}", {"text": fact.text})
    _tell(reading, row, ask, given, fact)


def _tell(reading: Reading, row: DeliveryRow, ask: Ask, given: Given, fact: Typed | Answered) -> None:
    """The answer as events: once for the run it belongs to, once for what is counted of the member."""
    receiving.prove_arrival(reading.connection, row, fact.at)
    if given.score is None and given.choice is None and ask.survey is not Survey.TEXT:
        # Words alone: a run that waits for them is woken by `replied`; from the page they come with the score.
        return
    visit = f"{row.enrolment_id}:{row.step_id}:{row.visit}"
    score = given.score
    reading.about_delivery(row, "answered", fact.at, f"answered:{visit}", {"survey": ask.survey, "score": score})
    if ask.survey in (Survey.NPS, Survey.CSAT):
        name = f"{ask.survey}_answered"
        reading.about_member(row.member, name, fact.at, f"{name}:{visit}", row.channel, {"score": score})


# --- what only a person can do ----------------------------------------------------------------------------------


def _opt_out(reading: Reading, ref: MemberRef, fact: Typed) -> None:
    evidence = f"typed “{fact.text.strip()}” on {fact.channel}"
    about = _follows(reading, ref, fact)
    key = f"in:{reading.inbound_id}"
    if membership.refuse(reading, Refusal(ref, fact.channel, evidence, fact.at, key, about=about)):
        membership.confirm_opt_out(reading, ref, fact.channel)


def _follows(reading: Reading, ref: MemberRef, fact: Typed) -> DeliveryRow | None:
    """The message that these words most likely follow."""
    return receiving.last_message(reading.connection, ref, fact.channel, fact.at - REPLIES_TO)


def _for_a_person(reading: Reading, ref: MemberRef, fact: Typed, about: DeliveryRow | None) -> None:
    """Kept as a reply, and put into the inbox: nobody who writes to us is left unread."""
    key = f"in:{reading.inbound_id}"
    if about is not None:
        reading.about_delivery(about, "replied", fact.at, key, {"text": fact.text})
    else:
        reading.about_member(ref, "replied", fact.at, key, fact.channel, {"text": fact.text})
    name = members.name_of(reading.connection, ref)
    words = f"{name or '一位会员'}：“{fact.text.strip()}”"
    task = NewTask(
        member=ref,
        key=f"inbox:{reading.inbound_id}",
        kind="inbox",
        team=None,
        words=words,
        journey_id=about.journey_id if about is not None else None,
        step_id=about.step_id if about is not None else None,
    )
    open_task(reading.connection, task, reading.now)
