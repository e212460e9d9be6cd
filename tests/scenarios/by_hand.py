"""One round of the send protocol, taken step by step, so that a test can let things happen between two of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from engage.clock import VirtualClock
from engage.runtime.applied import Applied
from engage.runtime.dispatching.drafting import Draft, Drafting, Ready
from engage.runtime.dispatching.handover import Intended
from engage.runtime.engine import Engine
from engage.store import dispatching
from engage.store.dispatching import Claimed


@dataclass
class ByHand:
    engine: Engine
    applied: Applied
    clock: VirtualClock
    claimed: Sequence[Claimed] = ()
    intended: list[Intended] = field(default_factory=list)
    _drafts: Mapping[int, Draft] = field(default_factory=dict)

    def queue(self) -> None:
        """What came in is read, and what follows from it is in the outbox."""
        while self.engine.receive.tick() + self.engine.enrol.tick() + self.engine.advance.tick():
            pass

    def claim(self) -> None:
        with self.engine.context.database.write() as connection:
            dispatching.expire_leases(connection, self.clock.now())
            self.claimed = dispatching.claim(connection, self.clock.now(), 100)

    def draft(self) -> int:
        """How many could be worded."""
        self._drafted = Drafting(self.engine.context, self.applied).draft(self.claimed)
        return sum(isinstance(draft, Ready) for draft in self._drafted.drafts.values())

    def intend(self) -> int:
        """How many may go out. Their intents are committed."""
        self.intended = self.engine.dispatch._intend(self.applied, self.claimed, self._drafted)
        return len(self.intended)

    def up_to_the_wire(self) -> None:
        self.queue()
        self.claim()
        assert self.draft() == self.intend() == 1

    def hand_over(self) -> None:
        """Make the calls, and wait for their records."""
        self.engine.dispatch._calls.begin(self.intended)
        self.engine.dispatch.settle()
