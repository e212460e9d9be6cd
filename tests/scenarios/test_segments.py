"""Segments as starts: within seconds of the event, at the hour that a date crosses, after the night that moved a rank;
and never because somebody has rewritten a line."""

from __future__ import annotations

from datetime import timedelta

import pytest
from stage import Stage
from stage_wiring import shipped

from engage.runtime.enrolling import enrol, passing_of_time
from engage.runtime.enrolling.crossings import came_into
from engage.runtime.enrolling.passing_of_time import PassingOfTime
from engage.store import events, segments, state, tallies
from engage.store.events import NewEvent
from engage.store.statements import ranks

TOP = "  高消费: { spent_rank: ..50% }\n"
ENDING = "  快到期: { contract_end: next 7d }\n"


def words(*lines: str) -> str:
    """The shipped catalog with these segments."""
    return shipped("catalog", ("segments:\n", "segments:\n" + "".join(lines)))


def on_entering(segment: str, reentry: str = "always") -> dict[str, str]:
    head = f"journey: 试一试\nstart: {{ segment: {segment} }}\nreentry: {reentry}\ntopic: service\n"
    return {"note": head + "steps:\n  - send: sorry_personal\n"}


def buys(stage: Stage, name: str, amount: int) -> None:
    stage.happens(name, "order_paid", order_id=f"{name}{amount}", amount=amount)


def fails(*_: object) -> list[segments.Crossing]:
    raise ArithmeticError("our own mistake, at every hour's look")


def inside(stage: Stage, segment: str) -> set[int]:
    with stage.database.read() as connection:
        return {ref.id for ref in segments.members_of(connection, segment)}


def test_an_event_that_brings_somebody_in_starts_their_journey_at_once(stage: Stage) -> None:
    stage.member("王芳", sms=True)
    stage.apply(on_entering("VIP"))
    buys(stage, "王芳", 3000)
    assert stage.run("王芳", "note").entered_at == stage.clock.now()


def test_who_leaves_and_comes_back_enters_again_where_the_journey_takes_them_twice(stage: Stage) -> None:
    stage.member("王芳", sms=True, tags="VIP")
    once = {"once": on_entering("VIP", "never")["note"]}
    stage.apply({**on_entering("VIP"), **once}, catalog=shipped("catalog", ("{ tag: VIP } ] }", "{ city: 上海 } ] }")))
    for city in ("上海", "杭州", "上海"):
        stage.registers("王芳", city=city)
        stage.passes("1h")
    assert [event.payload["segment"] for event in stage.events("王芳", "segment_left")] == ["VIP"]
    assert (len(stage.runs("王芳", "note")), len(stage.runs("王芳", "once"))) == (2, 1)


def test_a_date_crosses_at_the_business_midnight(stage: Stage) -> None:
    """`next 7d`: the six days before it, and the day itself."""
    stage.member("王芳", sms=True, contract_end="2026-12-05")
    stage.apply(on_entering("快到期"), catalog=words(ENDING))
    stage.run_until(day=5, at="23:30")
    assert stage.runs("王芳", "note") == []
    stage.run_until(day=6, at="00:00")  # 29 November
    assert len(stage.runs("王芳", "note")) == 1
    stage.run_until(day=12, at="23:30")
    assert stage.events("王芳", "segment_left") == []
    stage.run_until(day=13, at="00:00")  # 6 December
    assert len(stage.events("王芳", "segment_left")) == 1


