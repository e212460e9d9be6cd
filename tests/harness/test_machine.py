"""Hypothesis over the same world: it chooses what befalls the shop, and shrinks it; the checker is the invariant."""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar

from hypothesis import settings, stateful
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from engage.errors import DatabaseUnavailable
from engage.store import state
from tests.harness import weather
from tests.harness.boundaries import BEGIN, CALL, COMMIT
from tests.harness.cast import PEOPLE
from tests.harness.checker import violations
from tests.harness.complaints import listening
from tests.harness.crew import LOCKED_OUT, RESTING, Worker
from tests.harness.grounds import BEGINS, Grounds
from tests.harness.project import EDITS
from tests.harness.running import told
from tests.harness.weather import Fault
from tests.harness.world import Options, World

WHO = st.integers(0, 2)
STARTS = st.sampled_from(["bought", "shipped", "visited", "asked_back"])


class Shop(RuleBasedStateMachine):
    grounds: ClassVar[Grounds]
    world: World

    @initialize(seed=st.integers(0, 1_000))
    def opens(self, seed: int) -> None:
        self.world = World(self.grounds, seed, Options(weather=weather.CALM))
        with self.world.database.write() as connection:
            state.let_time_count(connection, BEGINS)  # here the first look may be hours later

    # --- the workers --------------------------------------------------------------------------------------------

    @rule(turns=st.integers(1, 60))
    def work_goes_on(self, turns: int) -> None:
        for _ in range(turns):
            self.world.takes_a_turn()

    @rule(who=WHO)
    def a_worker_dies(self, who: int) -> None:
        worker = self._at_a_boundary(who)
        if worker is not None:
            self.world.crew.crashes(worker)

    @rule(who=WHO, seconds=st.sampled_from([5, 25, 200, 2_400]))
    def a_worker_sleeps(self, who: int, seconds: int) -> None:
        worker = self._at_a_boundary(who)
        if worker is not None and not worker.at.endswith((CALL, COMMIT)):
            worker.asleep_until = self.world.clock.true + timedelta(seconds=seconds)

    @rule(who=WHO)
    def the_database_fails(self, who: int) -> None:
        worker = self._at_a_boundary(who)
        if worker is not None and worker.at.endswith((BEGIN, COMMIT)):
            self.world.crew.meets(worker, DatabaseUnavailable("the database is locked"))

    @rule(fault=st.sampled_from(list(Fault)))
    def the_providers_are_so(self, fault: Fault) -> None:
        self.world.weather = weather.Weather({Fault.NONE: 0.2, fault: 1.0}, receipts=weather.STORM.receipts, early=0.3)
        self.world.outside.weather = self.world.weather

    # --- the others ---------------------------------------------------------------------------------------------

    @rule(who=st.integers(0, len(PEOPLE) - 1), event=STARTS)
    def somebody_starts(self, who: int, event: str) -> None:
        self.world.outside.starts(PEOPLE[who], event)

    @precondition(lambda self: self.world.database.is_free)
    @rule()
    def something_happens(self) -> None:
        self.world.outside.something_happens()

    @precondition(lambda self: self.world.database.is_free)
    @rule(edit=st.sampled_from(sorted(EDITS)))
    def staff_apply(self, edit: str) -> None:
        self.world.in_force.apply(edit, self.world.clock.now())
        self.world.outside.log.edited = True

    @precondition(lambda self: not self.world.somebody_is_at_the_wire())
    @rule(seconds=st.sampled_from([1, 15, 90, 700, 7_200]))
    def time_passes(self, seconds: int) -> None:
        self.world.clock.passes(timedelta(seconds=seconds))

    @rule(hours=st.sampled_from([-24, -1, 1, 24]))
    def the_clock_is_set(self, hours: int) -> None:
        self.world.clock.jumps(timedelta(hours=hours))

    # --- what must hold -----------------------------------------------------------------------------------------

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        life = self.world.ends()
        wrong = violations(life)
        assert not wrong, told(life, wrong)

    def _at_a_boundary(self, who: int) -> Worker | None:
        worker = self.world.crew.workers[who]
        return worker if worker.at not in (RESTING, LOCKED_OUT) else None


def test_whatever_befalls_the_shop_the_promise_holds() -> None:
    """`engage`'s Hypothesis profile, with fewer and longer lives: each is a world to its end."""
    with listening(), Grounds() as grounds:
        Shop.grounds = grounds
        stateful.run_state_machine_as_test(Shop, settings=settings(max_examples=15, stateful_step_count=25))
