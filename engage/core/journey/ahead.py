"""What comes next from a step on, for a member who does not wait there: told before it happens."""

from __future__ import annotations

from collections.abc import Iterator

from engage.core.journey.model import Ask, Branch, Exit, Goto, Send, Step, Wait, WaitFor, Webhook, blocks_of
from engage.core.journey.program import Program


def next_messages(program: Program, step_id: str | None) -> frozenset[str | None]:
    """The messages that may be the very next one, before anything is waited for: the one that is sent, or one of those
    that depend on which way the member takes. None among them: perhaps no message at all."""
    return _Ahead(program).from_step(step_id)


def after_the_wait(program: Program, step_id: str) -> str | None:
    """Where a run goes on when the time of a step has passed."""
    step = program.step(step_id)
    return program.enter(step.otherwise, step_id) if isinstance(step, WaitFor) else program.after(step_id)


class _Ahead:
    def __init__(self, program: Program) -> None:
        self._program = program
        self._known: dict[str | None, frozenset[str | None]] = {None: frozenset({None})}

    def from_step(self, step_id: str | None) -> frozenset[str | None]:
        if step_id is None or step_id in self._known:
            return self._known[step_id]
        self._known[step_id] = frozenset()  # coming round to it brings nothing new
        step = self._program.step(step_id)
        found = self._at(step)
        if step.only_if is not None:
            found |= self.from_step(self._program.after(step_id))
        self._known[step_id] = found
        return found

    def _at(self, step: Step) -> frozenset[str | None]:
        match step:
            case Send(template=template):
                return frozenset({template or step.id})
            case Ask():
                return frozenset({step.id})
            case Wait() | WaitFor() | Webhook() | Exit():
                return frozenset({None})
            case Goto(target=target, at_most=at_most):
                used_up = self.from_step(self._program.after(step.id)) if at_most is not None else frozenset()
                return self.from_step(target) | used_up
            case _:
                return frozenset().union(*map(self.from_step, self._ways(step)))

    def _ways(self, step: Step) -> Iterator[str | None]:
        blocks = blocks_of(step)
        for _, block in blocks:
            yield self._program.enter(block, step.id)
        if not blocks or (isinstance(step, Branch) and step.arms[-1].condition is not None):
            yield self._program.after(step.id)
