"""What a run knows when it is looked at: which events count for it, its answers, its dates; and how it is moved."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from store_bench import CATALOG, DAY, HOUR, MINUTE, NOW, Bench, a_journey, on_order

from engage.core.condition import Between, Compare, Condition, ContextValue, ValueType
from engage.core.delivery import Status
from engage.core.journey.model import Since
from engage.core.turn import GivenAnswer, Seen
from engage.store import advancing, questions, receiving
from engage.store.advancing import RunRow
from engage.store.questions import Given, NewAnswer


def seen(
    bench: Bench, name: str, *, since: Since | None = None, where: Condition | None = None, per: str | None = None
) -> dict[int, Seen]:
    rows = advancing.due(bench.connection, NOW + 365 * DAY, 100)
    return advancing.first_seen(bench.connection, CATALOG, [name], since, where, per, rows, bench.now)


def run_of(bench: Bench, run_id: int) -> RunRow:
    (row,) = advancing.runs_by_id(bench.connection, [(bench.row("enrolment", id=run_id)["bucket"], run_id)])
    return row


def moves(bench: Bench, run_id: int, **values: object) -> None:
    row = bench.row("enrolment", id=run_id)
    advancing.save(bench.connection, [{"bucket": row["bucket"], "id": run_id, **values}])


def reaches_step(bench: Bench, run_id: int) -> None:
    """From here on, what is recorded came after the step was reached."""
    member = bench.row("member", id=bench.row("enrolment", id=run_id)["member_id"])
    moves(bench, run_id, step_after_event=member["last_event"])


# --- which events count -----------------------------------------------------------------------------------------


def test_an_event_counts_from_here_by_default(bench: Bench) -> None:
    ref = bench.member()
    run_id = bench.enters(ref)
    bench.happens(ref, "order_paid")
    reaches_step(bench, run_id)
    assert seen(bench, "order_paid") == {}
    assert seen(bench, "order_paid", since=Since.START) == {run_id: Seen("order_paid", NOW)}
    bench.happens(ref, "order_paid", NOW + MINUTE)
    assert seen(bench, "order_paid") == {run_id: Seen("order_paid", NOW + MINUTE)}


def test_the_first_that_was_recorded_is_the_one_seen(bench: Bench) -> None:
    ref = bench.member()
    run_id = bench.enters(ref)
    bench.happens(ref, "order_paid", NOW + HOUR)
    bench.happens(ref, "order_paid", NOW)
    assert seen(bench, "order_paid") == {run_id: Seen("order_paid", NOW + HOUR)}


def test_somebody_elses_event_does_not_count(bench: Bench) -> None:
    bench.enters(bench.member())
    bench.happens(bench.member(), "order_paid")
    assert seen(bench, "order_paid") == {}


@pytest.mark.parametrize(("hours", "counts"), [(0, True), (23, True), (24, False), (1000, False)])
def test_history_that_is_told_late_is_no_news(bench: Bench, hours: int, counts: bool) -> None:
    """A file with last month's orders must not end the waits of those who are in a journey now."""
    ref = bench.member()
    run_id = bench.enters(ref)
    bench.happens(ref, "order_paid", NOW - hours * HOUR)
    assert (run_id in seen(bench, "order_paid")) is counts


def test_a_response_counts_for_the_run_whose_message_it_answers(bench: Bench) -> None:
    ref = bench.member()
    mine, other = bench.enters(ref), bench.enters(ref, a_journey(id="welcome"))
    bench.queues(ref, enrolment_id=mine)
    message = bench.claims_one()
    bench.begins_sending(message)
    bench.responds(message, "clicked", NOW + MINUTE)
    assert seen(bench, "clicked") == {mine: Seen("clicked", NOW + MINUTE)}
    assert other not in seen(bench, "clicked", since=Since.START)


def test_a_click_between_the_send_and_the_wait_is_not_lost_but_one_on_the_message_before_is(bench: Bench) -> None:
    ref = bench.member()
    run_id = bench.enters(ref)
    bench.queues(ref, enrolment_id=run_id)
    first = bench.claims_one()
    bench.begins_sending(first)
    bench.responds(first, "clicked", NOW + MINUTE)
    bench.now += HOUR
    bench.queues(ref, enrolment_id=run_id)
    second = bench.claims_one()
    bench.begins_sending(second)
    assert seen(bench, "clicked") == {}
    bench.responds(second, "clicked", NOW + HOUR + MINUTE)
    reaches_step(bench, run_id)
    assert seen(bench, "clicked") == {run_id: Seen("clicked", NOW + HOUR + MINUTE)}


