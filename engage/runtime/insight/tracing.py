"""`engage trace`: one thing on its way through the system, from the raw callback to what came of it. Reads only.

A thing is found by any handle somebody may have of it: our own numbers, the provider's id, a message's key, an order's
number, a signed link, an address. What is told is what was written down on the way, in the order it happened; only a
raw record is read once more, by the parser that read it then.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from engage.core.delivery import Status
from engage.core.fact import read_at
from engage.core.quiet import zone_of
from engage.core.redaction import redacted
from engage.runtime.context import Context
from engage.runtime.insight.finding import members_meant
from engage.runtime.receiving.receive import OWN_SOURCES, facts_of
from engage.store import members, state
from engage.store.insight import tracing
from engage.store.members import MemberRef
from engage.store.statements.ids import is_an_id
from engage.store.tables import Row

_MOST_LISTED = 20  # of a member's deliveries and events
_SIGNED = re.compile(r"/([csu])/([\w-]+)")
_OUR_KEY = re.compile(r"engage-(\d{1,18})")  # the idempotency key that providers see


class Kind(StrEnum):
    DELIVERY = "delivery"
    INBOUND = "inbound"
    EVENT = "event"
    TASK = "task"
    RUN = "run"
    MEMBER = "member"


_NUMBERED = (Kind.DELIVERY, Kind.INBOUND, Kind.EVENT, Kind.TASK, Kind.RUN)


@dataclass(frozen=True, slots=True)
class Match:
    """Something a handle leads to. `about`: enough to tell it from the others."""

    kind: Kind
    id: int
    row: Mapping[str, Any]

    @property
    def handle(self) -> str:
        return f"{self.kind}:{self.id}"


@dataclass(frozen=True, slots=True)
class Link:
    """One moment of the chain; `what` names the sentence that is shown, `facts` what it speaks of. `at` None: it has
    not happened yet."""

    at: datetime | None
    what: str
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Chain:
    """`member`: whose it is, as (our id, the shop's id, name), if it is anybody's. `raw`: the record as it came,
    without its secrets."""

    match: Match
    zone: ZoneInfo
    member: tuple[int, str | None, str | None] | None
    links: tuple[Link, ...]
    raw: str | None = None


@dataclass(frozen=True, slots=True)
class Tracer:
    context: Context
    connection: Connection

    # --- finding ------------------------------------------------------------------------------------------------

    def find(self, handle: str) -> list[Match]:
        """Everything the handle may mean. `delivery:12` means one thing only."""
        kind, colon, rest = handle.partition(":")
        if colon and kind in list(Kind) and is_an_id(rest):
            return self._numbered(int(rest), [Kind(kind)])
        found = [*self._signed(handle), *self._named(handle)]
        if is_an_id(handle):
            found += self._numbered(int(handle), _NUMBERED)
        return list({match.handle: match for match in found}.values())

    def _numbered(self, number: int, kinds: Sequence[Kind]) -> list[Match]:
        rows = [(kind, tracing.by_id(self.connection, kind, number)) for kind in kinds if kind in _NUMBERED]
        found = [Match(kind, number, row) for kind, row in rows if row is not None]
        if Kind.MEMBER in kinds:
            found += [self._member(ref) for ref in members.lookup(self.connection, str(number)) if ref.id == number]
        return found

    def _signed(self, handle: str) -> list[Match]:
        """A link of ours, or the key a provider was given."""
        links = self.context.links
        if signed := _SIGNED.search(handle):
            where, token = signed.groups()
            clicked = links.read_click(token)
            by_link = {"c": clicked[0] if clicked else None, "s": links.read_survey(token)}
            by_link["u"] = links.read_unsubscribe(token)
            number = by_link[where]
        else:
            ours = _OUR_KEY.fullmatch(handle)
            number = int(ours[1]) if ours else None
        return self._numbered(number, [Kind.DELIVERY]) if number is not None else []

    def _named(self, handle: str) -> Iterator[Match]:
        sources = [*self.context.sources, *OWN_SOURCES]
        for row in tracing.deliveries_named(self.connection, handle, self.context.channels):
            yield Match(Kind.DELIVERY, row["id"], row)
        for row in tracing.inbound_named(self.connection, handle, sources):
            yield Match(Kind.INBOUND, row["id"], row)
        for row in tracing.events_named(self.connection, handle):
            yield Match(Kind.EVENT, row["id"], row)
        if not handle.isdecimal() or len(handle) > 6:  # a phone number, not one of our own small numbers
            yield from (self._member(ref) for ref in members_meant(self.connection, handle))

    def _member(self, ref: MemberRef) -> Match:
        return Match(Kind.MEMBER, ref.id, {"bucket": ref.bucket, "member_id": ref.id})

    # --- following ----------------------------------------------------------------------------------------------

    def follow(self, match: Match) -> Chain:
        row = match.row
        raw = redacted(row["body"]) if match.kind is Kind.INBOUND else None
        if match.kind is Kind.INBOUND:
            links, ref = self._inbound(row)
        else:
            ref = MemberRef(row["bucket"], row["member_id"])
            follow = {
                Kind.DELIVERY: self._delivery,
                Kind.EVENT: self._event,
                Kind.TASK: self._task,
                Kind.RUN: self._run,
                Kind.MEMBER: self._of_member,
            }[match.kind]
            links = list(follow(ref, row))
        zone, who = self._whose(ref)
        return Chain(match, zone, who, tuple(_in_order(links)), raw)

    def _whose(self, ref: MemberRef | None) -> tuple[ZoneInfo, tuple[int, str | None, str | None] | None]:
        catalog = self.context.applied.current().catalog
        if ref is None:
            return zone_of(None, catalog.timezone), None
        profile = members.profiles(self.connection, catalog, [ref], self.context.clock.now())[ref.id]
        who = (ref.id, profile.external_id, profile.values.get("name"))
        return zone_of(profile.timezone, catalog.timezone), who

    def _delivery(self, ref: MemberRef, row: Mapping[str, Any]) -> Iterator[Link]:
        yield from self._origin(ref, row)
        yield from _protocol(row, paused=state.ALL in state.paused(self.connection))
        for hop in tracing.hops_of(self.connection, ref, row["message_key"]):
            if hop["id"] != row["id"]:
                facts = {"hop": hop["hop"], "delivery": hop["id"], "status": hop["status"], "channel": hop["channel"]}
                yield Link(hop["queued_at"], "other_hop", facts)
        for heard in tracing.events_of(self.connection, ref, delivery_id=row["id"]):
            yield _heard(heard)
            yield from self._followed(ref, heard)
        if (run_id := row["enrolment_id"]) is not None:
            yield from self._answers(ref, run_id, row["id"])

    def _answers(self, ref: MemberRef, run_id: int, delivery_id: int) -> Iterator[Link]:
        for given in tracing.answers_to(self.connection, ref, run_id, delivery_id):
            facts = {name: given[name] for name in ("id", "step_id", "score", "choice", "comment")}
            yield Link(given["answered_at"], "answer", facts)

    def _origin(self, ref: MemberRef, row: Mapping[str, Any]) -> Iterator[Link]:
        """The run whose step queued it, and what that step decided."""
        run_id = row["enrolment_id"]
        if run_id is None:
            return
        run = next(run for run in tracing.runs_of(self.connection, ref) if run["id"] == run_id)
        yield Link(run["entered_at"], "run", _run_facts(run))
        for told in tracing.decisions_of(self.connection, ref, [run_id]):
            if told["step_id"] == row["step_id"]:
                yield _decision(told)

    def _event(self, ref: MemberRef, row: Mapping[str, Any]) -> Iterator[Link]:
        if row["inbound_id"] is not None:
            record = tracing.by_id(self.connection, Kind.INBOUND, row["inbound_id"])
            yield from _stored(record) if record is not None else ()
        yield _heard(row)
        yield from self._followed(ref, row)

    def _inbound(self, row: Mapping[str, Any]) -> tuple[list[Link], MemberRef | None]:
        links = list(_stored(row))
        if row["status"] == "new":
            return links, None
        try:
            facts = facts_of(self.context.sources, row["source"], row["body"])
        except ValueError as error:
            return [*links, Link(row["processed_at"], "unreadable", {"error": str(error)})], None
        told = [
            {"fact": type(fact).__name__} | asdict(read_at(fact, row["processed_at"] or row["received_at"]))
            for fact in facts
        ]
        links += [Link(row["processed_at"], "fact", one) for one in told]
        refs = sorted({ref for one in told for ref in self._concerned(one)})
        for ref in refs:
            for heard in tracing.events_of(self.connection, ref, inbound_id=row["id"]):
                links += [_heard(heard), *self._followed(ref, heard)]
            links += self._by_record(ref, row["id"])
        return links, refs[0] if refs else None

    def _concerned(self, fact: Mapping[str, Any]) -> Iterator[MemberRef]:
        """Whom a fact is about: by the shop's id, an address, a delivery, or the provider's id."""
        if fact.get("member"):
            yield from members.find(self.connection, members.MEMBER_KIND, [fact["member"]]).values()
        if fact.get("address") and fact.get("channel"):
            yield from members.find(self.connection, fact["channel"], [fact["address"]]).values()
        rows: list[Row | None] = []
        if fact.get("delivery_id") is not None:
            rows.append(tracing.by_id(self.connection, Kind.DELIVERY, fact["delivery_id"]))
        if fact.get("provider_id"):
            rows += tracing.deliveries_named(self.connection, fact["provider_id"], [fact["channel"]])
        for row in rows:
            if row is not None:
                yield MemberRef(row["bucket"], row["member_id"])

    def _by_record(self, ref: MemberRef, inbound_id: int) -> Iterator[Link]:
        """What bears the record's number in its key: tasks for a person, the confirmation of an opt-out."""
        for opened in tracing.tasks_keyed(self.connection, ref, [f"inbox:{inbound_id}"], f"address:{inbound_id}:"):
            yield from self._task(ref, opened)
        for sent in tracing.hops_of(self.connection, ref, f"confirm:{inbound_id}"):
            yield _queued(sent)

    def _task(self, ref: MemberRef, row: Mapping[str, Any]) -> Iterator[Link]:
        names = ("id", "team", "words", "urgent", "due_at", "enrolment_id", "journey_id", "step_id")
        yield Link(row["opened_at"], "task", {name: row[name] for name in names})
        for told in tracing.notices_of(self.connection, row["bucket"], row["id"]):
            facts = {name: told[name] for name in ("team", "status", "attempts", "reason")}
            yield Link(told["due_at"], "notice", facts)
        if row["closed_at"] is not None:
            yield Link(row["closed_at"], "task_closed", {name: row[name] for name in ("id", "closed_by", "outcome")})

    def _run(self, ref: MemberRef, row: Mapping[str, Any]) -> Iterator[Link]:
        yield Link(row["entered_at"], "run", _run_facts(row))
        yield from (_decision(told) for told in tracing.decisions_of(self.connection, ref, [row["id"]]))
        for sent in tracing.deliveries_of(self.connection, ref, 1000):
            if sent["enrolment_id"] == row["id"]:
                yield _queued(sent)

    def _of_member(self, ref: MemberRef, _: Mapping[str, Any]) -> Iterator[Link]:
        yield from map(_queued, tracing.deliveries_of(self.connection, ref, _MOST_LISTED))
        yield from map(_heard, tracing.events_of(self.connection, ref, most=_MOST_LISTED))

    def _followed(self, ref: MemberRef, heard: Mapping[str, Any]) -> Iterator[Link]:
        """What an event has moved: runs it began, waits it ended, goals, and what those runs then queued."""
        runs = {run["id"]: run for run in tracing.runs_of(self.connection, ref)}
        for run in runs.values():
            if run["occurrence"] == f"event:{heard['id']}":
                yield Link(run["entered_at"], "run", _run_facts(run))
        sent = tracing.deliveries_of(self.connection, ref, 1000)
        for told in tracing.decisions_of(self.connection, ref, list(runs)):
            if _is_moved_by(told, runs[told["enrolment_id"]], heard):
                yield _decision(told)
                then = (told["enrolment_id"], told["at"])
                yield from (_queued(row) for row in sent if (row["enrolment_id"], row["queued_at"]) == then)


def _is_moved_by(told: Mapping[str, Any], run: Mapping[str, Any], heard: Mapping[str, Any]) -> bool:
    name, at = heard["name"], heard["at"]
    match told["what"]:
        case "happened":
            return bool(told["detail"].get("event") == name and told["detail"].get("at") == at.isoformat())
        case "answered":
            return bool(
                name == "answered" and (run["id"], told["step_id"]) == (heard["enrolment_id"], heard["step_id"])
            )
        case "exit":
            by_goal = told["detail"].get("kind") == "goal" and run["goal_at"] == at
            by_rule = told["detail"].get("reason") == name and told["at"] >= heard["recorded_at"]
            return bool(by_goal or by_rule)
        case _:
            return False


_CAUSES_FIRST = (
    *("received", "read", "fact", "unreadable", "event", "answer", "run", "decided", "queued", "claimed", "intended"),
    *("called", "recorded", "arrival", "stands", "other_hop", "task", "notice", "task_closed"),
)

# --- links ------------------------------------------------------------------------------------------------------


def _in_order(links: Sequence[Link]) -> list[Link]:
    """Each once, by time; at one moment causes before what they led to."""
    once = {(link.what, link.at, repr(link.facts)): link for link in links}
    return sorted(once.values(), key=lambda link: (link.at is None, link.at, _CAUSES_FIRST.index(link.what)))


def _protocol(row: Mapping[str, Any], *, paused: bool) -> Iterator[Link]:
    """Each state of the send protocol with its moment. Of several attempts the last one has left its moments. While
    everything is `paused` nothing is claimed, and so nothing is written down about it."""
    yield _queued(row)
    if row["claimed_at"] is not None:
        yield Link(row["claimed_at"], "claimed", {"fence": row["fence"], "held_back": row["held_back"]})
    if row["sent_at"] is not None:
        names = ("attempts", "channel", "address", "mode", "payload_hash", "segments", "cost")
        yield Link(row["sent_at"], "intended", {name: row[name] for name in names})
    if row["called_at"] is not None:
        yield Link(row["called_at"], "called", {"channel": row["channel"]})
    outcome = {name: row[name] for name in ("status", "provider_id", "code", "reason", "due_at")}
    if paused and row["status"] == Status.PENDING:
        outcome["reason"] = "paused"
    settled_at = row["recorded_at"] or row["claimed_at"]
    yield Link(settled_at, "recorded" if row["recorded_at"] is not None else "stands", outcome)
    if row["arrival"] is not None:
        yield Link(row["arrival_at"], "arrival", {"arrival": row["arrival"], "code": row["code"]})


def _queued(row: Mapping[str, Any]) -> Link:
    names = ("id", "journey_id", "step_id", "template", "purpose", "hop", "message_key", "status", "channel")
    return Link(row["queued_at"], "queued", {name: row[name] for name in names})


def _heard(row: Mapping[str, Any]) -> Link:
    names = ("id", "name", "at", "payload", "inbound_id", "delivery_id", "step_id")
    return Link(row["recorded_at"], "event", {name: row[name] for name in names})


def _decision(row: Mapping[str, Any]) -> Link:
    names = ("enrolment_id", "step_id", "what", "detail")
    return Link(row["at"], "decided", {name: row[name] for name in names})


def _run_facts(row: Mapping[str, Any]) -> dict[str, Any]:
    names = ("id", "journey_id", "version", "occurrence", "holdout", "status", "step_id", "due_at")
    return {name: row[name] for name in names}


def _stored(row: Mapping[str, Any]) -> Iterator[Link]:
    yield Link(row["received_at"], "received", {name: row[name] for name in ("id", "source", "key")})
    if row["processed_at"] is not None:
        yield Link(row["processed_at"], "read", {"status": row["status"], "error": row["error"]})
