"""What comes back: receipts in any order, answers and their corrections, and the questions that are open."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from sqlalchemy import insert, select
from store_bench import CATALOG, DAY, HOUR, MINUTE, NOW, Bench
from store_plans import as_among_millions, explained, learn_the_sizes

from engage.core.delivery import LEASE, Recorded, Status
from engage.core.fact import Arrival
from engage.core.reply import CORRECTION_WINDOW, Offer
from engage.core.turn import Purpose
from engage.store import advancing, dispatching, events, fallbacks, questions, receiving
from engage.store.dispatching import Claimed, Settled
from engage.store.members import MemberRef
from engage.store.questions import AskedRow, Given, NewAnswer, Wrote
from engage.store.receiving import DeliveryRow, Told
from engage.store.tables import delivery

SENT = Recorded(Status.SENT)


def sends(bench: Bench, ref: MemberRef, recorded: Recorded | None = SENT, **more: Any) -> Claimed:
    """A message up to its record; without one it is still on the wire."""
    offers = more.pop("offers", None)
    channel = more.pop("on", "sms")
    bench.queues(ref, **more)
    claimed = bench.claims_one()
    bench.begins_sending(claimed, offers=offers, channel=channel)
    if recorded is not None:
        assert dispatching.record(bench.connection, [Settled(claimed, recorded, {"provider_id": f"p{claimed.id}"})])
    return claimed


def row_of(bench: Bench, claimed: Claimed) -> DeliveryRow:
    row = receiving.delivery_by_id(bench.connection, claimed.id)
    assert row is not None
    return row


def told(bench: Bench, claimed: Claimed, arrival: Arrival, code: str = "", at: datetime = NOW) -> bool:
    (before,) = receiving.note_arrivals(bench.connection, [Told(row_of(bench, claimed), arrival, at, code)])
    return before is not None


# --- finding ----------------------------------------------------------------------------------------------------


def test_a_delivery_is_found_by_our_id_and_by_the_providers_on_its_own_channel(bench: Bench) -> None:
    claimed = sends(bench, bench.member())
    assert row_of(bench, claimed).message_key == claimed.key
    known = [f"p{claimed.id}", "p-nobody's"]
    assert receiving.deliveries_by_provider_id(bench.connection, "sms", known) == [row_of(bench, claimed)]
    assert receiving.deliveries_by_provider_id(bench.connection, "email", known) == []
    assert receiving.delivery_by_id(bench.connection, 999) is None
    assert receiving.owners(bench.connection, [claimed.id, 999]) == {claimed.id: claimed.member}


def test_the_last_message_is_the_newest_that_may_have_arrived(bench: Bench) -> None:
    ref = bench.member()
    first = sends(bench, ref)
    bench.now += HOUR
    second = sends(bench, ref, Recorded(Status.AMBIGUOUS, "?"))
    bench.now += HOUR
    sends(bench, ref, Recorded(Status.FAILED, "x"))
    sends(bench, ref, on="wechat")

    others = sends(bench, bench.member())

    wrote = [Wrote(ref, "sms", NOW + hours * HOUR) for hours in (3, 4, 5)]
    wrote += [Wrote(others.member, "sms", NOW), Wrote(ref, "email", NOW)]
    last = questions.last_messages(bench.connection, wrote, 3 * HOUR)
    assert [row and row.id for row in last] == [second.id, second.id, None, others.id, None]
    assert first.id != second.id


# --- receipts ---------------------------------------------------------------------------------------------------

RECEIPTS = (
    (Arrival.DEFERRED, "busy", NOW + MINUTE),
    (Arrival.DELIVERED, "ok", NOW + HOUR),
    (Arrival.BOUNCED, "550", NOW + 2 * HOUR),
)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_receipts_commute(bench: Bench, count: int) -> None:
    """Twice and in any order: the furthest a message got is what stays."""
    ref = bench.member()
    for chosen in {tuple(sorted(p)) for p in permutations(RECEIPTS, count)}:
        outcomes = set()
        for order in permutations([*chosen, chosen[0]]):
            claimed = sends(bench, ref)
            for receipt in order:
                told(bench, claimed, *receipt)
            row = bench.row("delivery", id=claimed.id)
            outcomes.add((row["status"], row["arrival"], row["arrival_at"], row["code"]))
        assert len(outcomes) == 1


@pytest.mark.parametrize("seed", range(3))
def test_a_shuffle_of_many_receipts_for_many_messages_ends_the_same(bench: Bench, seed: int) -> None:
    rng = random.Random(seed)
    ref = bench.member()
    claimed = [sends(bench, ref, Recorded(Status.AMBIGUOUS, "?") if n % 2 else SENT) for n in range(6)]
    receipts = [(each, rng.choice(RECEIPTS)) for each in claimed for _ in range(3)]

    def outcome() -> list[tuple[str, str | None]]:
        return [(row["status"], row["arrival"]) for row in bench.rows("delivery")]

    savepoint = bench.connection.begin_nested()
    for each, receipt in receipts:
        told(bench, each, *receipt)
    in_order = outcome()
    savepoint.rollback()
    rng.shuffle(receipts)
    for each, receipt in receipts + receipts[:5]:
        told(bench, each, *receipt)
    assert outcome() == in_order


@pytest.mark.parametrize("seed", range(3))
def test_receipts_told_together_are_what_they_are_one_by_one(bench: Bench, seed: int) -> None:
    rng = random.Random(seed)
    ref = bench.member()
    outcomes = (SENT, Recorded(Status.AMBIGUOUS, "?"), None)
    claimed = [sends(bench, ref, outcomes[n % 3]) for n in range(9)]
    rows = [row_of(bench, each) for each in claimed]
    everything = [Told(rng.choice(rows), *_receipt(rng), proof=rng.random() < 0.3) for _ in range(40)]

    savepoint = bench.connection.begin_nested()
    together = [before is not None for before in receiving.note_arrivals(bench.connection, everything)]
    expected = bench.rows("delivery")
    savepoint.rollback()

    singly = []
    for each in everything:
        row = receiving.delivery_by_id(bench.connection, each.row.id)
        assert row is not None
        (before,) = receiving.note_arrivals(bench.connection, [replace(each, row=row)])
        singly.append(before is not None)
    assert (singly, bench.rows("delivery")) == (together, expected)
    assert True in together
    assert False in together


def _receipt(rng: random.Random) -> tuple[Arrival, datetime, str]:
    arrival, code, at = rng.choice(RECEIPTS)
    return arrival, at, code


def test_a_receipt_told_again_is_no_news(bench: Bench) -> None:
    claimed = sends(bench, bench.member())
    assert told(bench, claimed, Arrival.DELIVERED)
    assert not told(bench, claimed, Arrival.DELIVERED)
    assert not told(bench, claimed, Arrival.DEFERRED)
    assert told(bench, claimed, Arrival.BOUNCED)
    assert not told(bench, claimed, Arrival.DELIVERED)


@pytest.mark.parametrize("arrival", list(Arrival))
def test_any_receipt_settles_an_ambiguous_message(bench: Bench, arrival: Arrival) -> None:
    claimed = sends(bench, bench.member(), Recorded(Status.AMBIGUOUS, "no answer", due_at=NOW + MINUTE))
    told(bench, claimed, arrival)
    assert bench.status(claimed.key) == Status.SENT
    assert dispatching.claim(bench.connection, NOW + DAY, 10) == []
    assert not dispatching.anything_due(bench.connection, NOW + DAY)


@pytest.mark.parametrize("recorded", [SENT, Recorded(Status.AMBIGUOUS, "timed out", due_at=NOW + MINUTE)])
def test_a_receipt_that_is_quicker_than_our_own_record_loses_nothing(bench: Bench, recorded: Recorded) -> None:
    """Providers push receipts while their answer is still on its way to us: the provider's id must be kept, and a call
    that timed out is known to have arrived."""
    claimed = sends(bench, bench.member(), None)
    told(bench, claimed, Arrival.DELIVERED)
    assert dispatching.record(bench.connection, [Settled(claimed, recorded, {"provider_id": "p9"})])
    row = bench.row("delivery", id=claimed.id)
    assert (row["status"], row["arrival"], row["provider_id"]) == (Status.SENT, Arrival.DELIVERED, "p9")
    assert (row["due_at"], row["reason"]) == (None, None)
    assert not dispatching.record(bench.connection, [Settled(claimed, recorded, {})])
    assert dispatching.expire_leases(bench.connection, NOW + LEASE) == 0


@pytest.mark.parametrize("status", [Status.FAILED, Status.SENT])
def test_what_a_member_did_with_a_message_proves_nothing_new_about_a_settled_one(bench: Bench, status: Status) -> None:
    claimed = sends(bench, bench.member(), Recorded(status))
    receiving.prove_arrivals(bench.connection, [(row_of(bench, claimed), NOW)])
    assert bench.row("delivery", id=claimed.id)["arrival"] is None


@pytest.mark.parametrize("recorded", [Recorded(Status.AMBIGUOUS, "?"), None], ids=["no answer", "call still open"])
def test_what_a_member_did_with_a_message_proves_that_it_arrived(bench: Bench, recorded: Recorded | None) -> None:
    claimed = sends(bench, bench.member(), recorded)
    receiving.prove_arrivals(bench.connection, [(row_of(bench, claimed), NOW)])
    row = bench.row("delivery", id=claimed.id)
    assert (row["status"], row["arrival"]) == (Status.SENT, Arrival.DELIVERED)


# --- answers ----------------------------------------------------------------------------------------------------


def asks(bench: Bench, ref: MemberRef, run_id: int, step_id: str = "nps", **more: Any) -> Claimed:
    place: dict[str, Any] = {"enrolment_id": run_id, "step_id": step_id, "visit": 0, "journey_id": "winback"}
    return sends(bench, ref, purpose=Purpose.ASK, **place, **more)


def answers(bench: Bench, claimed: Claimed, given: Given, at: datetime = NOW) -> bool:
    (counts,) = questions.put_answers(bench.connection, [NewAnswer(row_of(bench, claimed), "nps", given, at)])
    return counts


@pytest.fixture
def question(bench: Bench) -> Claimed:
    ref = bench.member()
    return asks(bench, ref, bench.enters(ref))


def test_an_answer_is_kept_with_the_message_it_answers(bench: Bench, question: Claimed) -> None:
    assert answers(bench, question, Given(score=3, typed=True))
    row = bench.row("answer")
    assert (
        row
        | {
            "delivery_id": question.id,
            "enrolment_id": question.enrolment_id,
            "step_id": "nps",
            "survey": "nps",
            "channel": "sms",
            "typed": True,
            "score": 3,
            "comment": None,
            "answered_at": NOW,
            "comment_at": None,
            "corrected_at": None,
        }
        == row
    )


@pytest.mark.parametrize(("hours", "accepted"), [(0, True), (24, True), (24.01, False), (1000, False)])
def test_the_first_answer_wins_and_may_be_corrected_for_a_day(
    bench: Bench, question: Claimed, hours: float, accepted: bool
) -> None:
    answers(bench, question, Given(score=3))
    later = NOW + timedelta(hours=hours)
    assert answers(bench, question, Given(score=9), later) is accepted
    row = bench.row("answer")
    expected = (9, later) if accepted else (3, None)
    assert (row["score"], row["corrected_at"], row["answered_at"]) == (*expected, NOW)


def test_the_same_answer_again_is_no_correction(bench: Bench, question: Claimed) -> None:
    for minutes in (0, 1):
        assert answers(bench, question, Given(score=3), NOW + minutes * MINUTE)
    assert bench.row("answer")["corrected_at"] is None


def test_words_are_added_and_none_are_lost(bench: Bench, question: Claimed) -> None:
    answers(bench, question, Given(score=3))
    answers(bench, question, Given(comment="包装破了"), NOW + MINUTE)
    answers(bench, question, Given(score=2, comment="还漏了"), NOW + HOUR)
    row = bench.row("answer")
    assert (row["score"], row["comment"], row["comment_at"]) == (2, "包装破了\n还漏了", NOW + MINUTE)


def test_a_choice_can_be_corrected_too(bench: Bench, question: Claimed) -> None:
    answers(bench, question, Given(choice="绿茶"))
    answers(bench, question, Given(choice="白茶"), NOW + HOUR)
    row = bench.row("answer")
    assert (row["choice"], row["corrected_at"]) == ("白茶", NOW + HOUR)


def test_answers_told_together_each_count_for_their_own_question(bench: Bench) -> None:
    """One is new, one corrects, one adds words, and one comes too late."""
    asking = [asks(bench, ref, bench.enters(ref)) for ref in [bench.member() for _ in range(4)]]
    for each in asking[1:]:
        answers(bench, each, Given(score=3))
    later = [Given(score=9), Given(score=4), Given(comment="苦"), Given(score=10)]
    times = [NOW, NOW + HOUR, NOW + HOUR, NOW + 2 * DAY]
    told = [NewAnswer(row_of(bench, m), "nps", given, at) for m, given, at in zip(asking, later, times, strict=True)]
    assert questions.put_answers(bench.connection, told) == [True, True, True, False]
    rows = {row["delivery_id"]: (row["score"], row["comment"]) for row in bench.rows("answer")}
    assert [rows[each.id] for each in asking] == [(9, None), (4, None), (3, "苦"), (3, None)]
    assert questions.put_answers(bench.connection, []) == []


def test_two_messages_of_one_question_have_one_answer(bench: Bench, question: Claimed) -> None:
    fallbacks.queue_next_hop(bench.connection, question.member, question.id, NOW, NOW)
    reminder = bench.claims_one()
    bench.begins_sending(reminder)
    answers(bench, question, Given(score=3))
    answers(bench, reminder, Given(score=4), NOW + HOUR)
    assert bench.row("answer")["score"] == 4


# --- open questions ---------------------------------------------------------------------------------------------


def asked(bench: Bench, ref: MemberRef, at: datetime, channel: str = "sms") -> list[AskedRow]:
    (rows,) = questions.asked(bench.connection, [Wrote(ref, channel, at)])
    return rows


def open_on(bench: Bench, ref: MemberRef, channel: str = "sms") -> list[int]:
    rows = asked(bench, ref, bench.now, channel)
    return [row.delivery.id for row in rows if row.standing or row.answered_at is not None]


def stands_at(bench: Bench, run_id: int, step_id: str, **more: Any) -> None:
    run = bench.row("enrolment", id=run_id)
    advancing.save(bench.connection, [{"bucket": run["bucket"], "id": run_id, "step_id": step_id, **more}])


def test_a_question_is_open_on_its_channel_while_its_run_stands_at_it(bench: Bench) -> None:
    ref = bench.member()
    run_id = bench.enters(ref)
    claimed = asks(bench, ref, run_id)
    assert open_on(bench, ref) == []
    stands_at(bench, run_id, "nps")
    assert open_on(bench, ref) == [claimed.id]
    assert open_on(bench, ref, "wechat") == []
    stands_at(bench, run_id, "nps", visit=1)
    assert open_on(bench, ref) == []
    stands_at(bench, run_id, "nps", visit=0, status="ended")
    assert open_on(bench, ref) == []


def test_a_question_that_was_left_behind_is_told_until_its_run_ends(bench: Bench) -> None:
    """Whether its deadline had passed is for the reader to say, who knows the step."""
    ref = bench.member()
    run_id = bench.enters(ref)
    bench.now += MINUTE
    claimed = asks(bench, ref, run_id)
    stands_at(bench, run_id, "hello")
    (row,) = asked(bench, ref, NOW + HOUR)
    queued_at = bench.row("delivery", id=claimed.id)["queued_at"]
    assert (row.delivery.id, row.standing, row.began_at) == (claimed.id, False, queued_at)
    stands_at(bench, run_id, "hello", status="ended", ended_at=NOW + HOUR)
    assert len(asked(bench, ref, NOW + HOUR - MINUTE)) == 1
    assert asked(bench, ref, NOW + HOUR) == []


def test_the_wait_for_an_answer_begins_with_the_first_message_on_whichever_channel(bench: Bench) -> None:
    ref = bench.member()
    run_id = bench.enters(ref)
    first = asks(bench, ref, run_id, on="wechat")
    bench.now += HOUR
    fallbacks.queue_next_hop(bench.connection, ref, first.id, bench.now, bench.now)
    bench.begins_sending(bench.claims_one(), channel="sms")
    (row,) = asked(bench, ref, bench.now)
    assert (row.delivery.id == first.id, row.began_at) == (False, NOW)


def test_an_answered_question_stays_open_to_corrections_for_a_day(bench: Bench) -> None:
    ref = bench.member()
    run_id = bench.enters(ref)
    claimed = asks(bench, ref, run_id)
    stands_at(bench, run_id, "nps")
    answers(bench, claimed, Given(score=3, comment="x"))
    stands_at(bench, run_id, "hello", status="ended")
    (row,) = asked(bench, ref, NOW + DAY)
    assert (row.delivery.id, row.answered_at, row.comment_at, row.asked_at) == (claimed.id, NOW, NOW, NOW)
    bench.now += DAY + MINUTE
    assert open_on(bench, ref) == []


def test_questions_come_newest_first_each_once_however_often_it_was_put(bench: Bench) -> None:
    ref = bench.member()
    run_id = bench.enters(ref)
    stands_at(bench, run_id, "nps")
    older = asks(bench, ref, run_id, key="older")
    other_run = bench.enters(ref, occurrence="other")
    stands_at(bench, other_run, "nps")
    bench.now += HOUR
    newer = asks(bench, ref, other_run, key="newer")
    assert open_on(bench, ref) == [newer.id, older.id]
    bench.now += HOUR
    place: dict[str, Any] = {"enrolment_id": run_id, "step_id": "nps", "visit": 0, "journey_id": "winback"}
    reminder = sends(bench, ref, key="older", hop=1, purpose=Purpose.REMIND, **place)
    assert open_on(bench, ref) == [reminder.id, newer.id]


@pytest.mark.parametrize(
    ("recorded", "is_open"),
    [(Recorded(Status.AMBIGUOUS, "?"), True), (None, True), (Recorded(Status.FAILED, "x"), False)],
    ids=["no answer", "the call is still open", "refused"],
)
def test_a_question_that_may_have_arrived_may_be_answered(
    bench: Bench, recorded: Recorded | None, is_open: bool
) -> None:
    ref = bench.member()
    run_id = bench.enters(ref)
    stands_at(bench, run_id, "nps")
    asks(bench, ref, run_id, recorded=recorded)
    assert bool(open_on(bench, ref)) is is_open


def test_offers_are_the_menu_words_of_the_last_days(bench: Bench) -> None:
    ref = bench.member()
    first = sends(bench, ref, offers=["1", "2"])
    bench.now += DAY
    sends(bench, ref)
    sends(bench, ref, Recorded(Status.FAILED, "x"), offers=["9"])
    sends(bench, bench.member(), offers=["8"])
    wrote = [Wrote(ref, "sms", bench.now), Wrote(ref, "wechat", bench.now)]
    wrote += [Wrote(ref, "sms", NOW + 2 * DAY - MINUTE), Wrote(ref, "sms", NOW + 2 * DAY)]
    here = [Offer(first.id, NOW, ("1", "2"))]
    assert questions.offers(bench.connection, wrote) == [here, [], here, []]
    assert questions.offers(bench.connection, []) == []


@pytest.mark.parametrize("seed", range(3))
def test_what_many_were_asked_is_what_each_was_asked(bench: Bench, seed: int) -> None:
    """As of the moment each of them wrote: questions that were answered, left behind, or whose run is over."""
    rng = random.Random(seed)
    refs = [bench.member() for _ in range(4)]
    for ref in refs * 3:
        run_id = bench.enters(ref)
        claimed = asks(bench, ref, run_id, on=rng.choice(["sms", "wechat"]))
        if rng.random() < 0.5:
            answers(bench, claimed, Given(score=3), NOW + HOUR)
        if rng.random() < 0.5:
            stands_at(bench, run_id, "nps", **rng.choice([{}, {"status": "ended", "ended_at": NOW + DAY}]))
        bench.now += MINUTE
    times = [NOW - DAY, NOW, NOW + DAY, NOW + HOUR + CORRECTION_WINDOW, NOW + 3 * DAY]
    wrote = [Wrote(ref, rng.choice(["sms", "wechat"]), rng.choice(times)) for ref in refs * 3]
    together = questions.asked(bench.connection, wrote)
    assert together == [asked(bench, each.member, each.at, each.channel) for each in wrote]
    assert any(together)


def _send_thousands(bench: Bench) -> None:
    for _ in range(20):
        sends(bench, bench.member(), offers=["1"])
    for doubled in range(8):
        new = {"id": delivery.c.id + (1_000_000 << doubled), "member_id": delivery.c.member_id + (1_000_000 << doubled)}
        new["message_key"] = delivery.c.message_key + f"+{doubled}"
        others = select(*(new.get(c.name, c) for c in delivery.c)).where(delivery.c.status == "sent")
        bench.connection.execute(insert(delivery).from_select([c.name for c in delivery.c], others))
    learn_the_sizes(bench.connection, "delivery")


def test_what_was_asked_and_answered_is_found_by_index(bench: Bench, question: Claimed) -> None:
    wrote = [Wrote(question.member, "sms", NOW)]
    new = [NewAnswer(row_of(bench, question), "nps", Given(score=3), NOW)]
    _send_thousands(bench)
    as_among_millions(bench.connection)
    with explained(bench.connection) as plans:
        questions.asked(bench.connection, wrote)
        questions.offers(bench.connection, wrote)
        questions.last_messages(bench.connection, wrote, DAY)
        questions.put_answers(bench.connection, new)
        questions.put_answers(bench.connection, [replace(each, given=Given(score=4)) for each in new])
        receiving.owners(bench.connection, [question.id])
    assert len(plans.steps) == 7
    assert plans.walked == []
    assert "ix_delivery_channel_provider_id" not in plans.indexes  # of one channel there are millions


# --- responses as events ----------------------------------------------------------------------------------------


def test_a_response_is_an_event_that_names_its_message_and_step(bench: Bench, question: Claimed) -> None:
    bench.responds(question, "clicked", link="shop")
    (fresh,) = events.fresh_events(bench.connection, 10)
    row = bench.row("event", id=fresh.id)
    assert (row["delivery_id"], row["enrolment_id"], row["step_id"]) == (question.id, question.enrolment_id, "nps")
    assert CATALOG.is_response(fresh.name)
