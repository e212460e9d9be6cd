"""What members say and answer is read a batch at a time, and means what it would mean one by one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from every_row import every_row
from hypothesis import given, settings
from hypothesis import strategies as st
from small_journeys import journey
from sqlalchemy import Connection, event
from stage_wiring import read_files, shipped_files

from engage.core.delivery import Recorded, Status
from engage.core.fact import (
    Act,
    Answered,
    Arrival,
    Clicked,
    Fact,
    Followed,
    Happened,
    MemberGiven,
    OptedOut,
    Receipt,
    Typed,
    Unfollowed,
)
from engage.core.outcome import Failure
from engage.core.turn import Purpose
from engage.runtime.receiving.receive import Receive
from engage.runtime.receiving.whom import whom
from engage.simulation.ground import Ground
from engage.simulation.world import World
from engage.store import advancing, dispatching, enrolling, members, reaching
from engage.store.dispatching import NewMessage, Settled
from engage.store.enrolling import Entrant
from engage.store.members import MemberRef

NOW = datetime(2026, 11, 23, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)
CSAT = "ask: csat\nid: taste\nquestion: 茶还好喝吗？\ncomment: 哪里还可以更好？\nanswer_within: 1d\ntopic: service"
NPS = "ask: nps\nid: friends\nquestion: 会推荐给朋友吗？\nanswer_within: 1d\ntopic: service"
CHOICE = "ask: choice\nid: kind\nquestion: 更常喝哪种？\noptions: [绿茶, 红茶]\nanswer_within: 1d\ntopic: service"
OPEN = "ask: text\nid: why\nquestion: 最近怎么没来？\nanswer_within: 1d\ntopic: service"
STEPS = {"taste": CSAT, "friends": NPS, "kind": CHOICE, "why": OPEN, "hello": "send: welcome"}
JOURNEYS = {
    f"journeys/{name}.yaml": journey("store_visited", step, "wait: 9d", topic="service") for name, step in STEPS.items()
}
MEMBERS = range(1, 5)
# What each of them has had: the step, the channel, and how the call ended (None: it is still on the wire).
MESSAGES = (
    ("taste", "sms", Recorded(Status.SENT)),
    ("friends", "sms", Recorded(Status.AMBIGUOUS, "no answer")),
    ("kind", "wechat", None),
    ("why", "email", Recorded(Status.SENT)),
    ("hello", "wechat", Recorded(Status.AMBIGUOUS, "no answer")),
    ("hello", "email", Recorded(Status.FAILED, "refused")),
)
DELIVERIES = range(1, len(MEMBERS) * len(MESSAGES) + 1)
NOBODYS = 999

# Some before the questions were put; around the end of their time, and of the time for corrections.
moments = st.sampled_from([-1, 0, 1, 2, 23, 24, 25, 47, 49]).map(lambda hours: NOW + hours * HOUR)
channels = st.sampled_from(["sms", "wechat", "email"])
addresses = st.sampled_from([f"a{member}" for member in (*MEMBERS, "stranger")])
words = st.sampled_from(["3", "9", "4 有点苦", "10。都好", "11", "1", "红茶", "搬家了", "在吗", "退订", "ＴＤ。", "2"])
messages = st.sampled_from([*DELIVERIES, NOBODYS])
typed = st.builds(Typed, channels, addresses, words, moments, act=st.sampled_from([Act.MESSAGE, Act.MENU]))
scores, choices = st.sampled_from([None, 0, 3, 9]), st.sampled_from([None, "绿茶", "红茶"])
answered = st.builds(
    Answered, messages, moments, score=scores, choice=choices, comment=st.sampled_from([None, "", "有点苦"])
)
conversations = st.one_of(typed, answered)

# The rest of what members and providers do, and what the shop tells: about people who are known.
known = st.sampled_from([f"a{member}" for member in MEMBERS])
others = st.one_of(
    st.builds(Clicked, messages, st.just("shop"), moments),
    st.builds(Receipt, st.just("sms"), st.sampled_from(Arrival), moments, delivery_id=messages),
    st.builds(
        Receipt,
        st.just("sms"),
        st.just(Arrival.BOUNCED),
        moments,
        provider_id=messages.map(lambda message: f"p{message}"),
        failure=st.sampled_from([None, Failure.OPTED_OUT]),
    ),
    st.builds(Followed, st.just("wechat"), known, moments),
    st.builds(Unfollowed, st.just("wechat"), known, moments),
    st.builds(OptedOut, channels, moments, st.just("page"), delivery_id=messages),
    st.builds(OptedOut, channels, moments, st.just("page"), address=known),
    st.builds(Happened, known.map(str.upper), st.just("store_visited"), st.just({"store": "湖滨店"}), moments),
    st.builds(
        MemberGiven,
        known.map(str.upper),
        moments,
        values=st.just({}),
        addresses=st.one_of(st.just({}), known.map(lambda address: {"sms": address})),
        consents=st.sampled_from([{}, {("marketing", "sms"): True}]),
    ),
)
anything = st.one_of(typed.filter(lambda fact: fact.address != "astranger"), answered, others)


@pytest.fixture(scope="module")
def ground() -> Iterator[Ground]:
    with Ground(read_files({**shipped_files(), **JOURNEYS})) as ground:
        yield ground


@given(st.lists(conversations, max_size=25), st.data())
@settings(max_examples=30)
def test_read_together_they_mean_what_they_mean_one_by_one(
    ground: Ground, told: list[Fact], data: st.DataObject
) -> None:
    """Twice, late, in any order, by strangers and about messages of nobody: the same rows in every table."""
    twice = told + (data.draw(st.lists(st.sampled_from(told), max_size=10)) if told else [])
    assert _read(ground, [twice]) == _read(ground, [[fact] for fact in twice])


@given(st.lists(anything, max_size=25))
@settings(max_examples=30)
def test_among_all_else_that_comes_in_they_mean_the_same(ground: Ground, told: list[Fact]) -> None:
    """One reader's facts are read together, whatever stands between them: nobody's own order changes."""
    assert _read(ground, [told]) == _read(ground, [[fact] for fact in told])


def test_whoever_a_fact_calls_by_whatever_name_it_is_about_the_same_member(ground: Ground) -> None:
    """By the shop's id, by an address, by our number of a message or the provider's: by each, their order is kept."""
    of_one: list[Fact] = [
        Typed("sms", "a1", "在吗", NOW),
        Followed("wechat", "a1", NOW),
        Happened("A1", "store_visited", {}, NOW),
        MemberGiven("A1", NOW, values={}, addresses={}, consents={}),
        OptedOut("sms", NOW, "page", delivery_id=1),
        OptedOut("sms", NOW, "page", address="a1"),
        Clicked(1, "shop", NOW),
        Answered(1, NOW, score=3),
        Receipt("sms", Arrival.DELIVERED, NOW, provider_id="p1"),
    ]
    nobody: list[Fact] = [Clicked(NOBODYS, "shop", NOW), Typed("sms", "astranger", "在吗", NOW)]
    with _world(ground) as world, world.database.read() as connection:
        (one,) = members.find(connection, members.MEMBER_KIND, ["A1"]).values()
        both = MemberGiven("A1", NOW, values={}, addresses={"sms": "a2"}, consents={})
        (two,) = members.find(connection, members.MEMBER_KIND, ["A2"]).values()
        assert whom(connection, of_one) == [{one}] * len(of_one)
        assert whom(connection, [*nobody, both]) == [set(), {("sms", "astranger")}, {one, two}]


def test_the_property_is_about_something(ground: Ground) -> None:
    """Every kind of consequence is among what the property compares."""
    later = NOW + HOUR
    told: list[Fact] = [
        Typed("sms", "a1", "9", later),
        Typed("sms", "a1", "4 有点苦", later + HOUR),
        Typed("sms", "a1", "3", later + 2 * HOUR),
        Answered(9, later, choice="绿茶"),
        Answered(9, later + HOUR, choice="红茶"),
        Typed("email", "a2", "搬家了", later),
        Typed("wechat", "a3", "1", later),
        Typed("sms", "a3", "退订", later),
        Typed("wechat", "astranger", "在吗", later),
        Typed("sms", "a4", "9", NOW + 25 * HOUR),
    ]
    rows = _read(ground, [told])
    given = {(row["step_id"], row["score"], row["choice"], row["comment"]) for row in rows["answer"]}
    assert given == {
        ("friends", 3, None, None), ("taste", 4, None, "有点苦"), ("kind", None, "红茶", None),
        ("why", None, None, "搬家了"), ("kind", None, "绿茶", None),
    }  # fmt: skip
    assert {row["words"] for row in rows["task"]} == {"一位会员：“在吗”", "李雷4：“9”"}
    assert len(rows["member"]) == len(MEMBERS) + 1
    assert [row["member_id"] for row in rows["delivery"] if row["purpose"] == Purpose.CONFIRM] == [3]


def test_twice_as_many_are_read_with_the_same_statements(ground: Ground) -> None:
    """Answers from the page, scores, strangers, and what only a person can answer, mixed as they come."""
    few = [*_of_each_kind(1, 3), Typed("sms", "a3", "在吗", NOW + 30 * HOUR)]
    many = [*_of_each_kind(1, 3), *_of_each_kind(2, 4), *(replace(few[-1], address=f"a{n}") for n in (3, 4))]
    assert _statements(ground, [few]) == _statements(ground, [many])
    assert _statements(ground, [few]) < _statements(ground, [[fact] for fact in few])


def _of_each_kind(one: int, other: int) -> list[Fact]:
    question = (one - 1) * len(MESSAGES) + 1  # the first by SMS
    return [
        Answered(question, NOW + HOUR, score=3),
        Typed("sms", f"a{other}", "4", NOW + HOUR),
        Typed("wechat", f"stranger{one}", "在吗", NOW + HOUR),
    ]


def _statements(ground: Ground, batches: Sequence[Sequence[Fact]]) -> int:
    seen: list[str] = []

    def note(_connection: Connection, _cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    with _world(ground) as world:
        event.listen(world.database.engine, "before_cursor_execute", note)
        _tell(world, batches)
        event.remove(world.database.engine, "before_cursor_execute", note)
    return len(seen)


def _read(ground: Ground, batches: Sequence[Sequence[Fact]]) -> dict[str, list[dict[str, Any]]]:
    """The rows of every table, after each batch was put into the inbox and read."""
    with _world(ground) as world:
        _tell(world, batches)
        with world.database.read() as connection:
            return every_row(connection, unnumbered={"event", "answer", "task", "delivery"})


def _tell(world: World, batches: Sequence[Sequence[Fact]]) -> None:
    receive = Receive(world.context)
    for batch in batches:
        world.tell(batch)
        receive.tick()


@contextmanager
def _world(ground: Ground) -> Iterator[World]:
    with ground.world(NOW) as world:
        with world.database.write() as connection:
            for number in MEMBERS:
                _has_had_messages(connection, ground, number)
        world.clock.advance_to(NOW + 50 * HOUR)  # when all of it has happened
        yield world


def _has_had_messages(connection: Connection, ground: Ground, number: int) -> None:
    ref = members.create(connection, NOW, f"A{number}", None)
    members.set_values(connection, ground.applied.catalog, {ref: {"name": f"李雷{number}"}}, NOW)
    for channel in ("sms", "wechat", "email"):
        reaching.put_contact_points(connection, [(ref, channel, f"a{number}", NOW - HOUR)])
    for step, channel, call in MESSAGES:
        _sent(connection, ground, ref, step, channel, call)


def _sent(
    connection: Connection, ground: Ground, ref: MemberRef, step: str, channel: str, call: Recorded | None
) -> None:
    active = ground.applied.journeys[step]
    first = active.journey.steps[0].id
    entrant = Entrant(ref, f"{step}:{channel}", {"event": {}, "var": {}}, 0)
    (run,) = enrolling.enter(connection, active.journey, active.version, first, [(entrant, False)], NOW)
    if ref.id % 3 == 0:  # went on; and of another, the run is over since
        advancing.save(connection, [{"bucket": ref.bucket, "id": run, "step_id": "wait"}])
    elif ref.id % 4 == 0:
        over = {"status": "ended", "ended_at": NOW + 20 * HOUR}
        advancing.save(connection, [{"bucket": ref.bucket, "id": run, **over}])
    place = {"journey_id": step, "step_id": first, "visit": 0, "enrolment_id": run}
    purpose = Purpose.SEND if step == "hello" else Purpose.ASK
    dispatching.queue(connection, [NewMessage(ref, f"m{run}", purpose, "service", 50, step, NOW, **place)], NOW)
    (claimed,) = dispatching.claim(connection, NOW, 10)
    wire = {"channel": channel, "address": f"a{ref.id}", "payload": {}, "text": "t"}
    wire |= {"offers": ["1", "2"]} if step == "hello" else {}
    dispatching.begin_sending(connection, [(claimed, wire)], NOW)
    if call is not None:
        assert dispatching.record(connection, [Settled(claimed, call, {"provider_id": f"p{claimed.id}"})])
