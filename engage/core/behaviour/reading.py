"""`read_behaviour`: a behaviour file → a frozen `Behaviour`, and every problem of the file at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any, TypeVar

from engage.core.behaviour.draws import read_draw, read_share, read_weights
from engage.core.behaviour.model import (
    ACTS,
    MESSAGE,
    Answers,
    Behaviour,
    Cause,
    Delay,
    Habit,
    OneOf,
    People,
    Rates,
    Same,
    Staff,
)
from engage.core.catalog import MEMBER_EVENTS, RESPONSE_EVENTS, Catalog
from engage.core.condition import ValueType
from engage.core.duration import format_duration
from engage.core.journey import misfits, mistakes, scalars
from engage.core.journey.nodes import Entry, Node, Scalar, Table, read_nodes
from engage.core.journey.options import Options, is_empty, read_table
from engage.core.journey.vocabulary import CHANNELS
from engage.core.problem import Problem, Said, Span

T = TypeVar("T")

FILE_KEYS = ("people", "messages", "topics", "journeys", "delay", "answers", "staff", "events")
PEOPLE_KEYS = ("channels", "consent", "fields", "new_per_day", "writes_every")
DELAY_KEYS = ("median", "longest")
ANSWER_KEYS = ("nps", "csat", "comment")
STAFF_KEYS = ("close", "within")
CAUSE_KEYS = ("share", "in")
HABIT_KEYS = ("every", "members", "after", "with", "once")
# What members do about messages; an event may follow that, too.
_RESPONSES = (MESSAGE, "clicked", "replied", "answered")


def read_behaviour(
    source: str, path: str, catalog: Catalog, journeys: Iterable[str]
) -> tuple[Behaviour | None, list[Problem]]:
    """None if nothing of it can be read. A file with problems must not be used."""
    node, problems = read_nodes(source, path)
    table = None
    if node is not None:
        table = read_table(node, Said("a behaviour file", "行为文件"), problems, "people: …")
    behaviour = _Reading(table, catalog, tuple(journeys), problems).behaviour() if table is not None else None
    return behaviour, sorted(problems, key=lambda problem: (problem.span, problem.code))


class _Reading:
    """One behaviour file while it is being read."""

    def __init__(self, table: Table, catalog: Catalog, journeys: tuple[str, ...], problems: list[Problem]) -> None:
        self._options = Options(table, FILE_KEYS, Said("a behaviour file", "行为文件里"), problems)
        self._catalog = catalog
        self._journeys = journeys
        self._problems = problems

    def behaviour(self) -> Behaviour:
        options = self._options
        return Behaviour(
            people=options.read("people", self._people) or People(),
            channels=options.read("messages", self._by_channel) or {},
            topics=options.read("topics", self._narrower("topic", self._catalog.topics)) or {},
            journeys=options.read("journeys", self._narrower("journey", self._journeys)) or {},
            delay=options.read("delay", _delay) or Delay(),
            answers=options.read("answers", _answers) or Answers(),
            staff=options.read("staff", _staff) or Staff(),
            habits=options.read("events", self._habits) or {},
        )

    # --- people -------------------------------------------------------------------------------------------------

    def _people(self, node: Node, problems: list[Problem]) -> People | None:
        options = _options(node, "people", PEOPLE_KEYS, problems)
        if options is None:
            return None
        return People(
            channels=options.read("channels", _named("channel", CHANNELS, read_share)) or {},
            consents=options.read("consent", _named("topic", self._catalog.topics, read_share)) or {},
            fields=options.read("fields", self._fields) or {},
            new_per_day=options.read("new_per_day", read_share) or 0.0,
            writes_every=options.read("writes_every", scalars.duration),
        )

    def _fields(self, node: Node, problems: list[Problem]) -> Mapping[str, OneOf | float] | None:
        own = [name for name, field in self._catalog.fields.items() if field.computed is None]
        read: _ReadsByName[OneOf | float] = _entries("field", own, self._field)
        return read(node, problems)

    def _field(self, entry: Entry, problems: list[Problem]) -> OneOf | float | None:
        field = self._catalog.fields[entry.key.text]
        if field.type is ValueType.ANNIVERSARY:
            return read_share(entry.value, problems)
        if not isinstance(entry.value, Table):
            wanted = Said("values and their shares", "各个值和它们的比例")
            problems.append(mistakes.wrong_shape(entry.value.span, mistakes.word(field.name), wanted))
            return None
        return read_weights(entry.value, field.type, self._catalog, problems, field.values)

    # --- messages -----------------------------------------------------------------------------------------------

    def _by_channel(self, node: Node, problems: list[Problem]) -> Mapping[str, Rates] | None:
        return _named("channel", CHANNELS, _rates)(node, problems)

    def _narrower(
        self, kind: str, known: Iterable[str]
    ) -> Callable[[Node, list[Problem]], Mapping[tuple[str, str | None], Rates]]:
        """`winback: { click: 2% }` on every channel, `winback: { sms: { click: 1% } }` on one."""

        def read(node: Node, problems: list[Problem]) -> Mapping[tuple[str, str | None], Rates]:
            rates: dict[tuple[str, str | None], Rates] = {}
            for name, table in _named(kind, known, _table)(node, problems).items():
                if any(entry.key.text in CHANNELS for entry in table.entries):
                    rates |= {(name, c): found for c, found in (self._by_channel(table, problems) or {}).items()}
                elif (found := _rates(table, problems)) is not None:
                    rates[name, None] = found
            return rates

        return read

    # --- events -------------------------------------------------------------------------------------------------

    def _habits(self, node: Node, problems: list[Problem]) -> Mapping[str, Habit]:
        return _entries("event", self._told_by_the_shop, self._habit)(node, problems)

    @property
    def _told_by_the_shop(self) -> list[str]:
        return [name for name in self._catalog.events if name not in RESPONSE_EVENTS and name not in MEMBER_EVENTS]

    def _habit(self, entry: Entry, problems: list[Problem]) -> Habit | None:
        options = _options(entry.value, entry.key.text, HABIT_KEYS, problems)
        if options is None:
            return None
        if "every" not in options and "after" not in options:
            options.require("every", entry.key.span, _SAY_WHEN)
        causes = (*_RESPONSES, *self._told_by_the_shop)
        members = options.read("members", read_share)
        after = options.read("after", _named("event", causes, _cause)) or {}
        followed = None if "after" in options and not after else tuple(after)  # None: that has been reported
        return Habit(
            every=options.read("every", scalars.duration),
            members=1.0 if members is None else members,
            after=after,
            values=options.read("with", lambda node, found: self._values(entry.key.text, followed, node, found)) or {},
            once=options.read("once", scalars.yes_no) or False,
        )

    def _values(
        self, event: str, followed: tuple[str, ...] | None, node: Node, problems: list[Problem]
    ) -> Mapping[str, Any]:
        table = read_table(node, mistakes.word("with"), problems, "with: { order_id: new, amount: 60..800 }")
        keys = self._catalog.events[event].payload
        values = {}
        for entry in table.entries if table is not None else ():
            kind = keys.get(entry.key.text)
            if kind is None:
                said = Said(f"`{event}`", f"`{event}` ")
                problems.append(misfits.unknown_key(entry.key.span, entry.key.text, said, keys, origin=""))
            elif (draw := read_draw(entry.value, entry.key.text, kind, self._catalog, problems)) is not None:
                values[entry.key.text] = draw
                if isinstance(draw, Same) and followed is not None and not self._carried(entry.key.text, followed):
                    problems.append(_same_as_nothing(entry.value.span, entry.key.text))
        return values

    def _carried(self, key: str, causes: tuple[str, ...]) -> bool:
        """Whether an event that this one follows has such a key."""
        return any(key in event.payload for cause in causes if (event := self._catalog.events.get(cause)) is not None)


_SAY_WHEN = Said(
    "nothing brings it about: say how often members do it (`every: 60d`), or what it follows (`after`)",
    "没有说明它怎么发生：请写会员多久做一次（`every: 60d`），或者它跟在什么之后（`after`）",
)


def _same_as_nothing(span: Span, key: str) -> Problem:
    return mistakes.contradiction(
        span,
        Said(
            f"`same` is what the event before it has, and none under `after` has `{key}`",
            f"`same` 取自它所跟随的事件，而 `after` 里没有哪个事件带有 `{key}`",
        ),
        Said(
            "write `new`, a value, or an event with that key under `after`",
            "请写 `new`、一个值，或在 `after` 里写带有这个键的事件",
        ),
    )


# --- tables whose keys are names --------------------------------------------------------------------------------

_ReadsByName = Callable[[Node, list[Problem]], Mapping[str, T]]


def _entries(kind: str, known: Iterable[str], read: Callable[[Entry, list[Problem]], T | None]) -> _ReadsByName[T]:
    """A reader of `{ name: … }`: every name is known, every entry read by `read`."""
    names = tuple(known)

    def read_all(node: Node, problems: list[Problem]) -> Mapping[str, T]:
        table = read_table(node, mistakes.word(kind), problems, "{ …: … }")
        found: dict[str, T] = {}
        for entry in table.entries if table is not None else ():
            if entry.key.text not in names:
                problems.append(misfits.unknown(kind, entry.key.span, entry.key.text, names))
            elif is_empty(entry.value):
                problems.append(mistakes.no_value(entry.key.span, entry.key.text))
            elif (value := read(entry, problems)) is not None:
                found[entry.key.text] = value
        return found

    return read_all


def _named(kind: str, known: Iterable[str], read: Callable[[Node, list[Problem]], T | None]) -> _ReadsByName[T]:
    """The same, where the value is all that is read."""
    return _entries(kind, known, lambda entry, problems: read(entry.value, problems))


# --- parts ------------------------------------------------------------------------------------------------------


def _options(node: Node, word: str, keys: tuple[str, ...], problems: list[Problem]) -> Options | None:
    table = read_table(node, mistakes.word(word), problems, f"{word}: {{ {keys[0]}: … }}")
    return Options(table, keys, Said(f"`{word}`", f"`{word}` 里"), problems) if table is not None else None


def _table(node: Node, problems: list[Problem]) -> Table | None:
    return read_table(node, Said("this", "这里"), problems, "{ click: 5% }")


def _rates(node: Node, problems: list[Problem]) -> Rates | None:
    options = _options(node, "messages", ACTS, problems)
    return Rates(**{act: options.read(act, read_share) for act in ACTS}) if options is not None else None


def _delay(node: Node, problems: list[Problem]) -> Delay | None:
    options = _options(node, "delay", DELAY_KEYS, problems)
    if options is None:
        return None
    median, longest = options.read("median", scalars.duration), options.read("longest", scalars.duration)
    delay = Delay(median or Delay().median, longest or Delay().longest)
    if delay.median > delay.longest:
        usual = format_duration(Delay().median), format_duration(Delay().longest)
        said = Said("the median is longer than the longest delay", "中位数比最长的延迟还长")
        help = Said(
            f"half are sooner than `median`, nobody is later than `longest`; usual are {usual[0]} and {usual[1]}",
            f"一半人比 `median` 快，没有人比 `longest` 慢；通常是 {usual[0]} 和 {usual[1]}",
        )
        problems.append(mistakes.contradiction(node.span, said, help))
    return delay


def _answers(node: Node, problems: list[Problem]) -> Answers | None:
    options = _options(node, "answers", ANSWER_KEYS, problems)
    if options is None:
        return None
    usual = Answers()
    comment = options.read("comment", read_share)
    return Answers(
        nps=options.read("nps", lambda node, found: _scores(node, 0, 10, found)) or usual.nps,
        csat=options.read("csat", lambda node, found: _scores(node, 1, 5, found)) or usual.csat,
        comment=usual.comment if comment is None else comment,
    )


def _scores(node: Node, low: int, high: int, problems: list[Problem]) -> OneOf | None:
    table = read_table(node, mistakes.word("answers"), problems, "nps: { 10: 50%, 8: 30%, 3: 20% }")
    scores: dict[int, float] = {}
    for entry in table.entries if table is not None else ():
        score = int(entry.key.text) if entry.key.text.isascii() and entry.key.text.isdecimal() else -1
        if not low <= score <= high:
            problems.append(mistakes.out_of_range(entry.key.span, entry.key.text, str(low), str(high)))
        elif (share := read_share(entry.value, problems)) is not None:
            scores[score] = share
    return OneOf(tuple(scores), tuple(scores.values())) if any(scores.values()) else None


def _staff(node: Node, problems: list[Problem]) -> Staff | None:
    options = _options(node, "staff", STAFF_KEYS, problems)
    if options is None:
        return None
    close, within = options.read("close", read_share), options.read("within", scalars.duration)
    return Staff(Staff().close if close is None else close, within or Staff().within)


def _cause(node: Node, problems: list[Problem]) -> Cause | None:
    """`{ share: 8%, in: 1h..3d }`."""
    options = _options(node, "after", CAUSE_KEYS, problems)
    if options is None:
        return None
    for key in CAUSE_KEYS:
        options.require(key, node.span)
    share, span = options.read("share", read_share), options.read("in", _span)
    return Cause(share, *span) if share is not None and span is not None else None


def _span(node: Node, problems: list[Problem]) -> tuple[timedelta, timedelta] | None:
    """`1h..3d`, or `2d` for exactly that."""
    found = scalars.scalar(node, mistakes.word("in"), problems)
    if found is None:
        return None
    low, _, high = found.text.partition("..")
    ends = [scalars.duration(Scalar(end.strip(), found.span), problems, zero=True) for end in (low, high or low)]
    if ends[0] is None or ends[1] is None:
        return None
    if ends[0] > ends[1]:
        problems.append(misfits.empty_range(found.span, found.text))
        return None
    return ends[0], ends[1]
