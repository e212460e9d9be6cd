"""The protocol with one thing wrong each. Every one must be caught by the harness: one that is not means that the
harness is too weak."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.harness.mutation import Change, Mutant, is_now, says
from tests.harness.weather import FROST, LEAP, OUTAGE, STORM, TROUBLE, Weather

DISPATCH, STORE, PROTOCOL = "engage.runtime.dispatching.dispatch", "engage.store.dispatching", "engage.core.delivery"
JUDGE, DRAFTING = "engage.runtime.dispatching.judge:Judge", "engage.runtime.dispatching.drafting:Drafting"
ADVANCE, DOING = "engage.runtime.advancing.advance:Advance", "engage.runtime.advancing.doing:Doing"
RECORDING, HANDOVER = "engage.runtime.dispatching.recording", "engage.runtime.dispatching.handover"
SITUATION, LAST_GATE = "engage.runtime.dispatching.situation", "engage.runtime.dispatching.last_gate:LastGate"
REACHING, BATCH = "engage.store.reaching", "engage.runtime.advancing.advance:_Batch"
_UNRESOLVED = "return _unresolved(detail, repeat_until, repeats_left, now)"
_ON_REPEAT = "return _unresolved(said, repeat_until, repeats_left, now)"

_QUEUED_NOW = "dispatching.queue(self.connection, self._messages, self.now)"
_KEPT_FOR_LATER = "self.later = [*vars(self).get('later', []), *self._messages]"
_QUEUED_LATER = """moved = self._due.together_or_singly()
    doing = vars(self).pop("doing", None)
    if doing is not None:
        from engage.store.dispatching import queue
        self._due._do(lambda connection: queue(connection, vars(doing).get("later", []), doing.now))"""


_CALLED = "outcome = await channel.send(intended.ready.payload, CALL_TIMEOUT.total_seconds())"
_NOT_SET_BACK = "intended.at <= now and max(now, intended.at + timedelta(seconds=uptime - intended.uptime)) < until"
_TAKES_NOTHING_BACK = says(
    f"{DOING}.cancel_messages",
    "self._overtaken[why, only_follow_ups].append((run.member.bucket, run.id))",
    "pass",
)


def _mutant(name: str, *changes: Change, weather: Weather = STORM) -> Mutant:
    return Mutant(name, changes, weather)


def _at_the_draft_only(what: str, name: str, *besides: Change) -> Mutant:
    """The intent's transaction goes by what was known when the message was worded."""
    judge = "judge = Judge(self._context, applied, situation)"
    earlier = f"situation.{what} = drafted.situation.{what}\n        {judge}"
    return _mutant(name, says(f"{DISPATCH}:Dispatch._intend", judge, earlier), *besides)


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
        "a call that was not answered is made once more",
        says(
            f"{HANDOVER}:call", _CALLED, f"{_CALLED}\n        if isinstance(outcome, Unknown):\n            {_CALLED}"
        ),
    ),
    _mutant("the deadline is five minutes", is_now(f"{HANDOVER}:WIRE_DEADLINE", "timedelta(minutes=5)")),
    _mutant(
        "the deadline is not looked at",
        says(f"{HANDOVER}:call", "if not _is_fresh(intended, called_at, context.clock.uptime()):", "if False:"),
    ),
    _mutant(
        "the deadline is looked at by the servers' clock only",
        says(f"{HANDOVER}:_is_fresh", _NOT_SET_BACK, "now < until"),
        weather=LEAP,
    ),
    _mutant("the intent stores no bytes", says(f"{DISPATCH}:_intent_of", '"payload": data,', '"payload": None,')),
    _mutant(
        "who has lost the claim goes on",
        says(f"{STORE}:still_held", "if expected[row.id] == (row.fence, row.status)", ""),
    ),
    _mutant("an intent counts as sent", says(f"{STORE}:_intent", '"status": Status.SENDING', '"status": Status.SENT')),
    # --- record
    _mutant(
        "a channel with a fault counts as a refusal",
        says(
            f"{HANDOVER}:call",
            'outcome = Unknown(f"{type(error).__name__} while sending")',
            "from engage.core.outcome import Failure, Rejected\n"
            '        outcome = Rejected(Failure.PROVIDER_ERROR, "a fault")',
        ),
    ),
    _mutant(
        "an account's troubles use up a message's attempts",
        says(f"{STORE}:_outcome", "if not recorded.counts:", "if False:"),
        weather=TROUBLE,
    ),
    _mutant("there is no end of attempts", is_now(f"{PROTOCOL}:MOST_ATTEMPTS", "60"), weather=TROUBLE),
    _mutant("after an error it is tried again at once", is_now(f"{PROTOCOL}:_BACKOFF", "(timedelta(seconds=1),)")),
    _mutant(
        "a quota that is used up keeps nobody from calling",
        says(f"{SITUATION}:_resting", "for name, at in until.items()", "for name, at in ()"),
        weather=TROUBLE,
    ),
    _mutant(
        "an address that is none is written to again",
        says("engage.runtime.dispatching.addresses:mark_address", "if status is None:", "if True:"),
    ),
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
        says(f"{STORE}:_as_it_stands", " or row.fence != call.claimed.fence", ""),
        says(f"{STORE}:_who", ', "fence": claimed.fence', ""),
        is_now(f"{STORE}:_MINE", '("bucket", "id")'),
        weather=FROST,
    ),
    # --- claim and reconcile
    _mutant(
        "the fence is not raised",
        says(f"{STORE}:held", "fence=row.fence + 1", "fence=row.fence"),
        is_now(
            f"{STORE}:_HELD",
            '_THESE.values(status=bindparam("is_now"), due_at=bindparam("until", type_=Instant()), claimed_at=_NOW)',
        ),
        weather=FROST,
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
    _mutant("an intent has no lease", says(f"{STORE}:_intent", '"due_at": now + LEASE', '"due_at": now')),
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
    _mutant(
        "the dedupe window is half an hour", is_now("engage.channels.wechat.way:REPEAT_WITHIN", "timedelta(minutes=30)")
    ),
    _mutant(
        "a repeat that is given back is a first call",
        says(f"{STORE}:_as_before", "if claimed.repeat:", "if False:"),
        weather=OUTAGE,
    ),
    _mutant(
        "a repeat that came too late is a first call",
        says(f"{RECORDING}:_never_called", "        if each.claimed.repeat\n", "        if False\n"),
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
    _at_the_draft_only("consents", "consent is read at the draft only"),
    _at_the_draft_only("ended", "a goal is read at the draft only, and takes no message back", _TAKES_NOTHING_BACK),
    _at_the_draft_only("points", "who has left is read at the draft only"),
    _at_the_draft_only("passed_over", "`only_if` is read at the draft only"),
    _at_the_draft_only("spent", "a cap is read at the draft only"),
    _mutant("it is never too late", says(f"{JUDGE}.judge", "if claimed.late_at is not None and", "if False and")),
    _mutant(
        "a last limit lets everything through",
        says(f"{LAST_GATE}.last_word", "self._stopped(draft) or self._too_many(draft) or ", ""),
        weather=OUTAGE,
    ),
    _mutant(
        "a pause of a channel stops nothing",
        says(f"{SITUATION}:_resting", 'if f"channel:{name}" in paused', "if False"),
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
        "a fallback goes out after a click, and after the next message",
        says(f"{JUDGE}._follow_up_stopped", "if claimed.key in self.situation.taken_up:", "if False:"),
        says(
            f"{JUDGE}._follow_up_stopped",
            "if self.situation.newest.get(run.id, claimed.key) != claimed.key:",
            "if False:",
        ),
        says(
            f"{DOING}._flush_messages",
            'fallbacks.drop_fallbacks(self.connection, self._gone_on, "overtaken by the next message")',
            "pass",
        ),
    ),
    _mutant(
        "a fallback waits for nothing",
        says("engage.runtime.dispatching.follow_up:after_sending", "now + fallback.after, now", "now, now"),
    ),
    _mutant(
        "a fallback goes out while the first is tried again",
        says(
            f"{PROTOCOL}:record",
            'return Recorded(Status.PENDING, f"{failure} ({code}) {detail}".strip(), due_at=now + wait)',
            'return Recorded(Status.PENDING, "later", due_at=now + wait, failover=True)',
        ),
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
            "engage.runtime.dispatching.drafting:_words_for",
            "known.profiles.get(claimed.member.id, ",
            "dict(enumerate(known.profiles.values())).get(0, ",
        ),
    ),
    # --- what comes in, what moves
    _mutant(
        "the shop's list is believed after a no",
        says(f"{REACHING}:put_consents", "kept = set() if own_word or not refs else", "kept = set()  #"),
    ),
    _mutant(
        "a `goto` is not counted",
        says(f"{BATCH}._remember", "jumps = {**run.jumps, goto.id: run.jumps.get(goto.id, 0) + 1}", "jumps = {}"),
    ),
    _mutant(
        "a `goto` is no new visit", says(f"{BATCH}._remember", "run.visit + 1 if back else run.visit", "run.visit")
    ),
    _mutant(
        "what happened is overlooked",
        says(
            "engage.runtime.enrolling.crossings:is_news",
            "return event.name",
            "return event.recorded_at.second % 7 != 0 and event.name",
        ),
    ),
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
        says(f"{ADVANCE}.tick", "moved = self._due.together_or_singly()", _QUEUED_LATER),
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

SEEN_IN: Mapping[str, int] = {
    "an intent counts as sent": 2,
    "a channel with a fault counts as a refusal": 3,
    "an account's troubles use up a message's attempts": 1,
    "there is no end of attempts": 3,
    "a quota that is used up keeps nobody from calling": 6,
    "an address that is none is written to again": 1,
    "a timeout counts as sent": 4,
    "a 429 on a repeat forgets the first call": 5,
    "a refusal on a repeat settles it": 4,
    "the fence is not checked when the outcome is recorded": 6,
    "the fence is not raised": 6,
    "the reaper resets to pending": 1,
    "an intent has no lease": 4,
    "the dedupe window is half an hour": 1,
    "a repeat that is given back is a first call": 11,
    "a repeat that came too late is a first call": 4,
    "a repeat is worded anew": 4,
    "repeats are not counted": 3,
    "consent is read at the draft only": 2,
    "who has left is read at the draft only": 1,
    "`only_if` is read at the draft only": 14,
    "a cap is read at the draft only": 11,
    "a cap is not reserved inside a batch": 9,
    "a pause of a channel stops nothing": 1,
    "unfollowing changes nothing": 1,
    "a fallback waits for nothing": 1,
    "the shop's list is believed after a no": 2,
    "an early receipt is lost": 13,
    "a fallback goes out after a click, and after the next message": 6,
}
"""The world in which each was noticed last, if not in the first: it is tried before the others."""