def test_a_receipt_in_the_second_of_its_own_message_counts(bench: Bench) -> None:
    """Providers tell time in whole seconds: the receipt looks older than the call it is for."""
    ref = bench.member()
    run_id = bench.enters(ref)
    bench.now += timedelta(milliseconds=600)
    bench.queues(ref, enrolment_id=run_id)
    message = bench.claims_one()
    bench.begins_sending(message)
    bench.responds(message, "delivered", NOW)
    assert seen(bench, "delivered") == {run_id: Seen("delivered", NOW)}


def test_a_response_to_an_earlier_message_counts_if_it_comes_after_the_last(bench: Bench) -> None:
    """A click in the mail after the text message that followed it: the member has taken it up all the same."""
    ref = bench.member()
    run_id = bench.enters(ref)
    bench.queues(ref, enrolment_id=run_id)
    first = bench.claims_one()
    bench.begins_sending(first)
    bench.now += HOUR
    bench.queues(ref, enrolment_id=run_id)
    bench.begins_sending(bench.claims_one())
    bench.responds(first, "clicked", bench.now - MINUTE)
    assert seen(bench, "clicked") == {}
    bench.responds(first, "clicked", bench.now + MINUTE)
    assert seen(bench, "clicked") == {run_id: Seen("clicked", bench.now + MINUTE)}


def test_where_looks_at_the_event_that_came(bench: Bench) -> None:
    ref = bench.member()
    run_id = bench.enters(ref, context={"event": {"amount": 500}, "var": {}})
    big = Compare(ContextValue("event", "amount", ValueType.NUMBER), Between(Decimal(100), None))
    bench.happens(ref, "order_paid", amount=99)
    assert seen(bench, "order_paid", where=big) == {}
    bench.happens(ref, "order_paid", NOW + HOUR, amount=100)
    assert seen(bench, "order_paid", where=big) == {run_id: Seen("order_paid", NOW + HOUR)}


@pytest.mark.parametrize(("one", "other"), [("A1", "A2"), (1, 2)], ids=["text", "numbers"])
def test_an_event_with_the_per_key_counts_for_the_run_of_that_value(
    bench: Bench, one: str | int, other: str | int
) -> None:
    ref, journey = bench.member(), on_order(per="order_id")
    runs = [bench.enters(ref, journey, per=str(value)) for value in (one, other)]
    bench.happens(ref, "order_paid", order_id=other)
    assert set(seen(bench, "order_paid", per="order_id")) == {runs[1]}
    bench.happens(ref, "store_visited")
    assert set(seen(bench, "store_visited", per="order_id")) == set(runs)


# --- answers and dates ------------------------------------------------------------------------------------------


def test_the_answers_of_a_run_by_step(bench: Bench) -> None:
    ref = bench.member()
    run_id = bench.enters(ref)
    for step_id, given in {
        "nps": Given(score=3, comment="包装破了", typed=True),
        "taste": Given(choice="绿茶"),
    }.items():
        bench.queues(ref, enrolment_id=run_id, step_id=step_id, visit=0, journey_id="winback", channel="sms")
        message = bench.claims_one()
        row = receiving.delivery_by_id(bench.connection, message.id)
        assert row is not None
        assert questions.put_answers(bench.connection, [NewAnswer(row, "nps", given, NOW)]) == [True]
    found = advancing.answers(bench.connection, [run_of(bench, run_id)])
    assert found == {
        run_id: {
            "nps": GivenAnswer(NOW, 3, None, has_comment=True, typed_on="sms"),
            "taste": GivenAnswer(NOW, None, "绿茶", has_comment=False, typed_on=None),
        }
    }
    words = advancing.answer_words(bench.connection, [(ref.bucket, run_id)])
    assert words[run_id]["nps"] == {"score": 3, "choice": None, "comment": "包装破了"}


