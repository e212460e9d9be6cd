"""The protocol with one thing wrong each. Every one must be caught by the harness: one that is not means that the
harness is too weak.

A mutant replaces a piece of the engine's source, in memory. Should that piece change, the mutant says so.
"""

from __future__ import annotations
import __future__

import importlib
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from textwrap import dedent
from types import FunctionType
from typing import Any

import pytest

Change = Callable[[pytest.MonkeyPatch], None]


@dataclass(frozen=True, slots=True)
class Mutant:
    name: str
    changes: tuple[Change, ...]

    @contextmanager
    def at_work(self) -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            for change in self.changes:
                change(patch)
            yield


def says(where: str, old: str, new: str) -> Change:
    """A function, `module:name` or `module:Class.name`, that says `new` where it says `old`, once."""

    def change(patch: pytest.MonkeyPatch) -> None:
        module_name, _, path = where.partition(":")
        module = importlib.import_module(module_name)
        owner: Any = module
        *outer, name = path.split(".")
        for part in outer:
            owner = getattr(owner, part)
        found = inspect.getattr_static(owner, name)
        function = found.fget if isinstance(found, property) else inspect.unwrap(getattr(owner, name))
        source = getattr(function, "mutated", None) or _in_its_place(function)
        assert source.count(old) == 1, f"{where} does not say “{old}” once"
        made = _made(source.replace(old, new), module, name)
        if outer:
            patch.setattr(owner, name, made)
        else:
            _everywhere(patch, found, made)

    return change


def _in_its_place(function: Any) -> str:
    """Its source, on the lines where it stands: the boundaries are named after them."""
    lines, first = inspect.getsourcelines(function)
    return "\n" * (first - 1) + dedent("".join(lines))


def _made(source: str, module: Any, name: str) -> Any:
    names: dict[str, Any] = dict(vars(module))
    exec(compile(source, module.__file__ or name, "exec", __future__.annotations.compiler_flag), names)
    made = names[name]
    if isinstance(made, FunctionType):  # with the module's own names, patched or not
        made = FunctionType(made.__code__, vars(module), name, made.__defaults__, made.__closure__)
        made.__kwdefaults__ = names[name].__kwdefaults__
        vars(made)["mutated"] = source
    return made


def _everywhere(patch: pytest.MonkeyPatch, old: object, new: object) -> None:
    """Also where it was imported by its name."""
    for module in [module for name, module in sys.modules.items() if name.startswith(("engage.", "tests.harness."))]:
        for name, value in list(vars(module).items()):
            if value is old:
                patch.setattr(module, name, new)


def is_now(where: str, expression: str) -> Change:
    """A constant of a module, by an expression in that module's own words."""

    def change(patch: pytest.MonkeyPatch) -> None:
        module_name, _, name = where.partition(":")
        module = importlib.import_module(module_name)
        made = eval(expression, dict(vars(module)))
        assert str(made) != str(getattr(module, name)), f"{where} is that as it is"
        patch.setattr(module, name, made)

    return change


DISPATCH, STORE, PROTOCOL = "engage.runtime.dispatch", "engage.store.dispatching", "engage.core.delivery"
JUDGE, DRAFTING = "engage.runtime.judge:Judge", "engage.runtime.drafting:Drafting"
ADVANCE, DOING = "engage.runtime.advance:Advance", "engage.runtime.doing:Doing"
RECORDING, HANDOVER = "engage.runtime.recording", "engage.runtime.handover"
_UNRESOLVED = "return _unresolved(detail, repeat_until, repeats_left, now)"
_ON_REPEAT = "return _unresolved(said, repeat_until, repeats_left, now)"

_QUEUED_NOW = "dispatching.queue(self.connection, self._messages, self.now)"
_KEPT_FOR_LATER = "self.later = [*vars(self).get('later', []), *self._messages]"
_QUEUED_LATER = """done = self._due.together_or_singly()
    doing = vars(self).pop("doing", None)
    if doing is not None:
        from engage.store.dispatching import queue
        self._due._do(lambda connection: queue(connection, vars(doing).get("later", []), doing.now))
    return done"""


def _mutant(name: str, *changes: Change) -> Mutant:
    return Mutant(name, changes)


