"""What becomes of messages is read a batch at a time, and means what it would mean one by one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from every_row import every_row
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from engage.content.project import project_files, read_project
from engage.core.delivery import Recorded, Status
from engage.core.fact import Arrival, Clicked, Fact, Receipt
from engage.core.outcome import Accepted, Failure, SendOutcome
from engage.core.turn import Purpose
from engage.runtime.applied import load_applied
from engage.runtime.edits.applying import Done, apply
from engage.runtime.receiving.receive import Receive
from engage.simulation.channels import Call
from engage.simulation.ground import Ground
from engage.simulation.world import World
from engage.store import dispatching, inbound, members, reaching
from engage.store.databases.database import Database
from engage.store.dispatching import NewMessage, Settled
from tests.postgresql import one_more_database

NOW = datetime(2026, 11, 23, 2, tzinfo=UTC)
# How the call of each message ended; None: it is still on the wire.
CALLS = (
    Recorded(Status.SENT),
    Recorded(Status.AMBIGUOUS, "no answer"),
    Recorded(Status.AMBIGUOUS, "no answer"),
    Recorded(Status.FAILED, "refused"),
    None,
)
MESSAGES = range(1, 2 * len(CALLS) + 1)  # two to each of five members, the second on another channel
NOBODYS = 999

moments = st.integers(0, 3).map(lambda hours: NOW + timedelta(hours=hours))
messages = st.sampled_from([*MESSAGES, NOBODYS])
bounces = st.sampled_from([None, Failure.INVALID_ADDRESS, Failure.UNREACHABLE, Failure.OPTED_OUT])


def channel_of(message: int) -> str:
    return "sms" if message % 2 else "email"


@st.composite
def receipts(draw: st.DrawFn) -> Receipt:
    message, arrival = draw(messages), draw(st.sampled_from(Arrival))
    failure = draw(bounces) if arrival is Arrival.BOUNCED else None
    told = Receipt(
        channel_of(message), arrival, draw(moments), failure=failure, code=draw(st.sampled_from(["", "550"]))
    )
    address = draw(st.sampled_from([None, f"a{message}", "somebody else's"]))
    if draw(st.booleans()):
        return replace(told, delivery_id=message, address=address)
    return replace(told, provider_id=draw(st.sampled_from([f"p{message}", None])), address=address)


clicks = st.builds(Clicked, messages, st.sampled_from(["shop", "more"]), moments, machine=st.booleans())


@pytest.fixture(scope="module")
def ground() -> Iterator[Ground]:
    files, _ = project_files(Path(__file__).parents[2])
    project, problems = read_project(files)
    assert problems == []
    with Ground(project) as ground:
        yield ground


@given(st.lists(st.one_of(receipts(), clicks), max_size=25), st.data())
@settings(max_examples=40)
def test_read_together_they_mean_what_they_mean_one_by_one(
    ground: Ground, told: list[Fact], data: st.DataObject
) -> None:
    """Twice, late, in any order, about messages of nobody: the same rows in every table."""
    twice = told + (data.draw(st.lists(st.sampled_from(told), max_size=10)) if told else [])
    assert _read(ground, [twice]) == _read(ground, [[fact] for fact in twice])


def test_what_somebody_does_after_a_refusal_is_recorded_after_it(ground: Ground) -> None:
    refusal = Receipt("sms", Arrival.BOUNCED, NOW, provider_id="p1", failure=Failure.OPTED_OUT)
    told = [Clicked(1, "shop", NOW), refusal, Clicked(1, "shop", NOW)]
    together = _read(ground, [told])
    assert together == _read(ground, [[fact] for fact in told])
    names = [row["name"] for row in sorted(together["event"], key=itemgetter("number"))]
    assert names == ["clicked", "bounced", "unsubscribed", "clicked"]


def test_the_property_is_about_something(ground: Ground) -> None:
    """Every kind of consequence is among what the property compares."""
    late = NOW + timedelta(hours=1)
    told: list[Fact] = [
        Receipt("sms", Arrival.DELIVERED, late, provider_id="p3"),
        Receipt("sms", Arrival.BOUNCED, late, delivery_id=1, failure=Failure.INVALID_ADDRESS, code="550"),
        Receipt("email", Arrival.BOUNCED, late, delivery_id=2, failure=Failure.OPTED_OUT),
        Clicked(9, "shop", late),
    ]
    before, after = _read(ground, []), _read(ground, [told])
    assert {name for name in after if len(after[name]) > len(before[name])} >= {"event", "suppression", "consent"}
    hops = [row for row in after["delivery"] if row["hop"] == 1]
    at_once, in_time = NOW, NOW + timedelta(days=2)
    assert {row["message_key"]: row["due_at"] for row in hops} == {"m1": at_once, "m2": at_once, "m3": in_time}
    assert {row["id"]: row["status"] for row in after["delivery"]}[9] == Status.SENT


def test_a_receipt_that_comes_before_our_own_record_is_read_when_it_is_there(ground: Ground) -> None:
    """It names the message by the provider's id, which nobody knows before the call is recorded."""

    def tells_before_it_answers(call: Call) -> SendOutcome:
        world.tell([Receipt(call.channel, Arrival.DELIVERED, NOW, provider_id="p1")])
        assert Receive(world.context).tick() == 1
        return Accepted("p1")

    with ground.world(NOW, fate=tells_before_it_answers) as world:
        _queue_one(world)
        world.settle()
        assert _became_of_it(world) == (Status.SENT, Arrival.DELIVERED, ["done"])