def test_dates_to_wait_for(bench: Bench) -> None:
    known, unknown = bench.member(contract_end=date(2027, 3, 1)), bench.member()
    runs = [run_of(bench, bench.enters(ref)) for ref in (known, unknown)]
    found = advancing.field_dates(bench.connection, "contract_end", ValueType.DATE, runs)
    assert found == {runs[0].id: date(2027, 3, 1)}


# --- moving -----------------------------------------------------------------------------------------------------


def test_due_are_live_runs_whose_time_has_come_the_oldest_first(bench: Bench) -> None:
    runs = [bench.enters(bench.member()) for _ in range(4)]
    for run_id, due_at in zip(runs, (NOW, NOW - HOUR, NOW + MINUTE, NOW - DAY), strict=True):
        moves(bench, run_id, due_at=due_at)
    moves(bench, runs[3], status="ended")
    assert [run.id for run in advancing.due(bench.connection, NOW, 10)] == [runs[1], runs[0]]
    assert [run.id for run in advancing.due(bench.connection, NOW, 1)] == [runs[1]]
    assert advancing.anything_due(bench.connection, NOW)
    assert not advancing.anything_due(bench.connection, NOW - 2 * HOUR)
    assert advancing.next_due(bench.connection, NOW) == NOW + MINUTE
    assert advancing.next_due(bench.connection, NOW + DAY) is None


def test_a_run_that_was_moved_meanwhile_is_left_alone(bench: Bench) -> None:
    runs = [bench.enters(bench.member()) for _ in range(3)]
    due = advancing.due(bench.connection, NOW, 10)
    moves(bench, runs[0], due_at=NOW + DAY)
    moves(bench, runs[1], status="ended")
    stands = [run.id for each in due for run in advancing.still_due(bench.connection, each, NOW)]
    assert stands == [runs[2]]


def test_save_moves_each_run_to_its_own_place_and_no_other(bench: Bench) -> None:
    runs = [bench.enters(bench.member()) for _ in range(3)]
    rows = [bench.row("enrolment", id=run_id) for run_id in runs]
    advancing.save(
        bench.connection,
        [{"id": rows[n]["id"], "bucket": rows[n]["bucket"], "step_id": f"s{n}", "phase": "waiting"} for n in (1, 0)],
    )
    advancing.save(bench.connection, [])
    assert [bench.row("enrolment", id=run_id)["step_id"] for run_id in runs] == ["s0", "s1", "hello"]


def test_ending_a_run_takes_back_what_is_not_on_the_wire(bench: Bench) -> None:
    ref = bench.member()
    run_id, other = bench.enters(ref), bench.enters(ref, a_journey(id="welcome"))
    sending = bench.queues(ref, enrolment_id=run_id)
    bench.begins_sending(bench.claims_one())
    claimed = bench.queues(ref, enrolment_id=run_id)
    bench.claims_one()
    pending, fallback = bench.queues(ref, enrolment_id=run_id), bench.queues(ref, enrolment_id=run_id, hop=1)
    others = bench.queues(ref, enrolment_id=other)
    run = [(ref.bucket, run_id)]
    advancing.cancel_messages(bench.connection, run, "the run ended: end", only_follow_ups=True)
    assert (bench.status(fallback, 1), bench.status(pending), bench.status(claimed)) == (
        Status.CANCELLED,
        Status.PENDING,
        Status.CLAIMED,
    )
    advancing.cancel_messages(bench.connection, run, "the run ended: goal", only_follow_ups=False)
    assert (bench.status(pending), bench.status(claimed)) == (Status.CANCELLED, Status.CANCELLED)
    assert (bench.status(sending), bench.status(others)) == (Status.SENDING, Status.PENDING)
    assert bench.row("delivery", message_key=pending)["reason"] == "the run ended: goal"
    advancing.cancel_messages(bench.connection, [], "nothing", only_follow_ups=False)


def test_runs_without_a_goal(bench: Bench) -> None:
    ref = bench.member()
    live, ended, reached = (bench.enters(ref) for _ in range(3))
    moves(bench, ended, status="ended")
    moves(bench, reached, status="ended", goal_at=NOW)

    def found(**which: bool) -> list[int]:
        return [run.id for run in advancing.without_goal(bench.connection, "winback", None, [ref], **which)]

    assert found(ended=True, live=False) == [ended]
    assert found(ended=False, live=True) == [live]
    assert found(ended=True, live=True) == [live, ended]
