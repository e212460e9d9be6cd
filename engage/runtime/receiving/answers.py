"""Taking answers: those given on the survey page, and those found in what members type (`conversation`). A batch at a
time, in which every member stands once: an answer may correct the one before it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from engage.core.fact import Answered
from engage.core.journey.model import Ask, Survey
from engage.runtime.batches import each_once
from engage.runtime.dispatching.follow_up import step_of
from engage.runtime.receiving.reading import Reading
from engage.store import questions, reaching, receiving
from engage.store.events import NewEvent
from engage.store.inbound import Record
from engage.store.questions import Given, NewAnswer
from engage.store.receiving import DeliveryRow


def answered(reading: Reading, told: Sequence[tuple[Record, Answered]]) -> None:
    """Answers from the survey page, score and words together."""
    owners = receiving.owners(reading.connection, {fact.delivery_id for _, fact in told})
    known = [(record, fact) for record, fact in told if fact.delivery_id in owners]
    for batch in each_once(known, lambda entry: [owners[entry[1].delivery_id]]):
        _read(reading, batch)


def _read(reading: Reading, batch: Sequence[tuple[Record, Answered]]) -> None:
    rows = receiving.deliveries_by_id(reading.connection, [fact.delivery_id for _, fact in batch])
    about = [(record, fact, rows[fact.delivery_id]) for record, fact in batch]
    # They did something with a message of this channel, outside its chat: no reply window opens.
    acts = [(row.member, row.channel, fact.at) for _, fact, row in about if row.channel is not None]
    reaching.note_inbound(reading.connection, acts)
    take(
        reading,
        [
            Answer(record.id, row, ask, Given(fact.score, fact.choice, fact.comment), fact.at)
            for record, fact, row in about
            if (ask := ask_of(reading, row)) is not None
        ],
    )


def ask_of(reading: Reading, row: DeliveryRow) -> Ask | None:
    """The question that a message puts."""
    found = step_of(reading.applied, row.journey_id, row.step_id, row.pinned_version)
    return found[1] if found is not None and isinstance(found[1], Ask) else None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a member gave, and the message that it answers."""

    inbound_id: int
    row: DeliveryRow
    ask: Ask
    given: Given
    at: datetime
    text: str | None = None  # as they typed it, where they did


def take(reading: Reading, answers: Sequence[Answer]) -> list[Answer]:
    """Keep them, and tell the journeys. Returns those that came too late, with which nothing is done."""
    if not answers:
        return []
    new = [NewAnswer(each.row, each.ask.survey, each.given, each.at) for each in answers]
    counts = questions.put_answers(reading.connection, new)
    taken = [each for each, in_time in zip(answers, counts, strict=True) if in_time]
    receiving.prove_arrivals(reading.connection, [(each.row, each.at) for each in taken])
    reading.record([event for each in taken for event in _events(reading.of(each.inbound_id), each)])
    return [each for each, in_time in zip(answers, counts, strict=True) if not in_time]


def _events(reading: Reading, answer: Answer) -> Iterator[NewEvent]:
    """Once for the run it belongs to, once for what is counted of the member."""
    row, ask, given, at = answer.row, answer.ask, answer.given, answer.at
    if answer.text is not None:
        yield reading.about_delivery(row, "replied", at, f"in:{reading.inbound_id}", {"text": answer.text})
    if given.score is None and given.choice is None and ask.survey is not Survey.TEXT:
        # Words alone: a run that waits for them is woken by `replied`; from the page they come with the score.
        return
    visit = f"{row.enrolment_id}:{row.step_id}:{row.visit}"
    told = {"survey": ask.survey, "score": given.score}
    yield reading.about_delivery(row, "answered", at, f"answered:{visit}", told)
    if ask.survey in (Survey.NPS, Survey.CSAT):
        name = f"{ask.survey}_answered"
        yield reading.about_member(row.member, name, at, f"{name}:{visit}", row.channel, {"score": given.score})
