"""One round of the send protocol, taken step by step, so that a test can let things happen between two of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from engage.clock import VirtualClock
from engage.runtime.applied import Applied
from engage.runtime.dispatch import Draft, Ready
from engage.runtime.engine import Engine
from engage.store import dispatching
from engage.store.dispatching import Claimed


@dataclass
class DispatchByHand:
    engine: Engine
    applied: Applied
    clock: VirtualClock
    claimed: Sequence[Claimed] = ()
    ready: list[Ready] = field(default_factory=list)
    _drafts: Mapping[int, Draft] = field(default_factory=dict)

    def claim(self) -> None:
        with self.engine.context.database.write() as connection:
            self.claimed = dispatching.claim(connection, self.clock.now(), 100)

    def draft(self) -> None:
        self._drafts = self.engine.dispatch._draft(self.applied, self.claimed)

    @property
    def worded(self) -> int:
        return sum(isinstance(draft, Ready) for draft in self._drafts.values())

    def intend(self) -> list[Ready]:
        self.ready = self.engine.dispatch._intend(self.applied, self.claimed, self._drafts)
        return self.ready

    def submit(self) -> None:
        """Make the calls, and wait for their records."""
        for ready in self.ready:
            self.engine.dispatch._submit(self.applied, ready)
        self.engine.dispatch.settle()