def test_a_receipt_that_is_read_while_our_own_record_is_being_committed_waits_for_it(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither sees what the other one has not committed yet. On SQLite whoever writes is alone."""
    take_up = inbound.take_up

    def and_meanwhile(connection: Connection, now_known: Iterable[tuple[str, str]]) -> None:
        take_up(connection, now_known)
        world.tell([Receipt("sms", Arrival.DELIVERED, NOW, provider_id="p1")])
        reader.start()
        reader.join(timeout=1)

    with one_more_database(postgresql_url, "early") as url, _applied_in(Database(url)) as world:
        reader = Thread(target=lambda: Receive(world.context).tick())
        _queue_one(world)
        monkeypatch.setattr(inbound, "take_up", and_meanwhile)
        world.engine.dispatch.tick()
        reader.join()
        assert _became_of_it(world) == (Status.SENT, Arrival.DELIVERED, ["done"])


def _applied_in(database: Database) -> World:
    database.create_all()
    project, _ = read_project(project_files(Path(__file__).parents[2])[0])
    assert project is not None
    assert isinstance(apply(database, project, NOW), Done)
    with database.read() as connection:
        applied = load_applied(connection, project)
    return World(database, applied, NOW, fate=lambda _: Accepted("p1"))


def _queue_one(world: World) -> None:
    with world.database.write() as connection:
        ref = members.create(connection, NOW, "M1", None)
        reaching.put_contact_points(connection, [(ref, "sms", "+8613800000001", NOW)])
        reaching.put_consent(connection, ref, ["marketing"], "sms", True, "柜台", NOW, own_word=True)
        of_step = {"journey_id": "winback", "step_id": "winback_story", "visit": 0}
        new = NewMessage(ref, "m", Purpose.SEND, "marketing", 50, "winback_story", NOW, **of_step)
        dispatching.queue(connection, [new], NOW)


def _became_of_it(world: World) -> tuple[Any, Any, list[Any]]:
    """Of the message; and of every record in the inbox."""
    with world.database.read() as connection:
        rows = every_row(connection, unnumbered={"event"})
    message = rows["delivery"][0]
    return message["status"], message["arrival"], [row["status"] for row in rows["inbound"]]


def _read(ground: Ground, batches: Sequence[Sequence[Fact]]) -> dict[str, list[dict[str, Any]]]:
    """The rows of every table, after each batch was put into the inbox and read."""
    with ground.world(NOW) as world:
        with world.database.write() as connection:
            _send_messages(connection)
        receive = Receive(world.context)
        for batch in batches:
            world.tell(batch)
            receive.tick()
        with world.database.read() as connection:
            return every_row(connection, unnumbered={"event"})


def _send_messages(connection: Connection) -> None:
    for message in MESSAGES:
        if message % 2:
            ref = members.create(connection, NOW, f"M{message}", None)
        reaching.put_contact_points(connection, [(ref, channel_of(message), f"a{message}", NOW - timedelta(days=1))])
        step = {"journey_id": "winback", "step_id": "winback_story", "visit": 0, "enrolment_id": message}
        new = NewMessage(ref, f"m{message}", Purpose.SEND, "marketing", 50, "winback_story", NOW, **step)
        dispatching.queue(connection, [new], NOW)
        (claimed,) = dispatching.claim(connection, NOW, 10)
        assert claimed.id == message
        wire = {"channel": channel_of(message), "address": f"a{message}", "payload": {}, "text": "t"}
        dispatching.begin_sending(connection, [(claimed, wire)], NOW)
        call = CALLS[(message - 1) // 2]
        if call is not None:
            assert dispatching.record(connection, [Settled(claimed, call, {"provider_id": f"p{message}"})])