MUTANTS: Sequence[Mutant] = (
    # --- intent and wire
    _mutant(
        "the call is made before the intent is committed",
        says(
            f"{DISPATCH}:Dispatch._intend",
            "        dispatching.begin_sending(",
            "        self._calls.begin(intended)\n        dispatching.begin_sending(",
        ),
        says(f"{DISPATCH}:Dispatch._intend", "return intended\n", "return []\n"),
    ),
    _mutant(
        "the deadline is not looked at",
        says(f"{HANDOVER}:call", "if not _is_fresh(intended, called_at, context.clock.uptime()):", "if False:"),
    ),
    _mutant("the intent stores no bytes", says(f"{DISPATCH}:_intent_of", '"payload": data,', '"payload": None,')),
    _mutant(
        "who has lost the claim goes on",
        says(f"{STORE}:still_held", "if expected[row.id] == (row.fence, row.status)", ""),
    ),
    _mutant("an intent counts as sent", says(f"{STORE}:_intent", '"status": Status.SENDING', '"status": Status.SENT')),
    # --- record
    _mutant(
        "a timeout is tried again",
        says(f"{PROTOCOL}:record", _UNRESOLVED, "return Recorded(Status.PENDING, detail, due_at=now)"),
    ),
    _mutant("a timeout counts as sent", says(f"{PROTOCOL}:record", _UNRESOLVED, "return Recorded(Status.SENT)")),
    _mutant(
        "a timeout counts as failed",
        says(f"{PROTOCOL}:record", _UNRESOLVED, 'return Recorded(Status.FAILED, "timeout", failover=True)'),
    ),
    _mutant(
        "a 429 on a repeat forgets the first call",
        says(f"{PROTOCOL}:record", _ON_REPEAT, "return Recorded(Status.PENDING, said, due_at=now + REPEAT_AFTER)"),
    ),
    _mutant(
        "a refusal on a repeat settles it",
        says(f"{PROTOCOL}:record", _ON_REPEAT, "return Recorded(Status.FAILED, said, failover=True)"),
    ),
    _mutant(
        "a refusal is ambiguous",
        says(
            f"{PROTOCOL}:record",
            'return Recorded(Status.PENDING, f"{failure} ({code}) {detail}".strip(), due_at=now + wait)',
            'return Recorded(Status.AMBIGUOUS, "refused")',
        ),
    ),
    _mutant(
        "the fence is not checked when the outcome is recorded",
        says(f"{STORE}:_as_it_stands", "if row.fence != call.claimed.fence:", "if False:"),
        says(f"{STORE}:_who", ', "fence": claimed.fence', ""),
        is_now(f"{STORE}:_MINE", '("bucket", "id")'),
    ),
    # --- claim and reconcile
    _mutant(
        "the fence is not raised",
        says(f"{STORE}:held", "fence=row.fence + 1", "fence=row.fence"),
        is_now(
            f"{STORE}:_HELD",
            '_THESE.values(status=bindparam("is_now"), due_at=bindparam("until", type_=Instant()), claimed_at=_NOW)',
        ),
    ),
    _mutant(
        "the reaper resets to pending",
        is_now(
            f"{STORE}:_STRANDED",
            "_THESE.where(D.status == Status.SENDING).values(status=Status.PENDING, due_at=_NOW)",
        ),
    ),
    _mutant(
        "the reaper makes a claim ambiguous",
        is_now(
            f"{STORE}:_RELEASED",
            "_THESE.where(D.status == Status.CLAIMED).values(status=Status.AMBIGUOUS, reason='?', due_at=None)",
        ),
    ),
    _mutant("nobody reaps", says(f"{STORE}:expire_leases", "    if not rows:\n", "    if True:\n")),
    # --- repeats
    _mutant(
        "the dedupe window is looked at by the reconciler only",
        says(f"{DISPATCH}:_last_word", "if ends is not None and", "if False and"),
        says(f"{HANDOVER}:_is_fresh", "claimed.repeat_until if claimed.repeat else None", "None"),
        says(
            f"{STORE}:held",
            "known_until = row.repeat_until if row.repeat_until is not None and row.repeat_until > now else None",
            "known_until = row.repeat_until",
        ),
        says(f"{STORE}:still_held", "    expected =", "    return {c.id for c in claimed}\n    expected ="),
    ),
    _mutant("a repeat is worded anew", says(f"{DRAFTING}._word", "if claimed.repeat:", "if False:")),
    _mutant("every step repeats", says(f"{STORE}:_row", '"repeats_left": message.repeats_left', '"repeats_left": 2')),
    _mutant(
        "repeats are not counted",
        says(
            f"{STORE}:Claimed.repeats_left_then",
            "self.repeats_left - 1 if self.unsheltered else self.repeats_left",
            "self.repeats_left",
        ),
    ),
    _mutant(
        "a repeat waits for nothing",
        is_now(f"{PROTOCOL}:REPEAT_PAUSE", "timedelta(seconds=5)"),
        is_now(f"{STORE}:REPEAT_PAUSE", "REPEAT_PAUSE / 120"),
        is_now(f"{RECORDING}:REPEAT_PAUSE", "REPEAT_PAUSE / 120"),
    ),
    # --- judging
    _mutant(
        "nothing is judged again in the intent",
        says(f"{DISPATCH}:_last_word", "return draft if isinstance(verdict, Clear) else verdict", "return draft"),
    ),
    _mutant(
        "a pause is read at the claim only",
        says(
            f"{DISPATCH}:Dispatch._intend",
            "judge = Judge(self._context, applied, situation)",
            "earlier = drafted.situation\n"
            "        situation.paused, situation.resting = earlier.paused, earlier.resting\n"
            "        judge = Judge(self._context, applied, situation)",
        ),
    ),
    _mutant(
        "consent is read at the draft only",
        says(
            f"{DISPATCH}:Dispatch._intend",
            "judge = Judge(self._context, applied, situation)",
            "situation.consents = drafted.situation.consents\n        judge = Judge(self._context, applied, situation)",
        ),
    ),
    _mutant(
        "a goal is read at the draft only",
        says(
            f"{DISPATCH}:Dispatch._intend",
            "judge = Judge(self._context, applied, situation)",
            "situation.ended = drafted.situation.ended\n        judge = Judge(self._context, applied, situation)",
        ),
    ),
    _mutant(
        "a pause of a channel stops nothing",
        says("engage.runtime.situation:_resting", 'if f"channel:{name}" in paused', "if False"),
    ),
    _mutant(
        "a cap is not reserved inside a batch",
        says(
            f"{JUDGE}.reserve",
            "self.situation.reserve(claimed, clear.channel, uses_window=clear.way.uses_window)",
            "return",
        ),
    ),
    _mutant(
        "a cap counts only what surely arrived",
        says(f"{JUDGE}._over_cap", "spent = self.situation.spent.get(claimed.member.id, [])", "spent = []"),
    ),
    _mutant(
        "the quiet hours are open",
        says("engage.core.eligibility:may_send_from", "    just_acted =", "    return now\n    just_acted ="),
    ),
    _mutant(
        "unfollowing changes nothing",
        says(
            "engage.store.reaching:change_status",
            "connection.execute(_CHANGED, _this(ref, channel) | told).rowcount == 1",
            "True",
        ),
    ),
    _mutant(
        "a fallback goes out while the first is ambiguous",
        says(
            f"{PROTOCOL}:_unresolved", 'detail or "no answer", due_at=', 'detail or "no answer", failover=True, due_at='
        ),
        says(f"{JUDGE}._follow_up_stopped", "hop.status in (Status.AMBIGUOUS, Status.SENDING)", "False"),
    ),
    _mutant(
        "a fallback goes out after a click",
        says(f"{JUDGE}._follow_up_stopped", "if claimed.key in self.situation.taken_up:", "if False:"),
    ),
    # --- words and addresses
    _mutant(
        "somebody else's address",
        says(
            f"{JUDGE}._standing",
            'address=point["address"] if point is not None else None',
            'address=next((p["address"] for (_, c), p in self.situation.points.items() if c == channel), None)',
        ),
    ),
    _mutant(
        "somebody else's words",
        says(
            "engage.runtime.drafting:_words_for",
            "known.profiles.get(claimed.member.id, ",
            "dict(enumerate(known.profiles.values())).get(0, ",
        ),
    ),
    # --- what comes in, what moves
    _mutant(
        "the last receipt counts",
        says("engage.store.receiving:_after", "if _RANK[told.arrival] > _RANK[current] else row", ""),
    ),
    _mutant(
        "a receipt settles nothing", says("engage.store.receiving:_after", "if row.status in _NOT_KNOWN:", "if False:")
    ),
    _mutant("an early receipt is lost", says("engage.store.inbound:lay_by", "if given:", "if False:")),
    _mutant(
        "a move forgets what it queued",
        says(
            f"{STORE}:queue",
            "add_rows(connection, delivery, rows,",
            "add_rows(connection, delivery, rows[: len(rows) if now.second % 5 else 0],",
        ),
    ),
    _mutant(
        "the move and what it queues are two transactions",
        says(f"{DOING}._flush_messages", _QUEUED_NOW, _KEPT_FOR_LATER),
        says(
            f"{ADVANCE}._move",
            "Doing(connection, applied, now)",
            "vars(self).update(doing=Doing(connection, applied, now)) or self.doing",
        ),
        says(f"{ADVANCE}.tick", "return self._due.together_or_singly()", _QUEUED_LATER),
    ),
    _mutant(
        "a message's key is not unique",
        says(f"{STORE}:_row", '"message_key": message.key', '"message_key": f"{message.key}/{delivery_id}"'),
    ),
    _mutant(
        "a webhook call has a new key each time",
        says(
            "engage.runtime.calling:Calling._call",
            "caller.call(call.body, call.key,",
            'caller.call(call.body, f"{call.key}/{call.attempts}",',
        ),
    ),
)

# Something else holds what these let go: a run that ends takes back its messages, also while they are being worded; and
# after a click the next message puts an end to the fallback. In thirty worlds nobody has noticed them.
HELD_TWICE = frozenset({"a goal is read at the draft only", "a fallback goes out after a click"})
SEEN_IN: Mapping[str, int] = {
    "the fence is not checked when the outcome is recorded": 9,
    "a repeat is worded anew": 1,
    "consent is read at the draft only": 1,
    "unfollowing changes nothing": 1,
}
"""The world in which each was noticed last, if not in the first: it is tried before the others."""
