"""`when`: what members, the shop and colleagues do while a test runs, one line each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from engage.core.catalog import MEMBER_EVENTS, RESPONSE_EVENTS, Catalog
from engage.core.journey import misfits, scalars
from engage.core.journey import mistakes as form
from engage.core.journey.conditions import read_tags
from engage.core.journey.nodes import Listing, Node, Scalar, Table
from engage.core.journey.options import Options, read_table
from engage.core.journey.vocabulary import CHANNELS
from engage.core.problem import Problem, Said
from engage.core.testfile import mistakes
from engage.core.testfile.model import (
    Answers,
    Changes,
    ClosesTask,
    DayTime,
    Deed,
    Doing,
    Follows,
    Happens,
    Person,
    Responds,
    Says,
)
from engage.core.testfile.moments import read_day_time
from engage.core.testfile.values import read_field, read_payload

# Facts that providers and pages bring about a message; the other responses follow from what members do.
TOLD = ("clicked", "delivered", "bounced", "complained", "unsubscribed")
FOLLOWED = ("wechat",)
_PLACE = Said("`when`", "`when` 里")


@dataclass(frozen=True, slots=True)
class Place:
    """One line of `when` while it is read."""

    table: Table
    person: Person
    catalog: Catalog
    clock: datetime
    problems: list[Problem]

    def options(self, *words: str) -> Options:
        return Options(self.table, ("at", *words), _PLACE, self.problems)

    def channel(self, options: Options, word: str = "channel") -> str | None:
        """A channel that the member has."""
        node = options.node(word)
        found = scalars.scalar(node, form.word(word), self.problems) if node is not None else None
        if found is None:
            return None
        if found.text not in CHANNELS:
            self.problems.append(misfits.unknown("channel", found.span, found.text, CHANNELS))
        elif found.text not in self.person.reaches:
            self.problems.append(mistakes.no_address(found.span, self.person.name, found.text))
        else:
            return found.text
        return None


def read_deeds(
    node: Node, person: Person, catalog: Catalog, clock: datetime, until: int | None, problems: list[Problem]
) -> list[Deed]:
    """`until`: the last day of the test, if it has one."""
    if not isinstance(node, Listing):
        wanted = Said("a list of what happens", "一列发生的事")
        problems.append(form.wrong_shape(node.span, form.word("when"), wanted))
        return []
    read = (_deed(item, person, catalog, clock, until, problems) for item in node.items)
    return [deed for deed in read if deed is not None]


def _deed(
    node: Node, person: Person, catalog: Catalog, clock: datetime, until: int | None, problems: list[Problem]
) -> Deed | None:
    table = read_table(node, form.word("when"), problems, "{ at: day 0 12:00, event: clicked }")
    if table is None:
        return None
    verbs = [word for word in READERS if table.entry(word) is not None]
    if not verbs:
        problems.append(mistakes.what_happens(table.span, tuple(READERS)))
        return None
    doing = READERS[verbs[0]](Place(table, person, catalog, clock, problems))
    at = _moment(table, clock, until, problems)
    return Deed(at, doing, table.span) if at is not None and doing is not None else None


def _moment(table: Table, clock: datetime, until: int | None, problems: list[Problem]) -> DayTime | None:
    node = table.get("at")
    if node is None:
        problems.append(form.required(table.span, "at", Said("day 0 12:00", "day 0 12:00")))
        return None
    at = read_day_time(node, problems)
    if at is not None and at < DayTime(0, clock.time()):
        problems.append(mistakes.in_the_past(node.span, str(at)))
        return None
    if at is not None and until is not None and at.day > until:
        problems.append(mistakes.after_the_end(node.span, str(at), until))
        return None
    return at


# --- by verb ----------------------------------------------------------------------------------------------------


def _event(place: Place) -> Doing | None:
    node = place.table.get("event")
    found = scalars.scalar(node, form.word("event"), place.problems) if node is not None else None
    if found is None:
        return None
    if found.text in TOLD:
        options = place.options("event", "channel", "link")
        link = options.read("link", lambda node, found: _link(node, place.catalog, found))
        return Responds(found.text, place.channel(options), link)
    if found.text not in place.catalog.events:
        place.problems.append(misfits.unknown("event", found.span, found.text, place.catalog.events))
        return None
    if found.text in RESPONSE_EVENTS or found.text in MEMBER_EVENTS:
        place.problems.append(mistakes.cannot_be_told(found.span, found.text))
        return None
    rest = [entry for entry in place.table.entries if entry.key.text not in ("at", "event")]
    return Happens(found.text, read_payload(rest, found.text, place.catalog, place.problems))


def _link(node: Node, catalog: Catalog, problems: list[Problem]) -> str | None:
    found = scalars.scalar(node, form.word("link"), problems)
    if found is not None and found.text not in catalog.brand.links:
        what = Said("a link of the catalog", "目录里的链接")
        problems.append(form.not_one_of(found.span, found.text, what, tuple(catalog.brand.links)))
    return found.text if found is not None else None


def _answer(place: Place) -> Doing | None:
    options = place.options("answer", "comment", "channel")
    answer, comment = options.read("answer", scalars.text), options.read("comment", scalars.text)
    return Answers(answer, comment, place.channel(options)) if answer or comment else None


def _text(place: Place) -> Doing | None:
    options = place.options("text", "channel")
    words = options.read("text", scalars.text)
    return Says(words, place.channel(options)) if words is not None else None


def _follow(place: Place) -> Doing | None:
    return _follows(place, "follow", follows=True)


def _unfollow(place: Place) -> Doing | None:
    return _follows(place, "unfollow", follows=False)


def _follows(place: Place, word: str, *, follows: bool) -> Doing | None:
    """Only an account of WeChat can be followed."""
    node = place.table.get(word)
    if isinstance(node, Scalar) and node.text in CHANNELS and node.text not in FOLLOWED:
        what = Said("a channel that one follows", "可以关注的渠道")
        place.problems.append(form.not_one_of(node.span, node.text, what, FOLLOWED, FOLLOWED[0]))
        return None
    channel = place.channel(place.options(word), word)
    return Follows(channel, follows) if channel is not None else None


def _task_done(place: Place) -> Doing | None:
    options = place.options("task_done", "outcome")
    team = options.node("task_done")
    outcome = options.read("outcome", scalars.text)
    if not isinstance(team, Scalar):
        return None
    if team.text not in place.catalog.teams:
        place.problems.append(misfits.unknown("team", team.span, team.text, place.catalog.teams))
        return None
    return ClosesTask(team.text, outcome or "done")


def _changes(place: Place) -> Doing | None:
    options = place.options("set", "tag")
    table = options.read("set", lambda node, found: read_table(node, form.word("set"), found, "set: { level: 3 }"))
    entries = table.entries if table is not None else ()
    computed = {name for name, field in place.catalog.fields.items() if field.computed is not None}
    kept = [entry.key for entry in entries if entry.key.text in computed]
    place.problems.extend(mistakes.kept_from_events(key.span, key.text) for key in kept)
    values = {
        entry.key.text: value
        for entry in entries
        if (value := read_field(entry, place.catalog, place.clock, place.problems)) is not None
    }
    return Changes(values, options.read("tag", read_tags) or ())


READERS: Mapping[str, Callable[[Place], Doing | None]] = {
    "event": _event,
    "answer": _answer,
    "comment": _answer,
    "text": _text,
    "task_done": _task_done,
    "follow": _follow,
    "unfollow": _unfollow,
    "set": _changes,
    "tag": _changes,
}

VERBS = tuple(READERS)