def five_in_one_hour(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Whose contracts end on the same day; they cross by two at a time."""
    monkeypatch.setattr(passing_of_time, "BATCH", 2)
    names = [f"客{n}" for n in range(5)]
    for name in names:
        stage.member(name, sms=True, contract_end="2026-12-05")
    stage.apply(on_entering("快到期"), catalog=words(ENDING))
    stage.run_until(day=5, at="23:30")
    return names


def test_those_who_cross_in_the_same_hour_do_so_by_batches_and_another_daemon_goes_on_with_them(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = five_in_one_hour(stage, monkeypatch)
    with stage.daemon_down():
        stage.clock.advance_to(now := stage.moment(6, "00:00"))
        one, another = (PassingOfTime(stage.engine.context) for _ in range(2))
        assert one.work_on(now) == 2
        assert len(inside(stage, "快到期")) == 2
        assert another.work_on(now) == 0  # while one is at it
        later = now + timedelta(minutes=5)
        with stage.database.read() as connection:
            assert another.next_due(connection, later) <= now
        assert [another.work_on(later) for _ in range(2)] == [2, 1]
        with stage.database.read() as connection:
            assert one.next_due(connection, later) == now + timedelta(hours=1)
        assert [one.work_on(later) for _ in range(2)] == [1, 0]  # there is nobody left
    stage.passes("1m")
    assert [len(stage.runs(name, "note")) for name in names] == [1] * 5
    assert [len(stage.events(name, "segment_entered")) for name in names] == [1] * 5


def test_a_clock_that_is_set_back_in_their_midst_loses_none_of_them(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = five_in_one_hour(stage, monkeypatch)
    with stage.daemon_down():
        midnight = stage.moment(6, "00:00")
        stage.clock.advance_to(midnight + timedelta(seconds=1))
        passing = PassingOfTime(stage.engine.context)
        assert passing.work_on(midnight + timedelta(seconds=1)) == 2
        while passing.work_on(midnight - timedelta(seconds=1)):
            pass
    stage.passes("2h")
    assert inside(stage, "快到期") == {stage.ref(name).id for name in names}


def test_who_looked_for_starts_while_another_had_the_turn_goes_on_with_them(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one has ended what the calendar brings, and dies in the midst of those who cross."""
    five_in_one_hour(stage, monkeypatch)
    with stage.daemon_down():
        stage.clock.advance_to(now := stage.moment(6, "00:00"))
        one, another = (enrol.Enrol(stage.engine.context) for _ in range(2))
        with monkeypatch.context() as patch:
            patch.setattr(state, "take_turn", lambda *_, **__: False)
            assert another.tick() == 0
        assert one.tick() == 2
        stage.clock.advance_to(now + timedelta(minutes=5))
        while another.tick():
            pass
        assert len(inside(stage, "快到期")) == 5


def test_of_those_who_cross_each_is_foretold_once_however_often_they_are_looked_for(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    names, found = five_in_one_hour(stage, monkeypatch), segments.crossing_by_time
    with stage.daemon_down():
        stage.clock.advance_to(now := stage.moment(6, "00:00"))
        with monkeypatch.context() as patch:
            patch.setattr(segments, "crossing_by_time", lambda *about: found(*about)[:3])
            assert PassingOfTime(stage.engine.context).work_on(now) == 2  # of three: the others come to it later
        again = PassingOfTime(stage.engine.context)
        assert [again.work_on(now + timedelta(minutes=5)) for _ in range(2)] == [2, 1]
        with stage.database.read() as connection:
            told = tallies.counted(connection, {came_into("快到期")}, now - timedelta(minutes=1))
    assert sum(told.values()) == len(names)


def test_an_edit_in_their_midst_loses_none_of_them(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    names = five_in_one_hour(stage, monkeypatch)
    with stage.daemon_down():
        stage.clock.advance_to(now := stage.moment(6, "00:00"))
        passing = PassingOfTime(stage.engine.context)
        assert passing.work_on(now) == 2
        stage.apply(on_entering("快到期"), catalog=words(ENDING, "  新写的: { contract_end: next 3d }\n"))
        assert [passing.work_on(now) for _ in range(4)] == [1, 2, 1, 0]
    stage.passes("1m")
    assert [len(stage.runs(name, "note")) for name in names] == [1] * 5


def test_a_segment_that_is_written_anew_starts_nobody(stage: Stage) -> None:
    stage.member("王芳", sms=True)
    stage.history("王芳", "order_paid", "3d", order_id="A1", amount=1000)
    stage.apply(on_entering("VIP"))
    stage.apply(on_entering("VIP"), catalog=shipped("catalog", ("spent: 3000..", "spent: 500..")))
    stage.run_until(day=2)
    assert inside(stage, "VIP") == {stage.ref("王芳").id}
    assert stage.runs("王芳", "note") == []
    stage.apply(on_entering("VIP"))
    assert inside(stage, "VIP") == set()
    assert stage.events("王芳", "segment_left") == []


def test_ranks_are_worked_out_at_three_and_move_those_in_between(stage: Stage) -> None:
    for name, amount in (("王芳", 100), ("李雷", 50)):
        stage.member(name, sms=True)
        stage.history(name, "order_paid", "3d", order_id=name, amount=amount)
    stage.member("韩梅", sms=True)
    stage.apply({**on_entering("高消费")}, catalog=words(TOP))
    stage.run_until(day=1)
    buys(stage, "韩梅", 500)  # above last night's threshold: in at once
    assert len(stage.runs("韩梅", "note")) == 1
    stage.run_until(day=2, at="02:59")
    assert stage.ref("李雷").id not in inside(stage, "高消费")
    stage.run_until(day=2, at="03:00")
    with stage.database.read() as connection:
        (threshold,) = ranks.thresholds(connection)
    assert (threshold.value, threshold.ranked) == (100, 3)
    assert stage.local(threshold.computed_at).strftime("%H:%M") == "03:00"
    assert inside(stage, "高消费") == {stage.ref("王芳").id, stage.ref("韩梅").id}


def rises_in_the_night(stage: Stage) -> None:
    """李雷, when it is three o'clock."""
    stage.member("王芳", sms=True)
    stage.member("李雷", sms=True)
    for n in range(4):
        stage.member(f"客{n}", sms=True)
    stage.history("王芳", "order_paid", "3d", order_id="A1", amount=100)
    stage.history("李雷", "order_paid", "3d", order_id="A2", amount=50)
    stage.apply(on_entering("高消费"), catalog=words(TOP))
    stage.run_until(day=1)
    assert inside(stage, "高消费") == {stage.ref("王芳").id}
    for n in range(4):
        buys(stage, f"客{n}", 10 + n)
    assert stage.runs("李雷", "note") == []


def test_the_night_brings_in_who_has_risen_without_doing_anything(stage: Stage) -> None:
    """Of two members one is the better half; when four smaller ones have come along, half of six are three."""
    rises_in_the_night(stage)
    stage.run_until(day=2)
    assert inside(stage, "高消费") == {stage.ref(name).id for name in ("王芳", "李雷", "客3")}
    assert len(stage.runs("李雷", "note")) == 1


def test_who_has_risen_is_owed_a_look_until_they_had_it(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A daemon that ends behind the ranks, and before the look, has worked them out for whoever comes next."""
    rises_in_the_night(stage)
    stage.run_until(day=2, at="02:50")
    with stage.daemon_down(), monkeypatch.context() as patch:
        stage.clock.advance_to(now := stage.moment(2, "03:00"))
        patch.setattr(segments, "crossing_by_rank", fails)
        with pytest.raises(ArithmeticError):
            PassingOfTime(stage.engine.context).work_on(now)
        with stage.database.read() as connection:
            assert [threshold.value for threshold in ranks.thresholds(connection)] == [13]
            assert state.ranks_moved(connection)
    stage.passes("6m")  # nobody has heard of it since
    assert len(stage.runs("李雷", "note")) == 1
    with stage.database.read() as connection:
        assert not state.ranks_moved(connection)


def test_news_that_waits_behind_history_is_no_silence(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch may have a member's past alone. What they have bought since is in their fields already: they come in by
    it, before anybody has looked at it."""
    stage.member("王芳", sms=True)
    stage.apply(on_entering("VIP"))
    monkeypatch.setattr(enrol, "BATCH", 1)
    now, paid = stage.clock.now(), {"order_id": "A", "amount": 1500}
    past, news = (NewEvent(stage.ref("王芳"), "order_paid", at, f"{at}", paid) for at in (now - timedelta(days=9), now))
    with stage.daemon_down(), stage.database.write() as connection:
        events.record(connection, stage.applied.catalog, [past, news], now)
    assert len(stage.runs("王芳", "note")) == 1


def test_what_happened_waits_for_no_fault_in_what_the_time_brings(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.member("王芳", sms=True)
    stage.apply(on_entering("VIP"))
    with stage.daemon_down():
        buys(stage, "王芳", 3000)
        stage.passes("1h")
        monkeypatch.setattr(segments, "crossing_by_time", fails)
        stage.engine.receive.tick()
        with pytest.raises(ArithmeticError):
            stage.engine.enrol.tick()  # of the purchase
        stage.engine.enrol.tick()  # of the segment it leads into, while the look rests
        assert len(stage.runs("王芳", "note")) == 1
        monkeypatch.undo()
