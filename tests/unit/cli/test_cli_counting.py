"""What `report` and `status` count, over rows written by hand."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import JSON, Boolean, Integer, String, insert

from engage.store.databases.database import Database
from engage.store.insight import overview, progress, reporting
from engage.store.insight.reporting import Goals, Period, Skipped, Tasks
from engage.store.tables import Instant, answer, delivery, enrolment, event, inbound, pause, state, task

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
DAY = timedelta(days=1)
WEEK = Period(NOW - 7 * DAY, NOW)
LONG_AGO = NOW - 30 * DAY
_LEAST = ((Instant, NOW - DAY), (JSON, {}), (Boolean, False), (String, ""), (Integer, 0))


class Books:
    """A database; `put` fills what a row needs and the test does not care about."""

    def __init__(self, database):
        self.database = database
        self._next = 0

    def put(self, table, **given):
        self._next += 1
        needed = {
            column.name: next(least for kind, least in _LEAST if isinstance(column.type, kind))
            for column in table.columns
            if not column.nullable and column.server_default is None
        }
        unique = {
            name: str(self._next) for name in ("message_key", "dedupe_key", "occurrence", "key") if name in needed
        }
        row = {**needed, **unique, **({"id": self._next} if "id" in needed else {}), **given}
        with self.database.write() as connection:
            connection.execute(insert(table).values(row))
        return row.get("id")

    def ask(self, question, *args):
        with self.database.read() as connection:
            return question(connection, *args)


@pytest.fixture
def books(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'engage.db'}")
    database.create_all()
    yield Books(database)
    database.close()


def _sent(books, **given):
    usual = {"journey_id": "nps", "channel": "sms", "status": "sent", "first_sent_at": NOW - DAY, "member_id": 1}
    return books.put(delivery, **{**usual, "segments": 1, "cost": 0.045, **given})


def test_messages_are_counted_by_journey_and_channel_and_responses_once_a_message(books):
    answered = _sent(books, arrival="delivered")
    _sent(books, arrival="bounced", segments=2, cost=0.09)
    _sent(books, status="ambiguous", segments=1, cost=0.045)  # may have gone out
    _sent(books, status="failed", segments=3, cost=0.135)  # refused: free of charge
    _sent(books, first_sent_at=LONG_AGO)
    _sent(books, status="skipped", first_sent_at=None, channel=None, segments=None, cost=None)
    _sent(books, channel="email", cost=0.001)
    for name in ("answered", "replied", "replied"):
        books.put(event, name=name, delivery_id=answered)
    email, sms = books.ask(reporting.messages, WEEK)
    assert (email.channel, email.sent, email.answered) == ("email", 1, 0)
    assert (sms.sent, sms.ambiguous, sms.failed, sms.delivered, sms.bounced) == (2, 1, 1, 1, 1)
    assert (sms.replied, sms.answered, sms.clicked) == (1, 1, 0)
    assert (sms.segments, round(sms.cost, 3)) == (4, 0.18)


def test_skips_are_counted_by_reason_the_most_frequent_first(books):
    for reason in ("no channel can be used", "late: its time has passed", "no channel can be used"):
        books.put(delivery, status="skipped", reason=reason, journey_id="nps", queued_at=NOW - DAY)
    books.put(delivery, status="skipped", reason="long ago", journey_id="nps", queued_at=LONG_AGO)
    books.put(delivery, status="cancelled", reason="the run ended: goal", journey_id="nps", queued_at=NOW - DAY)
    assert books.ask(reporting.skipped, WEEK) == [
        Skipped("nps", "no channel can be used", 2),
        Skipped("nps", "late: its time has passed", 1),
    ]


def _run(books, **given):
    usual = {"journey_id": "winback", "status": "ended", "entered_at": NOW - 2 * DAY, "ended_at": NOW - DAY}
    books.put(enrolment, **{**usual, "end_kind": "completed", **given})


def test_runs_that_entered_and_ended_are_counted_without_the_holdout(books):
    _run(books, end_kind="goal")
    _run(books, end_kind="exit", entered_at=LONG_AGO)
    _run(books, ended_at=LONG_AGO, entered_at=LONG_AGO)
    _run(books, status="live", end_kind=None, ended_at=None)
    _run(books, holdout=True, end_kind="goal")
    (winback,) = books.ask(reporting.enrolments, WEEK)
    assert (winback.entered, winback.held_out, winback.live) == (2, 1, 1)
    assert (winback.goal, winback.exit, winback.completed) == (1, 1, 0)


def test_goals_count_inside_their_window_and_are_held_against_the_holdout(books):
    for counts, held_out in ((True, False), (True, False), (False, False), (None, False), (None, True), (True, True)):
        _run(books, goal_counts=counts, holdout=held_out)
    _run(books, journey_id="welcome", goal_counts=True)
    _run(books, journey_id="nps")
    welcome, winback = books.ask(reporting.goals, WEEK, ["welcome", "winback"])
    assert welcome == Goals("welcome", 1, 1, 0, 0, None)
    assert (winback.reached, winback.entered, winback.control_reached, winback.control) == (2, 4, 1, 2)
    assert winback.lift.difference == Decimal(0)
    assert winback.lift.interval.low < 0 < winback.lift.interval.high


def test_who_was_held_back_and_has_not_begun_is_counted_nowhere(books):
    _run(books, end_kind="goal", goal_counts=True)
    for held_out in (True, False):
        _run(books, end_kind="never_began", holdout=held_out)
        _run(books, status="held", end_kind=None, ended_at=None, holdout=held_out)
    (winback,) = books.ask(reporting.enrolments, WEEK)
    assert (winback.entered, winback.held_out, winback.live) == (1, 0, 0)
    assert (winback.goal, winback.exit, winback.completed) == (1, 0, 0)
    assert books.ask(reporting.goals, WEEK, ["winback"]) == [Goals("winback", 1, 1, 0, 0, None)]
    (total,) = books.ask(progress.journey_totals)
    assert (total.entered, total.goal, total.live) == (1, 1, 0)
    assert books.ask(progress.progress).entered == 1


def test_nps_is_the_formula_over_all_answers_and_over_each_journeys(books):
    for journey_id, score in (("nps", 10), ("nps", 9), ("nps", 3), ("welcome", 7)):
        books.put(answer, journey_id=journey_id, survey="nps", score=score, answered_at=NOW - DAY, enrolment_id=score)
    books.put(answer, survey="nps", score=0, answered_at=LONG_AGO, enrolment_id=90)
    books.put(answer, survey="nps", score=None, answered_at=NOW - DAY, enrolment_id=91)
    books.put(answer, journey_id="nps", survey="csat", score=4, answered_at=NOW - DAY, enrolment_id=92)
    found = books.ask(reporting.nps_by_journey, WEEK)
    assert (found[None].n, found[None].value) == (4, Decimal(25))
    assert (found["nps"].n, found["nps"].promoters, found["nps"].detractors) == (3, 2, 1)
    assert found["welcome"].value == 0
    csat = books.ask(reporting.csat_by_journey, WEEK)
    assert (csat[None].n, csat["nps"].share) == (1, Decimal(1))


def test_a_member_who_opts_out_twice_is_one_member(books):
    for member_id, channel in ((1, "sms"), (1, "sms"), (2, "sms"), (2, "email")):
        books.put(event, name="unsubscribed", channel=channel, member_id=member_id)
    assert books.ask(reporting.opt_outs, WEEK) == {"email": 1, "sms": 2}


def test_tasks_are_counted_by_team(books):
    books.put(task, team="客服一组", opened_at=NOW - DAY, due_at=NOW - timedelta(hours=1))
    books.put(task, team="客服一组", opened_at=LONG_AGO, closed_at=NOW - DAY)
    books.put(task, team="客服一组", opened_at=LONG_AGO, closed_at=LONG_AGO)
    books.put(task, team=None, opened_at=LONG_AGO)
    assert books.ask(reporting.tasks, WEEK, NOW) == [Tasks(None, 0, 0, 1, 0), Tasks("客服一组", 1, 1, 1, 1)]


# --- status -----------------------------------------------------------------------------------------------------


def test_the_outbox_tells_what_is_late_and_what_comes(books):
    early, late = NOW - timedelta(hours=2), NOW + timedelta(hours=3)
    books.put(delivery, status="pending", due_at=early)
    books.put(delivery, status="pending", due_at=late)
    books.put(delivery, status="ambiguous", due_at=None)
    outbox = books.ask(overview.outbox, NOW)
    assert outbox.by_status == {"pending": 2, "ambiguous": 1}
    assert (outbox.oldest_due_at, outbox.next_due_at) == (early, late)


def test_members_are_counted_where_they_stand(books):
    _run(books, status="live", step_id="wait", due_at=NOW - DAY)
    _run(books, status="live", step_id="wait", due_at=NOW + DAY)
    _run(books, status="live", step_id="wait", due_at=NOW - DAY, holdout=True)
    _run(books, step_id="wait")
    (standing,) = books.ask(overview.standing, NOW)
    assert (standing.step_id, standing.members, standing.due, standing.next_due_at) == ("wait", 2, 1, NOW - DAY)


def test_what_waits_for_somebody_is_counted(books):
    books.put(inbound, id=1, source="api", status="new")
    books.put(inbound, id=2, source="api", status="unreadable")
    books.put(inbound, id=3, source="api", status="done")
    books.put(event, fresh=True)
    books.put(task, urgent=True, due_at=NOW - DAY)
    books.put(task, closed_at=NOW)
    assert books.ask(overview.inbox) == overview.Inbox(1, 1, 1)
    assert books.ask(overview.open_tasks, NOW) == overview.OpenTasks(1, 1, 1)


def test_what_is_stopped_is_named(books):
    books.put(pause, scope="channel:sms", since=NOW, reason="维护")
    books.put(state, key="resting:wechat", value=(NOW + DAY).isoformat())
    books.put(state, key="resting:email", value=(NOW - DAY).isoformat())
    books.put(state, key="resting:sms", value=(NOW + DAY).isoformat(), at=NOW + DAY / 2)  # the clock was set back since
    assert books.ask(overview.pauses) == [overview.Paused("channel:sms", NOW, "维护")]
    assert books.ask(overview.resting, NOW) == {"wechat": NOW + DAY}
